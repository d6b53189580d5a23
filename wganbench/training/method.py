"""How a pair of networks is trained, apart from networks and optimisers, and what that asks of its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from wganbench.rng import Streams

Penalty = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor, Streams], Tensor]
Projection = Callable[[list[Tensor]], None]


class Objective(Protocol):
    """Losses of both players from scores ``(seeds, batch)``; each ``(seeds,)`` and minimised."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor: ...

    def generator_loss(self, fake: Tensor) -> Tensor: ...


class DataSet(Protocol):
    """Where real samples come from."""

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """``(n, *sample_shape)`` on the device of ``rng``."""
        ...


@dataclass(frozen=True)
class Unroll:
    """The generator is updated against the critic as it will be after ``steps`` steps; only the first step is kept.

    ``first`` order: those steps are taken on fresh batches, the generator's gradient stops at the critic, and the
    optimiser keeps the state of all of them (musyoku's code). ``second`` order: they are taken on one batch and the
    generator's gradient flows through them (Metz et al. 2017, § 2.2).
    """

    steps: int
    order: Literal["first", "second"]


@dataclass(frozen=True)
class Auxiliary:
    """A second output of the critic that tells classes (AC-GAN), and a generator that is asked for one of them.

    Attributes:
        classes: Labels are 0 to one less.
        critic, generator: Weights of the cross-entropy in their losses: of real images' labels, and of fakes'.
    """

    classes: int
    critic: float = 1.0
    generator: float = 0.1


@dataclass(frozen=True)
class Method:
    """How a pair of networks is trained, apart from networks and optimisers.

    Attributes:
        penalty: Added to the critic loss; ``None`` for none.
        projection: Applied to the critic's parameters before or after each of its steps; ``None`` for none.
        joint: Whether real and fake samples go through the critic in one pass, as they may where it takes nothing over
            the batch (`wganbench.training.rows`).
        n_critic: Critic steps a generator step; not read where ``unroll`` is set.
        auxiliary: Of a pair that is conditional on classes; ``None`` for any other.
        decay_steps: Over so many steps learning rates fall linearly to 0, of optimisers that `train.decay` has begun;
            None where they stay.
        generator_average: Decay, in (0, 1), of an average of the generator's parameters; None for none.
    """

    objective: Objective
    penalty: Penalty | None = None
    projection: Projection | None = None
    project: Literal["before", "after"] = "after"
    joint: bool = False
    n_critic: int = 1
    unroll: Unroll | None = None
    auxiliary: Auxiliary | None = None
    decay_steps: int | None = None
    generator_average: float | None = None
