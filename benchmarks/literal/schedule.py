"""Learning rate and phases (docs/method.md, section 8)."""

from __future__ import annotations


def learning_rate(
    step: int, base: float, *, warmup: int = 50, total: int = 30_000, warmup_ratio: float = 1e-6
) -> float:
    """Return the rate used by iteration `step`, counted from 0."""
    if step < warmup:
        return base * (1 - (1 - step / warmup) * (1 - warmup_ratio))
    return base * (1 - step / total)
