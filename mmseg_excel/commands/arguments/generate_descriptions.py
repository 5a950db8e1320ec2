"""Have a language model describe the classes of a data set.

Any OpenAI-compatible server will do. The key is read from OPENAI_API_KEY. Every finished class is
saved at once: a run that was killed goes on when the same command is given again.

Example:
    mmseg-excel generate-descriptions --classes my_classes.txt --model gpt-4.1 --out my.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...text.limits import CONCURRENCY, TIMEOUT
from ...utils.arguments import (
    Parser,
    number,
    whole_number,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--dataset', choices=['voc', 'coco', 'toy'], help='a known data set')
    source.add_argument('--classes', type=Path, help='text file with one class name per line')
    parser.add_argument('--model', required=True, help="the server's name of the model")
    parser.add_argument('--out', type=Path, help='file to write (default: DATASET.json, here)')
    parser.add_argument('--base-url', help='address of the server (default: OpenAI)')
    parser.add_argument(
        '--concurrency', type=whole_number(CONCURRENCY), default=8, help='requests in flight'
    )
    parser.add_argument(
        '--timeout',
        type=number(TIMEOUT),
        default=120,
        help='seconds to wait for a whole answer',
    )
    parser.add_argument('--dry-run', action='store_true', help='print the prompts, ask nothing')
    return parser.parse_args(argv)
