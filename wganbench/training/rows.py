"""Tests whether a critic treats rows of a batch separately, so that real and fake samples can share a forward pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wganbench.training.stack import Stack

ROWS = 4


def rows_are_apart(critic: Stack, sample_shape: Sequence[int]) -> bool:
    """Returns whether the derivative of a row's score is 0 with respect to other rows, and not 0 for the row itself.

    A normalisation over the batch couples rows, and would mix the statistics of real and fake samples. A critic whose
    score depends on no row, such as one with a last layer of zeros, cannot be tested and counts as coupling them.

    Args:
        critic: The stack whose first seed is tested.
        sample_shape: Shape of one row, without the batch axis.
    """
    network = critic.module_of_seed(0).train()  # a copy, whose buffers may change
    device = next(iter(critic.parameters.values())).device
    rows = torch.randn(ROWS, *sample_shape, generator=torch.Generator().manual_seed(0)).to(device).requires_grad_()
    with torch.random.fork_rng(devices=[]):  # a custom critic may draw random numbers
        score = network(rows)[0]
    (gradient,) = torch.autograd.grad(score, rows)
    own, *others = (bool(row.any()) for row in gradient)
    return own and not any(others)
