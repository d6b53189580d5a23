"""Stacks plain one-seed modules into one network: parameters ``[S, …]``, activations ``[S, B, …]``.

Modules are called with other tensors in place of their own. `Functional` does this faster than
``torch.func.functional_call``, which looks up every name again at each call: for a small network this took a tenth of
the time of a step.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import stack_module_state, vmap

from wganbench.networks.mlp import stacked
from wganbench.rng import generator

Tensors = Mapping[str, Tensor]


@dataclass
class _Place:
    """A place where a module looks up a tensor, ``held[key]``; all places of a shared tensor have the same ``name``."""

    held: dict[str, Tensor | None]
    key: str
    name: str


class Functional:
    """The architecture of a module, without values.

    Args:
        module: The module to copy; it is not changed.

    Attributes:
        module: The copy, on torch's ``meta`` device.
    """

    def __init__(self, module: nn.Module):
        self.module = copy.deepcopy(module).to("meta")
        self._names = _names(module)
        self._places = self._in(self.module)

    def __call__(self, tensors: Tensors, *inputs: Tensor, **asked: Any) -> Any:
        """Returns the output of the module's ``forward``, computed with ``tensors``.

        Args:
            tensors: A tensor for each name in `named_parameters` and `named_buffers`.
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
        """Returns a copy of this architecture in ``eval()`` mode."""
        other = copy.copy(self)
        other.module = copy.deepcopy(self.module).eval()
        other._places = other._in(other.module)
        return other

    def holding(self, tensors: Tensors) -> nn.Module:
        """Returns a module with copies of these tensors; parameters shared in the original are shared in the copy."""
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
    """Maps module path and key to torch's name of the tensor, which for a shared tensor is the first of its names."""
    first: dict[int, str] = {}
    names = {}
    for path, owner in module.named_modules():
        for key, tensor in (*owner._parameters.items(), *owner._buffers.items()):
            if tensor is not None:
                names[path, key] = first.setdefault(id(tensor), f"{path}.{key}" if path else key)
    return names


Parameters = Mapping[str, Tensor]


class Stack:
    """Modules of one architecture, one per seed, called as one network.

    Args:
        modules: One module per seed, which differ in the values of their parameters alone.
        bf16: Whether calls run under torch's autocast to bfloat16, in which products and convolutions are bfloat16 and
            outputs are converted back to float32. Parameters, `of_seed` and `module_of_seed` always use float32.

    Raises:
        ValueError: If ``bf16`` is set for several modules: under vmap, autocast does not convert convolutions.
    """

    def __init__(self, modules: Sequence[nn.Module], *, bf16: bool = False):
        if bf16 and len(modules) > 1:
            raise ValueError("vmap, by which seeds are stacked, has no convolutions in bfloat16; a stack of 1 has")
        self.size, self.bf16 = len(modules), bf16
        self.network = Functional(modules[0])
        self.evaluated = self.network.evaluated()
        parameters, buffers = stack_module_state(list(modules))
        self.parameters = {name: tensor.detach().requires_grad_() for name, tensor in parameters.items()}
        self.buffers = dict(buffers)
        self.channels_last = False

    def __call__(self, x: Tensor, parameters: Parameters | None = None, labels: Tensor | None = None) -> Tensor:
        """Maps ``(S, B, *input_shape)`` to ``(S, B, *output_shape)``, with the given parameters or the stack's own.

        Args:
            labels: Class labels ``(S, B)``, for a class-conditional generator.
        """
        (made,) = self._call(parameters, *((x,) if labels is None else (x, labels)))
        return made

    def with_logits(self, x: Tensor, parameters: Parameters | None = None) -> tuple[Tensor, Tensor]:
        """Returns a critic's scores ``(S, B)`` and its auxiliary logits ``(S, B, classes)`` from one forward pass."""
        scores, logits = self._call(parameters, x, with_logits=True)
        return scores, logits

    def _call(self, parameters: Parameters | None, *inputs: Tensor, **asked: Any) -> tuple[Tensor, ...]:
        """Returns all outputs of the networks, each with a seed axis like the inputs."""
        if self.bf16:
            # The cache is off, since it would keep the bfloat16 copies that a CUDA graph was captured with.
            with torch.autocast(inputs[0].device.type, torch.bfloat16, cache_enabled=False):
                return tuple(each.float() for each in self._called(parameters, *inputs, **asked))
        return self._called(parameters, *inputs, **asked)

    def _called(self, parameters: Parameters | None, *inputs: Tensor, **asked: Any) -> tuple[Tensor, ...]:
        state = {**(self.parameters if parameters is None else parameters), **self.buffers}
        if self.size == 1:
            own = {name: tensor.squeeze(0) for name, tensor in state.items()}  # indexing would copy the gradient
            made = self.network(own, *(self._laid_out(each.squeeze(0)) for each in inputs), **asked)
            return tuple(each.unsqueeze(0) for each in _listed(made))
        with stacked():
            return _listed(vmap(lambda own, *rows: self.network(own, *rows, **asked))(state, *inputs))

    def _laid_out(self, x: Tensor) -> Tensor:
        """Puts the channels of images last if those of filters are; 1×1 filters have no layout to pass on."""
        is_image = self.channels_last and x.ndim == 4
        return x.contiguous(memory_format=torch.channels_last) if is_image else x

    def of_seed(self, index: int) -> Callable[..., Any]:
        """Returns one seed's network with its present values, in ``eval()``, as a function.

        It maps ``(B, *input_shape)`` to ``(B, *output_shape)`` and passes further arguments, such as labels, on to
        ``forward``.
        """
        state = {name: tensor[index] for name, tensor in {**self.parameters, **self.buffers}.items()}
        return lambda *inputs, **asked: self.evaluated(state, *inputs, **asked)

    def lay_channels_last(self) -> None:
        """Puts the channels of every filter last in memory; call it before an optimiser is made of the parameters.

        A convolution and the layers after it use the memory layout of the filter. A CPU and tensor cores are fastest in
        this one. ``backward()`` lays out gradients like their parameters, and moments follow them. Filters of several
        seeds are unchanged, since vmap joins them into one grouped convolution.
        """
        if self.size > 1:
            return
        self.channels_last = True
        for name, tensor in self.parameters.items():
            if tensor.ndim == 5:
                filters = tensor.detach().squeeze(0).contiguous(memory_format=torch.channels_last)
                self.parameters[name] = filters.unsqueeze(0).requires_grad_()

    def in_float32(self) -> Stack:
        """Returns the same networks on the same tensors, called in float32."""
        if not self.bf16:
            return self
        other = copy.copy(self)
        other.bf16 = False
        return other

    def twin(self) -> Stack:
        """Returns the same networks with copies of their tensors, to which no gradient flows."""
        other = copy.copy(self)
        other.parameters = {name: tensor.detach().clone() for name, tensor in self.parameters.items()}
        other.buffers = {name: tensor.clone() for name, tensor in self.buffers.items()}
        return other

    def module_of_seed(self, index: int) -> nn.Module:
        """Returns a copy of one seed's network, with its present parameters, in ``eval()``."""
        return self.evaluated.holding({name: own[index] for name, own in {**self.parameters, **self.buffers}.items()})


def _listed(made: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return made if isinstance(made, tuple) else (made,)


def build(
    make: Callable[[], nn.Module], seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"
) -> list[nn.Module]:
    """Makes one module per seed, with torch's global stream seeded for that seed and purpose, then restored.

    Parameters are drawn on the CPU, so that a seed starts from the same values on every device.
    """
    modules = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator(seed, purpose).initial_seed())
            modules.append(make().to(device))
    return modules


ROWS = 4


def is_rowwise(critic: Stack, sample_shape: Sequence[int]) -> bool:
    """Returns whether a row's output depends on that row and on no other; tested by derivatives of the first seed.

    A normalisation over the batch couples rows, and would mix the statistics of real and fake samples. A critic whose
    score depends on no row, such as one with a last layer of zeros, cannot be tested and counts as coupling them.

    Args:
        critic: The stack; it is not changed.
        sample_shape: Shape of one row, without the batch axis.
    """
    network = critic.module_of_seed(0)  # a copy, whose buffers may change
    device = next(iter(critic.parameters.values())).device
    rows = torch.randn(ROWS, *sample_shape, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.random.fork_rng(devices=[]):  # a custom critic may draw random numbers
        own, others = depends_on_rows(network, rows)
    return own and not others


def depends_on_rows(network: nn.Module, rows: Tensor) -> tuple[bool, bool]:
    """Returns whether, in training, the output of the first row has a derivative by that row, and by any other."""
    rows = rows.detach().clone().requires_grad_()
    output = network.train()(rows)[0].sum()
    if not output.requires_grad:
        return False, False
    (gradient,) = torch.autograd.grad(output, rows, materialize_grads=True)
    return bool(gradient[0].any()), bool(gradient[1:].any())
