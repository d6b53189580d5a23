"""ImageNet 32×32 (Chrabaszcz et al. 2017) from its published batches in ``.npz`` format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from wganbench.archives import read_npz
from wganbench.data.cache import Batch, Recipe, Split
from wganbench.data.locations import IMAGE_SETS, locate
from wganbench.data.resize import box_average
from wganbench.errors import DataError, first_line
from wganbench.reading import open_file

VERSION = 1
SIDE = 32
CLASSES = 1000
PIXELS = 3 * SIDE * SIDE
MAX_UNPACKED = 2**30
"""The most bytes that a batch may have; the largest published one has 394 million."""


def recipe(split: Split, size: int = SIDE) -> Recipe:
    """The recipe that decodes the batches of a split; below 32, images are box-averaged.

    Raises:
        DataError: If a batch is missing or cannot be read.
    """
    folder = locate("imagenet32", split)
    paths = [folder / file for file in IMAGE_SETS["imagenet32"].files[split]]

    def batches() -> Iterator[Batch]:
        n = 0
        for path in paths:
            images, labels = read_batch(path)
            n += len(images)
            yield box_average(images, size), labels
        expected = IMAGE_SETS["imagenet32"].images[split]
        if n != expected:
            raise DataError(
                f"imagenet32: {n:,} images in split {split!r} of {folder}, and ImageNet 32×32 has "
                f"{expected:,}; pass other images as a folder: --data imagenet32=FOLDER"
            )

    return Recipe("imagenet32", split, f"3x{size}x{size}", VERSION, _key(tuple(paths)), batches)


@lru_cache
def _key(paths: tuple[Path, ...]) -> str:
    """The SHA-256 of the files' contents, computed once per process, as there are 3.6 GB of them."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            with open_file(path) as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


def read_batch(path: Path) -> Batch:
    """Reads one batch: images ``(n, 3, 32, 32)``, uint8, and labels ``(n,)`` from 0 (the file's start at 1).

    Raises:
        DataError: If the file is not such a batch.
    """
    try:
        with open_file(path) as file:
            content = read_npz(file, MAX_UNPACKED, ("data", "labels"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:  # from zip, zlib or numpy
        raise DataError(f"{path}: not a whole npz file of plain arrays ({first_line(error)})") from None
    if len(content) < 2:
        raise DataError(f"{path}: must hold 'data' and 'labels', as the batches of ImageNet 32×32 do")
    data, labels = content["data"], content["labels"]
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS:
        raise DataError(f"{path}, data: must be uint8 of shape (n, {PIXELS}), got {data.dtype} {data.shape}")
    is_plain = labels.dtype.kind in "iu" and labels.shape == (len(data),) and len(data) > 0
    if not is_plain or labels.min() < 1 or labels.max() > CLASSES:
        raise DataError(f"{path}, labels: must be from 1 to {CLASSES}, one for each of {len(data)} images")
    return data.reshape(-1, 3, SIDE, SIDE), labels.astype(np.int64) - 1
