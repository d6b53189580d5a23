"""Folders of images in torchvision's ``ImageFolder`` layout: one per class, optionally in ``train`` and ``test``.

Images are decoded in a fixed random order, so that any consecutive ones are a fair sample of all: scores take their
reference and their splits that way.

This module needs only Pillow, so that a plan can describe a folder without loading torch.
"""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from wganbench.data.cache import Batch, Recipe, Split
from wganbench.data.locations import JPEG_COPY
from wganbench.data.resize import Pixels, box_average, centre_crop
from wganbench.errors import DataError, first_line
from wganbench.reading import open_file, read_bytes

VERSION = 2
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP")
"""Pillow's formats that a file may have, whatever its name says: others, such as EPS, start programs."""
MAX_BYTES = 2**28
"""The largest file of an image."""
MAX_PIXELS = 2**26
"""The most pixels of an image, such as 8,192 × 8,192; a file of a few kilobytes may unpack to any number."""
LARGE_PIXELS, ONE_LARGE = 2**24, threading.Lock()
"""Images of more pixels are decoded one at a time, as each takes up to a gigabyte."""
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of oversized and slightly damaged files; both are judged here
            stack = partial(_stack, decode, decode(found[0][0]).shape)
            yield from by_batches(stack, shuffled(found, _root(folder, split)))

    form = f"{channels}xnative" if size is None else f"{channels}x{size}x{size}"
    return Recipe(name, split, form, VERSION, key, batches)


# ---- layout ---------------------------------------------------------------------------------------------------------


def _root(folder: Path, split: Split) -> Path:
    if not folder.is_dir():
        made = f"'wganbench data fetch {JPEG_COPY}' makes it of CIFAR-10"
        remedy = made if folder.name == JPEG_COPY else "must have a folder of images for each class"
        raise DataError(f"{folder}: no such folder; {remedy}")
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
    names = sorted(entry.name for entry in entries if entry.is_dir() and not root.samefile(entry))
    if len(names) < 2:
        found = f"one class, {names[0]!r}" if names else "no classes"
        loose = sum(entry.name.lower().endswith(SUFFIXES) for entry in entries)
        beside = f" and {loose} images in none" if loose else ""
        raise DataError(f"{root}: {found}{beside}; must have two or more folders, each with the images of a class")
    return names


def images_below(folder: Path) -> Iterator[Path]:
    """Yields all files below a folder that are called like images, in order of their names.

    A folder that links lead to again is read once, under the first of its names.

    Raises:
        DataError: If a folder cannot be read.
    """
    for place, names in sorted(_walk(folder)):
        yield from (Path(place, name) for name in sorted(names) if name.lower().endswith(SUFFIXES))


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields each folder below ``folder``, itself first, with the names of its files."""

    def fail(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})")

    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=fail):
        state = Path(place).stat()
        is_new = (state.st_dev, state.st_ino) not in seen
        seen.add((state.st_dev, state.st_ino))
        folders[:] = sorted(folders) if is_new else []
        if is_new:
            yield place, names


# ---- pixels ---------------------------------------------------------------------------------------------------------


def _decode(path: Path, size: int | None, channels: Literal[1, 3]) -> Pixels:
    """Returns the pixels of an image, ``(channels, height, width)``."""
    try:
        with open_image(path) as image:
            if image.mode not in MODES:
                raise DataError(f"{path}: pixels of mode {image.mode}; must have 8 bits a channel")
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"{path}: more than {MAX_PIXELS:,} pixels; make it smaller or remove it") from None
    except UnidentifiedImageError:
        wrong = f"cannot identify it as one of {', '.join(FORMATS)}"
        raise DataError(f"{path}: not a whole image ({wrong}); replace or remove it") from None
    except Exception as error:  # Pillow may raise any error for a damaged file
        raise DataError(f"{path}: not a whole image ({first_line(error)}); replace or remove it") from None
    planes = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    if size is None:
        return planes
    square = centre_crop(planes)
    if square.shape[-1] < size:
        raise DataError(f"{path}: {_size(planes.shape)} pixels, less than size = {size}; images are never enlarged")
    return box_average(square, size)


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Opens an image, of which only the header is read before it is known to be of an allowed format and size.

    Raises:
        Image.DecompressionBombError: If it has too many pixels.
        UnidentifiedImageError: If it is not an image in one of the formats.
        OSError: If the file cannot be read, or is no regular file.
    """
    with open_file(path) as file, Image.open(file, formats=FORMATS) as image:
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise Image.DecompressionBombError
        with ONE_LARGE if pixels > LARGE_PIXELS else nullcontext():
            yield image


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
        return hashlib.sha256(read_bytes(path, MAX_BYTES)).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
