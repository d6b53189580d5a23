"""Decoded image sets, written once and atomically, then mapped into memory by every reader.

A set is two files: ``STEM.npy`` with the images (uint8, channels first) and ``STEM.json`` with everything else, an
`About`. The stem gives the set, split, shape, version of the decoding and a key of the source content, so that
different content goes to different files. A damaged set is treated as missing and decoded again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from wganbench.errors import DataError
from wganbench.files import DATA_VARIABLE, leftovers, replacing
from wganbench.reading import read_bytes

SUFFIX = ".npy"
MAX_ABOUT = 2**28
"""The largest file beside the images in bytes: it has a number for each image."""

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


class About(BaseModel):
    """The content of the file beside the images.

    Attributes:
        name, split, version, key: See `Recipe`.
        shape: Shape of the images, ``(n, channels, height, width)``.
        checksum, labels: See `Decoded`.
    """

    name: str
    split: Split
    shape: tuple[int, int, int, int]
    version: int
    key: str
    checksum: str
    labels: list[int]


def obtain(recipe: Recipe, folder: Path) -> Decoded:
    """Reads the decoded set from ``folder``, after decoding it into there if necessary.

    Processes that decode the same set at the same time each write their own files, and the last ones remain: all of
    them are equal.

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


def read(path: Path) -> Decoded | None:
    """Reads the set whose images are in ``path`` and verifies its checksum; None if it is missing or damaged.

    Raises:
        DataError: If a file exists and cannot be read.
    """
    try:
        states = (path.stat(), path.with_suffix(".json").stat())
        if not path.is_file():  # mapping a named pipe would block
            return None
        return _read(path, tuple((state.st_mtime_ns, state.st_size, state.st_ino) for state in states))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); remove it, it is then decoded again") from None


@lru_cache(maxsize=8)
def _read(path: Path, states: tuple[tuple[int, ...], ...]) -> Decoded | None:
    """Reads once per state of the files: a run opens its data several times, and the checksum takes a while."""
    about = read_about(path)
    if about is None:
        return None
    try:
        images = npy.open_memmap(path, mode="c")  # copy on write, as torch needs writable memory
        labels = np.array(about.labels, np.int64)
    except (ValueError, OverflowError):
        return None
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    is_whole = images.dtype == np.uint8 and _checksum(digest, labels, images.shape) == about.checksum
    return Decoded(images, labels, about.checksum) if is_whole else None


def read_about(path: Path) -> About | None:
    """Reads the description of the images in ``path``, without the images; None if it is missing or damaged."""
    try:
        return About.model_validate_json(read_bytes(path.with_suffix(".json"), MAX_ABOUT))
    except (OSError, ValidationError):
        return None


def _checksum(digest: hashlib._Hash, labels: NDArray[np.int64], shape: tuple[int, ...]) -> str:
    """Returns the checksum of a set, given the digest of its images, to which the rest is added."""
    digest.update(labels.astype("<i8").tobytes() + json.dumps(list(shape)).encode())
    return digest.hexdigest()


def _write(path: Path, recipe: Recipe) -> None:
    try:
        for leftover in leftovers(path.parent):
            leftover.unlink(missing_ok=True)
        with replacing(path) as file:
            about = _fill(file, recipe)
        with replacing(path.with_suffix(".json")) as file:
            file.write(about.model_dump_json().encode())
    except OSError as error:
        raise DataError(
            f"{path.parent}: cannot write the decoded {recipe.name} ({error.strerror}); make room there, or name "
            f"another folder with --data-dir or {DATA_VARIABLE}"
        ) from None


def _fill(file: BinaryIO, recipe: Recipe) -> About:
    """Writes the images one batch after the other, as a set may not fit into memory."""
    digest = hashlib.sha256()
    labels: list[NDArray[np.int64]] = []
    form: tuple[int, ...] | None = None
    for images, their_labels in recipe.batches():
        if form is None:
            form = images.shape[1:]
            _write_header(file, (0, *form))
        assert images.dtype == np.uint8 and images.shape == (len(their_labels), *form)
        pixels = np.ascontiguousarray(images).data
        file.write(pixels)
        digest.update(pixels)
        labels.append(their_labels)
    joined = np.concatenate(labels) if labels else np.empty(0, np.int64)
    if not joined.size or form is None:
        raise DataError(f"{recipe.name}: no images in split {recipe.split!r}")
    file.seek(0)
    shape = (len(joined), *form)
    _write_header(file, shape)
    return About(
        name=recipe.name,
        split=recipe.split,
        shape=shape,
        version=recipe.version,
        key=recipe.key,
        checksum=_checksum(digest, joined, shape),
        labels=joined.tolist(),
    )


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Writes a header of the same length for any number of images, as numpy leaves room for the first axis to grow."""
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
