"""A segmentation data set whose images carry tags, checked before any long work starts."""

from __future__ import annotations

import os

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS, TASK_UTILS

from ..utils.images import is_cut_jpeg, why_unreadable
from ..utils.problems import Problems
from .lists import read_list, usable_names
from .metainfo import check_metainfo
from .sampler import Draw
from .tag_sources import gather_tags


@DATASETS.register_module()
class TaggedSegDataset(BaseSegDataset):
    """Images named in a list file, with image tags and, where something is evaluated, masks.

    ``METAINFO['classes']`` is ``('background', *foreground)``: masks hold 0 for background, class
    index + 1, 255 for ignored pixels; tags are foreground names. Each data info gains ``name`` (the
    line of the list), ``tags`` (in class order; none is legal) and ``foreground`` (all names).

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
        ValueError: something in the list is missing or wrong; names the first few and counts all.
    """

    def __init__(
        self, ann_file: str, *, tag_source: dict | None = None, way_out: str = '', **kwargs
    ) -> None:
        self.tag_source_cfg = tag_source
        self.way_out = way_out
        kwargs.setdefault('data_prefix', dict(img_path=''))
        check_metainfo(type(self), kwargs.get('metainfo'))
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
        return samples

    def _require_folders(self) -> None:
        for folder in filter(None, [self.data_root, *self.data_prefix.values()]):
            if not os.path.isdir(folder):
                raise FileNotFoundError(f'Data folder {folder} does not exist. {self.way_out}')

    def _read_names(self) -> list[str]:
        try:
            return read_list(self.ann_file)
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(f'{error} {self.way_out}') from None

    def _read_tags(self, names: list[str], problems: Problems) -> dict[str, list[str]]:
        if self.tag_source_cfg is None:
            return {}
        source = TASK_UTILS.build(
            self.tag_source_cfg,
            default_args=dict(root=self.data_root, classes=self.foreground),
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

    def prepare_data(self, idx: int) -> dict:
        """Run the pipeline on one image; if it fails over a broken file, say which.

        Raises:
            ValueError: the image or its mask cannot be decoded; names it and what is wrong.
        """
        if isinstance(idx, Draw):
            idx.seed_generators()
        info = self.get_data_info(idx)
        paths = [info[key] for key in ('img_path', 'seg_map_path') if key in info]
        try:
            if is_cut_jpeg(paths[0]):
                raise ValueError
            return self.pipeline(info)
        except Exception:
            for path in paths:
                reason = why_unreadable(path)
                if reason:
                    raise ValueError(
                        f'{path} {reason}; replace it or take it out of {self.ann_file}.'
                    ) from None
            raise
