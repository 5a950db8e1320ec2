"""Pictures of maps and labels."""

from .panel import paint_labels, save_panel

__all__ = ['paint_labels', 'save_panel']
