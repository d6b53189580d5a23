"""Normalisation of activations and of weights.

Batch and layer normalisation are those of the official WGAN-GP code: ε = 1e-5, one scale and one offset per channel.
Spectral normalisation divides weights by their spectral norm (Miyato et al. 2018), without any state between calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, embedding, group_norm, layer_norm

EPSILON = 1e-5

SQUARINGS = 10
"""Equal to 2^10 power iterations: the norm is too small by at most ln(n)/2^11, where n is the matrix's smaller side."""


class _Normalisation(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))


class BatchNorm(_Normalisation):
    """Normalises each channel over the batch and its pixels, always with the statistics of the batch itself.

    There are no running statistics: the official generator uses those of the batch for sampling, too. A critic with
    this layer must not get real and fake rows in one batch, or a penalty on the gradient of each row.

    Args:
        channels: Number of channels.
        parts: Number of equal parts of consecutive rows, each with its own statistics, as for a batch spread over
            several devices. After ``eval()`` there is one part, as samples are drawn on one device.
    """

    def __init__(self, channels: int, parts: int = 1):
        super().__init__(channels)
        self.parts = parts

    def forward(self, x: Tensor) -> Tensor:
        """Normalises ``x``; raises ValueError if its rows do not split into equal parts."""
        return self._normalised(x, self.weight, self.bias)

    def _normalised(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        if self.parts == 1 or not self.training:
            return batch_norm(x, None, None, weight, bias, training=True, eps=EPSILON)
        if x.shape[0] % self.parts:
            raise ValueError(f"a batch of {x.shape[0]} has no {self.parts} equal parts")
        parts = x.chunk(self.parts)
        return torch.cat([batch_norm(part, None, None, weight, bias, training=True, eps=EPSILON) for part in parts])


class ConditionalBatchNorm(BatchNorm):
    """Batch normalisation with one scale and one offset per class and channel; all classes share the statistics.

    The scales and offsets have shape ``(classes, channels)`` and start at 1 and 0.
    """

    def __init__(self, channels: int, classes: int, parts: int = 1):
        super().__init__(channels, parts)
        self.weight = nn.Parameter(torch.ones(classes, channels))
        self.bias = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:  # type: ignore[override]
        """Normalises ``x``, given its labels.

        Args:
            x: Shape ``(batch, channels, …)``.
            labels: Shape ``(batch,)``, int64, from 0 to classes − 1; others raise an error on a CPU and are fatal on
                CUDA.
        """
        scale, offset = (
            embedding(labels, table).unflatten(1, (-1, *[1] * (x.ndim - 2))) for table in (self.weight, self.bias)
        )
        return self._normalised(x, None, None) * scale + offset


class LayerNorm(_Normalisation):
    """Normalises each row over its channels and pixels; rows do not mix."""

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda and x.ndim == 4 and x.stride(1) == 1:
            return layer_norm_with_channels_last(x, self.weight, self.bias)
        return group_norm(x, 1, self.weight, self.bias, EPSILON)  # one group is the whole row


def layer_norm_with_channels_last(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Normalises images whose channels lie last in memory, and leaves them so; on CUDA torch's group_norm does not.

    Args:
        x: Shape ``(batch, channels, height, width)``; in another layout it is copied.
        weight, bias: The scale and the offset of each channel, ``(channels,)``.
    """
    pixels = x.movedim(1, -1)
    return (layer_norm(pixels, pixels.shape[1:], eps=EPSILON) * weight + bias).movedim(-1, 1)


NORMALISATIONS = {"batch": BatchNorm, "layer": LayerNorm}


def spectrally_normalised(weight: Tensor) -> Tensor:
    """Divides ``weight`` by the largest singular value of the matrix ``(outputs, all else)``; keeps its shape."""
    return weight / spectral_norm(weight)


def spectral_norm(weight: Tensor) -> Tensor:
    """The largest singular value of the matrix ``(outputs, all else)``, a scalar.

    torch's own implementation keeps a running estimate of the singular vectors in buffers that every call updates. A
    network in a stack of seeds must be a function of its parameters alone and cannot do that. Here the Gram matrix is
    squared until only its largest eigenvalues are left; the cost of these small matrices is negligible beside a batch
    of images.

    The first derivative is that of the singular value, u vᵀ, or the mean of these if several singular values are equal.
    Second derivatives with respect to the weight itself, which no objective here needs, are not those of the norm.
    """
    matrix = weight.flatten(1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.mT
    with unrounded_products(matrix):
        with torch.no_grad():
            density = matrix @ matrix.mT
            for _ in range(SQUARINGS):
                density = density / _trace(density)  # keeps the powers from overflowing
                density = density @ density
            density = density / _trace(density)
        return (matrix * (density @ matrix)).sum().sqrt()


@contextmanager
def unrounded_products(matrix: Tensor) -> Iterator[None]:
    """Computes products in the precision of ``matrix``, without TF32 and outside autocast.

    A power of a matrix would multiply the error of each rounding.
    """
    device = matrix.device.type
    if device == "meta":  # has no autocast
        yield
        return
    with torch.autocast(device, enabled=False):
        if device != "cuda":
            yield
            return
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal().sum()
