"""The predictor as a file: ONNX Runtime and torch.export say what the segmentor says."""

from __future__ import annotations

import importlib.util
import json
from inspect import signature
from pathlib import Path

import open_clip
import pytest
import torch

from mmseg_excel.export import deployment
from mmseg_excel.export.predictor import Predictor
from mmseg_excel.export.program_files import ProgramFile
from mmseg_excel.inference.loading import build_model
from mmseg_excel.ops import exporting
from mmseg_excel.utils.bad_input import BadInput
from mmseg_excel.utils.config_file import read_settings

from ..datasets.tools import run_tool

CONFIGS = Path(__file__).parents[2] / 'configs'
CLIP = dict(
    embed_dim=16,
    quick_gelu=True,
    vision_cfg=dict(image_size=32, layers=2, width=32, patch_size=8, head_width=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=16, heads=1, layers=1),
)
METHODS = {
    'excel': ('text_head.mode=global', 'neck.num_layers=1', 'neck.num_attention=2'),
    'weclip': ('static_layers=2', 'dynamic_layers=1'),
    'clip_es': ('attention_layers=2',),
}
TRAINED = ('excel', 'weclip')
SMALL = ('adapter.channels=16', 'decode_head.num_layers=1', 'decode_head.num_heads=2')

exports = pytest.mark.skipif(
    not hasattr(torch.compiler, 'is_exporting'), reason='exporting needs PyTorch 2.7'
)
has_onnx = all(map(importlib.util.find_spec, ('onnx', 'onnxruntime', 'onnxscript')))
needs_onnx = pytest.mark.skipif(not has_onnx, reason="needs the extra 'onnx'")


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A CLIP of two blocks, and a checkpoint of each method that trains."""
    folder = tmp_path_factory.mktemp('export')
    (folder / 'two-blocks.json').write_text(json.dumps(CLIP))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    torch.save(open_clip.create_model('two-blocks').state_dict(), folder / 'clip.pt')
    for method in TRAINED:
        model = build(folder, method)
        model.init_weights()
        torch.save(model.state_dict(), folder / f'{method}.pth')
    return folder


def options(folder: Path, method: str) -> list[str]:
    settings = ('backbone.model=two-blocks', f'backbone.pretrained={folder}/clip.pt')
    small = SMALL if method in TRAINED else ()
    return [f'model.{setting}' for setting in (*settings, *METHODS[method], *small)]


def build(folder: Path, method: str):
    settings = {}
    for option in options(folder, method):
        name, _, value = option.partition('=')
        settings[name] = int(value) if value.isdigit() else value
    return build_model(read_settings(CONFIGS / f'{method}_toy.py', settings))


def export(folder: Path, method: str, out: Path) -> int | None:
    return run_tool(
        'export_onnx', CONFIGS / f'{method}_toy.py', folder / f'{method}.pth', '--out', out,
        '--cfg-options', *options(folder, method),
    )  # fmt: skip


def loaded(folder: Path, method: str):
    model = build(folder, method).eval()
    model.load_state_dict(torch.load(folder / f'{method}.pth', weights_only=True))
    return model


@exports
@needs_onnx
def test_onnx_runtime_says_what_the_segmentor_says(folder, capsys):
    import onnxruntime

    out = folder / 'excel.onnx'
    assert export(folder, 'excel', out) is None
    assert f'{out}: ' in capsys.readouterr().out
    session = onnxruntime.InferenceSession(out)
    model = loaded(folder, 'excel')
    for shape in ((1, 3, 32, 32), (4, 3, 41, 30), (2, 3, 17, 64)):
        levels = torch.randint(256, shape).float()
        (logits,) = session.run(None, dict(images=levels.numpy()))
        assert_says_the_same(torch.from_numpy(logits), model, levels)
    classes = json.loads(session.get_modelmeta().custom_metadata_map['classes'])
    assert classes == ['background', *model.provenance()['classes']]
    assert [entry.name for entry in session.get_inputs()] == ['images']


@exports
def test_a_program_of_pytorch_says_what_the_segmentor_says(folder):
    out = folder / 'weclip.pt2'
    assert export(folder, 'weclip', out) is None
    extra_files = {'classes.json': ''}
    program = torch.export.load(out, extra_files=extra_files).module()
    model = loaded(folder, 'weclip')
    for shape in ((1, 3, 64, 40), (2, 3, 19, 23)):
        levels = torch.randint(256, shape).float()
        assert_says_the_same(program(levels), model, levels)
    assert len(json.loads(extra_files['classes.json'])) == model.num_classes


@torch.no_grad()
def assert_says_the_same(logits, model, levels):
    wanted = model.whole_logits(Predictor(model).normalised(levels))
    torch.testing.assert_close(logits, wanted, atol=1e-4, rtol=0)
    best, second = wanted.topk(2, dim=1).values.unbind(1)
    clear = best - second > 1e-3
    assert (logits.argmax(1) == wanted.argmax(1))[clear].all()


@exports
@pytest.mark.parametrize('error', [0.01, float('nan')])
def test_a_wrong_program_is_not_kept(folder, error, monkeypatch, tmp_path):
    wrong = ProgramFile(
        check=lambda: None,
        write=lambda program, classes, path: path.touch(),
        load=lambda path: lambda images: predictor(images) + error,
    )
    monkeypatch.setattr(deployment, 'record', lambda predictor: None)
    monkeypatch.setitem(deployment.KINDS, '.pt2', wrong)
    predictor = Predictor(loaded(folder, 'excel'))
    with pytest.raises(RuntimeError, match=rf'Logits of 1 pictures of 32 x 32 .* {error}'):
        deployment.export_predictor(predictor.model, tmp_path / 'wrong.pt2')
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_refused(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(exporting, '_CAN_EXPORT', True)  # whatever this PyTorch can
    assert export(folder, 'clip_es', tmp_path / 'out.pt2') == 2
    assert 'a model CLIPES, but this needs TrainedSegmentor' in capsys.readouterr().err
    assert export(folder, 'excel', tmp_path / 'out.pth') == 2
    assert 'must end in .onnx or .pt2' in capsys.readouterr().err
    monkeypatch.setattr(exporting, '_CAN_EXPORT', False)
    assert export(folder, 'excel', tmp_path / 'out.pt2') == 2
    assert 'exporting needs 2.7 or later' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_tracing_exporter_is_refused(folder, tmp_path):
    model, inputs = loaded(folder, 'excel'), (torch.zeros(1, 3, 32, 32),)
    older = {'dynamo': False} if 'dynamo' in signature(torch.onnx.export).parameters else {}
    with pytest.raises(BadInput, match='use mmseg-excel export-onnx'):
        torch.onnx.export(model, inputs, str(tmp_path / 'old.onnx'), **older)
