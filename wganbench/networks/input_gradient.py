"""Convolutions whose input gradient is differentiated by the weights at the cost of an ordinary weight gradient.

The input gradient of a convolution is a transposed convolution of the output gradient with the same weights. Here it is
computed as one, so autograd differentiates it like any transposed convolution. torch's own double backward of a
convolution instead convolves the images with output gradients as filters, as large as the images, several times slower.

The gradients by the weights and by the input are two nodes of the graph, so that autograd omits the one that nobody
asked for. A single custom function would always compute both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: Sequence[int]) -> Tensor:
    """Returns ``conv1d`` or ``conv2d`` of these, with the same values and derivatives of every order.

    Args:
        x: Shape ``(batch, inputs, n)`` or ``(batch, inputs, n, m)``.
        weight: Shape ``(outputs, inputs, k)`` or ``(outputs, inputs, k, l)``.
    """
    y = _ByWeight.apply((x,), weight, bias, stride, padding)
    return _ByInput.apply(y, x, weight, stride, padding)


class _ByWeight(torch.autograd.Function):
    """A convolution that has derivatives by its weight and bias alone.

    The input comes in a tuple, so that autograd does not pass through here on the way to the input. The derivatives by
    the weight can themselves be differentiated by the input.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        kept: tuple[Tensor], weight: Tensor, bias: Tensor | None, stride: int, padding: Sequence[int]
    ) -> Tensor:
        (x,) = kept
        function = torch.conv1d if x.ndim == 3 else torch.conv2d
        return function(x, weight, bias, stride, padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        (x,), weight, bias, ctx.stride, ctx.padding = inputs
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        axes = x.ndim - 2
        _, of_weight, of_bias = torch.ops.aten.convolution_backward(
            gradient,
            x.to(gradient.dtype),  # under autocast the output has another dtype
            weight.to(gradient.dtype),
            [weight.shape[0]] if ctx.biased else None,
            [ctx.stride] * axes,
            ctx.padding,
            [1] * axes,
            False,
            [0] * axes,
            1,
            [False, True, ctx.biased],
        )
        return None, of_weight.to(weight.dtype), of_bias.to(weight.dtype) if ctx.biased else None, None, None


class _ByInput(torch.autograd.Function):
    """The identity of ``y``, with the derivative by ``x`` that the convolution ``y`` of ``x`` has."""

    generate_vmap_rule = True

    @staticmethod
    def forward(y: Tensor, x: Tensor, weight: Tensor, stride: int, padding: Sequence[int]) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, x, weight, ctx.stride, ctx.padding = inputs
        ctx.save_for_backward(weight)
        ctx.sides, ctx.dtype = x.shape[2:], x.dtype

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        shapes = zip(ctx.sides, ctx.padding, gradient.shape[2:], weight.shape[2:], strict=True)
        unseen = [side + 2 * padding - (n - 1) * ctx.stride - kernel for side, padding, n, kernel in shapes]
        axes = len(unseen)
        of_x = torch.convolution(
            gradient,
            weight.to(gradient.dtype),
            None,
            [ctx.stride] * axes,
            ctx.padding,
            [1] * axes,
            True,
            unseen,  # rows and columns at the end that no output depends on
            1,
        )
        return gradient, of_x.to(ctx.dtype), None, None, None
