"""SAME padding against sums written out, the transposed convolution as its adjoint, and how weights are drawn.

Convolutions with resampling are held against both done one after the other.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor
from torch.nn import functional

from wganbench.networks.convolution import (
    Conv,
    Deconv,
    Linear,
    PooledConv,
    UpsampledConv,
    mean_pool,
    same_padding,
    upsample,
)

F64 = torch.float64


def random(layer: torch.nn.Module) -> torch.nn.Module:
    """The layer in float64, its biases drawn as well."""
    layer = layer.double()
    torch.nn.init.normal_(layer.bias)
    return layer


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "expected"),
    [
        (32, 5, 2, (1, 2)),
        (7, 5, 2, (2, 2)),
        (28, 5, 2, (1, 2)),
        (8, 3, 1, (1, 1)),
        (8, 1, 1, (0, 0)),
        (8, 1, 2, (0, 0)),
    ],
)
def test_padding_is_tensorflows(side, kernel, stride, expected):
    assert same_padding(side, kernel, stride) == expected


@pytest.mark.parametrize(("side", "kernel", "stride"), [(8, 5, 2), (7, 5, 2), (6, 3, 1), (6, 3, 2), (5, 1, 1)])
def test_a_convolution_is_the_correlation_with_padded_images(side, kernel, stride):
    torch.manual_seed(0)
    layer, x = random(Conv(3, 2, kernel, stride)), torch.randn(2, 3, side, side, dtype=F64)
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), *[same_padding(side, kernel, stride)] * 2])
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = [
        [
            sum(correlate2d(row[c], weight[o, c], mode="valid") for c in range(3))[::stride, ::stride] + bias[o]
            for o in (0, 1)
        ]
        for row in padded
    ]
    np.testing.assert_allclose(layer(x).detach().numpy(), np.array(expected), atol=1e-12)


def test_an_output_sees_one_pixel_before_its_own_and_three_from_it_on():
    layer = Conv(1, 1, 5, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(25.0).view(1, 1, 5, 5))
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 4, 4] = 1.0
    # The pixel 4 is at place 4 − (2i − 1) of the window of output i: 3 of output 1, 1 of output 2.
    expected = torch.zeros(4, 4)
    expected[1, 1], expected[1, 2], expected[2, 1], expected[2, 2] = 5.0 * 3 + 3, 5.0 * 3 + 1, 5.0 * 1 + 3, 5.0 * 1 + 1
    assert torch.equal(layer(x)[0, 0], expected)


@pytest.mark.parametrize("side", [4, 5])
def test_a_transposed_convolution_is_the_adjoint_of_the_convolution(side):
    """As TensorFlow defines it: ⟨conv(x), y⟩ = ⟨x, deconv(y)⟩ for the same filters, whichever images."""
    torch.manual_seed(0)
    up, down = Deconv(3, 2, 5, 2 * side).double(), Conv(2, 3, 5, 2).double()
    with torch.no_grad():
        down.weight.copy_(up.weight)
    x, y = torch.randn(1, 2, 2 * side, 2 * side, dtype=F64), torch.randn(1, 3, side, side, dtype=F64)
    assert (down(x) * y).sum().item() == pytest.approx((x * up(y)).sum().item(), rel=1e-12)


def test_a_transposed_convolution_lays_its_filter_from_one_pixel_before_on_and_cuts_what_is_outside():
    layer = Deconv(1, 1, 5, 8)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(25.0).view(1, 1, 5, 5))
        layer.bias.fill_(100.0)
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 1, 3] = 1.0
    expected = torch.zeros(8, 8)
    expected[1:6, 5:8] = torch.arange(25.0).view(5, 5)[:, :3]  # rows from 2·1 − 1 on, columns from 2·3 − 1 on
    assert torch.equal(layer(x)[0, 0], expected + 100.0)


def test_a_side_that_was_rounded_up_loses_its_last_row_and_column():
    torch.manual_seed(0)
    whole, cut = Deconv(2, 1, 5, 8), Deconv(2, 1, 5, 7)
    cut.load_state_dict(whole.state_dict())
    x = torch.randn(3, 2, 4, 4)
    assert cut(x).shape == (3, 1, 7, 7)
    assert torch.equal(cut(x), whole(x)[..., :7, :7])


@pytest.mark.parametrize(
    ("make", "std"),
    [
        (lambda std: Linear(300, 500, std=std), math.sqrt(2 / 800)),
        (lambda std: Conv(30, 90, 5, 2, std=std), math.sqrt(4 / (25 * 30 + 25 * 90 / 4))),
        (lambda std: Conv(60, 60, 3, std=std), math.sqrt(4 / (2 * 9 * 60))),
        (lambda std: Deconv(90, 30, 5, 8, std=std), math.sqrt(4 / (25 * 90 / 4 + 25 * 30))),
    ],
)
@pytest.mark.parametrize("stated", [None, 0.02])
def test_weights_are_uniform_with_the_official_spread(make, std, stated):
    torch.manual_seed(0)
    layer, std = make(stated), stated or std
    weight = layer.weight.detach()
    assert weight.std().item() == pytest.approx(std, rel=0.01)
    assert 0.999 * math.sqrt(3) * std < weight.abs().max().item() <= math.sqrt(3) * std * (1 + 1e-6)
    assert not layer.bias.any()


# ---- with resampling -------------------------------------------------------------------------------------------------


def apart(kind: str, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if kind == "pooled":
        return functional.avg_pool2d(functional.conv2d(x, weight, bias, padding="same"), 2)
    return functional.conv2d(functional.interpolate(x, scale_factor=2, mode="nearest"), weight, bias, padding="same")


KINDS = {"pooled": PooledConv, "upsampled": UpsampledConv}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_one_operation_is_the_two_and_has_their_gradients_to_the_second(kind, kernel):
    torch.manual_seed(0)
    layer = KINDS[kind](3, 2, kernel).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 6, 4, dtype=F64, requires_grad=True)
    both = [layer(x), apart(kind, x, layer.weight, layer.bias)]
    torch.testing.assert_close(both[0], both[1], rtol=1e-12, atol=1e-12)
    found = []
    for y in both:
        (gradient,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
        found.append((gradient, *torch.autograd.grad(gradient.pow(3).sum(), [x, layer.weight])))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    assert found[0][2].abs().min() > 0


def test_a_mean_pool_is_torchs_and_pixels_are_repeated():
    x = torch.randn(2, 3, 6, 4, dtype=F64)
    torch.testing.assert_close(mean_pool(x), functional.avg_pool2d(x, 2))
    assert torch.equal(upsample(x), functional.interpolate(x, scale_factor=2, mode="nearest"))
