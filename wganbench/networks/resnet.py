"""The ResNet for CIFAR-10 (Gulrajani et al., appendix F), following the official ``gan_cifar_resnet.py``.

Weights are uniform with the standard deviation of ``wganbench.networks.convolution``: He's for the convolutions that
follow a ReLU; Glorot's, √(2/(fan_in + fan_out)), for the linear layers, the 1×1 convolutions of the shortcuts and the
convolution that makes the image. Biases start at 0.

A conditional pair (AC-GAN) has ``classes`` in both networks. A trainer needs to know:

* The generator is called with labels, ``generator(z, labels)``: int64, ``(batch,)``, from 0 to classes − 1. The caller
  must check their range. Without ``classes`` it is called like any other generator, ``generator(z)``.
* Only the auxiliary head of the critic is conditional. ``critic(x)`` returns the scores, the only output under the
  gradient penalty. ``critic(x, with_logits=True)`` returns the scores and the class logits, ``(batch,)`` and
  ``(batch, classes)``, from one forward pass. It is an argument of ``forward``, not a separate method, because a stack
  of seeds can only call ``forward``.
* The official losses add 1.0 times the cross-entropy of real images and their labels to the critic's loss, and 0.1
  times the cross-entropy of fakes and their labels to the generator's.

``norm_batches`` must divide the batch size, except after ``eval()``, where the batch is normalised as a whole: the
official code trains on two devices and samples on one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wganbench.networks import layout
from wganbench.networks.convolution import (
    Conv,
    Linear,
    PooledConv,
    UpsampledConv,
    laid_out_like,
    mean_pool,
    upsample,
)
from wganbench.networks.layout import Block, Layer
from wganbench.networks.nonlinearity import relu
from wganbench.networks.normalisation import BatchNorm, ConditionalBatchNorm, LayerNorm


class ResnetGenerator(nn.Module):
    """Latent vectors ``(batch, latent)`` → images ``(batch, channels, side, side)``, pixels in [−1, 1].

    A linear layer makes 4×4 images and the blocks double their side; normalisation, a ReLU, a 3×3 convolution and tanh
    follow.

    Args:
        input_shape, output_shape: ``(latent,)`` and ``(channels, side, side)``, side 8, 16, 32 or a further power of 2.
        dim: Number of channels in all hidden layers.
        upsample: The convolution of each block before which the image is upsampled: ``first``, as in the official code,
            or ``second``, as in the paper's text.
        norm_batches: Number of equal parts of a training batch that are normalised separately; 2 for the official code,
            which ran on two devices.
        classes: Number of classes, each with its own scales and offsets in all normalisations but the last; None if
            there are no labels.

    Raises:
        SpecError: If no such network exists for the images.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        dim: int = 128,
        upsample: str = "first",
        norm_batches: int = 1,
        classes: int | None = None,
    ):
        super().__init__()
        found = layout.resnet_generator(input_shape, output_shape, dim=dim, upsample=upsample, classes=classes)
        (first,), (last,) = found.before, found.behind
        self.shape, self.classes = (last.inputs, layout.SMALLEST, layout.SMALLEST), classes
        self.linear = Linear(first.inputs, first.outputs)
        self.blocks = nn.ModuleList([UpBlock(block, norm_batches, classes) for block in found.blocks])
        self.norm = BatchNorm(last.inputs, norm_batches)
        self.conv = _convolution(last, std=_glorot(last))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Maps latent vectors to images; ``labels``, ``(batch,)``, are required with ``classes`` and refused without.

        Raises:
            ValueError: If labels are missing or not expected, or the batch does not split into ``norm_batches`` parts.
        """
        if (labels is None) != (self.classes is None):
            has, given = ("none" if count is None else "some" for count in (self.classes, labels))
            raise ValueError(f"the generator has {has} classes and was given {given} labels")
        filters = self.conv.weight
        assert isinstance(filters, Tensor)
        x = laid_out_like(self.linear(x.flatten(1)).unflatten(1, self.shape), filters)
        for block in self.blocks:
            x = block(x, labels)
        return torch.tanh(self.conv(relu(self.norm(x))))


class UpBlock(nn.Module):
    """Normalisation, ReLU and convolution, twice, with upsampling before one convolution and in the shortcut."""

    def __init__(self, block: Block, norm_batches: int, classes: int | None):
        super().__init__()
        assert block.shortcut is not None
        dim = block.first.inputs
        self.norms = nn.ModuleList(
            [
                ConditionalBatchNorm(dim, classes, norm_batches) if classes else BatchNorm(dim, norm_batches)
                for _ in (block.first, block.second)
            ]
        )
        self.convs = nn.ModuleList([_convolution(block.first), _convolution(block.second)])
        self.shortcut = _convolution(block.shortcut, std=_glorot(block.shortcut))

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        beside = upsample(self.shortcut(x))
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(relu(norm(x) if labels is None else norm(x, labels)))
        return x + beside  # the sum takes the memory layout of the first operand


class ResnetCritic(nn.Module):
    """Images ``(batch, channels, side, side)`` → scores ``(batch,)``, and class logits if there are classes.

    Two blocks that halve the images and two that do not are followed by a ReLU, the mean over all pixels and a linear
    layer. The first block has no normalisation, and no ReLU before its first convolution.

    Args:
        input_shape, output_shape: ``(channels, side, side)``, side 8, 16, 32 or a further power of 2, and ``()``.
        dim: As for ``ResnetGenerator``.
        norm: ``layer``, or ``none`` as in the official code.
        spectral_norm: Whether to divide the weights of every layer by their spectral norm.
        classes: Number of outputs of the auxiliary head; None for no head.

    Raises:
        SpecError: If no such network exists for the images.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        dim: int = 128,
        norm: str = "none",
        spectral_norm: bool = False,
        classes: int | None = None,
    ):
        super().__init__()
        found = layout.resnet_critic(input_shape, dim=dim, norm=norm, classes=classes)
        self.output_shape, self.classes = tuple(output_shape), classes
        self.blocks = nn.Sequential(
            *(DownBlock(block, norm, spectral_norm, first=i == 0) for i, block in enumerate(found.blocks))
        )
        score, *classifier = (Linear(head.inputs, head.outputs, spectral=spectral_norm) for head in found.behind)
        self.score = score
        self.classifier = classifier[0] if classifier else None

    def forward(self, x: Tensor, *, with_logits: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the scores, ``(batch,)``; with ``with_logits`` also the class logits, ``(batch, classes)``.

        Raises:
            ValueError: If logits are requested and the critic has no classes.
        """
        pixels = relu(self.blocks(x))
        features = pixels.sum((2, 3)) / math.prod(pixels.shape[2:])  # a derivative of mean() puts channels first
        scores = self.score(features).reshape(x.shape[0], *self.output_shape)
        if not with_logits:
            return scores
        if self.classifier is None:
            raise ValueError("the critic has no classes, and so no logits")
        return scores, self.classifier(features)


class DownBlock(nn.Module):
    """Optional normalisation, ReLU and convolution, twice.

    A halving block averages 2×2 pixels after the last convolution and in the shortcut. The first block of a critic
    omits the normalisations, and the ReLU before its first convolution.
    """

    def __init__(self, block: Block, norm: str, spectral: bool, *, first: bool):
        super().__init__()
        self.first, self.halves = first, block.second.kind == "pooled"
        normed = norm == "layer" and not first
        self.norms = nn.ModuleList([LayerNorm(block.second.inputs) if normed else nn.Identity() for _ in range(2)])
        self.convs = nn.ModuleList([_convolution(layer, spectral=spectral) for layer in (block.first, block.second)])
        self.shortcut = (
            _convolution(block.shortcut, std=_glorot(block.shortcut), spectral=spectral)
            if block.shortcut
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        beside = self.shortcut(mean_pool(x) if self.halves else x)
        x = self.convs[0](x if self.first else relu(self.norms[0](x)))
        return self.convs[1](relu(self.norms[1](x))) + beside


def _convolution(layer: Layer, *, std: float | None = None, spectral: bool = False) -> nn.Module:
    kind = {"conv": Conv, "pooled": PooledConv, "upsampled": UpsampledConv}[layer.kind]
    return kind(layer.inputs, layer.outputs, layer.kernel, std=std, spectral=spectral)


def _glorot(layer: Layer) -> float:
    return math.sqrt(2 / ((layer.inputs + layer.outputs) * layer.kernel**2))
