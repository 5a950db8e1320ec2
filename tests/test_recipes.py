"""The real recipes, run as users run them: ViT-B/16 (random weights), VOC's original layout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import mmseg
import open_clip
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from .datasets.voc_devkit import make_voc_devkit
from .golden.model import MODEL_NAME, tiny_clip_file
from .tolerance import LOSSES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TRAIN = {
    '2007_000032': ['person', 'aeroplane'],
    '2007_000039': ['tvmonitor'],
    '2008_000008': [],
    '2011_003271': ['chair', 'diningtable', 'bottle'],
}
VAL = {'2007_000033': ['aeroplane'], '2007_000042': ['train', 'person']}
MAX_ITERS = 5
# All three phases in five iterations, a checkpoint after the third.
SHORTENED = [
    'model.backbone.pretrained=clip.pt',
    'train_cfg.max_iters=5',
    'train_cfg.val_interval=5',
    'custom_hooks.0.dynamic_from=1',
    'custom_hooks.0.prediction_pairs_from=4',
    'default_hooks.checkpoint.interval=3',
    'default_hooks.logger.interval=1',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=1',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Somebody's project: VOC's download and an OpenAI-style weight file."""
    folder = tmp_path_factory.mktemp('project')
    make_voc_devkit(folder / 'data/VOCdevkit', {'train': TRAIN, 'train_aug': TRAIN, 'val': VAL})
    torch.manual_seed(0)
    model = open_clip.create_model('ViT-B-16-quickgelu')
    torch.save({k: v.half() for k, v in model.state_dict().items()}, folder / 'clip.pt')
    return folder


@pytest.fixture(scope='module')
def unbroken(folder) -> dict[int, dict]:
    run(folder, ROOT / 'tools/train.py', ROOT / 'configs/excel_voc.py', work_dir='unbroken')
    return scalars(folder / 'unbroken')


def test_all_phases_train_with_rising_learning_rate(unbroken):
    assert sorted(unbroken) == list(range(1, MAX_ITERS + 1))
    assert all(0 < entry['loss'] < 20 for entry in unbroken.values())
    rates = [unbroken[i]['lr'] for i in range(1, MAX_ITERS + 1)]
    assert rates == pytest.approx([1e-9, 2.0e-5, 4.0e-5, 6.0e-5, 8.0e-5], rel=1e-3)


def test_training_opened_no_mask_of_its_images(folder, unbroken):
    noted = json.loads((folder / 'unbroken/masks_opened.json').read_text())
    assert noted == dict(of_training_images=[], of_other_images=sorted(VAL))


def test_checkpoints_are_small_and_know_their_origin(folder, unbroken):
    path = folder / 'unbroken' / f'iter_{MAX_ITERS}.pth'
    assert path.stat().st_size < 30e6
    origin = torch.load(path, map_location='cpu', weights_only=True)['meta']['excel']
    assert origin['clip']['model'] == 'ViT-B-16-quickgelu'
    assert origin['classes'][0] == 'aeroplane'
    assert origin['versions']['torch'] == str(torch.__version__)


def test_a_killed_run_resumes_to_the_losses_of_the_unbroken_one(folder, unbroken):
    arguments = command(ROOT / 'tools/train.py', ROOT / 'configs/excel_voc.py', 'killed')
    with subprocess.Popen(
        arguments, cwd=folder, env=environment(folder), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        for line in process.stdout:
            if f'Iter(train) [4/{MAX_ITERS}]' in line:
                os.killpg(process.pid, signal.SIGKILL)
                break
    run(folder, *arguments[1:3], '--resume', work_dir='killed')
    resumed = scalars(folder / 'killed', last_run=True)
    assert sorted(resumed) == [4, 5]
    for iteration, entry in resumed.items():
        for name in ('loss', 'loss_seg', 'loss_diversity', 'lr'):
            assert entry[name] == pytest.approx(unbroken[iteration][name], rel=LOSSES), iteration


def test_multi_scale_test_of_the_checkpoint(folder, unbroken):
    output = run(
        folder, ROOT / 'tools/test.py', ROOT / 'configs/excel_voc.py',
        f'unbroken/iter_{MAX_ITERS}.pth', '--tta', work_dir='tested',
        options=[*SHORTENED, 'test_dataloader.dataset.indices=1'],
    )  # fmt: skip
    assert 'mIoU' in output


def test_the_evaluation_servers_upload(folder, unbroken):
    names = sorted(VAL)
    lists = folder / 'data/VOCdevkit/VOC2012/ImageSets/Segmentation'
    (lists / 'test.txt').write_text('\n'.join(names) + '\n')
    options = [*SHORTENED, 'format_only_evaluator.num_images=2']
    options += ['format_only_dataloader.num_workers=0']
    options += ['format_only_dataloader.persistent_workers=False']
    run(
        folder, ROOT / 'tools/test.py', ROOT / 'configs/excel_voc.py',
        f'unbroken/iter_{MAX_ITERS}.pth', '--format-only', work_dir='server', options=options,
    )  # fmt: skip
    results = folder / 'results/VOC2012/Segmentation/comp6_test_cls'
    assert sorted(path.stem for path in results.glob('*.png')) == names
    with tarfile.open(folder / 'results/comp6_test_cls.tar') as archive:
        files = [item.name for item in archive.getmembers() if item.isfile()]
    inside = 'results/VOC2012/Segmentation/comp6_test_cls'
    assert sorted(files) == [f'{inside}/{name}.png' for name in names]


def test_an_existing_code_base_trains_with_its_own_tool(folder):
    """A config that inherits ours in one line, and MMSegmentation's own tools/train.py."""
    (folder / 'mine.py').write_text(
        'from mmengine.config import read_base\n'
        'with read_base():\n'
        '    from mmseg_excel.configs.excel_voc import *\n'
        "train_dataloader.update(batch_size=1)\nmodel.text_head.update(mode='global')\n"
    )
    tool = Path(mmseg.__file__).parent / '.mim/tools/train.py'
    shorter = [option for option in SHORTENED if 'batch_size' not in option]
    shorter += ['train_cfg.max_iters=2', 'train_cfg.val_interval=9']
    run(folder, tool, 'mine.py', work_dir='theirs', options=shorter)
    assert sorted(scalars(folder / 'theirs')) == [1, 2]


def test_bad_input_is_one_sentence_and_exit_code_2(folder):
    for option, sentence in {
        'train_dataloader.dataset.data_root=nowhere': 'nowhere',
        'model.backbone.pretrained=missing.pt': "'missing.pt'.*neither a file nor",
        'model.decode_head.num_classes=20': 'set it to 21',
    }.items():
        arguments = command(
            ROOT / 'tools/train.py', ROOT / 'configs/excel_voc.py', 'bad', [*SHORTENED, option]
        )
        result = subprocess.run(
            arguments, cwd=folder, env=environment(folder), text=True, capture_output=True
        )
        assert result.returncode == 2, result.stderr[-2000:]
        error = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
        assert len(error) == 1, result.stderr[-2000:]
        pytest.raises(ValueError, _raise, error[0]).match(sentence)
        assert 'Traceback' not in result.stderr


def test_the_coco_recipe_builds_and_takes_a_step(monkeypatch, tmp_path):
    monkeypatch.setenv('MMSEG_EXCEL_CACHE', str(tmp_path))
    cfg = Config.fromfile(ROOT / 'configs/excel_coco.py')
    cfg.model.backbone.update(model=MODEL_NAME, pretrained=tiny_clip_file())
    model = MODELS.build(cfg.model)
    model.init_weights()
    assert model.text_head.settings['num_attributes'] == 224
    assert model.text_head.class_texts.shape == (80 + 23, 64)
    sample = SegDataSample()
    sample.gt_tags = LabelData(multi_hot=torch.zeros(80))
    sample.gt_tags.multi_hot[[3, 79]] = 1
    losses = model.loss(torch.randn(1, 3, 320, 320), [sample])
    sum(losses.values()).backward()
    assert model.decode_head.conv_seg.weight.grad.shape == (81, 256, 1, 1)
    assert model.decode_head.conv_seg.weight.grad.abs().sum() > 0


def _raise(text: str) -> None:
    raise ValueError(text)


def run(folder: Path, tool, *arguments, work_dir: str, options: list[str] = SHORTENED) -> str:
    """Run a tool to its end and return what it printed."""
    result = subprocess.run(
        command(tool, *arguments, work_dir, options),
        cwd=folder, env=environment(folder), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-4000:]
    return result.stdout


def command(tool, *arguments) -> list[str]:
    *arguments, work_dir, options = (
        arguments if isinstance(arguments[-1], list) else (*arguments, SHORTENED)
    )
    words = [sys.executable, tool, *arguments, '--work-dir', work_dir, '--cfg-options', *options]
    return [str(word) for word in words]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | dict(MMSEG_EXCEL_CACHE=str(folder / 'cache'), PYTHONUNBUFFERED='1')


def scalars(work_dir: Path, last_run: bool = False) -> dict[int, dict]:
    """Logged scalars by iteration."""
    runs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    lines = (runs[-1] if last_run else runs[0]).read_text().splitlines()
    return {entry['iter']: entry for entry in map(json.loads, lines) if 'loss' in entry}
