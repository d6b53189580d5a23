"""Trains a stack of critics in lockstep: the critic step, and training against a fixed generator.

Losses are summed over the seed axis before they are differentiated. Seeds share no parameters, so each seed gets its
own gradient, and elementwise optimisers update the stack as they would update each seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from wganbench.data.fixed_generators import Fixed
from wganbench.data.images import Epochs, Images
from wganbench.losses.objectives import class_loss
from wganbench.rng import Streams
from wganbench.training import lr_decay
from wganbench.training.method import DataSet, Method
from wganbench.training.stack import Parameters, Stack
from wganbench.training.state import State, copy_plain, mismatches, moment_mismatches, network_state, restore_network


class Critics:
    """A stack of critics with its optimiser and the random streams that it draws from.

    Attributes:
        critic_loss: The critic loss of the last step, including penalty and class cross-entropy, ``(seeds,)``.
        finite: Boolean mask of the seeds whose losses have been finite in every step so far, ``(seeds,)``.
        steps_done: The number of steps taken so far.

    Raises:
        DataError: If the method's classes are not those of the data set.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        critic: Stack,
        critic_optimizer: Optimizer,
        method: Method,
        data: DataSet,
        *,
        batch_size: int,
        device: torch.device | str = "cpu",
    ):
        self.critic, self.critic_optimizer = critic, critic_optimizer
        self.method, self.data, self.batch_size = method, data, batch_size
        self.streams = {name: Streams(seeds, name, device) for name in ("data", "penalty")}
        self.epochs: dict[str, list[Epochs]] = {}
        self._indices: dict[str, Tensor] = {}
        if isinstance(data, Images):
            self.streams["dequantisation"] = Streams(seeds, "dequantisation", device)
            self._shuffle("data")
        if method.auxiliary is not None:
            assert isinstance(data, Images)
            data.check_classes(method.auxiliary.classes)  # on CUDA an index out of range kills the process
        self.critic_loss = torch.zeros(len(seeds), device=device)
        self.finite = torch.ones(len(seeds), dtype=torch.bool, device=device)
        self.steps_done = 0

    @property
    def losses(self) -> dict[str, Tensor]:
        """The losses of the last step by attribute name, each ``(seeds,)``."""
        return {"critic_loss": self.critic_loss}

    @property
    def networks(self) -> dict[str, Stack]:
        """The trained networks, by name."""
        return {name: stack for name, (stack, _) in self._networks.items()}

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimisers of `networks`, in the same order."""
        return [optimizer for _, optimizer in self._networks.values()]

    @property
    def _networks(self) -> dict[str, tuple[Stack, Optimizer]]:
        return {"critic": (self.critic, self.critic_optimizer)}

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
            "networks": {name: network_state(*network, name) for name, network in self._networks.items()},
            "streams": {name: [rng.get_state() for rng in own.generators] for name, own in self.drawn_from.items()},
            "epochs": {name: [order.state() for order in own] for name, own in self.epochs.items()},
            "finite": copy_plain(self.finite, "finite"),
            "steps_done": self.steps_done,
            "losses": copy_plain(self.losses, "losses"),
        }

    def restore(self, state: State) -> None:
        """Restores a `state`, so that the next steps repeat, bit for bit, those that followed it.

        Values are copied into the existing tensors, which stay on their devices.

        Raises:
            ValueError: If the state has other names or shapes; the trainer is then unchanged.
        """
        found = list(mismatches(self.state(), state, "state", beside=("moments", "losses"))) or list(self._odd(state))
        if found:
            more = f"; and {len(found) - 4} more" if len(found) > 4 else ""
            raise ValueError(f"{'; '.join(found[:4])}{more}; must be of the same setting, seeds and kind of device")
        for name, network in self._networks.items():
            restore_network(*network, state["networks"][name])
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
        for name, (_, optimizer) in self._networks.items():
            moments = state["networks"][name]["moments"]
            yield from moment_mismatches(optimizer, moments, f"state.networks.{name}.moments")
        if type(state["steps_done"]) is not int or state["steps_done"] < 0:
            yield f"state.steps_done: {state['steps_done']!r}, here a number from 0"
        for name in self.losses:
            loss = state["losses"].get(name)
            if not isinstance(loss, Tensor) or loss.shape != self.finite.shape:  # its dtype is unknown at step 0
                yield f"state.losses.{name}: not there in shape {tuple(self.finite.shape)}"

    def _shuffle(self, stream: str) -> None:
        """Makes the images of a stream come in shuffled epochs, as in the official code, not drawn with replacement."""
        assert isinstance(self.data, Images)
        own = self.streams[stream].generators
        self.epochs[stream] = [Epochs(len(self.data), self.batch_size, rng) for rng in own]

    def step(self) -> None:
        """Takes one step: first the work done in Python, then the work done on the device."""
        self.advance()
        self.compute()

    def advance(self) -> None:
        """Sets decaying learning rates and draws the indices of the step's images; `compute` draws everything else."""
        if self.method.decay_steps is not None:
            lr_decay.set_rates(self.optimizers, self.steps_done, self.method.decay_steps)
        self.steps_done += 1
        for name in self._read:
            if name not in self.epochs:
                continue
            orders = [torch.cat([order.batch() for _ in range(self._n_batches)]) for order in self.epochs[name]]
            if name in self._indices:
                self._indices[name].copy_(torch.stack(orders))  # a CUDA graph reads them at the same address
            else:
                self._indices[name] = torch.stack(orders)

    def compute(self) -> None:
        """Does the rest of a step: each time the same operations on the same tensors, so that a graph can replay it."""
        raise NotImplementedError

    @property
    def _n_batches(self) -> int:
        """The number of real batches per step."""
        return self.method.n_critic

    @property
    def _read(self) -> Sequence[str]:
        """The names of the streams that a step draws real samples from."""
        return ("data",)

    def _draw_real(self, stream: str = "data") -> Sequence[Tensor]:
        """Draws the step's real batches, each ``(seeds, batch, *sample_shape)``."""
        n = self._n_batches
        if isinstance(self.data, Images):
            noise = self.streams["dequantisation"].generators
            draws = [self.data.take(order, rng) for order, rng in zip(self._indices[stream], noise, strict=True)]
        else:
            draws = [self.data.draw(n * self.batch_size, rng) for rng in self.streams[stream].generators]
        return torch.stack(draws).unflatten(1, (n, self.batch_size)).unbind(1)

    def _real_labels(self) -> Sequence[Tensor | None]:
        """Returns the labels of the step's real batches, each ``(seeds, batch)``, or None for each without classes."""
        n = self._n_batches
        if self.method.auxiliary is None:
            return [None] * n
        assert isinstance(self.data, Images)
        return self.data.labels[self._indices["data"]].unflatten(1, (n, self.batch_size)).unbind(1)

    def _critic_objective(
        self, parameters: Parameters, real: Tensor, fake: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """The loss that the critic minimises, ``(seeds,)``, at these parameters; ``labels`` are those of ``real``."""

        def critic(x: Tensor) -> Tensor:
            return self.critic(x, parameters)

        of_real, of_fake, logits = self._scores(parameters, real, fake, classify=labels is not None)
        loss = self.method.objective.critic_loss(of_real, of_fake)
        if labels is not None and logits is not None and self.method.auxiliary is not None:
            loss = loss + self.method.auxiliary.critic * class_loss(logits, labels)
        if self.method.penalty is not None:
            loss = loss + self.method.penalty(critic, real, fake, self.streams["penalty"])
        return loss

    def _scores(
        self, parameters: Parameters, real: Tensor, fake: Tensor, *, classify: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns the scores of real and fake samples and, with ``classify``, the class logits of the real ones."""
        n = real.shape[1]
        first = torch.cat([real, fake], dim=1) if self.method.joint else real
        if classify:
            scores, logits = self.critic.with_logits(first, parameters)
            of_classes = logits[:, :n]
        else:
            scores, of_classes = self.critic(first, parameters), None
        if self.method.joint:
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


class CriticTrainer(Critics):
    """Trains critics alone, against a fixed generator; a step consists of ``n_critic`` critic steps."""

    def __init__(
        self,
        seeds: Sequence[int],
        critic: Stack,
        critic_optimizer: Optimizer,
        method: Method,
        data: DataSet,
        fixed: Fixed,
        *,
        batch_size: int,
        device: torch.device | str = "cpu",
    ):
        super().__init__(seeds, critic, critic_optimizer, method, data, batch_size=batch_size, device=device)
        self.fixed = fixed
        self.streams |= {name: Streams(seeds, name, device) for name in ("noise", "data of the generator")}
        if isinstance(data, Images):
            self._shuffle("data of the generator")

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """The stacks that are trained."""
        return (self.critic,)

    @property
    def _read(self) -> Sequence[str]:
        return ("data", "data of the generator") if self.fixed.independent else ("data",)

    def compute(self) -> None:
        reals = self._draw_real()
        sources = self._draw_real("data of the generator") if self.fixed.independent else reals
        for real, source in zip(reals, sources, strict=True):
            noise = self.streams["noise"].normal(*source.shape[1:])
            self._critic_step(real, self.fixed(source, noise))
        self.finite &= self.critic_loss.isfinite()
