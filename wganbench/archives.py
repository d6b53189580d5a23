"""Reads npz archives that may come from anyone: plain arrays only, whose sizes are checked before they are unpacked."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Collection
from typing import Any, BinaryIO

from numpy.lib import format as npy
from numpy.typing import NDArray

STORED_AS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The ways in which numpy stores an array; others may need much memory to be unpacked at all."""


def read_npz(file: BinaryIO, most: int, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Returns the arrays in an npz archive, by name.

    Args:
        file: The archive, which can be sought.
        most: The largest number of bytes that the unpacked arrays may have together.
        names: The names of the arrays to read; None for all.

    Raises:
        ValueError: If the arrays are larger, are of Python objects, or not as large as they say.
        Exception: Any other exception, if the file is no whole archive.
    """
    with zipfile.ZipFile(file) as archive:
        members = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if names is None or info.filename.removesuffix(".npy") in names
        }
        size = sum(info.file_size for info in members.values())
        if size > most:
            raise ValueError(f"{size:,} bytes unpacked, at most {most:,}")
        if any(info.compress_type not in STORED_AS for info in members.values()):
            raise ValueError("packed in another way than numpy does")
        return {name: _array(_content(archive, info)) for name, info in members.items()}


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Returns what a member holds, unpacked as far as it declares; without a size, zipfile would unpack all of it."""
    with archive.open(info) as member:
        return member.read(info.file_size)


def _array(content: bytes) -> NDArray[Any]:
    """Returns the array in a npy file, whose header may state any shape."""
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array in format {version}")
    shape, _, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"an array of shape {shape} in {len(content):,} bytes")
    file.seek(0)
    array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array
