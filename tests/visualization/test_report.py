import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmseg_excel.command_line import run
from mmseg_excel.commands.arguments.demo import parse_args
from mmseg_excel.commands.demo import Demo
from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.evaluation.confusion import Scores
from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.inference.subject import each_subject
from mmseg_excel.visualization.run_scores import score_run
from mmseg_excel.visualization.scalars import read_scalars
from tests.datasets.voc_devkit import make_voc_devkit

VAL = {'2007_000033': ['aeroplane', 'cat'], '2007_000042': ['dog'], '2007_000061': ['cat']}


@pytest.fixture(scope='module')
def work_dir(golden_cfg, checkpoint, tmp_path_factory) -> Path:
    """What a training run leaves: config, checkpoint, pointer, scalars."""
    folder = tmp_path_factory.mktemp('work_dirs') / 'run <b>'
    voc = make_voc_devkit(folder / 'data', {'val': VAL})
    config = golden_cfg.copy()
    config.val_dataloader = dict(
        dataset=dict(
            type='VOCTagsDataset',
            data_root=str(voc),
            ann_file='ImageSets/Segmentation/val.txt',
            data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
            tag_source=dict(type='XMLTags', folder='Annotations'),
            pipeline=config.test_dataloader.dataset.pipeline,
            test_mode=True,
        )
    )
    config.dump(folder / 'golden.py')
    stored = torch.load(checkpoint, weights_only=True)
    provenance = dict(clip=dict(model='golden', sha256='ab12'), classes=['cat', '<script>'])
    torch.save(stored | dict(meta=dict(iter=400, excel=provenance)), folder / 'iter_400.pth')
    # As after a move: the pointer names a place that is gone.
    (folder / 'last_checkpoint').write_text('/elsewhere/iter_400.pth')
    records = [dict(step=s, loss=2 / s, lr=0.1, mIoU=10 * s) for s in (1, 2, 3)]
    (folder / '20260101/vis_data').mkdir(parents=True)
    lines = '\n'.join(map(json.dumps, records))
    (folder / '20260101/vis_data/scalars.json').write_text(lines)
    return folder


@pytest.fixture(scope='module')
def page(work_dir) -> str:
    run('report', [str(work_dir), '--device', 'cpu'])
    return (work_dir / 'report.html').read_text(encoding='utf-8')


class Outline(HTMLParser):
    """Which elements a page has, what they link to, whether they close."""

    VOID = {'meta', 'img', 'br', 'path', 'use'}

    def __init__(self) -> None:
        super().__init__()
        self.open, self.links, self.images = [], [], 0

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.images += tag == 'img'
        self.links += [v for k, v in attributes if k in ('src', 'href', 'xlink:href') and v]

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_alone(page):
    outline = Outline()
    outline.feed(page)
    assert not outline.open
    assert all(link.startswith(('data:image/png;base64,', '#')) for link in outline.links)
    # Three images, both worst and best: image, truth, prediction, pseudo label, a map a tag.
    assert outline.images == 2 * (3 * 4 + 4)


def test_the_page_tells_the_scores(page, work_dir):
    """Numbers equal those counted anew, class by class, from the predictions."""
    inferencer = TagInferencer(work_dir / 'golden.py', work_dir / 'iter_400.pth', 'cpu')
    counts = np.zeros((21, 22), np.int64)
    for subject in each_subject(inferencer):
        mask = np.asarray(Image.open(_mask(work_dir, subject.image.name)))
        prediction = inferencer.predict(subject.image).labels
        np.add.at(counts, (mask[mask < 255], prediction[mask < 255]), 1)
    expected = Scores.from_confusion(torch.from_numpy(counts))
    cells = re.search(r'</i>cat</th><td>([^<]*)</td><td>([^<]*)</td>', page).groups()
    assert cells[0] == f'{100 * expected.iou[8]:.1f}'
    assert f'<b>{expected.means()["mIoU"]:.1f} %</b>' in page
    assert 'paper: IoU %' in page and '<td>94.1</td>' in page


def _mask(work_dir: Path, name: str) -> Path:
    return work_dir / f'data/VOC2012/SegmentationClass/{name}.png'


def test_worst_comes_first(work_dir):
    inferencer = TagInferencer(work_dir / 'golden.py', work_dir / 'iter_400.pth', 'cpu')
    images = score_run(each_subject(inferencer)).images
    assert [score for score, _, _ in images] == sorted(score for score, _, _ in images)
    assert {name for _, _, name in images} == set(VAL)
    assert len(score_run(each_subject(inferencer, most=2)).images) == 2


def test_provenance_and_curves_are_there(page):
    assert 'clip · sha256' in page and 'ab12' in page
    assert 'Validation mIoU' in page and '<text' in page
    assert 'default_scope' in page or 'type=' in page  # the config


def test_nothing_on_the_page_is_executed(page):
    """Names are text, whatever they hold."""
    assert '<script' not in page and 'run &lt;b&gt;' in page and '&lt;script&gt;' in page
    assert "default-src 'none'" in page


def test_it_opens_in_a_browser(page, work_dir, browser):
    browser.get('about:blank')
    browser.get_log('browser')  # what earlier pages said
    for width in (1200, 390):
        browser.execute_cdp_cmd(
            'Emulation.setDeviceMetricsOverride',
            dict(width=width, height=800, deviceScaleFactor=1, mobile=width < 600),
        )
        browser.get((work_dir / 'report.html').as_uri())
        assert browser.title == 'ExCEL: run <b>'
        assert browser.execute_script('return document.documentElement.scrollWidth') <= width
        broken = 'return [...document.images].filter(i => !i.naturalWidth).length'
        assert browser.execute_script(broken) == 0
    assert browser.get_log('browser') == []


def test_missing_parts_are_named(work_dir, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        run('report', [str(tmp_path)])
    assert exit_.value.code == 2 and 'holds no config' in capsys.readouterr().err
    shutil.copy(work_dir / 'golden.py', tmp_path)
    with pytest.raises(SystemExit):
        run('report', [str(tmp_path)])
    assert 'has no last_checkpoint yet' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run('report', [str(tmp_path), str(tmp_path / 'no.pth')])
    assert 'There is no checkpoint' in capsys.readouterr().err
    assert not (tmp_path / 'report.html').exists()


def test_images_without_masks_are_not_scored(work_dir):
    config = Config.fromfile(work_dir / 'golden.py')
    config.val_dataloader.dataset.data_prefix = dict(img_path='JPEGImages')
    config.val_dataloader.dataset.pipeline = [
        step for step in config.val_dataloader.dataset.pipeline if step['type'] != 'LoadAnnotations'
    ]
    inferencer = TagInferencer(config, work_dir / 'iter_400.pth', 'cpu')
    with pytest.raises(ValueError, match='No validation image has a mask'):
        score_run(each_subject(inferencer))


class ShortDemo(Demo):
    """The demonstration's steps on a world of a few scenes, in two iterations."""

    def config(self, work_dir=None):
        cfg = super().config(work_dir)
        cfg.train_cfg.update(max_iters=2, val_interval=2, val_begin=1)
        cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
        for loader in (cfg.val_dataloader, cfg.test_dataloader):
            loader.update(num_workers=0, persistent_workers=False)
        cfg.default_hooks.logger.interval = 1
        return cfg


def test_the_demonstrations_run_is_reported(tmp_path):
    """Its test before the training, in the same process, has a folder of its own."""
    write_voc_layout(tmp_path / 'toy', num_train=4, num_val=2)
    arguments = ['--work-dir', str(tmp_path / 'demo'), '--data-root', str(tmp_path / 'toy')]
    short = ShortDemo(parse_args(arguments))
    init_default_scope('mmseg')
    short.test(model=dict(test_cfg=dict(source='cam')))
    short.train()
    scalars = read_scalars(tmp_path / 'demo')
    assert list(scalars['loss']) == [1, 2] and list(scalars['mIoU']) == [2]
    run('report', [str(tmp_path / 'demo'), '--device', 'cpu'])
    assert 'Losses' in (tmp_path / 'demo/report.html').read_text(encoding='utf-8')
