"""MMSegmentation's visualizer, one a run."""

from __future__ import annotations

from mmseg.registry import VISUALIZERS
from mmseg.visualization import SegLocalVisualizer


@VISUALIZERS.register_module()
def run_visualizer(name: str = 'mmseg_excel', **settings) -> SegLocalVisualizer:
    """The visualizer of a name.

    MMEngine's runner gives each run a name of its own where a config says none. With one in the
    config, a second run in the same process would get the first one's visualizer, and with it the
    first one's folder; without any, ``browse_dataset.py``, which has no runner, could build none.

    Args:
        name: Of the run. Default: that of no run.
        **settings: Of mmseg's ``SegLocalVisualizer``.
    """
    return SegLocalVisualizer.get_instance(name, **settings)
