"""Measures the wall time of a cohort and the time of its training alone."""

from __future__ import annotations

import time

import torch


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
        self._since = self.began

    def seconds(self) -> float:
        """Returns the seconds of everything so far."""
        return self.before + time.perf_counter() - self.began

    def start(self) -> None:
        """Starts timing steps."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Waits until the device has done all steps, and adds the time since `start` to `training_seconds`."""
        wait_for(self.device)
        self.training_seconds += time.perf_counter() - self._since


def wait_for(device: torch.device) -> None:
    """Returns when the device has done all its queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
