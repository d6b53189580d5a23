"""``cifar10-jpeg75``: CIFAR-10 saved as JPEG, the photographs that several reduced profiles are trained on.

Compression changes the pixels, so this is an image set of its own, and no score on it is one on CIFAR-10.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import PIL
from PIL import Image, features
from torchvision.datasets import CIFAR10

from wganbench.data import image_folder
from wganbench.errors import DataError

QUALITY = 75
DIGEST = "78086fc20c1b1c15a635979bf92b1d16ebc3ca6a8a061ac1b650bc528adcbf13"
"""The digest of the folder that the committed records are of, as the specs state it."""


def is_there(folder: Path) -> bool:
    """Returns whether a folder has the files that the committed records are of; not if there is no folder.

    Raises:
        DataError: If it has other files.
    """
    if folder.exists() and (found := image_folder.digest(folder)) != DIGEST:
        raise DataError(f"{folder}: {_other(found)}; move it away, or use it under a name of its own")
    return folder.exists()


def make(source: Path, folder: Path) -> None:
    """Saves CIFAR-10 as JPEG files, ``folder/SPLIT/CLASS/NNNN.jpg``, counted within a class in the original order.

    Args:
        source: The folder with CIFAR-10's batches, as torchvision reads it.
        folder: The folder to make; there must be none.

    Raises:
        DataError: If Pillow saves other files than those that the committed records are of.
    """
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for split in ("train", "test"):
        _save(CIFAR10(source, train=split == "train", download=False), unfinished / split)
    if (found := image_folder.digest(unfinished)) != DIGEST:
        shutil.rmtree(unfinished)
        library = f"libjpeg-turbo {features.version('libjpeg_turbo') or 'none'}"
        raise DataError(f"{folder}: {_other(found)}, as saved by Pillow {PIL.__version__} with {library}; try another")
    unfinished.rename(folder)


def _other(found: str) -> str:
    return f"other files than those of the committed records, digest {found[:16]}… for {DIGEST[:16]}…"


def _save(images: CIFAR10, folder: Path) -> None:
    for name in images.classes:
        (folder / name).mkdir(parents=True)
    saved = [0] * len(images.classes)
    for pixels, label in zip(images.data, images.targets, strict=True):
        path = folder / images.classes[label] / f"{saved[label]:04}.jpg"
        Image.fromarray(pixels).save(path, quality=QUALITY)
        saved[label] += 1
