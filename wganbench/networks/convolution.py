"""Linear layers and convolutions with the SAME padding and the initialisation of the official WGAN-GP code.

Weights are drawn from a uniform distribution of a given standard deviation, by torch's global random stream. Biases
start at 0.

`PooledConv` and `UpsampledConv` fuse a convolution with the 2×2 pooling after it or the 2×2 upsampling before it. Both
resamplings are linear, so either pair is a single convolution of stride 2, or its adjoint, whose filter is the sum of
four shifted copies of the original one. It has (k + 1)² weights at a quarter of the positions, which is 16/36 of the
multiplications for k = 3, and the large intermediate images are never formed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv1d, conv2d, conv_transpose2d, interpolate, linear, pad

from wganbench.networks.input_gradient import convolve
from wganbench.networks.nonlinearity import is_differentiated_twice
from wganbench.networks.normalisation import spectrally_normalised


class Linear(nn.Module):
    """A linear layer, ``(batch, inputs)`` → ``(batch, outputs)``.

    Args:
        std: Standard deviation of the weights; None for Glorot's √(2/(inputs + outputs)).
        spectral: Whether to divide the weights by their spectral norm before applying them.
    """

    def __init__(self, inputs: int, outputs: int, *, std: float | None = None, spectral: bool = False):
        super().__init__()
        self.spectral = spectral
        self.weight = _uniform(std or math.sqrt(2 / (inputs + outputs)), outputs, inputs)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, spectrally_normalised(self.weight) if self.spectral else self.weight, self.bias)


class Conv(nn.Module):
    """A convolution with TensorFlow's SAME padding: ``(batch, inputs, n, n)`` → ``(batch, outputs, ⌈n/stride⌉, …)``.

    If the total padding is odd, as for a 5×5 filter with stride 2 on an even side, the end gets one more row and column
    than the start: output i sees the inputs 2i − 1 … 2i + 3.

    Args:
        std: Standard deviation of the weights; None for √(4/(fan_in + fan_out)), where fan_in is inputs·kernel² and
            fan_out is outputs·kernel²/stride².
        biased: Whether to add a bias.
        spectral: As for ``Linear``; the weights are taken as a matrix of shape ``(outputs, inputs · kernel²)``.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        std: float | None = None,
        biased: bool = True,
        spectral: bool = False,
    ):
        super().__init__()
        self.stride, self.spectral = stride, spectral
        fans = (inputs + outputs / stride**2) * kernel**2
        self.weight = _uniform(std or math.sqrt(4 / fans), outputs, inputs, kernel, kernel)
        self.bias = nn.Parameter(torch.zeros(outputs)) if biased else None

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = (same_padding(n, self.weight.shape[-1], self.stride) for n in x.shape[-2:])
        if top == bottom and left == right:
            return _convolution(x, self.filters(), self.bias, self.stride, (top, left))
        return _convolution(pad(x, (left, right, top, bottom)), self.filters(), self.bias, self.stride)

    def filters(self) -> Tensor:
        """The weights that are applied to the input, ``(outputs, inputs, kernel, kernel)``."""
        return spectrally_normalised(self.weight) if self.spectral else self.weight


class PooledConv(Conv):
    """``mean_pool(Conv(x))``: ``(batch, inputs, n, n)`` → ``(batch, outputs, n/2, n/2)``, for even n and odd filters.

    The weights and their initialisation are those of ``Conv``.
    """

    def forward(self, x: Tensor) -> Tensor:
        return _convolution(x, _spread(self.filters()), self.bias, 2, [self.weight.shape[-1] // 2] * 2)


class UpsampledConv(Conv):
    """``Conv(upsample(x))``: ``(batch, inputs, n, n)`` → ``(batch, outputs, 2n, 2n)``, for odd filters.

    The weights and their initialisation are those of ``Conv``.
    """

    def forward(self, x: Tensor) -> Tensor:
        adjoint = 4 * _spread(self.filters()).flip(2, 3).transpose(0, 1)
        return conv_transpose2d(x, adjoint, self.bias, 2, self.weight.shape[-1] // 2)


class Deconv(nn.Module):
    """A transposed convolution of stride 2, the adjoint of ``Conv``: ``(batch, inputs, n, n)`` → ``(…, side, side)``.

    Args:
        kernel: Side of the filter; odd.
        side: Side of the output images; 2n, or less if the last row and column are cut off.
        std: Standard deviation of the weights; None for √(4/(fan_in + fan_out)), where fan_in is inputs·kernel²/4 and
            fan_out is outputs·kernel².
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, side: int, *, std: float | None = None):
        super().__init__()
        self.side = side
        fans = (inputs / 4 + outputs) * kernel**2
        self.weight = _uniform(std or math.sqrt(4 / fans), inputs, outputs, kernel, kernel)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        # The adjoint of SAME padding crops what was padded: this much at the start, and one more at the end.
        start, _ = same_padding(2 * x.shape[-1], self.weight.shape[-1], 2)
        return conv_transpose2d(x, self.weight, self.bias, 2, start)[..., : self.side, : self.side]


class Conv1d(nn.Module):
    """A convolution over one axis with SAME padding: ``(batch, inputs, n)`` → ``(batch, outputs, n)``, for odd filters.

    The standard deviation of the weights is that of ``Conv``, √(4/((inputs + outputs)·kernel)).

    Args:
        spectral: As for ``Conv``.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, spectral: bool = False):
        super().__init__()
        self.spectral = spectral
        self.weight = _uniform(math.sqrt(4 / ((inputs + outputs) * kernel)), outputs, inputs, kernel)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        filters = spectrally_normalised(self.weight) if self.spectral else self.weight
        return _convolution(x, filters, self.bias, padding=[self.weight.shape[-1] // 2])


def mean_pool(x: Tensor) -> Tensor:
    """Averages 2×2 pixels: ``(batch, channels, n, n)`` → ``(batch, channels, n/2, n/2)``, for even n.

    The sum of 2×2 pixels is the adjoint of `upsample`. Unlike ``avg_pool2d``, it is linear to autograd: its double
    backward propagates no zeros through a network. It keeps channels last.
    """
    *image, rows, columns = x.shape
    halved = [*image, rows // 2, columns // 2]
    return torch.ops.aten.upsample_nearest2d_backward(x, [rows, columns], halved) / 4


def upsample(x: Tensor) -> Tensor:
    """Repeats each pixel 2×2 times: ``(batch, channels, n, n)`` → ``(batch, channels, 2n, 2n)``."""
    return interpolate(x, scale_factor=2, mode="nearest")


def laid_out_like(x: Tensor, filters: Tensor) -> Tensor:
    """Puts the channels of images last in memory if those of ``filters`` are, whose side must exceed 1."""
    if filters.stride(1) == 1:  # under vmap a tensor does not say more of its memory
        return x.contiguous(memory_format=torch.channels_last)
    return x


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros to add at the start and at the end of an axis for ⌈side/stride⌉ outputs, as TensorFlow does."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: Sequence[int] = (0, 0)
) -> Tensor:
    """A convolution over one or two axes, in the form that is faster for the derivatives to be taken."""
    if is_differentiated_twice():
        return convolve(x, weight, bias, stride, padding)
    function = conv1d if x.ndim == 3 else conv2d
    return function(x, weight, bias, stride, padding)


def _spread(filters: Tensor) -> Tensor:
    """The mean of the four shifted copies of each filter in a square that is larger by one."""
    return avg_pool2d(filters, 2, stride=1, padding=1)


def _uniform(std: float, *shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape).uniform_(-math.sqrt(3) * std, math.sqrt(3) * std))
