"""TagInferencer: images and words in; maps, labels and pictures out."""

from __future__ import annotations

import copy
import functools
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.device import get_device
from mmseg.registry import DATASETS, MODELS
from mmseg.utils import register_all_modules
from torch import Tensor

from ..clip.frozen_clip import CLIPTrace, pad_to_multiple
from ..datasets.metainfo import foreground_of
from ..datasets.palette import voc_palette
from ..densecrf import DenseCRF
from ..models import ranges
from ..models.affinity import last_attention
from ..models.attribute_text_head import class_maps
from ..models.excel import ExCEL
from ..models.lvc_adapter import dynamic_relation, predicted_affinity
from ..models.pseudo_label import PseudoLabels
from ..models.svc_neck import SIMILARITIES, Calibration, SVCNeck
from ..models.tag_segmentor import TagSegmentor
from ..models.trained_segmentor import content_of
from ..ops import pixel_adaptive
from ..text.attribute_bank import AttributeBank, encode, get_attribute_bank
from ..text.attributes import hunt_attributes
from ..text.class_texts import MODES, all_texts, build_class_texts
from ..text.descriptions import load_descriptions
from ..text.vocabulary import Vocabulary, make_vocabulary
from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checkpoints import naming, read_tensors
from ..utils.checks import check_choice, check_flag, check_number, check_whole, shown
from ..utils.class_lists import check_same_classes
from ..utils.config_errors import setting_up
from ..utils.config_file import name_of, read_config_file
from ..utils.config_parts import check_parts
from ..utils.devices import check_device
from ..utils.images import read_rgb
from ..utils.text_file import check_file
from .inputs import (
    check_array,
    check_classes,
    check_file_name,
    check_folder,
    check_names,
    check_tags,
    check_vocabulary,
    named_images,
)
from .label_map import LabelMap
from .panel import save_panel

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
TOY_CLIP = 'excel-toy'
TOY_NOTICE = (
    'Toy world: generated scenes and a tiny CLIP. These pictures say nothing about VOC or COCO.'
)

Model = TypeVar('Model', bound=TagSegmentor)


@dataclass(frozen=True)
class EncodedImage:
    """An image that has passed CLIP once and can be asked again and again.

    Attributes:
        name: File stem, or a number.
        pixels: As given, uint8 RGB, (H, W, 3).
        inputs: As the network sees it, normalised, (1, 3, S, S).
        content: Height and width of what the image fills of `inputs`; the rest is padding.
        trace: CLIP's computation on it.
    """

    name: str
    pixels: np.ndarray
    inputs: Tensor
    content: tuple[int, int]
    trace: CLIPTrace

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.pixels.shape[:2]


@dataclass(frozen=True)
class Settings:
    """What may change from question to question; docs/method.md tells what each one does.

    Attributes:
        calibration: Similarities that make the attention, a mode of :class:`SVCNeck`.
        num_layers: Calibrated blocks, N_svc.
        texts: ``'attributes'``, ``'global'`` or ``'fuse'``.
        attribute_weight: λ.
        keep_ratio: K_r, in (0, 1].
        box_threshold: τ.
        par_iterations: Rounds of pixel-adaptive refinement; 0 leaves the maps as they are.
        dynamic: Whether the trained adapter calibrates maps and affinity.
        crf: Whether a DenseCRF sharpens pseudo label and prediction.
    """

    calibration: str
    num_layers: int
    texts: str
    attribute_weight: float
    keep_ratio: float
    box_threshold: float
    par_iterations: int
    dynamic: bool
    crf: bool = False

    def __post_init__(self) -> None:
        check_choice('Settings.calibration', self.calibration, SIMILARITIES)
        check_whole('Settings.num_layers', self.num_layers, ranges.CALIBRATED_BLOCKS)
        check_choice('Settings.texts', self.texts, MODES)
        check_number('Settings.attribute_weight', self.attribute_weight, ranges.ATTRIBUTE_WEIGHT)
        check_number('Settings.keep_ratio', self.keep_ratio, ranges.KEEP_RATIO)
        check_number('Settings.box_threshold', self.box_threshold, ranges.BOX_THRESHOLD)
        check_whole('Settings.par_iterations', self.par_iterations, pixel_adaptive.ITERATIONS)
        check_flag('Settings.dynamic', self.dynamic)
        check_flag('Settings.crf', self.crf)


@dataclass(frozen=True)
class Answer:
    """What the model sees in one image.

    Attributes:
        image: The image.
        tags: The K classes asked for.
        maps: Their class activation maps at the image's size, (K, H, W) float32 in 0..1.
        pseudo_label: Labels of the pixels made from the maps.
        prediction: The decoder's labels, in the classes it was trained on; None without a
            checkpoint.
        settings: How it was asked.
    """

    image: EncodedImage
    tags: tuple[str, ...]
    maps: np.ndarray
    pseudo_label: LabelMap
    prediction: LabelMap | None
    settings: Settings

    def save(self, folder: str | Path, caption: str = '') -> None:
        """Write label maps as palette PNGs, maps as one NPZ, and a panel of them all.

        Files are named after the image: ``NAME_pseudo_label.png``, ``NAME_prediction.png``,
        ``NAME_maps.npz`` (``tags`` and ``maps``) and ``NAME_panel.png``.
        """
        check_folder(folder, [self.image.name])
        if not isinstance(caption, str):
            raise BadInput(f'caption is {shown(caption)}, but must be a text.')
        stem = Path(folder) / self.image.name
        self.pseudo_label.save(f'{stem}_pseudo_label.png')
        titles = ['image', *self.tags, 'pseudo label']
        pictures = [self.image.pixels, *self.maps, self.pseudo_label.paint()]
        if self.prediction is not None:
            self.prediction.save(f'{stem}_prediction.png')
            titles.append('prediction')
            pictures.append(self.prediction.paint())
        content = io.BytesIO()
        np.savez_compressed(content, tags=np.array(self.tags, dtype=str), maps=self.maps)
        write_atomically(f'{stem}_maps.npz', content.getvalue())
        save_panel(f'{stem}_panel.png', titles, [('', pictures)], caption)


class TagInferencer:
    """Ask images for classes: those of a config, or any words.

    Args:
        config: Config file, the name of a packaged one (``'excel_voc'``), or a ``Config``.
        checkpoint: Of a model trained with this config. Default: None, training-free: no
            prediction and no dynamic maps.
        device: Default: the GPU if there is one, else the CPU.

    Raises:
        FileNotFoundError: If config, checkpoint or CLIP weights are missing.
        ValueError: If the checkpoint is none, or belongs to another CLIP or other classes.

    Example:
        >>> inferencer = TagInferencer('excel_voc', 'iter_30000.pth')
        >>> [answer] = inferencer('photo.jpg', tags=['cat', 'sofa'], out_dir='answers')
        >>> image = inferencer.encode('photo.jpg')  # CLIP runs once ...
        >>> inferencer.ask(image, ['left ear'], classes=['left ear', 'tail'])  # ... for any words
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path | None = None,
        device: str | None = None,
    ) -> None:
        device = get_device() if device is None else device
        check_device(device)
        self.config = read_config(config)
        check_parts(self.config, 'test_dataloader.dataset.type', 'test_dataloader.dataset.pipeline')
        self.model = build_model(self.config)
        self.trained = checkpoint is not None
        if self.trained:
            load_weights(self.model, checkpoint)
        else:
            self.model.init_weights()
        self.model.to(device).eval()
        self.vocabulary: Vocabulary = self.model.text_head.vocabulary
        self.palette = _palette(self.config, len(self.vocabulary.classes) + 1)
        _check_class_lists(self.config, self.vocabulary.classes)
        self.settings = _settings_of(self.model, dynamic=self.trained)
        with setting_up(self.config):
            self._pipeline = _array_pipeline(self.config)

    @property
    def notice(self) -> str:
        """What whoever sees the pictures must know; empty for a real CLIP."""
        return TOY_NOTICE if self.model.backbone.model == TOY_CLIP else ''

    def __call__(
        self,
        inputs: str | Path | np.ndarray | Sequence[str | Path | np.ndarray],
        tags: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        out_dir: str | Path | None = None,
    ) -> list[Answer]:
        """Answer for every image of the inputs.

        Args:
            inputs: Image file, folder of images, uint8 BGR array (H, W, 3) as ``mmcv.imread``
                returns it, or a list of these.
            tags: Classes the images show; see :meth:`ask`.
            classes: Any words, in place of the config's classes.
            out_dir: Where pictures and label maps are written. Default: None, nowhere.
        """
        images = named_images(inputs)
        if out_dir is not None:
            check_folder(out_dir, [name for name, _ in images])
        answers = []
        for name, item in images:
            answer = self.ask(self.encode(item, name), tags, classes)
            if out_dir is not None:
                answer.save(out_dir, self.notice)
            answers.append(answer)
        return answers

    @torch.no_grad()
    def encode(self, image: str | Path | np.ndarray, name: str = 'image') -> EncodedImage:
        """Run CLIP on an image file or a uint8 BGR array (H, W, 3).

        Args:
            image: File or array.
            name: Of the answer's files; an image file brings its own.

        Raises:
            BadInput: It is no image.
        """
        if isinstance(image, np.ndarray):
            check_array(image)
            check_file_name('name', name)
            bgr = image
        elif isinstance(image, str | Path):
            check_file(image, 'image')  # reading a device or a pipe would never end
            name, bgr = Path(image).stem, read_rgb(str(image))[..., ::-1]
        else:
            raise BadInput(f'{shown(image)} is neither an image file nor an array.')
        packed = self._pipeline(dict(img=np.ascontiguousarray(bgr)))
        batch = self.model.data_preprocessor(
            dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
        )
        pixels = np.ascontiguousarray(bgr[..., ::-1])
        # Every question needs the attention for its pseudo label: it is kept, too.
        trace = self.model.backbone(batch['inputs'], self.model.neck.num_attention)
        content = content_of(batch['inputs'], batch['data_samples'][0])
        return EncodedImage(name, pixels, batch['inputs'], content, trace)

    @torch.no_grad()
    def ask(
        self,
        image: EncodedImage,
        tags: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        backgrounds: Sequence[str] | None = None,
        settings: Settings | None = None,
    ) -> Answer:
        """Answer for one encoded image, without running CLIP's vision tower again.

        Args:
            image: From :meth:`encode`.
            tags: Classes the image shows. Default: all of `classes`; without those, the ones the
                trained decoder predicts.
            classes: Any words. Default: the config's classes.
            backgrounds: Names that compete with the classes. Default: the config's, without those
                that a class name contains as a word.
            settings: Default: ``self.settings``, the model's own.

        Raises:
            ValueError: If there are no tags, or a tag is none of the classes.
        """
        _check_encoded(image)
        settings = self._checked(settings)
        vocabulary = self.make_vocabulary(classes, backgrounds)
        if tags is not None:
            tags = check_tags(tags, vocabulary)
        prediction = self.predict(image, settings) if self.trained else None
        if tags is None:
            tags = check_tags(_default_tags(classes, prediction), vocabulary)
        maps = self.maps(image, vocabulary, settings)
        return Answer(
            image=image,
            tags=tags,
            maps=self._at_pixels(maps, [vocabulary.classes.index(tag) for tag in tags], image),
            pseudo_label=self._pseudo_label(image, maps, tags, vocabulary, settings),
            prediction=prediction,
            settings=settings,
        )

    # Parts ----------------------------------------------------------------------------------

    def make_vocabulary(
        self, classes: Sequence[str] | None = None, backgrounds: Sequence[str] | None = None
    ) -> Vocabulary:
        """The config's vocabulary, or one of any words."""
        own = self.vocabulary
        if backgrounds is not None:
            check_names('backgrounds', backgrounds)
        if classes is None:
            return own if backgrounds is None else replace(own, backgrounds=tuple(backgrounds))
        check_classes(classes)
        if backgrounds is None:
            words = {word for name in classes for word in name.lower().split()}
            backgrounds = [name for name in own.backgrounds if name not in words]
        known = dict(zip(own.classes, own.prompts, strict=True))
        prompts = {name: known[name] for name in classes if name in known}
        return make_vocabulary(classes, prompts, backgrounds)

    @torch.no_grad()
    def maps(
        self, image: EncodedImage, vocabulary: Vocabulary, settings: Settings | None = None
    ) -> Tensor:
        """Class activation maps of a vocabulary's n classes, (1, n, g_h, g_w) in 0..1."""
        settings = self._checked(settings)
        check_vocabulary(vocabulary)
        texts = self.texts(vocabulary, settings)
        embeddings = self.embeddings(image, settings)
        return class_maps(embeddings, texts, len(vocabulary.classes), image.trace.grid)

    def embeddings(self, image: EncodedImage, settings: Settings) -> Tensor:
        """F of an image, (1, N, C), calibrated as the settings say."""
        calibration = self.calibrate(image, settings)
        if not settings.dynamic:
            return calibration.embeddings()
        return calibration.shifted_embeddings(dynamic_relation(self.relation(image)))

    def calibrate(self, image: EncodedImage, settings: Settings) -> Calibration:
        """Statically calibrated tokens of an image."""
        _check_encoded(image)
        settings = self._checked(settings)
        neck = SVCNeck(settings.num_layers, settings.calibration, self.model.neck.num_attention)
        return neck(image.trace)

    @torch.no_grad()
    def relation(self, image: EncodedImage) -> Tensor:
        """Relation logits of the trained adapter, (1, P, P).

        Raises:
            ValueError: If there is no checkpoint.
        """
        if not self.trained:
            raise BadInput('Dynamic maps need a trained adapter: give a checkpoint.')
        _check_encoded(image)
        return self.model.image_relation(self.model.read(image.trace))

    def texts(self, vocabulary: Vocabulary, settings: Settings) -> Tensor:
        """Text embeddings (T, C) of a vocabulary.

        Classes of one's own hunt in the config's attributes, which needs no description of them.
        """
        check_vocabulary(vocabulary)
        settings = self._checked(settings)
        own = _settings_of(self.model, dynamic=False)
        names = ('texts', 'attribute_weight', 'keep_ratio')
        if vocabulary == self.vocabulary and all(
            getattr(settings, name) == getattr(own, name) for name in names
        ):
            return self.model.text_head.class_texts
        return self._texts(vocabulary, *(getattr(settings, name) for name in names))

    @functools.lru_cache(maxsize=32)  # noqa: B019  one inferencer lives as long as the process
    def _texts(
        self, vocabulary: Vocabulary, mode: str, attribute_weight: float, keep_ratio: float
    ) -> Tensor:
        if mode == 'fuse':
            source = self.model.text_head.settings['descriptions']
            texts = build_class_texts(
                self.text_encoder, vocabulary, mode='fuse', descriptions=source
            )
        else:
            texts = self._plain_texts(vocabulary).clone()
            if mode == 'attributes':
                n = len(vocabulary.classes)
                attributes = self.attribute_bank.attributes
                texts[:n] = hunt_attributes(texts[:n], attributes, keep_ratio, attribute_weight)
        return texts.to(self.model.text_head.class_texts.device)

    @functools.lru_cache(maxsize=32)  # noqa: B019
    def _plain_texts(self, vocabulary: Vocabulary) -> Tensor:
        return encode(self.text_encoder, vocabulary.texts)

    @functools.cached_property
    def text_encoder(self):
        """CLIP's text encoder, on the CPU."""
        return self.model.backbone.load_text_encoder()

    @functools.cached_property
    def attribute_bank(self) -> AttributeBank:
        """The attributes of the config's descriptions.

        Raises:
            FileNotFoundError: If the config has no descriptions.
        """
        head = self.model.text_head.settings
        if head['descriptions'] is None:
            raise FileNotFoundError(
                'Attributes need a description file: set model.text_head.descriptions in the '
                "config, or ask with texts='global'."
            )
        described = load_descriptions(head['descriptions'], self.vocabulary.classes)
        return get_attribute_bank(self.text_encoder, all_texts(described), head['num_attributes'])

    @torch.no_grad()
    def predict(self, image: EncodedImage, settings: Settings | None = None) -> LabelMap:
        """The trained decoder's labels of an image.

        Raises:
            ValueError: If there is no checkpoint.
        """
        if not self.trained:
            raise BadInput('A prediction needs a trained decoder: give a checkpoint.')
        settings = self._checked(settings)
        _check_encoded(image)
        logits = self.model.decode(self.model.read(image.trace))
        scores = self._resized(logits, image)[0]
        if settings.crf:
            scores = sharpened(image, scores.softmax(dim=0))
        return self._label_map(scores, self.vocabulary)

    def _pseudo_label(
        self,
        image: EncodedImage,
        maps: Tensor,
        tags: Sequence[str],
        vocabulary: Vocabulary,
        settings: Settings,
    ) -> LabelMap:
        scores = self._refine(image, maps, tags, vocabulary, settings)
        dense = scores.dense_scores(len(vocabulary.classes) + 1)
        dense = _resize(dense[..., : image.content[0], : image.content[1]], image.size)[0]
        if settings.crf:
            dense = sharpened(image, dense / dense.sum(dim=0))
        return self._label_map(dense, vocabulary)

    def _refine(
        self,
        image: EncodedImage,
        maps: Tensor,
        tags: Sequence[str],
        vocabulary: Vocabulary,
        settings: Settings,
    ) -> PseudoLabels:
        labeler = copy.deepcopy(self.model.pseudo_labeler)
        labeler.box_threshold = settings.box_threshold
        labeler.pixel_adaptive.iterations = settings.par_iterations
        multi_hot = maps.new_tensor([[float(name in tags) for name in vocabulary.classes]])
        affinity = predicted_affinity(self.relation(image)) if settings.dynamic else None
        attention = last_attention(image.trace, self.model.neck.num_attention, settings.num_layers)
        padded = pad_to_multiple(image.inputs, self.model.backbone.patch_size)
        images = self.model.images01(padded)
        refined = labeler(maps, attention, multi_hot, images, affinity)
        return refined.cropped(image.inputs.shape[2:])

    def _at_pixels(self, maps: Tensor, indices: Sequence[int], image: EncodedImage) -> np.ndarray:
        """Chosen maps of (1, n, g_h, g_w) at the image's size, (K, H, W)."""
        chosen = [self._resized(maps[:, index : index + 1], image)[0] for index in indices]
        return torch.cat(chosen).cpu().numpy() if chosen else np.zeros((0, *image.size), np.float32)

    def _resized(self, patches: Tensor, image: EncodedImage) -> Tensor:
        """Values of patches (1, C, g_h, g_w) at the image's size, (1, C, H, W)."""
        return _resize(self.model.unpadded(patches, image.content), image.size)

    def _checked(self, settings: Settings | None) -> Settings:
        """The settings, or the model's own; refuses more blocks than CLIP has."""
        settings = self.settings if settings is None else settings
        if not isinstance(settings, Settings):
            raise BadInput(f'settings is {shown(settings)}, but must be Settings.')
        blocks = self.model.backbone.num_layers
        check_whole('Settings.num_layers', settings.num_layers, f'[0, {blocks}]')
        return settings

    def _label_map(self, scores: Tensor, vocabulary: Vocabulary) -> LabelMap:
        """Argmax of scores (n+1, H, W)."""
        own = vocabulary.classes == self.vocabulary.classes
        return LabelMap(
            labels=scores.argmax(dim=0).byte().cpu().numpy(),
            classes=('background', *vocabulary.classes),
            palette=self.palette if own else voc_palette(len(vocabulary.classes) + 1),
        )


def _check_encoded(image: EncodedImage) -> None:
    if not isinstance(image, EncodedImage):
        raise BadInput(f'{shown(image)} is no encoded image: give what encode() returns.')


def sharpened(image: EncodedImage, probabilities: Tensor) -> Tensor:
    """Probabilities (n+1, H, W) after a DenseCRF, on the CPU."""
    return torch.from_numpy(DenseCRF()(image.pixels, probabilities.float().cpu().numpy()))


def read_config(config: str | Path | Config) -> Config:
    """Read a config file, or a packaged one by its name.

    Raises:
        FileNotFoundError: If there is neither.
        BadInput: If it cannot be read.
    """
    if isinstance(config, Config):
        return config
    if isinstance(config, str) and re.fullmatch(r'\w+', config) and not os.path.isfile(config):
        names = sorted(path.stem for path in CONFIGS.glob('*.py'))
        if config not in names:
            raise FileNotFoundError(
                f'There is no config {shown(config)}: give a file or one of the packaged ones, '
                f'{", ".join(names)}.'
            )
        config = CONFIGS / f'{config}.py'
    return read_config_file(config)


def build_model(config: Config, kind: type[Model] = ExCEL) -> Model:
    """Build the model of a config, without weights but CLIP's.

    Args:
        config: The config.
        kind: Which segmentor is needed. Default: :class:`ExCEL`.

    Raises:
        FileNotFoundError: If CLIP's weights are missing.
        BadInput: If the config has another model, or its settings are unusable.
    """
    register_all_modules(init_default_scope=True)
    if not isinstance(config, Config):
        raise BadInput(f'The config is {shown(config)}, but must be a Config: see read_config().')
    check_parts(config, 'model', 'model.backbone', 'model.text_head')
    with setting_up(config):
        model = MODELS.build(config.model)
    if not isinstance(model, kind):
        raise BadInput(
            f'{name_of(config)} has a model {type(model).__name__}, but this needs {kind.__name__}.'
        )
    return model


def load_weights(model: TagSegmentor, checkpoint: str | Path) -> None:
    """Load a checkpoint; no pickled code runs.

    Raises:
        FileNotFoundError: If there is no such file.
        BadInput: If it is no checkpoint of this model.
    """
    if not isinstance(model, ExCEL):
        raise BadInput(f'The model is {shown(model)}, but must be an ExCEL.')
    state = read_tensors(checkpoint)
    with naming(checkpoint):
        model.load_state_dict(state)


def _settings_of(model: ExCEL, dynamic: bool) -> Settings:
    texts = model.text_head.settings
    return Settings(
        calibration=model.neck.mode,
        num_layers=model.neck.num_layers,
        texts=texts['mode'],
        attribute_weight=texts['attribute_weight'],
        keep_ratio=texts['keep_ratio'],
        box_threshold=model.pseudo_labeler.box_threshold,
        par_iterations=model.pseudo_labeler.pixel_adaptive.iterations,
        dynamic=dynamic,
    )


def _check_class_lists(config: Config, classes: tuple[str, ...]) -> None:
    """Refuse a config whose data sets have other classes than its text head."""
    for purpose in ('train', 'val', 'test'):
        dataset = (config.get(f'{purpose}_dataloader') or {}).get('dataset')
        names = dataset and foreground_of(dataset)
        if names:
            check_same_classes(f'{purpose}_dataloader.dataset', names, classes)


def _array_pipeline(config: Config) -> Compose:
    """The config's test pipeline, for arrays in memory and without annotations."""
    steps = [
        dict(step)
        for step in config.test_dataloader.dataset.pipeline
        if step['type'] not in ('LoadAnnotations', 'LoadImageTags')
    ]
    steps[0] = dict(type='LoadImageFromNDArray')
    return Compose(steps)


def _palette(config: Config, num_labels: int) -> list[list[int]]:
    dataset = DATASETS.get(config.test_dataloader.dataset.type)
    palette = getattr(dataset, 'METAINFO', {}).get('palette')
    return palette if palette and len(palette) >= num_labels else voc_palette(num_labels)


def _default_tags(classes: Sequence[str] | None, prediction: LabelMap | None) -> Sequence[str]:
    if classes is not None:
        return classes
    if prediction is None:
        raise BadInput(
            'Say which classes the image shows (tags=[...]): without a checkpoint nothing '
            'else tells.'
        )
    return [name for name in prediction.shares() if name != 'background']


def _resize(values: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(values, size=tuple(size), mode='bilinear', align_corners=False)
