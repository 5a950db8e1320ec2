"""Runs of the literal implementation on the golden case, shared by the tests that look at them."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from benchmarks.literal.clip import Encoding, encode_image
from benchmarks.literal.decoder import AdapterAndDecoder, dynamic_relation
from tests.golden.reference import decoder_state, golden_tensor, tiny_clip_state
from tests.tolerance import assert_near


@cache
def static_encoding() -> Encoding:
    return encode_image(tiny_clip_state(), golden_tensor('image'))


@cache
def dynamic_encoding() -> Encoding:
    with torch.no_grad():
        fused, _ = trained_model()(static_encoding().outputs)
    relation = dynamic_relation(fused)
    return encode_image(tiny_clip_state(), golden_tensor('image'), relation=relation)


def trained_model() -> AdapterAndDecoder:
    model = AdapterAndDecoder(width=128, num_outputs=21).eval()
    model.load_state_dict(decoder_state())
    return model


def class_texts() -> Tensor:
    return golden_tensor('text_attr').T


def assert_golden(actual: Tensor, name: str) -> None:
    assert_near(actual, golden_tensor(name), name=name)
