from .confusion import Scores, confusion_matrix, count_pairs
from .metric import ConfusionMatrixMetric
from .report import Report

__all__ = [
    'ConfusionMatrixMetric',
    'Report',
    'Scores',
    'confusion_matrix',
    'count_pairs',
]
