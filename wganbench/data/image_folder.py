"""Folders of images in torchvision's ``ImageFolder`` layout: one per class, optionally in ``train`` and ``test``.

Images are decoded in a fixed random order, so that any consecutive ones are a fair sample of all: scores take their
reference and their splits that way.

This module needs only Pillow, so that a plan can describe a folder without loading torch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from PIL import Image

from wganbench.data.cache import Batch, Recipe, Split
from wganbench.data.resize import Pixels, box_average, centre_crop
from wganbench.errors import DataError, first_line

VERSION = 2
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's modes with at most eight bits per channel."""
BATCH = 512
THREADS = min(8, os.cpu_count() or 1)

Sample = tuple[Path, int]
T = TypeVar("T")
R = TypeVar("R")


def samples(folder: Path, split: Split) -> list[Sample]:
    """Returns the images of a split with their labels, in torchvision's order: by class, then by name.

    If ``folder`` has neither ``train`` nor ``test``, all of it is ``train``.

    Raises:
        DataError: If the folder has another layout, or fewer than two classes.
    """
    root = _root(folder, split)
    names = _classes(root)
    found = [(path, label) for label, name in enumerate(names) for path in images_below(root / name)]
    empty = set(range(len(names))) - {label for _, label in found}
    if empty:
        raise DataError(f"{root / names[min(empty)]}: no images; must have some of {', '.join(SUFFIXES)}, or go")
    return found


def shuffled(found: Sequence[Sample], root: Path) -> list[Sample]:
    """Sorts images by the SHA-256 of their path below ``root``, a random order that depends on their names alone.

    The order is thus the same on every machine and with every library, and adding an image does not reorder the others.
    """

    def place(sample: Sample) -> bytes:
        return hashlib.sha256(sample[0].relative_to(root).as_posix().encode("utf-8", "surrogateescape")).digest()

    return sorted(found, key=place)


def digest(folder: Path) -> str:
    """The SHA-256 of the names and contents of all images of both splits, 64 hexadecimal digits.

    Raises:
        DataError: If the folder has another layout, or a file cannot be read.
    """
    splits: list[Split] = ["train", "test"] if (folder / "test").is_dir() else ["train"]
    train, test = (set(_classes(_root(folder, split))) for split in (splits[0], splits[-1]))
    if train != test:
        odd = f"{sorted(train - test)} that test lacks, test {sorted(test - train)}"
        raise DataError(f"{folder}: train has classes {odd} that train lacks; both must have the same")
    paths = [path for split in splits for path, _ in samples(folder, split)]
    return content_digest(folder, paths)


def content_digest(folder: Path, paths: Sequence[Path]) -> str:
    """The SHA-256 of names below a folder and contents of files, 64 hexadecimal digits.

    Raises:
        DataError: If a file cannot be read.
    """
    contents = [content for batch in by_batches(lambda batch: list(map(_digest_of, batch)), paths) for content in batch]
    names = [path.relative_to(folder).as_posix() for path in paths]
    lines = sorted(f"{name}\0{content}\n" for name, content in zip(names, contents, strict=True))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def recipe(
    folder: Path, name: str, key: str, *, split: Split, size: int | None = None, channels: Literal[1, 3] = 3
) -> Recipe:
    """The recipe that decodes the images of a split, in `shuffled` order.

    Args:
        folder: The folder of images; it may be missing if they are decoded already.
        name: Name of the image set.
        key: The folder's `digest`.
        split: Which images.
        size: Side to which each image is centre-cropped and box-averaged; None to keep images of one common size.
        channels: 1 for grey, 3 for red, green and blue.
    """

    def batches() -> Iterator[Batch]:
        found = samples(folder, split)
        now = digest(folder)
        if now != key:
            raise DataError(f"{folder}: other images than those asked for, digest {now[:16]}… for {key[:16]}…")
        decode = partial(_decode, size=size, channels=channels)
        stack = partial(_stack, decode, decode(found[0][0]).shape)
        yield from by_batches(stack, shuffled(found, _root(folder, split)))

    form = f"{channels}xnative" if size is None else f"{channels}x{size}x{size}"
    return Recipe(name, split, form, VERSION, key, batches)


# ---- layout ---------------------------------------------------------------------------------------------------------


def _root(folder: Path, split: Split) -> Path:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; must have a folder of images for each class")
    if not any((folder / name).is_dir() for name in ("train", "test")):
        if split == "test":
            raise DataError(f"{folder}: no split 'test'; must have a folder test beside train, as all else is train")
        return folder
    if not (folder / split).is_dir():
        raise DataError(f"{folder}: no folder {split}; must have train, and test where a test split is asked for")
    return folder / split


def _classes(root: Path) -> list[str]:
    try:
        entries = list(os.scandir(root))
    except OSError as error:
        raise DataError(f"{root}: cannot be read ({error.strerror})") from None
    names = sorted(entry.name for entry in entries if entry.is_dir())
    if len(names) < 2:
        found = f"one class, {names[0]!r}" if names else "no classes"
        loose = sum(entry.name.lower().endswith(SUFFIXES) for entry in entries)
        beside = f" and {loose} images in none" if loose else ""
        raise DataError(f"{root}: {found}{beside}; must have two or more folders, each with the images of a class")
    return names


def images_below(folder: Path) -> Iterator[Path]:
    """Yields all files below a folder that are called like images, in order of their names."""
    for place, _, names in sorted(os.walk(folder, followlinks=True)):
        yield from (Path(place, name) for name in sorted(names) if name.lower().endswith(SUFFIXES))


# ---- pixels ---------------------------------------------------------------------------------------------------------


def _decode(path: Path, size: int | None, channels: Literal[1, 3]) -> Pixels:
    """Returns the pixels of an image, ``(channels, height, width)``."""
    try:
        with Image.open(path) as image:
            if image.mode not in MODES:
                raise DataError(f"{path}: pixels of mode {image.mode}; must have 8 bits a channel")
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except DataError:
        raise
    except Exception as error:  # Pillow may raise any error for a damaged file
        raise DataError(f"{path}: not a whole image ({first_line(error)}); replace or remove it") from None
    planes = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    if size is None:
        return planes
    square = centre_crop(planes)
    if square.shape[-1] < size:
        raise DataError(f"{path}: {_size(planes.shape)} pixels, less than size = {size}; images are never enlarged")
    return box_average(square, size)


def _stack(decode: Callable[[Path], Pixels], shape: tuple[int, ...], found: Sequence[Sample]) -> Batch:
    images = []
    for path, _ in found:
        image = decode(path)
        if image.shape != shape:
            sizes = f"{_size(image.shape)} pixels, the first has {_size(shape)}"
            raise DataError(f"{path}: {sizes}; set size to bring images of mixed sizes to one size")
        images.append(image)
    return np.stack(images), np.array([label for _, label in found], np.int64)


def _size(shape: tuple[int, ...]) -> str:
    height, width = shape[-2:]
    return f"{width}×{height}"


# ---- threads --------------------------------------------------------------------------------------------------------


def by_batches(work: Callable[[Sequence[T]], R], items: Sequence[T]) -> Iterator[R]:
    """Yields ``work`` of each batch of ``items``, in order, by threads; a single item is too little for a thread."""
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(batches), THREADS):  # a few at a time, or the results would pile up in memory
            yield from pool.map(work, batches[start : start + THREADS])


def _digest_of(path: Path) -> str:
    try:
        with path.open("rb", buffering=0) as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
