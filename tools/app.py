"""Serve a page to try ExCEL on: any words on any picture, in a browser.

Without CLIP weights it shows the toy world and its tiny CLIP.

Examples:
  python tools/app.py
  python tools/app.py --pretrained ViT-B-16.pt
  python tools/app.py configs/excel_voc.py --checkpoint work_dirs/excel_voc/iter_30000.pth
"""

from __future__ import annotations

import argparse

from mmseg_excel.app.model import load_models
from mmseg_excel.utils.arguments import Parser, device, whole_number
from mmseg_excel.utils.cli import bad_input_exits


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config',
        nargs='?',
        help='config file or the name of a packaged one (default: excel_toy; excel_voc where '
        'CLIP weights are given)',
    )
    parser.add_argument('--checkpoint', help='of a model trained with this config')
    parser.add_argument(
        '--beside',
        nargs='+',
        metavar='CONFIG[=CHECKPOINT]',
        help='further models of the method menu (default: WeCLIP and CLIP-ES on the same CLIP, if '
        'no config is named)',
    )
    parser.add_argument('--model', help="open_clip model name (default: the config's)")
    parser.add_argument(
        '--pretrained', help="CLIP's weights: open_clip tag or file (default: the config's)"
    )
    parser.add_argument(
        '--descriptions', help='description file; without a checkpoint its classes are the model’s'
    )
    parser.add_argument('--device', type=device, help='default: the GPU if there is one')
    parser.add_argument('--host', default='127.0.0.1', help='default: this machine only')
    parser.add_argument('--port', type=whole_number('[1, 65535]'), default=7860)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with bad_input_exits():
        try:
            from mmseg_excel.app.page import build_page
            from mmseg_excel.app.server import check_address, serve
        except ModuleNotFoundError as error:
            raise ImportError(
                f"The page needs {error.name}: pip install 'mmseg_excel[app]'."
            ) from None
        from mmseg_excel.app.desk import Desk

        check_address(args.host, args.port)

        inferencers = load_models(
            args.config,
            args.checkpoint,
            args.beside,
            args.model,
            args.pretrained,
            args.descriptions,
            args.device,
        )
        page = build_page(*(Desk(inferencer) for inferencer in inferencers))
        url = serve(page, args.host, args.port)
        first = inferencers[0]
        print(first.notice or f'CLIP: {first.model.backbone.model}.')
        print(f'The page is at {url} (Ctrl+C ends it).', flush=True)
    page.block_thread()


if __name__ == '__main__':
    main()
