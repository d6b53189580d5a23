"""The locations of image sets, the files of the published ones, and how to obtain missing ones.

::

    DATA/cifar10, DATA/mnist, DATA/imagenet32     the published files, in the layout of their publisher or torchvision
    DATA/FOLDER                                   a folder of images, with one folder per class
    DATA/decoded/                                 the decoded sets; safe to delete
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wganbench.errors import DataError
from wganbench.files import DATA_VARIABLE, expanded

if TYPE_CHECKING:
    from wganbench.data.cache import Split  # which imports numpy, and no command needs that to know a folder

RAW_MNIST = {
    "train": ("MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte"),
    "test": ("MNIST/raw/t10k-images-idx3-ubyte", "MNIST/raw/t10k-labels-idx1-ubyte"),
}
CIFAR10_FILES = tuple(
    f"cifar-10-batches-py/{name}" for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta")
)


@dataclass(frozen=True)
class ImageSet:
    """An image set with a fixed name.

    Attributes:
        images: Number of images, by split.
        shape: Shape of one image: channels, height, width.
        files: Files by split, relative to the set's folder; empty for a set that is drawn, or composed of another.
        remedy: Instructions for obtaining the files.
    """

    images: Mapping[Split, int]
    shape: tuple[int, int, int]
    files: Mapping[Split, tuple[str, ...]]
    remedy: str = ""


IMAGE_SETS: dict[str, ImageSet] = {
    "shapes10": ImageSet({"train": 50_000, "test": 10_000}, (3, 32, 32), {"train": (), "test": ()}),
    "cifar10": ImageSet(
        {"train": 50_000, "test": 10_000},
        (3, 32, 32),
        {"train": CIFAR10_FILES, "test": CIFAR10_FILES},
        "'wganbench data fetch cifar10' downloads it; without a network, put cifar-10-python.tar.gz there first, from "
        "https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
    "mnist": ImageSet(
        {"train": 60_000, "test": 10_000},
        (1, 28, 28),
        {"train": RAW_MNIST["train"], "test": RAW_MNIST["test"]},
        "'wganbench data fetch mnist' downloads it; without a network, put the four idx files there",
    ),
    "stacked_mnist": ImageSet({"train": 128_000, "test": 26_000}, (3, 28, 28), {"train": (), "test": ()}),
    "imagenet32": ImageSet(
        {"train": 1_281_167, "test": 50_000},
        (3, 32, 32),
        {"train": tuple(f"train_data_batch_{n}.npz" for n in range(1, 11)), "test": ("val_data.npz",)},
        "log in at https://image-net.org/download-images, take the downsampled 32×32 images in npz format, and "
        "unpack them there",
    ),
}
"""The named image sets.

ImageNet 32×32 is that of Chrabaszcz et al. 2017; van den Oord's of 2016 has 1,281,149 and 49,999 images.
"""

JPEG_COPY = "cifar10-jpeg75"
"""The folder of CIFAR-10 saved as JPEG; ``cifar10_jpeg`` makes it."""


def data_folder() -> Path:
    """Returns ``$WGANBENCH_DATA`` or else ``wganbench`` in the user's cache folder; it need not exist.

    Raises:
        DataError: If it is in a home folder, and there is none.
    """
    chosen = os.environ.get(DATA_VARIABLE)
    if chosen:
        return expanded(chosen, DATA_VARIABLE)
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if Path(cache).is_absolute():  # the XDG specification says to ignore relative paths
        return Path(cache) / "wganbench"
    if sys.platform == "darwin":
        return expanded("~/Library/Caches/wganbench", DATA_VARIABLE)
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "wganbench"
    return expanded("~/.cache/wganbench", DATA_VARIABLE)


def decoded_folder() -> Path:
    return data_folder() / "decoded"


def locate(name: str, split: Split) -> Path:
    """Returns the folder with all files of a split: the set's own in the data folder, or the data folder itself.

    The latter is for torchvision and other tools that share one folder between sets.

    Raises:
        DataError: If there is no such folder; the message lists what is missing and how to obtain it.
    """
    own = data_folder() / name
    for folder in (own, data_folder()):
        if not missing(name, split, folder):
            return folder
    absent = missing(name, split, own)
    more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
    raise DataError(
        f"{name}: no {absent[0]}{more} in {own}; {IMAGE_SETS[name].remedy}; --data-dir or {DATA_VARIABLE} names "
        f"another folder than {data_folder()}"
    )


def missing(name: str, split: Split, folder: Path) -> list[str]:
    """Returns the files of a split that are not in ``folder``."""
    return [file for file in IMAGE_SETS[name].files[split] if not (folder / file).is_file()]
