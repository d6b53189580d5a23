"""A network for a stack of seeds, from plain one-seed modules: parameters ``[S, …]``, activations ``[S, B, …]``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from wganbench.streams import generator

Parameters = Mapping[str, Tensor]


class Stack:
    """Modules of one architecture, one a seed, called as one.

    Args:
        modules: One a seed, equal but for the values of their parameters.
    """

    def __init__(self, modules: Sequence[nn.Module]):
        self.size = len(modules)
        self.module = copy.deepcopy(modules[0]).to("meta")  # the architecture alone; values are passed at each call
        self.evaluated = copy.deepcopy(self.module).eval()
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
        state = {**(self.parameters if parameters is None else parameters), **self.buffers}
        if self.size == 1:
            own = {name: tensor.squeeze(0) for name, tensor in state.items()}  # indexed, its gradient would be copied
            made = functional_call(self.module, own, tuple(each.squeeze(0) for each in inputs), asked)
            return tuple(each.unsqueeze(0) for each in _listed(made))
        return _listed(vmap(lambda own, *rows: functional_call(self.module, own, rows, asked))(state, *inputs))

    def of_seed(self, index: int) -> Callable[..., Any]:
        """The network of one seed as it stands now, in ``eval()``: ``(B, *input_shape)`` → ``(B, *output_shape)``.

        What else its ``forward`` takes, it is called with as well, such as labels.
        """
        state = {name: tensor[index] for name, tensor in {**self.parameters, **self.buffers}.items()}
        return lambda *inputs, **asked: functional_call(self.evaluated, state, inputs, asked)

    def module_of_seed(self, index: int) -> nn.Module:
        """A copy of the network of one seed, with its parameters as they stand now, in ``eval()``."""
        state = {name: tensor[index].detach() for name, tensor in {**self.parameters, **self.buffers}.items()}
        module = copy.deepcopy(self.evaluated).to_empty(device=next(iter(state.values())).device)
        module.load_state_dict(state)
        return module


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
