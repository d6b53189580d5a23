"""Prepares score networks: trains a classifier on a named data set, and calibrates the Inception network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wganbench.data import image_folder
from wganbench.data.cache import Split, obtain
from wganbench.data.images import Images
from wganbench.data.locations import IMAGE_SETS, decoded_folder
from wganbench.errors import DataError
from wganbench.files import replacing
from wganbench.measures.scores.inception import Inception, self_test
from wganbench.measures.scores.network_outputs import NetworkOutputs, images_in_batches
from wganbench.measures.scores.protocol import ENDING, About, TrainingOptions
from wganbench.measures.scores.train_classifier import RECIPES, Recipe, train_classifier
from wganbench.runner.loop import choose_device
from wganbench.runner.precision import numerics
from wganbench.runner.resolve import factory, score
from wganbench.spec import Component

DRAWN = ("shapes10", "mnist")
"""The image sets for which the recipe ``drawn`` is the default."""


def train(
    data: str,
    size: int,
    out: Path,
    options: TrainingOptions,
    *,
    on_message: Callable[[str], None] = lambda line: None,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
) -> tuple[Path, About]:
    """Trains a classifier and writes its file, named by its content, so that an existing file of that name is the same.

    Args:
        data: Name of an image set, or path of a folder of images with subfolders ``train`` and ``test``.
        size: Side of the images in pixels.
        out: Folder for the file, created if it does not exist.
        options: Options of the training.
        on_message: Called with a line before the training.
        on_step: Called after each step with its number and the total number of steps.

    Returns:
        The path of the file and its description of the classifier.

    Raises:
        DataError: If the data cannot be obtained or used, the classifier is less accurate than stated, or the file
            cannot be written; nothing is then written.
    """
    recipe, device = _recipe(data, options), choose_device(options.device)
    images, test = (_images(data, split, size) for split in ("train", "test"))
    on_message(
        f"{len(images):,} images of {images.name} at {size}×{size}, {recipe.epochs} epochs by "
        f"{recipe.scaled(len(images)).name}; stated is a test accuracy of {100 * recipe.accuracy:g} %"
    )
    with numerics(device, options.threads):
        classifier, content = train_classifier(images, test, recipe, seed=options.seed, device=device, on_step=on_step)
    path = out / f"{classifier.name}{ENDING}"
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); make room there, or use --out") from None
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


def _recipe(data: str, options: TrainingOptions) -> Recipe:
    """Returns the recipe for an image set or a folder of images, with the epochs and the accuracy asked for."""
    name = options.recipe or ("drawn" if data in DRAWN else "photographs")
    if name not in RECIPES:
        raise DataError(f"classifier, recipe: unknown {name!r}; known: {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    accuracy = recipe.accuracy if options.accuracy is None else options.accuracy
    return replace(recipe, epochs=options.epochs or recipe.epochs, accuracy=accuracy)


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
