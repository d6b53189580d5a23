"""Weights divided by their spectral norm (Miyato et al. 2018), without anything kept from one call to the next."""

from __future__ import annotations

import torch
from torch import Tensor

SQUARINGS = 10
"""As 2^10 power iterations: a norm is found too small by at most ln(n)/2^11, for the smaller side n of the matrix."""


def spectrally_normalised(weight: Tensor) -> Tensor:
    """``weight`` over its largest singular value, that of the matrix ``(outputs, all else)``; of its own shape."""
    return weight / spectral_norm(weight)


def spectral_norm(weight: Tensor) -> Tensor:
    """The largest singular value of the matrix ``(outputs, all else)``, a scalar.

    Torch's own keeps the vectors of a running estimate in buffers, which a call changes: a network that is a function
    of its parameters alone, as a stack of seeds has it, cannot do so. Here the Gram matrix is squared until nothing but
    its largest eigenvalues is left; the small matrices that this takes are nothing beside a batch of images.

    The first derivative is that of the singular value, u vᵀ; where several are equal, a mean of theirs. Second
    derivatives by the weight itself, which no objective here asks for, are not those of the norm.
    """
    matrix = weight.flatten(1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.mT
    with torch.no_grad():
        density = matrix @ matrix.mT
        for _ in range(SQUARINGS):
            density = density / _trace(density)  # before the powers overflow
            density = density @ density
        density = density / _trace(density)
    return (matrix * (density @ matrix)).sum().sqrt()


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal().sum()
