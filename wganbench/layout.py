"""What layers a network has, as numbers alone: what builds them and what counts their cost read the same list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from wganbench.errors import SpecError

Kind = Literal["linear", "conv", "deconv"]

SMALLEST = 4
"""Side of the smallest images inside a DCGAN."""

KERNEL, EXTRA_KERNEL = 5, 3
"""Sides of the filters that halve or double an image, and of those that the depth asks for beside them."""


@dataclass(frozen=True)
class Layer:
    """One layer with weights, and what stands behind it.

    Attributes:
        kind: ``conv``: a convolution; ``deconv``: a transposed one, of stride 2.
        inputs, outputs: Units of a linear layer, channels of a convolution.
        kernel: Side of the filter, in pixels.
        stride: Pixels.
        side_in, side_out: Of the images before and behind it, in pixels; 1 where there are none.
        normed: Scales (and as many offsets) of the normalisation behind it; 0 where there is none.
        biased: Whether it has a bias.
    """

    kind: Kind
    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    side_in: int = 1
    side_out: int = 1
    normed: int = 0
    biased: bool = True

    @property
    def parameters(self) -> int:
        """Weights, biases, and scales and offsets of the normalisation."""
        return self.inputs * self.outputs * self.kernel**2 + self.biased * self.outputs + 2 * self.normed

    @property
    def multiply_adds(self) -> int:
        """Of a sample, forward: each weight once at each place of the filter; normalisation counts as nothing."""
        side = self.side_in if self.kind == "deconv" else self.side_out
        return self.inputs * self.outputs * self.kernel**2 * side**2


def sides(side: int) -> list[int]:
    """Sides of the images inside a DCGAN: halved, rounded up, until at most 4; 32, 16, 8, 4 and 28, 14, 7, 4.

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
    shape: Sequence[int],
    *,
    filters: int,
    filters_divided_by: int | None = None,
    depth: int | None = None,
    norm: str = "none",
) -> list[Layer]:
    """The layers of ``wganbench.networks.dcgan.DcganCritic``, whose docstring says what they are.

    Args:
        shape: Of an image: channels, side, side.
        filters: Channels of the first layer.
        filters_divided_by: Makes a network thinner whose filters are those of a paper.
        depth: Layers with weights; None adds none to those that the side asks for.
        norm: ``batch``, ``layer`` or ``none``; the first convolution has none.

    Raises:
        SpecError: If the images are not square or too small, the depth is less than the side asks for, or the filters
            cannot be divided.
    """
    channels, side = _image(shape)
    halved = sides(side)
    filters = _thinner(filters, filters_divided_by)
    widths = [channels, *(filters * 2**i for i in range(len(halved) - 1))]
    layers = [
        Layer("conv", a, b, KERNEL, 2, p, q) for (a, b), (p, q) in zip(pairwise(widths), pairwise(halved), strict=True)
    ]
    extra = Layer("conv", widths[-2], widths[-2], EXTRA_KERNEL, 1, halved[-2], halved[-2])
    layers[-1:-1] = [extra] * _extra(depth, len(halved), side)
    if norm != "none":
        layers[1:] = [_normed(layer, layer.outputs) for layer in layers[1:]]
    return [*layers, Layer("linear", widths[-1] * halved[-1] ** 2, 1)]


def dcgan_generator(
    latent_dim: int,
    shape: Sequence[int],
    *,
    filters: int,
    filters_divided_by: int | None = None,
    depth: int | None = None,
    norm: str = "batch",
    unit_norm: bool = False,
) -> list[Layer]:
    """The layers of ``wganbench.networks.dcgan.DcganGenerator``, whose docstring says what they are.

    Args:
        latent_dim: Length of the latent vector.
        shape: Of an image: channels, side, side.
        filters: Channels before the last layer.
        filters_divided_by, depth: As for ``dcgan_critic``.
        norm: ``batch``, ``layer`` or ``none``; the last layer has none.
        unit_norm: Whether each unit of the linear layer is normalised by itself, not each channel of the image made
            of them.

    Raises:
        SpecError: As ``dcgan_critic``.
    """
    channels, side = _image(shape)
    doubled = sides(side)[::-1]
    filters = _thinner(filters, filters_divided_by)
    widths = [*(filters * 2**i for i in reversed(range(len(doubled) - 1))), channels]
    first = Layer("linear", latent_dim, widths[0] * doubled[0] ** 2)
    layers = [
        Layer("deconv", a, b, KERNEL, 2, p, q)
        for (a, b), (p, q) in zip(pairwise(widths), pairwise(doubled), strict=True)
    ]
    extra = Layer("conv", widths[1], widths[1], EXTRA_KERNEL, 1, doubled[1], doubled[1])
    layers[1:1] = [extra] * _extra(depth, len(doubled), side)
    if norm != "none":
        first = _normed(first, first.outputs if unit_norm else widths[0])
        layers[:-1] = [_normed(layer, layer.outputs) for layer in layers[:-1]]
    return [first, *layers]


def _normed(layer: Layer, scales: int) -> Layer:
    return replace(layer, normed=scales)


def _image(shape: Sequence[int]) -> tuple[int, int]:
    """Channels and side of square images."""
    if len(shape) != 3 or shape[1] != shape[2]:
        raise SpecError(f"a DCGAN is for images (channels, side, side), got samples of shape {tuple(shape)}")
    return shape[0], shape[1]


def _extra(depth: int | None, fewest: int, side: int) -> int:
    if depth is not None and depth < fewest:
        raise SpecError(f"depth: must be at least {fewest} for images of {side}×{side}, got {depth}")
    return 0 if depth is None else depth - fewest


def _thinner(filters: int, divided_by: int | None) -> int:
    if filters % (divided_by or 1):
        raise SpecError(f"filters_divided_by: must divide the {filters} filters, got {divided_by}")
    return filters // (divided_by or 1)
