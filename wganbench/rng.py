"""Randomness as an argument: one named stream a purpose, for a stack of seeds.

A seed's draws depend on the seed and the purpose alone, never on the seeds that it is stacked with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """The stream of one seed for one purpose, such as ``"latent"`` or ``"measure exact_wasserstein 500"``."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest, "big") >> 1)


class Streams:
    """One ``torch.Generator`` a seed, for one purpose; draws come with a leading seed axis."""

    def __init__(self, seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"):
        self.generators = [generator(seed, purpose, device) for seed in seeds]
        self.device = torch.device(device)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal draws, ``(seeds, *shape)``, float32."""
        out = torch.empty(len(self.generators), *shape, device=self.device)
        for row, rng in zip(out, self.generators, strict=True):
            row.normal_(generator=rng)
        return out

    def integers(self, below: int, *shape: int) -> Tensor:
        """Uniform draws out of 0 … ``below`` − 1, ``(seeds, *shape)``, int64."""
        out = torch.empty(len(self.generators), *shape, dtype=torch.int64, device=self.device)
        for row, rng in zip(out, self.generators, strict=True):
            row.random_(below, generator=rng)
        return out

    def uniform(self, *shape: int) -> Tensor:
        """Uniform draws in [0, 1), ``(seeds, *shape)``, float32."""
        out = torch.empty(len(self.generators), *shape, device=self.device)
        for row, rng in zip(out, self.generators, strict=True):
            row.uniform_(generator=rng)
        return out
