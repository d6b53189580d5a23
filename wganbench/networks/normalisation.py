"""Batch and layer normalisation as the official WGAN-GP code has them: ε = 1e-5, a scale and an offset a channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, group_norm

EPSILON = 1e-5


class _Normalisation(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))


class BatchNorm(_Normalisation):
    """Each channel over the batch and its pixels, always with the statistics of the batch itself.

    There are no running statistics: the official generator samples with those of the batch as well. A critic must not
    be given real and fake rows in one batch, and no penalty that takes each row's gradient for its own.
    """

    def forward(self, x: Tensor) -> Tensor:
        return batch_norm(x, None, None, self.weight, self.bias, training=True, eps=EPSILON)


class LayerNorm(_Normalisation):
    """Each row over its channels and pixels; rows do not mix."""

    def forward(self, x: Tensor) -> Tensor:
        return group_norm(x, 1, self.weight, self.bias, EPSILON)  # one group is the whole row


NORMALISATIONS = {"batch": BatchNorm, "layer": LayerNorm}
