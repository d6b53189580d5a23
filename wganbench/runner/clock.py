"""How long a cohort takes: as a whole, and its training alone."""

from __future__ import annotations

import time

import torch


class Clock:
    """Wall time of a cohort over all attempts.

    Attributes:
        before: Seconds of the attempts before this one.
        training_seconds: Of steps, over all attempts, up to the last `stop`; without measures, checkpoints, and what
            comes before the first step.
        captured: Whether the steps are captured ones.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.began = time.perf_counter()
        self.before = self.training_seconds = 0.0
        self.captured = False
        self._since = self.began

    def seconds(self) -> float:
        """Of everything so far."""
        return self.before + time.perf_counter() - self.began

    def start(self) -> None:
        """From here on steps are taken."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Until here they were, once the device has done all of them."""
        wait_for(self.device)
        self.training_seconds += time.perf_counter() - self._since


def wait_for(device: torch.device) -> None:
    """Returns when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
