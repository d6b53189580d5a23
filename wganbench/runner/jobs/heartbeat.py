"""A thread beside a training that signals that it is alive, and makes sure that it ends when it should."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from types import TracebackType

from wganbench.runner.jobs.job import JobFolder, Progress
from wganbench.runner.jobs.lease import BEAT_SECONDS, Lease
from wganbench.runner.jobs.stop import Stop

LOOK_SECONDS = 0.5
"""The interval between two checks; the leases are renewed every ``BEAT_SECONDS``."""
GRACE_SECONDS = 60.0
"""The time that a worker whose command has died has to write its checkpoint before it kills itself."""


class Heart:
    """A thread that runs while a worker trains: it renews the leases, writes the progress and requests stops.

    Args:
        folder: The job's folder.
        lease: The leases on the job's runs.
        stop: The stop that is requested when another worker takes over or the parent process dies.
        timeout_seconds: The wall time that the attempt may take; None for any.
        kill: Whether to kill the process of a training that exceeds its time, or does not stop after its parent died.
            A training in the user's own process is not killed; it checks the time itself between two steps.
    """

    def __init__(self, folder: JobFolder, lease: Lease, stop: Stop, timeout_seconds: float | None, *, kill: bool):
        self.folder, self.lease, self.stop = folder, lease, stop
        self.kill, self.timeout_seconds = kill, timeout_seconds if kill else None
        self.started = time.monotonic()
        self.step = self.first = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        beaten, parent, left = self.started, multiprocessing.parent_process(), math.inf
        while not self._end.wait(LOOK_SECONDS):
            now = time.monotonic()
            if (self.folder.path / "job.json").exists():  # else another command has found the job done
                self.folder.write_progress(Progress(step=self.step, first=self.first, seconds=now - self.started))
            if now - beaten >= BEAT_SECONDS:
                beaten = now
                if not self.lease.beat():
                    self.stop.ask("overtaken")
            if parent is not None and not parent.is_alive():
                self.stop.ask("left alone")
                left = min(left, now)
                if self.kill and now - left >= GRACE_SECONDS:
                    _kill_myself()
            if self.timeout_seconds is not None and now - self.started >= self.timeout_seconds:
                self.folder.note("timed out", step=self.step, seconds=self.timeout_seconds)
                _kill_myself()


def _kill_myself() -> None:
    """Kills this process, and if it leads a process group, the processes that it has started."""
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
