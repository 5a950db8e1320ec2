"""Draw a toy world and write it in the layout of PASCAL VOC 2012.

Example: python tools/make_toy_world.py data/toy
"""

from __future__ import annotations

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.utils.arguments import Parser, output_folder
from mmseg_excel.utils.cli import bad_input_exits


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=output_folder, help='folder that will hold VOC2012')
    parser.add_argument('--train', type=int, default=600, help='training scenes (default: 600)')
    parser.add_argument('--val', type=int, default=100, help='validation scenes (default: 100)')
    parser.add_argument('--size', type=int, default=64, help='side in pixels (default: 64)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the world (default: 0)')
    args = parser.parse_args(argv)
    with bad_input_exits():
        folder = write_voc_layout(args.out, args.train, args.val, args.size, args.seed)
        print(f'{folder}: {args.train} training and {args.val} validation scenes')


if __name__ == '__main__':
    main()
