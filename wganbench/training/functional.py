"""Calls a module with tensors in the place of its own.

As ``torch.func.functional_call`` does, which looks up every name anew at each call: of the time of a small network's
step that was a tenth.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

Tensors = Mapping[str, Tensor]


@dataclass
class _Place:
    """Where a module looks for a tensor: ``held[key]``, which goes by ``name``, as all places of a shared one do."""

    held: dict[str, Tensor | None]
    key: str
    name: str


class Functional:
    """The architecture of a module, without values.

    Args:
        module: Is copied, and stays as it is.

    Attributes:
        module: The copy, on torch's ``meta`` device.
    """

    def __init__(self, module: nn.Module):
        self.module = copy.deepcopy(module).to("meta")
        self._names = _names(module)
        self._places = self._in(self.module)

    def __call__(self, tensors: Tensors, *inputs: Tensor, **asked: Any) -> Any:
        """What the module's ``forward`` makes of the inputs.

        Args:
            tensors: One for each of `named_parameters` and `named_buffers`.
        """
        own = [place.held[place.key] for place in self._places]
        try:
            for place in self._places:
                place.held[place.key] = tensors[place.name]
            return self.module(*inputs, **asked)
        finally:
            for place, tensor in zip(self._places, own, strict=True):
                place.held[place.key] = tensor

    def evaluated(self) -> Functional:
        """The same in ``eval()``."""
        other = copy.copy(self)
        other.module = copy.deepcopy(self.module).eval()
        other._places = other._in(other.module)
        return other

    def holding(self, tensors: Tensors) -> nn.Module:
        """A module with copies of these tensors; what shared a parameter shares it."""
        module = copy.deepcopy(self.module)
        copies = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        for name, own in self.module.named_parameters():
            if name in copies:
                copies[name] = nn.Parameter(copies[name], requires_grad=own.requires_grad)
        for place in self._in(module):
            place.held[place.key] = copies[place.name]
        return module

    def _in(self, module: nn.Module) -> list[_Place]:
        return [
            _Place(held, key, self._names[path, key])
            for path, owner in module.named_modules()
            for held in (owner._parameters, owner._buffers)
            for key, tensor in held.items()
            if tensor is not None
        ]


def _names(module: nn.Module) -> dict[tuple[str, str], str]:
    """By module and key the name that torch gives a tensor: where several modules share it, the first of its names."""
    first: dict[int, str] = {}
    names = {}
    for path, owner in module.named_modules():
        for key, tensor in (*owner._parameters.items(), *owner._buffers.items()):
            if tensor is not None:
                names[path, key] = first.setdefault(id(tensor), f"{path}.{key}" if path else key)
    return names
