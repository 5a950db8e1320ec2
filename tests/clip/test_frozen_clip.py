from functools import cache

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from benchmarks.literal.clip import encode_image, resize_position
from mmseg_excel.clip.frozen_clip import FrozenCLIP, pad_to_multiple, resize_position_embedding
from mmseg_excel.utils.bad_input import BadInput
from tests.golden.model import build_golden_model, golden_config, golden_samples
from tests.golden.reference import golden_tensor, tiny_clip_state
from tests.tolerance import assert_near


@cache
def backbone():
    return MODELS.build(golden_config()['backbone'])


def random_images(height, width, batch=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, height, width, generator=generator)


def test_plain_pass_is_the_tower_itself():
    images = random_images(224, 224, batch=1)
    trace = backbone()(images)
    ours = trace.project(trace.blocks[-1].output)[:, 0]
    with torch.no_grad():
        assert_near(ours, backbone().tower(images))


@pytest.mark.parametrize(('height', 'width'), [(32, 32), (48, 80), (240, 64), (16, 16)])
def test_every_block_on_any_grid(height, width):
    images = random_images(height, width)
    trace = backbone()(images)
    assert trace.grid == (height // 16, width // 16)
    literal = encode_image(tiny_clip_state(), images, num_calibrated=1)
    # With one calibrated block, the literal outputs before the last two are the blocks' own.
    for block, output in zip(trace.blocks[:10], literal.outputs[:10], strict=True):
        assert_near(block.output, output)
    assert_near(trace.blocks[-1].output, literal.tokens)


def test_kept_attention_changes_nothing_and_is_clips_own():
    images = random_images(48, 80)
    plain, keeping = backbone()(images), backbone()(images, attention_layers=6)
    literal = encode_image(tiny_clip_state(), images, num_calibrated=12)
    for layer, (block, other) in enumerate(zip(plain.blocks, keeping.blocks, strict=True)):
        assert_near(other.output, block.output)
        assert (other.attention is None) == (layer < 6)
    for block, summed in zip(keeping.blocks[6:], literal.attention[-6:], strict=True):
        assert_near(block.attention, summed)


@pytest.mark.parametrize(('height', 'width'), [(50, 70), (33, 48), (17, 31), (1, 1), (64, 63)])
def test_odd_sizes_are_padded_with_the_mean_colour(height, width):
    images = random_images(height, width)
    padded = torch.zeros(2, 3, -(-height // 16) * 16, -(-width // 16) * 16)
    padded[..., :height, :width] = images
    assert torch.equal(pad_to_multiple(images, 16), padded)
    ours, expected = backbone()(images), backbone()(padded)
    assert ours.grid == expected.grid
    assert torch.equal(ours.blocks[-1].output, expected.blocks[-1].output)


@pytest.mark.parametrize('grid', [(14, 14), (20, 20), (7, 30), (1, 1)])
def test_position_embedding_is_resized_from_its_own_grid(grid):
    embedding = tiny_clip_state()['visual.positional_embedding']
    resized = resize_position_embedding(embedding, (14, 14), grid)
    assert_near(resized, resize_position(embedding, *grid))


def test_a_size_seen_before_leaves_no_trace():
    images = random_images(64, 64)
    first = backbone()(images).tokens
    backbone()(random_images(96, 32))
    assert torch.equal(backbone()(images).tokens, first)


def test_nothing_of_the_tower_is_trained_saved_or_switched():
    clip = FrozenCLIP(**{k: v for k, v in golden_config()['backbone'].items() if k != 'type'})
    assert not list(clip.parameters()) and not clip.state_dict()
    clip.train()
    assert not clip.tower.training
    assert not any(parameter.requires_grad for parameter in clip.tower.parameters())
    trace = clip(random_images(32, 32).requires_grad_())
    assert not trace.blocks[-1].output.requires_grad
    clip.double()
    assert clip.tower.proj.dtype == torch.float64


def test_autocast_rounds_matrix_products_and_not_the_tokens():
    images = random_images(64, 64)
    exact = backbone()(images).blocks[-1].output
    with torch.autocast('cpu', torch.bfloat16):
        trace = backbone()(images)
    rounded = trace.blocks[-1].output
    assert trace.tokens.dtype == rounded.dtype == torch.float32
    assert trace.blocks[0].qkv.dtype == torch.bfloat16
    similarity = F.cosine_similarity(rounded, exact, dim=-1)
    assert not torch.equal(rounded, exact) and similarity.min() > 0.999


@pytest.mark.parametrize('dynamic', [False, True])
def test_losses_and_gradients_under_autocast(dynamic):
    model = build_golden_model()
    model.phase.dynamic = dynamic
    images, samples = golden_tensor('image'), golden_samples()
    gradients, losses = [], []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            losses.append(model.loss(images, samples))
        sum(losses[-1].values()).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    for name, exact in losses[0].items():
        assert losses[1][name].dtype == torch.float32
        assert losses[1][name].item() == pytest.approx(exact.item(), rel=0.02)
    assert F.cosine_similarity(*gradients, dim=0) > 0.98


def test_predictions_under_autocast():
    model, images = build_golden_model(), golden_tensor('image')
    with torch.no_grad():
        exact = model.encode_decode(images).argmax(dim=1)
        with torch.autocast('cpu', torch.bfloat16):
            rounded = model.predict(images)
    labels = torch.stack([sample.pred_sem_seg.data[0] for sample in rounded])
    assert (labels == exact).float().mean() > 0.99


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_converted_model_says_what_to_use(dtype):
    model = build_golden_model().to(dtype)
    with pytest.raises(BadInput, match=f'under torch.autocast, with dtype={dtype}'):
        model.predict(golden_tensor('image'))


def test_early_blocks_can_forget_all_but_their_output():
    images = random_images(48, 48)
    whole, lean = backbone()(images), backbone()(images, inner_layers=2)
    for block, other in zip(whole.blocks, lean.blocks, strict=True):
        assert torch.equal(block.output, other.output)
    assert [block.qkv is None for block in lean.blocks[-3:]] == [True, False, False]
    assert all(block.attended is None for block in lean.blocks[:-2])
