"""Have a language model describe the classes of a data set."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..text.chat import open_chat_client
from ..text.generation import DescriptionStore, DescriptionWriter, generate_descriptions
from ..text.prompting import INSTRUCTIONS, estimate_tokens, request_messages
from ..text.secrets import Secrets
from ..text.vocabulary import get_vocabulary
from ..utils.bad_input import BadInput

MAX_LIST_BYTES = 2**20  # of the file with the classes


def run(args: argparse.Namespace) -> int:
    """Exit codes: 0 all classes described, 1 some not, 2 nothing could be asked, 130 stopped."""
    key = os.environ.get('OPENAI_API_KEY', '').strip()
    secrets = Secrets(key)
    try:
        with secrets.kept_from_logs():
            return describe(args, key, secrets)
    except KeyboardInterrupt:
        complain('Stopped. The same command goes on from here.', secrets)
        return 130
    except (OSError, ValueError) as error:
        complain(f'error: {error}', secrets)
        return 2


def describe(args: argparse.Namespace, key: str, secrets: Secrets) -> int:
    dataset = args.dataset or args.classes.stem
    classes = read_classes(args.classes) if args.classes else get_vocabulary(dataset).classes
    store = DescriptionStore(
        args.out or Path(f'{dataset}.json'), dataset, classes, provenance(args.model)
    )
    if args.dry_run:
        print_prompts(store)
        return 0
    failed = asyncio.run(ask(args, key, store)) if store.missing else {}
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


async def ask(args: argparse.Namespace, key: str, store: DescriptionStore) -> dict[str, str]:
    client = open_chat_client(key, args.base_url, args.timeout)
    writer = DescriptionWriter(client, args.model, store.classes, args.timeout)
    async with client:
        with progress_bar() as progress:
            task = progress.add_task('classes', total=len(store.missing), tokens=0)
            return await generate_descriptions(
                writer,
                store,
                args.concurrency,
                on_class=lambda _: progress.update(task, advance=1, tokens=writer.tokens),
            )


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
