"""ClassNamesHook: the data sets have the model's classes, seen before any long work."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..utils.bad_input import BadInput
from ..utils.checks import shown
from ..utils.class_lists import check_same_classes
from ..utils.distributed import unwrapped


@HOOKS.register_module()
class ClassNamesHook(Hook):
    """Compares each data set's ``classes`` with the text head's vocabulary, name by name.

    Without it a validation data set of other classes would be found out at the first validation;
    with other data pipelines than ours, never. Models without a text head have no names to
    compare.

    Raises:
        BadInput: Names the data set, the first position that differs, and both names there.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Check the data that is trained on and, if there is any, validated on."""
        self._check(runner, 'training', runner.train_dataloader)
        if runner.val_loop is not None:
            self._check(runner, 'validation', runner.val_dataloader)

    def before_val(self, runner: Runner) -> None:
        """Check the data that is validated on."""
        self._check(runner, 'validation', runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Check the data that is tested on."""
        self._check(runner, 'test', runner.test_dataloader)

    def _check(self, runner: Runner, purpose: str, dataloader) -> None:
        model = unwrapped(runner.model)
        head = getattr(getattr(model, 'module', model), 'text_head', None)
        if head is not None:
            check_dataset(f'The {purpose} data set', dataloader.dataset, head.vocabulary.classes)


def check_dataset(whose: str, dataset, own: tuple[str, ...]) -> None:
    """Refuse a data set whose classes are not the background and then the model's own.

    Raises:
        BadInput: Names the first position that differs, and both names there.
    """
    names = tuple(getattr(dataset, 'metainfo', {}).get('classes') or ())
    if names[:1] != ('background',):
        raise BadInput(
            f"{whose} has the classes {shown(names)}, but the first must be 'background': give "
            'its metainfo the classes as masks number them.'
        )
    check_same_classes(whose, names[1:], own)
