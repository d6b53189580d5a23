"""A stack of critics in lockstep: their steps, and their training alone against a fixed generator.

Losses are summed over the seed axis before they are differentiated: seeds share no parameter, so each gets its own
gradient, and optimisers that work entry by entry update the stack as they would each seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from wganbench.data.epochs import Epochs
from wganbench.data.fixed_generators import Fixed
from wganbench.data.images import Images
from wganbench.losses.objectives import class_loss
from wganbench.rng import Streams
from wganbench.training import lr_decay
from wganbench.training.method import DataSet, Method
from wganbench.training.stack import Parameters, Stack
from wganbench.training.state import State, copy_plain, mismatches, moment_mismatches, network_state, restore_network


class Critics:
    """A stack of critics, their optimiser and the streams of what they are trained on.

    Attributes:
        critic_loss: Of the last step, with its penalty and the cross-entropy of classes, ``(seeds,)``.
        finite: Which seeds have had finite losses in every step so far, ``(seeds,)``.
        steps_done: Steps so far.

    Raises:
        DataError: If the method has classes that are not the data set's.
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
            data.check_classes(method.auxiliary.classes)  # an index that is out of range ends a whole process on CUDA
        self.critic_loss = torch.zeros(len(seeds), device=device)
        self.finite = torch.ones(len(seeds), dtype=torch.bool, device=device)
        self.steps_done = 0

    @property
    def losses(self) -> dict[str, Tensor]:
        """Of the last step, by name, which is their attribute's, each ``(seeds,)``."""
        return {"critic_loss": self.critic_loss}

    @property
    def networks(self) -> dict[str, Stack]:
        """What is trained, by name."""
        return {name: stack for name, (stack, _) in self._networks.items()}

    @property
    def optimizers(self) -> list[Optimizer]:
        """Theirs, in the same order."""
        return [optimizer for _, optimizer in self._networks.values()]

    @property
    def _networks(self) -> dict[str, tuple[Stack, Optimizer]]:
        return {"critic": (self.critic, self.critic_optimizer)}

    @property
    def drawn_from(self) -> dict[str, Streams]:
        """The streams, but for those of an order, of which the order itself knows where it stands."""
        return {name: own for name, own in self.streams.items() if name not in self.epochs}

    def state(self) -> State:
        """Copies of all that the next step reads, as `wganbench.training.state` has it.

        Data set, method and fixed generator are not in it: they keep nothing from one step to the next. Where a seed is
        in its epoch is.

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
        """Puts back a `state`: the next steps are, bit for bit, those that followed it.

        Tensors and devices stay the ones that they are.

        Raises:
            ValueError: If it has other names or shapes; nothing is then changed.
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
            else:  # before a step it is not known
                setattr(self, name, state["losses"][name].to(loss.device))

    def _odd(self, state: State) -> Iterator[str]:
        """What is wrong with those parts that the trainer's own say too little about."""
        for name, (_, optimizer) in self._networks.items():
            moments = state["networks"][name]["moments"]
            yield from moment_mismatches(optimizer, moments, f"state.networks.{name}.moments")
        if type(state["steps_done"]) is not int or state["steps_done"] < 0:
            yield f"state.steps_done: {state['steps_done']!r}, here a number from 0"
        for name in self.losses:
            loss = state["losses"].get(name)
            if not isinstance(loss, Tensor) or loss.shape != self.finite.shape:  # before a step its dtype is not known
                yield f"state.losses.{name}: not there in shape {tuple(self.finite.shape)}"

    def _shuffle(self, stream: str) -> None:
        """Has images come in epochs, as the official code has them, and not drawn with replacement."""
        assert isinstance(self.data, Images)
        own = self.streams[stream].generators
        self.epochs[stream] = [Epochs(len(self.data), self.batch_size, rng) for rng in own]

    def step(self) -> None:
        """One step: what is done in Python, then what is done on the device."""
        self.advance()
        self.compute()

    def advance(self) -> None:
        """Sets learning rates that fall, and takes the indices of a step's images; all else is drawn by `compute`."""
        if self.method.decay_steps is not None:
            lr_decay.set_rates(self.optimizers, self.steps_done, self.method.decay_steps)
        self.steps_done += 1
        for name in self._read:
            if name not in self.epochs:
                continue
            orders = [torch.cat([order.batch() for _ in range(self._n_batches)]) for order in self.epochs[name]]
            if name in self._indices:
                self._indices[name].copy_(torch.stack(orders))  # a graph reads them where they were
            else:
                self._indices[name] = torch.stack(orders)

    def compute(self) -> None:
        """The rest of a step: the same operations on the same tensors each time, so that a graph may repeat them."""
        raise NotImplementedError

    @property
    def _n_batches(self) -> int:
        """Real batches a step."""
        return self.method.n_critic

    @property
    def _read(self) -> Sequence[str]:
        """Streams of the real samples of a step."""
        return ("data",)

    def _draw_real(self, stream: str = "data") -> Sequence[Tensor]:
        """The step's batches, each ``(seeds, batch, *sample_shape)``."""
        n = self._n_batches
        if isinstance(self.data, Images):
            noise = self.streams["dequantisation"].generators
            draws = [self.data.take(order, rng) for order, rng in zip(self._indices[stream], noise, strict=True)]
        else:
            draws = [self.data.draw(n * self.batch_size, rng) for rng in self.streams[stream].generators]
        return torch.stack(draws).unflatten(1, (n, self.batch_size)).unbind(1)

    def _real_labels(self) -> Sequence[Tensor | None]:
        """Those of the step's batches, each ``(seeds, batch)``; None of each where there are no classes."""
        n = self._n_batches
        if self.method.auxiliary is None:
            return [None] * n
        assert isinstance(self.data, Images)
        return self.data.labels[self._indices["data"]].unflatten(1, (n, self.batch_size)).unbind(1)

    def _critic_objective(
        self, parameters: Parameters, real: Tensor, fake: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """What the critic minimises, ``(seeds,)``, as a function of its parameters; labels are those of ``real``."""

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
        """Scores of real and of fake samples, and class logits of the real ones where they are asked for."""
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


class CriticTrainer(Critics):
    """Critics trained alone, against a generator that stays as it is; a step is ``n_critic`` critic steps."""

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
        """What is trained."""
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
