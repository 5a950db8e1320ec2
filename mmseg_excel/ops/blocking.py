"""How much of a batch is worked on at once."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

CACHE_BYTES = 3 << 19


def cache_blocks(*batches: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield matching views of batches (B, ...), each (b, ...).

    On a CPU b is 1: the working set of one image fits in the cache, that of a batch does not.
    Elsewhere b is B: there, few large kernels are what is fast.
    """
    size = 1 if batches[0].device.type == 'cpu' else len(batches[0])
    return zip(*(batch.split(size) for batch in batches), strict=True)


def head_blocks(*heads: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield matching views of heads (B, H, N, d), each (B, h, N, d).

    On a CPU h is such that the attention of an image, (h, N, N) in float32, stays in the cache.
    Elsewhere h is H.
    """
    size, num_tokens = heads[0].shape[1:3]
    if heads[0].device.type == 'cpu':
        size = max(1, CACHE_BYTES // (4 * num_tokens**2))
    return zip(*(part.split(size, dim=1) for part in heads), strict=True)
