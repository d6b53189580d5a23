"""Convolutions fused with the 2×2 pooling after them or the 2×2 upsampling before them.

Both resamplings are linear, so either pair is a single convolution of stride 2, or its adjoint, whose filter is the sum
of four shifted copies of the original one. It has (k + 1)² weights at a quarter of the positions, which is 16/36 of the
multiplications for k = 3, and the large intermediate images are never formed.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d

from wganbench.networks.convolution import Conv


class PooledConv(Conv):
    """``mean_pool(Conv(x))``: ``(batch, inputs, n, n)`` → ``(batch, outputs, n/2, n/2)``, for even n and odd filters.

    The weights and their initialisation are those of ``Conv``.
    """

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, _spread(self.filters()), self.bias, 2, self.weight.shape[-1] // 2)


class UpsampledConv(Conv):
    """``Conv(upsample(x))``: ``(batch, inputs, n, n)`` → ``(batch, outputs, 2n, 2n)``, for odd filters.

    The weights and their initialisation are those of ``Conv``.
    """

    def forward(self, x: Tensor) -> Tensor:
        adjoint = 4 * _spread(self.filters()).flip(2, 3).transpose(0, 1)
        return conv_transpose2d(x, adjoint, self.bias, 2, self.weight.shape[-1] // 2)


def mean_pool(x: Tensor) -> Tensor:
    """Averages 2×2 pixels: ``(…, n, n)`` → ``(…, n/2, n/2)``.

    The double backward of a plain mean avoids the zeros that ``avg_pool2d`` propagates through a network.
    """
    return x.unflatten(-2, (-1, 2)).unflatten(-1, (-1, 2)).mean((-3, -1))


def upsample(x: Tensor) -> Tensor:
    """Repeats each pixel 2×2 times: ``(…, n, n)`` → ``(…, 2n, 2n)``."""
    rows, columns = x.shape[-2:]
    repeated = x[..., :, None, :, None].expand(*x.shape[:-2], rows, 2, columns, 2)
    return repeated.reshape(*x.shape[:-2], 2 * rows, 2 * columns)


def _spread(filters: Tensor) -> Tensor:
    """The mean of the four shifted copies of each filter in a square that is larger by one."""
    return avg_pool2d(filters, 2, stride=1, padding=1)
