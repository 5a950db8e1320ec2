"""TagSegmentor: what all methods share, from pixels and tags to pseudo labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from mmengine.model import BaseDataPreprocessor
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..clip.frozen_clip import FrozenCLIP, pad_to_multiple
from ..utils.bad_input import BadInput
from ..utils.building import build
from ..utils.checks import check_flag, shown
from ..utils.class_lists import check_same_classes
from ..utils.plain import plain, sha256_of_tensors
from ..utils.room import check_init_cfg
from .attribute_text_head import AttributeTextHead
from .config_checks import check_preprocessor, check_pretrained, check_test_cfg, check_train_cfg
from .gradient_cam_head import GradientCAMHead
from .input_checks import (
    check_batch,
    check_images,
    check_samples,
    check_shapes,
    check_tags,
    stack_tags,
)
from .provenance import WholeCheckpoints
from .pseudo_label import PseudoLabeler, PseudoLabels
from .room_checks import check_texts

Built = TypeVar('Built', bound=nn.Module)


class TagSegmentor(WholeCheckpoints, BaseSegmentor):
    """A frozen CLIP that labels the pixels of tagged images.

    Pixels -> FrozenCLIP -> reading -> maps -> pseudo labeler -> labels. A method says how CLIP is
    read (:meth:`extract_feat`), what maps it makes of that (:meth:`maps`), which attention refines
    them (:meth:`attention`), and how refined maps become labels (:meth:`label`).

    Args:
        backbone: :class:`FrozenCLIP`.
        text_head: Owns vocabulary and class texts.
        pseudo_labeler: Turns maps into labels.
        data_preprocessor: mmseg's ``SegDataPreProcessor``.
        train_cfg: Unused; mmseg's tools set it.
        test_cfg: ``source``, one of ``SOURCES``: where predictions come from; the first one is the
            default. ``'cam'`` is training-free: the image's tags choose the classes. mmseg's
            ``mode`` may be ``'whole'``; there are no sliding windows.
        pretrained: Unused; mmseg's ``init_model`` sets it to None.

    Raises:
        BadInput: A setting is out of range, or rooms do not fit each other.
    """

    SOURCES: tuple[str, ...] = ('cam',)
    TEXT_HEAD: type[AttributeTextHead] = GradientCAMHead
    LABELER: type[nn.Module] = PseudoLabeler

    def __init__(
        self,
        backbone: dict,
        text_head: dict,
        pseudo_labeler: dict,
        data_preprocessor: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
        pretrained: None = None,
    ) -> None:
        check_preprocessor(data_preprocessor)
        test_cfg = {} if test_cfg is None else test_cfg
        check_test_cfg(test_cfg, self.SOURCES)
        check_train_cfg(train_cfg)
        check_pretrained(pretrained)
        check_init_cfg('model', init_cfg)
        super().__init__(
            data_preprocessor=built('data_preprocessor', data_preprocessor, BaseDataPreprocessor),
            init_cfg=init_cfg,
        )
        self.data_preprocessor.register_forward_pre_hook(_check_raw)
        self.backbone = built('backbone', backbone, FrozenCLIP)
        width = self.backbone.embed_dim
        self.text_head = built('text_head', text_head, self.TEXT_HEAD, in_channels=width)
        self.pseudo_labeler = built('pseudo_labeler', pseudo_labeler, self.LABELER)
        self.num_classes = self.text_head.num_foreground + 1
        self.align_corners = False
        self.train_cfg = train_cfg
        self.test_cfg = dict(source=self.SOURCES[0]) | test_cfg
        check_texts(self)

    # What a method is --------------------------------------------------------------------------

    @abstractmethod
    def extract_feat(self, inputs: Tensor, for_labels: bool = True) -> Any:
        """Read CLIP: all that the other steps need of a batch.

        Args:
            inputs: Normalised images, (B, 3, S, S).
            for_labels: Whether pseudo labels will be asked for; prediction needs less.
        """

    @abstractmethod
    def maps(self, reading: Any, tags: Tensor, relation: Tensor | None = None) -> Tensor:
        """Class activation maps, (B, n, g_h, g_w) in 0..1.

        Args:
            reading: Of :meth:`extract_feat`.
            tags: Multi-hot, (B, n). Maps of other classes may be zero.
            relation: Relation logits (B, P, P), for dynamic maps.
        """

    @abstractmethod
    def attention(self, reading: Any, dynamic: bool) -> Tensor:
        """CLIP's patch-to-patch attention that refines maps, (layers, B, P, P)."""

    @abstractmethod
    def label(
        self, reading: Any, inputs: Tensor, tags: Tensor, relation: Tensor | None = None
    ) -> PseudoLabels:
        """Label the pixels of a batch.

        Args:
            reading: Of :meth:`extract_feat`.
            inputs: What it was read from, (B, 3, S, S).
            tags: Multi-hot, (B, n).
            relation: Relation logits (B, P, P), in the dynamic phase.
        """

    # Set-up ------------------------------------------------------------------------------------

    def init_weights(self) -> None:
        """Initialise the trained rooms and compute the class texts."""
        super().init_weights()
        self.encode_classes()

    def encode_classes(self) -> None:
        """Compute the class texts, all that training-free use needs."""
        self.text_head.encode_classes(self.backbone.load_text_encoder())

    def provenance(self) -> dict:
        """What a checkpoint of this model belongs to: CLIP, classes, texts."""
        texts = plain(self.text_head.identity())
        return dict(
            clip=plain(self.backbone.identity()),
            classes=texts['vocabulary']['classes'],
            texts=texts,
        )

    def identity(self, trained: bool | None = None) -> dict:
        """All that decides the labels this model gives.

        Args:
            trained: Whether what was trained has a part in them. Default: as ``test_cfg`` says.
        """
        if trained is None:
            trained = self.test_cfg['source'] != 'cam'
        return dict(
            method=type(self).__name__,
            settings=self.settings(),
            rooms={type(room).__name__: plain(room) for room in self.rooms(trained)},
            inputs=plain(self.data_preprocessor),
            test_cfg=plain(self.test_cfg),
            weights=sha256_of_tensors(self.state_dict()) if trained or self.loaded else None,
        )

    def settings(self) -> dict:
        """Settings of the method that no room owns."""
        return {}

    def rooms(self, trained: bool) -> list[nn.Module]:
        """What labels come from, without or with what was trained."""
        return [self.backbone, self.text_head, self.pseudo_labeler]

    @property
    def loaded(self) -> bool:
        """Whether the class texts came with a checkpoint."""
        return self.text_head.loaded

    # Answers -----------------------------------------------------------------------------------

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """Raise: nothing is trained here."""
        raise BadInput(f'{type(self).__name__} trains nothing: test it, or export its labels.')

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Label the pixels of tagged images; results have each sample's ``ori_shape``."""
        check_images(inputs)
        check_samples(data_samples, len(inputs))
        check_shapes(data_samples)
        return self.to_pixels(self.pseudo_labels(inputs, data_samples), data_samples)

    def to_pixels(
        self, pseudo: PseudoLabels, data_samples: list[SegDataSample]
    ) -> list[SegDataSample]:
        """Bring pseudo labels of a batch to each sample's ``ori_shape``, as its prediction."""
        return self.postprocess_result(pseudo.dense_scores(self.num_classes), data_samples)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict] | None = None) -> Tensor:
        """Raise: without tags there is no answer."""
        raise BadInput(f'{type(self).__name__} has no decoder: it needs the tags of an image.')

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        return self.encode_decode(inputs)

    @torch.no_grad()
    def class_activation_maps(
        self, inputs: Tensor, tags: Tensor | None = None, dynamic: bool = False
    ) -> Tensor:
        """Maps of images.

        Args:
            inputs: Normalised images, (B, 3, height, width).
            tags: Multi-hot, (B, n). Default: all classes.
            dynamic: Whether the trained adapter calibrates them. Default: False.

        Returns:
            (B, n, g_h, g_w) in 0..1.
        """
        check_images(inputs)
        check_flag('dynamic', dynamic)
        if tags is None:
            tags = inputs.new_ones(len(inputs), self.text_head.num_foreground)
        check_tags(tags, inputs, self.text_head.num_foreground)
        reading = self.extract_feat(inputs)
        return self.maps(reading, tags, self.image_relation(reading) if dynamic else None)

    @torch.no_grad()
    def pseudo_labels(
        self, inputs: Tensor, data_samples: list[SegDataSample], dynamic: bool = False
    ) -> PseudoLabels:
        """Label the pixels of images whose tags are known.

        Args:
            inputs: Normalised images, (B, 3, S, S).
            data_samples: Samples with ``gt_tags``.
            dynamic: Whether the trained adapter calibrates maps and affinity. Default: False,
                the training-free pseudo labels.
        """
        check_flag('dynamic', dynamic)
        tags = self.tags_of(inputs, data_samples)
        reading = self.extract_feat(inputs)
        relation = self.image_relation(reading) if dynamic else None
        return self.label(reading, inputs, tags, relation)

    def image_relation(self, reading: Any) -> Tensor:
        """Relation logits of each image by itself, (B, P, P).

        Raises:
            BadInput: Nothing is trained here.
        """
        raise BadInput(f'{type(self).__name__} trains nothing: it has no dynamic maps.')

    # Inputs ------------------------------------------------------------------------------------

    def tags_of(self, inputs: Tensor, data_samples: list[SegDataSample] | None) -> Tensor:
        """Multi-hot tags of a batch, (B, n), whose images and samples are checked."""
        check_images(inputs)
        check_samples(data_samples, len(inputs))
        self._check_class_names(data_samples or ())
        return stack_tags(data_samples, self.text_head.num_foreground)

    def levels(self, inputs: Tensor) -> Tensor:
        """Undo the normalisation: RGB in 0..255, not whole numbers."""
        levels = inputs * self.data_preprocessor.std + self.data_preprocessor.mean
        return levels.clamp(0, 255)

    def padded(self, inputs: Tensor) -> Tensor:
        """Inputs padded to whole patches, as the backbone sees them."""
        return pad_to_multiple(inputs, self.backbone.patch_size)

    def _check_class_names(self, data_samples: Sequence[SegDataSample]) -> None:
        """Refuse images of a data set whose classes are not the model's, name by name."""
        own = self.text_head.vocabulary.classes
        for sample in data_samples:
            names = sample.get('foreground')
            if names is not None and not isinstance(names, list | tuple):
                raise BadInput(
                    f'foreground of a data sample is {shown(names)}, but must be a list.'
                )
            if names is not None and tuple(names) != own:
                whose = f"The data set of '{sample.get('img_path', 'an image')}'"
                check_same_classes(whose, names, own)


def _check_raw(_preprocessor: nn.Module, given: tuple) -> None:
    """Broadcasting would normalise images of any number of channels."""
    check_batch(given[0] if given else None)


def built(room: str, config: dict, kind: type[Built], **facts: int) -> Built:
    """Build a room of a segmentor.

    Args:
        room: Its name in the segmentor's config.
        config: Its own.
        kind: What it must be.
        **facts: Settings that other rooms decide, where the config says nothing or None.

    Raises:
        BadInput: Something is wrong with its config, or it describes another kind of room.
    """
    if isinstance(config, Mapping):
        _check_kind(room, config.get('type'), kind)
        config = facts | {k: v for k, v in config.items() if v is not None or k not in facts}
    return build(MODELS, f'model.{room}', config)


def _check_kind(room: str, given: object, kind: type) -> None:
    cls = MODELS.get(given) if isinstance(given, str) else given
    if isinstance(cls, type) and not issubclass(cls, kind):
        raise BadInput(
            f'model.{room}.type is {shown(given)}, but must be {kind.__name__}, or a class '
            'derived from it.'
        )
