"""A training's claim to its work dir: nothing is overwritten, and nothing is mixed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process

from ..utils.bad_input import BadInput
from ..utils.checkpoints import naming, read_tensors
from ..utils.checks import check_flag
from .recipe import change, recipe_of
from .resumable import read_resumable
from .work_dir import WorkDirLock, checkpoints_in, gone_if_refused, lock_work_dir, remove_leftovers


@dataclass
class Claim:
    """A training's right to its work dir.

    Attributes:
        lock: Of the work dir, in the main process; keep it while the training lasts.
        new: Whether the work dir was made for it.
        checkpoint: Which one the training starts from; None for none.
        optimizer: What the checkpoint knows of the optimiser, if the training goes on.
        notes: What the user should know, for the log.
    """

    lock: WorkDirLock | None
    new: bool = False
    checkpoint: Path | None = None
    optimizer: dict | None = None
    notes: list[str] = field(default_factory=list)


def claim_run(
    cfg: Config, work_dir: str | Path, resume: bool = False, load_from: str | None = None
) -> Claim:
    """Take a work dir for a training, or refuse to.

    Args:
        cfg: Config; ``default_hooks.guard.allow_changes`` allows to resume by another recipe.
        work_dir: Of the run.
        resume: Whether to go on from the newest intact checkpoint, if there is any.
        load_from: Checkpoint to take the weights of, or, with `resume`, to go on from.

    Raises:
        FileNotFoundError: `load_from` does not exist.
        BadInput: Another process trains in the work dir; it holds a run and `resume` is False; no
            checkpoint is intact; the recipe has changed.
        OSError: The work dir cannot be written.
    """
    check_flag('resume', resume)
    new = not Path(work_dir).exists()
    claim = Claim(lock_work_dir(Path(work_dir)) if is_main_process() else None, new)
    with gone_if_refused(work_dir, new):
        _fill(claim, _checkpoint_folder(cfg, Path(work_dir)), resume, load_from, cfg)
    return claim


def _fill(claim: Claim, folder: Path, resume: bool, load_from: str | None, cfg: Config) -> None:
    """Choose what a claimed training starts from."""
    if claim.lock and folder.is_dir():
        remove_leftovers(folder)
    if resume:
        _choose(claim, folder, load_from, cfg)
    elif found := checkpoints_in(folder):
        raise BadInput(
            f"'{folder}' holds a training already ({found[0].name}): go on with --resume, give "
            'another --work-dir, or remove it.'
        )
    elif load_from is not None:
        read_tensors(load_from)
        claim.checkpoint = Path(load_from).expanduser().resolve()


def _checkpoint_folder(cfg: Config, work_dir: Path) -> Path:
    """Where the checkpoints of a run go."""
    out_dir = _hook(cfg, 'checkpoint').get('out_dir')
    return Path(out_dir) / work_dir.name if out_dir else work_dir


def _hook(cfg: Config, name: str) -> dict:
    """Settings of a default hook; None, which switches it off, has none."""
    return (cfg.get('default_hooks') or {}).get(name) or {}


def _choose(claim: Claim, folder: Path, load_from: str | None, cfg: Config) -> None:
    """Set the claim's checkpoint: the given one, or the newest intact one of a folder."""
    candidates = [Path(load_from).expanduser()] if load_from is not None else checkpoints_in(folder)
    problems: list[str] = []
    for path in candidates:
        try:
            checkpoint = read_resumable(path)
        except (BadInput, FileNotFoundError) as error:
            if load_from is not None:
                raise
            problems.append(str(error))
            continue
        claim.notes += [f'Not resumed from: {problem}' for problem in problems]
        claim.notes += _recipe_notes(path, checkpoint, cfg)
        claim.notes.append(f"Resumed from '{path}'.")
        claim.checkpoint, claim.optimizer = path.resolve(), checkpoint['optimizer']
        return
    if candidates:
        raise BadInput(
            f"No checkpoint in '{folder}' can be resumed: {problems[0]} To start anew, remove "
            f'what is there or give another --work-dir.'
        )
    claim.notes.append(f"'{folder}' holds no checkpoint to resume from: the training starts anew.")


def _recipe_notes(path: Path, checkpoint: dict, cfg: Config) -> list[str]:
    """Refuse another recipe than the checkpoint's, or say what has changed knowingly."""
    stored = checkpoint['meta'].get('recipe')
    if stored is None or 'model' not in cfg:
        return []
    with naming(path):
        changed = change(_parsed(stored), recipe_of(cfg, cfg.get('randomness', {}).get('seed')))
    if changed is None:
        return []
    if not _hook(cfg, 'guard').get('allow_changes'):
        raise BadInput(
            f"'{path}' is of another recipe: {changed}. Set it back, start another --work-dir, or "
            'resume knowingly with --cfg-options default_hooks.guard.allow_changes=True.'
        )
    return [f'Resumed by another recipe: {changed}.']


def _parsed(stored: Any) -> dict:
    try:
        recipe = json.loads(stored)
        if not isinstance(recipe, dict):
            raise ValueError
        return recipe
    except (ValueError, TypeError, RecursionError):
        raise BadInput(
            'The recipe in the checkpoint cannot be read: start anew from its weights with '
            'load_from, in another --work-dir.'
        ) from None
