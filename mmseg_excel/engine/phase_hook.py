"""PhaseScheduleHook: when the adapter starts to supervise itself."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..models.trained_segmentor import Phase
from ..utils.bad_input import BadInput
from ..utils.checks import check_whole
from ..utils.distributed import unwrapped


@HOOKS.register_module()
class PhaseScheduleHook(Hook):
    """Sets the phase of each training iteration (docs/method.md, section 8).

    Iterations count from 0. The phase follows from the iteration alone, so resuming keeps it.

    Args:
        dynamic_from: First iteration with dynamic maps and affinity. 14 000 of 30 000 on VOC,
            30 000 of 100 000 on COCO.
        prediction_pairs_from: First iteration whose pair labels come from the prediction.
            24 000 on VOC; None (default), as on COCO, for never.
    """

    def __init__(self, dynamic_from: int, prediction_pairs_from: int | None = None) -> None:
        check_whole('PhaseScheduleHook.dynamic_from', dynamic_from, '[0, 1e9]')
        if prediction_pairs_from is not None:
            check_whole(
                'PhaseScheduleHook.prediction_pairs_from', prediction_pairs_from, '[0, 1e9]'
            )
        self.dynamic_from = dynamic_from
        self.prediction_pairs_from = prediction_pairs_from

    def before_train(self, runner: Runner) -> None:
        """Refuse a model without phases."""
        model = unwrapped(runner.model)
        if not isinstance(getattr(model, 'phase', None), Phase):
            raise BadInput(
                f'PhaseScheduleHook sets the phase of ExCEL or WeCLIP, and a '
                f'{type(model).__name__} has none: leave it out of custom_hooks.'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Tell the segmentor its phase."""
        model = unwrapped(runner.model)
        phase = self.phase_at(runner.iter)
        if phase != model.phase:
            runner.logger.info(f'Iteration {runner.iter}: {phase}')
        model.phase = phase

    def phase_at(self, iteration: int) -> Phase:
        """Phase of an iteration."""
        late = self.prediction_pairs_from
        return Phase(
            dynamic=iteration >= self.dynamic_from,
            pairs_from_prediction=late is not None and iteration >= late,
        )
