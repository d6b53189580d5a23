"""The layers of each network, as plain numbers, shared by the code that builds them and the code that counts costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from wganbench.errors import SpecError

Kind = Literal["linear", "conv", "deconv", "pooled", "upsampled"]

SMALLEST = 4
"""Side of the smallest images inside a DCGAN, and of the images that a ResNet generator starts from."""

KERNEL, EXTRA_KERNEL = 5, 3
"""Sides of the filters that halve or double an image, and of the filters in the layers that ``depth`` adds."""

RESNET_KERNEL = 3
"""Side of a ResNet's filters, except those of its shortcuts."""

TEXT_KERNEL, TEXT_BLOCKS = 5, 5
"""Characters that a filter of a text network sees, and its number of residual blocks."""


@dataclass(frozen=True)
class Layer:
    """One layer with weights, and the normalisation that follows it.

    Attributes:
        kind: ``linear``; ``conv``: a convolution; ``deconv``: a transposed convolution of stride 2; ``pooled``: a
            convolution of stride 1 whose outputs are averaged over 2×2; ``upsampled``: a convolution of stride 1 whose
            inputs are first repeated 2×2.
        inputs, outputs: Number of units of a linear layer, or of channels of a convolution.
        kernel: Side of the filter, in pixels.
        stride: Stride of the filter, in pixels.
        side_in, side_out: Sides of the input and output images, in pixels; 1 if there are no images.
        normed: Number of scales (and of offsets) of the normalisation that follows; 0 for no normalisation.
        summed: Number of units that are summed for each output; their weights are added up before they are applied.
        axes: Number of axes of the filter and of what it goes over: 2 for images, 1 for texts.
        biased: Whether each output has an offset.
    """

    kind: Kind
    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    side_in: int = 1
    side_out: int = 1
    normed: int = 0
    summed: int = 1
    axes: int = 2
    biased: bool = True

    @property
    def parameters(self) -> int:
        """The number of weights, biases, and scales and offsets of the normalisation."""
        return (self.inputs * self.kernel**self.axes + self.biased) * self.outputs * self.summed + 2 * self.normed

    @property
    def multiply_adds(self) -> int:
        """Multiplications in the forward pass of one sample: each weight at each filter position; no normalisation.

        A ``pooled`` or ``upsampled`` layer is computed as one convolution (or transposed convolution) of stride 2 with
        a filter that is larger by one: (k + 1)² weights at each pixel of the smaller image, where two separate
        operations would need 4k².
        """
        if self.kind in ("pooled", "upsampled"):
            return self.inputs * self.outputs * (self.kernel + 1) ** 2 * min(self.side_in, self.side_out) ** 2
        side = self.side_in if self.kind == "deconv" else self.side_out
        return self.inputs * self.outputs * self.kernel**self.axes * side**self.axes


@dataclass(frozen=True)
class Block:
    """A residual block: two convolutions, and a shortcut with a 1×1 convolution, or the identity if it is None.

    The shortcut's convolution runs on the smaller images, before they are repeated or after they are averaged: it
    commutes with both operations and costs a quarter there.
    """

    first: Layer
    second: Layer
    shortcut: Layer | None = None


@dataclass(frozen=True)
class Residual:
    """A ResNet: its blocks, and the layers with weights before and after them."""

    before: Sequence[Layer]
    blocks: Sequence[Block]
    behind: Sequence[Layer]

    def __iter__(self) -> Iterator[Layer]:
        yield from self.before
        for block in self.blocks:
            yield from filter(None, (block.first, block.second, block.shortcut))
        yield from self.behind


def mlp(
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    *,
    hidden: Sequence[int],
    norm: str = "none",
    summed_outputs: int = 1,
) -> list[Layer]:
    """The layers of ``wganbench.networks.mlp.Mlp``.

    Args:
        input_shape, output_shape: Shapes without the batch axis.
        hidden: Width of each hidden layer.
        norm: ``batch``, ``layer`` or ``none``; applied to every hidden layer.
        summed_outputs: Number of units of the last layer that are summed for each output.
    """
    widths = [math.prod(input_shape), *hidden]
    layers = [Layer("linear", a, b, normed=0 if norm == "none" else b) for a, b in pairwise(widths)]
    return [*layers, Layer("linear", widths[-1], math.prod(output_shape), summed=summed_outputs)]


def sides(side: int) -> list[int]:
    """The sides of the images inside a DCGAN, halved and rounded up until at most 4: 32, 16, 8, 4 or 28, 14, 7, 4.

    Raises:
        SpecError: If there are fewer than two halvings.
    """
    found = [side]
    while found[-1] > SMALLEST:
        found.append(-(-found[-1] // 2))
    if len(found) < 3:
        raise SpecError(
            f"images of {side}×{side} are too small for a DCGAN; a side must be at least {2 * SMALLEST + 1}"
        )
    return found


def dcgan_critic(
    input_shape: Sequence[int],
    *,
    filters: int,
    depth: int | None = None,
    norm: str = "none",
) -> list[Layer]:
    """The layers of ``wganbench.networks.dcgan.DcganCritic``; the module ``dcgan`` describes them.

    Args:
        input_shape: ``(channels, side, side)``.
        filters: Channels of the first layer.
        depth: Number of layers with weights; None for those that the side requires.
        norm: ``batch``, ``layer`` or ``none``; not applied after the first convolution.

    Raises:
        SpecError: If the images are not square or too small, or the depth is less than the side requires.
    """
    channels, side = _image(input_shape)
    halved = sides(side)
    widths = [channels, *(filters * 2**i for i in range(len(halved) - 1))]
    layers = [
        Layer("conv", a, b, KERNEL, 2, p, q) for (a, b), (p, q) in zip(pairwise(widths), pairwise(halved), strict=True)
    ]
    extra = Layer("conv", widths[-2], widths[-2], EXTRA_KERNEL, 1, halved[-2], halved[-2])
    layers[-1:-1] = [extra] * _extra(depth, len(halved), side)
    if norm != "none":
        layers[1:] = [replace(layer, normed=layer.outputs) for layer in layers[1:]]
    return [*layers, Layer("linear", widths[-1] * halved[-1] ** 2, 1)]


def dcgan_generator(
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    *,
    filters: int,
    constant: bool = False,
    depth: int | None = None,
    norm: str = "batch",
    unit_norm: bool = False,
) -> list[Layer]:
    """The layers of ``wganbench.networks.dcgan.DcganGenerator``; the module ``dcgan`` describes them.

    Args:
        input_shape, output_shape: ``(latent,)`` and ``(channels, side, side)``.
        filters: Channels before the last layer.
        constant: Whether all layers before the last have ``filters`` channels.
        depth: As for ``dcgan_critic``.
        norm: ``batch``, ``layer`` or ``none``; not applied after the last layer.
        unit_norm: Whether to normalise each unit of the linear layer separately, instead of each channel of the image
            that the units form.

    Raises:
        SpecError: As for ``dcgan_critic``.
    """
    channels, side = _image(output_shape)
    doubled = sides(side)[::-1]
    widths = [*(filters * (1 if constant else 2**i) for i in reversed(range(len(doubled) - 1))), channels]
    first = Layer("linear", math.prod(input_shape), widths[0] * doubled[0] ** 2)
    layers = [
        Layer("deconv", a, b, KERNEL, 2, p, q)
        for (a, b), (p, q) in zip(pairwise(widths), pairwise(doubled), strict=True)
    ]
    extra = Layer("conv", widths[1], widths[1], EXTRA_KERNEL, 1, doubled[1], doubled[1])
    layers[1:1] = [extra] * _extra(depth, len(doubled), side)
    if norm != "none":
        first = replace(first, normed=first.outputs if unit_norm else widths[0])
        layers[:-1] = [replace(layer, normed=layer.outputs) for layer in layers[:-1]]
    return [first, *layers]


def resnet_generator(
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    *,
    dim: int = 128,
    upsample: str = "first",
    classes: int | None = None,
) -> Residual:
    """The layers of ``wganbench.networks.resnet.ResnetGenerator``, whose docstring describes them.

    Args:
        input_shape, output_shape: ``(latent,)`` and ``(channels, side, side)``.
        dim: Number of channels in all hidden layers.
        upsample: ``first`` or ``second``: the convolution of each block before which the image is upsampled.
        classes: Number of classes; each normalisation but the last has scales for every class. None without labels.

    Raises:
        SpecError: If the images are not square or their side is not 8, 16, 32, 64, ….
    """
    channels, side = _image(output_shape, "ResNet")
    sides = [SMALLEST * 2**i for i in range(_doublings(side) + 1)]
    own = dim * (classes or 1)
    blocks = []
    for small, large in pairwise(sides):
        if upsample == "first":
            first = Layer("upsampled", dim, dim, RESNET_KERNEL, side_in=small, side_out=large, normed=own)
            second = Layer("conv", dim, dim, RESNET_KERNEL, side_in=large, side_out=large, normed=own)
        else:
            first = Layer("conv", dim, dim, RESNET_KERNEL, side_in=small, side_out=small, normed=own)
            second = Layer("upsampled", dim, dim, RESNET_KERNEL, side_in=small, side_out=large, normed=own)
        blocks.append(Block(first, second, Layer("conv", dim, dim, side_in=small, side_out=small)))
    # The last normalisation ignores labels.
    blocks[-1] = replace(blocks[-1], second=replace(blocks[-1].second, normed=dim))
    linear = Layer("linear", math.prod(input_shape), dim * SMALLEST**2, normed=own)
    return Residual([linear], blocks, [Layer("conv", dim, channels, RESNET_KERNEL, side_in=side, side_out=side)])


def resnet_critic(
    input_shape: Sequence[int],
    *,
    dim: int = 128,
    norm: str = "none",
    classes: int | None = None,
) -> Residual:
    """The layers of ``wganbench.networks.resnet.ResnetCritic``, whose docstring describes them.

    Args:
        input_shape: ``(channels, side, side)``.
        dim: As for ``resnet_generator``.
        norm: ``layer`` or ``none``; not applied in the first block or after the last.
        classes: Number of outputs of the auxiliary head; None for no head.

    Raises:
        SpecError: As for ``resnet_generator``.
    """
    channels, side = _image(input_shape, "ResNet")
    _doublings(side)
    half, quarter = side // 2, side // 4
    flat = Layer("conv", dim, dim, RESNET_KERNEL, side_in=quarter, side_out=quarter)
    blocks = [
        Block(
            Layer("conv", channels, dim, RESNET_KERNEL, side_in=side, side_out=side),
            Layer("pooled", dim, dim, RESNET_KERNEL, side_in=side, side_out=half),
            Layer("conv", channels, dim, side_in=half, side_out=half),
        ),
        Block(
            Layer("conv", dim, dim, RESNET_KERNEL, side_in=half, side_out=half),
            Layer("pooled", dim, dim, RESNET_KERNEL, side_in=half, side_out=quarter),
            Layer("conv", dim, dim, side_in=quarter, side_out=quarter),
        ),
        Block(flat, flat),
        Block(flat, flat),
    ]
    if norm != "none":  # it precedes each convolution outside the first block; counted with the layer before it
        for i, block in enumerate(blocks):
            first = replace(block.first, normed=dim if i > 0 else 0)
            second = replace(block.second, normed=dim if i < len(blocks) - 1 else 0)
            blocks[i] = replace(block, first=first, second=second)
    heads = [Layer("linear", dim, 1), *([Layer("linear", dim, classes)] if classes else [])]
    return Residual([], blocks, heads)


def dirac_generator(output_shape: Sequence[int]) -> list[Layer]:
    """The layer of ``wganbench.networks.dirac.DiracGenerator``, whose outputs depend on no input."""
    return [Layer("linear", 0, math.prod(output_shape))]


def dirac_critic(input_shape: Sequence[int]) -> list[Layer]:
    """The layer of ``wganbench.networks.dirac.DiracCritic``."""
    return [Layer("linear", math.prod(input_shape), 1, biased=False)]


def text_generator(input_shape: Sequence[int], output_shape: Sequence[int], *, dim: int = 512) -> Residual:
    """The layers of ``wganbench.networks.text_resnet.TextGenerator``, whose docstring describes them.

    Args:
        input_shape, output_shape: ``(latent,)`` and ``(symbols, length)``.
        dim: Number of channels in all blocks.

    Raises:
        SpecError: If the samples are no text.
    """
    symbols, length = _text(output_shape)
    linear = Layer("linear", math.prod(input_shape), dim * length)
    return Residual([linear], _text_blocks(dim, length), [_text_conv(dim, symbols, 1, length)])


def text_critic(input_shape: Sequence[int], *, dim: int = 512) -> Residual:
    """The layers of ``wganbench.networks.text_resnet.TextCritic``, whose docstring describes them.

    Args:
        input_shape: ``(symbols, length)``.
        dim: As for ``text_generator``.

    Raises:
        SpecError: As for ``text_generator``.
    """
    symbols, length = _text(input_shape)
    return Residual(
        [_text_conv(symbols, dim, 1, length)], _text_blocks(dim, length), [Layer("linear", dim * length, 1)]
    )


def _text_blocks(dim: int, length: int) -> list[Block]:
    layer = _text_conv(dim, dim, TEXT_KERNEL, length)
    return [Block(layer, layer)] * TEXT_BLOCKS


def _text_conv(inputs: int, outputs: int, kernel: int, length: int) -> Layer:
    return Layer("conv", inputs, outputs, kernel, side_in=length, side_out=length, axes=1)


def _text(shape: Sequence[int]) -> tuple[int, int]:
    """Returns the symbols and the length of samples of text; raises SpecError for any other shape."""
    if len(shape) != 2:
        raise SpecError(f"a text network is for texts (symbols, length), got samples of shape {tuple(shape)}")
    return shape[0], shape[1]


def _image(shape: Sequence[int], network: str = "DCGAN") -> tuple[int, int]:
    """Returns the channels and the side of square images; raises SpecError for any other shape."""
    if len(shape) != 3 or shape[1] != shape[2]:
        raise SpecError(f"a {network} is for images (channels, side, side), got samples of shape {tuple(shape)}")
    return shape[0], shape[1]


def _doublings(side: int) -> int:
    """The number of doublings from the smallest side to this one; raises SpecError for any other side."""
    found = side.bit_length() - SMALLEST.bit_length()
    if found < 1 or side != SMALLEST * 2**found:
        raise SpecError(
            f"images of {side}×{side} are none for a ResNet; a side must be 8, 16, 32 or a further power of 2"
        )
    return found


def _extra(depth: int | None, fewest: int, side: int) -> int:
    if depth is not None and depth < fewest:
        raise SpecError(f"depth: must be at least {fewest} for images of {side}×{side}, got {depth}")
    return 0 if depth is None else depth - fewest


LAYOUTS: dict[str, Callable[..., Iterable[Layer]]] = {
    layout.__name__: layout
    for layout in (
        *(mlp, dcgan_generator, dcgan_critic, resnet_generator, resnet_critic),
        *(text_generator, text_critic, dirac_generator, dirac_critic),
    )
}
"""The layouts by the name of the network. Each takes ``input_shape``, ``output_shape`` and options as it needs them."""
