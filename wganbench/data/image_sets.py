"""The image sets that a spec may name, each opened from the data folder; see `wganbench.data.locations`."""

from __future__ import annotations

from typing import Literal

from wganbench import variables
from wganbench.data import image_folder as folders
from wganbench.data import imagenet32 as batches
from wganbench.data import shapes10 as shapes
from wganbench.data import torchvision_sets
from wganbench.data.cache import Recipe, Split, obtain
from wganbench.data.images import Images, Scaling
from wganbench.data.locations import data_folder, decoded_folder
from wganbench.errors import DataError


def shapes10(*, split: Split = "train", size: int = 32, scaling: Scaling = "255", flips: bool = False) -> Images:
    """Ten classes of drawn shapes, 50,000 to train and 10,000 to test on; drawn here, once.

    Args:
        split: Which images.
        size: Side in pixels; smaller than 32 they are box-averaged.
        scaling: See `wganbench.data.images.Scaling`.
        flips: Whether training sees each image reversed left to right half of the time.
    """
    _check_size("shapes10", size, shapes.SIDE)
    return _open(shapes.recipe(split, size), scaling, flips)


def cifar10(*, split: Split = "train", size: int = 32, scaling: Scaling = "255", flips: bool = False) -> Images:
    """CIFAR-10 (Krizhevsky 2009): 50,000 images to train and 10,000 to test on, ten classes.

    Args:
        split: Which images.
        size: Side in pixels; smaller than 32 they are box-averaged.
        scaling: See `wganbench.data.images.Scaling`.
        flips: Whether training sees each image reversed left to right half of the time.
    """
    _check_size("cifar10", size, torchvision_sets.SIDES["cifar10"])
    return _open(torchvision_sets.cifar10(split, size), scaling, flips)


def mnist(*, split: Split = "train", size: int = 28, scaling: Scaling = "unit", flips: bool = False) -> Images:
    """MNIST (LeCun et al. 1998): 60,000 grey digits to train and 10,000 to test on.

    Args:
        split: Which images.
        size: Side in pixels; smaller than 28 they are box-averaged.
        scaling: See `wganbench.data.images.Scaling`; the default is that of ``gan_mnist.py``.
        flips: Whether training sees each image reversed left to right half of the time.
    """
    _check_size("mnist", size, torchvision_sets.SIDES["mnist"])
    return _open(torchvision_sets.mnist(split, size), scaling, flips)


def imagenet32(*, split: Split = "train", size: int = 32, scaling: Scaling = "255", flips: bool = False) -> Images:
    """ImageNet 32×32 (Chrabaszcz et al. 2017): 1,281,167 images to train and 50,000 to test on, 1,000 classes.

    Gulrajani et al. use van den Oord's of 2016, which was made by another averaging: 1,281,149 and 49,999 images.

    Args:
        split: Which images.
        size: Side in pixels; smaller than 32 they are box-averaged.
        scaling: See `wganbench.data.images.Scaling`.
        flips: Whether training sees each image reversed left to right half of the time.
    """
    _check_size("imagenet32", size, batches.SIDE)
    return _open(batches.recipe(split, size), scaling, flips)


def image_folder(
    *,
    folder: str,
    digest: str | None = None,
    split: Split = "train",
    size: int | None = None,
    channels: Literal[1, 3] = 3,
    scaling: Scaling = "255",
    flips: bool = False,
) -> Images:
    """A folder of images in the data folder, one folder a class, with ``train`` and ``test`` above these or not.

    In a spec ``data = { name = "image_folder", folder = "pets" }`` is all of ``pets`` in the data folder::

        pets/cat/1.jpg    or    pets/train/cat/1.jpg    and, for the classifier,    pets/test/cat/2.jpg
        pets/dog/1.jpg          pets/train/dog/1.jpg    which is judged by them     pets/test/dog/2.jpg

    It is decoded once, in a fixed random order, and read from there afterwards.

    Args:
        folder: Its name, which is the set's; a link will do.
        digest: Of names and contents of all images, as ``wganbench data verify`` states it. With it the run's id stands
            for these images, others are refused, and the folder may be gone once it is decoded. Without it the whole
            folder is read at each start, and only the record's ``data_checksum`` says what it held.
        split: Which images; where there is neither ``train`` nor ``test``, all are to train on.
        size: Side in pixels: each is cropped to a square about its centre and box-averaged; None for images of one
            size, as they are.
        channels: 1 for grey, 3 for red, green and blue.
        scaling: See `wganbench.data.images.Scaling`.
        flips: Whether training sees each image reversed left to right half of the time.

    Raises:
        DataError: If there is no such folder, it is not laid out like that, its images are of mixed sizes and ``size``
            is None, or it has another digest.
    """
    there = data_folder() / folder
    if digest is None and not there.is_dir():
        raise DataError(
            f"{there}: no such folder; put or link one there with a folder of images for each class, or name another "
            f"data folder with --data-dir or {variables.DATA}"
        )
    key = digest or folders.digest(there)
    recipe = folders.recipe(there, folder, key, split=split, size=size, channels=channels)
    return _open(recipe, scaling, flips)


def _open(recipe: Recipe, scaling: Scaling, flips: bool) -> Images:
    """Published sets are shuffled by their publishers, shapes have their classes in turn, folders are shuffled here."""
    return Images.of(recipe.name, obtain(recipe, decoded_folder()), scaling, flips, shuffled=True)


def _check_size(name: str, size: int, native: int) -> None:
    if not 1 <= size <= native:
        raise DataError(f"{name}, size: must be between 1 and {native}, got {size}; it is averaged, never enlarged")
