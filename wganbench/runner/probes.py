"""Small tensors and critics to call custom objects with, and comparisons of the results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from wganbench.rng import Streams


class SmoothCritic:
    """A critic from ``(S, n, *shape)`` to ``(S, n)`` with four tanh units; its gradient norm is about ``slope``."""

    def __init__(
        self,
        seeds: Sequence[int],
        shape: tuple[int, ...],
        slope: float,
        shift: float,
        dtype: torch.dtype,
        device: torch.device | str,
    ):
        size = math.prod(shape)
        first = normal(seeds, "first", (size, 4), dtype, device) / math.sqrt(size)
        bias = normal(seeds, "bias", (1, 4), dtype, device)
        last = normal(seeds, "last", (1, 4), dtype, device).sign() * slope
        self.parameters = [
            (
                tensor * (1 + shift * normal(seeds, f"direction {place}", tensor.shape[1:], dtype, device))
            ).requires_grad_()
            for place, tensor in enumerate((first, bias, last))
        ]

    def __call__(self, x: Tensor) -> Tensor:
        first, bias, last = self.parameters
        return ((x.flatten(2) @ first + bias).tanh() * last).sum(2)


class BatchNormCritic:
    """A critic that normalises another's scores over the batch, as batch normalisation without parameters does."""

    def __init__(self, critic: SmoothCritic):
        self.critic, self.parameters = critic, critic.parameters

    def __call__(self, x: Tensor) -> Tensor:
        scores = self.critic(x)
        mean, variance = scores.mean(1, keepdim=True), scores.var(1, correction=0, keepdim=True)
        return (scores - mean) / (variance + 1e-5).sqrt()


class LinearCritic:
    """A linear critic from ``(S, n, *shape)`` to ``(S, n)``; its gradient norm is ``slope`` everywhere."""

    def __init__(self, seeds: Sequence[int], shape: tuple[int, ...], slope: float, device: torch.device | str):
        weight = normal(seeds, "weight", (math.prod(shape), 1), torch.float32, device)
        self.weight = (slope * weight / weight.norm(dim=1, keepdim=True)).requires_grad_()

    def __call__(self, x: Tensor) -> Tensor:
        return (x.flatten(2) @ self.weight).squeeze(2)


def normal(
    seeds: Sequence[int], purpose: str, shape: Sequence[int], dtype: torch.dtype, device: torch.device | str
) -> Tensor:
    """Draws standard normal numbers ``(seeds, *shape)``, the same for every device and dtype except for rounding."""
    return Streams(seeds, f"conformance {purpose}").normal(*shape).to(device, dtype)


def gradients_of(value: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    """Returns the gradients of the sum of ``value``, as in training; zeros for tensors that no gradient reaches."""
    if not value.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    return list(torch.autograd.grad(value.sum(), leaves, retain_graph=True, materialize_grads=True))


def alike(a: Tensor, b: Tensor, tolerance: float = 1e-4) -> bool:
    """Returns whether two tensors are equal up to rounding, relative to their largest entry; NaN equals NaN."""
    a, b = a.detach().double(), b.detach().double()
    if not a.numel():
        return a.shape == b.shape
    size = torch.cat([a.flatten(), b.flatten()]).nan_to_num(posinf=0.0, neginf=0.0).abs().max()
    return torch.allclose(a, b, rtol=0.0, atol=tolerance * float(size), equal_nan=True)


def in_short(value: Any) -> str:
    """Describes a value for messages: a few numbers of a tensor, or the type of anything else."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    numbers = [f"{float(number):.4g}" for number in value.detach().flatten()]
    odd = [number for number in numbers if not math.isfinite(float(number))]
    return odd[0] if odd else f"[{', '.join(numbers[:4])}{', …' if len(numbers) > 4 else ''}]"
