"""Requests to a command or a worker to stop cleanly between two steps, with a checkpoint."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

Reason = Literal["interrupted", "terminated", "out of time", "left alone", "overtaken", "the GPU failed"]
"""The reason to stop, in this order: Ctrl-C, SIGTERM, the time limit, the death of the command that started a worker,
the loss of a lease to another worker, or a GPU that takes no more work from this process."""

GRACE_SECONDS = 60.0
"""The time that a worker has to write its checkpoint before it is killed."""

EXIT_CODES = {"interrupted": 130, "terminated": 143, "out of time": 124, "the GPU failed": 1}
"""The exit codes that a shell reports for SIGINT and SIGTERM and timeout(1) for a time limit; 1 as for failed runs."""


class Stop:
    """A request to stop, which once made cannot be withdrawn.

    Args:
        seconds: The time limit, from now; None for none.
        of: A parent whose requests also apply to this one; requests made here do not reach the parent.
    """

    def __init__(self, seconds: float | None = None, *, of: Stop | None = None):
        self._of = of
        self._reason: Reason | None = None
        self._deadline = None if seconds is None else time.monotonic() + seconds

    @property
    def reason(self) -> Reason | None:
        """The reason of the first request; None if there was none."""
        if self._reason is None and self._deadline is not None and time.monotonic() >= self._deadline:
            self._reason = "out of time"
        return self._reason or (self._of.reason if self._of else None)

    def ask(self, reason: Reason) -> None:
        self._reason = self._reason or reason

    @contextmanager
    def on_signals(self, *time_is_up: signal.Signals) -> Iterator[Stop]:
        """Lets SIGTERM and Ctrl-C request a stop; a second Ctrl-C does not wait for the checkpoint.

        Args:
            time_is_up: Further signals, by which a cluster says that the worker's time is nearly up.
        """
        reasons: dict[int, Reason] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
        seen: set[int] = set()

        def handle(number: int, frame: FrameType | None) -> None:
            if number == signal.SIGINT and number in seen:
                raise KeyboardInterrupt
            seen.add(number)
            self.ask(reasons.get(number, "out of time"))

        before = {number: signal.signal(number, handle) for number in (*reasons, *time_is_up)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def ending(end: Callable[[float], Iterable[object]]) -> Iterator[None]:
    """Ends an executor's workers when the block is left, however that happens.

    Args:
        end: Ends the workers while it is iterated, given the seconds that they have to write their checkpoints: none
            after a second Ctrl-C.
    """
    grace = GRACE_SECONDS
    try:
        yield
    except KeyboardInterrupt:
        grace = 0.0
        raise
    finally:
        for _ in end(grace):
            pass
