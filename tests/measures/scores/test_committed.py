"""The classifiers that records were scored with: whole, small, and what they say of themselves is so."""

from pathlib import Path

import pytest
import torch

from wganbench.data import shapes10
from wganbench.data.cache import obtain
from wganbench.data.locations import IMAGE_SETS
from wganbench.data.resize import box_average
from wganbench.measures.scores.classifier import MAX_BYTES, classifier
from wganbench.measures.scores.formulas import inception_score
from wganbench.measures.scores.protocol import ENDING
from wganbench.measures.scores.train_classifier import RECIPES

FOLDER = Path(__file__).parents[3] / "results" / "classifiers"
PATHS = sorted(FOLDER.glob("*"))
OF_SHAPES = [path for path in PATHS if path.stem.startswith("shapes10-")]


def load(path):
    return classifier(FOLDER, file=path.stem)


def test_there_is_one_for_each_size_of_the_shapes_and_nothing_else_lies_beside():
    assert {load(path).about.size for path in OF_SHAPES} == {16, 32}
    assert {path.suffix for path in PATHS} == {ENDING}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_is_whole_small_and_as_accurate_as_stated(path):
    network = load(path)
    about = network.about
    assert path.stat().st_size <= MAX_BYTES
    assert path.stem.startswith(f"{about.data}-{about.size}-")
    assert about.stated_accuracy <= about.test_accuracy <= 1
    assert 1 <= about.real_score <= about.classes
    assert network.protocol == f"classifier@{path.stem}"


@pytest.mark.parametrize("path", OF_SHAPES, ids=lambda path: path.stem)
def test_it_tells_the_shapes_that_are_drawn_today(path):
    network = load(path)
    ((pixels, labels),) = shapes10.draw("test", 300)
    images = torch.from_numpy(box_average(pixels, network.about.size))
    logits = network(images).logits
    assert (logits.argmax(dim=1) == torch.from_numpy(labels)).sum() >= 298
    assert inception_score(logits)[0] == pytest.approx(network.about.real_score, abs=0.2)
    noise = torch.randint(0, 256, images.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert inception_score(network(noise).logits)[0] < 1.1


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_was_trained_by_a_recipe_as_that_is_today_for_so_many_images(path):
    about = load(path).about
    original = "cifar10" if about.data == "cifar10-jpeg75" else about.data  # the copy has as many images
    recipe = RECIPES[about.recipe.partition("/")[0]].scaled(IMAGE_SETS[original].images["train"])
    assert (recipe.name, recipe.width) == (about.recipe, about.width)


@pytest.mark.slow
@pytest.mark.parametrize("path", OF_SHAPES, ids=lambda path: path.stem)
def test_what_it_says_of_itself_is_so(path, tmp_path):
    network = load(path)
    about = network.about
    train, test = (obtain(shapes10.recipe(split, about.size), tmp_path) for split in ("train", "test"))
    assert (train.checksum, test.checksum, len(test.labels)) == (
        about.train_checksum,
        about.test_checksum,
        about.real_samples,
    )
    images, labels = torch.from_numpy(test.images), torch.from_numpy(test.labels)
    assert network.accuracy(images, labels) == pytest.approx(about.test_accuracy, abs=2e-4)
    expected = (about.real_score, about.real_score_spread)
    assert inception_score(network(images).logits) == pytest.approx(expected, abs=1e-3)
