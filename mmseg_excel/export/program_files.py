"""Files that hold a program: ONNX for any runtime, .pt2 for PyTorch's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from ..utils.bad_input import BadInput
from ..utils.extras import extra

CLASSES = 'classes'


@dataclass(frozen=True)
class ProgramFile:
    """A kind of file.

    Attributes:
        check: Refuses at once what lacks a package.
        write: Writes a program and the names of its classes, background first, into an empty
            folder.
        load: Reads it again: a function of images (B, 3, H, W).
    """

    check: Callable[[], None]
    write: Callable[[ExportedProgram, Sequence[str], Path], None]
    load: Callable[[Path], Callable[[Tensor], Tensor]]


def _check_onnx() -> None:
    with extra('onnx'):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401


def _write_onnx(program: ExportedProgram, classes: Sequence[str], path: Path) -> None:
    names = dict(input_names=['images'], output_names=['logits'])
    graph = torch.onnx.export(program, (), dynamo=True, verbose=False, **names)
    graph.model.metadata_props[CLASSES] = json.dumps(list(classes))
    graph.save(path)
    if len(list(path.parent.iterdir())) > 1:  # beside it, its weights
        raise BadInput('The model is too large for a single ONNX file: export it as .pt2.')


def _load_onnx(path: Path) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    return lambda images: torch.from_numpy(session.run(None, dict(images=images.numpy()))[0])


def _write_pt2(program: ExportedProgram, classes: Sequence[str], path: Path) -> None:
    torch.export.save(program, path, extra_files={f'{CLASSES}.json': json.dumps(list(classes))})


def _load_pt2(path: Path) -> Callable[[Tensor], Tensor]:
    return torch.export.load(path).module()


#: What can be written, by the file's suffix.
KINDS = {
    '.onnx': ProgramFile(_check_onnx, _write_onnx, _load_onnx),
    '.pt2': ProgramFile(lambda: None, _write_pt2, _load_pt2),
}
