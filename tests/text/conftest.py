"""The tiny CLIP of the golden case as a text encoder that counts what it reads."""

from __future__ import annotations

import hashlib

import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.openai import build_model_from_openai_state_dict

from mmseg_excel.text.descriptions import Descriptions
from mmseg_excel.text.vocabulary import VOC_CLASSES
from tests.golden.reference import golden, tiny_clip_state


class TinyEncoder:
    fingerprint = hashlib.sha256(b'tiny clip').hexdigest()

    def __init__(self, model):
        self.model = model
        self.read: list[str] = []

    def __call__(self, texts):
        self.read += texts
        return F.normalize(self.model.encode_text(open_clip.tokenize(texts)), dim=1)


@pytest.fixture(scope='session')
def tiny_clip():
    model = build_model_from_openai_state_dict(
        dict(tiny_clip_state()), quick_gelu=True, cast_dtype=torch.float32
    )
    return model.float().eval()


@pytest.fixture
def encoder(tiny_clip):
    return TinyEncoder(tiny_clip)


@pytest.fixture(scope='session')
def golden_sentences():
    """The golden sentences per VOC class, without the template in front."""
    sentences: dict[str, list[str]] = {name: [] for name in VOC_CLASSES}
    for index, text in zip(golden()['desc_class_index'], golden()['desc_sentences'], strict=True):
        name = VOC_CLASSES[index]
        sentences[name].append(text.removeprefix(f'a clean origami {name}. '))
    return sentences


@pytest.fixture
def description_file(tmp_path, golden_sentences):
    """A description file of VOC with the golden sentences."""
    path = tmp_path / 'words.json'
    path.write_text(Descriptions('voc', {}, golden_sentences).to_json(), encoding='utf-8')
    return path
