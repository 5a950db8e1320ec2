"""The plan of a reproduction: which commands, in which order, and when each is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from ..utils.bad_input import BadInput
from ..utils.checks import check_choice
from ..utils.config_file import CONFIGS, read_settings

METHODS = {'excel': 'excel', 'weclip': 'weclip', 'clip-es': 'clip_es'}
#: Folders and files below the data folder that a benchmark's download has.
LAYOUTS = {
    'voc': (
        *('JPEGImages', 'Annotations', 'SegmentationClass'),
        'ImageSets/Segmentation/train.txt',
        'ImageSets/Segmentation/val.txt',
    ),
    'coco': ('train2014', 'val2014', 'annotations/instances_train2014.json'),
    'toy': ('JPEGImages', 'Annotations', 'SegmentationClass'),
}
SOURCES = {
    'voc': 'download PASCAL VOC 2012 and give its VOCdevkit/VOC2012 (docs/data.md)',
    'coco': 'download MS COCO 2014 and give the folder that holds it (docs/data.md)',
    'toy': 'make it with the command make-toy-world and give its VOC2012',
}
SCORES = 'scores.json'


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: Of the step, unique in its plan.
        command: Name and arguments of the command.
        result: What it leaves when it is done.
        resumes: Whether there is something of it to go on from.
    """

    name: str
    command: Sequence[str]
    result: Path
    resumes: Callable[[], bool] = field(default=lambda: False)

    @property
    def done(self) -> bool:
        """Whether its result is there."""
        return self.result.exists()

    @property
    def arguments(self) -> list[str]:
        """The command with ``--resume`` where there is something to resume."""
        name, *rest = self.command
        return [name, *rest[:1], *(['--resume'] if self.resumes() else []), *rest[1:]]


@dataclass(frozen=True)
class Plan:
    """What is reproduced.

    Args:
        benchmark: ``'voc'``, ``'coco'`` or ``'toy'``.
        data: Folder of the data.
        method: ``'excel'``, ``'weclip'`` or ``'clip-es'``.
        clip: CLIP's weights. Default: the config's, downloaded and cached.
        seeds: One training each.
        work_dir: Where everything goes.
        sbd: SBD's ``benchmark_RELEASE/dataset``, for VOC's augmented training list.
        any_size: Whether lists of other sizes than the benchmark's are accepted.
        options: Further overrides of the config, by dotted name.
    """

    benchmark: str
    data: Path
    work_dir: Path
    method: str = 'excel'
    clip: str | None = None
    seeds: Sequence[int] = (0,)
    sbd: str | None = None
    any_size: bool = False
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice('benchmark', self.benchmark, LAYOUTS)
        check_choice('method', self.method, METHODS)

    @property
    def config_file(self) -> Path:
        """The recipe."""
        return CONFIGS / f'{METHODS[self.method]}_{self.benchmark}.py'

    @property
    def overrides(self) -> dict[str, object]:
        """All that differs from the recipe."""
        loaders = ('test', 'val') if self.method == 'clip-es' else ('test', 'val', 'train')
        data = {f'{name}_dataloader.dataset.data_root': str(self.data) for name in loaders}
        clip = {} if self.clip is None else {'model.backbone.pretrained': str(self.clip)}
        return data | clip | dict(self.options)

    def config(self) -> Config:
        """The recipe with the overrides."""
        return read_settings(str(self.config_file), self.overrides)

    def check_data(self) -> None:
        """Find out now that the data are there.

        Raises:
            FileNotFoundError: Something is missing; says what, and where it comes from.
        """
        for name in LAYOUTS[self.benchmark]:
            if not (self.data / name).exists():
                raise FileNotFoundError(f"'{self.data}' has no {name}: {SOURCES[self.benchmark]}.")
        if self.benchmark == 'voc' and self.method != 'clip-es' and self.sbd is None:
            self._check_training_list()

    def _check_training_list(self) -> None:
        """Refuse a list of images that VOC's download lacks, and that nothing would write."""
        name = self.config().train_dataloader.dataset.ann_file
        if not (self.data / name).exists():
            raise FileNotFoundError(
                f"'{self.data}' has no {name}: give --sbd, which it is made of, or another list "
                'with --cfg-options train_dataloader.dataset.ann_file=.'
            )

    def steps(self) -> Iterator[Step]:
        """The commands in order."""
        yield from self._preparation()
        if self.method == 'clip-es':
            yield from self._labelling()
            return
        for seed in self.seeds:
            yield from self._training(seed)

    def _preparation(self) -> Iterator[Step]:
        sizes = ['--any-size'] if self.any_size else []
        if self.benchmark == 'voc':
            sbd = [] if self.sbd is None else ['--sbd', self.sbd]
            result = self.data / 'ImageSets/Segmentation/tags.json'
            yield Step('prepare', ['prepare-voc', str(self.data), *sbd, *sizes], result)
        if self.benchmark == 'coco':
            yield Step(
                'prepare', ['prepare-coco', str(self.data), *sizes], self.data / 'tags/val.json'
            )

    def _labelling(self) -> Iterator[Step]:
        """CLIP-ES trains nothing: its labels of the validation images are scored."""
        yield self._test('labels', None, [], {})

    def _training(self, seed: int) -> Iterator[Step]:
        folder, max_iters = self.folder(seed), int(self.config().train_cfg.max_iters)
        checkpoint = folder / f'iter_{max_iters}.pth'
        arguments = ['--work-dir', str(folder), '--seed', str(seed), *self._options({})]
        yield Step(
            f'seed {seed}: train',
            ['train', str(self.config_file), *arguments],
            checkpoint,
            resumes=lambda: any(folder.glob('iter_*.pth')),
        )
        plain = {'tta_model.post_processor': None}
        yield self._test(f'seed {seed}: one view', checkpoint, [], {})
        yield self._test(f'seed {seed}: all views', checkpoint, ['--tta'], plain)
        yield self._test(f'seed {seed}: all views + DenseCRF', checkpoint, ['--tta'], {})
        report = folder / 'report.html'
        yield Step(f'seed {seed}: report', ['report', str(folder)], report)

    def folder(self, seed: int) -> Path:
        """Work dir of a training."""
        return self.work_dir / f'seed_{seed}'

    def tests(self) -> dict[str, list[tuple[int | None, Path]]]:
        """Each kind of test: seed and scores of each run of it."""
        kinds: dict[str, list[tuple[int | None, Path]]] = {}
        for step in self.steps():
            if step.command[0] == 'test':
                seed, _, kind = step.name.rpartition(': ')
                number = int(seed.removeprefix('seed ')) if seed else None
                kinds.setdefault(kind, []).append((number, step.result))
        return kinds

    def _test(
        self, name: str, checkpoint: Path | None, flags: list[str], options: Mapping[str, object]
    ) -> Step:
        tables = self.work_dir / 'scores' / name.replace(': ', '_').replace(' ', '_')
        weights = [] if checkpoint is None else [str(checkpoint)]
        places = ['--work-dir', str(self.work_dir / 'tests')]
        chosen = self._options({**options, 'test_evaluator.table_dir': str(tables)})
        command = ['test', str(self.config_file), *weights, *flags, *places, *chosen]
        return Step(name, command, tables / SCORES)

    def _options(self, more: Mapping[str, object]) -> list[str]:
        pairs = {**self.overrides, **more}
        return ['--cfg-options', *(f'{name}={value}' for name, value in pairs.items())]


def check_config(plan: Plan) -> Config:
    """The recipe, if there is one of this method and benchmark.

    Raises:
        BadInput: There is none, or an override has no place in it.
    """
    if not plan.config_file.is_file():
        raise BadInput(
            f'There is no recipe of {plan.method} for {plan.benchmark}: {plan.config_file.name}.'
        )
    return plan.config()
