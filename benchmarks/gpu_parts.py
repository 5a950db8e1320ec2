"""The parts of the report on a GPU: each returns the rows of a table."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from xml.etree import ElementTree

import cv2
import open_clip
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from benchmarks.case import Case, build_case
from benchmarks.data_loading import write_photographs
from benchmarks.stages import STAGES
from benchmarks.timing import cuda_memory, interleaved, machine
from mmseg_excel.densecrf import DenseCRF
from mmseg_excel.densecrf.engines import ANY_DEVICE
from mmseg_excel.engine.compile_hook import compile_rooms
from mmseg_excel.models.trained_segmentor import Phase

ROOT = Path(__file__).parents[1]
HALVES = dict(fp16=torch.float16, bf16=torch.bfloat16)
PHASES = ('static', 'dynamic', 'late')
ROOMS = [f'tests/{folder}' for folder in ('golden', 'ops', 'models', 'densecrf')]
ROOMS_QUICK = ['tests/ops/test_token_mlps.py']

Rows = list[dict[str, object]]


@dataclass(frozen=True)
class Setting:
    """Where to measure, and whether only to try out that it works."""

    device: str
    quick: bool

    def case(self, batch: int = 4) -> Case:
        size = dict(batch=1, side=48) if self.quick else dict(batch=batch)
        return build_case(device=self.device, **size)

    def autocast(self, dtype: torch.dtype | None):
        return torch.autocast(self.device, dtype) if dtype else nullcontext()


def describe_machine(setting: Setting) -> Rows:
    found = machine(torch.device(setting.device)) | dict(cuda=torch.version.cuda)
    if setting.device == 'cuda':
        found['memory, GB'] = torch.cuda.get_device_properties(0).total_memory / 1e9
    return [dict(what=key, value=value) for key, value in found.items()]


def tests(setting: Setting) -> Rows:
    """Golden tests and those of the rooms, run on the device."""
    chosen = ROOMS_QUICK if setting.quick else ROOMS
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / 'results.xml'
        command = [sys.executable, '-m', 'pytest', *chosen, '--device', setting.device]
        subprocess.run([*command, f'--junitxml={results}'], cwd=ROOT, capture_output=True)
        cases = ElementTree.parse(results).getroot().iter('testcase')
        outcomes = {f'{c.get("classname")}::{c.get("name")}': _outcome(c) for c in cases}
    counts = Counter(outcomes.values())
    rows: Rows = [dict(what=outcome, value=count) for outcome, count in counts.items()]
    return rows + [
        dict(what=n, value=o) for n, o in outcomes.items() if o not in ('passed', 'skipped')
    ]


def _outcome(case: ElementTree.Element) -> str:
    return next(
        (child.tag for child in case if child.tag in ('failure', 'error', 'skipped')), 'passed'
    )


def golden(setting: Setting) -> Rows:
    """Labels and logits of the reference's case in half precision."""
    from tests.golden.model import build_golden_model, golden_samples
    from tests.golden.reference import golden_tensor

    model, image = build_golden_model().to(setting.device), golden_tensor('image')
    image = image.to(setting.device)
    rows: Rows = []
    for name, dtype in (dict(fp32=None) | HALVES).items():
        with torch.no_grad(), setting.autocast(dtype):
            logits = model.lowres_logits(image).float().cpu()
            row = dict(
                what=f'{name}, logits',
                error=float((logits - golden_tensor('seg_logits')).abs().max()),
            )
            pseudo = model.pseudo_labels(image, golden_samples()).labels.cpu()
        expected = torch.stack([golden_tensor(f'static_img{i}_pseudo') for i in range(2)])
        row['static labels that agree'] = float((pseudo == expected).float().mean())
        rows.append(row)
    return rows


def stages(setting: Setting) -> Rows:
    """Milliseconds of every stage: literal, ours, ours in half precision, and compiled."""
    case, repeats = setting.case(), 1 if setting.quick else 10
    rows: Rows = []
    for compiled in (False,) if setting.quick else (False, True):
        if compiled:
            compile_rooms(case.ours)
        for name in list(STAGES)[-1:] if setting.quick else STAGES:
            if compiled and not name.startswith(('PAR', 'iteration')):
                continue
            literal, ours = STAGES[name](case)
            runs = {} if compiled else dict(literal=literal)
            runs['fp32'] = ours
            runs |= {half: _in_half(setting, ours, half) for half in HALVES}
            row: dict[str, object] = dict(stage=f'{name}, compiled' if compiled else name)
            row |= {f'{k}, ms': 1e3 * t.wall for k, t in interleaved(runs, repeats).items()}
            if setting.device == 'cuda':
                row |= {f'{k}, GB': cuda_memory(run).tensor_bytes / 1e9 for k, run in runs.items()}
            rows.append(row)
    return rows


def _in_half(setting: Setting, run: Callable, half: str) -> Callable[[], None]:
    def in_half() -> None:
        with setting.autocast(HALVES[half]):
            run()

    return in_half


RECIPE = """
from mmengine.config import read_base

with read_base():
    from mmseg_excel.configs.excel_voc import *

model.backbone.update(pretrained='clip.pt')
model.text_head.update(mode='global')
train_dataloader.update(num_workers={workers}, pin_memory={pinned})
train_dataloader.dataset.update(data_root='.', ann_file='train.txt')
train_dataloader.dataset.tag_source = dict(type='TableTags', file='tags.json')
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None
train_cfg.update(max_iters={iterations})
default_hooks.logger.update(interval={third})
custom_hooks = [
    dict(type='PhaseScheduleHook', dynamic_from={third}, prediction_pairs_from=2 * {third})
]
"""


def training(setting: Setting) -> Rows:
    """Iterations a second of tools/train.py on photographs, by phase, precision and workers."""
    third = 1 if setting.quick else 200
    kinds = [([], 2)] if setting.quick else [([], 4), ([], 8), (['--amp'], 8), (['--amp'], 14)]
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photographs(folder, 16 if setting.quick else 64)
        clip = open_clip.create_model('ViT-B-16-quickgelu')
        torch.save(
            {key: value.half() for key, value in clip.state_dict().items()}, folder / 'clip.pt'
        )
        for options, workers in kinds:
            pinned = setting.device == 'cuda'
            recipe = RECIPE.format(
                workers=workers, pinned=pinned, iterations=3 * third, third=third
            )
            (folder / 'recipe.py').write_text(recipe)
            rows += _train(folder, options, workers, setting)
    return rows


def _train(folder: Path, options: list[str], workers: int, setting: Setting) -> Rows:
    run = folder / f'run{workers}{"".join(options)}'
    command = [sys.executable, '-W', 'ignore', ROOT / 'tools/train.py', 'recipe.py', *options]
    command += ['--work-dir', run.name]
    if setting.quick:
        command += ['--cfg-options', 'train_dataloader.batch_size=1']
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-1500:])
    lines = next(run.glob('*/vis_data/scalars.json')).read_text().splitlines()
    return [
        {
            'phase': phase,
            'precision': 'fp16' if options else 'fp32',
            'workers': workers,
            'iterations a second': 1 / found['time'],
            'waiting for data': found['data_time'] / found['time'],
        }
        for phase, found in zip(PHASES, map(json.loads, lines), strict=False)
    ]


def inference(setting: Setting) -> Rows:
    """Images a second of eight views of 375x500 photographs, without DenseCRF."""
    case = setting.case(batch=1)
    size, count = ((48, 64), 1) if setting.quick else ((375, 500), 16)
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for _ in range(count)]
    scales = dict(size=32, scales=(1.0,)) if setting.quick else {}
    tta = MODELS.build(
        dict(type='LogitTTAModel', module=case.ours.eval(), data_preprocessor=None, **scales)
    )

    def once(dtype: torch.dtype | None) -> None:
        samples = [SegDataSample(metainfo=dict(ori_shape=size, img_path='x')) for _ in images]
        with torch.no_grad(), setting.autocast(dtype):
            tta.test_step(dict(inputs=images, data_samples=samples))

    rows: Rows = []
    for name, dtype in (dict(fp32=None) | HALVES).items():
        seconds = interleaved({name: lambda dtype=dtype: once(dtype)}, 1 if setting.quick else 5)
        rows.append({'precision': name, 'images a second': count / seconds[name].wall})
    return rows


def densecrf(setting: Setting) -> Rows:
    """Milliseconds an image of 375x500, alone and four at once, and labels beside a CPU's."""
    from tests.golden.reference import golden

    rows: Rows = []
    crf, size = DenseCRF(engine=ANY_DEVICE), (24, 32) if setting.quick else (375, 500)
    image = cv2.resize(golden()['crf_image_u8'], size[::-1], interpolation=cv2.INTER_CUBIC)
    for classes in (21, 81):
        scores = 4 * torch.randn(1, classes, 20, 20, generator=torch.manual_seed(0))
        soft = F.interpolate(scores, size, mode='bilinear').softmax(dim=1)
        on_cpu = DenseCRF().label(image, soft[0])
        for together in (1, 4):
            given = [image] * together, soft.to(setting.device).expand(together, -1, -1, -1)
            run = partial(crf.label_all, *given)
            labels = run().cpu()
            row: dict[str, object] = dict(classes=classes, together=together)
            timing = interleaved(dict(run=run), 1 if setting.quick else 10)['run']
            row['ms an image'] = 1e3 * timing.wall / together
            if setting.device == 'cuda':
                row['GB'] = cuda_memory(run).tensor_bytes / 1e9
            row['pixels that differ'] = int((labels[0] != on_cpu).sum())
            row['bits'] = 'the same' if torch.equal(run().cpu(), labels) else 'others'
            rows.append(row)
    return rows


def profile(setting: Setting) -> Rows:
    """Where a step of the dynamic phase spends its time: the ten dearest, by device and by host."""
    case = setting.case()
    case.ours.phase = Phase(dynamic=True)
    with torch.profiler.profile() as profiler:
        for _ in range(1 if setting.quick else 5):
            with setting.autocast(torch.bfloat16):
                loss = sum(case.ours.loss(case.images, case.samples).values())
            loss.backward()
    rows: Rows = []
    for clock in ('device', 'cpu'):
        cost = f'self_{clock}_time_total'
        dearest = sorted(profiler.key_averages(), key=lambda event: -getattr(event, cost))[:10]
        rows += [
            {'clock': clock, 'operation': event.key[:60], 'calls': event.count,
             'ms': getattr(event, cost) / 1e3}
            for event in dearest
        ]  # fmt: skip
    return rows


def repeats(setting: Setting) -> Rows:
    """Whether deterministic steps give the same bits again."""
    torch.use_deterministic_algorithms(True)
    count = 2 if setting.quick else 50
    losses, times = [], []
    for _ in range(2):
        start = time.perf_counter()
        losses.append(_losses_of_steps(setting, count))
        times.append(time.perf_counter() - start)
    equal = torch.equal(*losses)
    return [dict(steps=count, bits='the same' if equal else 'others', seconds=median(times))]


def _losses_of_steps(setting: Setting, count: int) -> Tensor:
    case = setting.case()
    case.ours.phase = Phase(dynamic=True)
    optimiser = torch.optim.AdamW(case.ours.parameters(), lr=1e-4)
    losses = []
    for _ in range(count):
        loss = sum(case.ours.loss(case.images, case.samples).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses).cpu()


PARTS: dict[str, Callable[[Setting], Rows]] = dict(
    machine=describe_machine,
    tests=tests,
    golden=golden,
    stages=stages,
    training=training,
    inference=inference,
    densecrf=densecrf,
    profile=profile,
    repeats=repeats,
)
