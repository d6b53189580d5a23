"""ImageNet 32×32 (Chrabaszcz et al. 2017) from its published batches: pickles, or the same content as ``.npz``.

Loading a pickle can run arbitrary code. The unpickler here accepts only arrays and plain containers.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct
from numpy._core.numeric import _frombuffer  # type: ignore[attr-defined]
from numpy.typing import NDArray

from wganbench.data.cache import Batch, Recipe, Split
from wganbench.data.locations import IMAGE_SETS, file_at, locate
from wganbench.data.resize import box_average
from wganbench.errors import DataError

VERSION = 1
SIDE = 32
CLASSES = 1000
PIXELS = 3 * SIDE * SIDE


def recipe(split: Split, size: int = SIDE) -> Recipe:
    """The recipe that decodes the batches of a split; below 32, images are box-averaged.

    Raises:
        DataError: If a batch is missing or cannot be read.
    """
    paths = batch_files(split)

    def batches() -> Iterator[Batch]:
        n = 0
        for path in paths:
            images, labels = read_batch(path)
            n += len(images)
            yield box_average(images, size), labels
        expected = IMAGE_SETS["imagenet32"].images[split]
        if n != expected:
            raise DataError(
                f"imagenet32: {n:,} images in split {split!r} of {paths[0].parent}, and ImageNet 32×32 has "
                f"{expected:,}; other images go as a folder of them: --data imagenet32=FOLDER"
            )

    return Recipe("imagenet32", split, f"3x{size}x{size}", VERSION, _key(tuple(paths)), batches)


def batch_files(split: Split) -> list[Path]:
    """The files with the batches of a split, in order."""
    folder = locate("imagenet32", split)
    found = (file_at(folder, file) for file in IMAGE_SETS["imagenet32"].files[split])
    return [path for path in found if path is not None]


@lru_cache
def _key(paths: tuple[Path, ...]) -> str:
    """The SHA-256 of the files' contents, computed once per process, as there are 3.6 GB of them."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


def read_batch(path: Path) -> Batch:
    """Reads one batch: images ``(n, 3, 32, 32)``, uint8, and labels ``(n,)`` from 0 (the file's start at 1).

    Raises:
        DataError: If the file is not such a batch, or is a pickle that contains anything but data.
    """
    content = _read_npz(path) if path.suffix == ".npz" else _read_pickle(path)
    if not isinstance(content, dict) or not {"data", "labels"} <= content.keys():
        raise DataError(f"{path}: must hold 'data' and 'labels', as the batches of ImageNet 32×32 do")
    data, labels = content["data"], _labels(content["labels"])
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS:
        found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else f"a {type(data).__name__}"
        raise DataError(f"{path}, data: must be uint8 of shape (n, {PIXELS}), got {found}")
    if labels is None or len(labels) != len(data) or not len(data) or labels.min() < 1 or labels.max() > CLASSES:
        raise DataError(f"{path}, labels: must be from 1 to {CLASSES}, one for each of {len(data)} images")
    return data.reshape(-1, 3, SIDE, SIDE), labels - 1


def _labels(found: object) -> NDArray[np.int64] | None:
    try:
        labels = np.asarray(found)
    except ValueError:  # for lists of different lengths
        return None
    return labels.astype(np.int64) if labels.ndim == 1 and labels.dtype.kind in "iu" else None


def _read_npz(path: Path) -> object:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if name in ("data", "labels")}
    except Exception as error:  # from zip, zlib or numpy, which refuses object arrays
        raise DataError(f"{path}: not a whole npz file of plain arrays ({_first_line(error)})") from None


def _read_pickle(path: Path) -> object:
    try:
        return _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle may raise anything
        raise DataError(f"{path}: not a whole pickle ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _encode(text: str, encoding: str) -> bytes:
    """Stands in for ``codecs.encode``, by which pickles of the old protocols make bytes."""
    if encoding != "latin1":
        raise DataError(f"bytes encoded as {encoding!r}; must be latin1, as pickle has them")
    return text.encode("latin1")


_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
}


class _PlainUnpickler(pickle.Unpickler):
    """Loads arrays, numbers, text, lists and dicts; anything else in a pickle is refused before it is created."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file, encoding="latin1")  # pickled by Python 2, whose strings were bytes

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise DataError(f"asks for {module}.{name}, no array; refused, as loading it could run code") from None
