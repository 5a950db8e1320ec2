"""ExCEL, the segmentor: it wires the rooms and computes nothing itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..utils.bad_input import BadInput
from ..utils.building import build
from ..utils.checkpoints import check_tensors
from ..utils.checks import shown
from ..utils.class_lists import check_same_classes, first_different_name
from ..utils.plain import plain, sha256_of_tensors
from ..utils.records import first_difference, told
from .attribute_text_head import ORIGIN, AttributeTextHead
from .clip_backbone import FrozenCLIP, pad_to_multiple
from .config_checks import check_preprocessor, check_test_cfg
from .input_checks import check_images, check_samples, check_shapes, stack_tags
from .losses import DiversityLoss
from .lvc_adapter import LVCAdapter, dynamic_relation, predicted_affinity
from .pseudo_label import PseudoLabeler, PseudoLabels
from .resize import resize_by_products
from .room_checks import check_rooms
from .svc_neck import Calibration, SVCNeck
from .transformer_head import TransformerHead

PROVENANCE_KEY = 'provenance'
_LONGEST_PROVENANCE = 10**6


@dataclass
class Phase:
    """What supervises a training iteration (docs/method.md, section 8).

    Attributes:
        dynamic: Whether maps and affinity are calibrated by the adapter.
        pairs_from_prediction: Whether the pair labels of the diversity loss come from the
            prediction instead of the pseudo label.
    """

    dynamic: bool = False
    pairs_from_prediction: bool = False


@MODELS.register_module()
class ExCEL(BaseSegmentor):
    """Weakly supervised segmentor that learns from image tags (Yang et al., CVPR 2025).

    Pixels -> FrozenCLIP -> SVCNeck -> AttributeTextHead -> maps -> PseudoLabeler -> labels, and
    SVCNeck -> LVCAdapter -> TransformerHead -> logits -> losses.

    Args:
        backbone: :class:`FrozenCLIP`.
        neck: :class:`SVCNeck`.
        text_head: :class:`AttributeTextHead`.
        adapter: :class:`LVCAdapter`.
        decode_head: :class:`TransformerHead`.
        pseudo_labeler: :class:`PseudoLabeler`.
        loss_diversity: :class:`DiversityLoss`.
        data_preprocessor: mmseg's ``SegDataPreProcessor``.
        train_cfg: Unused; mmseg's tools set it.
        test_cfg: ``source`` is ``'decoder'`` (default) or ``'cam'``: training-free, the image's
            tags choose the classes. mmseg's ``mode`` may be ``'whole'``; there are no sliding
            windows.

    Raises:
        BadInput: A setting is out of range, or rooms do not fit each other.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        text_head: dict,
        adapter: dict,
        decode_head: dict,
        pseudo_labeler: dict,
        loss_diversity: dict,
        data_preprocessor: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        check_preprocessor(data_preprocessor)
        test_cfg = {} if test_cfg is None else test_cfg
        check_test_cfg(test_cfg)
        super().__init__(
            data_preprocessor=_build('data_preprocessor', data_preprocessor), init_cfg=init_cfg
        )
        self.backbone: FrozenCLIP = _build('backbone', backbone)
        self.neck: SVCNeck = _build('neck', neck)
        self.text_head: AttributeTextHead = _build('text_head', text_head)
        self.adapter: LVCAdapter = _build('adapter', adapter)
        self.decode_head: TransformerHead = _build('decode_head', decode_head)
        self.pseudo_labeler: PseudoLabeler = _build('pseudo_labeler', pseudo_labeler)
        self.loss_diversity: DiversityLoss = _build('loss_diversity', loss_diversity)
        self.align_corners = self.decode_head.align_corners
        self.num_classes = self.decode_head.num_classes
        self.train_cfg = train_cfg
        self.test_cfg = dict(source='decoder') | test_cfg
        self.phase = Phase()
        check_rooms(self)
        self._loads_parts = False
        self._register_state_dict_hook(_save_provenance)

    # Set-up ---------------------------------------------------------------------------------

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
            trained: Whether the adapter and the decoder have a part in them. Default: as
                ``test_cfg`` says.
        """
        if trained is None:
            trained = self.test_cfg['source'] == 'decoder'
        rooms = [self.backbone, self.text_head, self.neck, self.pseudo_labeler]
        if trained:
            rooms += [self.adapter, self.decode_head]
        return dict(
            rooms={type(room).__name__: plain(room) for room in rooms},
            inputs=plain(self.data_preprocessor),
            test_cfg=plain(self.test_cfg),
            weights=sha256_of_tensors(self.state_dict()) if trained or self.loaded else None,
        )

    @property
    def loaded(self) -> bool:
        """Whether the class texts came with a checkpoint."""
        return self.text_head.loaded

    # Training -------------------------------------------------------------------------------

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """Losses of a batch (B, 3, S, S) whose samples carry ``gt_tags``."""
        tags = self._tags(inputs, data_samples)
        calibration = self._calibrate_for_labels(inputs)
        fused = self._fuse(calibration)
        relation = self.adapter.relation_logits(fused, over_batch=True)

        # The method's one loop: adapter features calibrate the maps that supervise the adapter.
        dynamic = relation if self.phase.dynamic else None
        labels = self._label(calibration, inputs, tags, dynamic).labels
        del calibration  # before the decoder and the losses need as much

        logits = self.decode_head(fused)
        full = resize_by_products(logits, inputs.shape[2:])
        loss_decode = self.decode_head.loss_decode
        pair_labels = full.max(dim=1).indices if self.phase.pairs_from_prediction else labels
        return {
            loss_decode.loss_name: loss_decode(full, labels),
            'loss_diversity': self.loss_diversity(
                predicted_affinity(relation), _at_patches(pair_labels, logits.shape[2:])
            ),
        }

    # Inference ------------------------------------------------------------------------------

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Segment a batch; results have each sample's ``ori_shape``."""
        check_images(inputs)
        check_samples(data_samples, len(inputs))
        check_shapes(data_samples)
        self._check_class_names(data_samples or ())
        if self.test_cfg['source'] == 'cam':
            return self.postprocess_result(self._tag_scores(inputs, data_samples), data_samples)
        if data_samples is None:
            return self.postprocess_result(self.encode_decode(inputs))
        return self.postprocess_result(self._unpadded_logits(inputs, data_samples), data_samples)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict] | None = None) -> Tensor:
        """Logits at the size of the inputs, (B, n+1, height, width)."""
        return _resize(self._unpadded_logits(inputs), inputs.shape[2:])

    def lowres_logits(self, inputs: Tensor) -> Tensor:
        """Logits of the patches, (B, n+1, g_h, g_w)."""
        return self.decode(self.extract_feat(inputs))

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        return self.lowres_logits(inputs)

    @torch.no_grad()
    def class_activation_maps(self, inputs: Tensor, dynamic: bool = False) -> Tensor:
        """Patch-text maps of all foreground classes.

        Args:
            inputs: Normalised images, (B, 3, height, width).
            dynamic: Whether the trained adapter calibrates them. Default: False.

        Returns:
            (B, n, g_h, g_w) in 0..1.
        """
        calibration = self.extract_feat(inputs)
        relation = self.image_relation(calibration) if dynamic else None
        return self._maps(calibration, relation)

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
        tags = self._tags(inputs, data_samples)
        calibration = self._calibrate_for_labels(inputs)
        relation = self.image_relation(calibration) if dynamic else None
        return self._label(calibration, inputs, tags, relation)

    # Wiring ---------------------------------------------------------------------------------

    def extract_feat(self, inputs: Tensor) -> Calibration:
        """CLIP's calibrated tokens."""
        check_images(inputs)
        return self.neck(self.backbone(inputs, inner_layers=self.neck.num_inner))

    def _calibrate_for_labels(self, inputs: Tensor) -> Calibration:
        """The same, with the attention that refines maps kept on the way, and little else."""
        trace = self.backbone(inputs, self.neck.num_attention, inner_layers=self.neck.num_inner)
        calibration = self.neck(trace)
        trace.drop_inner()
        return calibration

    def decode(self, calibration: Calibration) -> Tensor:
        """Logits of calibrated patches, (B, n+1, g_h, g_w)."""
        return self.decode_head(self._fuse(calibration))

    def _tags(self, inputs: Tensor, data_samples: list[SegDataSample] | None) -> Tensor:
        """Multi-hot tags of a batch, (B, n)."""
        check_images(inputs)
        check_samples(data_samples, len(inputs))
        self._check_class_names(data_samples or ())
        return stack_tags(data_samples, self.text_head.num_foreground)

    def _fuse(self, calibration: Calibration) -> Tensor:
        """Adapter features G, (B, 256, g_h, g_w)."""
        return self.adapter(calibration.features, calibration.trace.grid)

    def image_relation(self, calibration: Calibration) -> Tensor:
        """Relation logits of each image by itself, (B, P, P), from CLIP on in float32."""
        with torch.autocast(calibration.tokens.device.type, enabled=False):
            return self.adapter.relation_logits(self._fuse(calibration), over_batch=False)

    def _maps(self, calibration: Calibration, relation: Tensor | None) -> Tensor:
        """Static maps, or dynamic ones if relation logits are given."""
        if relation is None:
            embeddings = calibration.embeddings()
        else:
            embeddings = calibration.shifted_embeddings(dynamic_relation(relation))
        return self.text_head(embeddings, calibration.trace.grid)

    @torch.no_grad()
    def _label(
        self, calibration: Calibration, inputs: Tensor, tags: Tensor, relation: Tensor | None
    ) -> PseudoLabels:
        maps = self._maps(calibration, relation)
        affinity = None if relation is None else predicted_affinity(relation)
        images = self.images01(pad_to_multiple(inputs, self.backbone.patch_size))
        padded = self.pseudo_labeler(maps, calibration.attention, tags, images, affinity)
        return padded.cropped(inputs.shape[2:])

    def _tag_scores(self, inputs: Tensor, data_samples: list[SegDataSample]) -> Tensor:
        """Training-free scores of all classes, those of untagged ones 0, (B, n+1, S, S)."""
        return self.pseudo_labels(inputs, data_samples).dense_scores(self.num_classes)

    def _unpadded_logits(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> Tensor:
        """Patch logits, which are resized once, straight to the original image (method 9).

        Logits of the inputs' pixels where there is padding to crop, here or by mmseg.
        """
        logits, size = self.lowres_logits(inputs), inputs.shape[2:]
        if any(any(padding_of(sample)) for sample in data_samples or ()):
            return self._at_pixels(logits, size)
        return self.unpadded(logits, size)

    def unpadded(self, patches: Tensor, size: Sequence[int]) -> Tensor:
        """Values of patches; if these reach beyond the image, values of its pixels.

        Args:
            patches: (B, C, g_h, g_w).
            size: Of the image, (height, width).
        """
        covered = [side * self.backbone.patch_size for side in patches.shape[2:]]
        return patches if covered == list(size) else self._at_pixels(patches, size)

    def _at_pixels(self, patches: Tensor, size: Sequence[int]) -> Tensor:
        """Resize values of patches to the pixels they cover, and keep the top left of a size."""
        covered = [side * self.backbone.patch_size for side in patches.shape[2:]]
        return _resize(patches, covered)[..., : size[0], : size[1]]

    def images01(self, inputs: Tensor) -> Tensor:
        """Undo the normalisation: RGB in 0..1, truncated to whole grey levels (method 7)."""
        levels = inputs * self.data_preprocessor.std + self.data_preprocessor.mean
        return levels.clamp(0, 255).to(torch.uint8) / 255

    def _check_class_names(self, data_samples: Sequence[SegDataSample]) -> None:
        """Refuse images of a data set whose classes are not the model's, name by name."""
        own = self.text_head.vocabulary.classes
        for sample in data_samples:
            names = sample.get('foreground')
            if names is not None and tuple(names) != own:
                whose = f"The data set of '{sample.get('img_path', 'an image')}'"
                check_same_classes(whose, names, own)

    # Checkpoints ----------------------------------------------------------------------------

    def load_state_dict(self, state_dict: Mapping, strict: bool = True, assign: bool = False):
        """Load a checkpoint; as in PyTorch, only ``strict=False`` is content with a part of it."""
        self._loads_parts = not strict
        try:
            return super().load_state_dict(state_dict, strict, assign)
        finally:
            self._loads_parts = False

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        """Refuse a checkpoint of another model, or one that is not whole.

        Here rather than above, because MMEngine and wrappers load with functions of their own,
        which at most warn.
        """
        self.check_checkpoint(
            {
                name.removeprefix(prefix): tensor
                for name, tensor in state_dict.items()
                if name.startswith(prefix)
            }
        )
        stored = state_dict.pop(prefix + PROVENANCE_KEY, None)
        if f'{prefix}text_head.class_texts' in state_dict:
            self.text_head.forget_origin()
            self.text_head.origin |= {} if stored is None else _text_origin(stored)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def check_checkpoint(self, state: Mapping[str, Tensor]) -> None:
        """Refuse the tensors of a checkpoint that do not belong to this model.

        Raises:
            BadInput: Another CLIP, other classes, or a tensor that is missing, unknown, misshapen,
                of another kind of number, or holds NaN or infinity; names it.
        """
        if PROVENANCE_KEY in state:
            check_provenance(_decode_provenance(state[PROVENANCE_KEY]), self.provenance())
        given, wanted = (
            {name: tensor for name, tensor in tensors.items() if name != PROVENANCE_KEY}
            for tensors in (state, self.state_dict())
        )
        check_tensors(given, wanted, whole=not self._loads_parts)
        if PROVENANCE_KEY not in state and not self._loads_parts:
            raise BadInput(
                f"The checkpoint has no '{PROVENANCE_KEY}', which says which CLIP and classes it "
                'belongs to: give a file that tools/train.py or tools/convert_checkpoint.py wrote.'
            )


def check_provenance(stored: dict, current: dict) -> None:
    """Compare what a checkpoint was trained with and what this model has.

    Raises:
        BadInput: If CLIP's weights or configuration or the class list differ.
    """
    clip, own_clip = ({**of['clip'], 'model': None} for of in (stored, current))
    difference = first_difference(clip, own_clip)
    if difference:
        raise BadInput(
            f'The checkpoint was trained on the CLIP {_clip_name(stored)}, but this model has '
            f'{_clip_name(current)}; {_differing_part(difference)} differ: set model.backbone to '
            'the CLIP it was trained on.'
        )
    difference = first_different_name(stored['classes'], current['classes'])
    if difference:
        raise BadInput(
            f'The checkpoint knows the {_class_names(stored)}, but this model has '
            f'{_class_names(current)}: {difference}. Use the config it was trained with.'
        )


def _differing_part(difference: tuple[str, object, object]) -> str:
    """Whether weights or configurations differ, and the setting that does."""
    name = difference[0]
    if name == 'sha256':
        return 'their weights'
    return f'their configurations ({told(difference)})'


def _clip_name(provenance: dict) -> str:
    name, sha256 = provenance['clip']['model'], provenance['clip']['sha256']
    return f'{_short(name)} (weights sha256 {_short(sha256[:12])})'


def _class_names(provenance: dict) -> str:
    names = provenance['classes']
    return f'{len(names)} classes {_short(", ".join(names), most=150)}'


def _text_origin(stored: Tensor) -> dict[str, str]:
    """What the stored class texts were made of, which stays theirs."""
    texts = _decode_provenance(stored).get('texts')
    known = texts.items() if isinstance(texts, dict) else ()
    return {name: value for name, value in known if name in ORIGIN and isinstance(value, str)}


def _short(text: str, most: int = 80) -> str:
    """A text of a file, which may be a hostile one, as messages show it."""
    return shown(text, most).strip('\'"')


def _save_provenance(model: ExCEL, state_dict: dict, prefix: str, metadata: dict) -> None:
    """State dict hook: provenance travels as UTF-8 bytes, so `weights_only` loading reads it."""
    text = json.dumps(model.provenance(), sort_keys=True)
    state_dict[prefix + PROVENANCE_KEY] = torch.frombuffer(
        bytearray(text, 'utf-8'), dtype=torch.uint8
    )


def _decode_provenance(stored: Tensor) -> dict:
    try:
        if stored.dtype != torch.uint8 or stored.dim() != 1 or len(stored) > _LONGEST_PROVENANCE:
            raise ValueError
        provenance = json.loads(bytes(stored.cpu().tolist()).decode('utf-8'))
        clip, classes = provenance['clip'], provenance['classes']
        if not all(isinstance(text, str) for text in (clip['model'], clip['sha256'], *classes)):
            raise ValueError
        return provenance
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(
            f"The checkpoint's '{PROVENANCE_KEY}', its CLIP and its classes, cannot be read: give "
            'a file that tools/train.py wrote.'
        ) from None


def padding_of(sample: SegDataSample) -> Sequence[int]:
    """What mmseg's data preprocessor added to an image: left, right, top, bottom."""
    nothing = (0, 0, 0, 0)
    return sample.metainfo.get('img_padding_size', sample.metainfo.get('padding_size', nothing))


def content_of(inputs: Tensor, sample: SegDataSample) -> tuple[int, int]:
    """Height and width that an image fills of its inputs (1, 3, height, width)."""
    _, right, _, bottom = padding_of(sample)
    return inputs.shape[2] - bottom, inputs.shape[3] - right


def _build(room: str, config: dict) -> nn.Module:
    return build(MODELS, f'model.{room}', config)


def _resize(logits: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(logits, size=tuple(size), mode='bilinear', align_corners=False)


def _at_patches(labels: Tensor, grid: Sequence[int]) -> Tensor:
    """Labels (B, S, S) at the patches' top-left pixels, (B, g_h, g_w)."""
    return F.interpolate(labels[:, None].float(), size=tuple(grid), mode='nearest')[:, 0].long()
