"""Decoded image sets: one file each, written once and atomically, then mapped into memory by every reader.

A file is a header of 4,096 bytes (JSON, padded), the images (uint8, channels first) and the labels (int64, little
endian). Its name gives the set, split, shape, version of the decoding and a key of the source content, so that
different content goes to a different file. A damaged file is treated as missing and made again.
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
        images: Shape ``(n, channels, height, width)``, mapped from the file; changes stay in memory.
        labels: Shape ``(n,)``, from 0.
        checksum: SHA-256 of images, labels and shape, 64 hexadecimal digits.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    checksum: str


@dataclass(frozen=True, eq=False)
class Recipe:
    """Instructions for decoding an image set.

    Attributes:
        name, split: Name and split of the set.
        form: The shape as written in the file's name, such as ``"3x32x32"``.
        version: Version of the decoding, raised whenever the same content would decode to different pixels.
        key: Identifies the source content; hexadecimal digits.
        batches: Decodes the images. It must raise only ``DataError``, as an ``OSError`` is reported as a failed write.
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
    """Reads the decoded set from ``folder``, after decoding it into there if necessary.

    Processes that decode the same set at the same time each write their own file, and the last one remains: all of them
    are equal.

    Raises:
        DataError: If the set must be decoded and cannot be, or cannot be written; no partial file is left.
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
    """Reads the set in a file and verifies its checksum; None if the file is missing or damaged.

    Raises:
        DataError: If the file exists and cannot be read.
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
    """Reads once per ``state`` of the file: a run opens its data several times, and the checksum takes a while."""
    header = read_header(path)
    if header is None:
        return None
    shape = tuple(header["shape"])
    size = math.prod(shape)
    images = np.memmap(path, np.uint8, "c", HEADER_BYTES, shape)  # copy on write, as torch needs writable memory
    labels = np.fromfile(path, "<i8", offset=HEADER_BYTES + size).astype(np.int64)
    found = Decoded(images, labels, _checksum(images, labels))
    return found if found.checksum == header["checksum"] else None


def read_header(path: Path) -> dict[str, Any] | None:
    """Returns name, split, shape, key and checksum from the header of a file; None if the file is not complete.

    The checksum is not verified, as that would need the whole file.
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
    """The bytes that the checksum covers in addition to the images."""
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
