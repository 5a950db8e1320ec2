"""The tiny CLIP of the golden case as a text encoder that counts what it reads."""

from __future__ import annotations

import hashlib

import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.openai import build_model_from_openai_state_dict

from tests.golden.reference import tiny_clip_state


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
