"""The baselines are what figures, tables and recipes say they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_excel.ablation import load_table
from mmseg_excel.engine import PhaseScheduleHook
from mmseg_excel.models.excel import ExCELSettings
from mmseg_excel.visualization.cam import ablation

from .golden.model import MODEL_NAME, golden_config, tiny_clip_file
from .golden.reference import golden_tensor
from .tolerance import assert_near

CONFIGS = Path(__file__).parents[1] / 'configs'
FULL = ExCELSettings(
    calibration='qkv', num_layers=5, texts='attributes', attribute_weight=1.0, keep_ratio=0.9,
    box_threshold=0.79, par_iterations=20, dynamic=False,
)  # fmt: skip
# Column of `tools/visualize.py cam` and row of the ablation by baseline.
SAME = {
    'clip_qk': ('q-k attention', 'CLIP, q-k'),
    'maskclip': ('MaskCLIP', 'MaskCLIP'),
    'global_text': ('SVC', 'SVC'),
    'static_only': ('+ TSE', 'SVC + TSE'),
}


def config(name: str) -> Config:
    return Config.fromfile(CONFIGS / f'{name}.py')


def calibration(cfg: Config) -> tuple:
    return cfg.model.neck.mode, cfg.model.neck.num_layers, cfg.model.text_head.mode


@pytest.mark.parametrize('name', SAME)
def test_figure_table_and_recipe_agree(name):
    column, label = SAME[name]
    drawn = ablation(FULL, trained=False)[column]
    assert calibration(config(f'baselines/{name}')) == (
        drawn.calibration, drawn.num_layers, drawn.texts,
    )  # fmt: skip
    (row,) = (r for r in load_table(CONFIGS / 'ablations/fig_3.py').rows if r.label == label)
    measured = config('excel_voc')
    measured.merge_from_dict(dict(row.options))
    assert calibration(config(f'baselines/{name}')) == calibration(measured)


@pytest.mark.parametrize('name', SAME)
def test_only_what_is_named_differs_from_the_full_method(name):
    baseline, full = config(f'baselines/{name}').to_dict(), config('excel_voc').to_dict()
    if name == 'static_only':
        hook = PhaseScheduleHook(**_arguments(baseline['custom_hooks'][0]))
        assert not hook.phase_at(full['train_cfg']['max_iters'] - 1).dynamic
        baseline['custom_hooks'][0]['dynamic_from'] = 14000
    baseline['model']['neck'] = full['model']['neck']
    baseline['model']['text_head']['mode'] = 'attributes'
    assert baseline == full


def test_maps_of_maskclip_are_v_v_of_the_last_block():
    """Against the formula, on the golden CLIP."""
    cfg = config('baselines/maskclip').model
    model = MODELS.build(
        golden_config(neck__mode=cfg.neck.mode, neck__num_layers=cfg.neck.num_layers)
    ).eval()
    assert cfg.backbone.model == 'ViT-B-16-quickgelu' and model.backbone.model == MODEL_NAME
    assert tiny_clip_file()
    trace = model.backbone(golden_tensor('image')[:1, :, :64, :64])
    block = trace.blocks[-1]
    v = block.heads('v', trace.num_heads)
    attention = (v @ v.transpose(-1, -2) / v.shape[-1] ** 0.5).softmax(-1).sum(1)
    values = v.transpose(1, 2).flatten(2)
    tokens = trace.blocks[-2].output + block.out_proj(attention @ values)
    ours = model.neck(trace).tokens
    assert_near(ours[:, 1:], tokens[:, 1:])


def _arguments(hook: dict) -> dict:
    return {key: value for key, value in hook.items() if key != 'type'}
