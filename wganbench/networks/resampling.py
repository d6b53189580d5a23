"""Convolutions together with the halving or doubling of images beside them, as one operation.

To average over 2×2 after a convolution, or to repeat pixels 2×2 before one, is linear, so that both together are a
convolution of stride 2, or its adjoint, whose filter is the sum of the four shifts of the first one. It has (k + 1)²
weights at a quarter of the places: 16/36 of the multiplications for k = 3, and the large images between are spared.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d

from wganbench.networks.convolution import Conv


class PooledConv(Conv):
    """``mean_pool(Conv(x))``: ``(batch, inputs, n, n)`` → ``(batch, outputs, n/2, n/2)``, for even n and odd filters.

    Weights and how they are drawn are those of ``Conv``.
    """

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, _spread(self.filters()), self.bias, 2, self.weight.shape[-1] // 2)


class UpsampledConv(Conv):
    """``Conv(upsample(x))``: ``(batch, inputs, n, n)`` → ``(batch, outputs, 2n, 2n)``, for odd filters.

    Weights and how they are drawn are those of ``Conv``.
    """

    def forward(self, x: Tensor) -> Tensor:
        adjoint = 4 * _spread(self.filters()).flip(2, 3).transpose(0, 1)
        return conv_transpose2d(x, adjoint, self.bias, 2, self.weight.shape[-1] // 2)


def mean_pool(x: Tensor) -> Tensor:
    """Means over 2×2 pixels: ``(…, n, n)`` → ``(…, n/2, n/2)``.

    As a plain mean its double backward is spared the zeros that that of ``avg_pool2d`` pushes through a network.
    """
    return x.unflatten(-2, (-1, 2)).unflatten(-1, (-1, 2)).mean((-3, -1))


def upsample(x: Tensor) -> Tensor:
    """Each pixel 2×2 times: ``(…, n, n)`` → ``(…, 2n, 2n)``."""
    rows, columns = x.shape[-2:]
    repeated = x[..., :, None, :, None].expand(*x.shape[:-2], rows, 2, columns, 2)
    return repeated.reshape(*x.shape[:-2], 2 * rows, 2 * columns)


def _spread(filters: Tensor) -> Tensor:
    """The mean of a filter's four places in a square that is larger by one."""
    return avg_pool2d(filters, 2, stride=1, padding=1)
