"""What the original downloads of PASCAL VOC 2012 and of SBD hold, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...utils.downloads import SBD_URL, VOC_URL


@dataclass(frozen=True)
class VOCFolders:
    """Where the files of VOC 2012 and SBD are."""

    root: Path
    sbd: Path | None = None

    def list_file(self, split: str) -> Path:
        """One of the lists of images."""
        return self.root / 'ImageSets/Segmentation' / f'{split}.txt'

    def image(self, name: str) -> Path:
        """The image."""
        return self.root / 'JPEGImages' / f'{name}.jpg'

    def own_mask(self, name: str) -> Path:
        """VOC's own mask."""
        return self.root / 'SegmentationClass' / f'{name}.png'

    def augmented_mask(self, name: str) -> Path:
        """The mask to train fully supervised models on."""
        return self.root / 'SegmentationClassAug' / f'{name}.png'

    def sbd_mask(self, name: str) -> Path:
        """SBD's mask."""
        assert self.sbd is not None, 'there is no SBD'
        return self.sbd / 'cls' / f'{name}.mat'

    @property
    def tag_table(self) -> Path:
        """The tags of all images."""
        return self.root / 'ImageSets/Segmentation/tags.json'

    def require(self) -> None:
        """Raise a ``FileNotFoundError`` that says what is missing and where it comes from."""
        for name in ('JPEGImages', 'Annotations', 'SegmentationClass', 'ImageSets/Segmentation'):
            if not (self.root / name).is_dir():
                raise FileNotFoundError(
                    f'{self.root / name} does not exist; unpack {VOC_URL} and point at its '
                    'VOCdevkit/VOC2012.'
                )
        for split in ('train', 'val'):
            if not self.list_file(split).is_file():
                raise FileNotFoundError(f'{self.list_file(split)} is missing; it is in {VOC_URL}.')
        if self.sbd and not (self.sbd / 'cls').is_dir():
            raise FileNotFoundError(
                f'{self.sbd / "cls"} does not exist; unpack {SBD_URL} and point --sbd at its '
                'benchmark_RELEASE/dataset.'
            )
