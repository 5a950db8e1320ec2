import pytest
import torch

from benchmarks.literal.clip import encode_image
from benchmarks.literal.decoder import dynamic_relation
from benchmarks.literal.maps import patch_text_maps
from benchmarks.literal.texts import cluster_attributes, enrich_texts
from tests.golden.literal_runs import (
    assert_golden,
    class_texts,
    dynamic_encoding,
    static_encoding,
    trained_model,
)
from tests.golden.reference import golden_tensor, tiny_clip_state
from tests.tolerance import assert_near


def test_attribute_bank():
    assert_golden(cluster_attributes(golden_tensor('desc_embeddings'), 16).T, 'attr_bank')


@pytest.mark.parametrize(('keep_ratio', 'name'), [(0.9, 'text_attr'), (1.0, 'text_attr_no_topk')])
def test_enriched_texts(keep_ratio, name):
    texts, bank = golden_tensor('text_features'), golden_tensor('attr_bank').T
    assert_golden(enrich_texts(texts, bank, 20, keep_ratio=keep_ratio).T, name)


def test_small_bank_keeps_every_attribute():
    texts, bank = golden_tensor('text_features'), golden_tensor('attr_bank').T[:9]
    kept = enrich_texts(texts, bank, 20, keep_ratio=0.9)
    assert_near(kept, enrich_texts(texts, bank, 20, keep_ratio=1.0))


def test_outputs_are_what_the_adapter_sees():
    assert_golden(torch.stack(static_encoding().outputs), 'all_feats')


def test_attention_maps():
    attention = torch.stack(static_encoding().attention)
    assert_golden(attention[6:, 0], 'attn_weights_last6_img0')
    assert_golden(attention[6:, 1, ::4], 'attn_weights_last6_img1_rows4')
    assert_golden(attention.sum(dim=-1).mean(dim=(1, 2)), 'attn_weights_rowsum')


def test_static_stream():
    assert_golden(static_encoding().calibrated, 'pre_ln_post_static')
    assert_golden(static_encoding().features, 'image_features_static')


def test_dynamic_stream_by_a_second_pass():
    assert_golden(dynamic_encoding().calibrated, 'pre_ln_post_dynamic')
    assert_golden(dynamic_encoding().features, 'image_features_dynamic')


@pytest.mark.parametrize(
    ('encoding', 'name'),
    [(static_encoding, 'attr_maps_static'), (dynamic_encoding, 'attr_maps_dynamic')],
)
def test_patch_text_maps(encoding, name):
    assert_golden(patch_text_maps(encoding().features, class_texts(), 20), name)


def test_plain_clip_class_embedding():
    state = tiny_clip_state()
    tokens = encode_image(state, golden_tensor('image')[:, :, 16:240, 16:240]).tokens
    hidden = torch.nn.functional.layer_norm(
        tokens[:, 0], (128,), state['visual.ln_post.weight'], state['visual.ln_post.bias']
    )
    assert_golden(hidden @ state['visual.proj'], 'clip_cls_embed_224')


def test_mirrored_pair_shares_one_relation_mean():
    image = golden_tensor('image')[:1]
    views = torch.cat([image, image.flip(-1)])
    state = tiny_clip_state()
    with torch.no_grad():
        fused, _ = trained_model()(encode_image(state, views).outputs)
    features = encode_image(state, views, relation=dynamic_relation(fused)).features
    maps = patch_text_maps(features, class_texts(), 20).unflatten(1, (20, 20))
    highest = torch.maximum(maps[0], maps[1].flip(1)).flatten(0, 1)
    highest = highest - highest.amin(dim=0)
    assert_golden(highest[None] / (highest.amax(dim=0) + 1e-5), 'attr_maps_flip_img0')


@pytest.mark.parametrize('num_calibrated', [1, 3, 8, 12])
@pytest.mark.parametrize('mode', ['q-k', 'v-v', 'qkv'])
def test_calibration_leaves_clip_alone(mode, num_calibrated):
    """The calibrated stream reads the original one and never writes to it."""
    image = golden_tensor('image')[:1, :, :64, :64]
    default = encode_image(tiny_clip_state(), image)
    other = encode_image(tiny_clip_state(), image, mode=mode, num_calibrated=num_calibrated)
    assert_near(other.tokens, default.tokens)
    assert_near(other.outputs[11], default.outputs[11])
    assert_near(other.calibrated[:, 0], other.tokens[:, 0])
    assert not torch.allclose(other.features, default.features, atol=1e-3)
