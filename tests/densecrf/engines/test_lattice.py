"""The lattice's laws, and its independence of what else is in a batch."""

import pytest
import torch

from mmseg_excel.densecrf.engines import lattice
from mmseg_excel.densecrf.engines.kernel import Kernel
from mmseg_excel.densecrf.engines.lattice import PermutohedralLattice, strides_of
from mmseg_excel.densecrf.engines.torch_engine import PairwiseTerm, mean_field

KERNELS = [Kernel(1, 3), Kernel(67, 4, 3)]


def images_of(device, count, height=12, width=18):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, height, width, 3), generator=generator).byte().to(device)


def lattice_of(kernel, images):
    strides = strides_of(kernel.extents(*images.shape[1:3]), len(images))
    return PermutohedralLattice(kernel.features(images), strides)


def test_filters_like_a_gaussian(device):
    kernel = Kernel(4, 1)
    lattice = lattice_of(kernel, images_of(device, 1, 41, 41))
    impulse = torch.zeros(41, 41, device=device)
    impulse[20, 20] = 1
    answer = lattice.filter(impulse.view(-1, 1)).view(41, 41)
    distance = (torch.arange(41, device=device) - 20.0) / 4
    expected = torch.exp(-0.5 * (distance[:, None] ** 2 + distance**2))
    expected *= answer.sum() / expected.sum()
    assert (answer - expected).abs().max() < 0.15 * expected.max()


@pytest.mark.parametrize('kernel', KERNELS)
def test_is_linear_and_keeps_channels_apart(kernel, device):
    lattice = lattice_of(kernel, images_of(device, 1))
    values = torch.rand(12 * 18, 5).to(device)
    together = lattice.filter(values)
    alone = torch.cat([lattice.filter(channel) for channel in values.split(1, dim=1)], dim=1)
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(lattice.filter(3 * values), 3 * together)


@pytest.mark.parametrize('kernel', KERNELS)
def test_images_of_a_batch_know_nothing_of_each_other(kernel, device):
    images = images_of(device, 3)
    values = torch.rand(3, 12 * 18, 4).to(device)
    together = lattice_of(kernel, images).filter(values.flatten(0, 1)).view_as(values)
    for image, value, expected in zip(images, values, together, strict=True):
        assert torch.equal(lattice_of(kernel, image[None]).filter(value), expected)


def test_a_batch_is_refined_as_its_images_are(device):
    images, energies = images_of(device, 3), torch.rand(3, 5, 12, 18).to(device)
    together = mean_field(images, energies, KERNELS, 10)
    for image, energy, expected in zip(images, energies, together, strict=True):
        alone = mean_field(image[None], energy[None], KERNELS, 10)[0]
        torch.testing.assert_close(alone, expected)


def test_a_lattice_serves_again(device):
    term = PairwiseTerm(KERNELS[1], images_of(device, 1))
    beliefs = torch.rand(12 * 18, 4).to(device)
    given = torch.zeros_like(beliefs), beliefs
    first = term.add_messages(*given, normalise=False)
    term.add_messages(*torch.rand(2, 12 * 18, 7).to(device), normalise=True)
    assert torch.equal(term.add_messages(*given, normalise=False), first)


def test_keys_tell_all_lattice_points_apart(device):
    # The furthest of two images, in a corner and of the brightest colour, beside the nearest.
    images = torch.zeros(2, 500, 600, 3, dtype=torch.uint8, device=device)
    images[:, -1, -1] = 255
    kernel = Kernel(2, 1, 1)
    features = kernel.features(images)
    assert features.amax(dim=(0, 1)).tolist() == kernel.extents(500, 600)
    lattice = lattice_of(kernel, images)
    impulse = torch.zeros(2, 500 * 600, 1, device=device)
    impulse[0, -1] = 1
    answer = lattice.filter(impulse.flatten(0, 1)).view(2, -1)
    assert answer.nonzero().tolist() == [[0, 500 * 600 - 1]]


def test_kernels_that_need_too_many_keys_have_none():
    for extents in (Kernel(0.1, 1, 0.1).extents(2000, 3000), Kernel(0.1, 1).extents(2, 4000)):
        with pytest.raises(OverflowError):
            strides_of(extents)


def test_room_to_spare_changes_nothing(monkeypatch, device):
    given = images_of(device, 2), torch.rand(2, 5, 12, 18).to(device), KERNELS, 3
    expected = mean_field(*given)
    monkeypatch.setattr(lattice, 'is_at_hand', lambda values: False)
    torch.use_deterministic_algorithms(True)  # fills fresh memory with NaN
    try:
        assert torch.equal(mean_field(*given), expected)
    finally:
        torch.use_deterministic_algorithms(False)
