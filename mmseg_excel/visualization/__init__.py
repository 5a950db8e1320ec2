"""Pictures of maps and labels."""

from ..inference.panel import paint_labels, save_panel
from .hook import PseudoLabelVisualizationHook

__all__ = ['PseudoLabelVisualizationHook', 'paint_labels', 'save_panel']
