import numpy as np
import pytest
import torch

from wganbench.errors import DataError
from wganbench.measures.scores.sampling import label_batches, sample_batches, sample_images, to_pixels


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("value", "pixel"),
    [(-1.0, 0), (1.0, 255), (0.0, 127), (-1.5, 0), (3.0, 255), (float("inf"), 255), (float("nan"), 0), (0.9999, 255)],
)
def test_a_value_is_cut_to_its_pixel(value, pixel):
    assert to_pixels(torch.tensor([value])).tolist() == [pixel]


def test_values_from_nought_to_one_are_cut_to_the_same_pixels():
    values = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    assert torch.equal(to_pixels(values, scaling="unit"), to_pixels(2 * values - 1))
    assert torch.equal(to_pixels(values, scaling="256-dequantised"), to_pixels(values))


def test_pixels_are_those_of_the_published_code():
    values = torch.linspace(-1, 1, 100_001)
    assert to_pixels(values).tolist() == ((values.numpy() + 1.0) * (255.99 / 2)).astype("int32").tolist()


def test_every_pixel_is_reached_about_equally_often():
    counts = np.bincount(to_pixels(torch.linspace(-1, 1, 256_001)), minlength=256)
    assert counts.min() >= 980 and counts.max() <= 1002


class Watched:
    """A generator that normalises by the batch, and keeps the sizes of the batches it was given."""

    def __init__(self):
        self.sizes = []

    def __call__(self, latent):
        self.sizes.append(len(latent))
        centred = latent - latent.mean(dim=0)
        return centred.tanh()[:, :, None, None].expand(-1, -1, 4, 4)


def test_batches_are_of_a_hundred_to_the_last():
    generator = Watched()
    images = sample_images(generator, 250, seeded(), latent_dim=3)
    assert images.shape == (250, 3, 4, 4) and images.dtype == torch.uint8
    assert generator.sizes == [100, 100, 100]


def test_the_first_images_of_more_are_the_same():
    few, many = (sample_images(Watched(), n, seeded(), latent_dim=3) for n in (150, 300))
    assert torch.equal(few, many[:150])
    assert not torch.equal(few, sample_images(Watched(), 150, seeded(1), latent_dim=3))


def test_images_are_generated_when_they_are_asked_for():
    generator = Watched()
    batches = sample_batches(generator, 50_000, seeded(), latent_dim=3)
    assert next(batches).shape == (100, 3, 4, 4)
    assert generator.sizes == [100]


def test_labels_are_asked_for_a_batch_at_a_time():
    asked = []

    def generate(latent, labels):
        asked.append(labels)
        return labels[:, None, None, None].expand(-1, 3, 2, 2).float()

    batches = sample_batches(generate, 150, seeded(), latent_dim=3, labels=label_batches(4, seeded(1)))
    images = torch.cat(list(batches))
    assert [len(labels) for labels in asked] == [100, 100]
    again = label_batches(4, seeded(1))
    expected = torch.cat([next(again), next(again)])
    assert torch.equal(images[:, 0, 0, 0].long(), expected[:150])
    assert torch.bincount(expected, minlength=4).tolist() == pytest.approx([50] * 4, abs=20)


def test_nothing_is_kept_for_gradients():
    layer = torch.nn.Linear(3, 12)
    (batch,) = sample_batches(lambda z: layer(z).reshape(-1, 3, 2, 2), 5, seeded(), latent_dim=3)
    assert not batch.requires_grad


@pytest.mark.parametrize("shape", [(100, 3), (99, 3, 4, 4)])
def test_what_is_not_a_batch_of_images_is_refused(shape):
    with pytest.raises(DataError, match=r"must have shape \(100, channels, height, width\)"):
        sample_images(lambda z: torch.zeros(shape), 10, seeded(), latent_dim=3)
    with pytest.raises(DataError, match="n: must be at least 1"):
        sample_images(Watched(), 0, seeded(), latent_dim=3)
