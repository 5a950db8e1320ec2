"""CLIP-ES, stage by stage, against its reference's numbers, fp32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_excel.datasets.transforms import ResizeToPatches
from mmseg_excel.densecrf.clip_es_crf import CLIPESDenseCRF, wrapped_bytes
from mmseg_excel.densecrf.pool import named_channels
from mmseg_excel.models.affinity import last_attention, transition_matrix
from mmseg_excel.models.tags import Tags, pack_tags
from mmseg_excel.ops.boxes import confident_boxes
from mmseg_excel.text.vocabulary import get_vocabulary

from .family import arrays, tensor
from .model import MODEL_NAME, max_error, tiny_clip_file

GOLDEN = arrays('clip_es')
IMAGES = ('voc_img0', 'voc_img1')
MEAN = [255 * value for value in (0.48145466, 0.4578275, 0.40821073)]
STD = [255 * value for value in (0.26862954, 0.26130258, 0.27577711)]


@pytest.fixture(scope='module')
def model(device):
    model = MODELS.build(
        dict(
            type='CLIPES',
            data_preprocessor=dict(
                type='SegDataPreProcessor', mean=MEAN, std=STD, bgr_to_rgb=True, pad_val=0
            ),
            backbone=dict(
                type='FrozenCLIP',
                model=MODEL_NAME,
                pretrained=tiny_clip_file(),
                half_positions=True,
            ),
            text_head=dict(type='GradientCAMHead', vocabulary='voc'),
            pseudo_labeler=dict(type='HalfScoreLabeler', box_threshold=0.4),
        )
    )
    model.encode_classes()
    return model.eval().to(device)


def inputs_of(model, image: str) -> torch.Tensor:
    """The photograph as the pipeline and the preprocessor make it, (1, 3, S, S)."""
    bgr = np.ascontiguousarray(GOLDEN[f'{image}_image_u8'][..., ::-1])
    resized = ResizeToPatches()(dict(img=bgr))['img']
    batch = dict(inputs=[torch.from_numpy(resized.transpose(2, 0, 1).copy())])
    return model.data_preprocessor(batch)['inputs']


def sample_of(image: str) -> SegDataSample:
    sample = SegDataSample(metainfo=dict(ori_shape=GOLDEN[f'{image}_image_u8'].shape[:2]))
    multi_hot, order = torch.zeros(20), torch.zeros(20, dtype=torch.long)
    for place, tag in enumerate(GOLDEN[f'{image}_tags'].tolist()):
        multi_hot[tag], order[tag] = 1, place
    sample.gt_tags = LabelData(multi_hot=multi_hot, order=order)
    return sample


def tags_of(image: str, device: torch.device) -> Tags:
    return pack_tags([sample_of(image).gt_tags.multi_hot.tolist()], device)


@pytest.mark.parametrize('dataset', ['voc', 'coco'])
def test_texts(model, dataset):
    vocabulary = get_vocabulary(dataset)
    assert [*vocabulary.texts] == GOLDEN[f'{dataset}_prompts'].tolist()
    head = MODELS.build(dict(type='GradientCAMHead', vocabulary=dataset))
    head.encode_classes(model.backbone.load_text_encoder())
    assert max_error(head.class_texts, GOLDEN[f'{dataset}_text_features']) < 1e-4


@pytest.mark.parametrize('image', IMAGES)
def test_input_and_tokens(model, image):
    inputs = inputs_of(model, image)
    assert max_error(inputs[0], GOLDEN[f'{image}_input']) < 1e-5
    trace = model.backbone(inputs, attention_layers=12)
    assert max_error(trace.blocks[-2].output[0], GOLDEN[f'{image}_tokens']) < 1e-5
    attention = last_attention(trace, 12)[:, 0]
    assert max_error(attention, GOLDEN[f'{image}_attn'][:, 1:, 1:]) < 1e-5


@pytest.mark.parametrize('image', IMAGES)
def test_maps_boxes_and_transition(model, image, device):
    reading, tags = model.extract_feat(inputs_of(model, image)), GOLDEN[f'{image}_tags'].tolist()
    maps = model.maps(reading, tags_of(image, device))[0, tags]
    # Maps at 2e-5: rounding of x, magnified where a class is unlikely.
    assert max_error(maps, GOLDEN[f'{image}_cam']) < 2e-5
    boxes = confident_boxes(maps, 0.4)
    assert np.array_equal(boxes.cpu().numpy(), GOLDEN[f'{image}_box_mask'] > 0)
    attention = model.attention(reading, dynamic=False)
    assert max_error(attention.mean(dim=0)[0], GOLDEN[f'{image}_attn_mean']) < 1e-6
    assert max_error(transition_matrix(attention)[0], GOLDEN[f'{image}_trans_mat']) < 1e-7


@pytest.mark.parametrize('image', IMAGES)
def test_scores_and_labels(model, image):
    inputs, samples = inputs_of(model, image), [sample_of(image)]
    scores = model.pseudo_labels(inputs, samples)
    stack, channels = scores.at(0, samples[0].ori_shape)
    assert channels.tolist() == [0, *(tag + 1 for tag in GOLDEN[f'{image}_tags'].tolist())]
    # One step of half precision below 1 is 5e-4.
    assert max_error(stack[1:].float(), GOLDEN[f'{image}_saved_scores'].astype('f4')) < 5e-4
    labels = model.predict(inputs, samples)[0].pred_sem_seg.data[0]
    assert np.array_equal(labels.cpu().numpy(), GOLDEN[f'{image}_eval_label_t1'])
    scores.background_power = 2
    stack, channels = scores.at(0, samples[0].ori_shape)
    assert np.array_equal(channels[stack.argmax(0)].cpu().numpy(), GOLDEN[f'{image}_eval_label_t2'])


def test_unit_boxes(device):
    maps = tensor('clip_es', 'unit_cam')
    for dataset, threshold in (('voc', 0.4), ('coco', 0.7)):
        expected = torch.zeros_like(maps, dtype=torch.bool)
        for index, x0, y0, x1, y1 in GOLDEN[f'unit_boxes_{dataset}']:
            expected[index, y0:y1, x0:x1] = True
        assert torch.equal(confident_boxes(maps.to(device), threshold).cpu(), expected)


@pytest.mark.parametrize('image', IMAGES)
def test_crf(image, engine):
    crf = CLIPESDenseCRF(min_probability=0, engine=engine)
    pixels = GOLDEN[f'{image}_image_u8']
    assert np.array_equal(wrapped_bytes(pixels), GOLDEN[f'{image}_crf_image_u8'])
    saved = GOLDEN[f'{image}_saved_scores']
    stack = np.concatenate([1 - saved.max(axis=0, keepdims=True), saved])
    posterior = crf.refine(pixels, stack)
    labels = np.array([0, *(GOLDEN[f'{image}_saved_keys'] + 1)], np.uint8)
    assert np.abs(posterior - GOLDEN[f'{image}_crf_q']).max() < 1e-4
    assert np.array_equal(labels[posterior.argmax(axis=0)], GOLDEN[f'{image}_crf_label'])
    confident = named_channels(labels)[crf.label(pixels, stack)]
    assert np.array_equal(confident, GOLDEN[f'{image}_crf_label_cgl'])
