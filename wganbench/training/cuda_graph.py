"""A trainer's steps replayed as a CUDA graph: thousands of launches become one.

A graph repeats on the same memory what one run of `compute` launched; Python is not asked again. So it is replayed for
a few steps beside eager ones before it is used, and where anything is in the way the trainer steps as it always did.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor

from wganbench.training.critic_trainer import CriticTrainer
from wganbench.training.gan_trainer import Trainer
from wganbench.training.lr_decay import GRAPHED
from wganbench.training.state import State

CHECKED_STEPS = 3
"""More than one, so that what changes from step to step in Python is noticed."""
TOLERANCE = 1e-2
"""Of losses and gradients against eager ones, relative to their norm: other kernels and atomic sums round otherwise,
other draws or a step that was not taken are far beyond."""

Step = Callable[[], None]
AnyTrainer = Trainer | CriticTrainer


class NotCapturedError(Exception):
    """Why a step is not replayed, in one line; the trainer is as it was, and steps by itself."""


def capture(trainer: AnyTrainer, record: Callable[[AnyTrainer], Step] | None = None) -> Step:
    """A function that does what ``trainer.step`` does, from where the trainer stands, as one graph.

    Trainer, networks and optimisers keep their tensors, so that `state` and `restore` work between its steps.

    Args:
        record: Makes what repeats the trainer's ``compute``; it may run it or not. None for a CUDA graph.

    Raises:
        NotCapturedError: If it cannot be captured, or does not do the same.
    """
    hindrance = _hindrance(trainer)
    if hindrance is not None:
        raise NotCapturedError(hindrance)
    start = trainer.state()
    try:
        _set_capturable(trainer, trainer.finite.is_cuda)
        return _checked(trainer, record or _graph)
    except RuntimeError as error:  # as torch raises for all that a graph cannot hold, for want of memory, and as we do
        _set_capturable(trainer, False)
        if trainer.finite.is_cuda:
            _leave_capture(trainer)
        trainer.restore(start)
        raise NotCapturedError((str(error).strip() or type(error).__name__).splitlines()[0]) from None


def _hindrance(trainer: AnyTrainer) -> str | None:
    unroll = trainer.method.unroll
    if unroll is not None and unroll.order == "second":
        return "steps unrolled to the second order count in Python"
    for optimizer in trainer.optimizers:
        if type(optimizer) not in GRAPHED:
            return f"{type(optimizer).__name__} is not known to work in a graph"
        falling = trainer.method.decay_steps is not None
        if falling and not all(isinstance(group["lr"], Tensor) for group in optimizer.param_groups):
            return f"{type(optimizer).__name__} with foreach takes no learning rate that falls in a graph"
    return None


def _checked(trainer: AnyTrainer, record: Callable[[AnyTrainer], Step]) -> Step:
    start = trainer.state()
    with _beside(trainer), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of an optimiser that could be captured and is not
        trainer.step()
        _begin_moments(start, trainer.state())
        trainer.restore(start)
        expected = [seen for _ in range(CHECKED_STEPS) for seen in _seen_after(trainer, trainer.step)]
        trainer.restore(start)
        trainer.advance()
        replay = record(trainer)
    trainer.restore(start)

    def step() -> None:
        trainer.advance()
        replay()

    found = [seen for _ in range(CHECKED_STEPS) for seen in _seen_after(trainer, step)]
    for (name, theirs), (_, mine) in zip(expected, found, strict=True):
        apart = (mine - theirs).norm().item() / max(theirs.norm().item(), 1e-3)
        if not apart <= TOLERANCE:
            raise RuntimeError(f"the graph's {name} differs from that of eager steps by {apart:.2g} of it")
    trainer.restore(start)
    return step


def _begin_moments(start: State, made: State) -> None:
    """Moments of optimisers that have none yet: torch makes them at the first step, as zeros."""
    for name, network in start["networks"].items():
        network["moments"] = network["moments"] or _zeros(made["networks"][name]["moments"])


def _zeros(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _zeros(item) for key, item in value.items()}
    return torch.zeros_like(value) if isinstance(value, Tensor) else value


def _seen_after(trainer: AnyTrainer, step: Step) -> list[tuple[str, Tensor]]:
    """Losses and gradients after a step, by what to call them; what is not finite counts as a number."""
    step()
    seen = [(name.replace("_", " "), loss) for name, loss in trainer.losses.items()]
    for name, stack in trainer.networks.items():
        gradients = [weights.grad.flatten() for weights in stack.parameters.values() if weights.grad is not None]
        seen.append((f"gradient of the {name}", torch.cat(gradients)))
    return [(name, tensor.detach().double().nan_to_num(1e9, 1e9, -1e9)) for name, tensor in seen]


def _set_capturable(trainer: AnyTrainer, capturable: bool) -> None:
    for optimizer in trainer.optimizers:
        for group in optimizer.param_groups:
            group["capturable"] = capturable
        for weights, moments in optimizer.state.items():
            if capturable and isinstance(moments.get("step"), Tensor):
                moments["step"] = moments["step"].to(weights.device)


@contextmanager
def _beside(trainer: AnyTrainer) -> Iterator[None]:
    """On a CUDA stream of its own, as torch asks of what is run before a capture, and back on the present one."""
    if not trainer.finite.is_cuda:
        yield
        return
    present, own = torch.cuda.current_stream(), torch.cuda.Stream()
    own.wait_stream(present)
    torch.cuda.set_stream(own)
    try:
        yield
    finally:
        torch.cuda.set_stream(present)  # a capture that breaks off leaves another one set
        present.wait_stream(own)


def _graph(trainer: AnyTrainer) -> Step:
    graph = torch.cuda.CUDAGraph()
    for own in trainer.drawn_from.values():
        for rng in own.generators:
            graph.register_generator_state(rng)
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may use the card
        trainer.compute()
    return graph.replay


def _leave_capture(trainer: AnyTrainer) -> None:
    """Frees generators of a capture that broke off, in which they go on believing to be.

    The trainer's own are replaced, which need not have their positions; the card's is led through a capture that ends.
    """
    for own in trainer.drawn_from.values():
        own.generators[:] = [torch.Generator(device=own.device) for _ in own.generators]
    whole = torch.cuda.graph(torch.cuda.CUDAGraph(), capture_error_mode="thread_local")
    with suppress(RuntimeError), _beside(trainer), whole:
        torch.zeros(1, device=trainer.finite.device)
