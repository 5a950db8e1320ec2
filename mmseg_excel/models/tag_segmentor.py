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

from ..clip.frozen_clip import CLIPTrace, FrozenCLIP, pad_to_multiple
from ..ops.resize import resize
from ..ops.windows import Windows
from ..utils.bad_input import BadInput
from ..utils.building import build, class_of
from ..utils.checks import check_flag, shown
from ..utils.class_lists import check_same_classes
from ..utils.devices import compute_float32_exactly
from ..utils.plain import plain, sha256_of_tensors
from ..utils.room import check_init_cfg, sibling
from .attribute_text_head import AttributeTextHead
from .config_checks import check_preprocessor, check_pretrained, check_test_cfg, check_train_cfg
from .correlations import last_correlations
from .gradient_cam_head import GradientCAMHead
from .input_checks import (
    check_batch,
    check_images,
    check_samples,
    check_shapes,
    check_tags,
    multi_hot_tags,
)
from .provenance import WholeCheckpoints
from .pseudo_label import PseudoLabeler, PseudoLabels
from .room_checks import check_texts
from .settings import Settings
from .tags import Tags, pack_tags

Built = TypeVar('Built', bound=nn.Module)
Self = TypeVar('Self', bound='TagSegmentor')


class TagSegmentor(WholeCheckpoints, BaseSegmentor):
    """A frozen CLIP that labels the pixels of tagged images.

    Pixels -> FrozenCLIP -> trace -> reading -> maps -> pseudo labeler -> labels. A method says how
    a trace of CLIP is read (:meth:`read`), what maps it makes of that (:meth:`maps`), which
    attention refines them (:meth:`attention`), and how maps become labels (:meth:`label`). The same
    steps serve training, testing, export, figures and the page; a question with other settings goes
    to a sibling of the model (:meth:`asked`).

    Args:
        backbone: :class:`FrozenCLIP`.
        text_head: Owns vocabulary and class texts.
        pseudo_labeler: Turns maps into labels.
        data_preprocessor: :class:`AsyncDataPreProcessor`, or mmseg's ``SegDataPreProcessor``.
        train_cfg: Unused; mmseg's tools set it.
        test_cfg: ``source``, one of ``SOURCES``: where predictions come from; the first one is the
            default. ``'cam'`` is training-free: the image's tags choose the classes. mmseg's
            ``mode``: ``'whole'`` (default), or ``'slide'`` with ``crop_size`` and ``stride``, both
            (height, width): what is said of overlapping windows is averaged.
        pretrained: Unused; mmseg's ``init_model`` sets it to None.

    Raises:
        BadInput: A setting is out of range, or rooms do not fit each other.
    """

    #: What the method is called in figures and tables.
    NAME: str
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
        compute_float32_exactly()
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

    @property
    @abstractmethod
    def num_attention(self) -> int:
        """How many of CLIP's last layers give the attention that refines maps."""

    @property
    def num_inner(self) -> int:
        """How many of CLIP's last blocks it looks into."""
        return 0

    @property
    @abstractmethod
    def settings(self) -> Settings:
        """How it answers unless asked otherwise."""

    def read(self, trace: CLIPTrace) -> Any:
        """All that the other steps need of a trace; by default the trace itself."""
        return trace

    @abstractmethod
    def maps(self, reading: Any, tags: Tags, relation: Tensor | None = None) -> Tensor:
        """Class activation maps, (B, n, g_h, g_w) in 0..1.

        Args:
            reading: Of :meth:`read`.
            tags: Of the images. Maps of other classes may be zero.
            relation: Relation logits (B, P, P), for dynamic maps.
        """

    @abstractmethod
    def attention(self, reading: Any, dynamic: bool) -> Tensor:
        """CLIP's patch-to-patch attention that refines maps, (layers, B, P, P)."""

    @abstractmethod
    def label(
        self,
        maps: Tensor,
        reading: Any,
        inputs: Tensor,
        tags: Tags,
        relation: Tensor | None = None,
    ) -> PseudoLabels:
        """Label the pixels of a batch.

        Args:
            maps: Of :meth:`maps`, (B, n, g_h, g_w).
            reading: Of :meth:`read`.
            inputs: What it was read from, (B, 3, S, S).
            tags: Of the images.
            relation: Relation logits (B, P, P), in the dynamic phase.
        """

    def correlations(self, trace: CLIPTrace, relation: Tensor | None = None) -> dict[str, Tensor]:
        """How the patches of an image attend to each other, to be looked at.

        Args:
            trace: Of :meth:`trace`, one image.
            relation: Relation logits (1, P, P), if the trained adapter has a part in it.

        Returns:
            Name -> (P, P), rows are queries: CLIP's own in the last block, then the method's.
        """
        return last_correlations(trace)

    def check_settings(self, settings: Settings) -> None:
        """Refuse settings of another method, or such as this CLIP cannot answer.

        Raises:
            BadInput: Names the setting and what it must be.
        """
        wanted = type(self.settings)
        if not isinstance(settings, wanted):
            raise BadInput(f'settings is {shown(settings)}, but must be {wanted.__name__}.')

    def asked(self: Self, settings: Any, text_head: AttributeTextHead | None = None) -> Self:
        """A sibling as settings ask it, with the same weights.

        Args:
            settings: Of the kind of :attr:`settings`.
            text_head: Its classes and texts. Default: the model's own.
        """
        text_head = self.text_head if text_head is None else text_head
        return sibling(
            self,
            text_head=text_head,
            num_classes=text_head.num_foreground + 1,
            pseudo_labeler=self.pseudo_labeler.asked(settings),
        )

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
        texts: Any = plain(self.text_head.identity())
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
            settings=self.particulars(),
            rooms={type(room).__name__: plain(room) for room in self.rooms(trained)},
            inputs=plain(self.data_preprocessor),
            test_cfg=plain(self.test_cfg),
            weights=sha256_of_tensors(self.state_dict()) if trained or self.loaded else None,
        )

    def particulars(self) -> dict:
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

    def windows(self, inputs: Tensor) -> Windows | None:
        """The windows that slide over images (B, 3, H, W); None if these are taken whole."""
        if self.test_cfg.get('mode') != 'slide':
            return None
        windows = Windows(tuple(self.test_cfg['crop_size']), tuple(self.test_cfg['stride']))
        size = tuple(inputs.shape[2:])
        return None if windows.within(size) == size else windows

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
        pseudo = self.pseudo_labels(inputs, data_samples)  # refuses images without samples
        return self.to_pixels(pseudo, data_samples or [])

    def extract_feat(self, inputs: Tensor, for_labels: bool = True) -> Any:
        """Trace CLIP and read it, and forget what nobody needs any more.

        Args:
            inputs: Normalised images, (B, 3, S, S).
            for_labels: Whether pseudo labels will be asked for; prediction needs less.
        """
        num_attention = self.num_attention if for_labels else 0
        trace = self.backbone(inputs, num_attention, inner_layers=self.num_inner)
        reading = self.read(trace)
        trace.drop_inner()
        return reading

    def trace(self, inputs: Tensor) -> CLIPTrace:
        """CLIP's computation with all that any question needs, for siblings to read."""
        check_images(inputs)
        return self.backbone(inputs, self.num_attention)

    def to_pixels(self, pseudo: Any, data_samples: list[SegDataSample]) -> list[SegDataSample]:
        """Bring pseudo labels of a batch to each sample's ``ori_shape``, as its prediction."""
        return self.postprocess_result(pseudo.dense_scores(self.num_classes), data_samples)

    def scores_at_pixels(
        self, pseudo: Any, index: int, sample: SegDataSample
    ) -> tuple[Tensor, Tensor]:
        """Scores of an image's background and tags at its ``ori_shape``, for a CRF to refine.

        Returns:
            Scores, (1 + k, *ori_shape), and the label of each, (1 + k,).
        """
        content = content_of(pseudo.labels.shape[1:], sample)
        return pseudo.cropped(content).at(index, sample.ori_shape)

    def maps_at_pixels(self, maps: Tensor, inputs: Tensor, sample: SegDataSample) -> Tensor:
        """Maps (1, K, g_h, g_w) of an image at its ``ori_shape``: (K, *ori_shape)."""
        content = self.unpadded(maps, content_of(inputs.shape[2:], sample))
        return resize(content, sample.ori_shape)[0]

    def unpadded(self, patches: Tensor, size: Sequence[int]) -> Tensor:
        """Values of patches; if these reach beyond the image, values of its pixels.

        Args:
            patches: (B, C, g_h, g_w).
            size: Of the image, (height, width).
        """
        covered = self.covered_by(patches)
        if covered == list(size):
            return patches
        return resize(patches, covered)[..., : size[0], : size[1]]

    def covered_by(self, patches: Tensor) -> list[int]:
        """Height and width in pixels that patches (B, C, g_h, g_w) cover, padding included."""
        return [side * self.backbone.patch_size for side in patches.shape[2:]]

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
            multi_hot = [[1] * self.text_head.num_foreground] * len(inputs)
        else:
            check_tags(tags, inputs, self.text_head.num_foreground)
            multi_hot = tags.tolist()
        reading, packed = self.extract_feat(inputs), pack_tags(multi_hot, inputs.device)
        return self.maps(reading, packed, self.image_relation(reading) if dynamic else None)

    @torch.no_grad()
    def pseudo_labels(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None, dynamic: bool = False
    ) -> Any:
        """Label the pixels of images whose tags are known.

        Args:
            inputs: Normalised images, (B, 3, S, S).
            data_samples: Samples with ``gt_tags``.
            dynamic: Whether the trained adapter calibrates maps and affinity. Default: False,
                the training-free pseudo labels.
        """
        check_flag('dynamic', dynamic)
        tags = self.tags_of(inputs, data_samples)
        windows = self.windows(inputs)
        if windows is None:
            return self.whole_labels(inputs, tags, dynamic)
        scores = windows.average(lambda cut: self._window_scores(cut, tags, dynamic), inputs)
        return self.pseudo_labeler.labels_of(scores, tags)

    def whole_labels(self, inputs: Tensor, tags: Tags, dynamic: bool) -> PseudoLabels:
        """Label the pixels of images (B, 3, S, S) that are taken whole."""
        reading = self.extract_feat(inputs)
        relation = self.image_relation(reading) if dynamic else None
        return self.label(self.maps(reading, tags, relation), reading, inputs, tags, relation)

    def _window_scores(self, windows: Tensor, tags: Tags, dynamic: bool) -> Tensor:
        """Scores at the pixels of windows (k * B, 3, h, w) of B images."""
        own_tags = tags.repeated(len(windows) // len(tags.classes))
        return self.scores_in(self.whole_labels(windows, own_tags, dynamic), windows.shape[2:])

    def scores_in(self, pseudo: Any, size: Sequence[int]) -> Tensor:
        """What scores say of the pixels of inputs of a size, (B, K', *size)."""
        return pseudo.scores

    def image_relation(self, reading: Any) -> Tensor:
        """Relation logits of each image by itself, (B, P, P).

        Raises:
            BadInput: Nothing is trained here.
        """
        raise BadInput(f'{type(self).__name__} trains nothing: it has no dynamic maps.')

    # Inputs ------------------------------------------------------------------------------------

    def tags_of(self, inputs: Tensor, data_samples: list[SegDataSample] | None) -> Tags:
        """Tags of a batch, whose images and samples are checked."""
        check_images(inputs)
        check_samples(data_samples, len(inputs))
        self._check_class_names(data_samples or ())
        multi_hot = multi_hot_tags(data_samples, self.text_head.num_foreground)
        return pack_tags(multi_hot, inputs.device, self.places_of_tags(data_samples or []))

    def places_of_tags(self, data_samples: list[SegDataSample]) -> list[list[int] | None] | None:
        """Per image, the place of each class among its tags; None where it is no matter."""
        return None

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


def padding_of(sample: SegDataSample) -> Sequence[int]:
    """What mmseg's data preprocessor added to an image: left, right, top, bottom."""
    nothing = (0, 0, 0, 0)
    return sample.metainfo.get('img_padding_size', sample.metainfo.get('padding_size', nothing))


def content_of(size: Sequence[int], sample: SegDataSample) -> tuple[int, int]:
    """Height and width that an image fills of inputs of a size; the rest is padding."""
    _, right, _, bottom = padding_of(sample)
    return size[0] - bottom, size[1] - right


def _check_raw(_preprocessor: nn.Module, given: tuple) -> None:
    """Broadcasting would normalise images of any number of channels."""
    check_batch(given[0] if given else None)


def built(room: str, config: Any, kind: type[Built], **facts: int) -> Built:
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
    cls = class_of(MODELS, given)
    if isinstance(cls, type) and not issubclass(cls, kind):
        raise BadInput(
            f'model.{room}.type is {shown(given)}, but must be {kind.__name__}, or a class '
            'derived from it.'
        )
