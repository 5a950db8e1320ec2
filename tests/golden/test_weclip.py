"""WeCLIP, stage by stage, against its reference's numbers, fp32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_excel.engine import WarmupPolyLR
from mmseg_excel.models.affinity import last_attention, transition_matrix
from mmseg_excel.models.lvc_adapter import predicted_affinity
from mmseg_excel.models.tags import pack_tags
from mmseg_excel.models.trained_segmentor import Phase
from mmseg_excel.ops.boxes import confident_boxes

from .family import arrays, tensor
from .model import golden_samples, golden_tags, max_error
from .reference import golden, golden_tensor
from .weclip_model import build_weclip_model

PHASES = {'static': Phase(), 'dynamic': Phase(dynamic=True)}
GOLDEN = arrays('weclip')


@pytest.fixture(scope='module')
def model(device):
    return build_weclip_model().to(device)


@pytest.fixture(scope='module')
def images(device):
    return golden_tensor('image').to(device)


@pytest.fixture(scope='module')
def trace(model, images):
    return model.extract_feat(images)


@pytest.fixture(scope='module')
def fused(model, trace):
    with torch.no_grad():
        return model.fuse(trace)


def test_features_are_clean(trace):
    for layer in range(11):
        ours = trace.blocks[layer].output[:, ::8]
        assert max_error(ours, GOLDEN['feats_tokens8'][layer]) < 1e-4


def test_attention_is_a_mean_over_heads(model, images):
    whole = model.backbone(images, attention_layers=12)
    ours = last_attention(whole, 12)
    for image in range(2):
        expected = GOLDEN[f'attn_img{image}_rows16'][:, 1:, 1:]
        assert max_error(ours[:, image, 15::16], expected) < 1e-4


def test_adapter_decoder_and_affinity(model, fused):
    assert max_error(fused, GOLDEN['fts']) < 1e-4
    with torch.no_grad():
        assert max_error(model.decode_head(fused), GOLDEN['seg_logits']) < 1e-4
        affinity = predicted_affinity(model.adapter.relation_logits(fused, over_batch=True))
    assert max_error(affinity, GOLDEN['attn_pred']) < 1e-4


def test_maps_and_boxes(model, trace, device):
    maps = model.maps(trace, golden_tags(device))
    for image in range(2):
        classes = GOLDEN[f'img{image}_classes']
        ours = maps[image, classes]
        assert max_error(ours, GOLDEN[f'img{image}_cams']) < 1e-4
        boxes = torch.zeros(ours.shape, dtype=torch.bool)
        for index, x0, y0, x1, y1 in GOLDEN[f'img{image}_boxes']:
            boxes[index, y0:y1, x0:x1] = True
        assert torch.equal(confident_boxes(ours, 0.4).cpu(), boxes)


@pytest.mark.parametrize('phase', PHASES)
def test_transition(model, trace, phase, device):
    affinity = tensor('weclip', 'attn_pred').to(device) if phase == 'dynamic' else None
    ours = transition_matrix(model.attention(trace, phase == 'dynamic'), affinity)
    for image in range(2):
        assert max_error(ours[image], GOLDEN[f'{phase}_img{image}_trans_mat']) < 1e-4


@pytest.mark.parametrize('phase', PHASES)
def test_pseudo_labels_pixel_for_pixel(model, images, trace, fused, phase):
    relation = None
    if phase == 'dynamic':
        relation = model.adapter.relation_logits(fused, over_batch=True)
    tags = golden_tags(images.device)
    pseudo = model.label(model.maps(trace, tags), trace, images, tags, relation)
    for image in range(2):
        differing = pseudo.labels[image].cpu().numpy() != GOLDEN[f'{phase}_img{image}_pseudo']
        # Pixels whose two best scores are within 1e-5 may fall either way.
        differing[tuple(GOLDEN[f'{phase}_img{image}_close_pixels'].T)] = False
        assert not differing.any()
    assert max_error(pseudo.scores[0, :2], GOLDEN[f'{phase}_img0_par_soft']) < 1e-4


@pytest.mark.parametrize('phase', PHASES)
def test_losses_and_gradients(model, images, phase):
    model.phase = PHASES[phase]
    losses = model.loss(images, golden_samples())
    segmentation, affinity, total = GOLDEN[f'{phase}_losses'][:3]
    # One pixel within 1e-5 of a tie is labelled otherwise, which moves the static loss by 1e-5.
    assert losses['loss_seg'].item() == pytest.approx(segmentation, abs=2e-5)
    assert losses['loss_diversity'].item() == pytest.approx(0.1 * affinity, abs=1e-5)
    model.zero_grad()
    sum(losses.values()).backward()
    assert sum(losses.values()).item() == pytest.approx(total, abs=2e-5)
    ours = _reference_gradients(model)
    names = GOLDEN['grad_param_names']
    for name, norm in zip(names, GOLDEN[f'{phase}_grad_norms'], strict=True):
        assert ours[str(name)].norm().item() == pytest.approx(norm, rel=1e-3, abs=1e-7), name
    for key in (k for k in GOLDEN if k.startswith(f'{phase}_grad::')):
        scale = np.abs(GOLDEN[key]).max()
        assert max_error(ours[key.split('::')[1]], GOLDEN[key]) < 1e-3 * scale, key


def test_logits_of_both_scales(model, device):
    images = _inference_image().to(device)
    for scale in ('1', '0.75'):
        views = F.interpolate(images, scale_factor=float(scale), mode='bilinear')
        with torch.no_grad():
            logits = model.lowres_logits(torch.cat([views, views.flip(-1)]))
        assert max_error(logits, GOLDEN[f'infer0_lowres_logits_{scale}']) < 1e-4


def test_multi_scale_prediction(model):
    tta = MODELS.build(dict(type='LongSideTTAModel', module=model))
    pixels = tensor('weclip', 'infer0_image_u8')
    shape = tuple(pixels.shape[2:])
    sample = SegDataSample(metainfo=dict(ori_shape=shape, img_path='golden'))
    bgr = pixels[0].flip(0)
    with torch.no_grad():
        prediction = tta.test_step(dict(inputs=[bgr], data_samples=[sample]))[0]
    expected = F.interpolate(tensor('weclip', 'infer0_msc_logits'), size=shape, mode='bilinear')
    assert max_error(prediction.seg_logits.data, expected[0]) < 1e-4
    assert np.array_equal(prediction.pred_sem_seg.data[0].cpu().numpy(), GOLDEN['infer0_pred'])


@pytest.mark.parametrize(('j', 'tags'), [(0, (7, 14)), (1, (2, 8))])
def test_pseudo_labels_at_the_size_of_the_original(model, j, tags, device):
    """As the reference's test script makes them: the dynamic affinity of the large image.

    Sides that are no multiple of 16 lose the remainder there, and maps are stretched over it; here
    they are padded (section 1). So that the second image agrees, its remainder is cut off first.
    """
    images, shape = _inference_image(j).to(device), GOLDEN[f'infer{j}_cam_label'].shape
    whole = [side // 16 * 16 for side in images.shape[2:]]
    with torch.no_grad():
        reading = model.extract_feat(images[..., : whole[0], : whole[1]])
        relation = model.image_relation(reading)
        packed = pack_tags([[float(c in tags) for c in range(20)]], device)
        pseudo = model.pseudo_labeler(
            model.maps(reading, packed, relation),
            model.attention(reading, dynamic=True),
            packed,
            # Colours as they are: PAR sees neither their scale nor their shift.
            F.interpolate(images, shape, mode='bilinear', align_corners=True),
            predicted_affinity(relation),
        )
    assert len(GOLDEN[f'infer{j}_cam_close_pixels']) == 0
    assert np.array_equal(pseudo.labels[0].cpu().numpy(), GOLDEN[f'infer{j}_cam_label'])


def test_crf(engine):
    crf = MODELS.build(
        dict(
            type='DenseCRF',
            gaussian=dict(sxy=3, compat=3),
            bilateral=dict(sxy=64, srgb=5, compat=4),
            min_probability=0,
            engine=engine,
        )
    )
    refined = crf(golden()['crf_image_u8'], golden()['crf_prob'].astype(np.float32))
    assert np.array_equal(refined.argmax(axis=0), GOLDEN['crf_argmax'])
    assert np.abs(refined[:, ::4, ::4] - GOLDEN['crf_q_every4']).max() < 1e-4


def test_learning_rate():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=2e-3)
    schedule = WarmupPolyLR(optimizer, max_iters=30000, warmup_iters=50, by_epoch=False)
    for step, (_, rate) in zip(GOLDEN['opt_steps'], GOLDEN['opt_lrs'], strict=True):
        assert 2e-3 * schedule.factor(int(step)) == pytest.approx(rate, rel=1e-6), step


def test_coco_texts(model):
    head = MODELS.build(dict(type='GradientCAMHead', vocabulary='coco'))
    head.encode_classes(model.backbone.load_text_encoder())
    assert max_error(head.class_texts, GOLDEN['coco_text_features']) < 1e-4


def _inference_image(j: int = 0) -> torch.Tensor:
    """Of 90x120 or 100x150 pixels, resized so that its long side is 512, normalised."""
    pixels = tensor('weclip', f'infer{j}_image_u8').float()
    size = [int(side * 512 / max(pixels.shape[2:])) for side in pixels.shape[2:]]
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
    return F.interpolate((pixels - mean) / std, size=size, mode='bilinear')


def _reference_gradients(model) -> dict[str, torch.Tensor]:
    from mmseg_excel.export.reference_names import from_reference

    ours = dict(model.named_parameters())
    names = GOLDEN['grad_param_names']
    return {str(name): ours[from_reference(str(name))].grad for name in names}
