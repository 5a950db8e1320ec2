"""Write one self-contained HTML page about a work dir: scores, curves, pictures, provenance.

Example: python tools/report.py work_dirs/excel_voc
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmseg_excel.utils.arguments import Parser, device, output_file, whole_number
from mmseg_excel.utils.atomic import check_writable, write_atomically
from mmseg_excel.utils.cli import bad_input_exits
from mmseg_excel.visualization.report_page import WorkDir, report_page


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument('work_dir', type=Path, help='folder that tools/train.py wrote')
    parser.add_argument('checkpoint', nargs='?', type=Path, help='default: the last one')
    parser.add_argument('--out', type=output_file, help='default: report.html in the work dir')
    parser.add_argument(
        '--images',
        type=whole_number('[1, inf)'),
        help='score only the first validation images',
    )
    parser.add_argument('--device', type=device, help='default: the GPU if there is one')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with bad_input_exits():
        work_dir = WorkDir.find(args.work_dir, args.checkpoint)
        out = args.out or args.work_dir / 'report.html'
        check_writable(out)
        page = report_page(work_dir, args.images, device=args.device)
        # Names of folders need not be text.
        write_atomically(out, page.encode('utf-8', 'replace'))
        print(out)


if __name__ == '__main__':
    main()
