import numpy as np
import pytest
import torch

from benchmarks.literal.decoder import predict_affinity
from benchmarks.literal.losses import (
    diversity_loss,
    pair_labels,
    radius_mask,
    segmentation_loss,
)
from benchmarks.literal.schedule import learning_rate
from benchmarks.literal.training import predicted_labels, training_losses
from tests.golden.literal_runs import assert_golden, class_texts, static_encoding, trained_model
from tests.golden.reference import full_resolution_logits, golden, golden_tensor, tiny_clip_state
from tests.tolerance import GRADIENTS, LOSSES, assert_same_labels

PHASES = ('static', 'dynamic', 'late')


def golden_pseudo_labels(phase):
    maps = 'static' if phase == 'static' else 'dynamic'
    return torch.stack([golden_tensor(f'{maps}_img{index}_pseudo') for index in (0, 1)])


def test_adapter_and_decoder():
    with torch.no_grad():
        fused, logits = trained_model()(static_encoding().outputs)
    assert_golden(fused, 'fts')
    assert_golden(logits, 'seg_logits')
    assert_golden(predict_affinity(fused), 'attn_pred')


@pytest.mark.parametrize('phase', PHASES)
def test_losses_and_gradients(phase):
    model = trained_model()
    fused, logits = model(static_encoding().outputs)
    attn_pred = predict_affinity(fused)
    labels = golden_pseudo_labels(phase)
    pairs = pair_labels(predicted_labels(logits, labels) if phase == 'late' else labels, side=20)
    assert torch.equal(pairs, golden_tensor(f'{phase}_aff_label'))

    segmentation = segmentation_loss(logits, labels)
    diversity = diversity_loss(attn_pred, pairs)
    total = segmentation + 0.1 * diversity
    counts = [(pairs == 1).sum() + 1, (pairs == 0).sum() + 1]
    losses = [float(loss) for loss in (segmentation, diversity, total, *counts)]
    np.testing.assert_allclose(losses, golden()[f'{phase}_losses'], rtol=0, atol=LOSSES)

    total.backward()
    assert_golden_gradients(model, phase)


def assert_golden_gradients(model, phase):
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    names = golden()['grad_param_names'].tolist()
    assert sorted(names) == sorted(gradients)
    norms = [gradients[name].norm().item() for name in names]
    np.testing.assert_allclose(norms, golden()[f'{phase}_grad_norms'], rtol=GRADIENTS)
    stored = [name for name in golden() if name.startswith(f'{phase}_grad::')]
    assert stored
    for name in stored:
        expected = golden_tensor(name)
        error = gradients[name.split('::')[1]] - expected
        assert error.norm() < GRADIENTS * expected.norm(), name


def test_full_resolution_prediction():
    with torch.no_grad():
        _, logits = trained_model()(static_encoding().outputs)
    expected = golden_tensor('seg_pred_fullres')
    labels = predicted_labels(logits, expected)
    assert_same_labels(labels, expected, full_resolution_logits(), dim=1)


def test_whole_late_step_from_pixels_to_loss():
    losses = training_losses(
        trained_model(),
        tiny_clip_state(),
        class_texts(),
        golden_tensor('image'),
        golden_tensor('cls_labels'),
        dynamic=True,
        pairs_from_prediction=True,
    )
    actual = [float(loss) for loss in losses]
    np.testing.assert_allclose(actual, golden()['late_losses'][:3], rtol=0, atol=LOSSES)


def test_radius_masks():
    assert torch.equal(radius_mask(20, 20, 8), golden_tensor('radius_mask').bool())
    assert torch.equal(radius_mask(2, 3, 1), golden_tensor('unit_radius_mask_2x3_r1').bool())


def test_losses_with_ignored_pixels():
    logits, labels = golden_tensor('unit_loss_logits'), golden_tensor('unit_loss_label')
    no_background = labels.masked_fill(labels == 0, 255)
    pairs, attn_pred = golden_tensor('unit_aff_label'), golden_tensor('unit_aff_pred')
    losses = [
        segmentation_loss(logits, labels),
        segmentation_loss(logits, no_background),
        diversity_loss(attn_pred, pairs),
    ]
    np.testing.assert_allclose(
        [loss.item() for loss in losses], golden()['unit_losses'], rtol=0, atol=LOSSES
    )


def test_learning_rates():
    used = golden()['opt_steps'] < 30_000
    rates = [
        [learning_rate(int(step), 1e-4), learning_rate(int(step), 1e-3)]
        for step in golden()['opt_steps'][used]
    ]
    np.testing.assert_allclose(rates, golden()['opt_lrs'][used], rtol=1e-9)
