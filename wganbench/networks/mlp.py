"""The multilayer perceptron of the toy experiments, with the initialisations that their sources name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from wganbench.networks.nonlinearity import Nonlinearity


class Mlp(nn.Module):
    """Linear layers with one nonlinearity between them and none at the end.

    Maps ``(batch, *input_shape)`` to ``(batch, *output_shape)``; a critic has the output shape ``()``. Parameters are
    drawn from torch's global stream, which the runner seeds for each run; biases start at 0.

    Args:
        input_shape, output_shape: Without the batch axis; flattened inside.
        hidden: Width of each hidden layer.
        activation: ``relu``, ``leaky_relu`` (slope ``leak``, not negative) or ``tanh``.
        init: Distribution of the weights. ``normal``: N(0, init_scale²); ``uniform``: even within ±init_scale;
            ``he_normal``: standard deviation init_scale·√(2/fan_in); ``he_uniform``, ``glorot_uniform``: uniform with
            standard deviation init_scale·√(2/fan_in), init_scale·√(2/(fan_in + fan_out)); ``orthogonal``: gain
            init_scale.
        last_init: Distribution of the last layer's weights where it differs.
        input_scale: Factor on the input, such as 0.5 for the write-up's critic on the ring of radius 2.
        summed_outputs: The last layer has this many units for each output, added up (musyoku's critic: 128).
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        hidden: Sequence[int],
        activation: str = "relu",
        leak: float = 0.2,
        init: str = "he_normal",
        init_scale: float = 1.0,
        last_init: str | None = None,
        input_scale: float = 1.0,
        summed_outputs: int = 1,
    ):
        super().__init__()
        self.output_shape = tuple(output_shape)
        self.input_scale = input_scale
        widths = [math.prod(input_shape), *hidden]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            layers += [_initialised(Linear(fan_in, fan_out), init, init_scale), Nonlinearity(activation, leak)]
        last = SummedLinear(widths[-1], math.prod(output_shape), summed_outputs)
        layers.append(_initialised(last, last_init or init, init_scale))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if self.input_scale != 1.0:
            x = x * self.input_scale
        return self.layers(x).reshape(x.shape[0], *self.output_shape)

    def activations(self, x: Tensor) -> list[Tensor]:
        """All that a row passes through, each a part of the graph of the next.

        Args:
            x: Shape ``(batch, *input_shape)``.

        Returns:
            The input, flattened but not yet scaled, ``(batch, inputs)``; each hidden layer after its nonlinearity,
            ``(batch, width)``; what ``forward`` gives. Two more than there are hidden layers.
        """
        passed = [x.flatten(1)]
        x = passed[0] * self.input_scale if self.input_scale != 1.0 else passed[0]
        for weights, nonlinearity in zip(self.layers[:-1:2], self.layers[1::2], strict=True):
            x = nonlinearity(weights(x))
            passed.append(x)
        return [*passed, self.layers[-1](x).reshape(x.shape[0], *self.output_shape)]


class Linear(nn.Linear):
    """torch's, but that few inputs take the weights in the order in which their gradient is computed fastest.

    Of few columns in their own order, one thread of a CPU takes ten times as long for the weights' gradient.
    """

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.t().contiguous().t() if self.in_features <= FEW_INPUTS else self.weight
        return linear(x, weight, self.bias)


FEW_INPUTS = 16


class SummedLinear(nn.Module):
    """A linear layer of ``outputs · units`` units, each output the sum of its ``units``.

    The sum is taken over the weights before they meet the input, which costs ``units`` times less than the sum over the
    unit outputs and has the same value and the same gradients.
    """

    def __init__(self, inputs: int, outputs: int, units: int = 1):
        super().__init__()
        self.units = units
        self.weight = nn.Parameter(torch.empty(outputs * units, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs * units))

    def forward(self, x: Tensor) -> Tensor:
        if self.units == 1:
            return linear(x, self.weight, self.bias)
        weight = self.weight.unflatten(0, (-1, self.units)).sum(1)
        return linear(x, weight, self.bias.unflatten(0, (-1, self.units)).sum(1))


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
