"""Write the trained predictor as a file for other programs: ONNX, or .pt2 of torch.export."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..export.deployment import check_target, export_predictor
from ..inference.loading import build_model, load_weights
from ..models.trained_segmentor import TrainedSegmentor
from ..utils.cli import bad_input_exits, bad_input_exits_while_working
from ..utils.config_file import read_settings


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        check_target(args.out)
        model = build_model(read_settings(args.config, args.cfg_options), TrainedSegmentor)
        load_weights(model, args.checkpoint)
    with bad_input_exits_while_working():
        difference = export_predictor(model, args.out)
        print(
            f'{args.out}: {Path(args.out).stat().st_size / 1e6:.1f} MB, images -> logits, which '
            f'differ by at most {difference:.1g} from those of PyTorch'
        )
