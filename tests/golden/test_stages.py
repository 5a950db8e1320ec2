"""Every stage of the method against the reference implementation's numbers, fp32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmseg_excel.models.affinity import refine_maps, transition_matrix
from mmseg_excel.models.lvc_adapter import dynamic_relation, predicted_affinity
from mmseg_excel.models.pseudo_label import score_stack
from mmseg_excel.models.trained_segmentor import Phase
from mmseg_excel.ops.boxes import confident_boxes
from mmseg_excel.ops.pixel_adaptive import PixelAdaptiveRefinement

from ..tolerance import FEATURES, GRADIENTS, LOSSES, assert_same_labels
from .model import build_golden_model, golden_samples, golden_tags, max_error
from .reference import FLAT_MAPS, full_resolution_logits, golden, golden_tensor

PHASES = {
    'static': Phase(),
    'dynamic': Phase(dynamic=True),
    'late': Phase(dynamic=True, pairs_from_prediction=True),
}


@pytest.fixture(scope='module')
def model(device):
    return build_golden_model().to(device)


@pytest.fixture(scope='module')
def images(device):
    return golden_tensor('image').to(device)


@pytest.fixture(scope='module')
def reading(model, images):
    return model.extract_feat(images)


@pytest.fixture(scope='module')
def calibration(reading):
    return reading.calibration


@pytest.fixture(scope='module')
def attention(model, reading):
    return model.attention(reading, dynamic=False)


@pytest.fixture(scope='module')
def fused(model, reading):
    with torch.no_grad():
        return model.fuse(reading)


@pytest.fixture(scope='module')
def relation(model, fused):
    return model.adapter.relation_logits(fused, over_batch=True)


def test_class_embedding_of_a_plain_pass(model, images):
    crop = images[:, :, 16:240, 16:240]
    trace = model.backbone(crop)
    assert (
        max_error(trace.project(trace.blocks[-1].output)[:, 0], golden()['clip_cls_embed_224'])
        < FEATURES
    )


def test_features_as_the_adapter_sees_them(reading):
    for layer, features in enumerate(reading.features):
        assert max_error(features, golden()['all_feats'][layer, :, 1:]) < FEATURES, layer


def test_attention_of_the_last_six_layers(attention):
    assert max_error(attention[:, 0], golden()['attn_weights_last6_img0'][:, 1:, 1:]) < FEATURES
    rows = golden()['attn_weights_last6_img1_rows4'][:, :, 1:]
    assert max_error(attention[:, 1, 3::4], rows[:, 1:]) < FEATURES


def test_static_calibration(calibration):
    assert max_error(calibration.tokens, golden()['pre_ln_post_static']) < FEATURES
    assert max_error(calibration.embeddings(), golden()['image_features_static']) < FEATURES


def test_dynamic_calibration_in_closed_form(calibration, relation):
    embeddings = calibration.shifted_embeddings(dynamic_relation(relation))
    assert max_error(embeddings, golden()['image_features_dynamic']) < FEATURES


@pytest.mark.parametrize('phase', ['static', 'dynamic'])
def test_maps(model, reading, relation, phase, device):
    maps = model.maps(reading, golden_tags(device), relation if phase == 'dynamic' else None)
    assert max_error(maps.flatten(2).transpose(1, 2), golden()[f'attr_maps_{phase}']) < FEATURES


def test_static_maps_through_the_public_verb(model, images):
    maps = model.class_activation_maps(images)
    assert max_error(maps.flatten(2).transpose(1, 2), golden()['attr_maps_static']) < FEATURES


def test_adapter_and_decoder(model, fused, relation):
    assert max_error(fused, golden()['fts']) < FEATURES
    assert max_error(model.decode_head(fused), golden()['seg_logits']) < FEATURES
    assert max_error(predicted_affinity(relation), golden()['attn_pred']) < FEATURES


def test_images_for_refinement(model, images):
    levels = (model.images01(images).cpu() * 255).round().to(torch.uint8)
    assert torch.equal(levels, golden_tensor('image_denorm_u8'))


@pytest.mark.parametrize('phase', ['static', 'dynamic'])
def test_affinity_refinement(attention, phase, device):
    affinity = golden_tensor('attn_pred').to(device) if phase == 'dynamic' else None
    transition = transition_matrix(attention, affinity)
    classes = golden_tags(device).classes
    maps = golden_tensor(f'attr_maps_{phase}').to(device)
    maps = maps.transpose(1, 2).unflatten(2, (20, 20))
    tagged = maps.gather(1, classes[:, :, None, None].expand(-1, -1, 20, 20))
    refined = refine_maps(tagged, transition, threshold=0.79)
    stack = score_stack(refined, (320, 320))
    for image in range(2):
        name = f'{phase}_img{image}'
        count = len(golden()[f'{name}_classes'])
        assert classes[image, :count].tolist() == golden()[f'{name}_classes'].tolist()
        assert max_error(transition[image], golden()[f'{name}_trans_mat']) < FEATURES
        assert max_error(refined[image, :count], golden()[f'{name}_refined_cams']) < FEATURES
        if image == 1 and phase == 'static':
            assert max_error(stack[image], golden()[f'{name}_cam_stack']) < FEATURES


@pytest.mark.parametrize('phase', ['static', 'dynamic'])
def test_boxes(phase, device):
    for image in range(2):
        name = f'{phase}_img{image}'
        classes = golden()[f'{name}_classes']
        maps = golden_tensor(f'attr_maps_{phase}')[image].T[classes].unflatten(1, (20, 20))
        boxes = confident_boxes(maps.to(device), 0.79).cpu()
        assert torch.equal(boxes, _box_masks(golden()[f'{name}_boxes'], maps.shape))


def test_pixel_adaptive_refinement(device):
    refine = PixelAdaptiveRefinement().to(device)
    images = golden_tensor('image_denorm_u8')[:1].to(device) / 255
    scores = refine(images, golden_tensor('static_img0_cam_stack')[None].to(device))
    assert max_error(scores[0], golden()['static_img0_par_soft']) < FEATURES


@pytest.mark.parametrize('phase', ['static', 'dynamic'])
def test_pseudo_labels_pixel_for_pixel(model, images, reading, relation, phase):
    logits = relation if phase == 'dynamic' else None
    tags = golden_tags(images.device)
    maps = model.maps(reading, tags, logits)
    labels = model.label(maps, reading, images, tags, logits).labels.cpu()
    for image in range(2):
        assert np.array_equal(labels[image].numpy(), golden()[f'{phase}_img{image}_pseudo'])


@pytest.mark.parametrize('phase', list(PHASES))
def test_losses_and_gradients(model, images, phase):
    model.phase = PHASES[phase]
    losses = model.loss(images, golden_samples())
    segmentation, diversity, total = golden()[f'{phase}_losses'][:3]
    assert losses['loss_seg'].item() == pytest.approx(segmentation, abs=LOSSES)
    assert losses['loss_diversity'].item() == pytest.approx(0.1 * diversity, abs=LOSSES)

    model.zero_grad()
    sum(losses.values()).backward()
    assert sum(losses.values()).item() == pytest.approx(total, abs=LOSSES)
    ours = _reference_gradients(model)
    for name, norm in zip(
        golden()['grad_param_names'], golden()[f'{phase}_grad_norms'], strict=True
    ):
        assert ours[str(name)].norm().item() == pytest.approx(norm, rel=GRADIENTS, abs=1e-7), name
    for key in (k for k in golden() if k.startswith(f'{phase}_grad::')):
        reference = golden()[key]
        scale = np.abs(reference).max()
        assert max_error(ours[key.split('::')[1]], reference) < GRADIENTS * scale, key


def test_pairs_of_the_diversity_loss(device):
    loss = MODELS.build(dict(type='DiversityLoss'))
    for phase in PHASES:
        labels = golden()[f'{phase}_aff_label']
        source = (
            golden()['seg_pred_fullres']
            if phase == 'late'
            else np.stack([golden()[f'{phase}_img{i}_pseudo'] for i in range(2)])
        )
        at_patches = torch.from_numpy(source[:, ::16, ::16].astype(np.int64))
        positive, negative = (pairs.cpu() for pairs in loss.pairs(at_patches.to(device)))
        assert np.array_equal(positive.numpy(), labels == 1)
        assert np.array_equal(negative.numpy(), labels == 0)
        assert positive.sum() + 1 == golden()[f'{phase}_losses'][3]
        assert negative.sum() + 1 == golden()[f'{phase}_losses'][4]


@pytest.mark.parametrize('scale', [320, 224, 384, 480])
def test_logits_of_every_scale(model, scale, device):
    photograph = golden_tensor('infer_image').to(device)
    image = F.interpolate(photograph, size=(scale, scale), mode='bilinear', align_corners=False)
    with torch.no_grad():
        logits = model.lowres_logits(torch.cat([image, image.flip(-1)]))
    assert max_error(logits, golden()[f'infer_lowres_logits_{scale}']) < FEATURES


def test_prediction_at_full_resolution(model, images):
    with torch.no_grad():
        prediction = model.encode_decode(images).argmax(dim=1)
    expected = golden_tensor('seg_pred_fullres')
    assert_same_labels(prediction, expected, full_resolution_logits(), dim=1)


@pytest.mark.parametrize('kind', ['none', 'seg'])
def test_edge_cases_of_refinement(kind, device):
    attention = golden_tensor('unit_attn')[-6:, None, 1:, 1:].to(device)
    affinity = golden_tensor('unit_seg_attn').to(device) if kind == 'seg' else None
    transition = transition_matrix(attention, affinity)
    maps = golden_tensor('unit_attr_map').T.reshape(1, 5, 8, 8).to(device)
    refined = refine_maps(maps, transition, threshold=0.79)
    stack = score_stack(refined, (128, 128))
    image = golden_tensor('unit_image01')[None].to(device)
    [scores] = PixelAdaptiveRefinement().to(device)(image, stack)
    assert max_error(transition[0], golden()[f'unit_{kind}_trans_mat']) < FEATURES
    assert max_error(refined[0], golden()[f'unit_{kind}_refined']) < FEATURES
    labels, expected = scores.argmax(dim=0), golden_tensor(f'unit_{kind}_pseudo')
    assert_same_labels(labels, expected, scores, bound=FLAT_MAPS, undecided=1e-3)
    if kind == 'seg':
        assert max_error(stack[0], golden()['unit_seg_cam_stack']) < FEATURES


def test_edge_cases_of_boxes(device):
    maps = golden_tensor('unit_attr_map').T.reshape(5, 8, 8)
    boxes = confident_boxes(maps.to(device), 0.79).cpu()
    assert torch.equal(boxes, _box_masks(golden()['unit_boxes'], maps.shape))


def test_edge_cases_of_losses(device):
    segmentation, no_background, diversity = golden()['unit_losses']
    logits, label = (golden_tensor(f'unit_loss_{n}').to(device) for n in ('logits', 'label'))
    loss = MODELS.build(dict(type='BalancedCrossEntropyLoss'))
    assert loss(logits, label).item() == pytest.approx(segmentation, abs=LOSSES)
    label[label == 0] = 255
    assert loss(logits, label).item() == pytest.approx(no_background, abs=LOSSES)


def test_edge_cases_of_the_diversity_loss(device):
    loss = MODELS.build(dict(type='DiversityLoss', radius=1, loss_weight=1.0))
    near = loss._near((2, 3), device).cpu().numpy()
    assert np.array_equal(near, golden()['unit_radius_mask_2x3_r1'] > 0)
    labels = golden()['unit_aff_label']
    unmasked = golden()['unit_aff_label_nomask']
    patches = torch.from_numpy(_labels_from_pairs(unmasked)).unflatten(1, (2, 3)).to(device)
    positive, negative = (pairs.cpu() for pairs in loss.pairs(patches))
    assert np.array_equal(positive.numpy(), labels == 1)
    assert np.array_equal(negative.numpy(), labels == 0)
    affinity = golden_tensor('unit_aff_pred').to(device)
    assert loss(affinity, patches).item() == pytest.approx(golden()['unit_losses'][2], abs=LOSSES)


def _labels_from_pairs(pairs: np.ndarray) -> np.ndarray:
    """A labelling with exactly these pairs: 1 same label, 0 different, 255 ignored."""
    labels = np.full(pairs.shape[:2], 255)
    for image, matrix in enumerate(pairs):
        for patch in np.flatnonzero(matrix.diagonal() != 255):
            labels[image, patch] = np.flatnonzero(matrix[patch] == 1)[0]
    return labels


def _box_masks(boxes: np.ndarray, shape: torch.Size) -> torch.Tensor:
    masks = torch.zeros(shape, dtype=torch.bool)
    for index, x0, y0, x1, y1 in boxes:
        masks[index, y0:y1, x0:x1] = True
    return masks


def _reference_gradients(model) -> dict[str, torch.Tensor]:
    from mmseg_excel.export.reference_names import from_reference

    ours = dict(model.named_parameters())
    return {
        str(name): ours[from_reference(str(name))].grad for name in golden()['grad_param_names']
    }
