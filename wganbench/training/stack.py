"""A network for a stack of seeds, from plain one-seed modules: parameters ``[S, …]``, activations ``[S, B, …]``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import stack_module_state, vmap

from wganbench.rng import generator
from wganbench.training.functional import Functional

Parameters = Mapping[str, Tensor]


class Stack:
    """Modules of one architecture, one a seed, called as one.

    Args:
        modules: One a seed, equal but for the values of their parameters.
        bf16: Whether a call is under torch's autocast to bfloat16: its products and convolutions are, and what comes
            out is float32 again. Parameters are float32, and `of_seed` and `module_of_seed` are in it throughout.

    Raises:
        ValueError: If several modules are to be rounded: under vmap autocast leaves convolutions as they are.
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

    def __call__(self, x: Tensor, parameters: Parameters | None = None, labels: Tensor | None = None) -> Tensor:
        """``(S, B, *input_shape)`` → ``(S, B, *output_shape)``, with the stack's own parameters or those given.

        Args:
            labels: ``(S, B)``, for a generator that is conditional on classes.
        """
        (made,) = self._call(parameters, *((x,) if labels is None else (x, labels)))
        return made

    def with_logits(self, x: Tensor, parameters: Parameters | None = None) -> tuple[Tensor, Tensor]:
        """A critic's scores, ``(S, B)``, and its auxiliary classifier's logits, ``(S, B, classes)``, of one pass."""
        scores, logits = self._call(parameters, x, with_logits=True)
        return scores, logits

    def _call(self, parameters: Parameters | None, *inputs: Tensor, **asked: Any) -> tuple[Tensor, ...]:
        """All outputs of the networks, each with a seed axis, as the inputs have."""
        if self.bf16:
            # Without its cache, which would hold the copies that a CUDA graph was captured with.
            with torch.autocast(inputs[0].device.type, torch.bfloat16, cache_enabled=False):
                return tuple(each.float() for each in self._called(parameters, *inputs, **asked))
        return self._called(parameters, *inputs, **asked)

    def _called(self, parameters: Parameters | None, *inputs: Tensor, **asked: Any) -> tuple[Tensor, ...]:
        state = {**(self.parameters if parameters is None else parameters), **self.buffers}
        if self.size == 1:
            own = {name: tensor.squeeze(0) for name, tensor in state.items()}  # indexed, its gradient would be copied
            made = self.network(own, *(each.squeeze(0) for each in inputs), **asked)
            return tuple(each.unsqueeze(0) for each in _listed(made))
        return _listed(vmap(lambda own, *rows: self.network(own, *rows, **asked))(state, *inputs))

    def of_seed(self, index: int) -> Callable[..., Any]:
        """The network of one seed as it stands now, in ``eval()``: ``(B, *input_shape)`` → ``(B, *output_shape)``.

        What else its ``forward`` takes, it is called with as well, such as labels.
        """
        state = {name: tensor[index] for name, tensor in {**self.parameters, **self.buffers}.items()}
        return lambda *inputs, **asked: self.evaluated(state, *inputs, **asked)

    def lay_channels_last(self) -> None:
        """Puts the channels of every filter last in memory, before an optimiser is made of the parameters.

        A convolution, and what comes after it, lays its images out as its filter is, in which tensor cores are fastest.
        ``backward()`` lays gradients out like their parameters, and moments are made like these. Filters of several
        seeds stay as they are, since vmap joins them to one grouped convolution.
        """
        if self.size > 1:
            return
        for name, tensor in self.parameters.items():
            if tensor.ndim == 5:
                filters = tensor.detach().squeeze(0).contiguous(memory_format=torch.channels_last)
                self.parameters[name] = filters.unsqueeze(0).requires_grad_()

    def in_float32(self) -> Stack:
        """The same networks on the same tensors, whose calls are not rounded."""
        if not self.bf16:
            return self
        other = copy.copy(self)
        other.bf16 = False
        return other

    def twin(self) -> Stack:
        """The same networks with tensors of their own, equal now, which no gradient flows to."""
        other = copy.copy(self)
        other.parameters = {name: tensor.detach().clone() for name, tensor in self.parameters.items()}
        other.buffers = {name: tensor.clone() for name, tensor in self.buffers.items()}
        return other

    def module_of_seed(self, index: int) -> nn.Module:
        """A copy of the network of one seed, with its parameters as they stand now, in ``eval()``."""
        return self.evaluated.holding({name: own[index] for name, own in {**self.parameters, **self.buffers}.items()})


def _listed(made: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return made if isinstance(made, tuple) else (made,)


def build(
    make: Callable[[], nn.Module], seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"
) -> list[nn.Module]:
    """One module a seed, made with torch's global stream seeded for that seed and purpose, and that stream put back.

    Parameters are drawn on the CPU, so that a seed starts from the same values on every device.
    """
    modules = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator(seed, purpose).initial_seed())
            modules.append(make().to(device))
    return modules
