"""Pictures of maps and labels."""

from ..inference.panel import paint_labels, save_panel
from .hook import PseudoLabelVisualizationHook
from .run_visualizer import run_visualizer

__all__ = ['PseudoLabelVisualizationHook', 'paint_labels', 'run_visualizer', 'save_panel']
