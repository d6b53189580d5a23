"""Decoded image sets: one file each, written once and whole, then mapped into memory by whoever needs it.

A file is a header of 4,096 bytes (JSON, padded), the images (uint8, channels first) and the labels (int64, little
endian). Its name says the set, split, shape, version of the decoding and a key of the content that it was made from,
so that another content is another file. A file that is not as it was written counts as none, and is made anew.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from wganbench.errors import DataError
from wganbench.files import leftovers, replacing

HEADER_BYTES = 4096
SUFFIX = ".images"

Split = Literal["train", "test"]
Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images ``(n, channels, height, width)`` with their labels ``(n,)``."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded image set.

    Attributes:
        images: Shape ``(n, channels, height, width)``, mapped from the file; what is written there stays in memory.
        labels: Shape ``(n,)``, from 0.
        checksum: SHA-256 of images, labels and shape, 64 hexadecimal digits.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    checksum: str


@dataclass(frozen=True, eq=False)
class Recipe:
    """How an image set is decoded.

    Attributes:
        name, split: Of the set.
        form: What else the file's name says, such as ``"3x32x32"``.
        version: Raised when the same content would be decoded to other pixels.
        key: Stands for the content; hexadecimal digits.
        batches: Decodes it. It raises ``DataError`` alone: any other error is taken for one of writing.
    """

    name: str
    split: Split
    form: str
    version: int
    key: str
    batches: Callable[[], Iterable[Batch]]

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.split}-{self.form}-v{self.version}-{self.key[:16]}{SUFFIX}"


def obtain(recipe: Recipe, folder: Path) -> Decoded:
    """The decoded set out of ``folder``, or decoded now and kept there.

    Processes that decode it at once each write a file of their own, and the last one stays: they are equal.

    Raises:
        DataError: If it has to be decoded and cannot be, or the disk refuses it; no part of it is then left there.
    """
    path = folder / recipe.file_name
    found = read(path)
    if found is None:
        _write(path, recipe)
        found = read(path)
    if found is None:
        raise DataError(f"{path}: not as it was written just now; the disk may be failing, --data-dir names another")
    return found


# ---- reading --------------------------------------------------------------------------------------------------------


def read(path: Path) -> Decoded | None:
    """The set in a file, verified by its checksum; None where there is no file, or not one as it was written.

    Raises:
        DataError: If it is there and cannot be read.
    """
    try:
        about = path.stat()
        return _read(path, (about.st_mtime_ns, about.st_size, about.st_ino))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); remove it, it is made anew") from None


@lru_cache(maxsize=8)
def _read(path: Path, state: tuple[int, ...]) -> Decoded | None:
    """Once for each ``state`` of the file: a run opens its data several times, and the checksum takes a while."""
    header = read_header(path)
    if header is None:
        return None
    shape = tuple(header["shape"])
    size = math.prod(shape)
    images = np.memmap(path, np.uint8, "c", HEADER_BYTES, shape)  # copy on write, as torch takes no read-only memory
    labels = np.fromfile(path, "<i8", offset=HEADER_BYTES + size).astype(np.int64)
    found = Decoded(images, labels, _checksum(images, labels))
    return found if found.checksum == header["checksum"] else None


def read_header(path: Path) -> dict[str, Any] | None:
    """Name, split, shape, key and checksum as the file states them; None where it is no whole file.

    The checksum is not verified, which would need all of the file.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(HEADER_BYTES))
        shape = header["shape"]
        whole = HEADER_BYTES + math.prod(shape) + 8 * shape[0] == path.stat().st_size
        stated = len(shape) == 4 and min(shape) > 0 and isinstance(header["checksum"], str)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return header if whole and stated else None


def _checksum(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> str:
    digest = hashlib.sha256(images.data)
    digest.update(_tail(labels, images.shape))
    return digest.hexdigest()


def _tail(labels: NDArray[np.int64], shape: tuple[int, ...]) -> bytes:
    """What the checksum covers beside the images."""
    return labels.astype("<i8").tobytes() + json.dumps(list(shape)).encode()


# ---- writing --------------------------------------------------------------------------------------------------------


def _write(path: Path, recipe: Recipe) -> None:
    try:
        for leftover in leftovers(path.parent):
            leftover.unlink(missing_ok=True)
        with replacing(path) as file:
            _fill(file, recipe)
    except OSError as error:
        raise DataError(
            f"{path.parent}: cannot hold {recipe.name}, decoded ({error.strerror}); make room there, or name another "
            f"folder with --data-dir or WGANBENCH_DATA"
        ) from None


def _fill(file: BinaryIO, recipe: Recipe) -> None:
    file.write(b" " * HEADER_BYTES)
    digest = hashlib.sha256()
    labels: list[NDArray[np.int64]] = []
    form: tuple[int, ...] | None = None
    for images, their_labels in recipe.batches():
        form = form or images.shape[1:]
        assert images.dtype == np.uint8 and images.shape == (len(their_labels), *form)
        pixels = np.ascontiguousarray(images).data
        file.write(pixels)
        digest.update(pixels)
        labels.append(their_labels)
    joined = np.concatenate(labels) if labels else np.empty(0, np.int64)
    if not joined.size or form is None:
        raise DataError(f"{recipe.name}: no images in split {recipe.split!r}")
    shape = (len(joined), *form)
    file.write(joined.astype("<i8").tobytes())
    digest.update(_tail(joined, shape))
    stated = {"name": recipe.name, "split": recipe.split, "shape": shape, "version": recipe.version, "key": recipe.key}
    file.seek(0)
    file.write(json.dumps({**stated, "checksum": digest.hexdigest()}).ljust(HEADER_BYTES).encode())
