"""Description files: sentences about each class, and where they came from.

Two formats are read: this package's, and the one of the ExCEL reference, ``{class: [texts]}``,
whose texts have a template in front already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..utils.bad_input import BadInput
from ..utils.checks import shown
from ..utils.text_file import read_json
from .vocabulary import TEMPLATE, check_names

SCHEMA_VERSION = 1
MOST_SENTENCES = 1000  # about one class; each is read by CLIP
_KEYS = {'schema_version', 'dataset', 'template', 'provenance', 'descriptions'}
PACKAGED = Path(__file__).resolve().parents[1] / 'descriptions'


@dataclass(frozen=True)
class Descriptions:
    """The sentences of one data set.

    Args:
        dataset: Name of the data set.
        provenance: Who wrote the sentences, when, how: free-form, never interpreted.
        sentences: The sentences of each class, without the template in front.
        complete: Whether they are complete texts instead, as CLIP reads them. Default: False.
    """

    dataset: str
    provenance: Mapping[str, object]
    sentences: Mapping[str, tuple[str, ...]]
    complete: bool = False

    def texts(self, name: str) -> list[str]:
        """What CLIP reads for each sentence about a class."""
        lines = self.sentences[name]
        if self.complete:
            return [line.lower() for line in lines]
        return [sentence_text(name, line) for line in lines]

    def to_json(self) -> str:
        """The file's content; the same descriptions always give the same text."""
        content = {
            'schema_version': SCHEMA_VERSION,
            'dataset': self.dataset,
            'template': TEMPLATE,
            'provenance': self.provenance,
            'descriptions': {name: list(lines) for name, lines in self.sentences.items()},
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + '\n'


def sentence_text(name: str, sentence: str) -> str:
    """What CLIP reads for one sentence about the class ``name``: the template, then the sentence.

    Example:
        >>> sentence_text('bird', 'It has feathers.')
        'a clean origami bird. it has feathers.'
    """
    return f'{TEMPLATE.format(name)} {sentence}'.lower()


def find_descriptions(source: str | Path) -> Path:
    """Path of a description file given as a path or as the bare name of a packaged one.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not isinstance(source, str | Path) or '\0' in str(source):
        raise BadInput(f'A description file is given by its name, not by {shown(source)}.')
    path = Path(source)
    packaged = PACKAGED / f'{source}.json'
    if path.name == str(source) and packaged.is_file() and not path.is_file():
        return packaged
    if str(source) and path.exists():
        return path
    names = ', '.join(sorted(file.stem for file in PACKAGED.glob('*.json'))) or 'none'
    raise FileNotFoundError(
        f'There is no description file {str(source)!r} (packaged: {names}). Provide the file, for '
        "example with tools/generate_descriptions.py, or use mode='global', which needs none."
    )


def load_descriptions(
    source: str | Path,
    classes: Sequence[str] | None = None,
    prompts: Sequence[str] = (),
) -> Descriptions:
    """Read and check a description file.

    Args:
        source: Path of the file, or the bare name of a packaged one (``'voc'``).
        classes: Classes to keep, in this order. Defaults to None: all, in the file's order.
        prompts: Other names of these classes, under which a file of the reference may have them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is malformed or lacks one of ``classes``.
    """
    path = find_descriptions(source)
    content = read_json(path, 'description file')
    described = _from_reference(path, content) or _from_own(path, content)
    if classes is None:
        return described
    check_names('classes', classes)
    sentences = described.sentences
    if described.complete:
        names = dict(zip(prompts, classes, strict=False))
        sentences = {names.get(name, name): lines for name, lines in sentences.items()} | {
            name: sentences[name] for name in classes if name in sentences
        }
    missing = [name for name in classes if name not in sentences]
    if missing:
        raise BadInput(
            f'{path} describes no {", ".join(map(repr, missing))}; it describes '
            f'{", ".join(sentences)}. Add the missing classes or give another file.'
        )
    return replace(described, sentences={name: sentences[name] for name in classes})


def _from_reference(path: Path, content: Any) -> Descriptions | None:
    """Read the reference's format; None if it is not that."""
    lists = isinstance(content, dict) and all(isinstance(v, list) for v in content.values())
    if not lists or not content:
        return None
    _check_sentences(path, content)
    sentences = {name: tuple(lines) for name, lines in content.items()}
    return Descriptions(path.stem, {}, sentences, complete=True)


def _from_own(path: Path, content: Any) -> Descriptions:
    """Read this package's format."""
    _check_content(path, content)
    sentences = {name: tuple(lines) for name, lines in content['descriptions'].items()}
    return Descriptions(content['dataset'], content['provenance'], sentences)


def _check_content(path: Path, content: Any) -> None:
    if not isinstance(content, dict):
        raise BadInput(f'{path} must hold a JSON object, not {type(content).__name__}.')
    if content.get('schema_version') != SCHEMA_VERSION:
        raise BadInput(
            f'{path} has schema_version {content.get("schema_version")!r}; '
            f'this package reads version {SCHEMA_VERSION}.'
        )
    if content.get('template') != TEMPLATE:
        raise BadInput(
            f'{path} was written for the template {content.get("template")!r}, '
            f'but classes are asked with {TEMPLATE!r}.'
        )
    for key, kind in (('dataset', str), ('provenance', dict), ('descriptions', dict)):
        if not isinstance(content.get(key), kind):
            raise BadInput(f'{path} needs a {key!r} of type {kind.__name__}.')
    if unknown := set(content) - _KEYS:
        raise BadInput(
            f'{path} has a key {shown(min(unknown))}, which nothing reads; there are '
            f'{", ".join(sorted(_KEYS))}.'
        )
    if not content['descriptions']:
        raise BadInput(f'{path} describes no class.')
    _check_sentences(path, content['descriptions'])


def _check_sentences(path: Path, sentences: dict[str, Any]) -> None:
    """Refuse what is no dict from names to lists of sentences."""
    check_names(f'{path}: descriptions', list(sentences))
    for name, lines in sentences.items():
        good = isinstance(lines, list) and lines
        if not good or not all(isinstance(line, str) and line.strip() for line in lines):
            raise BadInput(f'{path}: {name!r} needs a list of one or more non-empty sentences.')
        if len(lines) > MOST_SENTENCES:
            raise BadInput(
                f'{path}: {name!r} has {len(lines)} sentences, over {MOST_SENTENCES}: '
                'leave some out.'
            )
        if strange := [line for line in lines if not line.isprintable()]:
            raise BadInput(
                f'{path}: a sentence about {name!r} has letters that cannot be printed, such as a '
                f'line break: {shown(strange[0])}.'
            )
