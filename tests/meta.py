"""Steps on torch's ``meta`` device, under modes that refuse whatever a CUDA graph cannot hold.

Tensors on ``meta`` have shapes and no values. An operation that asks for a value, or that reaches into the memory of
the CPU, is therefore an error here as it is while a graph is captured, and it takes no GPU to find it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import wganbench.rng
from wganbench.data.images import Images
from wganbench.runner import build
from wganbench.spec import Setting
from wganbench.training import step_streams
from wganbench.training.critic_trainer import StackTrainer

CPU, META = torch.device("cpu"), torch.device("meta")
aten = torch.ops.aten

CONSTANTS = (torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor)
"""Functions that copy Python's numbers to the device; a dispatch mode does not see them."""
SUBSCRIPTS = (Tensor.__getitem__, Tensor.__setitem__)
COPIES = (aten._to_copy.default, aten.copy_.default)
INDEXES = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default)
"""The size of what these return depends on values only if an index is a mask."""
WAITS = ("linalg_", "cholesky", "geqrf", "lu_", "triangular_solve", "randperm", "histc")
"""How the names of operations begin that wait for the device on CUDA, to check a result or to size a buffer."""
NO_WAIT = ("linalg_vector_norm", "linalg_cross")
SKIPPED = (aten._fused_adam_.tensor_lr,)
"""Operations in place that torch has no ``meta`` version of; there is nothing to compute."""
SUPPORTED = {
    "torch.optim.optimizer": "_get_fused_kernels_supported_devices",
    "torch.optim.rmsprop": "_get_capturable_supported_devices",
}
"""torch's lists of the devices that an optimiser works on, which omit ``meta``."""


class NotOnDeviceError(Exception):
    """Raised for an operation that no CUDA graph can hold, with its name, the reason and the calling line."""


class DeviceOnly(TorchDispatchMode):
    """Refuses operations that need the host.

    Args:
        generators: The random generators that a graph registers; drawing from any other is refused.

    Attributes:
        operations: Each operation let through, with its arguments other than tensors and the shapes of its tensors.
    """

    def __init__(self, generators: Sequence[torch.Generator] = ()):
        super().__init__()
        self.generators = generators
        self.operations: list[tuple[str, tuple[Any, ...]]] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tree_leaves((args, kwargs))
        reason = self._refusal(operation, args, kwargs, _tensors(given))
        if reason is None:
            made = None if operation in SKIPPED else operation(*args, **kwargs)
            if any(each.device != META for each in _tensors(tree_leaves(made))):
                reason = "makes a tensor in the memory of the CPU"
        if reason is not None:
            raise NotOnDeviceError(f"{operation}: {reason}, at {_caller()}")
        self.operations.append((str(operation), tuple(map(_described, given))))
        return made

    def _refusal(self, operation: Any, args: Any, kwargs: Any, given: Sequence[Tensor]) -> str | None:
        devices = {each.device for each in given}
        if operation in COPIES and len(devices | {torch.device(kwargs.get("device") or META)}) > 1:
            return "copies between CPU and device"
        if devices - {META}:
            return "is given a tensor in the memory of the CPU"
        if operation in INDEXES:
            masked = any(each.dtype in (torch.bool, torch.uint8) for each in args[1] if each is not None)
            return "has a size that depends on values" if masked else None
        if torch.Tag.nondeterministic_seeded in operation.tags:
            rng = kwargs.get("generator")
            seeds = {own.initial_seed() for own in self.generators}  # dispatch wraps generators: they lose identity
            if rng is None or rng.initial_seed() not in seeds:
                return "draws from no stream of the trainer"
        return _always_refused(operation)


@cache
def _always_refused(operation: Any) -> str | None:
    name = operation.name().partition("::")[2].lstrip("_")
    if torch.Tag.data_dependent_output in operation.tags:
        return "asks the device for a number"
    if torch.Tag.dynamic_output_shape in operation.tags:
        return "has a size that depends on values"
    if name.startswith(WAITS) and not name.startswith(NO_WAIT):
        return "waits for the device"
    return None


class _NoConstants(TorchFunctionMode):
    """Refuses tensors made of Python's numbers and lists as indices, which are copied from the host at every step."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        subscripts = args[1] if function in SUBSCRIPTS else ()
        has_list = any(
            isinstance(each, list) for each in (subscripts if isinstance(subscripts, tuple) else [subscripts])
        )
        if function in CONSTANTS or has_list:
            raise NotOnDeviceError(f"{function.__name__}: copies numbers from the host, at {_caller()}")
        return function(*args, **(kwargs or {}))


def _has_list(index: Any) -> bool:
    return any(isinstance(each, list) for each in (index if isinstance(index, tuple) else (index,)))


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    return [each for each in values if isinstance(each, Tensor)]


def _described(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    return value if isinstance(value, bool | int | float | str | torch.dtype | None) else type(value)


def _caller() -> str:
    """The last line outside torch and this file, as ``file:line (function)``."""
    here, inside = Path(__file__), Path(torch.__file__).parent
    frames = [each for each in traceback.extract_stack() if not Path(each.filename).is_relative_to(inside)]
    frame = [each for each in frames if Path(each.filename) != here][-1]
    return f"{Path(frame.filename).name}:{frame.lineno} ({frame.name})"


class _MetaGenerator(torch.Generator):
    """A CPU generator under the name of the meta device, which has none; drawing from it has no effect."""

    device = property(lambda self: META)


@pytest.fixture
def on_meta(monkeypatch: pytest.MonkeyPatch) -> Callable[[Setting, Sequence[int]], StackTrainer]:
    """Returns a function that makes the trainer of a setting on the meta device."""
    stream = wganbench.rng.generator

    def generator(seed: int, purpose: str, device: torch.device | str = CPU) -> torch.Generator:
        own = stream(seed, purpose)
        if torch.device(device) == META:
            (renamed := _MetaGenerator()).manual_seed(own.initial_seed())
            return renamed
        return own

    for module in (wganbench.rng, step_streams):
        monkeypatch.setattr(module, "generator", generator)
    monkeypatch.setattr(Images, "check_classes", lambda images, classes: None)  # reads labels, before training
    for module, name in SUPPORTED.items():
        monkeypatch.setattr(import_module(module), name, lambda: ["cpu", "meta"])

    def make(setting: Setting, seeds: Sequence[int]) -> StackTrainer:
        single_pass = build.make_trainer(setting, seeds[:1], CPU).method.single_pass
        with monkeypatch.context() as patch:
            patch.setattr(build, "is_rowwise", lambda critic, shape: single_pass)  # reads derivatives, before training
            return build.make_trainer(setting, seeds, META)

    return make


@contextmanager
def device_only(trainer: StackTrainer, *, draws: bool = False) -> Iterator[DeviceOnly]:
    """Raises NotOnDeviceError in the ``with`` block for whatever a CUDA graph of the trainer's step cannot hold.

    Args:
        trainer: The trainer.
        draws: Whether it may draw its blocks of random numbers, as in the eager step before a capture.
    """
    generators = []
    for own in trainer.drawn_from.values():
        if not isinstance(own, step_streams.StepStreams):
            generators += own.generators
        elif draws:
            generators.append(own.of_blocks)
    with _NoConstants(), DeviceOnly(generators) as mode:
        yield mode
