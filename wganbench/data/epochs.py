"""The order of training on a data set: shuffled again in each epoch, with the last partial batch dropped.

As in Gulrajani et al.'s loaders (``tflib/cifar10.py``), an epoch goes through all images in batches, and no image
appears twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wganbench.errors import DataError


class Epochs:
    """An endless stream of batches of indices for one seed.

    The order depends on ``rng`` alone, which must serve no other purpose: `state` stores the state of ``rng`` at the
    beginning of the epoch, and `restore` repeats the shuffle of that epoch.

    Args:
        n: Size of the data set.
        batch_size: Number of indices per batch; 1 to ``n``.
        rng: The random stream of the order; the indices are made on its device.
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
        """Returns the next indices, ``(batch_size,)``, int64; no two are equal."""
        if self._position + self.batch_size > self.n:
            self._begin()
        start = self._position
        self._position = start + self.batch_size
        return self._order[start : self._position]

    def state(self) -> dict[str, Any]:
        """Returns ``began`` (a generator's state: bytes in a CPU tensor) and ``position`` (indices used since then)."""
        return {"began": self._began.clone(), "position": self._position}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state` that was saved with the same ``n``, ``batch_size`` and kind of device.

        Raises:
            ValueError: If the state does not fit; nothing is changed then.
        """
        began, position = state.get("began"), state.get("position")
        if not isinstance(began, Tensor) or began.shape != self._began.shape or began.dtype != self._began.dtype:
            raise ValueError(f"began: must be a generator's state of {len(self._began)} bytes")
        if type(position) is not int or not 0 <= position <= self.n or position % self.batch_size:
            raise ValueError(f"position: must be a multiple of {self.batch_size} of at most {self.n}, got {position}")
        self.rng.set_state(began)
        self._begin()
        self._position = position
