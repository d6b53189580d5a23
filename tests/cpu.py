"""Bounds on CPU time, which a hang or a quadratic loop breaks and a busy machine does not."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator

ADDING = 0.45
"""CPU seconds that adding up ten million numbers takes on the machine that bounds are for."""


def slowness() -> float:
    """How many times longer Python takes here than on the machine that bounds are for; at least 1."""
    start, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return max(1.0, (time.process_time() - start) / ADDING)


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Asserts that the body takes so much of this thread's time.

    Garbage is left for later: thousands of tests before this one have left what takes a second to look through.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    start = time.thread_time()
    try:
        yield
        took = time.thread_time() - start
    finally:
        if was_enabled:
            gc.enable()
    assert took < seconds
