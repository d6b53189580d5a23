"""The residual networks of the character model (Gulrajani et al., § 5.5), after the official ``gan_language.py``.

Five residual blocks keep length and channels: ReLU and convolution of five characters, twice, scaled by 0.3 and added
to the input. There is no normalisation. Weights start as in ``wganbench.networks.convolution``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wganbench.networks import layout
from wganbench.networks.convolution import Conv1d, Linear
from wganbench.networks.layout import Block, Layer
from wganbench.networks.nonlinearity import relu

RESIDUAL_SCALE = 0.3


class TextGenerator(nn.Module):
    """Latent vectors ``(batch, latent)`` → probabilities of symbols ``(batch, symbols, length)``, which sum to 1.

    A linear layer, the blocks, a convolution of one character and a softmax over the symbols.

    Args:
        input_shape, output_shape: ``(latent,)`` and ``(symbols, length)``.
        dim: Number of channels in all blocks.

    Raises:
        SpecError: If the samples are no text.
    """

    def __init__(self, input_shape: Sequence[int], output_shape: Sequence[int], *, dim: int = 512):
        super().__init__()
        found = layout.text_generator(input_shape, output_shape, dim=dim)
        (first,), (last,) = found.before, found.behind
        self.layers = nn.Sequential(
            Linear(first.inputs, first.outputs),
            nn.Unflatten(1, (dim, last.side_in)),
            *map(TextBlock, found.blocks),
            _convolution(last),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.layers(x.flatten(1)), dim=1)


class TextCritic(nn.Module):
    """One-hot vectors or probabilities ``(batch, symbols, length)`` → scores ``(batch,)``.

    A convolution of one character, the blocks and a linear layer.

    Args:
        input_shape, output_shape: ``(symbols, length)`` and ``()``.
        dim: As for ``TextGenerator``.
        spectral_norm: Whether to divide the weights of every layer by their spectral norm.

    Raises:
        SpecError: If the samples are no text.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        dim: int = 512,
        spectral_norm: bool = False,
    ):
        super().__init__()
        found = layout.text_critic(input_shape, dim=dim)
        (first,), (last,) = found.before, found.behind
        self.output_shape = tuple(output_shape)
        layers: list[nn.Module] = [_convolution(first, spectral=spectral_norm)]
        layers += [TextBlock(block, spectral=spectral_norm) for block in found.blocks]
        layers += [nn.Flatten(), Linear(last.inputs, last.outputs, spectral=spectral_norm)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).reshape(x.shape[0], *self.output_shape)


class TextBlock(nn.Module):
    """The input plus 0.3 times a branch of ReLU and convolution, twice."""

    def __init__(self, block: Block, *, spectral: bool = False):
        super().__init__()
        self.first, self.second = (_convolution(layer, spectral=spectral) for layer in (block.first, block.second))

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL_SCALE * self.second(relu(self.first(relu(x))))


def _convolution(layer: Layer, *, spectral: bool = False) -> Conv1d:
    return Conv1d(layer.inputs, layer.outputs, layer.kernel, spectral=spectral)
