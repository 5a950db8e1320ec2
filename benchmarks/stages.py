"""The stages of a training step, each as the literal implementation runs it and as we do."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmarks.case import NUM_CLASSES, Case
from benchmarks.literal import pseudo_labels as literal_labels
from benchmarks.literal.clip import Encoding, encode_image
from benchmarks.literal.decoder import predict_affinity
from benchmarks.literal.images import denormalise
from benchmarks.literal.maps import patch_text_maps
from benchmarks.literal.training import dynamic_features, training_losses
from benchmarks.timing import Run
from mmseg_excel.engine.fused_adamw import FusedAdamW
from mmseg_excel.models.lvc_adapter import predicted_affinity
from mmseg_excel.models.pseudo_label import refine_tagged, score_stack
from mmseg_excel.models.trained_segmentor import Phase

THRESHOLD = 0.79


def encoder(case: Case) -> tuple[Run, Run]:
    """CLIP, its calibrated stream, and the attention that refines maps."""

    def ours() -> None:
        reading = case.ours.extract_feat(case.images)
        reading.calibration.embeddings()
        case.ours.attention(reading, dynamic=False)

    return lambda: encode_image(case.clip, case.images), ours


def static_maps(case: Case) -> tuple[Run, Run]:
    encoding, reading = _encoded(case)
    return (
        lambda: patch_text_maps(encoding.features, case.texts, NUM_CLASSES),
        lambda: case.ours.maps(reading, case.packed),
    )


@torch.no_grad()
def dynamic_maps(case: Case) -> tuple[Run, Run]:
    """Maps calibrated by the adapter: a second pass through CLIP, or the closed form."""
    _, reading = _encoded(case)
    fused = case.ours.fuse(reading)

    def literal() -> None:
        features = dynamic_features(case.clip, case.images, fused)
        patch_text_maps(features, case.texts, NUM_CLASSES)

    def ours() -> None:
        relation = case.ours.adapter.relation_logits(fused, over_batch=True)
        case.ours.maps(reading, case.packed, relation)

    return torch.no_grad()(literal), torch.no_grad()(ours)


@torch.no_grad()
def affinity(case: Case) -> tuple[Run, Run]:
    """Affinity refinement in the dynamic phase, up to the score stack."""
    encoding, reading = _encoded(case)
    fused = case.ours.fuse(reading)
    maps = patch_text_maps(encoding.features, case.texts, NUM_CLASSES)
    grid, size = reading.calibration.trace.grid, case.images.shape[2:]
    ours_maps = maps.transpose(1, 2).unflatten(2, grid)
    attention = case.ours.attention(reading, dynamic=True)

    def literal() -> None:
        predicted = predict_affinity(fused)
        for index, tags in enumerate(case.tags):
            layers = torch.stack([layer[index, 1:, 1:] for layer in encoding.attention])
            weights = literal_labels.affinity(layers, predicted[index])
            transition = literal_labels.transition_matrix(weights)
            classes = tags.nonzero()[:, 0].tolist()
            refined = literal_labels.refine_maps(maps[index], transition, classes, THRESHOLD)
            literal_labels.score_stack(refined, size)

    def ours() -> None:
        relation = case.ours.adapter.relation_logits(fused, over_batch=True)
        predicted = predicted_affinity(relation)
        refined = refine_tagged(ours_maps, attention, case.packed, THRESHOLD, predicted)
        score_stack(refined, size)

    return torch.no_grad()(literal), torch.no_grad()(ours)


def pixel_adaptive(case: Case) -> tuple[Run, Run]:
    """PAR of a background and the tagged classes."""
    images = denormalise(case.images)
    channels = 1 + int(case.tags[0].sum())
    scores = torch.rand(len(images), channels, *images.shape[2:], device=images.device)
    refine = case.ours.pseudo_labeler.pixel_adaptive
    return (
        lambda: literal_labels.pixel_adaptive_refinement(images, scores),
        lambda: refine(images, scores),
    )


def iteration(phase: Phase) -> Callable[[Case], tuple[Run, Run]]:
    """A whole iteration: losses, gradients and the optimiser's step."""

    def build(case: Case) -> tuple[Run, Run]:
        samples = case.samples

        def literal_loss() -> Tensor:
            return training_losses(
                case.literal,
                case.clip,
                case.texts,
                case.images,
                case.tags,
                dynamic=phase.dynamic,
                pairs_from_prediction=phase.pairs_from_prediction,
            )[-1]

        def our_loss() -> Tensor:
            case.ours.phase = phase
            return sum(case.ours.loss(case.images, samples).values())

        return _step(case.literal, literal_loss), _step(case.ours, our_loss, FusedAdamW)

    return build


def _step(
    model: nn.Module, loss: Callable[[], Tensor], kind: type[Optimizer] = torch.optim.AdamW
) -> Run:
    optimiser = kind(model.parameters(), lr=1e-6, weight_decay=1e-2)

    def step() -> None:
        optimiser.zero_grad()
        with torch.enable_grad():
            value = loss()
        with torch.autocast(value.device.type, enabled=False):
            value.backward()
            optimiser.step()

    return step


def _encoded(case: Case) -> tuple[Encoding, object]:
    return encode_image(case.clip, case.images), case.ours.extract_feat(case.images)


STAGES: dict[str, Callable[[Case], tuple[Run, Run]]] = {
    'encoder': encoder,
    'static maps': static_maps,
    'dynamic maps': dynamic_maps,
    'affinity refinement': affinity,
    'PAR': pixel_adaptive,
    'iteration, static': iteration(Phase()),
    'iteration, dynamic': iteration(Phase(dynamic=True)),
    'iteration, late': iteration(Phase(dynamic=True, pairs_from_prediction=True)),
}
