"""The dynamic relation for shifts at which patches are related to none (supplement, Table 1e)."""

from __future__ import annotations

import pytest
import torch

from mmseg_excel.models.lvc_adapter import LVCAdapter, dynamic_relation
from mmseg_excel.models.trained_segmentor import Phase

from ..golden.model import build_golden_model, golden_samples
from ..golden.reference import golden_tensor
from ..tolerance import assert_near


def test_a_patch_related_to_none_is_not_shifted(device):
    adapter = LVCAdapter(in_channels=4, channels=3, num_layers=1, beta=2.0).to(device)
    fused = torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [1.0, 0.1, 0.1], [-1.0, 0.2, 0.9]])
    fused = fused.to(device)
    logits = adapter.relation_logits(fused.T.reshape(1, 3, 2, 2), over_batch=False)
    unit = torch.nn.functional.normalize(fused, dim=1)
    cosine = unit @ unit.T
    assert_near(logits[0], 3 * (cosine - 2 * cosine.mean()))
    relation = dynamic_relation(logits)[0]
    related = (logits[0] >= 0).any(1)
    assert_near(relation.sum(1), related.float())
    nothing = dynamic_relation(torch.full((1, 4, 4), -0.1, device=device)).cpu()
    assert torch.equal(nothing, torch.zeros(1, 4, 4))


@pytest.mark.parametrize('beta', [1.5, 2.0])
def test_training_stays_finite_beyond_beta_one(beta, device):
    model = build_golden_model(adapter__beta=beta).to(device)
    model.adapter.fuse.bias.data += 10  # all patches alike: their mean similarity nears one
    model.phase = Phase(dynamic=True)
    inputs = golden_tensor('image')[:, :, :96, :96].to(device)
    relation = model.adapter.relation_logits(model.fuse(model.extract_feat(inputs)), True)
    assert (relation < 0).all(-1).any()  # the case is in the batch
    losses = model.loss(inputs, golden_samples())
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad.isfinite().all() for p in trained)
