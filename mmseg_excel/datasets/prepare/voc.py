"""PASCAL VOC 2012, and the Berkeley boundaries set (SBD) that augments it, made ready to train."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ...text.vocabulary import VOC_CLASSES
from ...utils.bad_input import BadInput
from ...utils.checks import check_choice, check_flag, check_folder_name
from ...utils.downloads import SBD_URL
from ...utils.images import decode_image
from ...utils.parallel import check_workers, parallel_map
from ...utils.problems import Problems
from ..lists import read_list, usable_names, write_list
from ..masks import read_mask, write_mask
from ..tag_sources import XMLTags, gather_tags
from ..tag_sources.mask_tags import tags_in_mask
from ..tag_tables import write_tag_table
from .sbd import read_sbd_mask
from .voc_folders import VOCFolders

LIST_SIZES = dict(train=1464, train_aug=10582, val=1449, test=1456)
NUM_CLASSES = 1 + len(VOC_CLASSES)

Complaint = tuple[str, str]  # kind, item


def prepare_voc(
    root: str | Path,
    *,
    sbd: str | Path | None = None,
    tags: str = 'xml',
    workers: int = 1,
    any_size: bool = False,
) -> dict[str, int]:
    """Check VOC 2012 file by file, then write what the original download lacks.

    Written below ``root``: ``ImageSets/Segmentation/train_aug.txt`` and
    ``SegmentationClassAug/*.png`` if ``sbd`` is given (VOC's own masks win where both exist;
    masks already there are kept), and ``ImageSets/Segmentation/tags.json``, the tags of every
    image. Nothing is written unless everything that was read is sound.

    Args:
        root: ``VOCdevkit/VOC2012`` of the original download, or ``VOCdevkit``.
        sbd: ``benchmark_RELEASE/dataset`` of the original SBD download. Default: None, no
            augmentation; an existing ``train_aug.txt`` is checked and used.
        tags: ``'xml'``, from the annotations, or ``'mask'``, from the masks. Default: ``'xml'``,
            what training on image tags means everywhere; masks would bring in pixel knowledge.
        workers: Number of processes. Default: 1.
        any_size: Accept lists of other sizes than the original's (a subset). Default: False.

    Returns:
        Number of images by list, and under ``'masks'`` the number of masks written.

    Raises:
        FileNotFoundError: a folder or list is missing; says where it comes from.
        BadInput: an argument cannot be used; files are missing or broken, which are all named.
    """
    check_folder_name('root', root)
    if sbd is not None:
        check_folder_name('sbd', sbd)
    check_workers(workers)
    check_flag('any_size', any_size)
    check_choice('tags', tags, ('xml', 'mask'))
    folders = VOCFolders(_year_folder(Path(root)), None if sbd is None else Path(sbd))
    folders.require()
    problems = Problems()
    lists = _plan_lists(folders, problems)
    if not any_size:
        _check_sizes(lists, problems)
    if tags == 'mask' and sbd is None and 'train_aug' in lists:
        raise BadInput(f'Tags from masks need the masks of SBD: give --sbd ({SBD_URL}).')
    tagged = _unique(lists, ('train_aug', 'train', 'val'))
    _check_files(folders, lists, tagged, workers, problems)
    xml_tags = gather_tags(XMLTags(root=folders.root, classes=VOC_CLASSES), tagged, problems)
    problems.raise_report_if_any(str(folders.root))

    written = 0
    if folders.sbd:
        written = _write_masks(folders, tagged, workers)
        write_list(folders.list_file('train_aug'), lists['train_aug'])
    table = xml_tags if tags == 'xml' else _tags_from_masks(folders, tagged, workers)
    write_tag_table(folders.tag_table, table)
    return {split: len(names) for split, names in lists.items()} | dict(masks=written)


def _year_folder(root: Path) -> Path:
    return root / 'VOC2012' if (root / 'VOC2012').is_dir() else root


# ------------------------------------------------------------------------------ lists


def _plan_lists(folders: VOCFolders, problems: Problems) -> dict[str, list[str]]:
    """The lists that exist or will exist, by split."""
    lists = {
        split: usable_names(read_list(folders.list_file(split)), problems)
        for split in ('train', 'val', 'test')
        if folders.list_file(split).is_file()
    }
    if folders.sbd:
        lists['train_aug'] = _augmented(folders.sbd, lists, problems)
    elif folders.list_file('train_aug').is_file():
        names = read_list(folders.list_file('train_aug'))
        lists['train_aug'] = usable_names(names, problems)
    held_out = set(lists['val']) | set(lists.get('test', ()))
    for name in _unique(lists, ('train', 'train_aug')):
        if name in held_out:
            problems.add('images both trained on and held out', name)
    return lists


def _augmented(sbd: Path, lists: dict[str, list[str]], problems: Problems) -> list[str]:
    """VOC's train list and all of SBD, without VOC's val list."""
    names = set(lists['train'])
    for split in ('train', 'val'):
        names.update(usable_names(read_list(sbd / f'{split}.txt'), problems))
    return sorted(names.difference(lists['val']))


def _check_sizes(lists: dict[str, list[str]], problems: Problems) -> None:
    for split, names in lists.items():
        if len(names) != LIST_SIZES[split]:
            problems.add(
                'lists of the wrong size (--any-size accepts them)',
                f'{split} has {len(names)} images, VOC 2012 has {LIST_SIZES[split]}',
            )


def _unique(lists: dict[str, list[str]], splits: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for split in splits for name in lists.get(split, ())))


# ------------------------------------------------------------------------------ checks


def _check_files(
    folders: VOCFolders,
    lists: dict[str, list[str]],
    tagged: list[str],
    workers: int,
    problems: Problems,
) -> None:
    """Decode every image and every mask that is or will be used."""
    own = set(lists['train']) | set(lists['val'])
    masked = set(tagged) if folders.sbd else own
    names = list(dict.fromkeys([*tagged, *lists.get('test', ())]))
    items = [(name, name in masked, name in own) for name in names]
    check = partial(_check_image, folders)
    for complaints in parallel_map(check, items, workers=workers, title='checking files'):
        for kind, item in complaints:
            problems.add(kind, item)


def _check_image(folders: VOCFolders, item: tuple[str, bool, bool]) -> list[Complaint]:
    name, has_mask, has_own_mask = item
    path = folders.image(name)
    try:
        size = decode_image(path)
    except (BadInput, FileNotFoundError) as error:
        return [('images missing or broken', str(error))]
    try:
        masks = list(_masks(folders, name, has_own_mask)) if has_mask else []
    except (BadInput, FileNotFoundError) as error:
        return [('masks missing or broken', str(error))]
    if any(mask.shape != size for mask in masks):
        return [('masks missing or broken', f'the mask of {path} has another size than the image')]
    return []


def _masks(folders: VOCFolders, name: str, own: bool) -> Iterator[np.ndarray]:
    yield _source_mask(folders, name, own)
    if folders.sbd and folders.augmented_mask(name).exists():
        yield read_mask(folders.augmented_mask(name), NUM_CLASSES)


def _source_mask(folders: VOCFolders, name: str, own: bool = False) -> np.ndarray:
    """VOC's mask where it must be (``own``) or happens to exist, else SBD's."""
    if own or folders.own_mask(name).exists():
        return read_mask(folders.own_mask(name), NUM_CLASSES)
    return read_sbd_mask(folders.sbd_mask(name), NUM_CLASSES)


# ------------------------------------------------------------------------------ writing


def _write_masks(folders: VOCFolders, names: list[str], workers: int) -> int:
    """Fill ``SegmentationClassAug``; the number of new masks."""
    write = partial(_write_augmented, folders)
    return sum(parallel_map(write, names, workers=workers, title='writing masks'))


def _write_augmented(folders: VOCFolders, name: str) -> bool:
    if folders.augmented_mask(name).exists():
        return False
    mask = _source_mask(folders, name)
    write_mask(folders.augmented_mask(name), mask)
    return True


def _tags_from_masks(folders: VOCFolders, names: list[str], workers: int) -> dict[str, list[str]]:
    read = partial(_mask_tags, folders)
    tags = parallel_map(read, names, workers=workers, title='reading tags from masks')
    return dict(zip(names, tags, strict=True))


def _mask_tags(folders: VOCFolders, name: str) -> list[str]:
    augmented = folders.augmented_mask(name)
    path = augmented if augmented.exists() else folders.own_mask(name)
    return tags_in_mask(read_mask(path, NUM_CLASSES), VOC_CLASSES)
