"""SeededInfiniteSampler: every draw of a training sample knows its own seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dataset import InfiniteSampler
from mmseg.registry import DATA_SAMPLERS

from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, check_whole


class Draw(int):
    """Index of a sample, with the seed of this one draw of it."""

    seed: int

    def __new__(cls, index: int, seed: int) -> Draw:
        """Attach the seed to the index."""
        draw = super().__new__(cls, index)
        draw.seed = seed
        return draw

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]
        return int(self), self.seed

    def seed_generators(self) -> None:
        """Seed the generators that transforms draw from."""
        random.seed(self.seed)
        np.random.seed(self.seed)


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """MMEngine's ``InfiniteSampler`` whose indices carry a seed for the augmentation.

    The seed follows from the run's seed, the rank and the number of the draw, so augmentation
    depends neither on the number of workers nor on whether the run was interrupted.
    :class:`TaggedSegDataset` applies it.

    Args:
        dataset: What is sampled.
        shuffle: Whether in random order. Default: True.
        seed: Of the run. Default: None, a random one, the same in all processes.

    Raises:
        BadInput: The data set is empty, or the seed is none.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        check_flag('SeededInfiniteSampler.shuffle', shuffle)
        if seed is not None:
            check_whole('SeededInfiniteSampler.seed', seed, f'[0, {2**32 - 1}]')
        if not len(dataset):
            raise BadInput('The data set holds no image, so nothing can be drawn from it.')
        super().__init__(dataset, shuffle, seed)

    def _indices_of_rank(self) -> Iterator[Draw]:
        for number, index in enumerate(super()._indices_of_rank()):
            yield Draw(index, hash((self.seed, self.rank, number)) % 2**32)
