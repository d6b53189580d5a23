from dataclasses import replace

import pytest
import torch
from torch.nn.functional import pad

from tests.measures.scores.striped import striped
from wganbench.errors import DataError
from wganbench.measures.scores.formulas import inception_score
from wganbench.measures.scores.train_classifier import RECIPES, moved, train_classifier


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def train(train, test, **changed):
    recipe = {name: changed.pop(name) for name in ("accuracy", "epochs") if name in changed}
    return train_classifier(
        train, test, replace(RECIPES["drawn"], **{"accuracy": 0.1, "epochs": 1, **recipe}), **changed
    )


def test_what_is_said_of_a_classifier_is_so(trained, stripes):
    classifier, (_, test) = trained[0], stripes
    about = classifier.about
    assert about.test_accuracy == classifier.accuracy(test.pixels, test.labels) >= about.stated_accuracy == 0.9
    assert (about.real_score, about.real_score_spread) == pytest.approx(
        inception_score(classifier(test.pixels).logits), abs=1e-4
    )
    assert (about.channels, about.size, about.classes, about.real_samples) == (3, 8, 3, 300)
    assert (about.train_checksum, about.test_checksum) == (f"{0:064x}", f"{1:064x}")
    assert (about.recipe, about.epochs, about.seed) == ("drawn/1, batches of 24", 3, 0)


def test_every_step_is_reported_with_how_many_there_are(stripes):
    reported = []
    train(*stripes, epochs=2, on_step=lambda step, steps: reported.append((step, steps)))
    assert reported == [(step, reported[-1][0]) for step in range(1, len(reported) + 1)]
    assert len(reported) > 2


def test_training_again_makes_the_same_file_and_another_seed_another(stripes):
    first, second, other = (train(*stripes, seed=seed)[1] for seed in (0, 0, 1))
    assert first == second != other


def test_training_leaves_torch_s_own_stream_alone(stripes):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(*stripes)
    assert torch.equal(torch.rand(3), expected)


def test_a_classifier_below_its_stated_accuracy_is_none(stripes):
    training, test = stripes
    shuffled = replace(training, labels=training.labels[torch.randperm(768, generator=seeded())])
    with pytest.raises(
        DataError,
        match=r"classifier of stripes at 8×8: test accuracy 0\.\d{4} after 1 epochs, must be at least 0\.99 as stated;",
    ):
        train(shuffled, test, accuracy=0.99)


def split(**changed):
    return replace(striped(150, 0), **changed)


@pytest.mark.parametrize(
    ("training", "test", "changed", "message"),
    [
        (striped(15, 0), striped(30, 1), {}, "needs at least 16 training images, got 15"),
        (striped(150, 0), striped(9, 1), {}, "needs at least 10 test images, got 9"),
        (striped(150, 0), striped(30, 1, size=9), {}, r"of one shape, got \(3, 8, 8\) and \(3, 9, 9\)"),
        (striped(150, 0, size=7), striped(30, 1, size=7), {}, "must be square, 8 pixels or more"),
        (split(pixels=torch.zeros(150, 3, 8, 9).byte()), striped(30, 1), {}, "must be square, 8 pixels or more"),
        (split(labels=torch.arange(150) % 3 + 1), striped(30, 1), {}, "labels must be 0, 1, … and all be trained on"),
        (split(labels=torch.arange(150) % 3 - 1), striped(30, 1), {}, "labels must be 0, 1, … and all be trained on"),
        (split(labels=torch.arange(150) % 2), striped(30, 1), {}, "labels must be 0, 1, … and all be trained on"),
        (split(labels=torch.zeros(150).long()), striped(30, 1), {}, "labels must be 0, 1, … and all be trained on"),
        (split(), striped(30, 1), {"accuracy": 0.0}, "accuracy: must be above 0 and at most 1, got 0.0"),
        (split(), striped(30, 1), {"accuracy": 1.01}, "accuracy: must be above 0 and at most 1"),
        (split(name="a/b"), striped(30, 1), {}, "classifier of a/b: the name is part of"),
    ],
)
def test_data_that_will_not_do_is_refused_before_training(training, test, changed, message):
    with pytest.raises(DataError, match=message):
        train(training, test, **changed)


# ---- images are moved -----------------------------------------------------------------------------------------------


def test_an_image_moves_as_one_by_each_way_equally_often():
    image = torch.arange(2 * 6 * 6, dtype=torch.uint8).reshape(1, 2, 6, 6)
    wide = pad(image.float(), (2,) * 4, mode="replicate").to(torch.uint8)
    windows = {wide[:, :, y : y + 6, x : x + 6].numpy().tobytes(): (y, x) for y in range(5) for x in range(5)}
    found = [windows[each.numpy().tobytes()] for each in moved(image.repeat(5000, 1, 1, 1), 2, False, seeded())]
    counts = [found.count((y, x)) for y in range(5) for x in range(5)]
    assert 140 < min(counts) and max(counts) < 260


def test_half_of_the_images_are_mirrored_left_to_right_where_that_is_asked_for():
    image = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4)
    both = moved(image.repeat(1000, 1, 1, 1), 0, True, seeded())
    mirrored = (both == image.flip(3)).flatten(1).all(dim=1)
    assert ((both == image).flatten(1).all(dim=1) ^ mirrored).all()
    assert 440 < mirrored.sum() < 560
    assert torch.equal(moved(image, 0, False, seeded()), image)


# ---- small sets -----------------------------------------------------------------------------------------------------


def test_a_set_of_few_images_is_learnt_in_smaller_batches():
    """In batches of 128 it would be 8 steps, after which a third is right by chance."""
    classifier, _ = train(striped(300, 0), striped(150, 1), epochs=4)
    assert classifier.about.recipe == "drawn/1, batches of 16"
    assert classifier.about.test_accuracy > 0.9


@pytest.mark.parametrize(
    ("recipe", "n", "batch_size"),
    [
        *(("drawn", 4_095, 127), ("drawn", 600, 18), ("drawn", 300, 16), ("drawn", 16, 16)),
        *(("photographs", 16_383, 511), ("photographs", 3_200, 100), ("photographs", 600, 18)),
    ],
)
def test_a_small_set_gives_32_steps_an_epoch_at_a_rate_in_proportion_to_the_batch(recipe, n, batch_size):
    whole, scaled = RECIPES[recipe], RECIPES[recipe].scaled(n)
    assert (scaled.batch_size, scaled.name) == (batch_size, f"{whole.name}, batches of {batch_size}")
    assert scaled.peak_rate / scaled.batch_size == pytest.approx(whole.peak_rate / whole.batch_size)
    assert replace(scaled, name=whole.name, batch_size=whole.batch_size, peak_rate=whole.peak_rate) == whole
    assert n // batch_size >= 32 or batch_size == 16


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_set_of_many_images_is_trained_on_by_the_recipe_itself(recipe):
    for n in (32 * recipe.batch_size, 50_000, 60_000):
        assert recipe.scaled(n) is recipe


def test_recipes_are_named_by_what_they_are_for():
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {
        "drawn": "drawn/1",
        "photographs": "photographs/1",
    }
