"""How a command or a worker is asked to stop: cleanly, with a checkpoint, between two steps."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

Reason = Literal["interrupted", "terminated", "out of time", "left alone", "overtaken"]
"""Ctrl-C; SIGTERM; the time limit; the command that started a worker is gone; another worker has taken its lease."""

EXIT_CODES = {"interrupted": 130, "terminated": 143, "out of time": 124}
"""As a shell tells of SIGINT and SIGTERM, and as timeout(1) does of the time limit."""


class Stop:
    """Asked for once, stays asked for.

    Args:
        seconds: Time limit from now; None for none.
        of: A stop that holds for this one as well, while what is asked of this one does not reach it.
    """

    def __init__(self, seconds: float | None = None, *, of: Stop | None = None):
        self._of = of
        self._reason: Reason | None = None
        self._deadline = None if seconds is None else time.monotonic() + seconds

    @property
    def reason(self) -> Reason | None:
        """Why it was asked for; None while it was not."""
        if self._reason is None and self._deadline is not None and time.monotonic() >= self._deadline:
            self._reason = "out of time"
        return self._reason or (self._of.reason if self._of else None)

    def ask(self, reason: Reason) -> None:
        self._reason = self._reason or reason

    @contextmanager
    def on_signals(self) -> Iterator[Stop]:
        """SIGTERM and Ctrl-C ask for it; a second Ctrl-C does not wait for the checkpoint."""
        seen: set[int] = set()

        def handle(number: int, frame: FrameType | None) -> None:
            if number == signal.SIGINT and number in seen:
                raise KeyboardInterrupt
            seen.add(number)
            self.ask("interrupted" if number == signal.SIGINT else "terminated")

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
