"""Nonlinearities that can be differentiated twice, as a gradient penalty requires."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, softplus


class Nonlinearity(nn.Module):
    """A module that applies one of ``NONLINEARITIES`` elementwise.

    Args:
        name: A key of ``NONLINEARITIES``.
        leak: Slope of ``leaky_relu`` below 0, not negative; ignored by the others.
    """

    def __init__(self, name: str, leak: float = 0.2):
        super().__init__()
        self.name, self.leak = name, leak
        self.function = partial(leaky_relu, leak=leak) if name == "leaky_relu" else NONLINEARITIES[name]

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def relu(x: Tensor) -> Tensor:
    """max(0, x), with the derivative 0 at 0."""
    return leaky_relu(x, leak=0.0)


def leaky_relu(x: Tensor, leak: float = 0.2) -> Tensor:
    """x above 0 and ``leak`` times x elsewhere, with the derivative ``leak`` at 0.

    Under `differentiated_twice` this is a product with a constant, which has no second derivative. torch's own function
    returns a second derivative of zeros, which the double backward of a penalty propagates through the whole network:
    up to a seventh of its operations. NaN stays NaN, so that no diverged run is hidden. On a CPU, ``sign`` and
    ``clamp_min`` are vectorised, and so several times as fast as a comparison or ``torch.where``; torch's own function
    is faster still, and is used elsewhere.
    """
    if leak > 1 or not is_differentiated_twice():
        return torch.relu(x) if leak == 0 else torch.nn.functional.leaky_relu(x, leak)
    return x * x.detach().sign().clamp_min_(leak)


_derived_twice = ContextVar("derived twice", default=False)


@contextmanager
def differentiated_twice() -> Iterator[None]:
    """Marks a forward pass whose derivative will be differentiated: the same values, computed by other operations."""
    before = _derived_twice.set(True)
    try:
        yield
    finally:
        _derived_twice.reset(before)


def is_differentiated_twice() -> bool:
    """Returns whether this is inside `differentiated_twice`."""
    return _derived_twice.get()


def shifted_softplus(x: Tensor) -> Tensor:
    """softplus(2x + 2)/2 − 1 (Gulrajani et al., table 1)."""
    # Above 40 (torch's default is 20), log(1 + exp(x)) equals x to the last digit in float64, too.
    return softplus(x + 1, beta=2, threshold=40) - 1


class Gate(nn.Module):
    """sigmoid(a)·tanh(b) of the even channels a and the odd channels b, ``(batch, 2n, …)`` → ``(batch, n, …)``.

    The gated nonlinearity of van den Oord et al. 2016, with the channels split as in the official WGAN-GP code.
    """

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.unflatten(1, (-1, 2)).unbind(2)  # the derivative of two slices would add two tensors, half of zeros
        return torch.sigmoid(a) * torch.tanh(b)


NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "tanh": torch.tanh,
    "softplus": shifted_softplus,
    "elu": elu,
}
