"""Labels and checkpoints for others to use."""

from .voc_server import VOCServerExport, check_submission

__all__ = ['VOCServerExport', 'check_submission']
