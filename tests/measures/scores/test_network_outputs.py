import math

import pytest
import torch

from wganbench.errors import DataError
from wganbench.measures.image_scores import (
    frechet_distance,
    inception_score,
    inception_score_spread,
    kernel_distance,
)
from wganbench.measures.scores.network_outputs import NetworkOutputs, Outputs, images_in_batches


class Brightness:
    """A score network of two classes, dark and bright, whose features are two pixels; it keeps what it was shown."""

    protocol = "brightness@1"
    device = torch.device("cpu")

    def __init__(self):
        self.shown = []

    def __call__(self, images):
        assert images.dtype == torch.uint8
        self.shown.append(len(images))
        bright = (images.float().mean(dim=(1, 2, 3)) - 127.5) * 100
        return Outputs(torch.stack([-bright, bright], dim=1), images.float().flatten(1)[:, :2])


def noise(n, seed=0):
    return torch.randint(0, 256, (n, 1, 4, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def seen(images, batch=10):
    return NetworkOutputs(Brightness(), images_in_batches(images, batch))


def test_each_image_is_shown_once_for_all_scores_of_a_moment():
    fake, real = seen(noise(40)), seen(noise(40, seed=1))
    for value in (
        inception_score(fake, samples=40, splits=2),
        inception_score_spread(fake, samples=40, splits=2),
        frechet_distance(fake, real, samples=40),
        kernel_distance(fake, real, samples=40, subsets=2, subset_size=20),
        inception_score(fake, samples=20, splits=2),
    ):
        assert math.isfinite(value)
    assert fake.network.shown == real.network.shown == [10, 10, 10, 10]


def test_dark_and_bright_images_in_equal_parts_score_two():
    images = torch.stack([torch.zeros(1, 4, 4), torch.full((1, 4, 4), 255.0)]).repeat(50, 1, 1, 1).to(torch.uint8)
    assert inception_score(seen(images), samples=100) == pytest.approx(2.0)
    assert inception_score(seen(images[::2]), samples=50) == pytest.approx(1.0)
    assert inception_score_spread(seen(images), samples=100) == pytest.approx(0.0)


def test_same_images_are_no_way_apart_and_brighter_ones_the_square_of_the_way():
    images = noise(200) // 2
    assert frechet_distance(seen(images), seen(images), samples=200) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(seen(images + 10), seen(images), samples=200) == pytest.approx(2 * 100.0)


def test_images_out_of_a_generator_become_pixels():
    given = torch.tensor([-1.0, 0.0, 1.0])[:, None, None, None].expand(3, 1, 4, 4)
    outputs = NetworkOutputs(Brightness(), lambda n: [given]).outputs(3)
    assert outputs.features[:, 0].tolist() == [0, 127, 255]
    outputs = NetworkOutputs(Brightness(), lambda n: [given.abs()], scaling="unit").outputs(3)
    assert outputs.features[:, 0].tolist() == [255, 0, 255]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_image_that_is_not_finite_has_no_score(bad):
    images = torch.zeros(20, 1, 4, 4)
    images[13, 0, 2, 2] = bad
    broken = NetworkOutputs(Brightness(), lambda n: iter(images.split(10)))
    assert broken.outputs(20).logits.isfinite().all(dim=1).tolist() == [i != 13 for i in range(20)]
    assert math.isnan(inception_score(broken, samples=20))
    assert math.isnan(inception_score_spread(broken, samples=20))
    assert math.isnan(frechet_distance(broken, seen(noise(20)), samples=20))
    assert math.isnan(kernel_distance(broken, seen(noise(20)), samples=20, subset_size=10))


@pytest.mark.parametrize("n", [41, 0])
def test_more_images_than_there_are_are_refused(n):
    with pytest.raises(DataError, match=r"brightness@1: .* images requested, must be from 1 to"):
        seen(noise(40)).outputs(n)
