"""Convert checkpoints of the published reference implementation to ours, and back."""

from __future__ import annotations

import argparse

from ..export.reference_checkpoint import (
    from_reference_state,
    save_checkpoint,
    to_reference_state,
)
from ..inference.loading import build_model, load_weights
from ..models.trained_segmentor import TrainedSegmentor
from ..utils.checkpoints import naming, read_tensors
from ..utils.cli import bad_input_exits
from ..utils.config_file import read_settings


def converted(args: argparse.Namespace) -> dict:
    model = build_model(read_settings(args.config, args.cfg_options), TrainedSegmentor)
    if args.to_reference:
        load_weights(model, args.checkpoint)
        return to_reference_state(model.state_dict())
    model.encode_classes()
    reference = read_tensors(args.checkpoint)
    with naming(args.checkpoint):
        state = from_reference_state(reference, model)
    return dict(state_dict=state, meta=dict(excel=model.provenance()))


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        content = converted(args)
        save_checkpoint(args.out, content)
        print(f'{args.out}: {len(content.get("state_dict", content))} tensors')
