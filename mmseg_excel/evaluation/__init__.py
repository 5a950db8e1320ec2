from .confusion import Scores, confusion_matrix, count_pairs
from .metric import ConfusionMatrixMetric
from .report import Report
from .voc_server import VOCServerExport, check_submission

__all__ = [
    'ConfusionMatrixMetric',
    'Report',
    'Scores',
    'VOCServerExport',
    'check_submission',
    'confusion_matrix',
    'count_pairs',
]
