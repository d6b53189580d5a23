"""Trains a stack of critics in lockstep: the critic step, and training against a fixed generator.

Losses are summed over the seed axis before they are differentiated. Seeds share no parameters, so each seed gets its
own gradient, and elementwise optimisers update the stack as they would update each seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from wganbench.data.fixed_generators import Fixed
from wganbench.data.images import Epochs
from wganbench.losses.objectives import class_loss
from wganbench.rng import Streams
from wganbench.training import lr_decay
from wganbench.training.batches import Batches, ShuffledBatches, images_of, packed
from wganbench.training.method import DataSet, Method
from wganbench.training.stack import Parameters, Stack
from wganbench.training.state import State, copy_plain, mismatches, moment_mismatches, network_state, restore_network
from wganbench.training.step_streams import StepStreams, draws_in_blocks


@dataclass(frozen=True)
class Player:
    """A stack of generators or critics with its optimiser."""

    stack: Stack
    optimizer: Optimizer


class StackTrainer:
    """Trains a stack of critics, and in subclasses what they play against, with random streams of its own.

    Attributes:
        images: The data set if its samples are images; None for points.
        fixed: The fixed generator; None if generators are trained.
        sampled: The generators to sample from for evaluation, in float32; None with a fixed generator.
        latent_dim: The length of a latent vector; 0 with a fixed generator.
        critic_loss: The critic loss of the last step, including penalty and class cross-entropy, ``(seeds,)``.
        finite: Boolean mask of the seeds whose losses have been finite in every step so far, ``(seeds,)``.
        steps_done: The number of steps taken so far.

    Raises:
        DataError: If the method's classes are not those of the data set.
    """

    fixed: Fixed | None = None
    latent_dim = 0

    def __init__(self, seeds: Sequence[int], critic: Player, method: Method, data: DataSet, *, batch_size: int):
        self.seeds, self.method, self.data, self.batch_size = seeds, method, data, batch_size
        self.critic, self.critic_optimizer = critic.stack, critic.optimizer
        self.device = next(iter(self.critic.parameters.values())).device
        self.images = images_of(data)
        self.streams: dict[str, Streams] = {}
        self.batches: dict[str, Batches] = {}
        self._add_streams("data", "penalty", *(["instance noise"] if method.instance_noise is not None else []))
        if self.images is not None:
            self.streams["dequantisation"] = Streams(seeds, "dequantisation", self.device)  # too large for blocks
            if method.auxiliary is not None:  # on CUDA a label out of range kills the process
                self.images.check_classes(method.auxiliary.classes)
        self._add_batches("data", batch_size)
        self.critic_loss = torch.zeros(len(seeds), device=self.device)
        self.finite = torch.ones(len(seeds), dtype=torch.bool, device=self.device)
        self.steps_done = 0

    def _add_streams(self, *names: str) -> None:
        kind = StepStreams if draws_in_blocks(self.device) else Streams
        self.streams |= {name: kind(self.seeds, name, self.device) for name in names}

    def _add_batches(self, stream: str, batch_size: int) -> None:
        """Makes the real batches of a stream: of images, in shuffled epochs as in the official code."""
        own = self.streams[stream]
        if self.images is None:
            self.batches[stream] = Batches(self.data, own, batch_size)
        else:
            self.batches[stream] = ShuffledBatches(self.images, own, batch_size, self.streams["dequantisation"])

    @property
    def losses(self) -> dict[str, Tensor]:
        """The losses of the last step by attribute name, each ``(seeds,)``."""
        return {"critic_loss": self.critic_loss}

    @property
    def sampled(self) -> Stack | None:
        return None

    @property
    def networks(self) -> dict[str, Stack]:
        """The trained networks, by name."""
        return {name: player.stack for name, player in self._players.items()}

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimisers of `networks`, in the same order."""
        return [player.optimizer for player in self._players.values()]

    @property
    def _players(self) -> dict[str, Player]:
        return {"critic": Player(self.critic, self.critic_optimizer)}

    @property
    def epochs(self) -> dict[str, list[Epochs]]:
        """The order of images of each seed, by stream; empty for points."""
        return {name: own.epochs for name, own in self.batches.items() if own.epochs}

    @property
    def drawn_from(self) -> dict[str, Streams]:
        """The streams except those that shuffle epochs; an `Epochs` object keeps its own position."""
        return {name: own for name, own in self.streams.items() if name not in self.epochs}

    def state(self) -> State:
        """Copies everything that the next step reads, in the form that `wganbench.training.state` describes.

        This includes each seed's position in its epoch. It excludes the data set, the method and the fixed generator,
        which keep nothing from one step to the next.

        Raises:
            ValueError: If an optimiser holds something that cannot be saved.
        """
        return {
            "networks": {
                name: network_state(player.stack, player.optimizer, name) for name, player in self._players.items()
            },
            "streams": {name: [rng.get_state() for rng in own.generators] for name, own in self.drawn_from.items()},
            "epochs": {name: [order.state() for order in own] for name, own in self.epochs.items()},
            "finite": copy_plain(self.finite, "finite"),
            "steps_done": self.steps_done,
            "losses": copy_plain(self.losses, "losses"),
        }

    def find_mismatch(self, state: State) -> str | None:
        """Returns how a state differs from a `state` of this trainer in names or shapes; None if it does not."""
        found = list(mismatches(self.state(), state, "state", beside=("moments", "losses"))) or list(self._odd(state))
        if not found:
            return None
        more = f"; and {len(found) - 4} more" if len(found) > 4 else ""
        return f"{'; '.join(found[:4])}{more}; must be of the same setting, seeds and kind of device"

    def restore(self, state: State) -> None:
        """Restores a `state`, so that the next steps repeat, bit for bit, those that followed it.

        Values are copied into the existing tensors, which stay on their devices.

        Raises:
            ValueError: If the state has other names or shapes; the trainer is then unchanged.
        """
        if wrong := self.find_mismatch(state):
            raise ValueError(wrong)
        for name, player in self._players.items():
            restore_network(player.stack, player.optimizer, state["networks"][name])
        for name, own in self.drawn_from.items():
            for rng, position in zip(own.generators, state["streams"][name], strict=True):
                rng.set_state(position)
        for name, orders in self.epochs.items():
            for order, at in zip(orders, state["epochs"][name], strict=True):
                order.restore(at)
        self.finite.copy_(state["finite"])
        self.steps_done = state["steps_done"]
        for name, loss in self.losses.items():
            if loss.dtype == state["losses"][name].dtype:
                loss.copy_(state["losses"][name])
            else:  # before the first step the dtype is not known
                setattr(self, name, state["losses"][name].to(loss.device))

    def _odd(self, state: State) -> Iterator[str]:
        """Yields a line for each problem that a comparison with the trainer's own state cannot show."""
        for name, player in self._players.items():
            moments = state["networks"][name]["moments"]
            yield from moment_mismatches(player.optimizer, moments, f"state.networks.{name}.moments")
        if type(state["steps_done"]) is not int or state["steps_done"] < 0:
            yield f"state.steps_done: {state['steps_done']!r}, here a number from 0"
        for name in self.losses:
            loss = state["losses"].get(name)
            if not isinstance(loss, Tensor) or loss.shape != self.finite.shape:  # its dtype is unknown at step 0
                yield f"state.losses.{name}: not there in shape {tuple(self.finite.shape)}"

    def step(self) -> None:
        """Takes one step: first the work done in Python, then the work done on the device."""
        self.host_step()
        self.device_step()

    def host_step(self) -> None:
        """Sets decaying learning rates, and draws what a CUDA graph does not draw; `device_step` draws all else."""
        if self.method.decay_steps is not None:
            lr_decay.set_rates(self.optimizers, self.steps_done, self.method.decay_steps)
        self._warm_up()
        self._begin_step(self.steps_done)
        self.steps_done += 1
        for name, n in self._read.items():
            self.batches[name].host_step(n)

    def _warm_up(self) -> None:
        """Takes the further critic steps before a step of a warm-up, if there is one; `device_step` holds none."""

    def _begin_step(self, step: int | None) -> None:
        """Gets blocks of random numbers ready for a step, counted from 0, or for draws outside of steps."""
        for own in self.streams.values():
            if isinstance(own, StepStreams):
                own.begin_step(step)

    def device_step(self) -> None:
        """Does the rest of a step: each time the same operations on the same tensors, so that a graph can replay it."""
        raise NotImplementedError

    @property
    def _n_batches(self) -> int:
        """The number of real batches per step."""
        return self.method.n_critic

    @property
    def _read(self) -> Mapping[str, int]:
        """The streams that a step draws real samples from, with the number of batches from each."""
        return {"data": self._n_batches}

    def _critic_objective(
        self, parameters: Parameters, real: Tensor, fake: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """The loss that the critic minimises, ``(seeds,)``, at these parameters; ``labels`` are those of ``real``."""
        real, fake = (self._packed(self._noised(samples)) for samples in (real, fake))

        def critic(x: Tensor) -> Tensor:
            return self.critic(x, parameters)

        of_real, of_fake, logits = self._scores(parameters, real, fake, classify=labels is not None)
        loss = self.method.objective.critic_loss(of_real, of_fake)
        if labels is not None and logits is not None and self.method.auxiliary is not None:
            loss = loss + self.method.auxiliary.critic * class_loss(logits, labels)
        if self.method.penalty is not None:
            loss = loss + self.method.penalty(critic, real, fake, self.streams["penalty"])
        return loss

    def _packed(self, x: Tensor) -> Tensor:
        """Joins the samples that the critic judges together, as in ``packed``."""
        return packed(x, self.method.pack, rows=1)

    def _noised(self, samples: Tensor) -> Tensor:
        """Adds the method's noise to samples, ``(seeds, batch, *sample_shape)``, that the critic is about to score."""
        std = self.method.instance_noise
        return samples if std is None else samples + std * self.streams["instance noise"].normal(*samples.shape[1:])

    def _scores(
        self, parameters: Parameters, real: Tensor, fake: Tensor, *, classify: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns the scores of real and fake samples and, with ``classify``, the class logits of the real ones."""
        n = real.shape[1]
        first = torch.cat([real, fake], dim=1) if self.method.single_pass else real
        if classify:
            scores, logits = self.critic.with_logits(first, parameters)
            of_classes = logits[:, :n]
        else:
            scores, of_classes = self.critic(first, parameters), None
        if self.method.single_pass:
            return scores[:, :n], scores[:, n:], of_classes
        return scores, self.critic(fake, parameters), of_classes

    def _critic_step(self, real: Tensor, fake: Tensor, labels: Tensor | None = None) -> None:
        weights = list(self.critic.parameters.values())
        if self.method.projection is not None and self.method.project == "before":
            self._project(weights)
        self.critic_optimizer.zero_grad()
        loss = self._critic_objective(self.critic.parameters, real, fake, labels)
        # backward() lays out gradients like the parameters; autograd.grad() may not, and fused Adam ignores strides.
        loss.sum().backward(inputs=weights)
        self.critic_optimizer.step()
        if self.method.projection is not None and self.method.project == "after":
            self._project(weights)
        self.critic_loss = loss.detach()

    @torch.no_grad()
    def _project(self, weights: list[Tensor]) -> None:
        assert self.method.projection is not None
        self.method.projection(weights)


class CriticTrainer(StackTrainer):
    """Trains critics alone, against a fixed generator; a step consists of ``n_critic`` critic steps."""

    def __init__(
        self, seeds: Sequence[int], critic: Player, method: Method, data: DataSet, fixed: Fixed, *, batch_size: int
    ):
        super().__init__(seeds, critic, method, data, batch_size=batch_size)
        self.fixed: Fixed = fixed
        self._add_streams("noise", "data of the generator")
        self._add_batches("data of the generator", batch_size)

    @property
    def _read(self) -> Mapping[str, int]:
        own = {"data of the generator": self._n_batches} if self.fixed.independent else {}
        return {**super()._read, **own}

    def device_step(self) -> None:
        reals, *others = (self.batches[name].draw(n) for name, n in self._read.items())
        for real, source in zip(reals, others[0] if others else reals, strict=True):
            noise = self.streams["noise"].normal(*source.shape[1:])
            self._critic_step(real, self.fixed(source, noise))
        self.finite &= self.critic_loss.isfinite()
