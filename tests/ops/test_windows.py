from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.models import EncoderDecoder

from mmseg_excel.ops.windows import IMAGES_A_PASS, Windows
from tests.tolerance import assert_near

SIZES = ((64, 64), (61, 83), (40, 200), (1, 7), (130, 129))


def answer(images):
    """Something that depends on where a window lies: its own coordinates beside its pixels."""
    rows = torch.arange(images.shape[2], dtype=images.dtype, device=images.device)[:, None].expand(
        images.shape[2:]
    )
    return torch.cat([images[:, :2], rows.expand(len(images), 1, -1, -1)], dim=1)


def mmseg_slides(images, crop_size, stride):
    """MMSegmentation's own sliding windows."""
    model = SimpleNamespace(
        test_cfg=ConfigDict(crop_size=crop_size, stride=stride),
        out_channels=3,
        encode_decode=lambda window, metas: answer(window),
    )
    return EncoderDecoder.slide_inference(model, images, [{}])


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('crop_size, stride', [((64, 64), (64, 64)), ((32, 48), (20, 31))])
def test_windows_are_mmsegs(size, crop_size, stride, device):
    images = torch.randn(2, 3, *size).to(device)
    ours = Windows(crop_size, stride).average(answer, images)
    assert_near(ours, mmseg_slides(images, crop_size, stride))


def test_one_pass_for_many_windows(device):
    passes = []

    def counted(images):
        passes.append(len(images))
        return answer(images)

    images = torch.randn(2, 3, 64, 96).to(device)
    Windows((16, 16), (16, 16)).average(counted, images)
    assert sum(passes) == 2 * 4 * 6
    assert passes[:-1] == [IMAGES_A_PASS] * (len(passes) - 1)
