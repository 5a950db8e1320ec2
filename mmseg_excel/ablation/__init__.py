"""Sweeps over settings, and the paper's tables they fill."""

from .report import Report
from .results import ResultsFile
from .runs import Run, runs_of
from .sweep import sweep
from .table import Row, Table, load_table

__all__ = ['Report', 'ResultsFile', 'Row', 'Run', 'Table', 'load_table', 'runs_of', 'sweep']
