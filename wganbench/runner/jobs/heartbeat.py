"""Threads beside the main one that repeat something, such as signalling that a training is alive."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from wganbench.runner.jobs.job import JobFolder, Progress
from wganbench.runner.jobs.lease import BEAT_SECONDS, Lease
from wganbench.runner.jobs.stop import GRACE_SECONDS, Stop

LOOK_SECONDS = 0.5
"""The interval between two checks."""


@contextmanager
def repeating(action: Callable[[], object], seconds: float = LOOK_SECONDS) -> Iterator[None]:
    """Calls ``action`` in a thread every ``seconds`` within the block, also after a disk has refused something."""
    end = threading.Event()

    def repeat() -> None:
        while not end.wait(seconds):
            with suppress(OSError):
                action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


class Heartbeat:
    """The actions beside a training: renews the leases, writes the progress, requests stops and ends what hangs.

    Args:
        folder: The job's folder.
        lease: The leases on the job's runs, which are renewed every ``BEAT_SECONDS``.
        stop: The stop that is requested when another worker takes over or the parent process dies.
        timeout_seconds: The wall time that the attempt may take; None for any.
        kill: Whether to kill the process of a training that exceeds its time, or does not stop after its parent died.
            A training in the user's own process is not killed; it checks the time itself between two steps.
    """

    def __init__(self, folder: JobFolder, lease: Lease, stop: Stop, timeout_seconds: float | None, *, kill: bool):
        self.folder, self.lease, self.stop = folder, lease, stop
        self.kill, self.timeout_seconds = kill, timeout_seconds if kill else None
        self.started = self.beaten = time.monotonic()
        self.step = self.first = 0
        self._parent, self._orphaned = multiprocessing.parent_process(), math.inf

    def beat(self) -> None:
        """Does what is due; to be called every ``LOOK_SECONDS``."""
        now = time.monotonic()
        if self.folder.is_left():
            self.folder.write_progress(Progress(step=self.step, first=self.first, seconds=now - self.started))
        if now - self.beaten >= BEAT_SECONDS:
            self.beaten = now
            if not self.lease.beat():
                self.stop.ask("overtaken")
        if self._parent is not None and not self._parent.is_alive():
            self.stop.ask("left alone")
            self._orphaned = min(self._orphaned, now)
            if self.kill and now - self._orphaned >= GRACE_SECONDS:
                _kill_myself()
        if self.timeout_seconds is not None and now - self.started >= self.timeout_seconds:
            self.folder.note("timed out", step=self.step, seconds=self.timeout_seconds)
            _kill_myself()


def _kill_myself() -> None:
    """Kills this process, and if it leads a process group, the processes that it has started."""
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
