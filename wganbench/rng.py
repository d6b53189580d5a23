"""Explicit random streams: one per seed and named purpose, with draws for a stack of seeds.

A seed's draws depend only on the seed and the purpose, never on the seeds that it is stacked with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns the stream of one seed for one purpose, such as ``"latent"`` or ``"measure exact_wasserstein 500"``."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest, "big") >> 1)


class Streams:
    """One ``torch.Generator`` per seed, for one purpose; draws have a leading seed axis."""

    def __init__(self, seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"):
        self.generators = [generator(seed, purpose, device) for seed in seeds]
        self.device = torch.device(device)

    def normal(self, *shape: int) -> Tensor:
        """Draws from the standard normal distribution; shape ``(seeds, *shape)``, float32."""
        out = torch.empty(len(self.generators), *shape, device=self.device)
        for row, rng in zip(out, self.generators, strict=True):
            row.normal_(generator=rng)
        return out

    def integers(self, below: int, *shape: int) -> Tensor:
        """Draws uniformly from 0 … ``below`` − 1; shape ``(seeds, *shape)``, int64."""
        out = torch.empty(len(self.generators), *shape, dtype=torch.int64, device=self.device)
        for row, rng in zip(out, self.generators, strict=True):
            row.random_(below, generator=rng)
        return out

    def uniform(self, *shape: int) -> Tensor:
        """Draws uniformly from [0, 1); shape ``(seeds, *shape)``, float32."""
        out = torch.empty(len(self.generators), *shape, device=self.device)
        for row, rng in zip(out, self.generators, strict=True):
            row.uniform_(generator=rng)
        return out
