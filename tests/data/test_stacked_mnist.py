"""Three digits as the channels of one image, of which the first file of MNIST, the labels and the draw decide each."""

import numpy as np
import pytest
import torch

from tests.data.test_torchvision_sets import idx, md5, put
from wganbench.data import image_sets, manage, stacked_mnist, torchvision_sets
from wganbench.data.locations import RAW_MNIST
from wganbench.errors import DataError

N_DIGITS = 20


@pytest.fixture
def digits(data_folder, monkeypatch):
    """MNIST of 20 digits a split, image k all of the grey level 10k with the label 3k mod 10."""
    monkeypatch.setattr(stacked_mnist, "COUNTS", {"train": 1500, "test": 40})
    places = np.arange(N_DIGITS, dtype=np.uint8)
    pixels, labels = idx(np.repeat(10 * places, 28 * 28).reshape(-1, 28, 28)), idx(3 * places % 10)
    files = {
        file: content for split in RAW_MNIST.values() for file, content in zip(split, (pixels, labels), strict=True)
    }
    for name, content in files.items():
        monkeypatch.setitem(torchvision_sets.MNIST_MD5, name.rpartition("/")[2], md5(content))
    put(data_folder / "mnist", files)


def test_the_class_is_the_number_of_the_three_digits_and_each_channel_one_of_them(digits):
    data = image_sets.stacked_mnist(size=14)
    assert (len(data), data.sample_shape) == (1500, (3, 14, 14))
    chosen = stacked_mnist.draw("train", 1500, N_DIGITS)
    assert torch.equal(data.pixels, torch.from_numpy(10 * chosen)[:, :, None, None].expand(-1, 3, 14, 14))
    assert data.labels.tolist() == [100 * (3 * a % 10) + 10 * (3 * b % 10) + 3 * c % 10 for a, b, c in chosen.tolist()]
    assert len(data.labels.unique()) > 500


def test_digits_are_drawn_alike_on_every_machine_and_otherwise_in_each_split(digits):
    assert stacked_mnist.draw("train", 2, 60_000).tolist() == [[36127, 22086, 7885], [57778, 27689, 48904]]
    assert stacked_mnist.draw("test", 1, 10_000).tolist() == [[7375, 1786, 3560]]
    counts = np.bincount(stacked_mnist.draw("train", 20_000, 60).ravel(), minlength=60)  # 1000 ± 31 each
    assert 850 < counts.min() and counts.max() < 1150
    assert not torch.equal(image_sets.stacked_mnist().labels[:40], image_sets.stacked_mnist(split="test").labels)


def test_it_is_fetched_with_mnist_and_listed(digits):
    assert {held.state for held in manage.inventory() if held.name == "stacked_mnist"} == {"drawn when used"}
    lines = [line.partition(", SHA-256")[0] for line in manage.fetch("stacked_mnist")]
    assert lines == ["stacked_mnist train: 1,500 images", "stacked_mnist test: 40 images"]
    assert {held.state for held in manage.inventory() if held.name == "stacked_mnist"} == {"decoded"}


def test_without_mnist_it_says_how_to_get_it_and_keeps_nothing(data_folder):
    with pytest.raises(DataError, match=r"^mnist: no MNIST/raw/train-.* 'wganbench data fetch mnist' downloads it; "):
        image_sets.stacked_mnist(size=14)
    assert not list(data_folder.glob("decoded/*"))
