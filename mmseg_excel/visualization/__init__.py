"""Pictures of maps and labels."""

from .hook import PseudoLabelVisualizationHook
from .panel import paint_labels, save_panel

__all__ = ['PseudoLabelVisualizationHook', 'paint_labels', 'save_panel']
