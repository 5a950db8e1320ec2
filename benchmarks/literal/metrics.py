"""Scores of label maps (docs/method.md, section 9)."""

from __future__ import annotations

import numpy as np


def scores(truth: np.ndarray, predicted: np.ndarray, num_outputs: int) -> dict[str, np.ndarray]:
    """Return IoU, precision, recall and confusion ratio of every class, nan where undefined."""
    known = truth < num_outputs
    rows = []
    for index in range(num_outputs):
        is_true, is_predicted = truth[known] == index, predicted[known] == index
        hits = (is_true & is_predicted).sum()
        false = (is_predicted & ~is_true).sum()
        missed = (is_true & ~is_predicted).sum()
        rows.append((hits, false, missed))
    hits, false, missed = np.array(rows, dtype=np.float64).T
    with np.errstate(divide='ignore', invalid='ignore'):
        return {
            'iou': hits / (hits + false + missed),
            'precision': hits / (hits + false),
            'recall': hits / (hits + missed),
            'confusion': false / hits,
        }
