"""The multilayer perceptron of the toy experiments, with the initialisations that their sources use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from wganbench.networks import layout
from wganbench.networks.nonlinearity import Nonlinearity
from wganbench.networks.normalisation import NORMALISATIONS, spectrally_normalised, with_unit_rows


class Mlp(nn.Module):
    """Linear layers with one nonlinearity between them, and none at the end unless ``output`` names one.

    Maps ``(batch, *input_shape)`` to ``(batch, *output_shape)``; a critic has the output shape ``()``. Parameters are
    drawn from torch's global stream, which the runner seeds for each run; biases start at 0.

    Args:
        input_shape, output_shape: Shapes without the batch axis; flattened internally.
        hidden: Width of each hidden layer.
        activation: A key of ``wganbench.networks.nonlinearity.NONLINEARITIES``; ``leaky_relu`` has the slope ``leak``.
        norm: ``batch``, ``layer`` or ``none``: the normalisation between each hidden layer and its nonlinearity.
        weight_norm: Whether the weights of each unit are divided by their Euclidean norm before they are applied.
        output: ``tanh`` or ``sigmoid``, applied at the end; None for no nonlinearity there.
        init: Distribution of the weights. ``normal``: N(0, init_scale²); ``uniform``: uniform within ±init_scale;
            ``he_normal``: standard deviation init_scale·√(2/fan_in); ``he_uniform``, ``glorot_uniform``: uniform with
            standard deviation init_scale·√(2/fan_in), init_scale·√(2/(fan_in + fan_out)); ``orthogonal``: gain
            init_scale.
        last_init: Distribution of the last layer's weights; None for ``init``.
        input_scale: Factor applied to the input, such as 0.5 for the write-up's critic on the ring of radius 2.
        uniform_latent: Whether to map each input z to erf(z/√2) first, by which standard normal latents become uniform
            on (−1, 1).
        summed_outputs: Number of units of the last layer that are summed for each output (musyoku's critic: 128).
        spectral_norm: Whether to divide the weights of every layer by their spectral norm.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        hidden: Sequence[int],
        activation: str = "relu",
        leak: float = 0.2,
        norm: str = "none",
        weight_norm: bool = False,
        output: str | None = None,
        init: str = "he_normal",
        init_scale: float = 1.0,
        last_init: str | None = None,
        input_scale: float = 1.0,
        uniform_latent: bool = False,
        summed_outputs: int = 1,
        spectral_norm: bool = False,
    ):
        super().__init__()
        self.output_shape = tuple(output_shape)
        self.input_scale = input_scale
        self.uniform_latent = uniform_latent
        *others, last = layout.mlp(input_shape, output_shape, hidden=hidden, norm=norm, summed_outputs=summed_outputs)
        layers: list[nn.Module] = []
        for layer in others:
            linear_layer: nn.Module
            if weight_norm:
                linear_layer = UnitLinear(layer.inputs, layer.outputs)
            else:
                linear_layer = Linear(layer.inputs, layer.outputs, spectral=spectral_norm)
            layers.append(_initialised(linear_layer, init, init_scale))
            if layer.normed:
                layers.append(NORMALISATIONS[norm](layer.normed))
            layers.append(Nonlinearity(activation, leak))
        norms = {"spectral": spectral_norm, "weight_norm": weight_norm}
        summed = SummedLinear(last.inputs, last.outputs, last.summed, **norms)
        self.layers = nn.Sequential(*layers, _initialised(summed, last_init or init, init_scale))
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        return self._last(self.layers(self._scaled(x.flatten(1))))

    def _scaled(self, x: Tensor) -> Tensor:
        if self.uniform_latent:
            x = torch.erf(x / math.sqrt(2))
        return x * self.input_scale if self.input_scale != 1.0 else x

    def activations(self, x: Tensor) -> list[Tensor]:
        """Returns the activations of the forward pass; each is part of the autograd graph of the next.

        Args:
            x: Shape ``(batch, *input_shape)``.

        Returns:
            The input, flattened but not yet scaled, ``(batch, inputs)``; each hidden layer after its nonlinearity,
            ``(batch, width)``; and the output of ``forward``: two more than there are hidden layers.
        """
        passed = [x.flatten(1)]
        x = self._scaled(passed[0])
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, Nonlinearity):
                passed.append(x)
        return [*passed, self._last(x)]

    def _last(self, x: Tensor) -> Tensor:
        x = x.reshape(x.shape[0], *self.output_shape)
        return x if self.output is None else OUTPUTS[self.output](x)


OUTPUTS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}
"""The nonlinearities at the end of a generator of images."""


class Linear(nn.Linear):
    """torch's linear layer, with the weights in a faster memory order if there are at most `FEW_INPUTS` inputs.

    With few columns in the usual order, the gradient of the weights takes ten times as long on one CPU thread.

    Args:
        spectral: Whether to divide the weights by their spectral norm before applying them.
    """

    def __init__(self, inputs: int, outputs: int, *, spectral: bool = False):
        super().__init__(inputs, outputs)
        self.spectral = spectral

    def forward(self, x: Tensor) -> Tensor:
        weight = spectrally_normalised(self.weight) if self.spectral else self.weight
        weight = weight.t().contiguous().t() if self.in_features <= FEW_INPUTS else weight
        return _linear(x, weight, self.bias)


FEW_INPUTS = 16

_stacked: ContextVar[bool] = ContextVar("stacked", default=False)


@contextmanager
def stacked() -> Iterator[None]:
    """Marks calls of networks by ``vmap`` over a stack of seeds."""
    before = _stacked.set(True)
    try:
        yield
    finally:
        _stacked.reset(before)


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A linear layer; under vmap without the products of the bias with 1, and of its gradient, that torch adds there.

    On a GPU each of them is a launch: 57 of 554 in a step of the ring's WGAN-GP. The values are the same to the bit.
    """
    return torch.add(bias, x.mm(weight.t())) if _stacked.get() and x.ndim == 2 else linear(x, weight, bias)


class UnitLinear(nn.Linear):
    """A linear layer that divides the weights of each unit by their Euclidean norm.

    This is the weight normalisation of Salimans and Kingma (2016) without its learned scales, with which it would be no
    constraint on the layer.
    """

    def forward(self, x: Tensor) -> Tensor:
        return _linear(x, with_unit_rows(self.weight), self.bias)


class SummedLinear(nn.Module):
    """A linear layer of ``outputs · units`` units, in which each output is the sum of ``units`` units.

    The weights are summed before they are applied to the input. This costs ``units`` times less than summing the
    outputs of the units, and gives the same value and the same gradients. With ``weight_norm``, the weights of each
    unit are divided by their Euclidean norm before they are summed; with ``spectral``, it is the sum that is divided by
    its spectral norm.
    """

    def __init__(self, inputs: int, outputs: int, units: int = 1, *, spectral: bool = False, weight_norm: bool = False):
        super().__init__()
        self.units, self.spectral, self.weight_norm = units, spectral, weight_norm
        self.weight = nn.Parameter(torch.empty(outputs * units, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs * units))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = with_unit_rows(self.weight) if self.weight_norm else self.weight, self.bias
        if self.units > 1:
            weight, bias = (each.unflatten(0, (-1, self.units)).sum(1) for each in (weight, bias))
        return _linear(x, spectrally_normalised(weight) if self.spectral else weight, bias)


def _initialised(layer: nn.Module, init: str, scale: float) -> nn.Module:
    """Draws the weights of a linear layer in place; see ``Mlp`` for the distributions."""
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
    fan_out, fan_in = weight.shape
    with torch.no_grad():
        bias.zero_()
        if init == "normal":
            weight.normal_(0.0, scale)
        elif init == "uniform":
            weight.uniform_(-scale, scale)
        elif init == "he_normal":
            weight.normal_(0.0, scale * math.sqrt(2 / fan_in))
        elif init == "orthogonal":
            nn.init.orthogonal_(weight, gain=scale)
        else:
            std = scale * math.sqrt(2 / (fan_in if init == "he_uniform" else fan_in + fan_out))
            weight.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std)
    return layer
