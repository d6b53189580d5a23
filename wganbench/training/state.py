"""Copies the state of training to plain values on the CPU, and restores it into the tensors that optimisers hold.

Plain values are tensors, numbers, text, None, and lists, tuples and dicts of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from wganbench.training.stack import Stack

State = dict[str, Any]


def copy_plain(value: Any, where: str) -> Any:
    """Returns ``value`` with each tensor copied to the CPU; copies keep their strides.

    Args:
        value: The value to copy.
        where: The name of ``value`` for messages.

    Raises:
        ValueError: If ``value`` contains anything that is not plain.
    """
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copy_plain(item, f"{where}.{key}") for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(copy_plain(item, f"{where}.{index}") for index, item in enumerate(value))
    if value is not None and type(value) not in (bool, int, float, str):
        raise ValueError(f"{where}: a {type(value).__name__}; must be a tensor, a number, text, a list or a dict")
    return value


def mismatches(held: Any, given: Any, where: str, beside: Collection[str] = ()) -> Iterator[str]:
    """Yields a line for each name, shape or dtype in which ``given`` differs from ``held``; values may differ.

    Args:
        held: The value that the trainer holds.
        given: The value to compare with it.
        where: The name of the value for messages.
        beside: Keys that must exist, with any content.
    """
    ours, theirs = (dict(_layout(value, where, beside)) for value in (held, given))
    for place in dict.fromkeys([*ours, *theirs]):
        if ours.get(place) != theirs.get(place):
            yield f"{place}: {theirs.get(place, 'not there')}, here {ours.get(place, 'not there')}"


def _layout(value: Any, place: str, beside: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Yields the place and a description of each single value, by dtype and shape if it is a tensor."""
    items = dict(enumerate(value)) if isinstance(value, list | tuple) else value
    if isinstance(items, dict):
        for key, item in items.items():
            if key in beside:
                yield f"{place}.{key}", "there"
            else:
                yield from _layout(item, f"{place}.{key}", beside)
    else:
        yield place, _describe(value)


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return "no tensor"


def network_state(stack: Stack, optimizer: Optimizer, where: str) -> State:
    """Copies a stack's parameters and buffers, and its optimiser's options and moments.

    Raises:
        ValueError: If the optimiser holds anything that is not plain.
    """
    of_optimizer = optimizer.state_dict()
    held = {
        "parameters": stack.parameters,
        "buffers": stack.buffers,
        "groups": of_optimizer["param_groups"],
        "moments": of_optimizer["state"],
    }
    copied = copy_plain(held, where)
    assert isinstance(copied, dict)
    return copied


def moment_mismatches(optimizer: Optimizer, given: Any, where: str) -> Iterator[str]:
    """Yields a line for each moment in ``given`` whose shape is not that of its parameter.

    An optimiser that has taken no step has no moments to compare with, only parameters. An elementwise optimiser keeps
    single numbers and tensors of the parameter's shape.
    """
    parameters = dict(enumerate(tensor for group in optimizer.param_groups for tensor in group["params"]))
    for index, entry in given.items():
        if index not in parameters:
            yield f"{where}.{index}: of a parameter unknown here"
            continue
        for name, value in entry.items():
            if isinstance(value, Tensor) and value.numel() > 1 and value.shape != parameters[index].shape:
                yield f"{where}.{index}.{name}: {_describe(value)}, here {_describe(parameters[index])}"


@torch.no_grad()
def restore_network(stack: Stack, optimizer: Optimizer, state: State) -> None:
    """Restores a ``network_state`` into the existing tensors, including those of moments and options.

    The option ``capturable`` is not restored, since it describes how the optimiser is used, not what it holds.
    """
    for kind, tensors in (("parameters", stack.parameters), ("buffers", stack.buffers)):
        for name, tensor in tensors.items():
            tensor.copy_(state[kind][name])
    # Copied again: the optimiser keeps tensors already on its device, and would update the caller's tensors in place.
    groups, moments = (copy_plain(state[kind], kind) for kind in ("groups", "moments"))
    for group, own in zip(groups, optimizer.param_groups, strict=True):
        if "capturable" in own:
            group["capturable"] = own["capturable"]
    held = {weights: dict(entry) for weights, entry in optimizer.state.items()}
    options = [
        {name: value for name, value in group.items() if isinstance(value, Tensor)} for group in optimizer.param_groups
    ]
    optimizer.load_state_dict({"param_groups": groups, "state": moments})
    for weights, entry in optimizer.state.items():
        for name, value in entry.items():
            old = held.get(weights, {}).get(name)
            if isinstance(old, Tensor) and (old.shape, old.dtype, old.device) == (
                value.shape,
                value.dtype,
                value.device,
            ):
                entry[name] = old.copy_(value)
    for group, tensors in zip(optimizer.param_groups, options, strict=True):
        group.update({name: tensor.copy_(group[name]) for name, tensor in tensors.items()})
