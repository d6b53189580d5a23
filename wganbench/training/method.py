"""The training method of a pair of networks, apart from networks and optimisers, and the interfaces of its parts.

The unrolled GAN of Metz et al. 2017 needs Adam steps that a gradient can flow through, see `unrolled_adam`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from wganbench.rng import Streams

Penalty = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor, Streams], Tensor]
Projection = Callable[[list[Tensor]], None]


Updates = Literal["alternating", "generator_first", "simultaneous"]
"""The order of the updates within a step, see `Method.updates`."""


class Objective(Protocol):
    """The losses of both players, computed from scores ``(seeds, batch)``; each is ``(seeds,)`` and minimised.

    The generator's loss is called as ``generator_loss(fake)``, or as ``generator_loss(fake, real)`` if the method says
    ``generator_reads_real``.
    """

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor: ...

    @property
    def generator_loss(self) -> Callable[..., Tensor]: ...


class DataSet(Protocol):
    """A source of real samples."""

    @property
    def sample_shape(self) -> tuple[int, ...]: ...

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draws samples ``(n, *sample_shape)`` on the device of ``rng``."""
        ...


@dataclass(frozen=True)
class Unroll:
    """A generator step against the critic as it is ``steps`` steps later; only the first of these steps is kept.

    With ``order="first"`` the steps use fresh batches, the generator's gradient stops at the critic, and the critic's
    optimiser keeps the state after all of them (musyoku's code). With ``order="second"`` they use one batch, and the
    generator's gradient flows through them (Metz et al. 2017, § 2.2).
    """

    steps: int
    order: Literal["first", "second"]


@dataclass(frozen=True)
class Warmup:
    """More critic steps before some generator steps, so that the critic is trained well before the generator moves.

    Attributes:
        steps: Critic steps before such a generator step, instead of ``n_critic``.
        first: Generator steps at the beginning of a run that have them.
        every: Each generator step after a multiple of this number of steps has them too.
    """

    steps: int
    first: int
    every: int

    def is_due(self, steps_done: int) -> bool:
        """Returns whether the next generator step, after ``steps_done`` of them, is such a step."""
        return steps_done < self.first or steps_done % self.every == 0


@dataclass(frozen=True)
class Auxiliary:
    """An auxiliary classifier in the critic and a class-conditional generator (AC-GAN).

    Attributes:
        classes: The number of classes; labels run from 0 to ``classes - 1``.
        critic: Weight of the cross-entropy of real images' labels in the critic loss.
        generator: Weight of the cross-entropy of fakes' labels in the generator loss.
    """

    classes: int
    critic: float = 1.0
    generator: float = 0.1


@dataclass(frozen=True)
class Method:
    """The training method of a pair of networks, apart from networks and optimisers.

    Attributes:
        penalty: A term added to the critic loss; None for no penalty.
        projection: A function applied to the critic's parameters before or after each critic step; None for none.
        project: Whether the projection is applied before or after the step.
        single_pass: Whether real and fake samples go through the critic in one forward pass, which is possible if the
            critic does not mix the rows of a batch (`wganbench.training.stack.is_rowwise`).
        fakes_at_once: Whether one pass of the generator makes the fakes of all critic steps before a generator step,
            which is possible if it does not mix the rows of a batch.
        generator_reads_real: Whether the generator's loss takes real scores too. They are then of a batch of the
            generator step's own, as large as its batch of fakes; otherwise no such batch is drawn.
        pack: Number of samples that the critic judges together, joined along their first axis (PacGAN; Lin et al.
            2018); 1 for one at a time. It divides the sizes of all batches, and the critic is made for joined samples.
        updates: The order of the updates within a step. ``alternating``: the critic steps, then the generator step.
            ``generator_first``: the generator step, then the critic steps. ``simultaneous``: both from the same
            parameters, which is written for one critic step.
        n_critic: Critic steps per generator step; ignored if ``unroll`` is set.
        warmup: More critic steps before some generator steps; None for ``n_critic`` before each.
        generator_batch_size: Number of samples in the generator's own step; None for that of a critic step.
        auxiliary: The auxiliary classifier of a class-conditional pair; None for an unconditional one.
        decay_steps: Number of steps over which learning rates fall linearly to 0, for optimisers that
            `wganbench.training.lr_decay.begin` has prepared; None for constant rates.
        generator_average: Decay, in (0, 1), of the moving average of the generator's parameters; None for no average.
    """

    objective: Objective
    penalty: Penalty | None = None
    projection: Projection | None = None
    project: Literal["before", "after"] = "after"
    single_pass: bool = False
    fakes_at_once: bool = False
    generator_reads_real: bool = False
    pack: int = 1
    updates: Updates = "alternating"
    n_critic: int = 1
    warmup: Warmup | None = None
    generator_batch_size: int | None = None
    unroll: Unroll | None = None
    auxiliary: Auxiliary | None = None
    decay_steps: int | None = None
    generator_average: float | None = None


def unrolled_adam(
    parameters: Mapping[str, Tensor],
    objective: Callable[[Mapping[str, Tensor]], Tensor],
    optimizer: Optimizer,
    steps: int,
) -> dict[str, Tensor]:
    """Returns the parameters after ``steps`` Adam steps from the optimiser's present state, differentiably.

    Neither ``parameters`` nor ``optimizer`` is changed.

    Args:
        parameters: The tensors that ``optimizer`` updates, by name.
        objective: Maps parameters to losses of shape ``(seeds,)``, whose sum is minimised.
        optimizer: A ``torch.optim.Adam`` over one parameter group, without weight decay or amsgrad.
        steps: The number of steps, at least 1.
    """
    group = optimizer.param_groups[0]
    beta1, beta2 = group["betas"]
    state = {name: optimizer.state.get(tensor, {}) for name, tensor in parameters.items()}
    first = {name: state[name].get("exp_avg", torch.zeros_like(tensor)) for name, tensor in parameters.items()}
    second = {name: state[name].get("exp_avg_sq", torch.zeros_like(tensor)) for name, tensor in parameters.items()}
    count = _steps_done(state.values(), next(iter(parameters.values())).device)
    current = dict(parameters)
    for _ in range(steps):
        count = count + 1
        rate, share = _over(group["lr"], 1 - beta1**count), 1 - beta2**count
        gradients = torch.autograd.grad(objective(current).sum(), list(current.values()), create_graph=True)
        ahead = {}
        for (name, tensor), gradient in zip(current.items(), gradients, strict=True):
            first[name] = beta1 * first[name] + (1 - beta1) * gradient
            second[name] = beta2 * second[name] + (1 - beta2) * gradient.square()
            # The root has no derivative at 0; 1e-30 is far below eps² and does not change the result.
            root = (second[name] / share).clamp_min(1e-30).sqrt()
            ahead[name] = tensor - rate * first[name] / (root + group["eps"])
        current = ahead
    return current


def _steps_done(state: Iterable[Mapping[str, Tensor]], device: torch.device) -> Tensor:
    """Returns the number of steps that an optimiser has done as a float64 scalar on the device, without waiting."""
    counts = [entry["step"] for entry in state if entry]
    if not counts:
        return torch.zeros((), dtype=torch.float64, device=device)
    return torch.stack(counts).max().to(device, torch.float64)


def _over(rate: float | Tensor, share: Tensor) -> Tensor:
    """Divides a learning rate, in its own precision if it is a tensor."""
    return rate / share.to(rate.dtype) if isinstance(rate, Tensor) else rate / share
