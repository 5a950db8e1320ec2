"""A segmentation data set whose images carry tags, checked before any long work starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Integral

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS, TASK_UTILS

from ..utils.bad_input import BadInput
from ..utils.building import build
from ..utils.checks import check_text, shown
from ..utils.images import check_image, decode_image, read_rgb
from ..utils.problems import Problems
from .arguments import check_arguments, check_built
from .lists import read_list, usable_names
from .metainfo import check_metainfo
from .sampler import Draw
from .tag_sources import gather_tags


@DATASETS.register_module()
class TaggedSegDataset(BaseSegDataset):
    """Images named in a list file, with image tags and, where something is evaluated, masks.

    ``METAINFO['classes']`` is ``('background', *foreground)``: masks hold 0 for background, class
    index + 1, 255 for ignored pixels; tags are foreground names. Each data info gains ``name`` (the
    line of the list), ``tags`` (in their source's order; none is legal) and ``foreground`` (all of
    the names).

    Everything that can be known without decoding an image is checked when the list is loaded: the
    folders, every image, its tags, and its mask if the config asks for masks by naming a
    ``data_prefix['seg_map_path']``. Without one, masks are not even looked for.

    Args:
        ann_file: Text file with one image name per line, without suffix.
        tag_source: Config of a :class:`TagSource`; ``None`` for images without tags, which can be
            predicted but not trained on. Default: None.
        way_out: Sentence that closes every complaint about the data, e.g. which tool repairs it.
        **kwargs: Of mmseg's ``BaseSegDataset``.

    Raises:
        FileNotFoundError: a folder or the list file does not exist.
        BadInput: an argument cannot be used; something in the list is missing or wrong, of which
            the first few are named and all counted.
    """

    def __init__(
        self, ann_file: str, *, tag_source: dict | None = None, way_out: str = '', **kwargs
    ) -> None:
        name = type(self).__name__
        kwargs.setdefault('data_prefix', dict(img_path=''))
        check_arguments(name, BaseSegDataset, ann_file, kwargs)
        if tag_source is not None:
            check_built(f'{name}.tag_source', tag_source, TASK_UTILS, ('root', 'classes'))
        if not isinstance(way_out, str) or way_out:
            check_text(f'{name}.way_out', way_out)
        check_metainfo(type(self), kwargs.get('metainfo'))
        self.tag_source_cfg = tag_source
        self.way_out = way_out
        super().__init__(ann_file=ann_file, **kwargs)

    @property
    def foreground(self) -> tuple[str, ...]:
        """The n class names that tags may use."""
        return tuple(self._metainfo['classes'][1:])

    # ------------------------------------------------------------------ loading and checking

    def load_data_list(self) -> list[dict]:
        """One data info per line of the list file, all of them checked."""
        self._require_folders()
        problems = Problems()
        names = usable_names(self._read_names(), problems)
        tags = self._read_tags(names, problems)
        samples = [self._sample(name, tags.get(name), problems) for name in names]
        problems.raise_if_any(self.ann_file, self.way_out)
        if not samples:
            raise BadInput(f'{self.ann_file} names no image. {self.way_out}'.rstrip())
        self._require_indices(len(samples))
        return samples

    def _require_indices(self, size: int) -> None:
        indices = [] if self._indices is None else self._indices
        if self._indices is not None and not indices:
            raise BadInput(
                f'{type(self).__name__}.indices is {shown(indices)}, which leaves no image.'
            )
        if isinstance(indices, Integral):
            count = int(indices)
            indices = [count - 1 if count > 0 else count]
        for index in indices:
            if not -size <= index < size:
                raise BadInput(
                    f'{type(self).__name__}.indices is {shown(self._indices)}, but '
                    f'{self.ann_file} names {size} images.'
                )

    def _require_folders(self) -> None:
        for folder in filter(None, [self.data_root, *self.data_prefix.values()]):
            if not os.path.isdir(folder):
                raise FileNotFoundError(f'Data folder {folder} does not exist. {self.way_out}')

    def _read_names(self) -> list[str]:
        try:
            return read_list(self.ann_file)
        except (FileNotFoundError, BadInput) as error:
            raise type(error)(f'{error} {self.way_out}'.rstrip()) from None

    def _read_tags(self, names: list[str], problems: Problems) -> dict[str, list[str]]:
        if self.tag_source_cfg is None:
            return {}
        given = dict(root=self.data_root, classes=self.foreground)
        source = build(
            TASK_UTILS, f'{type(self).__name__}.tag_source', given | dict(self.tag_source_cfg)
        )
        return gather_tags(source, names, problems)

    def _sample(self, name: str, tags: list[str] | None, problems: Problems) -> dict:
        sample = dict(
            name=name,
            img_path=self._file('img_path', self._image_file(name), 'images missing', problems),
            label_map=self.label_map,
            reduce_zero_label=self.reduce_zero_label,
            seg_fields=[],
        )
        if 'seg_map_path' in self.data_prefix:
            mask = name + self.seg_map_suffix
            sample['seg_map_path'] = self._file('seg_map_path', mask, 'masks missing', problems)
        if tags is not None:
            sample['tags'] = tags
        return sample

    def _image_file(self, name: str) -> str:
        return name + self.img_suffix

    def _file(self, prefix: str, name: str, kind: str, problems: Problems) -> str:
        path = os.path.join(self.data_prefix[prefix], name)
        if not os.path.isfile(path):
            problems.add(kind, path)
        return path

    # ------------------------------------------------------------------ one sample

    def get_data_info(self, idx: int) -> dict:
        """The data info of one image, with the class names its tags are chosen from."""
        return dict(super().get_data_info(idx), foreground=self.foreground)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels of an image's tags, by which ``ClassBalancedDataset`` repeats rare classes."""
        tags = self.get_data_info(idx).get('tags', ())
        return [1 + self.foreground.index(tag) for tag in tags]

    def prepare_data(self, idx: int) -> dict:
        """Run the pipeline on one image; if it fails over a broken file, say which.

        Raises:
            BadInput: the image or its mask cannot be decoded; names it and what is wrong.
        """
        if isinstance(idx, Draw):
            idx.seed_generators()
        info = self.get_data_info(idx)
        self._require_files(info, check_image)
        try:
            return self.pipeline(info)
        except BadInput:
            raise
        except Exception:
            self._require_files(info, _decode)
            raise

    def _require_files(self, info: dict, check: Callable[[str], object]) -> None:
        for key in ('img_path', 'seg_map_path'):
            try:
                if key in info:
                    check(info[key])
            except (BadInput, FileNotFoundError) as error:
                reason = str(error).rstrip('.')
                raise BadInput(f'{reason}, or take it out of {self.ann_file}.') from None


def _decode(path: str) -> None:
    """Raise what is wrong with an image file, if anything, for Pillow or for OpenCV."""
    decode_image(path)
    read_rgb(path)
