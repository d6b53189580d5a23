"""The training of a classifier on a data set, to an accuracy that is stated in advance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.backends import cudnn
from torch.nn.functional import cross_entropy, pad

from wganbench.data.images import Images
from wganbench.errors import DataError
from wganbench.measures.scores.classifier import SMALLEST, Classifier, Network, content_of, folded_state
from wganbench.measures.scores.formulas import inception_score
from wganbench.measures.scores.protocol import DATA_NAME, About
from wganbench.rng import generator

REAL_SPLITS = 10
STEPS_AN_EPOCH = 32
"""Least number of steps per epoch: a small set gets smaller batches for it, but none below ``LEAST_BATCH``."""
LEAST_BATCH = 16


@dataclass(frozen=True)
class Recipe:
    """The training of a classifier: SGD with Nesterov momentum and a learning rate that rises and falls once, linearly.

    Labels are not smoothed. A network trained to give 0.91 to the correct one of ten classes and 0.01 to each other
    would score perfect images 6.1 of 10, since the score is exp of the labels' entropy minus that of an image.

    Attributes:
        name: Name and version; the version is raised when the numbers change.
        width: Width of the network.
        batch_size: Images per step, if the set has ``STEPS_AN_EPOCH`` such batches; the remainder of an epoch is
            dropped.
        peak_rate: Largest learning rate for that batch size, reached after a fifth of the steps.
        weight_decay: Weight decay of all parameters.
        epochs: Number of passes over the training images.
        accuracy: Share of the test images that a classifier must label correctly, above 0 and at most 1.
        shift: Largest random shift of an image along each axis, in pixels; its edge is repeated.
        flip: Whether to mirror half of the images left to right.
    """

    name: str
    width: int
    batch_size: int
    peak_rate: float
    weight_decay: float
    epochs: int
    accuracy: float
    shift: int
    flip: bool

    def scaled(self, n: int) -> Recipe:
        """Returns the recipe for ``n`` training images: for few, it has smaller batches and a lower rate.

        The rate is proportional to the batch size (the linear scaling rule, Goyal et al. 2017).
        """
        batch_size = min(self.batch_size, max(LEAST_BATCH, n // STEPS_AN_EPOCH))
        if batch_size == self.batch_size:
            return self
        name, rate = f"{self.name}, batches of {batch_size}", self.peak_rate * batch_size / self.batch_size
        return replace(self, name=name, batch_size=batch_size, peak_rate=rate)


RECIPES = {
    recipe.name.partition("/")[0]: recipe
    for recipe in (
        Recipe("drawn/1", 16, 128, peak_rate=0.1, weight_decay=5e-4, epochs=4, accuracy=0.95, shift=2, flip=False),
        Recipe("photographs/1", 48, 512, peak_rate=0.4, weight_decay=5e-4, epochs=24, accuracy=0.9, shift=4, flip=True),
    )
}
"""Recipes by name. ``drawn``: shapes and digits, minutes on a CPU. ``photographs``: CIFAR-10 and the like, on a GPU."""


def train_classifier(
    train: Images,
    test: Images,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, int], None] = lambda step, steps: None,
) -> tuple[Classifier, bytes]:
    """Trains a classifier of at least the recipe's accuracy; returns it and the content of its file.

    The result is the same on the same machine with the same number of threads; elsewhere it differs, as does its hash.

    Args:
        train, test: Training and test images of one data set; their scaling does not matter.
        recipe: One of ``RECIPES``, with other epochs or another accuracy if desired.
        seed: Seed of the initial weights, and of the order and augmentation of the images.
        device: Device to train on.
        on_step: Called after each step with its number and the total number of steps.

    Raises:
        DataError: If the data is unsuitable, or the classifier is less accurate than stated.
    """
    chosen = recipe.scaled(len(train))
    if not 0 < recipe.accuracy <= 1:
        raise DataError(f"classifier, accuracy: must be above 0 and at most 1, got {recipe.accuracy}")
    _check(train, test, chosen.batch_size)
    channels, size, _ = train.sample_shape
    about = About(
        data=train.name,
        train_checksum=train.checksum,
        test_checksum=test.checksum,
        channels=channels,
        size=size,
        classes=train.n_classes,
        width=chosen.width,
        test_accuracy=math.nan,
        stated_accuracy=recipe.accuracy,
        recipe=chosen.name,
        epochs=chosen.epochs,
        seed=seed,
        real_score=math.nan,
        real_score_spread=math.nan,
        real_samples=len(test),
    )
    state = folded_state(_train(train, about, chosen, torch.device(device), on_step))
    about = _measured(Classifier("unnamed", about, state).to(device), test)
    name, content = content_of(about, state)
    return Classifier(name, about, state), content


def _measured(classifier: Classifier, test: Images) -> About:
    """Returns the classifier's metadata, completed with its accuracy and the score of the test images."""
    about = classifier.about
    accuracy = classifier.accuracy(test.pixels, test.labels)
    if not accuracy >= about.stated_accuracy:
        raise DataError(
            f"classifier of {about.data} at {about.size}×{about.size}: test accuracy {accuracy:.4f} after "
            f"{about.epochs} epochs, must be at least {about.stated_accuracy} as stated; it is not kept: train "
            f"longer, or state a lower accuracy"
        )
    score, spread = inception_score(classifier(test.pixels).logits, splits=REAL_SPLITS)
    return replace(about, test_accuracy=accuracy, real_score=round(score, 4), real_score_spread=round(spread, 4))


def _check(train: Images, test: Images, batch_size: int) -> None:
    where = f"classifier of {train.name}"
    if not DATA_NAME.fullmatch(train.name):
        raise DataError(f"{where}: the name is part of a file's, and must be of letters, digits, dots, - and _")
    shape = train.sample_shape
    if shape[1] != shape[2] or shape[1] < SMALLEST or test.sample_shape != shape:
        shapes = f"{shape} and {test.sample_shape}"
        raise DataError(f"{where}: images must be square, {SMALLEST} pixels or more, and of one shape, got {shapes}")
    for name, images, needed in (("training", train, batch_size), ("test", test, REAL_SPLITS)):
        if len(images) < needed:
            raise DataError(f"{where}: needs at least {needed:,} {name} images, got {len(images):,}")
    found, judged = train.labels.unique().tolist(), test.labels.unique().tolist()
    if len(found) < 2 or found != list(range(len(found))) or not set(judged) <= set(found):
        labels = f"{found[0]} to {found[-1]}, {len(found)} of them, and in the test {judged[0]} to {judged[-1]}"
        raise DataError(f"{where}: labels must be 0, 1, … and all be trained on, got {labels}")


def _train(
    train: Images, about: About, recipe: Recipe, device: torch.device, on_step: Callable[[int, int], None]
) -> Network:
    purpose = f"classifier {about.data} {about.size}"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(about.seed, f"{purpose} initial").initial_seed())
        network = Network(about.channels, about.classes, about.width).to(device)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.0, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
    )
    images, labels = train.pixels.to(device), train.labels.to(device)
    rng = generator(about.seed, f"{purpose} order")
    steps = about.epochs * (len(labels) // recipe.batch_size)
    with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=True):
        for step, rows in enumerate(_batches(len(labels), recipe.batch_size, about.epochs, rng)):
            optimizer.param_groups[0]["lr"] = float(np.interp(step / steps, [0, 0.2, 1], [0, recipe.peak_rate, 0]))
            batch = moved(images[rows.to(device)], recipe.shift, recipe.flip, rng)
            optimizer.zero_grad()
            cross_entropy(network(batch), labels[rows.to(device)]).backward()
            optimizer.step()
            on_step(step + 1, steps)
    return network


def _batches(n: int, batch_size: int, epochs: int, rng: torch.Generator) -> Iterator[Tensor]:
    for _ in range(epochs):
        yield from torch.randperm(n, generator=rng)[: n - n % batch_size].split(batch_size)


def moved(images: Tensor, shift: int, flip: bool, rng: torch.Generator) -> Tensor:
    """Shifts each image by up to ``shift`` pixels along each axis, repeating its edge, and mirrors half if ``flip``.

    Args:
        images: Shape ``(n, channels, height, width)``, uint8.
        shift: Largest shift, in pixels.
        flip: Whether to mirror each image left to right with probability 1/2.
        rng: Random stream on the CPU.
    """
    n, _, height, width = images.shape
    down, right = torch.randint(2 * shift + 1, (2, n, 1), generator=rng)
    mirrored = torch.rand(n, 1, generator=rng) < 0.5
    columns = torch.arange(width)
    columns = torch.where(mirrored & flip, columns.flip(0), columns) + right
    rows = (torch.arange(height) + down).to(images.device)
    wider = pad(images.float(), (shift,) * 4, mode="replicate").to(torch.uint8)
    every = torch.arange(n, device=images.device)[:, None, None]
    picked = wider.permute(0, 2, 3, 1)[every, rows[:, :, None], columns.to(images.device)[:, None, :]]
    return picked.permute(0, 3, 1, 2)
