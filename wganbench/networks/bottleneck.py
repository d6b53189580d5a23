"""The ResNet of 101 layers (Gulrajani et al., figure 2), after ``ResnetGenerator`` of the official ``gan_64x64.py``.

Images of 64×64 take 101 layers with weights on the longest way: six blocks of three layers at each of the sides 4, 8,
16 and 32, five at 64, four blocks between them that change the side, and one layer at either end. The same plan gives
80 layers at 32×32, and 59 at 16×16. A side has twice the channels of the next larger one, the second-largest ``dim``.

A block adds 0.3 times its branch to its input: ReLU and convolution, three times, then normalisation. The convolutions
are 1×1, 3×3 and 1×1, with half of the channels in between. Where a block changes the side, the 3×3 convolution does so
in the branch. In the shortcut, a 1×1 convolution skips every second row and column, or makes the four pixels of a
larger image from each pixel.

Weights start as in ``wganbench.networks.convolution``, but Glorot's in shortcuts and in the convolutions at the images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle

from wganbench.networks import layout
from wganbench.networks.convolution import Conv, Deconv, Linear
from wganbench.networks.layout import Bottleneck, Layer
from wganbench.networks.nonlinearity import relu
from wganbench.networks.normalisation import NORMALISATIONS

BRANCH_SCALE = 0.3
"""The factor of a branch before it is added to the input."""
OUTPUT_DIVISOR = 5.0
"""The divisor of the images before tanh, and of the scores."""


class BottleneckGenerator(nn.Module):
    """Latent vectors ``(batch, latent)`` → images ``(batch, channels, side, side)``, pixels in [−1, 1].

    A linear layer makes 4×4 images; blocks with batch normalisation, a 1×1 convolution and tanh of a fifth follow.

    Args:
        input_shape, output_shape: ``(latent,)`` and ``(channels, side, side)``, side 8, 16, 32 or a further power of 2.
        dim: Number of channels at the second-largest side; a multiple of 4.

    Raises:
        SpecError: If no such network exists for the images.
    """

    def __init__(self, input_shape: Sequence[int], output_shape: Sequence[int], *, dim: int = 64):
        super().__init__()
        found = layout.bottleneck_generator(input_shape, output_shape, dim=dim)
        (first,), (last,) = found.before, found.behind
        side = layout.SMALLEST
        self.layers = nn.Sequential(
            Linear(first.inputs, first.outputs),
            nn.Unflatten(1, (first.outputs // side**2, side, side)),
            *(BottleneckBlock(block, "batch") for block in found.blocks),
            _glorot(last),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layers(x.flatten(1)) / OUTPUT_DIVISOR)


class BottleneckCritic(nn.Module):
    """Images ``(batch, channels, side, side)`` → scores ``(batch,)``.

    A 1×1 convolution, the blocks and a linear layer, whose outputs are divided by 5.

    Args:
        input_shape, output_shape: ``(channels, side, side)``, side 8, 16, 32 or a further power of 2, and ``()``.
        dim: As for ``BottleneckGenerator``.
        norm: ``batch``, ``layer`` (for a penalty, which needs a critic that does not mix rows) or ``none``.

    Raises:
        SpecError: If no such network exists for the images.
    """

    def __init__(self, input_shape: Sequence[int], output_shape: Sequence[int], *, dim: int = 64, norm: str = "none"):
        super().__init__()
        found = layout.bottleneck_critic(input_shape, dim=dim, norm=norm)
        (first,), (last,) = found.before, found.behind
        self.output_shape = tuple(output_shape)
        blocks = (BottleneckBlock(block, norm) for block in found.blocks)
        self.layers = nn.Sequential(_glorot(first), *blocks, nn.Flatten(), Linear(last.inputs, last.outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).reshape(x.shape[0], *self.output_shape) / OUTPUT_DIVISOR


class BottleneckBlock(nn.Module):
    """The input, or its shortcut, plus 0.3 times the normalised branch: three convolutions with a ReLU before each."""

    def __init__(self, block: Bottleneck, norm: str):
        super().__init__()
        inner, widen = block.inner, block.widen
        self.doubles = inner.kind == "deconv"
        resized = (
            Deconv(inner.inputs, inner.outputs, inner.kernel, inner.side_out)
            if self.doubles
            else Conv(inner.inputs, inner.outputs, inner.kernel, inner.stride)
        )
        narrowed = Conv(block.narrow.inputs, block.narrow.outputs, 1)
        self.convs = nn.ModuleList([narrowed, resized, Conv(widen.inputs, widen.outputs, 1, biased=False)])
        self.norm = NORMALISATIONS[norm](widen.normed) if widen.normed else nn.Identity()
        self.shortcut = _glorot(block.shortcut) if block.shortcut else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        beside = self.shortcut(x)
        if self.doubles:
            beside = pixel_shuffle(beside, 2)
        for conv in self.convs:
            x = conv(relu(x))
        return beside + BRANCH_SCALE * self.norm(x)


def _glorot(layer: Layer) -> Conv:
    std = math.sqrt(2 / ((layer.inputs + layer.outputs / layer.stride**2) * layer.kernel**2))
    return Conv(layer.inputs, layer.outputs, layer.kernel, layer.stride, std=std)
