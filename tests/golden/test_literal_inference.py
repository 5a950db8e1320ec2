import numpy as np
import pytest
import torch

from benchmarks.literal.clip import encode_image
from benchmarks.literal.decoder import predict_affinity
from benchmarks.literal.inference import SIDES, multi_scale_logits, to_image, view_logits
from benchmarks.literal.maps import patch_text_maps
from benchmarks.literal.metrics import scores
from benchmarks.literal.pseudo_labels import affinity, refine_maps, transition_matrix
from tests.golden.literal_runs import assert_golden, class_texts, trained_model
from tests.golden.reference import golden, golden_tensor, tiny_clip_state
from tests.tolerance import assert_near

VIEWS = [(side, mirrored) for side in SIDES for mirrored in (False, True)]


@pytest.mark.parametrize('side', SIDES)
def test_logits_of_each_view(side):
    image = golden_tensor('infer_image')
    with torch.no_grad():
        views = [
            view_logits(trained_model(), tiny_clip_state(), image, side, mirrored)
            for mirrored in (False, True)
        ]
    assert_golden(torch.cat(views), f'infer_lowres_logits_{side}')


def golden_view(side, mirrored):
    logits = golden_tensor(f'infer_lowres_logits_{side}')[int(mirrored)]
    return to_image(logits[None], torch.Size([90, 120]), mirrored)


def test_every_view_counts_once():
    merged = multi_scale_logits(trained_model(), tiny_clip_state(), golden_tensor('infer_image'))
    expected = torch.stack([golden_view(*view) for view in VIEWS]).mean(dim=0)
    assert_near(merged, expected)


def test_reference_counts_the_plain_view_twice_at_scale_one():
    views = [golden_view(side, mirrored and side != 320) for side, mirrored in VIEWS]
    assert_golden(torch.stack(views).mean(dim=0), 'infer_msc_logits_val')


def test_refined_maps_of_one_image():
    """Static maps of an image alone, its affinity chosen by its own prediction, tau = 0.75."""
    image = torch.nn.functional.interpolate(
        golden_tensor('infer_image'), (320, 320), mode='bilinear', align_corners=False
    )
    encoding = encode_image(tiny_clip_state(), image)
    maps = patch_text_maps(encoding.features, class_texts(), 20)
    assert_golden(maps, 'val_attr_maps')
    with torch.no_grad():
        fused, _ = trained_model()(encoding.outputs)
    attention = torch.stack([layer[0, 1:, 1:] for layer in encoding.attention])
    transition = transition_matrix(affinity(attention, predict_affinity(fused)[0]))
    classes = golden_tensor('val_cls_label').nonzero()[:, 0].tolist()
    assert_golden(refine_maps(maps[0], transition, classes, 0.75), 'val_refined_cams')


def test_scores():
    truth, predicted = golden()['unit_eval_gt'], golden()['unit_eval_pred']
    measured = scores(truth, predicted, 8)
    for name in ('iou', 'precision', 'recall', 'confusion'):
        np.testing.assert_allclose(measured[name], golden()[f'unit_eval_{name}'], rtol=1e-12)
    means = [np.nanmean(measured['recall']), np.nanmean(measured['iou'])]
    np.testing.assert_allclose(means, golden()['unit_eval_scalars'][1:], rtol=1e-12)
