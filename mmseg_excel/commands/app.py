"""Serve a page to try ExCEL on: any words on any picture, in a browser."""

from __future__ import annotations

import argparse

from ..app.desk import Desk
from ..app.model import load_models
from ..app.page import build_page
from ..app.server import check_address, serve
from ..utils.cli import bad_input_exits


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
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
