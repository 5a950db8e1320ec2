"""How much of a batch is worked on at once."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor


def cache_blocks(*batches: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield matching views of batches (B, ...), each (b, ...).

    On a CPU b is 1: the working set of one image fits in the cache, that of a batch does not.
    Elsewhere b is B: there, few large kernels are what is fast.
    """
    size = 1 if batches[0].device.type == 'cpu' else len(batches[0])
    return zip(*(batch.split(size) for batch in batches), strict=True)
