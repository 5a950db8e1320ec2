"""The archive for the evaluation server, and everything it would be refused for."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_excel.datasets.masks import write_mask
from mmseg_excel.export import VOCServerExport, check_submission
from mmseg_excel.export.voc_server import ARCHIVE, FOLDER

SHAPES = {'2008_000006': (30, 40), '2008_000011': (25, 50)}


def samples() -> list[SegDataSample]:
    made = []
    for number, (name, shape) in enumerate(SHAPES.items()):
        sample = SegDataSample(metainfo=dict(img_path=f'JPEGImages/{name}.jpg', ori_shape=shape))
        labels = (torch.arange(shape[0] * shape[1]) + number) % 21
        sample.pred_sem_seg = PixelData(data=labels.view(1, *shape))
        made.append(sample)
    return made


def export(folder: Path, **kwargs) -> dict:
    evaluator = Evaluator(VOCServerExport(str(folder), **kwargs))
    evaluator.process(samples())
    return evaluator.evaluate(len(SHAPES))


def test_archive_holds_every_prediction_where_the_server_looks(tmp_path):
    assert export(tmp_path, num_images=2) == {}
    with tarfile.open(tmp_path / ARCHIVE) as archive:
        assert archive.getnames() == [f'{FOLDER}/{name}.png' for name in SHAPES]
        archive.extractall(tmp_path / 'server', filter='data')
    for sample, name in zip(samples(), SHAPES, strict=True):
        with Image.open(tmp_path / 'server' / FOLDER / f'{name}.png') as image:
            assert image.mode == 'P' and image.getpalette()[3:6] == [128, 0, 0]
            assert np.array_equal(np.array(image), sample.pred_sem_seg.data[0])


def test_a_short_list_is_refused(tmp_path):
    with pytest.raises(ValueError, match='expects 1456 images, the list has 2'):
        export(tmp_path)
    assert not (tmp_path / ARCHIVE).exists()


def _rgb(path):
    Image.open(path).convert('RGB').save(path)


def _grey(path):
    Image.fromarray(np.zeros(SHAPES[path.stem], np.uint8)).save(path)


def _ignored(path):
    write_mask(path, np.full(SHAPES[path.stem], 255, np.uint8))


def _unknown_class(path):
    write_mask(path, np.full(SHAPES[path.stem], 21, np.uint8))


def _palette(path):
    write_mask(path, np.zeros(SHAPES[path.stem], np.uint8), [[9, 9, 9]] * 256)


@pytest.mark.parametrize(
    ('damage', 'reason'),
    [
        (_rgb, 'is a PNG of mode RGB'),
        (_grey, 'is a PNG of mode L'),
        (_ignored, 'has labels other than 0..20'),
        (_unknown_class, 'has labels other than 0..20'),
        (_palette, "has another palette than VOC's"),
        (lambda path: write_mask(path, np.zeros((2, 3), np.uint8)), 'is 3x2, its image'),
        (lambda path: path.write_bytes(path.read_bytes()[:50]), 'is not a readable PNG'),
        (lambda path: Image.new('L', (3, 3)).save(path, 'JPEG'), 'is a JPEG'),
    ],
)
def test_files_the_server_refuses_are_all_named(tmp_path, damage, reason):
    export(tmp_path, num_images=2)
    for name in SHAPES:
        damage(tmp_path / FOLDER / f'{name}.png')
    with pytest.raises(ValueError) as caught:
        check_submission(tmp_path / FOLDER, SHAPES)
    for name in SHAPES:
        assert f'{name}.png {reason}' in str(caught.value)


def test_missing_and_strange_files_are_named(tmp_path):
    export(tmp_path, num_images=2)
    (tmp_path / FOLDER / '2008_000006.png').rename(tmp_path / FOLDER / 'copy of 6.png')
    with pytest.raises(ValueError, match=r'copy of 6.png\n.*\n.*2008_000006.png'):
        check_submission(tmp_path / FOLDER, SHAPES)
    # A file left by an earlier run would be in the folder but not in the archive: say so.
    with pytest.raises(ValueError, match='predictions of no image in the list'):
        export(tmp_path, num_images=2)


def test_the_config_reads_test_images_without_masks_or_tags(tmp_path):
    init_default_scope('mmseg')
    configs = Path(__file__).parents[2] / 'configs'
    config = Config.fromfile(configs / '_base_/datasets/voc_test_server.py')
    assert config.format_only_evaluator.type is VOCServerExport
    for folder in ('JPEGImages', 'ImageSets/Segmentation'):
        (tmp_path / folder).mkdir(parents=True)
    Image.new('RGB', (50, 40)).save(tmp_path / 'JPEGImages/2008_000006.jpg')
    (tmp_path / 'ImageSets/Segmentation/test.txt').write_text('2008_000006\n')
    for pipeline in (config.test_pipeline, config.tta_pipeline):
        settings = dict(config.format_only_dataloader.dataset, pipeline=pipeline)
        sample = DATASETS.build(settings | dict(data_root=str(tmp_path)))[0]['data_samples']
        sample = sample[0] if isinstance(sample, list) else sample
        assert sample.name == '2008_000006' and sample.ori_shape == (40, 50)
        assert 'gt_sem_seg' not in sample and 'gt_tags' not in sample
