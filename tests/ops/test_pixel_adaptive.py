import pytest
import torch

from benchmarks.literal.pseudo_labels import pixel_adaptive_refinement, pixel_affinity
from mmseg_excel.ops.pixel_adaptive import PixelAdaptiveRefinement
from tests.tolerance import FEATURES, assert_near, assert_same_labels


def random_images(device, batch, height, width, seed=0):
    """Areas of one colour, with noise on half of them: bytes / 255."""
    generator = torch.Generator().manual_seed(seed)
    areas = torch.randint(0, 256, (batch, 3, 4, 4), generator=generator).float()
    areas = torch.nn.functional.interpolate(areas, (height, width), mode='nearest')
    noise = 12 * torch.randn(areas.shape, generator=generator) * (areas > 128)
    return (areas + noise).clamp(0, 255).to(torch.uint8).to(device) / 255


def random_scores(device, batch, channels, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, channels, height, width, generator=generator).to(device)


@pytest.mark.parametrize(
    ('batch', 'channels', 'height', 'width'),
    [(1, 1, 32, 32), (2, 3, 37, 53), (3, 2, 64, 48), (1, 21, 40, 33), (2, 2, 1, 7), (1, 2, 5, 1)],
)
def test_agrees_with_the_literal_refinement(batch, channels, height, width, device):
    images = random_images(device, batch, height, width)
    scores = random_scores(device, batch, channels, height, width)
    refined = PixelAdaptiveRefinement().to(device)(images, scores)
    literal = pixel_adaptive_refinement(images, scores)
    assert_near(refined, literal)
    # Averages amplify no rounding; random scores of many classes often lie close together.
    labels = refined.argmax(dim=1), literal.argmax(dim=1)
    assert_same_labels(*labels, literal, dim=1, bound=FEATURES / 10)


@pytest.mark.parametrize('kind', ['flat', 'one bright pixel', 'two greys', 'not bytes', 'negative'])
def test_weights_agree_with_double_precision(kind, device):
    images = torch.full((1, 3, 60, 60), 51 / 255, device=device)
    if kind == 'one bright pixel':
        images[..., 30, 30] = 1
    elif kind == 'two greys':
        images[..., ::7, :] = 52 / 255
    elif kind == 'not bytes':
        images = random_scores(device, 1, 3, 60, 60)
    elif kind == 'negative':
        images = random_scores(device, 1, 3, 60, 60) - 0.5
    weights = PixelAdaptiveRefinement().to(device).affinity(images)[:, 0]
    exact = pixel_affinity(images.double())[0, 0]
    assert (weights.double().sum(dim=0) - 1.01).abs().max() < FEATURES
    torch.testing.assert_close(weights.double(), exact, rtol=0, atol=2e-4)


def test_absent_classes_change_nothing(device):
    images, scores = random_images(device, 2, 40, 40), random_scores(device, 2, 4, 40, 40)
    refine = PixelAdaptiveRefinement(iterations=5).to(device)
    alone = refine(images[:1], scores[:1, :2])
    scores[0, 2:] = 0
    together = refine(images, scores)
    assert_near(together[:1, :2], alone)
    assert not together[0, 2:].any()
    assert together[1].flatten(1).any(dim=1).all()


def test_images_of_a_batch_do_not_touch_each_other(device):
    images, scores = random_images(device, 3, 40, 40), random_scores(device, 3, 2, 40, 40)
    refine = PixelAdaptiveRefinement(iterations=3).to(device)
    together = refine(images, scores)
    for index in range(3):
        alone = refine(images[index : index + 1], scores[index : index + 1])
        assert_near(together[index : index + 1], alone)


def test_scores_do_not_leak_across_an_edge(device):
    images = torch.zeros(1, 3, 40, 40, device=device)
    images[..., 20:] = 1
    left_only = (images[:, :1] == 0).float()
    refined = PixelAdaptiveRefinement().to(device)(
        images, torch.cat([1 - left_only, left_only], dim=1)
    )
    assert torch.equal(refined.argmax(dim=1)[0], left_only[0, 0].long())


def test_inputs_are_left_alone(device):
    images, scores = random_images(device, 1, 32, 32), random_scores(device, 1, 2, 32, 32)
    before = images.clone(), scores.clone()
    PixelAdaptiveRefinement(iterations=2).to(device)(images, scores)
    assert torch.equal(images, before[0]) and torch.equal(scores, before[1])
