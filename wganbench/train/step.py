"""One generator step, with the critic steps before it, for a stack of seeds in lockstep.

Losses are summed over the seed axis before they are differentiated: seeds share no parameter, so each gets its own
gradient, and optimisers that work entry by entry update the stack as they would each seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from wganbench.streams import Streams
from wganbench.train.stack import Parameters, Stack
from wganbench.train.unroll import unrolled_adam

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
class Method:
    """How a pair of networks is trained, apart from networks and optimisers.

    Attributes:
        penalty: Added to the critic loss; ``None`` for none.
        projection: Applied to the critic's parameters before or after each of its steps; ``None`` for none.
        n_critic: Critic steps a generator step; not read where ``unroll`` is set.
    """

    objective: Objective
    penalty: Penalty | None = None
    projection: Projection | None = None
    project: Literal["before", "after"] = "after"
    n_critic: int = 1
    unroll: Unroll | None = None


class Trainer:
    """A stack of generators and critics, their optimisers and their random streams.

    Attributes:
        critic_loss, generator_loss: Of the last step, ``(seeds,)``; the critic's with its penalty.
        finite: Which seeds have had finite losses in every step so far, ``(seeds,)``.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        generator: Stack,
        critic: Stack,
        generator_optimizer: Optimizer,
        critic_optimizer: Optimizer,
        method: Method,
        data: DataSet,
        *,
        latent_dim: int,
        batch_size: int,
        device: torch.device | str = "cpu",
    ):
        self.generator, self.critic = generator, critic
        self.generator_optimizer, self.critic_optimizer = generator_optimizer, critic_optimizer
        self.method, self.data = method, data
        self.latent_dim, self.batch_size = latent_dim, batch_size
        self.streams = {name: Streams(seeds, name, device) for name in ("latent", "data", "penalty")}
        self.critic_loss = self.generator_loss = torch.zeros(len(seeds), device=device)
        self.finite = torch.ones(len(seeds), dtype=torch.bool, device=device)

    def step(self) -> None:
        """One generator step, preceded by its critic steps."""
        n_critic = self._n_batches()
        latents = self.streams["latent"].normal(n_critic + 1, self.batch_size, self.latent_dim).unbind(1)
        reals = self._draw_real(n_critic)
        if self.method.unroll is None:
            for real, latent in zip(reals, latents, strict=False):
                self._critic_step(real, self._fake(latent))
            self._generator_step(latents[-1], self.critic.parameters)
        elif self.method.unroll.order == "first":
            self._first_order_step(reals, latents)
        else:
            self._second_order_step(reals[0], latents)
        self.finite &= self.critic_loss.isfinite() & self.generator_loss.isfinite()

    def _n_batches(self) -> int:
        unroll = self.method.unroll
        if unroll is None:
            return self.method.n_critic
        return unroll.steps if unroll.order == "first" else 1

    def _draw_real(self, n: int) -> Sequence[Tensor]:
        draws = [self.data.draw(n * self.batch_size, rng) for rng in self.streams["data"].generators]
        return torch.stack(draws).unflatten(1, (n, self.batch_size)).unbind(1)

    @torch.no_grad()
    def _fake(self, latent: Tensor) -> Tensor:
        return self.generator(latent)

    def _critic_objective(self, parameters: Parameters, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimises, ``(seeds,)``, as a function of its parameters."""

        def critic(x: Tensor) -> Tensor:
            return self.critic(x, parameters)

        loss = self.method.objective.critic_loss(critic(real), critic(fake))
        if self.method.penalty is not None:
            loss = loss + self.method.penalty(critic, real, fake, self.streams["penalty"])
        return loss

    def _critic_step(self, real: Tensor, fake: Tensor) -> None:
        weights = list(self.critic.parameters.values())
        if self.method.projection is not None and self.method.project == "before":
            self._project(weights)
        self.critic_optimizer.zero_grad()
        loss = self._critic_objective(self.critic.parameters, real, fake)
        # backward() lays gradients out like the parameters; autograd.grad() may not, and fused Adam ignores strides.
        loss.sum().backward(inputs=weights)
        self.critic_optimizer.step()
        if self.method.projection is not None and self.method.project == "after":
            self._project(weights)
        self.critic_loss = loss.detach()

    @torch.no_grad()
    def _project(self, weights: list[Tensor]) -> None:
        assert self.method.projection is not None
        self.method.projection(weights)

    def _generator_gradient(self, latent: Tensor, critic_parameters: Parameters) -> None:
        self.generator_optimizer.zero_grad()
        scores = self.critic(self.generator(latent), critic_parameters)
        loss = self.method.objective.generator_loss(scores)
        loss.sum().backward(inputs=list(self.generator.parameters.values()))
        self.generator_loss = loss.detach()

    def _generator_step(self, latent: Tensor, critic_parameters: Parameters) -> None:
        self._generator_gradient(latent, critic_parameters)
        self.generator_optimizer.step()

    def _first_order_step(self, reals: Sequence[Tensor], latents: Sequence[Tensor]) -> None:
        kept: dict[str, Tensor] = {}
        for real, latent in zip(reals, latents, strict=False):
            self._critic_step(real, self._fake(latent))
            kept = kept or {name: tensor.detach().clone() for name, tensor in self.critic.parameters.items()}
        self._generator_step(latents[-1], self.critic.parameters)
        with torch.no_grad():
            for name, tensor in kept.items():
                self.critic.parameters[name].copy_(tensor)

    def _second_order_step(self, real: Tensor, latents: Sequence[Tensor]) -> None:
        assert self.method.unroll is not None
        fake = self.generator(latents[0])  # the gradient flows through the fakes that the critic is trained on, too
        ahead = unrolled_adam(
            self.critic.parameters,
            lambda parameters: self._critic_objective(parameters, real, fake),
            self.critic_optimizer,
            self.method.unroll.steps,
        )
        self._generator_gradient(latents[-1], ahead)
        self._critic_step(real, fake.detach())
        self.generator_optimizer.step()
