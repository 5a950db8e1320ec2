"""Another CLIP is one change: widths, depth and patches follow from it (random weights)."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_excel.models import ExCEL
from mmseg_excel.utils.bad_input import BadInput

from .datasets.tools import run_tool
from .datasets.voc_devkit import make_voc_devkit
from .tolerance import assert_near

CONFIGS = Path(__file__).parents[1] / 'configs'
# Depth, patches and activation of the CLIPs they are named after; few channels.
TOWERS = {
    'thin-L-14': dict(layers=24, patch_size=14, quick_gelu=True, width=64, embed_dim=48),
    'thin-B-32': dict(layers=12, patch_size=32, quick_gelu=True, width=32, embed_dim=16),
    'thin-B-16-gelu': dict(layers=12, patch_size=16, quick_gelu=False, width=96, embed_dim=32),
    'thin-7-blocks': dict(layers=7, patch_size=16, quick_gelu=True, width=64, embed_dim=32),
}
IMAGES = {'2007_000032': ['person', 'aeroplane'], '2007_000039': ['tvmonitor']}


@pytest.fixture(scope='module')
def project(tmp_path_factory) -> Path:
    """VOC's download and a weight file for each tower."""
    folder = tmp_path_factory.mktemp('project')
    make_voc_devkit(folder / 'VOCdevkit', {'train_aug': IMAGES, 'val': IMAGES})
    for name, tower in TOWERS.items():
        (folder / f'{name}.json').write_text(json.dumps(clip_config(**tower)))
    open_clip.add_model_config(folder)
    for name in TOWERS:
        torch.manual_seed(0)
        state = open_clip.create_model(name).state_dict()
        torch.save({k: v.half() for k, v in state.items()}, folder / f'{name}.pt')
    return folder


@pytest.fixture(autouse=True)
def cache(monkeypatch, project):
    monkeypatch.setenv('MMSEG_EXCEL_CACHE', str(project / 'cache'))


def clip_config(embed_dim: int, quick_gelu: bool, **vision: int) -> dict:
    return dict(
        embed_dim=embed_dim,
        quick_gelu=quick_gelu,
        vision_cfg=dict(image_size=224, head_width=16, **vision),
        text_cfg=dict(context_length=77, vocab_size=49408, width=32, heads=2, layers=1),
    )


def change(project: Path, name: str) -> list[str]:
    """The one change."""
    return [f'model.backbone.model={name}', f'model.backbone.pretrained={project / name}.pt']


def train_a_step(project: Path, config: str, work_dir: Path, *options: str) -> int:
    loaders = [
        f'{split}_dataloader.{setting}'
        for split in ('train', 'test')
        for setting in (
            f'dataset.data_root={project / "VOCdevkit/VOC2012"}',
            'num_workers=0',
            'persistent_workers=False',
        )
    ]
    shorter = ['train_dataloader.batch_size=1', 'train_cfg.max_iters=1']
    shorter += ['val_dataloader=None', 'val_evaluator=None', 'val_cfg=None']
    shorter += ['model.pseudo_labeler.pixel_adaptive.iterations=1']
    return run_tool(
        *('train', CONFIGS / config, '--work-dir', work_dir, '--cfg-options'),
        *(*loaders, *shorter, 'custom_hooks.0.dynamic_from=0', *options),
    )


def built(project: Path, config: str, name: str, **changes) -> ExCEL:
    cfg = Config.fromfile(CONFIGS / config)
    cfg.model.backbone.update(model=name, pretrained=f'{project / name}.pt')
    cfg.model.update(changes)
    return MODELS.build(cfg.model)


@pytest.mark.parametrize(
    ('config', 'name'),
    [
        *(('excel_voc.py', name) for name in TOWERS),
        *(('weclip_voc.py', name) for name in ('thin-L-14', 'thin-7-blocks')),
    ],
)
def test_one_change_trains_a_dynamic_step(project, tmp_path, config, name):
    options = change(project, name)
    if (config, name) == ('weclip_voc.py', 'thin-7-blocks'):  # its settings ask for eight
        options += ['model.static_layers=7']
    assert not train_a_step(project, config, tmp_path / 'run', *options)
    state = torch.load(tmp_path / 'run/iter_1.pth', weights_only=True)['state_dict']
    tower = TOWERS[name]
    seen = tower['layers'] - (config == 'weclip_voc.py')
    assert state['adapter.layers.0.0.weight'].shape == (256, tower['width'])
    assert state['adapter.fuse.weight'].shape == (256, seen * 256, 1, 1)
    assert state['text_head.class_texts'].shape == (45, tower['embed_dim'])
    assert state['decode_head.conv_seg.weight'].shape == (21, 256, 1, 1)


def test_more_layers_than_there_are_is_one_sentence(project, tmp_path, capsys):
    assert train_a_step(
        project, 'weclip_voc.py', tmp_path / 'run', *change(project, 'thin-7-blocks')
    )
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error:')]
    assert len(errors) == 1 and 'set it to at most 7' in errors[0]
    for setting in ('num_layers', 'num_attention'):
        neck = dict(type='SVCNeck', **{setting: 8})
        with pytest.raises(BadInput, match=f'SVCNeck.{setting} is 8, but CLIP .* at most 7'):
            built(project, 'excel_voc.py', 'thin-7-blocks', neck=neck)


def test_views_of_whole_patches_are_asked_for(project):
    model = built(project, 'excel_voc.py', 'thin-L-14')
    tta = Config.fromfile(CONFIGS / 'excel_voc.py').tta_model
    with pytest.raises(BadInput, match='multiples of 14'):
        MODELS.build(dict(tta, module=model))
    MODELS.build(dict(tta, module=model, size=336, scales=(1.0, 0.75, 1.25, 1.5)))


@pytest.mark.parametrize('size', [(70, 84), (64, 75)])
def test_training_sees_the_logits_of_the_pixels(project, monkeypatch, size):
    """Images that are no whole number of patches are padded, and nothing moves by that."""
    model = built(project, 'excel_voc.py', 'thin-L-14').eval()
    model.encode_classes()
    seen = {}

    def losses(name, *inputs):
        seen[name] = inputs
        return inputs[0].sum()

    for name, room in {'seg': model.decode_head.loss_decode, 'pairs': model.loss_diversity}.items():
        monkeypatch.setattr(room, 'forward', lambda *inputs, name=name: losses(name, *inputs))
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    sample = SegDataSample()
    sample.gt_tags = LabelData(multi_hot=torch.eye(20)[14])
    with torch.no_grad():
        model.loss(images, [sample])
        expected = model.encode_decode(images)
    logits, labels = seen['seg']
    assert_near(logits, expected)
    rows, columns = (torch.arange(0, side, 14) for side in size)
    assert torch.equal(seen['pairs'][1], labels[:, rows][:, :, columns])
