"""Convolutions with resampling against both done one after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from wganbench.networks.resampling import PooledConv, UpsampledConv, mean_pool, upsample

F64 = torch.float64


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
