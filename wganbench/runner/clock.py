"""Measures the wall time of a cohort and the time of its training alone."""

from __future__ import annotations

import time

import torch

SYNC_SECONDS = 1.0
"""About the time between two waits for the device, which otherwise may be hundreds of steps behind."""


class Clock:
    """The wall time of a cohort over all attempts.

    Attributes:
        before: Seconds that earlier attempts took.
        training_seconds: Seconds that steps took over all attempts, up to the last `stop`; this excludes measures,
            checkpoints and everything before the first step.
        captured: Whether the steps are replayed from a CUDA graph.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.began = time.perf_counter()
        self.before = self.training_seconds = 0.0
        self.captured = False
        self._since = self._waited = self.began
        self._steps, self._every = 0, 1

    def seconds(self) -> float:
        """Returns the seconds of everything so far."""
        return self.before + time.perf_counter() - self.began

    def start(self) -> None:
        """Starts timing steps."""
        self._since = self._waited = time.perf_counter()
        self._steps = 0

    def keep_up(self) -> None:
        """Waits for the device about once a second; to be called after each step.

        The CPU launches steps faster than the device takes them, so a clock alone would not limit how far it runs
        ahead. The number of steps between two waits follows the time that they took, and at most doubles.
        """
        self._steps += 1
        if self._steps < self._every:
            return
        wait_for(self.device)
        now = time.perf_counter()
        fitting = self._steps * SYNC_SECONDS / max(now - self._waited, 1e-6)
        self._every = max(1, min(2 * self._every, int(fitting)))
        self._waited, self._steps = now, 0

    def stop(self) -> None:
        """Waits until the device has done all steps, and adds the time since `start` to `training_seconds`."""
        wait_for(self.device)
        self.training_seconds += time.perf_counter() - self._since


def wait_for(device: torch.device) -> None:
    """Returns when the device has done all its queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
