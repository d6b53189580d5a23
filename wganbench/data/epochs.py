"""The order of training through a data set: shuffled anew each epoch, the last partial batch dropped.

As in Gulrajani et al.'s loaders (``tflib/cifar10.py``): all images, in batches, and no image twice in an epoch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wganbench.errors import DataError


class Epochs:
    """Endless batches of indices for one seed.

    The order depends on ``rng`` alone, which must serve nothing else: `state` keeps where it stood as the epoch began,
    and `restore` shuffles that epoch once more.

    Args:
        n: Size of the data set.
        batch_size: 1 to ``n``.
        rng: The stream of the order; the indices are made on its device.
    """

    def __init__(self, n: int, batch_size: int, rng: torch.Generator):
        if not 1 <= batch_size <= n:
            raise DataError(f"batch_size: must be between 1 and the data set's {n:,}, got {batch_size}")
        self.n, self.batch_size, self.rng = n, batch_size, rng
        self._begin()

    def _begin(self) -> None:
        self._began = self.rng.get_state()
        self._order = torch.randperm(self.n, generator=self.rng, device=self.rng.device)
        self._position = 0

    def batch(self) -> Tensor:
        """The next indices, ``(batch_size,)``, int64; no two are equal."""
        if self._position + self.batch_size > self.n:
            self._begin()
        start = self._position
        self._position = start + self.batch_size
        return self._order[start : self._position]

    def state(self) -> dict[str, Any]:
        """``began`` (a generator's state: bytes in a tensor on the CPU) and ``position`` (indices given since)."""
        return {"began": self._began.clone(), "position": self._position}

    def restore(self, state: dict[str, Any]) -> None:
        """Puts back a `state` of the same ``n``, ``batch_size`` and kind of device: its next batches follow.

        Raises:
            ValueError: If it is of another; nothing is then changed.
        """
        began, position = state.get("began"), state.get("position")
        if not isinstance(began, Tensor) or began.shape != self._began.shape or began.dtype != self._began.dtype:
            raise ValueError(f"began: must be a generator's state of {len(self._began)} bytes")
        if type(position) is not int or not 0 <= position <= self.n or position % self.batch_size:
            raise ValueError(f"position: must be a multiple of {self.batch_size} of at most {self.n}, got {position}")
        self.rng.set_state(began)
        self._begin()
        self._position = position
