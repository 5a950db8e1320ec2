"""Descriptions from a language model behind any OpenAI-compatible server.

Every finished class is saved at once, so that a run can be killed and continued.
"""

from __future__ import annotations

import asyncio
import textwrap
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..utils.atomic import check_writable, write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import check_number, check_sequence, check_whole, shown
from ..utils.extras import extra
from .chat import MAX_BYTES
from .descriptions import Descriptions, load_descriptions
from .limits import CONCURRENCY, TIMEOUT
from .prompting import (
    ANSWER_FORMAT,
    check_class_name,
    read_answer,
    read_completion,
    request_messages,
)
from .rules import NUM_SENTENCES, sift_sentences
from .secrets import Secrets
from .vocabulary import make_vocabulary

with extra('descriptions'):
    import openai

MAX_CLASSES = 1000
MAX_ASKS = 4  # per class
# Bad key, no money, wrong place, too many requests: the next class would meet the same.
HOPELESS = frozenset({*range(300, 400), 401, 402, 403, 404, 405, 407, 410, 429, 451})


class UnusableAnswerError(ValueError):
    """The model did not give the sentences of a class in the number of times it was asked."""


class ServerRefusedError(ConnectionError):
    """The server cannot be reached, or will answer for no class."""


class DescriptionStore:
    """A description file that grows class by class.

    Args:
        path: The file. If it exists, the run that wrote it is continued.
        dataset: Name of the data set.
        classes: Its foreground classes.
        provenance: What the file will say of its origin; ``'model'`` and ``'prompt'`` must be
            the same in every run.

    Raises:
        BadInput: If the classes are unusable, or if the file is malformed, is another data
            set's, describes other classes or was begun otherwise.
        OSError: If the file cannot be written; found out before anything is asked.
    """

    def __init__(
        self, path: str | Path, dataset: str, classes: Sequence[str], provenance: Mapping
    ) -> None:
        check_classes(classes)
        _check_name('name of the data set', dataset)
        if not isinstance(provenance, Mapping):
            raise BadInput(f'The provenance is {shown(provenance)}, but must be a dict.')
        check_writable(path)
        self.path = Path(path)
        self.classes = tuple(classes)
        self.descriptions = Descriptions(dataset, dict(provenance), {})
        if self.path.exists():
            begun = load_descriptions(self.path)
            self._check_same_run(begun)
            self.descriptions = begun

    @property
    def missing(self) -> list[str]:
        """Classes that are not described yet."""
        return [name for name in self.classes if name not in self.descriptions.sentences]

    def add(self, name: str, sentences: Sequence[str]) -> None:
        """Save the sentences of one class."""
        known = {**self.descriptions.sentences, name: tuple(sentences)}
        ordered = {name: known[name] for name in self.classes if name in known}
        self.descriptions = replace(self.descriptions, sentences=ordered)
        write_atomically(self.path, self.descriptions.to_json().encode())

    def _check_same_run(self, begun: Descriptions) -> None:
        wanted = self.descriptions
        strangers = [name for name in begun.sentences if name not in self.classes]
        differing = [
            key
            for key in ('model', 'prompt')
            if begun.provenance.get(key) != wanted.provenance.get(key)
        ]
        if begun.dataset != wanted.dataset:
            problem = f'is for the data set {begun.dataset!r}'
        elif strangers:
            problem = f'describes other classes, such as {strangers[0]!r}'
        elif differing:
            problem = f'was begun with another {" and ".join(differing)}'
        else:
            return
        raise BadInput(f'{self.path} {problem}: give another file to write.')


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise BadInput(f'The {what} is {shown(name)}, but must be a line of printable characters.')


def check_classes(classes: Sequence[str]) -> None:
    """Refuse lists of classes that cannot be described.

    Raises:
        BadInput: If there are none or too many, if one is named twice, or if a name is
            unusable.
    """
    if not isinstance(classes, list) or classes:
        check_sequence('classes', classes)
    if len(classes) > MAX_CLASSES:
        raise BadInput(
            f'{len(classes)} classes are too many for one file: give at most {MAX_CLASSES}.'
        )
    for name in classes:
        check_class_name(name)
    make_vocabulary(classes)


class DescriptionWriter:
    """Asks a language model for the sentences about one class after the other.

    Args:
        client: Client of the server.
        model: The server's name of the model.
        classes: All classes of the list.
        timeout: Seconds to wait for the whole answer to a question, repetitions included, however
            slowly it drips. Default: 120.

    Attributes:
        tokens: Tokens used so far, as the server counts them.
        secrets: The client's key among others; no answer that holds one is used, and no message.

    Raises:
        BadInput: If a setting is unusable.
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        model: str,
        classes: Sequence[str],
        timeout: float = 120,
    ) -> None:
        check_classes(classes)
        _check_name('name of the model (--model)', model)
        check_number('timeout', timeout, TIMEOUT)
        self.client = client
        self.timeout = timeout
        self.secrets = Secrets(str(client.api_key))
        self.model = model
        self.classes = tuple(classes)
        self.tokens = 0

    async def write(self, name: str) -> list[str]:
        """Sentences about a class that keep all rules.

        Sentences that break a rule are asked for again, with the reason.

        Raises:
            UnusableAnswerError: If some are still missing after ``MAX_ASKS`` questions, or if the
                server could not answer in time.
            ServerRefusedError: If the server cannot be asked.
        """
        written: list[str] = []
        refused: list[str] = []
        for _ in range(MAX_ASKS):
            try:
                answer = await self._ask(request_messages(name, self.classes, written, refused))
            except UnusableAnswerError:
                raise
            except ValueError as error:
                refused = [self._told(error)]
                continue
            good, refused = sift_sentences(name, answer, self.classes, written)
            written, refused = (written + good)[:NUM_SENTENCES], refused[:NUM_SENTENCES]
            if len(written) == NUM_SENTENCES:
                return written
            refused = refused or [f'there were {len(answer)} sentences, which is too few']
        raise UnusableAnswerError(
            f'{len(written)} of {NUM_SENTENCES} sentences after {MAX_ASKS} questions; '
            f'last problem: {refused[0]}'
        )

    async def _ask(self, messages: list[dict[str, str]]) -> list[str]:
        completion = read_completion(await self._body(messages))
        self.tokens += completion.tokens
        if completion.refusal:
            raise ValueError(f'the model refused: {completion.refusal}')
        sentences = read_answer(completion.content)
        if self.secrets.are_in(' '.join(sentences)):
            raise ValueError('the answer held the API key')
        return sentences

    async def _body(self, messages: list[dict[str, str]]) -> bytes:
        """The server's answer as it came.

        What the openai package raises holds the key in its request, and hostile answers make it
        raise what they like; so nothing of it gets out of here but a sentence.
        """
        ask = self.client.chat.completions.with_raw_response.create(
            model=self.model, messages=messages, response_format=ANSWER_FORMAT
        )
        problem: Exception
        try:
            body = (await asyncio.wait_for(ask, self.timeout)).content
        except (asyncio.TimeoutError, openai.APITimeoutError):
            problem = UnusableAnswerError(f'no answer within {self.timeout:g} s')
        except openai.APIStatusError as error:
            kind = ServerRefusedError if error.status_code in HOPELESS else UnusableAnswerError
            problem = kind(
                f'the server answered with status {error.status_code}: {self._told(error)}'
            )
        except openai.APIConnectionError as error:
            problem = ServerRefusedError(
                f'The server at {self.client.base_url.host} cannot be reached: '
                f'{self._told(error.__cause__ or error)}. Check --base-url and the network.'
            )
        except Exception as error:
            problem = UnusableAnswerError(
                f'what the server sent was no answer ({type(error).__name__})'
            )
        else:
            if len(body) <= MAX_BYTES:
                return body
            problem = UnusableAnswerError(f'the answer has more than {MAX_BYTES // 2**20} MB')
        raise problem

    def _told(self, error: BaseException) -> str:
        """What an error says: on one line, shortened, without keys."""
        text = self.secrets.hidden(' '.join(str(error).split()))
        return textwrap.shorten(text, 300, placeholder=' ...') or type(error).__name__


async def generate_descriptions(
    writer: DescriptionWriter,
    store: DescriptionStore,
    concurrency: int = 8,
    on_class: Callable[[str], None] = lambda name: None,
) -> dict[str, str]:
    """Describe every class that a file lacks.

    Args:
        writer: Whom to ask.
        store: The file.
        concurrency: Classes asked for at the same time. Defaults to 8.
        on_class: Called with each class that is done or given up. Defaults to nothing.

    Returns:
        The classes that could not be described, each with the reason.

    Raises:
        BadInput: If the concurrency is unusable.
        ServerRefusedError: If the server refuses or cannot be reached, after the classes under
            way were saved.
        OSError: If the file cannot be written.
    """
    check_whole('concurrency', concurrency, CONCURRENCY)
    waiting = deque(store.missing)
    failed: dict[str, str] = {}
    fatal: list[ServerRefusedError] = []

    async def work() -> None:
        while waiting:
            name = waiting.popleft()
            try:
                store.add(name, await writer.write(name))
            except UnusableAnswerError as error:
                failed[name] = str(error)
            except ServerRefusedError as error:
                waiting.clear()
                fatal.append(error)
                return
            on_class(name)

    tasks = [asyncio.create_task(work()) for _ in range(min(concurrency, len(waiting)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    if fatal:
        raise fatal[0]
    return failed
