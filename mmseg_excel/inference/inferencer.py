"""TagInferencer: images and words in; maps, labels and pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.structures import LabelData
from mmseg.registry import DATASETS, MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from ..datasets.metainfo import foreground_of
from ..datasets.palette import voc_palette
from ..densecrf import DenseCRF
from ..densecrf.pool import named_channels
from ..models.attribute_text_head import AttributeTextHead
from ..models.settings import Settings
from ..models.tag_segmentor import TagSegmentor
from ..models.tags import pack_tags
from ..models.trained_segmentor import TrainedSegmentor
from ..text.vocabulary import Vocabulary, make_vocabulary
from ..text.wordbook import Wordbook
from ..utils.bad_input import BadInput
from ..utils.building import class_of
from ..utils.checks import shown
from ..utils.class_lists import check_same_classes
from ..utils.config_errors import setting_up
from ..utils.config_parts import check_parts
from ..utils.devices import check_device
from ..utils.images import read_rgb
from ..utils.text_file import check_file
from .answers import Answer, EncodedImage
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
from .loading import build_model, load_weights, read_config

TOY_CLIP = 'excel-toy'
TOY_NOTICE = (
    'Toy world: generated scenes and a tiny CLIP. These pictures say nothing about VOC or COCO.'
)


class TagInferencer:
    """Ask images for classes: those of a config, or any words.

    Args:
        config: Config file, the name of a packaged one (``'excel_voc'``), or a ``Config``, of any
            method.
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
        self.model: TagSegmentor = build_model(self.config)
        _check_whole(self.model)
        self.trained = checkpoint is not None and isinstance(self.model, TrainedSegmentor)
        if checkpoint is None:
            self.model.encode_classes()  # nothing else is used
        else:
            load_weights(self.model, checkpoint)
        self.model.to(device).eval()
        head: AttributeTextHead = self.model.text_head
        self.vocabulary = head.vocabulary
        self.palette = _palette(self.config, len(self.vocabulary.classes) + 1)
        _check_class_lists(self.config, self.vocabulary.classes)
        self.settings: Settings = replace(self.model.settings, dynamic=self.trained)
        self.words = Wordbook(
            self.model.backbone.load_text_encoder,
            self.vocabulary,
            head.settings['descriptions'],
            head.settings['num_attributes'],
            head.settings['bank'],
        )
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
        return EncodedImage(
            name=name,
            pixels=np.ascontiguousarray(bgr[..., ::-1]),
            inputs=batch['inputs'],
            sample=batch['data_samples'][0],
            trace=self.model.trace(batch['inputs']),
        )

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
        model = self._asked(vocabulary, settings)
        sample = _tagged(image, tags, vocabulary)
        packed = pack_tags([sample.gt_tags.multi_hot.tolist()], image.inputs.device)
        reading, relation = model.read(image.trace), self._relation(image, settings)
        maps = model.maps(reading, packed, relation)
        pseudo = model.label(maps, reading, image.inputs, packed, relation)
        shown_maps = maps[:, [vocabulary.classes.index(tag) for tag in tags]]
        return Answer(
            image=image,
            tags=tags,
            maps=_at_pixels(model, shown_maps, image),
            pseudo_label=self._pseudo_label(model, pseudo, sample, image, settings),
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
        _check_encoded(image)
        settings = self._checked(settings)
        model = self._asked(vocabulary, settings)
        every = pack_tags([[1] * len(vocabulary.classes)], image.inputs.device)
        return model.maps(model.read(image.trace), every, self._relation(image, settings))

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

    def texts(self, vocabulary: Vocabulary, settings: Settings | None = None) -> Tensor:
        """Text embeddings (T, C) of a vocabulary.

        Classes of one's own hunt in the config's attributes, which needs no description of them.
        """
        check_vocabulary(vocabulary)
        settings = self._checked(settings)
        own = self.model.text_head.class_texts
        if vocabulary == self.vocabulary and settings.texts_from == self.model.settings.texts_from:
            return own
        return self.words.texts(vocabulary, **settings.texts_from).to(own.device)

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
        sample = _tagged(image, (), self.vocabulary)
        [result] = self.model.segment(self.model.read(image.trace), image.inputs, [sample])
        labels = _labels_of(result)
        if settings.crf:
            probabilities = result.seg_logits.data.softmax(dim=0)
            labels = self._sharpened(image, probabilities, 'tta_model.post_processor')
        return self._label_map(labels, self.vocabulary)

    @torch.no_grad()
    def correlations(
        self, image: EncodedImage, settings: Settings | None = None
    ) -> dict[str, Tensor]:
        """How patches attend to each other: name -> (P, P), rows are queries."""
        _check_encoded(image)
        settings = self._checked(settings)
        relation = self.relation(image) if self.trained else None
        return self.model.asked(settings).correlations(image.trace, relation)

    def _asked(self, vocabulary: Vocabulary, settings: Settings) -> TagSegmentor:
        texts = self.texts(vocabulary, settings)
        return self.model.asked(settings, self.model.text_head.asked(vocabulary, texts))

    def _relation(self, image: EncodedImage, settings: Settings) -> Tensor | None:
        return self.relation(image) if settings.dynamic else None

    def _pseudo_label(
        self,
        model: TagSegmentor,
        pseudo: object,
        sample: SegDataSample,
        image: EncodedImage,
        settings: Settings,
    ) -> LabelMap:
        if settings.crf:
            scores, names = model.scores_at_pixels(pseudo, 0, sample)
            channels = self._sharpened(image, scores, 'label_crf')
            labels = named_channels(names.cpu().numpy().astype(np.uint8))[channels]
        else:
            [result] = model.to_pixels(pseudo, [sample])
            labels = _labels_of(result)
        return self._label_map(labels, model.text_head.vocabulary)

    def _sharpened(self, image: EncodedImage, probabilities: Tensor, setting: str) -> np.ndarray:
        """Channels of the pixels, uint8 (H, W), after the DenseCRF that a setting describes."""
        config = self.config
        for key in setting.split('.'):
            config = (config or {}).get(key)
        with setting_up(self.config):
            crf: DenseCRF = MODELS.build(config or dict(type='DenseCRF'))
        return crf.label(image.pixels, probabilities.float()).cpu().numpy()

    def _checked(self, settings: Settings | None) -> Settings:
        """The settings, or the model's own."""
        if settings is None:
            return self.settings
        self.model.check_settings(settings)
        return settings

    def _label_map(self, labels: np.ndarray, vocabulary: Vocabulary) -> LabelMap:
        own = vocabulary.classes == self.vocabulary.classes
        return LabelMap(
            labels=labels,
            classes=('background', *vocabulary.classes),
            palette=self.palette if own else voc_palette(len(vocabulary.classes) + 1),
        )


def _check_whole(model: TagSegmentor) -> None:
    """Refuse sliding windows: CLIP sees an image once, and any question is asked of that."""
    if model.test_cfg.get('mode') == 'slide':
        raise BadInput(
            "model.test_cfg.mode is 'slide', but the inferencer takes images whole: set it to "
            "'whole', or segment large images with tools/test.py or mmseg's inference_model."
        )


def _check_encoded(image: EncodedImage) -> None:
    if not isinstance(image, EncodedImage):
        raise BadInput(f'{shown(image)} is no encoded image: give what encode() returns.')


def _tagged(image: EncodedImage, tags: Sequence[str], vocabulary: Vocabulary) -> SegDataSample:
    """A fresh sample of an image that carries tags."""
    sample = SegDataSample(metainfo=image.sample.metainfo)
    hot = torch.tensor([float(name in tags) for name in vocabulary.classes])
    sample.gt_tags = LabelData(metainfo=dict(multi_hot=hot))
    return sample


def _labels_of(result: SegDataSample) -> np.ndarray:
    """Labels of a prediction, uint8 (H, W)."""
    return result.pred_sem_seg.data[0].byte().cpu().numpy()


def _at_pixels(model: TagSegmentor, maps: Tensor, image: EncodedImage) -> np.ndarray:
    """Maps (1, K, g_h, g_w) at the image's size, (K, H, W)."""
    if not maps.shape[1]:  # torch resizes no empty stack
        return np.zeros((0, *image.size), np.float32)
    return model.maps_at_pixels(maps, image.inputs, image.sample).cpu().numpy()


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
    dataset = class_of(DATASETS, config.test_dataloader.dataset.type)
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
