"""Your own images: a folder, a table of tags, and masks only if something is to be evaluated."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mmseg.registry import DATASETS

from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, shown
from ..utils.images import IMAGE_SUFFIXES, without_image_suffix
from ..utils.problems import Problems
from .class_names import check_class_names
from .lists import plain_name, read_list
from .palette import voc_palette
from .tag_tables import read_tag_table
from .tagged import TaggedSegDataset

_SUFFIXES = (*IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES))


@DATASETS.register_module()
class TagListDataset(TaggedSegDataset):
    """Images below one folder and a CSV, JSON or JSONL table of their tags.

    Images stand in the table by their path below the image folder, with or without suffix. The
    mask of ``cats/one.jpg`` is ``cats/one.png`` below the mask folder.

    Args:
        ann_file: The table (see ``tag_tables``): all its images. Or a text file that names some
            of them, one per line; then ``tag_source`` names the table.
        classes: The n foreground class names that tags may use, in the order of the mask values.
        tag_source: Default: ``dict(type='TableTags', file=ann_file)``.
        masks_have_background: False if mask value 0 is the first class, not background.
            Default: True.
        **kwargs: Of :class:`TaggedSegDataset`.

    Raises:
        FileNotFoundError: a folder, the table or the list does not exist.
        BadInput: the classes are not distinct names; something in the table is missing or wrong.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        classes: Sequence[str],
        tag_source: dict | None = None,
        masks_have_background: bool = True,
        **kwargs,
    ) -> None:
        check_flag('TagListDataset.masks_have_background', masks_have_background)
        check_class_names('TagListDataset.classes', classes)
        if 'metainfo' in kwargs:
            raise BadInput(
                f'TagListDataset.metainfo is {shown(kwargs["metainfo"])}, but is made of classes: '
                'leave it out.'
            )
        self.masks_have_background = masks_have_background
        names = ('background', *classes)
        metainfo = dict(classes=names, palette=voc_palette(len(names)))
        if tag_source is None:
            tag_source = dict(type='TableTags', file=ann_file)
        super().__init__(ann_file, tag_source=tag_source, metainfo=metainfo, **kwargs)

    def _read_names(self) -> list[str]:
        if self.ann_file.lower().endswith('.txt'):
            rows = read_list(self.ann_file)
        else:
            rows = list(read_tag_table(self.ann_file))
        # Names of which the file is known: without suffix, they may be those of two files.
        self._files: dict[str, str] = {}
        for row in map(plain_name, rows):
            self._files.setdefault(without_image_suffix(row), row)
        return [without_image_suffix(row) for row in rows]

    def _image_files(self, name: str) -> list[str]:
        """The images of that name: the one that is listed, or those of any suffix."""
        folder = self.data_prefix['img_path']
        candidates = [name + suffix for suffix in _SUFFIXES]
        listed = self._files.get(name)
        if listed in candidates:
            candidates = [listed]
        return [file for file in candidates if os.path.isfile(os.path.join(folder, file))]

    def _image_file(self, name: str) -> str:
        """The usual suffix if there is no image at all."""
        return next(iter(self._image_files(name)), name + self.img_suffix)

    def _sample(self, name: str, tags: list[str] | None, problems: Problems) -> dict:
        files = self._image_files(name)
        if len(files) > 1:
            problems.add('names of several images, give the suffix', ' and '.join(files))
        sample = super()._sample(name, tags, problems)
        if not self.masks_have_background:
            sample['label_map'] = {index: index + 1 for index in range(len(self.foreground))}
        return sample
