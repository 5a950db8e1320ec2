"""Descriptions from a language model behind any OpenAI-compatible server.

Every finished class is saved at once, so that a run can be killed and continued.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import openai

from ..utils.atomic import write_atomically
from .descriptions import Descriptions, load_descriptions
from .prompting import ANSWER_FORMAT, check_class_name, read_answer, request_messages
from .rules import NUM_SENTENCES, sift_sentences
from .vocabulary import make_vocabulary

MAX_CLASSES = 1000
MAX_ASKS = 4  # per class
MAX_RETRIES = 6  # per question: back-off and Retry-After are the openai package's


class UnusableAnswerError(Exception):
    """The model did not give the sentences of a class in the number of times it was asked."""


class DescriptionStore:
    """A description file that grows class by class.

    Args:
        path: The file. If it exists, the run that wrote it is continued.
        dataset: Name of the data set.
        classes: Its foreground classes.
        provenance: What the file will say of its origin; ``'model'`` and ``'prompt'`` must be
            the same in every run.

    Raises:
        ValueError: If the classes are unusable, or if the file is malformed, is another data
            set's, describes other classes or was begun otherwise.
    """

    def __init__(
        self, path: str | Path, dataset: str, classes: Sequence[str], provenance: Mapping
    ) -> None:
        check_classes(classes)
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
        raise ValueError(f'{self.path} {problem}: give another file to write.')


def check_classes(classes: Sequence[str]) -> None:
    """Refuse lists of classes that cannot be described.

    Raises:
        ValueError: If there are none or too many, if one is named twice, or if a name is
            unusable.
    """
    if len(classes) > MAX_CLASSES:
        raise ValueError(
            f'{len(classes)} classes are too many for one file: give at most {MAX_CLASSES}.'
        )
    for name in make_vocabulary(classes).classes:
        check_class_name(name)


class DescriptionWriter:
    """Asks a language model for the sentences about one class after the other.

    Args:
        client: Client of the server.
        model: The server's name of the model.
        classes: All classes of the list.

    Attributes:
        tokens: Tokens used so far, as the server counts them.
    """

    def __init__(self, client: openai.AsyncOpenAI, model: str, classes: Sequence[str]) -> None:
        self.client = client
        self.model = model
        self.classes = tuple(classes)
        self.tokens = 0

    async def write(self, name: str) -> list[str]:
        """Sentences about a class that keep all rules.

        Sentences that break a rule are asked for again, with the reason.

        Raises:
            UnusableAnswerError: If some are still missing after ``MAX_ASKS`` questions.
            openai.OpenAIError: If the server cannot be asked.
        """
        written: list[str] = []
        refused: list[str] = []
        for _ in range(MAX_ASKS):
            try:
                answer = await self._ask(request_messages(name, self.classes, written, refused))
            except ValueError as error:
                refused = [str(error)]
                continue
            good, refused = sift_sentences(name, answer, self.classes, written)
            written = (written + good)[:NUM_SENTENCES]
            if len(written) == NUM_SENTENCES:
                return written
            refused = refused or [f'there were {len(answer)} sentences, which is too few']
        raise UnusableAnswerError(
            f'{len(written)} of {NUM_SENTENCES} sentences after {MAX_ASKS} questions; '
            f'last problem: {refused[0]}'
        )

    async def _ask(self, messages: list[dict[str, str]]) -> list[str]:
        completion = await self.client.chat.completions.create(
            model=self.model, messages=messages, response_format=ANSWER_FORMAT
        )
        choices = getattr(completion, 'choices', None)
        if not choices:
            raise ValueError('the server gave no chat completion')
        self.tokens += completion.usage.total_tokens if completion.usage else 0
        message = choices[0].message
        if message.refusal:
            raise ValueError(f'the model refused: {message.refusal}')
        return read_answer(message.content)


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
        openai.OpenAIError: If the server refuses or cannot be reached, after the classes under
            way were saved.
    """
    waiting = deque(store.missing)
    failed: dict[str, str] = {}
    fatal: list[openai.OpenAIError] = []

    async def work() -> None:
        while waiting:
            name = waiting.popleft()
            try:
                store.add(name, await writer.write(name))
            except UnusableAnswerError as error:
                failed[name] = str(error)
            except openai.OpenAIError as error:
                if _concerns_every_class(error):
                    waiting.clear()
                    fatal.append(error)
                    return
                failed[name] = str(error)
            on_class(name)

    await asyncio.gather(*(work() for _ in range(concurrency)))
    if fatal:
        raise fatal[0]
    return failed


def _concerns_every_class(error: openai.OpenAIError) -> bool:
    """Whether the next class would meet the same failure."""
    if isinstance(error, openai.APITimeoutError):
        return False
    return isinstance(
        error,
        openai.AuthenticationError
        | openai.PermissionDeniedError
        | openai.NotFoundError
        | openai.RateLimitError
        | openai.APIConnectionError,
    )
