"""Real images are scored in an order that stands for all of them, however they lie in the data folder."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.measures.scores.imaged import SPEC
from tests.runner.test_run_all import execute
from wganbench.data import image_sets, shapes10
from wganbench.data.images import Images
from wganbench.measures.image_scores import (
    class_shares,
    classes_covered,
    frechet_distance,
    mean_confidence,
    real_inception_score,
)
from wganbench.measures.scores.network_outputs import NetworkOutputs, Outputs, images_in_batches, real_in_batches
from wganbench.records.store import Store

CLASSES, OF_EACH = 4, 100


class Perfect:
    """A score network that reads an image's class off its grey level, 50 apart, and is sure of it."""

    protocol = "perfect@1"
    device = torch.device("cpu")

    def __call__(self, images):
        one_hot = torch.eye(CLASSES)[images[:, 0, 0, 0].long() // 50]
        return Outputs(50 * one_hot, one_hot)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four balanced classes of 2×2 images, one folder each; the data folder is the one above."""
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    for label in range(CLASSES):
        place = tmp_path / "data" / "greys" / f"class-{label}"
        place.mkdir(parents=True)
        for number in range(OF_EACH):
            Image.fromarray(np.full((2, 2), 50 * label + number % 50, np.uint8)).save(place / f"{number:03}.png")
    return "greys"


def by_class(n=CLASSES * OF_EACH):
    labels = torch.arange(n) * CLASSES // n
    pixels = (50 * labels)[:, None, None, None].expand(n, 1, 2, 2).to(torch.uint8)
    return Images("greys", pixels, labels, "0" * 64)


def scores(data):
    """Of the data set itself: its score out of 4, and the distance of its first half from draws of it."""
    drawn = (255 * (data.draw(200, torch.Generator().manual_seed(0)) + 1) / 2).round().to(torch.uint8)
    real = NetworkOutputs(Perfect(), real_in_batches(data))
    score = real_inception_score(real, samples=200, splits=10)
    return score, frechet_distance(NetworkOutputs(Perfect(), images_in_batches(drawn)), real, samples=200)


def test_a_perfect_classifier_scores_a_folder_of_balanced_classes_near_their_number(folder):
    score, distance = scores(image_sets.image_folder(folder=folder))
    assert 3.4 < score <= 4  # sorted it is 1: all of a split is of one class
    assert distance < 0.05  # sorted it is about 0.75: two of the four classes


def test_images_of_a_custom_data_set_that_lie_by_class_are_scored_in_another_order():
    score, distance = scores(by_class())
    assert 3.4 < score <= 4
    assert distance < 0.05


def test_the_order_is_one_drawn_once_of_all_images():
    data = replace(by_class(), pixels=torch.arange(97, dtype=torch.uint8)[:, None, None, None])
    first, again, all_of_them = (
        torch.cat(list(real_in_batches(data, batch=10)(n))).flatten().tolist() for n in (30, 30, 97)
    )
    assert first == again == all_of_them[:30] != sorted(first)
    assert sorted(all_of_them) == list(range(97))


def test_images_that_are_shuffled_already_stay_in_their_order(tmp_path, monkeypatch):
    """The records of MNIST and of the shapes are made with the first of them."""
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})
    data = image_sets.shapes10(size=8)
    assert data.shuffled
    assert torch.equal(torch.cat(list(real_in_batches(data)(25))), data.pixels[:25])
    assert data.to("cpu").shuffled


def test_a_run_scores_the_images_of_its_folder_in_an_order_that_stands_for_all(tmp_path, monkeypatch):
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    ((pixels, labels),) = shapes10.draw("train", 300)
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        place = tmp_path / "data" / "drawn" / f"{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(place / f"{number:03}.png")
    text = SPEC.replace('"shapes10"', '"image_folder", folder = "drawn"').replace(
        "measures = {", "measures = { real_inception_score = { samples = 100, splits = 2, points = 1 },"
    )
    path = tmp_path / "drawn.toml"
    path.write_text(text)
    (record,) = execute(path, Store(tmp_path / "results"), seeds=[0], variants=["gp"])
    assert record.status == "finished", record.note
    assert 7 < record.measures["real_inception_score"] <= 10  # by class it is below 3: of 100 images, four classes


def told(classes, sure=True):
    """Outputs for one image of each class in ``classes``; the network is sure of it, or finds it twice as likely."""
    logits = torch.eye(CLASSES)[torch.tensor(classes)] * (50 if sure else math.log(2))
    return NetworkOutputs(
        lambda images: Outputs(logits, logits), lambda n: [torch.zeros(n, 1, 2, 2, dtype=torch.uint8)]
    )


def test_a_class_counts_from_a_quarter_of_an_equal_share_on():
    classes = [0] * 45 + [1] * 42 + [2] * 7 + [3] * 6  # equal would be 25 each; a quarter is 6.25
    assert classes_covered(told(classes), samples=100) == 3
    assert classes_covered(told(classes), samples=100, share=0.2) == 4


def test_the_shares_of_the_classes_are_counted_among_the_first_images():
    shares = class_shares(told([0, 0, 2, 1, 1]), samples=4)
    assert shares[:4].tolist() == [0.5, 0.25, 0.25, 0.0]
    assert shares.shape == (CLASSES,)


def test_the_confidence_is_the_mean_of_the_largest_probability():
    assert mean_confidence(told([0, 1, 2, 3]), samples=4) == pytest.approx(1)
    assert mean_confidence(told([0, 1, 2, 3], sure=False), samples=4) == pytest.approx(2 / 5)


def test_images_that_are_not_finite_have_neither_classes_nor_confidence():
    network = NetworkOutputs(Perfect(), lambda n: [torch.full((n, 1, 2, 2), math.nan)])
    assert math.isnan(classes_covered(network, samples=3)) and math.isnan(mean_confidence(network, samples=3))
    assert all(math.isnan(share) for share in class_shares(network, samples=3))
