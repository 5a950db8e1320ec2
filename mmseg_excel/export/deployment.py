"""A trained segmentor as a file for other programs to run, checked before it is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from ..datasets.metainfo import BACKGROUND
from ..models.trained_segmentor import TrainedSegmentor
from ..ops.exporting import check_can_export
from ..utils.atomic import check_writable, naming_place
from ..utils.bad_input import BadInput
from ..utils.drafts import draft_folder
from .predictor import Predictor, record
from .program_files import KINDS

#: Logits of a file may differ from the segmentor's by so much: labels are then the same wherever
#: the best two logits differ by twice as much.
TOLERANCE = 1e-3
_BATCHES = (1, 3)


def check_target(path: str | Path) -> None:
    """Refuse what could not be written in the end.

    Raises:
        BadInput: The path cannot be written, or is of no known kind.
        ImportError: A package of the extra ``onnx`` is missing, or PyTorch is too old.
    """
    suffix = Path(path).suffix
    if suffix not in KINDS:
        raise BadInput(f"'{path}' must end in {' or '.join(KINDS)}.")
    check_writable(path)
    check_can_export()
    KINDS[suffix].check()


def export_predictor(model: TrainedSegmentor, path: str | Path) -> float:
    """Write the predictor of a segmentor: grey levels (B, 3, H, W) -> logits (B, n+1, H, W).

    Batch, height and width are any, from two patches a side. The file is run on pictures of three
    sizes, in batches of one and three, before it gets its name. The classes' names are in it, as
    JSON: in ONNX's metadata ``classes``, or .pt2's extra file ``classes.json``.

    Args:
        model: Trained, on the CPU.
        path: To write: ``.onnx`` or ``.pt2``. What is there is replaced.

    Returns:
        By how much logits differ from the segmentor's, at most.

    Raises:
        BadInput, ImportError: As :func:`check_target`.
        RuntimeError: The file is wrong, and was not kept.
    """
    path = Path(path)
    check_target(path)
    kind = KINDS[path.suffix]
    predictor = Predictor(model)
    program = record(predictor)
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming_place(path), draft_folder(path.parent, path.name) as folder:
        draft = folder / path.name
        kind.write(program, [BACKGROUND, *model.provenance()['classes']], draft)
        difference = _greatest_difference(kind.load(draft), predictor)
        os.replace(draft, path)
    return difference


@torch.no_grad()
def _greatest_difference(program: Callable[[Tensor], Tensor], predictor: Predictor) -> float:
    """Compare what a program says of pictures with what the segmentor says of them.

    Raises:
        RuntimeError: It is not the same.
    """
    differences = []
    for images in _pictures(predictor.model):
        given, wanted = program(images), predictor.model.whole_logits(predictor.normalised(images))
        differences.append(float((given - wanted).abs().max()))
        if not differences[-1] <= TOLERANCE:  # nor is NaN
            raise RuntimeError(
                f'Logits of {len(images)} pictures of {images.shape[3]} x {images.shape[2]} pixels '
                f'differ by {differences[-1]:.2g} from those of the segmentor, so no file was '
                'written: try another version of PyTorch, onnxscript or onnxruntime.'
            )
    return max(differences)


def _pictures(model: TrainedSegmentor) -> Iterator[Tensor]:
    """Pictures of CLIP's own size, of a larger and a smaller one, none of whole patches."""
    patch = model.backbone.patch_size
    height, width = (side * patch for side in model.backbone.tower.grid_size)
    random = torch.Generator().manual_seed(0)
    for size in (
        (height, width),
        (height + patch // 2, 2 * width + 1),
        (height // 2 + 3, width - 1),
    ):
        for batch in _BATCHES:
            yield torch.randint(256, (batch, 3, *size), generator=random).float()
