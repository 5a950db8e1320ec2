"""How well unrefined maps segment: the numbers that ablate calibration and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample
from torch import Tensor

from ..clip.frozen_clip import CLIPTrace
from ..models.attribute_text_head import AttributeTextHead
from ..models.excel import ExCEL
from ..models.svc_neck import SVCNeck
from ..models.tags import pack_tags
from ..ops.resize import resize

MapsOfTrace = Callable[[CLIPTrace], Tensor]


def static_maps(neck: SVCNeck, text_head: AttributeTextHead) -> MapsOfTrace:
    """Maps (B, n, g_h, g_w) of a trace under one calibration and one set of texts."""
    return lambda trace: text_head(neck(trace).embeddings(), trace.grid)


@torch.no_grad()
def map_miou(
    model: ExCEL, batches: Iterable[dict], variants: Mapping[str, MapsOfTrace]
) -> dict[str, float]:
    """Mean IoU in percent of the labels that maps of the tagged classes give.

    Every image passes CLIP once, whatever the number of variants.

    Args:
        model: Its backbone and data preprocessor are used.
        batches: Test batches whose samples carry ``gt_tags`` and ``gt_sem_seg``.
        variants: Name -> maps of a trace.
    """
    areas = {name: 0 for name in variants}
    for batch in batches:
        batch = model.data_preprocessor(batch)
        trace = model.backbone(batch['inputs'])
        for name, maps_of in variants.items():
            maps = maps_of(trace)
            for image_maps, sample in zip(maps, batch['data_samples'], strict=True):
                areas[name] = areas[name] + _areas(image_maps, sample, model.num_classes)
    return {name: _mean_iou(area) for name, area in areas.items()}


def label_from_maps(maps: Tensor, tags: Tensor, size: tuple[int, int]) -> Tensor:
    """Label pixels by the strongest map of a tagged class, or background, 1 - that map.

    Args:
        maps: Maps of one image, (n, g_h, g_w) in 0..1.
        tags: Its multi-hot tags, (n,).
        size: Of the label map.

    Returns:
        Labels of the given size: 0 background, class c as c + 1.
    """
    packed = pack_tags([tags.tolist()], maps.device)
    tagged = resize(maps[packed.classes], size)
    tagged = tagged * packed.present[:, :, None, None]
    scores = torch.cat([1 - tagged.amax(dim=1, keepdim=True), tagged], dim=1)
    return packed.labels()[0][scores[0].argmax(dim=0)]


def _areas(maps: Tensor, sample: SegDataSample, num_classes: int) -> Tensor:
    """Intersection and union of each class, (2, n+1)."""
    truth = sample.gt_sem_seg.data[0]
    label = label_from_maps(maps, sample.gt_tags.multi_hot, tuple(truth.shape))
    intersection, union, _, _ = IoUMetric.intersect_and_union(
        label, truth, num_classes, ignore_index=255
    )
    return torch.stack([intersection, union])


def _mean_iou(areas: Tensor) -> float:
    intersection, union = areas
    return 100 * (intersection / union)[union > 0].mean().item()
