"""CLIP is read alike from every file format, and what cannot be read is named."""

from __future__ import annotations

from dataclasses import replace

import huggingface_hub.constants
import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from safetensors.torch import save_file

from mmseg_excel.clip.towers import load_clip
from mmseg_excel.models import FrozenCLIP

from ..golden.model import MODEL_NAME, tiny_clip_file
from ..golden.reference import golden, golden_tensor, tiny_clip_state
from ..tolerance import assert_near


@pytest.fixture(scope='module')
def clip():
    return load_clip(MODEL_NAME, tiny_clip_file())


def test_text_encoder_matches_the_reference(clip):
    encoder = clip.text_encoder()
    prompts = [f'a clean origami {name}.' for name in golden()['prompt_names']]
    assert_near(encoder(prompts), golden()['text_features'])
    assert torch.equal(encoder.tokenizer(prompts), golden_tensor('prompt_tokens').to(torch.int64))


def test_padding_that_is_not_read_changes_nothing(clip):
    """Short texts and long ones, alone and together, are what the whole tower makes of them."""
    encoder, tower = clip.text_encoder(), clip.text_encoder().tower
    texts = ['cat', 'a ' * 75, 'a photo of a dog on a sofa']
    whole = F.normalize(tower(encoder.tokenizer(texts)), dim=-1)
    assert_near(encoder(texts), whole)
    for text, expected in zip(texts, whole, strict=True):
        assert_near(encoder([text])[0], expected)


def test_towers_that_look_at_everything_read_everything(clip):
    config = clip.config | dict(text_cfg=clip.config['text_cfg'] | dict(no_causal_mask=True))
    encoder = replace(clip, config=config).text_encoder()
    whole = F.normalize(encoder.tower(encoder.tokenizer(['cat'])), dim=-1)
    assert torch.equal(encoder(['cat']), whole)


@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
@pytest.mark.parametrize('kind', ['half', 'module.', 'safetensors', 'torchscript'])
def test_every_file_format_gives_the_same_clip(kind, clip, tmp_path):
    state = tiny_clip_state()
    path = tmp_path / 'clip.pt'
    if kind == 'half':
        # As OpenAI's own state dicts: fp16 tensors beside scalars about the architecture.
        extra = {'input_resolution': torch.tensor(224), 'context_length': torch.tensor(77)}
        torch.save({name: value.half() for name, value in state.items()} | extra, path)
    elif kind == 'module.':
        torch.save({'state_dict': {f'module.{k}': v for k, v in state.items()}}, path)
    elif kind == 'safetensors':
        path = tmp_path / 'clip.safetensors'
        save_file(dict(state), path)
    else:
        config = open_clip.get_model_config(MODEL_NAME)
        model = CLIP(**config)
        model.load_state_dict(state)
        example = (torch.zeros(1, 3, 224, 224), torch.zeros(1, 77, dtype=torch.int64))
        torch.jit.trace(model.eval(), example, check_trace=False).save(path)

    other = load_clip(MODEL_NAME, str(path))
    assert other.vision_identity() == clip.vision_identity()
    assert other.text_encoder().fingerprint == clip.text_encoder().fingerprint
    image = torch.rand(1, 3, 224, 224)
    assert torch.equal(other.vision_tower()(image), clip.vision_tower()(image))


def test_missing_weights_say_both_ways_out(monkeypatch):
    with pytest.raises(FileNotFoundError, match="'nowhere.pt'.*neither a file nor.*openai"):
        load_clip('ViT-B-16-quickgelu', 'nowhere.pt')
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
    monkeypatch.setattr(open_clip, 'download_pretrained', _no_network)
    with pytest.raises(FileNotFoundError, match='connect to the network.*or set `pretrained`'):
        load_clip('ViT-B-16-quickgelu', 'openai')


def _no_network(*args):
    raise ConnectionError('no route to host')


def test_unknown_model():
    with pytest.raises(ValueError, match="no model 'ViT-Q-7'.*list_models"):
        load_clip('ViT-Q-7', tiny_clip_file())


def test_files_that_hold_no_clip(tmp_path):
    noise = tmp_path / 'noise.pt'
    noise.write_bytes(b'not a checkpoint')
    with pytest.raises(ValueError, match='noise.pt.*could not be read'):
        load_clip(MODEL_NAME, str(noise))
    other = tmp_path / 'other.pt'
    torch.save({'conv.weight': torch.zeros(1)}, other)
    with pytest.raises(ValueError, match='other.pt.*no CLIP vision transformer'):
        load_clip(MODEL_NAME, str(other))


def test_a_pickle_with_code_in_it_is_not_run(tmp_path):
    path = tmp_path / 'evil.pt'
    torch.save({'visual.class_embedding': _Evil(tmp_path / 'harmed')}, path)
    with pytest.raises(ValueError, match='evil.pt.*could not be read'):
        load_clip(MODEL_NAME, str(path))
    assert not (tmp_path / 'harmed').exists()


class _Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), 'w'))


def test_weights_of_another_architecture_name_the_tensor():
    with pytest.raises(ValueError, match="do not fit CLIP model 'ViT-B-16-quickgelu'.*tensor '"):
        load_clip('ViT-B-16-quickgelu', tiny_clip_file()).vision_tower()


def test_towers_without_a_class_token_are_refused(clip):
    clip.config['vision_cfg']['pool_type'] = 'avg'
    with pytest.raises(ValueError, match='no plain ViT with a class token.*pool_type'):
        clip.vision_tower()
    del clip.config['vision_cfg']['pool_type']


def test_the_tower_is_neither_saved_nor_trained_but_moves():
    backbone = FrozenCLIP(MODEL_NAME, tiny_clip_file())
    assert not list(backbone.parameters()) and not backbone.state_dict()
    assert not backbone.train().tower.training
    backbone.to(torch.float64)
    assert backbone.tower.conv1.weight.dtype == torch.float64
