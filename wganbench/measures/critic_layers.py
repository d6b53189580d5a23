"""The norms of a critic's gradient from layer to layer, and the distribution of its weights.

Gulrajani et al., § 3.2 and figure 1b. Depth is counted from the output, 0, back to the input: for a critic with eleven
hidden layers, "layer 13" in the figure is depth 0, and "layer 1" is depth 12.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wganbench.errors import DataError


def gradient_norms_by_layer(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """The norm of the critic loss's gradient by each of the critic's activations (Gulrajani et al., § 3.2).

    The loss is E f(fake) − E f(real), without a penalty, which has activations at other points. The norm is over all
    rows of both batches and all units together, in float64: clipping at 0.001 makes gradients so small that their
    squares underflow to zero in float32.

    Args:
        network: The critic, whose ``activations(x)`` returns the input, each hidden layer and the output; not changed.

    Returns:
        Shape ``(layers,)``, float64, on the CPU, from the output back to the input; at least 0. All NaN if a sample or
        a parameter is not finite.

    Raises:
        DataError: If the network has no method ``activations``.
    """
    activations = getattr(copy.deepcopy(network).double(), "activations", None)
    if activations is None:
        raise DataError(
            f"gradient_norms_by_layer, network: must have a method activations(x) that gives the input, each hidden "
            f"layer and the output, got {type(network).__name__} without one"
        )
    with torch.enable_grad():
        of_real, of_fake = (activations(x.detach().double().requires_grad_()) for x in (real, fake))
        loss = of_fake[-1].mean() - of_real[-1].mean()
        gradients = torch.autograd.grad(loss, [*of_real, *of_fake])
    norms = torch.stack([gradient.norm() for gradient in gradients]).view(2, -1).norm(dim=0).flip(0).cpu()
    finite = all(bool(tensor.isfinite().all()) for tensor in (real, fake, *network.parameters()))
    return norms if finite else torch.full_like(norms, math.nan)  # a ReLU can hide non-finite values


def gradient_slope(network: nn.Module, real: Tensor, fake: Tensor) -> float:
    """The least-squares slope of the gradient's log10 norm against depth; see `gradient_norms_by_layer`.

    Returns:
        Decades per layer, any sign, closer to 0 is better: below 0 the gradient vanishes on its way from the output
        back to the input, above 0 it explodes. NaN if a sample or a parameter is not finite, or a norm is 0; see
        `zero_gradient_layers` for the latter.

    Raises:
        DataError: If the critic has fewer than two hidden layers, or no method ``activations``.
    """
    heights = gradient_norms_by_layer(network, real, fake).log10()
    hidden = len(heights) - 2
    if hidden < 2:
        raise DataError(f"gradient_slope: needs a critic of at least 2 hidden layers, got {hidden}")
    if not heights.isfinite().all():
        return math.nan
    depth = torch.arange(len(heights), dtype=torch.float64)
    depth -= depth.mean()
    return (depth @ heights / depth.square().sum()).item()


def gradient_spread(network: nn.Module, real: Tensor, fake: Tensor) -> float:
    """The ratio of the largest to the smallest gradient norm of a layer, in decades; see `gradient_norms_by_layer`.

    Returns:
        At least 0, lower is better; infinite if a norm is 0, NaN if a sample or a parameter is not finite.
    """
    heights = gradient_norms_by_layer(network, real, fake).log10()
    return (heights.max() - heights.min()).item()


def gradient_reach(network: nn.Module, real: Tensor, fake: Tensor) -> float:
    """The ratio of the gradient's norm at the input to that at the output, in decades; see `gradient_norms_by_layer`.

    Returns:
        Any sign, closer to 0 is better: below 0 the gradient vanishes on its way back. −inf if the norm at the input is
        0, NaN if a sample or a parameter is not finite.
    """
    norms = gradient_norms_by_layer(network, real, fake)
    return (norms[-1] / norms[0]).log10().item()


def zero_gradient_layers(network: nn.Module, real: Tensor, fake: Tensor) -> float:
    """The number of layers, including the input, at which the gradient is exactly 0; see `gradient_norms_by_layer`.

    Returns:
        0 to one less than the number of layers, as the gradient at the output is never 0; lower is better. NaN if a
        sample or a parameter is not finite.
    """
    norms = gradient_norms_by_layer(network, real, fake)
    return math.nan if norms.isnan().any() else float((norms == 0).sum())


def layer_norms(network: nn.Module, real: Tensor, fake: Tensor) -> NDArray[np.float64]:
    """The picture of the gradient norms: `gradient_norms_by_layer` as an array, ``(layers,)``."""
    return gradient_norms_by_layer(network, real, fake).numpy()


def edge_share(network: nn.Module, *, edge: float = 0.95) -> float:
    """The share of weights whose magnitude is near the largest, the edge to which clipping pushes them (§ 3.2).

    Args:
        network: The critic; its weights are the entries of its matrices, without biases.
        edge: Smallest magnitude that counts, as a fraction of the largest |w| in the network, which is the clip value
            once a weight has reached it; 0 to 1.

    Returns:
        Above 0, at most 1, lower is better; 1 − ``edge`` for uniform weights. NaN if a weight is not finite.
    """
    sizes = _weights(network).abs()
    if not sizes.isfinite().all():
        return math.nan
    return (sizes >= edge * sizes.max()).double().mean().item()


def weight_kurtosis(network: nn.Module) -> float:
    """The Pearson kurtosis, E(w − m)⁴ over the squared variance, of all weights of the network together.

    Args:
        network: The critic; its weights are the entries of its matrices, without biases.

    Returns:
        At least 1, the value of two equal piles at ±c; 1.8 for uniform weights, 3 for normal ones. NaN if all weights
        are equal or one is not finite.
    """
    weights = _weights(network)
    if not weights.isfinite().all() or weights.min() == weights.max():
        return math.nan
    squares = (weights - weights.mean()).square()
    return (squares.square().mean() / squares.mean().square()).item()


def weight_histogram(network: nn.Module, *, bins: int = 100) -> NDArray[np.float64]:
    """The picture of the weights: their histogram over [−c, c], with c the largest |w| (Gulrajani et al., figure 1b).

    Args:
        network: The critic; its weights are the entries of its matrices, without biases.
        bins: Number of bins of equal width.

    Returns:
        Shape ``(bins, 3)``: left edge, right edge and share of the weights; shares sum to 1. All NaN if a weight is not
        finite.
    """
    weights = _weights(network)
    if not weights.isfinite().all():
        return np.full((bins, 3), math.nan)
    c = weights.abs().max().item()
    counts, edges = np.histogram(weights.numpy(), bins=bins, range=(-c, c))
    return np.column_stack([edges[:-1], edges[1:], counts / len(weights)])


def _weights(network: nn.Module) -> Tensor:
    """The entries of all parameters with at least two axes, ``(n,)``, float64, on the CPU."""
    matrices = [parameter.detach().flatten() for parameter in network.parameters() if parameter.ndim >= 2]
    if not matrices:
        raise DataError(f"weights of the network: must have a weight matrix, got {type(network).__name__} without one")
    return torch.cat(matrices).double().cpu()
