"""What the stand-in has counted in this process, and what a test can ask of it. For use in its processes only."""

from __future__ import annotations

import ctypes
from functools import cache

KINDS = {"kernels": "K", "library calls": "L", "violations": "V"}


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)  # all that is loaded, the stand-in among it
    library.fake_counter_names.restype = ctypes.c_char_p
    library.fake_names.restype = ctypes.c_void_p
    library.fake_memory_in_use.restype = ctypes.c_size_t
    return library


def reset() -> None:
    """Starts all counts again at 0, except that of the graphs that exist."""
    _library().fake_reset()


def counts() -> dict[str, int]:
    """The counts since `reset`, by what is counted; see ``COUNTERS`` in ``fake.h``.

    ``kernels``, ``library_calls`` (of cuBLAS and cuDNN), ``fills`` and copies are those that ran at once; with
    ``_captured``, those that became part of a graph. ``graph_nodes`` are those of the last capture, ``graphs`` those
    that exist now.
    """
    names = _library().fake_counter_names().decode().split()
    values = (ctypes.c_long * len(names))()
    _library().fake_counters(values)
    return dict(zip(names, values, strict=True))


def by_name(kind: str) -> dict[str, int]:
    """The number of calls, eager and captured, of each kernel (mangled C++), library call or violation."""
    address = _library().fake_names()
    text = ctypes.string_at(address).decode()
    _library().free(ctypes.c_void_p(address))
    rows = (line.split("\t", 3) for line in text.splitlines())
    return {name: int(eager) + int(captured) for letter, eager, captured, name in rows if letter == KINDS[kind]}


def violations() -> dict[str, int]:
    """What CUDA refuses, what a graph would leave out, and what is not imitated, with how often each happened."""
    return by_name("violations")


def set_memory(n_bytes: int) -> None:
    """Sets the size of the device's memory; what is allocated beyond it stays."""
    _library().fake_set_memory(ctypes.c_size_t(n_bytes))


def memory_in_use() -> int:
    """The bytes that are allocated from CUDA, also those that torch only keeps for later."""
    return int(_library().fake_memory_in_use())


def fail(call: str, status: int, times: int) -> None:
    """Lets the next calls whose name contains ``call`` end with an error; see ``planned_failure`` in the C files."""
    _library().fake_fail(call.encode(), status, ctypes.c_long(times))


def break_after(launches: int) -> None:
    """Lets as many kernels and graphs be launched, then fails every call, as after an assertion on the device.

    A negative number mends the device, which no real one can be.
    """
    _library().fake_break_after(ctypes.c_long(launches))
