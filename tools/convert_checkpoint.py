"""Convert checkpoints of the published reference implementation to ours, and back.

Examples:
  python tools/convert_checkpoint.py configs/excel_voc.py excel_voc_reference.pth --out voc.pth
  python tools/convert_checkpoint.py configs/excel_voc.py iter_30000.pth --to-reference --out r.pth
"""

from __future__ import annotations

import argparse

from mmseg_excel.export.reference_checkpoint import (
    from_reference_state,
    save_checkpoint,
    to_reference_state,
)
from mmseg_excel.inference.loading import build_model, load_weights
from mmseg_excel.models.trained_segmentor import TrainedSegmentor
from mmseg_excel.utils.arguments import Parser, add_config_options, output_file
from mmseg_excel.utils.checkpoints import naming, read_tensors
from mmseg_excel.utils.cli import bad_input_exits
from mmseg_excel.utils.config_file import read_settings


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the data set and CLIP it was trained on')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=output_file, required=True, help='converted checkpoint')
    parser.add_argument(
        '--to-reference', action='store_true', help='from ours to the names of the reference'
    )
    add_config_options(parser)
    return parser.parse_args(argv)


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


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with bad_input_exits():
        content = converted(args)
        save_checkpoint(args.out, content)
        print(f'{args.out}: {len(content.get("state_dict", content))} tensors')


if __name__ == '__main__':
    main()
