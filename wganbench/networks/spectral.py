"""Weights divided by their spectral norm (Miyato et al. 2018), without any state between calls."""

from __future__ import annotations

import torch
from torch import Tensor

SQUARINGS = 10
"""Equal to 2^10 power iterations: the norm is too small by at most ln(n)/2^11, where n is the matrix's smaller side."""


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
    with torch.no_grad():
        density = matrix @ matrix.mT
        for _ in range(SQUARINGS):
            density = density / _trace(density)  # keeps the powers from overflowing
            density = density @ density
        density = density / _trace(density)
    return (matrix * (density @ matrix)).sum().sqrt()


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal().sum()
