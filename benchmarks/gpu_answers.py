"""Parts of the report on a GPU: whether what is computed there is right, and the same twice."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import torch

from benchmarks.gpu_recipe import Project
from benchmarks.gpu_setting import PRECISIONS, ROOT, Row, Rows, Setting

ROOMS = ('golden', 'ops', 'models', 'densecrf', 'engine/test_graph_hook.py')
TESTS = [f'tests/{room}' for room in ROOMS]
QUICK_TESTS = ['tests/ops/test_token_mlps.py']


def tests(setting: Setting) -> Rows:
    """Golden tests and those of the rooms, run on the device."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / 'results.xml'
        chosen = QUICK_TESTS if setting.quick else TESTS
        command = [sys.executable, '-m', 'pytest', *chosen, '--device', setting.device]
        subprocess.run([*command, f'--junitxml={results}'], cwd=ROOT, capture_output=True)
        cases = ElementTree.parse(results).getroot().iter('testcase')
        outcomes = {f'{c.get("classname")}::{c.get("name")}': _outcome(c) for c in cases}
    counts = Counter(outcomes.values())
    rows: list[Row] = [dict(what=outcome, value=count) for outcome, count in counts.items()]
    fine = ('passed', 'skipped')
    return rows + [dict(what=name, value=o) for name, o in outcomes.items() if o not in fine]


def _outcome(case: ElementTree.Element) -> str:
    found = [child.tag for child in case if child.tag in ('failure', 'error', 'skipped')]
    return found[0] if found else 'passed'


def golden(setting: Setting) -> Rows:
    """Labels and logits of the reference's case, by precision."""
    from tests.golden.model import build_golden_model, golden_samples
    from tests.golden.reference import golden_tensor

    model = build_golden_model().to(setting.device)
    images = golden_tensor('image').to(setting.device)
    expected = torch.stack([golden_tensor(f'static_img{i}_pseudo') for i in range(2)])
    for name, dtype in PRECISIONS.items():
        with torch.no_grad(), setting.autocast(dtype):
            logits = model.lowres_logits(images).float().cpu()
            labels = model.pseudo_labels(images, golden_samples()).labels.cpu()
        yield {
            'precision': name,
            'error of logits': float((logits - golden_tensor('seg_logits')).abs().max()),
            'static labels that agree': float((labels == expected).float().mean()),
        }


def repeats(setting: Setting) -> Rows:
    """Whether a deterministic training ends in the same bits: again, resumed, by CUDA graphs."""
    steps = 2 if setting.quick else 50
    with Project(setting, photographs=16 if setting.quick else 64) as project:

        def weights(name: str, *ends: int, graphs: bool = False) -> dict[str, torch.Tensor]:
            for index, end in enumerate(ends):
                recipe = project.recipe(iterations=end, planned=steps, graphs=graphs)
                project.train(recipe, name, '--deterministic', *(['--resume'] * (index > 0)))
            path = project.folder / name / f'iter_{steps}.pth'
            return torch.load(path, weights_only=True)['state_dict']

        def row(name: str, *ends: int, graphs: bool = False) -> Row:
            start = time.perf_counter()
            found = weights(name, *ends, graphs=graphs)
            same = all(torch.equal(found[key], first[key]) for key in first)
            seconds = time.perf_counter() - start
            return dict(run=name, steps=steps, bits='the same' if same else 'others', s=seconds)

        first = weights('first', steps)
        yield row('again', steps)
        yield row('resumed', steps // 2, steps)
        if setting.is_cuda:
            yield row('graphs', steps, graphs=True)
