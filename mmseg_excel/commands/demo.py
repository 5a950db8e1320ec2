"""Build the toy world, train ExCEL on its tags, test it, and show what it learnt."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import MODELS
from rich.console import Console
from rich.table import Table

from ..datasets.toy.voc_layout import write_voc_layout
from ..engine.work_dir import checkpoints_in
from ..evaluation.map_quality import map_miou, static_maps
from ..inference.loading import load_weights
from ..models import AttributeTextHead, ExCEL, SVCNeck
from ..utils.atomic import write_atomically
from ..utils.cli import bad_input_exits, bad_input_exits_while_working
from ..utils.runner_config import augment_at_test_time
from ..visualization import paint_labels, save_panel

CONFIG = Path(__file__).parents[1] / 'configs/excel_toy.py'
CALIBRATIONS: dict[str, dict[str, Any]] = dict(
    qk=dict(mode='q-k', num_layers=5),
    qk1=dict(mode='q-k', num_layers=1),
    qq5=dict(mode='q-q', num_layers=5),
    kk5=dict(mode='k-k', num_layers=5),
    vv1=dict(mode='v-v', num_layers=1),
    vv5=dict(mode='v-v', num_layers=5),
    qkv1=dict(mode='qkv', num_layers=1),
    qkv3=dict(mode='qkv', num_layers=3),
    qkv5=dict(mode='qkv', num_layers=5),
)
TEXT_MODES = ('global', 'fuse', 'attributes')
PANEL_TITLES = (
    'image',
    'q-k map',
    'static map',
    'dynamic map',
    'pseudo label',
    'prediction',
    'ground truth',
)


class Demo:
    """The steps of the demonstration; each adds to `results`."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.results: dict = dict(
            note='Toy world: generated scenes and a tiny CLIP; no VOC or COCO result.',
            seed=args.seed,
            seconds={},
        )

    def run(self) -> dict:
        with self.timed('world'):
            self.build_world()
        with self.timed('maps'):
            self.measure_maps()
        with self.timed('pseudo_labels'):
            self.results['pseudo_labels'] = self.test(model=dict(test_cfg=dict(source='cam')))
        with self.timed('train'):
            self.train()
        with self.timed('decoder'):
            self.results['decoder'] = self.test()
        with self.timed('decoder_tta'):
            self.results['decoder_tta'] = self.test(tta=True)
        with self.timed('decoder_tta_crf'):
            self.results['decoder_tta_crf'] = self.test(tta=True, crf=True)
        with self.timed('panel'):
            self.draw_panel()
        return self.results

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.results['seconds'][step] = round(time.perf_counter() - start, 1)

    # Steps ----------------------------------------------------------------------------------

    def build_world(self) -> None:
        with bad_input_exits():
            write_voc_layout(self.args.data_root, seed=self.args.seed)

    def measure_maps(self) -> None:
        """MIoU of unrefined maps: calibrations with attribute texts, texts with N = 5."""
        model = self.training_free_model()
        batches = list(Runner.build_dataloader(self.config().val_dataloader))
        encoder = model.backbone.load_text_encoder()
        heads = {mode: self.text_head(model, encoder, mode) for mode in TEXT_MODES}
        calibrations = {
            name: static_maps(SVCNeck(**settings), heads['attributes'])
            for name, settings in CALIBRATIONS.items()
        }
        texts = {mode: static_maps(model.neck, head) for mode, head in heads.items()}
        self.results['maps'] = map_miou(model, batches, calibrations)
        self.results['text'] = map_miou(model, batches, texts)

    def train(self) -> None:
        cfg = self.config()
        cfg.resume = True
        Runner.from_cfg(cfg).train()

    def test(self, model: dict | None = None, tta: bool = False, crf: bool = False) -> float:
        """Evaluate on the held-out scenes; training-free if `model` says so."""
        cfg = self.config(str(self.args.work_dir / 'test'))
        training_free = model is not None
        cfg.merge_from_dict(dict(model=model or {}))
        if tta:
            augment_at_test_time(cfg)
            if not crf:
                cfg.model.post_processor = None
        if not training_free:
            cfg.load_from = self.last_checkpoint()
        runner = Runner.from_cfg(cfg)
        if training_free:
            runner.model.encode_classes()
        return float(runner.test()['mIoU'])

    def draw_panel(self) -> None:
        model = self.training_free_model()
        load_weights(model, self.last_checkpoint())
        qk_neck = SVCNeck(**CALIBRATIONS['qk'])
        dataset = Runner.build_dataloader(self.config().val_dataloader).dataset
        rows = [
            panel_row(model, qk_neck, dataset, index) for index in range(self.args.panel_images)
        ]
        save_panel(
            self.args.work_dir / 'panel.png',
            PANEL_TITLES,
            rows,
            'ExCEL on held-out scenes of the toy world, trained from image tags alone',
        )

    # Pieces ---------------------------------------------------------------------------------

    def config(self, work_dir: str | None = None) -> Config:
        cfg = Config.fromfile(CONFIG)
        cfg.work_dir = work_dir or str(self.args.work_dir)
        cfg.randomness = dict(seed=self.args.seed)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.data_root = str(self.args.data_root / 'VOC2012')
        return cfg

    def training_free_model(self) -> ExCEL:
        model = MODELS.build(self.config().model).to(get_device()).eval()
        model.encode_classes()
        return model

    def text_head(self, model: ExCEL, encoder, mode: str) -> AttributeTextHead:
        head = MODELS.build(dict(self.config().model.text_head, mode=mode))
        head.encode_classes(encoder)
        return head.to(model.data_preprocessor.mean.device)

    def last_checkpoint(self) -> str:
        return str(checkpoints_in(self.args.work_dir)[0])


@torch.no_grad()
def panel_row(model: ExCEL, qk_neck: SVCNeck, dataset, index: int):
    """Name and pictures of one image; maps are those of its first tag."""
    item = dataset[index]
    batch = model.data_preprocessor(
        dict(inputs=[item['inputs']], data_samples=[item['data_samples']])
    )
    inputs, samples = batch['inputs'], batch['data_samples']
    size = samples[0].ori_shape
    tag = int(samples[0].gt_tags.multi_hot.argmax())
    maps = (
        static_maps(qk_neck, model.text_head)(model.backbone(inputs)),
        model.class_activation_maps(inputs),
        model.class_activation_maps(inputs, dynamic=True),
    )
    heat = [
        F.interpolate(m[:, tag : tag + 1], size, mode='bilinear', align_corners=False)[0, 0]
        for m in maps
    ]
    labels = (
        model.pseudo_labels(inputs, samples, dynamic=True).labels[0],
        model.predict(inputs, samples)[0].pred_sem_seg.data[0],
        samples[0].gt_sem_seg.data[0],
    )
    palette = dataset.metainfo['palette']
    image = item['inputs'].flip(0).permute(1, 2, 0).numpy()
    pictures = [image, *(m.cpu().numpy() for m in heat)]
    pictures += [paint_labels(label.cpu().numpy(), palette) for label in labels]
    return dataset.metainfo['classes'][tag + 1], pictures


def print_results(results: dict) -> None:
    table = Table(title='mIoU in percent on held-out scenes of the TOY world')
    table.add_column('step')
    table.add_column('mIoU', justify='right')
    for name, value in results['maps'].items():
        table.add_row(f'maps, {name}', f'{value:.1f}')
    for name, value in results['text'].items():
        table.add_row(f'maps, qkv5, {name} texts', f'{value:.1f}')
    for name in ('pseudo_labels', 'decoder', 'decoder_tta', 'decoder_tta_crf'):
        table.add_row(name.replace('_', ' '), f'{results[name]:.1f}')
    Console().print(table)


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        args.work_dir.mkdir(parents=True, exist_ok=True)
        init_default_scope('mmseg')
        demo = Demo(args)
    with bad_input_exits_while_working():
        results = demo.run()
        text = json.dumps(results, indent=2) + '\n'
        write_atomically(args.work_dir / 'results.json', text.encode())
        print_results(results)
        print(
            f'Pictures: {args.work_dir / "panel.png"}   figures: {args.work_dir / "results.json"}'
        )
