import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from wganbench.data import shapes10
from wganbench.data.resize import box_average
from wganbench.spec.catalogue import NAMES


def drawn(split, n):
    batches = list(shapes10.draw(split, n))
    return np.concatenate([images for images, _ in batches]), np.concatenate([labels for _, labels in batches])


@pytest.mark.parametrize(
    ("split", "sum256"),
    [
        ("train", "08667054061afedc7f2dac47f74e8317d2c5145da6023d5550486edf2cbe57c0"),
        ("test", "1202edc3fe29053ed8808c178fc376b318dfbfac9ad5fcc8c96cd0e0b432fec2"),
    ],
)
def test_the_first_images_are_those_of_this_version(split, sum256):
    """If this fails and was meant to, raise VERSION and the protocol in names.py with the new sums."""
    images, labels = drawn(split, 600)
    assert (images.shape, images.dtype, labels.shape) == ((600, 3, 32, 32), np.uint8, (600,))
    assert hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest() == sum256


def test_its_version_is_its_protocol():
    assert NAMES["data set"]["shapes10"].protocol == shapes10.VERSION


def test_a_beginning_is_the_beginning_of_the_whole():
    short, long = drawn("train", 30)[0], drawn("train", 700)[0]
    assert np.array_equal(short, long[:30])


def test_classes_are_even():
    assert np.bincount(drawn("train", 1000)[1]).tolist() == [100] * len(shapes10.CLASSES)


def test_splits_share_no_image():
    train, test = ({image.tobytes() for image in drawn(split, 500)[0]} for split in ("train", "test"))
    assert len(train) == len(test) == 500
    assert not train & test


@pytest.mark.parametrize("label", range(10))
def test_the_area_of_a_shape_is_that_of_geometry(label):
    squares = {
        "disc": np.pi,
        "ring": np.pi * (1.0**2 - 0.56**2),
        "square": 1.7**2,
        "frame": 1.74**2 - 0.98**2,
        "triangle": 3 * 3**0.5 * 0.55**2,
        "cross": 2 * (2 * 0.54) - 0.54**2,
        "stripes": 3 * 0.36 * 1.7,
        "dots": 4 * np.pi * 0.36**2,
        "crescent": np.pi - _lens(1.0, 0.8, 0.5),
        "bow tie": 2 * 0.9 * (0.9 * 0.75),
    }
    axis = (np.arange(1200) + 0.5) / 400 - 1.5
    u, v = np.meshgrid(axis, axis)
    inside = shapes10.OUTLINES[label](u, v) < 0
    assert inside.mean() * 9 == pytest.approx(squares[shapes10.CLASSES[label]], rel=0.01)
    assert np.hypot(u, v)[inside].max() < 1.231  # what `REACH` counts on


def _lens(a, b, d):
    """The area common to circles of radius a and b at a distance d."""
    x = (d * d + a * a - b * b) / (2 * d)
    y = (d * d - a * a + b * b) / (2 * d)
    return a * a * np.arccos(x / a) - x * (a * a - x * x) ** 0.5 + b * b * np.arccos(y / b) - y * (b * b - y * y) ** 0.5


def test_shapes_are_whole_stand_anywhere_and_differ_in_size():
    bits = np.random.PCG64(0)
    labels = np.zeros(2000, np.int64)
    cover = shapes10._cover(labels, bits)
    assert cover.max() == 256
    edge = np.concatenate([cover[:, 0], cover[:, -1], cover[:, :, 0], cover[:, :, -1]], axis=1)
    assert edge.max() == 0
    radius = np.sqrt(cover.sum((1, 2)) / 256 / np.pi)
    assert (radius.min(), radius.max()) == (pytest.approx(6.5, abs=0.1), pytest.approx(12, abs=0.1))
    centre = (cover * np.arange(32)).sum((1, 2)) / cover.sum((1, 2))
    assert centre.min() < 10 and centre.max() > 21


def test_a_smaller_set_is_the_box_average_of_the_larger(monkeypatch):
    monkeypatch.setitem(shapes10.COUNTS, "test", 40)
    ((small, labels),) = shapes10.recipe("test", 16).batches()
    large, same = drawn("test", 40)
    assert np.array_equal(small, box_average(large, 16))
    assert np.array_equal(labels, same)


def test_the_mean_colour_does_not_tell_the_class():
    images, labels = drawn("train", 4000)
    colours = torch.tensor(images).float().mean((2, 3))
    near = torch.cdist(colours[3000:], colours[:3000]).topk(15, largest=False).indices
    guessed = torch.tensor(labels)[near].mode(1).values
    assert (guessed == torch.tensor(labels[3000:])).float().mean() < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 16])
def test_a_small_network_tells_the_classes(size):
    torch.manual_seed(0)
    sets = {}
    for split, n in (("train", 10_000), ("test", 2_000)):
        images, labels = drawn(split, n)
        sets[split] = torch.tensor(box_average(images, size)).float() / 127.5 - 1, torch.tensor(labels)
    layers = [
        layer
        for n_in, n_out, stride in ((3, 24, size // 16), (24, 48, 2), (48, 64, 2), (64, 64, 1))
        for layer in (nn.Conv2d(n_in, n_out, 3, stride, 1), nn.BatchNorm2d(n_out), nn.ReLU())
    ]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 10))
    x, y = sets["train"]
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=6 * (len(x) // 64))
    for _ in range(6):
        for batch in torch.randperm(len(x))[: len(x) // 64 * 64].split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
    x, y = sets["test"]
    with torch.no_grad():
        assert (network.eval()(x).argmax(1) == y).float().mean() > 0.95
