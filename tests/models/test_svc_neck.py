from functools import cache

import pytest
import torch
from mmseg.registry import MODELS

from benchmarks.literal.clip import encode_image
from mmseg_excel.models.adapter_features import features_changed_in_place
from mmseg_excel.models.affinity import last_attention
from mmseg_excel.models.svc_neck import SVCNeck
from tests.golden.model import build_golden_model, golden_config
from tests.golden.reference import tiny_clip_state
from tests.tolerance import assert_near

MODES = ('qkv', 'q-q', 'k-k', 'v-v', 'q-k')
BLOCKS = 12


@cache
def backbone(device):
    return MODELS.build(golden_config()['backbone']).to(device)


@cache
def model(device):
    return build_golden_model().to(device)


def random_images(device, height=64, width=64, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, height, width, generator=generator).to(device)


def random_relation(device, batch, patches, seed=0):
    """Rows sum to one, most entries zero, like the adapter's relation."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, patches, patches, generator=generator)
    return logits.masked_fill(logits < 0.5, -torch.inf).softmax(dim=-1).nan_to_num(0).to(device)


def literal_pass(images, **settings):
    state = {name: weight.to(images.device) for name, weight in tiny_clip_state().items()}
    return encode_image(state, images, **settings)


def calibrate(images, **settings):
    return SVCNeck(**settings)(backbone(images.device)(images))


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('num_layers', [1, 3, 5, 8, 11])
def test_calibration_agrees_with_the_literal_one(mode, num_layers, device):
    images = random_images(device, 48, 48)
    ours = calibrate(images, mode=mode, num_layers=num_layers)
    literal = literal_pass(images, mode=mode, num_calibrated=num_layers)
    assert_near(ours.tokens, literal.calibrated)
    assert_near(ours.embeddings(), literal.features)
    for features, output in zip(features_changed_in_place(ours), literal.outputs, strict=True):
        assert_near(features, output[:, 1:])
    maps = last_attention(ours.trace, 6, num_layers)
    for attention, expected in zip(maps, literal.attention[-6:], strict=True):
        assert_near(attention, expected[:, 1:, 1:])


def test_all_blocks_calibrated(device):
    images = random_images(device, 32, 32)
    ours = calibrate(images, num_layers=BLOCKS)
    literal = literal_pass(images, num_calibrated=BLOCKS)
    assert_near(ours.tokens, literal.calibrated)


def test_no_block_calibrated_is_plain_clip(device):
    images = random_images(device)
    ours = calibrate(images, num_layers=0)
    literal = literal_pass(images)
    assert_near(ours.tokens, literal.tokens)
    for features, block in zip(features_changed_in_place(ours), ours.trace.blocks, strict=True):
        assert torch.equal(features, block.output[:, 1:])


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('num_layers', [1, 3, 5])
def test_closed_form_of_the_dynamic_shift_is_a_second_pass(mode, num_layers, device):
    images, relation = random_images(device, 48, 48), random_relation(device, 2, 9)
    ours = calibrate(images, mode=mode, num_layers=num_layers).shifted_embeddings(relation)
    second_pass = literal_pass(images, mode=mode, num_calibrated=num_layers, relation=relation)
    assert_near(ours, second_pass.features)


@pytest.mark.parametrize(('height', 'width'), [(64, 96), (16, 80), (112, 48)])
def test_closed_form_on_grids_that_are_not_square(height, width, device):
    images = random_images(device, height, width)
    relation = random_relation(device, 2, height * width // 256, seed=1)
    ours = calibrate(images).shifted_embeddings(relation)
    second_pass = literal_pass(images, relation=relation)
    assert_near(ours, second_pass.features)


def test_dynamic_maps_of_the_model_are_those_of_a_second_pass(device):
    from benchmarks.literal.decoder import dynamic_relation
    from benchmarks.literal.maps import patch_text_maps

    images = random_images(device, 80, 80, batch=1)
    ours = model(device).class_activation_maps(images, dynamic=True)
    with torch.no_grad():
        fused = model(device).fuse(model(device).extract_feat(images))
    second_pass = literal_pass(images, relation=dynamic_relation(fused))
    maps = patch_text_maps(second_pass.features, model(device).text_head.class_texts, 20)
    assert_near(ours.flatten(2).transpose(1, 2), maps)


def test_no_relation_is_no_shift(device):
    calibration = calibrate(random_images(device))
    shifted = calibration.shifted_embeddings(torch.zeros(2, 16, 16, device=device))
    assert torch.equal(shifted, calibration.embeddings())


def test_images_of_a_batch_do_not_touch_each_other(device):
    images = random_images(device, batch=3)
    together = calibrate(images)
    for index in range(3):
        alone = calibrate(images[index : index + 1])
        assert_near(together.tokens[index : index + 1], alone.tokens)
        assert_near(
            last_attention(together.trace, 6, 5)[:, index],
            last_attention(alone.trace, 6, 5)[:, 0],
        )


def test_prediction_never_computes_attention_for_the_affinity(monkeypatch, device):
    made = []
    extract = model(device).extract_feat

    def watched(images, for_labels=True):
        made.append(extract(images, for_labels))
        return made[-1]

    monkeypatch.setattr(model(device), 'extract_feat', watched)
    with torch.no_grad():
        model(device).encode_decode(random_images(device))
    trace = made[0].calibration.trace
    assert all(block.attention is None for block in trace.blocks)


def test_unknown_mode_and_too_many_layers_are_refused(device):
    with pytest.raises(ValueError, match="SVCNeck.mode is 'qk', but must be one of 'qkv'"):
        SVCNeck(mode='qk')
    with pytest.raises(ValueError, match='13, but CLIP has 12 blocks'):
        calibrate(random_images(device), num_layers=13)
