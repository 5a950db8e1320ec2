"""How much of a batch is worked on at once."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from .exporting import is_exporting

CACHE_BYTES = 3 << 19


def cache_blocks(*batches: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield matching views of batches (B, ...), each (b, ...).

    On a CPU b is 1: the working set of one image fits in the cache, that of a batch does not.
    Elsewhere b is B: there, few large kernels are what is fast.
    """
    if not _has_small_cache(batches[0]):
        return iter([batches])
    return zip(*(batch.split(1) for batch in batches), strict=True)


def head_blocks(*heads: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield matching views of heads (B, H, N, d), each (B, h, N, d).

    On a CPU h is such that the attention of an image, (h, N, N) in float32, stays in the cache.
    Elsewhere h is H.
    """
    if not _has_small_cache(heads[0]):
        return iter([heads])
    size = max(1, CACHE_BYTES // (4 * heads[0].shape[2] ** 2))
    return zip(*(part.split(size, dim=1) for part in heads), strict=True)


def _has_small_cache(batch: Tensor) -> bool:
    """Whether the device of a tensor is a CPU; an exported program is for any device."""
    return batch.device.type == 'cpu' and not is_exporting()
