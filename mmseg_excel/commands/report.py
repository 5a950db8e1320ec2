"""Write one self-contained HTML page about a work dir: scores, curves, pictures, provenance."""

from __future__ import annotations

import argparse

from ..utils.atomic import check_writable, write_atomically
from ..utils.cli import bad_input_exits
from ..visualization.report_page import WorkDir, report_page


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        work_dir = WorkDir.find(args.work_dir, args.checkpoint)
        out = args.out or args.work_dir / 'report.html'
        check_writable(out)
        page = report_page(work_dir, args.images, device=args.device)
        # Names of folders need not be text.
        write_atomically(out, page.encode('utf-8', 'replace'))
        print(out)
