"""Explicit random streams: one per seed and named purpose, with draws for a stack of seeds.

A seed's draws depend only on the seed and the purpose, never on the seeds that it is stacked with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Fill = Callable[[Tensor, torch.Generator], object]
"""Fills a tensor, whose first axes may be any, with draws from a stream on its device."""


def seed_of(seed: int, purpose: str) -> int:
    """Returns the number that seeds the stream of one seed for one purpose."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns the stream of one seed for one purpose, such as ``"latent"`` or ``"measure exact_wasserstein 500"``."""
    return torch.Generator(device=device).manual_seed(seed_of(seed, purpose))


class Streams:
    """One ``torch.Generator`` per seed, for one purpose; draws have a leading seed axis."""

    def __init__(self, seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"):
        self.generators = [generator(seed, purpose, device) for seed in seeds]
        self.device = torch.device(device)

    def normal(self, *shape: int) -> Tensor:
        """Draws from the standard normal distribution; shape ``(seeds, *shape)``, float32."""
        return self.draw(f"normal {shape}", shape, lambda rows, rng: rows.normal_(generator=rng))

    def integers(self, below: int, *shape: int) -> Tensor:
        """Draws uniformly from 0 … ``below`` − 1; shape ``(seeds, *shape)``, int64."""
        what = f"integers below {below} {shape}"
        return self.draw(what, shape, lambda rows, rng: rows.random_(below, generator=rng), torch.int64)

    def uniform(self, *shape: int) -> Tensor:
        """Draws uniformly from [0, 1); shape ``(seeds, *shape)``, float32."""
        return self.draw(f"uniform {shape}", shape, lambda rows, rng: rows.uniform_(generator=rng))

    def draw(self, what: str, shape: Sequence[int], fill: Fill, dtype: torch.dtype = torch.float32) -> Tensor:
        """Draws by a function of one's own.

        Args:
            what: The distribution and the shape in words; draws of the same name must be drawn alike.
            shape: The shape for one seed.
            fill: Draws the numbers of a seed.
            dtype: The type of the numbers.

        Returns:
            Shape ``(seeds, *shape)``.
        """
        out = torch.empty(len(self.generators), *shape, dtype=dtype, device=self.device)
        for rows, rng in zip(out, self.generators, strict=True):
            fill(rows, rng)
        return out
