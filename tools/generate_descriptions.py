"""Have a language model describe the classes of a data set.

Any OpenAI-compatible server will do. The key is read from OPENAI_API_KEY. Every finished class is
saved at once: a run that was killed goes on when the same command is given again.

Example:
    python tools/generate_descriptions.py --classes my_classes.txt --model gpt-4.1 --out my.json
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import openai
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mmseg_excel.text.chat import open_chat_client
from mmseg_excel.text.generation import (
    CONCURRENCY,
    MAX_RETRIES,
    TIMEOUT,
    DescriptionStore,
    DescriptionWriter,
    generate_descriptions,
)
from mmseg_excel.text.prompting import INSTRUCTIONS, estimate_tokens, request_messages
from mmseg_excel.text.secrets import Secrets
from mmseg_excel.text.vocabulary import get_vocabulary
from mmseg_excel.utils.arguments import Parser, number, whole_number
from mmseg_excel.utils.bad_input import BadInput

MAX_LIST_BYTES = 2**20  # of the file with the classes


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 all classes described, 1 some not, 2 nothing could be asked, 130 stopped."""
    options = parse(arguments)
    key = os.environ.get('OPENAI_API_KEY', '').strip()
    secrets = Secrets(key)
    try:
        with secrets.kept_from_logs():
            return run(options, key, secrets)
    except KeyboardInterrupt:
        complain('Stopped. The same command goes on from here.', secrets)
        return 130
    except (OSError, ValueError) as error:
        complain(f'error: {error}', secrets)
        return 2


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
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
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, key: str, secrets: Secrets) -> int:
    dataset = options.dataset or options.classes.stem
    classes = read_classes(options.classes) if options.classes else get_vocabulary(dataset).classes
    store = DescriptionStore(
        options.out or Path(f'{dataset}.json'), dataset, classes, provenance(options.model)
    )
    if options.dry_run:
        print_prompts(store)
        return 0
    failed = asyncio.run(ask(options, key, store)) if store.missing else {}
    for name, reason in failed.items():
        complain(f'{name}: {reason}', secrets)
    print(f'{store.path}: {len(classes) - len(failed)} of {len(classes)} classes described')
    return 1 if failed else 0


def read_classes(path: Path) -> list[str]:
    way_out = 'give a text file with one class name per line (--classes)'
    if not path.exists():
        raise FileNotFoundError(f'There is no file {path}: {way_out}.')
    if not path.is_file() or path.stat().st_size > MAX_LIST_BYTES:
        raise BadInput(f'{path} is no file of at most {MAX_LIST_BYTES // 2**20} MB: {way_out}.')
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise BadInput(f'{path} is not UTF-8 text: {way_out}.') from None
    return [line.strip() for line in lines if line.strip()]


def provenance(model: str) -> dict[str, str]:
    return {
        'author': 'a language model, asked by tools/generate_descriptions.py',
        'date': date.today().isoformat(),
        'model': model,
        'prompt': INSTRUCTIONS,
    }


def print_prompts(store: DescriptionStore) -> None:
    print(INSTRUCTIONS)
    for name in store.missing:
        print(request_messages(name, store.classes)[1]['content'])
    print(f'{len(store.missing)} classes, about {estimate_tokens(store.missing)} tokens')


async def ask(options: argparse.Namespace, key: str, store: DescriptionStore) -> dict[str, str]:
    client = open_client(options, key)
    writer = DescriptionWriter(client, options.model, store.classes, options.timeout)
    async with client:
        with progress_bar() as progress:
            task = progress.add_task('classes', total=len(store.missing), tokens=0)
            return await generate_descriptions(
                writer,
                store,
                options.concurrency,
                on_class=lambda _: progress.update(task, advance=1, tokens=writer.tokens),
            )


def open_client(options: argparse.Namespace, key: str) -> openai.AsyncOpenAI:
    return open_chat_client(key, options.base_url, options.timeout, MAX_RETRIES)


def progress_bar() -> Progress:
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('{task.fields[tokens]} tokens'),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def complain(message: str, secrets: Secrets) -> None:
    """One line on stderr, without keys even if the server sent them back."""
    print(secrets.hidden(' '.join(message.split())), file=sys.stderr)


if __name__ == '__main__':
    sys.exit(main())
