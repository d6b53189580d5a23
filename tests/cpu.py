"""Bounds on CPU time, which a hang or a quadratic loop breaks and a busy machine does not."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator


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
