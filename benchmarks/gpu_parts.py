"""The parts of the report on a GPU: each yields the rows of a table, as they are measured."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.gpu_answers import golden, repeats, tests
from benchmarks.gpu_densecrf import densecrf
from benchmarks.gpu_runs import inference, loading, training
from benchmarks.gpu_setting import Rows, Setting
from benchmarks.gpu_steps import profile, stages
from benchmarks.timing import machine


def describe_machine(setting: Setting) -> Rows:
    found = machine(torch.device(setting.device)) | dict(cuda=torch.version.cuda)
    if setting.is_cuda:
        found['memory, GB'] = torch.cuda.get_device_properties(0).total_memory / 1e9
    return [dict(what=key, value=value) for key, value in found.items()]


PARTS: dict[str, Callable[[Setting], Rows]] = dict(
    machine=describe_machine,
    tests=tests,
    golden=golden,
    stages=stages,
    loading=loading,
    training=training,
    inference=inference,
    densecrf=densecrf,
    profile=profile,
    repeats=repeats,
)
