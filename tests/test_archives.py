"""npz archives that may come from anyone: no array is unpacked before its size is known and allowed."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.lib import format as npy

from wganbench.archives import read_npz

MOST = 10_000


@contextmanager
def small_peak() -> Iterator[None]:
    """Asserts that the body never holds more than a megabyte."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def packed(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out


def npy_of(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def header(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    out = io.BytesIO()
    npy.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue()


ARRAYS = {
    "whole": np.arange(6),
    "none": np.zeros((0, 3)),
    "single": np.array(2.5, np.float16),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "flags": np.array([True, False]),
    "records": np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    "texts": np.array(["a", "bc"]),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_those_that_numpy_wrote(save):
    out = io.BytesIO()
    save(out, **ARRAYS)
    found = read_npz(out, MOST)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert np.array_equal(found[name], array) and found[name].dtype == array.dtype
    assert list(read_npz(out, MOST, ("flags", "missing"))) == ["flags"]


def test_a_bomb_is_refused_by_the_size_that_it_declares():
    out = io.BytesIO()
    np.savez_compressed(out, x=np.zeros(2**22, np.uint8))
    assert len(out.getvalue()) < 5_000
    with small_peak(), pytest.raises(ValueError, match=r"4,194,4.. bytes unpacked, at most 10,000"):
        read_npz(out, MOST)


def test_several_arrays_count_together():
    with pytest.raises(ValueError, match="unpacked, at most 10,000"):
        read_npz(packed({f"{n}.npy": npy_of(np.zeros(6000, np.uint8)) for n in range(2)}), MOST)


def test_a_bomb_that_declares_less_than_it_holds_is_cut_off_there():
    out = packed({"x.npy": npy_of(np.zeros(2**22, np.uint8))}).getvalue()
    size = (2**22 + 128).to_bytes(4, "little")
    assert out.count(size) == 2  # before the content, and in the list at the end
    with small_peak(), pytest.raises(zipfile.BadZipFile, match="Bad CRC-32"):
        read_npz(io.BytesIO(out.replace(size, (1000).to_bytes(4, "little"))), MOST)


@pytest.mark.parametrize("shape", [(2**40,), (2**20, 2**20, 2**20), (0, 2**70), (5,), (7,), (-6,), (2, -3), (6, 0)])
def test_a_header_that_states_another_shape_than_there_is_content_for_is_refused(shape):
    with small_peak(), pytest.raises(ValueError, match=r"an array of shape|shape is not valid|must be"):
        read_npz(packed({"x.npy": header(shape) + bytes(6)}), MOST)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_packed_as_numpy_never_does_are_refused(compression):
    with pytest.raises(ValueError, match="packed in another way than numpy does"):
        read_npz(packed({"x.npy": npy_of(np.zeros(3))}, compression), MOST)


@pytest.mark.parametrize("shape", [(), (1,), (0,)])
def test_objects_are_refused_before_anything_is_made_of_them(shape):
    out = io.BytesIO()
    np.savez(out, x=np.full(shape, print, dtype=object))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        read_npz(out, MOST)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", npy_of(np.zeros(3)), b"\x93NUMPY", b"cos\nsystem\n(S'touch ran'\ntR."]
)
def test_anything_else_is_no_archive(content):
    with pytest.raises(zipfile.BadZipFile):
        read_npz(io.BytesIO(content), MOST)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x03\x00", b"\x93NUMPY\x01\x00\xff\xff{", b"PK\x03\x04" * 100])
def test_a_member_that_is_no_array_is_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011  # numpy's own words, which change
        read_npz(packed({"x.npy": content}), MOST)
