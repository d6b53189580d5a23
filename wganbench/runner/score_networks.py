"""Prepares score networks: trains a classifier on a named data set, and calibrates the Inception network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from wganbench.data import image_folder
from wganbench.data.cache import Split, obtain
from wganbench.data.images import Images
from wganbench.data.locations import IMAGE_SETS, decoded_folder
from wganbench.errors import DataError
from wganbench.files import replacing
from wganbench.measures.scores.inception import Inception, self_test
from wganbench.measures.scores.network_outputs import NetworkOutputs, images_in_batches
from wganbench.measures.scores.protocol import ENDING, About
from wganbench.measures.scores.train_classifier import RECIPES, train_classifier
from wganbench.runner.loop import choose_device
from wganbench.runner.resolve import factory, score
from wganbench.spec import Component

DRAWN = ("shapes10", "mnist")
"""The image sets for which the recipe ``drawn`` is the default."""


def train(
    data: str,
    size: int,
    out: Path,
    *,
    stated_accuracy: float | None = None,
    recipe: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    threads: int = 1,
    device: str = "auto",
    say: Callable[[str], None] = lambda line: None,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
) -> tuple[Path, About]:
    """Trains a classifier and writes its file, named by its content, so that an existing file of that name is the same.

    Args:
        data: Name of an image set, or path of a folder of images with subfolders ``train`` and ``test``.
        size: Side of the images in pixels.
        out: Folder for the file, created if it does not exist.
        stated_accuracy, recipe, epochs: As for ``train_classifier``; None for the defaults of ``data`` and the recipe.
        seed: The seed of the training.
        threads: Number of CPU threads, which the last bits depend on.
        device: ``auto``, ``cpu`` or ``cuda``.
        say: Called with a line before the training.
        on_step: Called after each step with its number and the total number of steps.

    Returns:
        The path of the file and its description of the classifier.

    Raises:
        DataError: If the data cannot be obtained or used, the classifier is less accurate than stated, or the file
            cannot be written; nothing is then written.
    """
    chosen = RECIPES.get(recipe or ("drawn" if data in DRAWN else "photographs"))
    if chosen is None:
        raise DataError(f"classifier, recipe: unknown {recipe!r}; known: {', '.join(RECIPES)}")
    stated = chosen.accuracy if stated_accuracy is None else stated_accuracy
    images, test = (_images(data, split, size) for split in ("train", "test"))
    used = chosen.scaled(len(images))
    say(
        f"{len(images):,} images of {images.name} at {size}×{size}, {epochs or used.epochs} epochs by {used.name}; "
        f"stated is a test accuracy of {100 * stated:g} %"
    )
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        classifier, content = train_classifier(
            *(images, test),
            stated_accuracy=stated,
            recipe=chosen.name.partition("/")[0],
            seed=seed,
            epochs=epochs,
            device=choose_device(device),
            on_step=on_step,
        )
    finally:
        torch.set_num_threads(before)
    path = out / f"{classifier.name}{ENDING}"
    _write(path, content)
    return path, classifier.about


def calibrate(device: str = "auto") -> str:
    """Scores CIFAR-10's own training images with the Inception network, and stores the result for later runs.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``; the stored result holds for this kind of device.

    Returns:
        A line with the score and the protocol by which runs are scored from now on.

    Raises:
        DataError: If images or weights cannot be obtained, or the score is not the known one.
    """
    real: Images = factory("data set", Component.resolve("data set", "cifar10"))()
    network = score(Component.resolve("score", "inception")).to(choose_device(device))
    assert isinstance(network, Inception)
    mean, spread = self_test(network, NetworkOutputs(network, images_in_batches(real.pixels)))
    return (
        f"weights {network.hash} on {network.device.type}: CIFAR-10's training images score {mean:.2f} ± {spread:.2f}, "
        f"as they must; runs here are scored by {network.protocol}"
    )


def _images(data: str, split: Split, size: int) -> Images:
    folder = Path(data)
    if data in IMAGE_SETS:
        asked = {"name": data}
    elif folder.is_dir():
        asked = {"name": "image_folder", "folder": folder.resolve().name}
    else:
        known = ", ".join(IMAGE_SETS)
        raise DataError(f"classifier of {data}: no such image set or folder; must be {known}, or a folder of images")
    try:
        component = Component.resolve("data set", {**asked, "split": split, "size": size})
    except ValueError as error:
        raise DataError(f"classifier of {data}: {error}") from None
    if data in IMAGE_SETS:
        images: Images = factory("data set", component)()
        return images
    name = asked["folder"]
    recipe = image_folder.recipe(folder, name, image_folder.digest(folder), split=split, size=size)
    return Images.of(name, obtain(recipe, decoded_folder()), "255")


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); make room there, or use --out") from None
