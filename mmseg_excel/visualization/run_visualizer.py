"""MMSegmentation's visualizer, one a run, which also shows images that have only tags."""

from __future__ import annotations

import mmcv
import numpy as np
from mmengine.dist import master_only
from mmseg.registry import VISUALIZERS
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

DRAWN = ('gt_sem_seg', 'pred_sem_seg', 'gt_depth_map', 'pred_depth_map')


class TagVisualizer(SegLocalVisualizer):
    """MMSegmentation's visualizer, which shows an image without labels as it is.

    OpenMMLab's own cannot: ``browse_dataset.py`` would fail on training images.
    """

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: SegDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        step: int = 0,
        **settings,
    ) -> None:
        """Draw an image (H, W, 3) and its labels, see ``SegLocalVisualizer``."""
        if data_sample is not None and any(field in data_sample for field in DRAWN):
            super().add_datasample(
                name, image, data_sample, draw_gt, draw_pred, show, wait_time, out_file, step,
                **settings,
            )  # fmt: skip
            return
        if show:
            self.show(image, win_name=name, wait_time=wait_time)
        if out_file is None:
            self.add_image(name, image, step)
        else:
            mmcv.imwrite(mmcv.rgb2bgr(image), out_file)


@VISUALIZERS.register_module()
def run_visualizer(name: str = 'mmseg_excel', **settings) -> TagVisualizer:
    """The visualizer of a name.

    MMEngine's runner gives each run a name of its own where a config says none. With one in the
    config, a second run in the same process would get the first one's visualizer, and with it the
    first one's folder; without any, ``browse_dataset.py``, which has no runner, could build none.

    Args:
        name: Of the run. Default: that of no run.
        **settings: Of mmseg's ``SegLocalVisualizer``.
    """
    return TagVisualizer.get_instance(name, **settings)
