"""Replays a trainer's steps as a CUDA graph, which turns thousands of kernel launches into one.

A graph repeats, on the same memory, the kernels that one call of `device_step` launched; no Python code runs again. A
few replayed steps are therefore compared with eager ones before the graph is used. If a step cannot be captured, the
trainer keeps taking eager steps.
"""

from __future__ import annotations

import gc
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wganbench.errors import first_line
from wganbench.training.critic_trainer import StackTrainer
from wganbench.training.lr_decay import GRAPHED
from wganbench.training.state import State
from wganbench.training.step_streams import StepStreams

CHECKED_STEPS = 3
"""The number of steps compared; more than one, to notice values that Python code changes from step to step."""
TOLERANCE = 1e-2
"""The largest difference between replayed and eager losses and gradients, relative to the norm of the eager ones.
Other kernels and atomic sums round differently; other random draws or a missing step differ by far more."""

TRACKS_GENERATORS = torch.__version__ >= "2.13"  # compared as versions, not as text
"""Whether torch itself finds the generators that a graph draws from, and frees the memory of a failed capture. Below
2.13 both are left to the caller; from 2.13 on, the calls for it print warnings or abort the process."""

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
    reason = _hindrance(trainer)
    if reason is None:
        start = trainer.state()
        try:
            _set_capturable(trainer, trainer.finite.is_cuda)
            return _checked(trainer, record or _graph)
        except RuntimeError as error:  # raised by torch, also for want of memory, and by `_checked`
            reason = first_line(error)
        _set_capturable(trainer, False)
        if trainer.finite.is_cuda:
            _leave_capture(trainer)
        trainer.restore(start)
    raise NotCapturedError(reason)  # outside the handler, as a context would keep the failed graph's memory


def _hindrance(trainer: StackTrainer) -> str | None:
    for optimizer in trainer.optimizers:
        if type(optimizer) not in GRAPHED:
            return f"{type(optimizer).__name__} is not known to work in a graph"
        falling = trainer.method.decay_steps is not None
        if falling and not all(isinstance(group["lr"], Tensor) for group in optimizer.param_groups):
            how = "" if type(optimizer) is torch.optim.SGD else " with foreach"
            return f"{type(optimizer).__name__}{how} takes no learning rate that falls in a graph"
    return None


def _checked(trainer: StackTrainer, record: Callable[[StackTrainer], Step]) -> Step:
    start = trainer.state()
    with _beside(trainer) as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about a capturable optimiser that is not captured
        trainer.step()
        _begin_moments(start, trainer.state())
        trainer.restore(start)
        expected = [result for _ in range(CHECKED_STEPS) for result in _results_of(trainer, lambda: _eager(trainer))]
        trainer.restore(start)
        trainer.host_step()
        replay = record(trainer)
    trainer.restore(start)

    def step() -> None:
        trainer.host_step()
        replay()

    if stream is not None:
        STREAMS.keep_for(step, stream)
    found = [result for _ in range(CHECKED_STEPS) for result in _results_of(trainer, step)]
    for (name, theirs), (_, mine) in zip(expected, found, strict=True):
        apart = (mine - theirs).norm().item() / max(theirs.norm().item(), 1e-3)
        if not apart <= TOLERANCE:
            raise RuntimeError(f"the graph's {name} differs from that of eager steps by {apart:.2g} of it")
    trainer.restore(start)
    return step


def _eager(trainer: StackTrainer) -> None:
    """Takes a step that may not wait for the device, since a graph cannot and would not say where."""
    trainer.host_step()
    with without_waiting() if trainer.finite.is_cuda else nullcontext():
        trainer.device_step()


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
def without_waiting() -> Iterator[None]:
    """Refuses every operation in the block for which the CPU would wait for the GPU, such as ``.item()``.

    Raises:
        RuntimeError: In one line, with the place of the operation.
    """
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    except RuntimeError as error:
        if "synchronizing CUDA operation" not in str(error):
            raise
        raise RuntimeError(f"{first_line(error)} in {_place_of(error)}") from None
    finally:
        torch.cuda.set_sync_debug_mode(before)


def _place_of(error: Exception) -> str:
    """Returns the file, number and text of the last line outside torch that an exception passed."""
    torchs = str(Path(torch.__file__).parent)
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if not frame.filename.startswith(torchs)), frames[-1])
    return f"{Path(last.filename).name}, line {last.lineno}: {last.line}"


class SideStreams:
    """The CUDA streams that steps are captured on, one for each graph in use.

    For each stream and thread cuBLAS keeps a workspace of 32 MiB, hence streams are used again. torch 2.14 frees the
    workspaces of a stream together with any graph that was captured on it, hence no two graphs in use share a stream.
    """

    def __init__(self) -> None:
        self._users: dict[torch.cuda.Stream, Callable[[], object]] = {}

    def free(self, device: torch.device) -> torch.cuda.Stream:
        """Returns a stream of the device that no graph uses, after freeing graphs that only a cycle keeps alive."""
        own = [stream for stream in self._users if stream.device == device]
        if own and all(self._users[stream]() for stream in own):
            gc.collect()
        for stream in own:
            if self._users[stream]() is None:
                return stream
        stream = torch.cuda.Stream(device)
        self._users[stream] = lambda: None
        return stream

    def keep_for(self, step: Step, stream: torch.cuda.Stream) -> None:
        """Reserves a stream for as long as ``step`` exists, which replays a graph that was captured on it."""
        self._users[stream] = weakref.ref(step)


STREAMS = SideStreams()


@contextmanager
def _beside(trainer: StackTrainer) -> Iterator[torch.cuda.Stream | None]:
    """Runs the block on a separate CUDA stream, as torch requires before a capture, then returns to the present one."""
    if not trainer.finite.is_cuda:
        yield None
        return
    present, own = torch.cuda.current_stream(), STREAMS.free(trainer.finite.device)
    own.wait_stream(present)
    torch.cuda.set_stream(own)
    try:
        yield own
    finally:
        torch.cuda.set_stream(present)  # an aborted capture leaves another stream set
        present.wait_stream(own)


def _graph(trainer: StackTrainer) -> Step:
    graph = torch.cuda.CUDAGraph()
    pool: Any = None
    if not TRACKS_GENERATORS:
        pool = torch.cuda.graph_pool_handle()
        for own in trainer.drawn_from.values():
            for rng in () if isinstance(own, StepStreams) else own.generators:
                graph.register_generator_state(rng)
    try:
        with _capturing(graph, pool):
            trainer.device_step()
    except RuntimeError as error:
        if pool is not None:
            _release(pool, trainer.finite.device)
        cause = error.__context__  # the end of the capture fails as well, whatever was refused in it
        if not isinstance(cause, RuntimeError):
            raise
        raise RuntimeError(f"{first_line(cause)} in {_place_of(cause)}") from None
    return graph.replay


def _capturing(graph: torch.cuda.CUDAGraph, pool: Any = None) -> torch.cuda.graph:
    """Captures on the present stream; other threads may use the GPU meanwhile."""
    stream = torch.cuda.current_stream()
    return torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local")


def _release(pool: Any, device: torch.device) -> None:
    """Frees the memory pool of a failed capture, without which CUDA's cache would never be emptied again."""
    torch._C._cuda_endAllocateToPool(device.index, pool)
    torch._C._cuda_releasePool(device.index, pool)


def _leave_capture(trainer: StackTrainer) -> None:
    """Frees what an aborted capture left: the steps' graphs for autograd, and generators marked as part of the capture.

    Autograd's nodes for the parameters remember the side stream, for which later steps would wait. The trainer's
    generators are replaced; their positions need not be kept, since `capture` restores them. The GPU's default
    generator is freed by a trivial capture that completes.
    """
    gc.collect()  # an exception and the frames that it passed may refer to each other
    for own in trainer.drawn_from.values():
        own.generators[:] = [torch.Generator(device=own.device) for _ in own.generators]
    with suppress(RuntimeError), _beside(trainer), _capturing(torch.cuda.CUDAGraph()):
        torch.zeros(1, device=trainer.finite.device)
