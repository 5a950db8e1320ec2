"""What texts are worth on the toy world: map mIoU of every mode and setting over seeds of scenes.

    python -m benchmarks.toy_texts --scenes 300

Toy numbers: they show that the machinery works, and nothing about VOC or COCO.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from benchmarks.literal.images import normalise
from mmseg_excel.clip.frozen_clip import FrozenCLIP
from mmseg_excel.datasets.toy.scenes import Scene, generate_scene
from mmseg_excel.evaluation import Scores, confusion_matrix, count_pairs
from mmseg_excel.evaluation.map_quality import label_from_maps
from mmseg_excel.models.attribute_text_head import patch_text_maps
from mmseg_excel.models.svc_neck import SVCNeck
from mmseg_excel.text.class_texts import build_class_texts
from mmseg_excel.text.vocabulary import TOY_CLASSES, get_vocabulary

SIZE = 64
# K and lambda of the toy recipe were chosen on the scenes of seeds 101 to 103.
SEEDS = (201, 202, 203)
BATCH = 16
DEFAULTS = dict(num_attributes=32, keep_ratio=0.9, attribute_weight=4.0)
SETTINGS = {
    'Global': dict(mode='global'),
    'Fuse': dict(mode='fuse'),
    'Attributes': {},
    **{f'lambda {value}': dict(attribute_weight=value) for value in (0.1, 0.5, 1.0, 2.0, 4.0)},
    **{f'K_r {value}': dict(keep_ratio=value) for value in (0.1, 0.5, 0.9, 1.0)},
    **{f'K {value}': dict(num_attributes=value) for value in (8, 16, 32, 64, 112)},
}


def toy_clip() -> FrozenCLIP:
    return FrozenCLIP(model='excel-toy', pretrained='packaged').eval()


def toy_texts(clip: FrozenCLIP, settings: Mapping[str, dict]) -> dict[str, Tensor]:
    encoder, vocabulary = clip.load_text_encoder(), get_vocabulary('toy')
    return {
        name: build_class_texts(encoder, vocabulary, descriptions='toy', **(DEFAULTS | changes))
        for name, changes in settings.items()
    }


@torch.no_grad()
def map_miou_of_texts(
    clip: FrozenCLIP, texts: Mapping[str, Tensor], seed: int, num_scenes: int
) -> dict[str, float]:
    """Map mIoU in percent of each set of texts on freshly drawn scenes."""
    rng, neck = np.random.default_rng(seed), SVCNeck()
    pairs = {name: 0 for name in texts}
    for start in range(0, num_scenes, BATCH):
        scenes = [generate_scene(rng, SIZE) for _ in range(min(BATCH, num_scenes - start))]
        trace = clip(normalise(pixels_of(scenes)))
        embeddings = neck(trace).embeddings()
        for name, matrix in texts.items():
            maps = patch_text_maps(embeddings, matrix)[:, 1:, : len(TOY_CLASSES)]
            maps = maps.transpose(1, 2).unflatten(2, trace.grid)
            for scene, scene_maps in zip(scenes, maps, strict=True):
                label = label_from_maps(scene_maps, tags_of(scene), (SIZE, SIZE))
                pairs[name] = pairs[name] + count_pairs(torch.from_numpy(scene.mask), label)
    size = len(TOY_CLASSES) + 1
    return {
        name: Scores.from_confusion(confusion_matrix(counts, size)).means()['mIoU']
        for name, counts in pairs.items()
    }


def pixels_of(scenes: Sequence[Scene]) -> Tensor:
    """RGB of scenes of one size, float (B, 3, S, S) in 0..255."""
    return torch.from_numpy(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2).float()


def tags_of(scene: Scene) -> Tensor:
    """Multi-hot tags of a scene, (n,)."""
    return torch.tensor([float(name in scene.tags) for name in TOY_CLASSES])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--scenes', type=int, default=300, help='scenes for each seed')
    num_scenes = parser.parse_args().scenes
    clip = toy_clip()
    texts = toy_texts(clip, SETTINGS)
    runs = [map_miou_of_texts(clip, texts, seed, num_scenes) for seed in SEEDS]
    print('toy map mIoU | ' + ' | '.join(f'seed {seed}' for seed in SEEDS) + ' | mean')
    for name in texts:
        scores = [run[name] for run in runs]
        print(f'{name} | ' + ' | '.join(f'{s:.1f}' for s in scores) + f' | {np.mean(scores):.1f}')


if __name__ == '__main__':
    main()
