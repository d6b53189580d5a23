"""Trains a stack of generators and critics in lockstep: one generator step and the critic steps before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from wganbench.losses.objectives import class_loss
from wganbench.networks.nonlinearity import differentiated_twice
from wganbench.training.critic_trainer import Player, StackTrainer
from wganbench.training.method import DataSet, Method, unrolled_adam
from wganbench.training.stack import Parameters, Stack
from wganbench.training.state import State, copy_plain

OWN_REALS = "data of the generator"
"""The stream of the real samples whose scores the generator's loss reads."""


class GanTrainer(StackTrainer):
    """Trains a stack of generators and critics; a step consists of critic steps and one generator step.

    Attributes:
        generator_loss: The generator loss of the last step, including class cross-entropy, ``(seeds,)``.
        average: The moving average of the generators over the steps, starting from their initial parameters; None if
            the method has no average.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        generator: Player,
        critic: Player,
        method: Method,
        data: DataSet,
        *,
        latent_dim: int,
        batch_size: int,
    ):
        super().__init__(seeds, critic, method, data, batch_size=batch_size)
        self.generator, self.generator_optimizer = generator.stack, generator.optimizer
        self.average = self.generator.twin() if method.generator_average is not None else None
        self.latent_dim = latent_dim
        self.generator_batch_size = method.generator_batch_size or batch_size
        self._add_streams("latent", *(["labels"] if method.auxiliary is not None else []))
        if method.generator_reads_real:
            self._add_streams(OWN_REALS)
            self._add_batches(OWN_REALS, self.generator_batch_size)
        self.generator_loss = torch.zeros(len(seeds), device=self.device)

    @property
    def sampled(self) -> Stack:
        """The generators to sample from for evaluation, in float32: the averaged ones if there are any."""
        return (self.average or self.generator).in_float32()

    @property
    def losses(self) -> dict[str, Tensor]:
        return {**super().losses, "generator_loss": self.generator_loss}

    @property
    def _players(self) -> dict[str, Player]:
        return {**super()._players, "generator": Player(self.generator, self.generator_optimizer)}

    def state(self) -> State:
        averaged = {} if self.average is None else {"average": copy_plain(_tensors(self.average), "average")}
        return {**super().state(), **averaged}

    @torch.no_grad()
    def restore(self, state: State) -> None:
        super().restore(state)
        if self.average is not None:
            for name, tensor in _tensors(self.average).items():
                tensor.copy_(state["average"][name])

    def _warm_up(self) -> None:
        warmup = self.method.warmup
        if warmup is not None and warmup.is_due(self.steps_done):
            self._begin_step(None)
            for _ in range(warmup.steps - self.method.n_critic):
                self._take_critic_step()

    def _take_critic_step(self) -> None:
        """Takes one critic step on a batch of its own, without a generator step."""
        data = self.batches["data"]
        data.host_step(1)
        (real,) = data.draw(1)
        labels = None if self.method.auxiliary is None else data.labels(1)[0]
        (latent,) = self.streams["latent"].normal(1, self.batch_size, self.latent_dim).unbind(1)
        self._critic_step(real, self._fake(latent, labels), labels)

    def device_step(self) -> None:
        n, data = self._n_batches, self.batches["data"]
        latents = self._draw_latents()
        reals = data.draw(n)
        labels = [None] * n if self.method.auxiliary is None else data.labels(n)
        if self.method.unroll is not None and self.method.unroll.order == "second":
            self._second_order_step(reals[0], latents)
        elif self.method.unroll is not None:
            self._first_order_step(self._pairs(reals, latents, labels), latents[-1])
        else:
            self._ordered_step(reals, latents, labels)
        if self.average is not None:
            self._take_into(self.average)
        self.finite &= self.critic_loss.isfinite() & self.generator_loss.isfinite()

    def _ordered_step(
        self, reals: Sequence[Tensor], latents: Sequence[Tensor], labels: Sequence[Tensor | None]
    ) -> None:
        """Takes the critic steps and the generator step in the order that the method says."""
        updates = self.method.updates
        if updates == "generator_first":
            self._generator_step(latents[-1], self.critic.parameters)
        elif updates == "simultaneous":  # the gradient is kept until the critic's step is done
            self._generator_gradient(latents[-1], self.critic.parameters)
        for real, fake, each in self._pairs(reals, latents, labels):
            self._critic_step(real, fake, each)
        if updates == "simultaneous":
            self.generator_optimizer.step()
        elif updates == "alternating":
            self._generator_step(latents[-1], self.critic.parameters)

    def _pairs(
        self, reals: Sequence[Tensor], latents: Sequence[Tensor], labels: Sequence[Tensor | None]
    ) -> Iterable[tuple[Tensor, Tensor, Tensor | None]]:
        """Returns the real samples, the fakes and the labels of each critic step; the fakes are made when called."""
        n = self._n_batches
        return zip(reals, self._fakes(latents[:n], labels), labels, strict=True)

    @torch.no_grad()
    def _take_into(self, average: Stack) -> None:
        """Updates ``a ← d·a + (1 − d)·p`` for each parameter p; buffers are copied from the last step."""
        assert self.method.generator_average is not None
        share = 1 - self.method.generator_average
        torch._foreach_lerp_(list(average.parameters.values()), list(self.generator.parameters.values()), share)
        for name, tensor in average.buffers.items():
            tensor.copy_(self.generator.buffers[name])

    @property
    def _read(self) -> Mapping[str, int]:
        return {**super()._read, **({OWN_REALS: 1} if self.method.generator_reads_real else {})}

    @property
    def _n_batches(self) -> int:
        unroll = self.method.unroll
        if unroll is None:
            return self.method.n_critic
        return unroll.steps if unroll.order == "first" else 1

    def _draw_latents(self) -> Sequence[Tensor]:
        """Draws latents of each critic step, then of the generator step, each ``(seeds, its batch, latent_dim)``."""
        latent, n = self.streams["latent"], self._n_batches
        if self.generator_batch_size == self.batch_size:
            return latent.normal(n + 1, self.batch_size, self.latent_dim).unbind(1)
        of_critic = latent.normal(n, self.batch_size, self.latent_dim).unbind(1)
        return [*of_critic, latent.normal(self.generator_batch_size, self.latent_dim)]

    def _fakes(self, latents: Sequence[Tensor], labels: Sequence[Tensor | None]) -> Iterable[Tensor]:
        """Makes the fakes of each critic step, one after the other or all at once; the generator stays the same."""
        if self.method.fakes_at_once and len(latents) > 1:
            return self._fake(torch.cat([*latents], dim=1)).split(self.batch_size, dim=1)
        return (self._fake(latent, each) for latent, each in zip(latents, labels, strict=True))

    @torch.no_grad()
    def _fake(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.generator(latent, labels=labels)

    def _generator_objective(self, latent: Tensor, critic_parameters: Parameters) -> Tensor:
        """The loss that the generator minimises, ``(seeds,)``."""
        objective, auxiliary = self.method.objective, self.method.auxiliary
        real = [self._own_real_scores(critic_parameters)] if self.method.generator_reads_real else []
        if auxiliary is None:
            fake = self.critic(self._packed(self._noised(self.generator(latent))), critic_parameters)
            return objective.generator_loss(fake, *real)
        labels = self.streams["labels"].integers(auxiliary.classes, latent.shape[1])
        made = self._noised(self.generator(latent, labels=labels))
        scores, logits = self.critic.with_logits(made, critic_parameters)
        return objective.generator_loss(scores, *real) + auxiliary.generator * class_loss(logits, labels)

    def _own_real_scores(self, critic_parameters: Parameters) -> Tensor:
        """The scores of a batch of real samples that is drawn for this step alone, ``(seeds, scores)``."""
        (real,) = self.batches[OWN_REALS].draw(1)
        return self.critic(self._packed(self._noised(real)), critic_parameters)

    def _generator_gradient(self, latent: Tensor, critic_parameters: Parameters) -> None:
        self.generator_optimizer.zero_grad()
        loss = self._generator_objective(latent, critic_parameters)
        loss.sum().backward(inputs=list(self.generator.parameters.values()))
        self.generator_loss = loss.detach()

    def _generator_step(self, latent: Tensor, critic_parameters: Parameters) -> None:
        self._generator_gradient(latent, critic_parameters)
        self.generator_optimizer.step()

    def _first_order_step(self, batches: Iterable[tuple[Tensor, Tensor, Tensor | None]], own_latent: Tensor) -> None:
        """Takes a step unrolled to first order; ``batches`` has real and fake samples and labels per critic step."""
        kept: dict[str, Tensor] = {}
        for real, fake, labels in batches:
            self._critic_step(real, fake, labels)
            kept = kept or {name: tensor.detach().clone() for name, tensor in self.critic.parameters.items()}
        self._generator_step(own_latent, self.critic.parameters)
        with torch.no_grad():
            for name, tensor in kept.items():
                self.critic.parameters[name].copy_(tensor)

    def _second_order_step(self, real: Tensor, latents: Sequence[Tensor]) -> None:
        assert self.method.unroll is not None
        fake = self.generator(latents[0])  # the gradient also flows through the fakes that the critic is trained on
        with differentiated_twice():
            ahead = unrolled_adam(
                self.critic.parameters,
                lambda parameters: self._critic_objective(parameters, real, fake),
                self.critic_optimizer,
                self.method.unroll.steps,
            )
        self._generator_gradient(latents[-1], ahead)
        self._critic_step(real, fake.detach())
        self.generator_optimizer.step()


def _tensors(stack: Stack) -> dict[str, Tensor]:
    return {**stack.parameters, **stack.buffers}
