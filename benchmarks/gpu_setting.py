"""What the parts of the report on a GPU share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.case import Case, build_case

ROOT = Path(__file__).parents[1]
HALVES = dict(fp16=torch.float16, bf16=torch.bfloat16)
PRECISIONS = dict(fp32=None) | HALVES
PHASES = ('static', 'dynamic', 'late')

Row = dict[str, object]
Rows = Iterable[Row]


@dataclass(frozen=True)
class Setting:
    """Where to measure, and whether only to try out that it works."""

    device: str
    quick: bool

    @property
    def is_cuda(self) -> bool:
        return torch.device(self.device).type == 'cuda'

    def case(self, batch: int = 4) -> Case:
        size = dict(batch=1, side=48) if self.quick else dict(batch=batch)
        return build_case(device=self.device, **size)

    def autocast(self, dtype: torch.dtype | None):
        return torch.autocast(self.device, dtype) if dtype else nullcontext()

    def in_precision(self, run: Callable[[], object], name: str) -> Callable[[], None]:
        """A run under autocast."""

        def rounded() -> None:
            with self.autocast(PRECISIONS[name]):
                run()

        return rounded
