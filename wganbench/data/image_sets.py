"""The image sets that a spec can name, opened from the data folder; see `wganbench.data.locations`.

All of them have these options, and folders of images a few more:

* ``split``: ``"train"`` or ``"test"``.
* ``size``: The side in pixels; below the native side, images are box-averaged.
* ``scaling``: See `wganbench.data.images.Scaling`. The default of each set is that of its published experiments.
* ``flips``: Whether training mirrors each image left to right with probability 1/2; no option of stacked digits.
* ``held_out``: The number of images, or the fraction of all, that are kept from training for measures: the last ones.
* ``limit``: The number of images that are trained on: the first ones that are not held out.
"""

from __future__ import annotations

from typing import Literal

from wganbench.data import image_folder as folders
from wganbench.data import imagenet32 as batches
from wganbench.data import pictures, torchvision_sets
from wganbench.data import shapes10 as shapes
from wganbench.data import stacked_mnist as stacked
from wganbench.data.cache import Recipe, Split, obtain
from wganbench.data.images import Images, Scaling
from wganbench.data.locations import data_folder, decoded_folder
from wganbench.errors import DataError
from wganbench.files import DATA_VARIABLE


def shapes10(
    *,
    split: Split = "train",
    size: int = 32,
    scaling: Scaling = "255",
    flips: bool = False,
    limit: int | None = None,
    held_out: float | None = None,
) -> Images:
    """Ten classes of generated shapes, 50,000 images to train and 10,000 to test on; drawn on first use."""
    _check_size("shapes10", size, shapes.SIDE)
    return _open(shapes.recipe(split, size), scaling, flips, limit, held_out)


def cifar10(
    *,
    split: Split = "train",
    size: int = 32,
    scaling: Scaling = "255",
    flips: bool = False,
    limit: int | None = None,
    held_out: float | None = None,
) -> Images:
    """CIFAR-10 (Krizhevsky 2009): 50,000 images to train and 10,000 to test on, ten classes."""
    _check_size("cifar10", size, torchvision_sets.SIDES["cifar10"])
    return _open(torchvision_sets.cifar10(split, size), scaling, flips, limit, held_out)


def mnist(
    *,
    split: Split = "train",
    size: int = 28,
    scaling: Scaling = "unit",
    flips: bool = False,
    limit: int | None = None,
    held_out: float | None = None,
) -> Images:
    """MNIST (LeCun et al. 1998): 60,000 grey digits to train and 10,000 to test on."""
    _check_size("mnist", size, torchvision_sets.SIDES["mnist"])
    return _open(torchvision_sets.mnist(split, size), scaling, flips, limit, held_out)


def stacked_mnist(
    *,
    split: Split = "train",
    size: int = 28,
    scaling: Scaling = "255",
    limit: int | None = None,
    held_out: float | None = None,
) -> Images:
    """Stacked MNIST (Srivastava et al. 2017): 128,000 images of three digits to train, 26,000 to test on."""
    _check_size("stacked_mnist", size, stacked.SIDE)
    return _open(stacked.recipe(split, size), scaling, False, limit, held_out)


def imagenet32(
    *,
    split: Split = "train",
    size: int = 32,
    scaling: Scaling = "255",
    flips: bool = False,
    limit: int | None = None,
    held_out: float | None = None,
) -> Images:
    """ImageNet 32×32 (Chrabaszcz et al. 2017): 1,281,167 images to train and 50,000 to test on, 1,000 classes.

    Gulrajani et al. use van den Oord's version of 2016, which was averaged differently: 1,281,149 and 49,999 images.
    """
    _check_size("imagenet32", size, batches.SIDE)
    return _open(batches.recipe(split, size), scaling, flips, limit, held_out)


def image_folder(
    *,
    folder: str,
    digest: str | None = None,
    split: Split = "train",
    size: int | None = None,
    channels: Literal[1, 3] = 3,
    scaling: Scaling = "255",
    flips: bool = False,
    limit: int | None = None,
    held_out: float | None = None,
) -> Images:
    """A folder of images in the data folder, with one folder per class, optionally inside ``train`` and ``test``.

    In a spec, ``data = { name = "image_folder", folder = "pets" }`` names all of ``pets`` in the data folder::

        pets/cat/1.jpg    or    pets/train/cat/1.jpg    and, for the classifier,    pets/test/cat/2.jpg
        pets/dog/1.jpg          pets/train/dog/1.jpg    which is judged by them     pets/test/dog/2.jpg

    The images are decoded once, in a fixed random order, and read from the decoded file afterwards.

    Args:
        folder: Name of the folder, or of a link to it; also the name of the image set.
        digest: Digest of the names and contents of all images, as ``wganbench data verify`` prints it. With it, the
            run's id identifies these images, others are refused, and the folder is not needed after decoding. Without
            it, the whole folder is read at each start, and only the record's ``data_checksum`` identifies the images.
        split: Which images; without ``train`` and ``test``, all are training images.
        size: Side in pixels to which each image is centre-cropped and box-averaged; None to keep images of one common
            size.
        channels: 1 for grey, 3 for red, green and blue.
        scaling, flips, limit, held_out: As for all sets.

    Raises:
        DataError: If the folder is missing, has another layout or another digest, or has images of mixed sizes while
            ``size`` is None.
    """
    there = data_folder() / folder
    if digest is None and not there.is_dir():
        raise DataError(
            f"{there}: no such folder; put or link one there with a folder of images for each class, or name another "
            f"data folder with --data-dir or {DATA_VARIABLE}"
        )
    key = digest or folders.digest(there)
    recipe = folders.recipe(there, folder, key, split=split, size=size, channels=channels)
    return _open(recipe, scaling, flips, limit, held_out)


def images(
    *,
    folder: str | None = None,
    digest: str | None = None,
    size: int = 64,
    channels: Literal[1, 3] = 3,
    scaling: Scaling = "255",
    flips: bool = False,
    limit: int | None = None,
    held_out: float | None = None,
) -> Images:
    """Any pictures of the user's, without classes, which ``--data images=FOLDER`` names; see `wganbench.data.pictures`.

    Args:
        folder: Name of the folder; None until one is named.
        digest: Digest of the names and contents of all pictures, which the command line fills in.
        size: Side in pixels to which each picture is centre-cropped and box-averaged; smaller ones are left out.
        channels: 1 for grey, 3 for red, green and blue.
        scaling, flips, limit, held_out: As for all sets.

    Raises:
        DataError: If no folder is named, it is missing, or none of its pictures can be used.
    """
    if folder is None:
        raise DataError("images: no folder is named; --data images=FOLDER names a folder of pictures")
    there = data_folder() / folder
    recipe = pictures.recipe(there, folder, digest or pictures.digest(there), size=size, channels=channels)
    return _open(recipe, scaling, flips, limit, held_out)


def _open(recipe: Recipe, scaling: Scaling, flips: bool, limit: int | None, held_out: float | None) -> Images:
    """Opens an image set. All count as shuffled: published sets are, shapes alternate classes, folders get shuffled."""
    images = Images.of(recipe.name, obtain(recipe, decoded_folder()), scaling, flips, shuffled=True)
    return images.parted(limit, held_out)


def _check_size(name: str, size: int, native: int) -> None:
    if not 1 <= size <= native:
        raise DataError(f"{name}, size: must be between 1 and {native}, got {size}; it is averaged, never enlarged")
