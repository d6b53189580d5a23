"""The ResNet for CIFAR-10 (Gulrajani et al., appendix F), as the official ``gan_cifar_resnet.py`` has it.

Weights are uniform with the standard deviation of ``wganbench.networks.convolution``: He's for the convolutions that a
ReLU stands before, and Glorot's, √(2/(fan_in + fan_out)), for the 1×1 convolutions of the shortcuts, the one that makes
the image and the linear layers. Biases start at 0.

A conditional pair (AC-GAN) has ``classes`` in both networks. What a trainer then needs:

* The generator is called with labels, ``generator(z, labels)``: int64, ``(batch,)``, from 0 to classes − 1, which must
  be checked before; without ``classes`` it is called as any other, ``generator(z)``.
* The critic is conditional in its auxiliary head alone. ``critic(x)`` is the real number, of which alone the gradient
  penalty is; ``critic(x, with_logits=True)`` is that and the class logits, ``(batch,)`` and ``(batch, classes)``, of
  one pass. It is an argument of ``forward`` and not a method of its own, as a stack of seeds reaches ``forward`` alone.
* The official losses add 1.0 times the cross-entropy of real images and their labels to the critic's loss, and 0.1
  times that of fakes and theirs to the generator's.

With ``norm_batches`` a batch must have so many equal parts, but for networks put into ``eval()``, where samples are
normalised by the batch as a whole: the official code trains on two devices and samples on one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wganbench.networks import layout
from wganbench.networks.convolution import Conv, Linear
from wganbench.networks.layout import Block, Layer
from wganbench.networks.nonlinearity import relu
from wganbench.networks.normalisation import BatchNorm, ConditionalBatchNorm, LayerNorm
from wganbench.networks.resampling import PooledConv, UpsampledConv, mean_pool, upsample


class ResnetGenerator(nn.Module):
    """Latent vectors ``(batch, latent)`` → images ``(batch, channels, side, side)``, pixels in [−1, 1].

    A linear layer makes 4×4 images, blocks double them, the last ones are normalised and go through a ReLU, a 3×3
    convolution and tanh.

    Args:
        input_shape, output_shape: ``(latent,)`` and ``(channels, side, side)``, side 8, 16, 32 or a further power of 2.
        dim: Channels everywhere inside.
        filters_divided_by: Makes a network thinner whose ``dim`` is that of a paper; must divide it.
        upsample: The convolution of a block that pixels are repeated before: the ``first``, as in the code, or the
            ``second``, as in the paper's text.
        norm_batches: Equal parts of a batch with statistics of their own, while training; 2 for the official code,
            which ran on two devices.
        classes: Of the labels, for each of which the normalisations have scales and offsets, all but the last; None
            where there are no labels.

    Raises:
        SpecError: If no such network exists for the images.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        dim: int = 128,
        filters_divided_by: int | None = None,
        upsample: str = "first",
        norm_batches: int = 1,
        classes: int | None = None,
    ):
        super().__init__()
        found = layout.resnet_generator(
            math.prod(input_shape),
            output_shape,
            dim=dim,
            filters_divided_by=filters_divided_by,
            upsample=upsample,
            classes=classes,
        )
        (first,), (last,) = found.before, found.behind
        self.shape, self.classes = (last.inputs, layout.SMALLEST, layout.SMALLEST), classes
        self.linear = Linear(first.inputs, first.outputs)
        self.blocks = nn.ModuleList([UpBlock(block, norm_batches, classes) for block in found.blocks])
        self.norm = BatchNorm(last.inputs, norm_batches)
        self.conv = _convolution(last, std=_glorot(last))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Labels, ``(batch,)``, where there are classes, and there alone.

        Raises:
            ValueError: If labels are missing or too many, or the batch cannot be parted.
        """
        if (labels is None) != (self.classes is None):
            has, given = ("none" if count is None else "some" for count in (self.classes, labels))
            raise ValueError(f"the generator has {has} classes and was given {given} labels")
        x = self.linear(x.flatten(1)).unflatten(1, self.shape)
        for block in self.blocks:
            x = block(x, labels)
        return torch.tanh(self.conv(relu(self.norm(x))))


class UpBlock(nn.Module):
    """Normalisation, ReLU, convolution, twice; pixels are repeated before one of the convolutions, and beside both."""

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
        return x + beside  # the first operand's layout in memory is that of the sum


class ResnetCritic(nn.Module):
    """Images ``(batch, channels, side, side)`` → scores ``(batch,)``, and class logits where there are classes.

    Two blocks that halve the images and two that do not, a ReLU, the mean over all pixels and a linear layer. The first
    block has neither normalisation nor a ReLU before its first convolution.

    Args:
        input_shape, output_shape: ``(channels, side, side)``, side 8, 16, 32 or a further power of 2, and ``()``.
        dim, filters_divided_by: As for ``ResnetGenerator``.
        norm: ``layer`` or ``none``, which is the official code's.
        spectral_norm: Whether the weights of every layer are divided by their spectral norm.
        classes: Outputs of the auxiliary head; None for no head.

    Raises:
        SpecError: If no such network exists for the images.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        dim: int = 128,
        filters_divided_by: int | None = None,
        norm: str = "none",
        spectral_norm: bool = False,
        classes: int | None = None,
    ):
        super().__init__()
        found = layout.resnet_critic(
            input_shape, dim=dim, filters_divided_by=filters_divided_by, norm=norm, classes=classes
        )
        self.output_shape, self.classes = tuple(output_shape), classes
        self.blocks = nn.Sequential(
            *(DownBlock(block, norm, spectral_norm, first=i == 0) for i, block in enumerate(found.blocks))
        )
        score, *classifier = (Linear(head.inputs, head.outputs, spectral=spectral_norm) for head in found.behind)
        self.score = score
        self.classifier = classifier[0] if classifier else None

    def forward(self, x: Tensor, *, with_logits: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Scores, ``(batch,)``; with ``with_logits`` scores and class logits, ``(batch, classes)``.

        Raises:
            ValueError: If there are no classes to have logits of.
        """
        features = relu(self.blocks(x)).mean((2, 3))
        scores = self.score(features).reshape(x.shape[0], *self.output_shape)
        if not with_logits:
            return scores
        if self.classifier is None:
            raise ValueError("the critic has no classes, and so no logits")
        return scores, self.classifier(features)


class DownBlock(nn.Module):
    """(Normalisation,) ReLU, convolution, twice; a mean over 2×2 pixels behind the last, and beside both, or nowhere.

    The first block of a critic leaves out the normalisations and the ReLU before its first convolution.
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
