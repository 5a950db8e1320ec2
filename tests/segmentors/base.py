"""What holds for every method, whatever its weights: one test class, subclassed by each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_checkpoint, save_checkpoint
from mmengine.structures import LabelData
from mmseg.apis import inference_model, init_model
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_excel.datasets.toy.scenes import Scene, generate_scene
from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.models.trained_segmentor import Phase

from ..tolerance import GRADIENTS, LOSSES, assert_near
from .two_processes import step_of_two_processes, training_step

CONFIGS = Path(__file__).parents[2] / 'configs'
PHASES = (Phase(), Phase(dynamic=True), Phase(dynamic=True, pairs_from_prediction=True))


class SegmentorTests:
    """Tests of a method on the toy world. A subclass says how it is built:

    Attributes:
        recipe: Config file, relative to ``configs``.
        options: What differs from it, by dotted name.
        trained: Whether there is an adapter and a decoder to train.
        sizes: Heights and widths of images that the model is given.
        same_in_bf16: Share of the pixels of a typical image whose label autocast keeps.
    """

    recipe: str | Path
    options: dict[str, object] = {}
    trained = True
    sizes: tuple[tuple[int, int], ...] = ((64, 64), (61, 83), (8, 120), (1, 1))
    same_in_bf16 = 0.995

    # What the tests look at --------------------------------------------------------------------

    @classmethod
    def config(cls) -> Config:
        cfg = Config.fromfile(CONFIGS / cls.recipe)
        cfg.merge_from_dict(cls.options)
        return cfg

    @classmethod
    def build(cls) -> nn.Module:
        """The model before anything is loaded or computed, the same at every call."""
        torch.manual_seed(0)
        return MODELS.build(cls.config().model).eval()

    @pytest.fixture(scope='class')
    def model(self):
        model = self.build()
        model.init_weights()
        return model

    @pytest.fixture(scope='class')
    def scenes(self) -> list[Scene]:
        return [generate_scene(np.random.default_rng(seed), 64) for seed in range(4)]

    def inputs(self, model: nn.Module, scenes: list[Scene]) -> Tensor:
        bgr = [torch.from_numpy(s.image[..., ::-1].copy()).permute(2, 0, 1) for s in scenes]
        return model.data_preprocessor(dict(inputs=bgr))['inputs']

    def samples(self, model: nn.Module, tags: list, size=(64, 64), **meta) -> list[SegDataSample]:
        return [sample_of(model.text_head.vocabulary.classes, t, size, **meta) for t in tags]

    def labels(
        self, model: nn.Module, images: Tensor, samples: list[SegDataSample], dynamic=False
    ) -> Tensor:
        """Labels of pixels: training-free ones, (B, *ori_shape), or dynamic ones."""
        if dynamic:
            return model.pseudo_labels(images, samples, dynamic=True).labels
        source, model.test_cfg['source'] = model.test_cfg['source'], 'cam'
        try:
            return torch.cat([s.pred_sem_seg.data for s in model.predict(images, samples)])
        finally:
            model.test_cfg['source'] = source

    def kinds(self) -> list[bool]:
        """Whether maps and labels are dynamic: all kinds that there are."""
        return [False, True] if self.trained else [False]

    # Independence ------------------------------------------------------------------------------

    def test_an_answer_does_not_depend_on_the_batch(self, model, scenes):
        images, tags = self.inputs(model, scenes), [scene.tags for scene in scenes]
        samples = self.samples(model, tags)
        hot = torch.stack([sample.gt_tags.multi_hot for sample in samples])
        for dynamic in self.kinds():
            maps = model.class_activation_maps(images, hot, dynamic)
            labels = self.labels(model, images, samples, dynamic)
            for one in (slice(i, i + 1) for i in range(len(scenes))):
                alone = model.class_activation_maps(images[one], hot[one], dynamic)
                assert_near(maps[one], alone)
                assert_same(labels[one], self.labels(model, images[one], samples[one], dynamic))

    def test_a_prediction_does_not_depend_on_the_batch(self, model, scenes):
        if not self.trained:
            pytest.skip('nothing predicts without tags')
        images = self.inputs(model, scenes)
        with torch.no_grad():
            together = model.lowres_logits(images)
            for i in range(len(scenes)):
                assert_near(together[i : i + 1], model.lowres_logits(images[i : i + 1]))

    def test_the_order_of_tags_does_not_matter(self, model, scenes):
        images = self.inputs(model, scenes)
        named = self.labels(model, images, self.samples(model, [s.tags for s in scenes]))
        reversed_ = self.labels(model, images, self.samples(model, [s.tags[::-1] for s in scenes]))
        assert_same(named, reversed_)

    def test_permuted_classes_permute_the_labels(self, model, scenes):
        images = self.inputs(model, scenes)
        plain = self.labels(model, images, self.samples(model, [s.tags for s in scenes]))
        names = model.text_head.vocabulary.classes
        order = torch.randperm(len(names), generator=torch.Generator().manual_seed(1))
        moved = [[names[order.tolist().index(names.index(n))] for n in s.tags] for s in scenes]
        texts = model.text_head.class_texts.clone()
        try:
            model.text_head.class_texts[: len(names)] = texts[order]
            permuted = self.labels(model, images, self.samples(model, moved))
        finally:
            model.text_head.class_texts.copy_(texts)
        assert_same(torch.cat([torch.zeros(1, dtype=torch.long), order + 1])[permuted], plain)

    # Geometry ----------------------------------------------------------------------------------

    def test_a_mirrored_clip_sees_mirrored_images_mirrored(self, model, scenes):
        images = self.inputs(model, scenes)[..., :48]  # higher than wide
        hot = torch.stack(
            [s.gt_tags.multi_hot for s in self.samples(model, [s.tags for s in scenes])]
        )
        answers = [self._answers(model, images, hot)]
        with mirrored(model.backbone.tower):
            answers.append(self._answers(model, images.flip(-1), hot))
        for plain, flipped in zip(*answers, strict=True):
            assert_near(flipped.flip(-1), plain)

    @torch.no_grad()
    def _answers(self, model: nn.Module, images: Tensor, hot: Tensor) -> list[Tensor]:
        """Maps and logits of the patches, (B, ..., g_h, g_w)."""
        maps = [model.class_activation_maps(images, hot, dynamic=d) for d in self.kinds()]
        return [*maps, model.lowres_logits(images)] if self.trained else maps

    def test_views_that_were_flipped_are_flipped_back(self, model, scenes):
        images, tags = self.inputs(model, scenes).flip(-1), [scene.tags for scene in scenes]
        seen = self.labels(model, images, self.samples(model, tags))
        meta = dict(flip=True, flip_direction='horizontal')
        back = self.labels(model, images, self.samples(model, tags, **meta))
        assert torch.equal(back, seen.flip(-1))

    def test_any_size_goes_in_and_the_original_one_comes_out(self, model):
        names = model.text_head.vocabulary.classes
        for size in self.sizes:
            image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
            for original in (size, (50, 71)):
                labels = self.labels(model, image, self.samples(model, [names[:1]], original))
                assert labels.shape == (1, *original)
                assert set(labels.unique().tolist()) <= {0, 1}
            if self.trained:
                self._logits_are_those_of_the_padded_image(model, image)

    @torch.no_grad()
    def _logits_are_those_of_the_padded_image(self, model: nn.Module, image: Tensor) -> None:
        height, width = image.shape[2:]
        patch = model.backbone.patch_size
        padded = F.pad(image, (0, -width % patch, 0, -height % patch))
        logits = model.encode_decode(image)
        assert logits.shape[2:] == image.shape[2:]
        assert_near(logits, model.encode_decode(padded)[..., :height, :width])
        # The same of an image that MMSegmentation has padded.
        meta = dict(img_padding_size=(0, padded.shape[3] - width, 0, padded.shape[2] - height))
        (result,) = model.predict(padded, self.samples(model, [()], (height, width), **meta))
        assert_near(result.seg_logits.data[None], logits)

    # Tags --------------------------------------------------------------------------------------

    def test_images_without_tags_are_background(self, model, scenes):
        images = self.inputs(model, scenes[:3])
        tags = [scenes[0].tags, (), scenes[2].tags]
        labels = self.labels(model, images, self.samples(model, tags))
        names = model.text_head.vocabulary.classes
        for own, tag in zip(labels, tags, strict=True):
            assert set(own.unique().tolist()) <= {0, *(names.index(name) + 1 for name in tag)}
        alone = self.labels(model, images[1:2], self.samples(model, [()]))
        assert not alone.any()

    @pytest.mark.parametrize('phase', PHASES)
    def test_images_without_tags_train(self, model, scenes, phase):
        if not self.trained:
            pytest.skip('nothing is trained')
        images = self.inputs(model, scenes[:2])
        for tags in ([(), ()], [scenes[0].tags, ()]):
            losses, gradients = training_step(model, images, self.samples(model, tags), phase)
            assert all(np.isfinite(value) for value in losses.values())
            assert all(gradient.isfinite().all() for gradient in gradients.values())

    # Checkpoints, precision, processes ---------------------------------------------------------

    def test_a_checkpoint_brings_all_back(self, model, scenes, tmp_path):
        path = str(tmp_path / 'checkpoint.pth')
        save_checkpoint(dict(meta={}, state_dict=model.state_dict()), path)
        names = torch.load(path, weights_only=True)['state_dict']
        assert not [name for name in names if name.startswith('backbone')]
        other = self.build()
        load_checkpoint(other, path, strict=True)
        images, tags = self.inputs(model, scenes), [scene.tags for scene in scenes]
        ours, theirs = (self.labels(m, images, self.samples(m, tags)) for m in (model, other))
        assert torch.equal(ours, theirs)
        hot = torch.stack([s.gt_tags.multi_hot for s in self.samples(model, tags)])
        pairs = zip(*(self._answers(m, images, hot) for m in (model, other)), strict=True)
        assert all(torch.equal(*pair) for pair in pairs)

    def test_autocast_keeps_labels(self, model):
        scenes = [generate_scene(np.random.default_rng(seed), 64) for seed in range(16)]
        images = self.inputs(model, scenes)
        samples = self.samples(model, [scene.tags for scene in scenes])
        for dynamic in self.kinds():
            exact = self.labels(model, images, samples, dynamic)
            with torch.autocast('cpu', torch.bfloat16):
                rounded = self.labels(model, images, samples, dynamic)
            agreement = (rounded == exact).float().mean(dim=(1, 2))
            # Now and then a cell next to the threshold moves a box, and with it one image's label.
            assert agreement.median() >= self.same_in_bf16
            assert agreement.mean() >= 0.97

    def test_two_processes_train_like_one(self, tmp_path):
        if not self.trained:
            pytest.skip('nothing is trained')
        losses, gradients = self.step(slice(0, 2))
        theirs = step_of_two_processes(self.step, tmp_path)
        for name, value in losses.items():
            assert theirs['losses'][name] == pytest.approx(value, abs=LOSSES)
        for name, gradient in gradients.items():
            assert_near(theirs['gradients'][name], gradient, GRADIENTS, name)

    @classmethod
    def step(cls, images: slice) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Losses and gradients of some images in the last phase, dropout aside."""
        tests, model = cls(), cls.build()
        model.init_weights()
        scenes = [generate_scene(np.random.default_rng(seed), 64) for seed in (0, 1)][images]
        samples = tests.samples(model, [scene.tags for scene in scenes])
        return training_step(model, tests.inputs(model, scenes), samples, PHASES[-1])

    # MMSegmentation's own tools ----------------------------------------------------------------

    @pytest.fixture(scope='class')
    def world(self, tmp_path_factory) -> Path:
        return write_voc_layout(tmp_path_factory.mktemp('toy'), num_train=2, num_val=2)

    def runner(self, world: Path, work_dir: Path, split: str) -> Runner:
        """MMEngine's runner of one split, without any tool of ours."""
        cfg = self.config()
        cfg.work_dir = str(work_dir)
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(world)
        for other in {'train', 'val', 'test'} - {split}:
            unused = ('dataloader', 'cfg', *(['evaluator'] if other != 'train' else []))
            cfg.update({f'{other}_{part}': None for part in unused})
        if split == 'train':
            loader.batch_size = 2
            cfg.train_cfg.max_iters = 1
        else:
            cfg.optim_wrapper = cfg.param_scheduler = None
        return Runner.from_cfg(cfg)

    def test_a_step_is_trained_where_there_are_no_masks(self, world, tmp_path):
        if not self.trained:
            pytest.skip('nothing is trained')
        blind = tmp_path / 'blind'
        shutil.copytree(world, blind)
        shutil.rmtree(blind / 'SegmentationClass')
        self.runner(blind, tmp_path / 'run', 'train').train()
        self._mmseg_segments_a_file(tmp_path / 'run/iter_1.pth', next(world.glob('JPEGImages/*')))

    def test_the_recipe_is_tested(self, world, tmp_path):
        runner = self.runner(world, tmp_path, 'test')
        runner.model.init_weights()
        assert 0 <= runner.test()['mIoU'] <= 100

    def _mmseg_segments_a_file(self, checkpoint: Path, image: Path) -> None:
        model = init_model(self.config(), str(checkpoint), device='cpu')
        result = inference_model(model, str(image))
        assert result.pred_sem_seg.data.shape == (1, 64, 64)


def sample_of(classes: tuple[str, ...], tags, size: tuple[int, int], **meta) -> SegDataSample:
    """A sample whose tags are named in some order."""
    sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size, **meta))
    multi_hot, order = torch.zeros(len(classes)), torch.zeros(len(classes), dtype=torch.long)
    for place, name in enumerate(tags):
        multi_hot[classes.index(name)], order[classes.index(name)] = 1, place
    sample.gt_tags = LabelData(multi_hot=multi_hot, order=order)
    return sample


def assert_same(labels: Tensor, expected: Tensor) -> None:
    """Labels are the same, but for a few pixels that rounding decides."""
    assert labels.shape == expected.shape
    assert (labels != expected).double().mean() <= 2e-3


@contextmanager
def mirrored(tower: nn.Module) -> Iterator[None]:
    """A CLIP whose filters and positions are mirrored from left to right."""
    _mirror(tower)
    try:
        yield
    finally:
        _mirror(tower)


def _mirror(tower: nn.Module) -> None:
    tower.conv1.weight.data.copy_(tower.conv1.weight.flip(-1))
    positions = tower.positional_embedding.data[1:].unflatten(0, tower.grid_size)
    tower.positional_embedding.data[1:] = positions.flip(1).flatten(0, 1)
