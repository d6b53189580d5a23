"""Values of measures that several threads compute, so that the seeds of a stack do not wait for one another.

Only measures whose entry in the catalogue says ``threaded`` are computed here: from samples alone, by code that lets
other threads run meanwhile. A value does not depend on the thread or on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from wganbench.runner.trace import Trace


@dataclass
class _Place:
    """Where a value belongs: its position in a curve of a trace, which keeps the order of labels and steps."""

    trace: Trace
    label: str
    position: int
    compute: Callable[[], float]
    value: Future[float]

    def compute_here(self) -> None:
        """Computes the value in the calling thread, unless another one has begun with it."""
        if not self.value.cancel():
            return
        self.value = Future()
        try:
            self.value.set_result(self.compute())
        except Exception as error:  # raised in its turn
            self.value.set_exception(error)

    def fill(self) -> None:
        self.trace.put(self.label, self.position, self.value.result())


class Pending:
    """The values of a cohort that are being computed, each with its place in a trace.

    Args:
        threads: The number of values computed at a time, one of them by the calling thread whenever it has to wait.
    """

    def __init__(self, threads: int = 1):
        self._pool = ThreadPoolExecutor(threads - 1, "wganbench-measure") if threads > 1 else None
        self._places: list[_Place] = []

    def add(self, trace: Trace, label: str, step: int, compute: Callable[[], float]) -> None:
        """Adds a value to a trace, where it is NaN until `settle` returns."""
        if self._pool is None:
            trace.add(label, step, compute())
            return
        position = trace.add(label, step, math.nan)
        self._places.append(_Place(trace, label, position, compute, self._pool.submit(compute)))

    def settle(self) -> None:
        """Puts all values into their traces; the calling thread computes as well.

        Raises:
            Exception: The first that a measure raised, in the order of `add`.
        """
        for place in self._places:
            place.compute_here()
        while self._places:
            self._places.pop(0).fill()

    def close(self) -> None:
        """Ends the threads; puts those values into their traces that are known, after an exception that ended all."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        for place in self._places:
            if place.value.done() and not place.value.cancelled():
                with suppress(Exception):
                    place.fill()
        self._places.clear()
