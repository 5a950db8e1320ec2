"""Converting checkpoints: the golden weights as the reference saves them, and back."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_excel.inference.loading import load_weights

from ..datasets.tools import run_tool
from ..golden.family import tensor as family_tensor
from ..golden.model import golden_config
from ..golden.reference import decoder_state, golden, golden_tensor, tiny_clip_state
from ..golden.weclip_model import weclip_config, weclip_decoder_state
from ..tolerance import assert_near


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('checkpoints')
    Config(dict(model=golden_config())).dump(folder / 'golden.py')
    torch.save(reference_state(), folder / 'reference.pth')
    return folder


def reference_state() -> dict[str, torch.Tensor]:
    """All of the reference's model: trained tensors, CLIP in half precision, copies of parts."""
    clip = {name: tensor.half() for name, tensor in tiny_clip_state().items()}
    position = clip['visual.positional_embedding'].float()
    grid = position[1:].T.unflatten(1, (14, 14))[None]
    resized = F.interpolate(grid, (20, 20), mode='bilinear')[0].flatten(1).T
    clip['visual.positional_embedding'] = torch.cat([position[:1], resized])
    block = 'visual.transformer.resblocks.11.attn'
    clip[f'{block}.qkv.weight'] = clip[f'{block}.in_proj_weight']
    state = decoder_state() | {f'encoder.{name}': tensor for name, tensor in clip.items()}
    twice = 'decoder.linear_pred.weight'
    return {f'module.{name}': tensor for name, tensor in state.items()} | {twice: state[twice]}


@pytest.fixture(scope='module')
def converted(folder):
    out = folder / 'ours.pth'
    assert convert(folder, folder / 'reference.pth', '--out', out) in (0, None)
    return out


def convert(folder, *args):
    return run_tool('convert_checkpoint', folder / 'golden.py', *args)


def test_converted_weights_give_the_logits_of_the_reference(converted):
    model = MODELS.build(golden_config()).eval()
    load_weights(model, converted)  # strict: all that the model wants and nothing else
    with torch.no_grad():
        assert_near(model.lowres_logits(golden_tensor('image')), golden()['seg_logits'])
    assert model.text_head.encoded


def test_there_and_back_is_the_identity_on_every_trained_tensor(folder, converted):
    back = folder / 'back.pth'
    convert(folder, converted, '--to-reference', '--out', back)
    state = torch.load(back, weights_only=True)
    assert set(state) == {f'module.{name}' for name in decoder_state()}
    assert all(torch.equal(state[f'module.{name}'], t) for name, t in decoder_state().items())
    again = folder / 'again.pth'
    convert(folder, back, '--out', again)
    first, second = (torch.load(p, weights_only=True)['state_dict'] for p in (converted, again))
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_checkpoints_of_weclip_go_there_and_back(tmp_path):
    Config(dict(model=weclip_config())).dump(tmp_path / 'weclip.py')
    # Its CLIP has a second position embedding, resized to the last images seen.
    clip = {f'encoder.{name}': tensor.half() for name, tensor in tiny_clip_state().items()}
    clip['encoder.visual.positional_embedding_new'] = torch.zeros(769, 128)
    trained = weclip_decoder_state()
    torch.save(
        {f'module.{name}': tensor for name, tensor in (trained | clip).items()},
        tmp_path / 'published.pth',
    )
    command = ('convert_checkpoint', tmp_path / 'weclip.py')
    assert not run_tool(*command, tmp_path / 'published.pth', '--out', tmp_path / 'ours.pth')
    model = MODELS.build(weclip_config()).eval()
    load_weights(model, tmp_path / 'ours.pth')
    with torch.no_grad():
        logits = model.lowres_logits(golden_tensor('image'))
    assert_near(logits, family_tensor('weclip', 'seg_logits'))

    back = ('--to-reference', '--out', tmp_path / 'back.pth')
    assert not run_tool(*command, tmp_path / 'ours.pth', *back)
    state = torch.load(tmp_path / 'back.pth', weights_only=True)
    assert set(state) == {f'module.{name}' for name in trained}
    assert all(torch.equal(state[f'module.{name}'], tensor) for name, tensor in trained.items())


CHANGES = {
    "two different tensors 'decoder.linear_pred.weight'": lambda s: s.update(
        {'decoder.linear_pred.weight': torch.zeros(21, 256, 1, 1)}
    ),
    "'decoder.linear_pred.bias' is 81, but .* has 21": lambda s: s.update(
        {'module.decoder.linear_pred.bias': torch.zeros(81)}
    ),
    "'decoder_fts_fuse.linear_fuse.bias' is missing": lambda s: s.pop(
        'module.decoder_fts_fuse.linear_fuse.bias'
    ),
    "'decoder.extra.weight' is none of": lambda s: s.update(
        {'module.decoder.extra.weight': torch.zeros(1)}
    ),
    "'encoder.visual.proj' is not that of the CLIP": lambda s: s.update(
        {'module.encoder.visual.proj': torch.zeros(128, 64)}
    ),
}


@pytest.mark.parametrize('sentence', CHANGES)
def test_what_does_not_fit_is_refused_by_name(folder, tmp_path, capsys, sentence):
    state = reference_state()
    CHANGES[sentence](state)
    torch.save(state, tmp_path / 'bad.pth')
    assert convert(folder, tmp_path / 'bad.pth', '--out', tmp_path / 'out.pth') == 2
    assert_one_sentence(capsys, sentence)
    assert not (tmp_path / 'out.pth').exists()


class Payload:
    """What pickle would run."""

    def __reduce__(self):
        return (exec, ('raise SystemExit("executed")',))


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        (b'not a checkpoint', 'could not be read as a checkpoint'),
        (Payload(), 'could not be read as a checkpoint'),
        ({'epoch': 3}, 'holds no tensors'),
    ],
)
def test_broken_files_are_refused(folder, tmp_path, capsys, content, sentence):
    path = tmp_path / 'bad.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    assert convert(folder, path, '--out', tmp_path / 'out.pth') == 2
    assert_one_sentence(capsys, sentence)


def assert_one_sentence(capsys, sentence):
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1
    pytest.raises(ValueError, _raise, errors[0]).match(sentence)


def _raise(text):
    raise ValueError(text)
