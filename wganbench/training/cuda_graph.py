"""Replays a trainer's steps as a CUDA graph, which turns thousands of kernel launches into one.

A graph repeats, on the same memory, the kernels that one call of `device_step` launched; no Python code runs again. A
few replayed steps are therefore compared with eager ones before the graph is used. If a step cannot be captured, the
trainer keeps taking eager steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor

from wganbench.errors import first_line
from wganbench.training.critic_trainer import StackTrainer
from wganbench.training.lr_decay import GRAPHED
from wganbench.training.state import State

CHECKED_STEPS = 3
"""The number of steps compared; more than one, to notice values that Python code changes from step to step."""
TOLERANCE = 1e-2
"""The largest difference between replayed and eager losses and gradients, relative to the norm of the eager ones.
Other kernels and atomic sums round differently; other random draws or a missing step differ by far more."""

Step = Callable[[], None]


class NotCapturedError(Exception):
    """Raised with a one-line reason if steps cannot be replayed; the trainer is unchanged and can take eager steps."""


def capture(trainer: StackTrainer, record: Callable[[StackTrainer], Step] | None = None) -> Step:
    """Returns a function that does the same as ``trainer.step``, from the trainer's present state, as one graph.

    The trainer, networks and optimisers keep their tensors, so `state` and `restore` work between its steps.

    Args:
        record: Returns a function that repeats the trainer's ``device_step``, and may itself run ``device_step`` or
            not. None captures a CUDA graph.

    Raises:
        NotCapturedError: If a step cannot be captured, or its replay gives different results.
    """
    hindrance = _hindrance(trainer)
    if hindrance is not None:
        raise NotCapturedError(hindrance)
    start = trainer.state()
    try:
        _set_capturable(trainer, trainer.finite.is_cuda)
        return _checked(trainer, record or _graph)
    except RuntimeError as error:  # raised by torch, also for want of memory, and by `_checked`
        _set_capturable(trainer, False)
        if trainer.finite.is_cuda:
            _leave_capture(trainer)
        trainer.restore(start)
        raise NotCapturedError(first_line(error)) from None


def _hindrance(trainer: StackTrainer) -> str | None:
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


def _checked(trainer: StackTrainer, record: Callable[[StackTrainer], Step]) -> Step:
    start = trainer.state()
    with _beside(trainer), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about a capturable optimiser that is not captured
        trainer.step()
        _begin_moments(start, trainer.state())
        trainer.restore(start)
        expected = [result for _ in range(CHECKED_STEPS) for result in _results_of(trainer, trainer.step)]
        trainer.restore(start)
        trainer.host_step()
        replay = record(trainer)
    trainer.restore(start)

    def step() -> None:
        trainer.host_step()
        replay()

    found = [result for _ in range(CHECKED_STEPS) for result in _results_of(trainer, step)]
    for (name, theirs), (_, mine) in zip(expected, found, strict=True):
        apart = (mine - theirs).norm().item() / max(theirs.norm().item(), 1e-3)
        if not apart <= TOLERANCE:
            raise RuntimeError(f"the graph's {name} differs from that of eager steps by {apart:.2g} of it")
    trainer.restore(start)
    return step


def _begin_moments(start: State, made: State) -> None:
    """Adds zero moments for optimisers that have none yet, as torch does at the first step."""
    for name, network in start["networks"].items():
        network["moments"] = network["moments"] or _zeros(made["networks"][name]["moments"])


def _zeros(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _zeros(item) for key, item in value.items()}
    return torch.zeros_like(value) if isinstance(value, Tensor) else value


def _results_of(trainer: StackTrainer, step: Step) -> list[tuple[str, Tensor]]:
    """Takes a step and returns its losses and gradients with their names; finite numbers replace non-finite values."""
    step()
    results = [(name.replace("_", " "), loss) for name, loss in trainer.losses.items()]
    for name, stack in trainer.networks.items():
        gradients = [weights.grad.flatten() for weights in stack.parameters.values() if weights.grad is not None]
        results.append((f"gradient of the {name}", torch.cat(gradients)))
    return [(name, tensor.detach().double().nan_to_num(1e9, 1e9, -1e9)) for name, tensor in results]


def _set_capturable(trainer: StackTrainer, capturable: bool) -> None:
    for optimizer in trainer.optimizers:
        for group in optimizer.param_groups:
            group["capturable"] = capturable
        for weights, moments in optimizer.state.items():
            if capturable and isinstance(moments.get("step"), Tensor):
                moments["step"] = moments["step"].to(weights.device)


@contextmanager
def _beside(trainer: StackTrainer) -> Iterator[None]:
    """Runs the block on a separate CUDA stream, as torch requires before a capture, then returns to the present one."""
    if not trainer.finite.is_cuda:
        yield
        return
    present, own = torch.cuda.current_stream(), torch.cuda.Stream()
    own.wait_stream(present)
    torch.cuda.set_stream(own)
    try:
        yield
    finally:
        torch.cuda.set_stream(present)  # an aborted capture leaves another stream set
        present.wait_stream(own)


def _graph(trainer: StackTrainer) -> Step:
    graph = torch.cuda.CUDAGraph()
    for own in trainer.drawn_from.values():
        for rng in own.generators:
            graph.register_generator_state(rng)
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may use the GPU
        trainer.device_step()
    return graph.replay


def _leave_capture(trainer: StackTrainer) -> None:
    """Frees the random generators that are still marked as part of an aborted capture.

    The trainer's generators are replaced; their positions need not be kept, since `capture` restores them. The GPU's
    default generator is freed by a trivial capture that completes.
    """
    for own in trainer.drawn_from.values():
        own.generators[:] = [torch.Generator(device=own.device) for _ in own.generators]
    whole = torch.cuda.graph(torch.cuda.CUDAGraph(), capture_error_mode="thread_local")
    with suppress(RuntimeError), _beside(trainer), whole:
        torch.zeros(1, device=trainer.finite.device)
