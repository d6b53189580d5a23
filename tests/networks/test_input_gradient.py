"""Derivatives of convolutions to the second, against torch's own and finite differences, alone, stacked and rounded."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import vmap
from torch.utils._python_dispatch import TorchDispatchMode

from wganbench.networks.convolution import Conv, Conv1d, PooledConv, mean_pool
from wganbench.networks.input_gradient import convolve
from wganbench.networks.nonlinearity import differentiated_twice

F64 = torch.float64
CASES = [
    ((2, 3, 6, 6), 3, 1, (1, 1)),
    ((2, 3, 6, 4), 4, 2, (1, 1)),
    ((2, 3, 8, 8), 3, 2, (0, 0)),
    ((2, 3, 8, 7), 5, 2, (2, 1)),
    ((2, 3, 4, 4), 1, 1, (0, 0)),
    ((2, 3, 9), 5, 1, (2,)),
]
EACH_CASE = pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), CASES)


def drawn(*shape, dtype=F64):
    return torch.randn(shape, dtype=dtype, requires_grad=True)


def arguments(shape, kernel):
    torch.manual_seed(0)
    return drawn(*shape), drawn(4, shape[1], *[kernel] * (len(shape) - 2)), drawn(4)


def torchs(x, weight, bias, stride, padding):
    return (torch.conv1d if x.ndim == 3 else torch.conv2d)(x, weight, bias, stride, padding)


@EACH_CASE
def test_values_are_torchs_and_derivatives_are_right_to_the_second(shape, kernel, stride, padding):
    given = arguments(shape, kernel)
    assert torch.equal(convolve(*given, stride, padding), torchs(*given, stride, padding))

    def cubed(x, weight, bias):
        return convolve(x, weight, bias, stride, padding).pow(3)

    assert gradcheck(cubed, given)
    assert gradgradcheck(cubed, given)


def penalty_gradients(function, *given):
    """The derivatives of the squared input gradient by the input, the weight and the bias."""
    (gradient,) = torch.autograd.grad(function(*given).pow(3).sum(), given[0], create_graph=True)
    return torch.autograd.grad(gradient.pow(2).sum(), given)


def test_it_needs_no_bias():
    x, weight, _ = arguments(*CASES[1][:2])
    found = [penalty_gradients(lambda x, w, f=f: f(x, w, None, 2, (1, 1)), x, weight) for f in (convolve, torchs)]
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@EACH_CASE
def test_stacked_networks_have_the_derivatives_of_each_alone(shape, kernel, stride, padding):
    alone = [arguments(shape, kernel), tuple(each.detach().neg().requires_grad_() for each in arguments(shape, kernel))]
    stacked = [torch.stack(each).detach().requires_grad_() for each in zip(*alone, strict=True)]

    def function(x, weight, bias):
        return convolve(x, weight, bias, stride, padding)

    found = penalty_gradients(vmap(function), *stacked)
    for index, given in enumerate(alone):
        for ours, theirs in zip(found, penalty_gradients(function, *given), strict=True):
            torch.testing.assert_close(ours[index], theirs)


def test_under_autocast_it_rounds_as_torchs_own_does():
    torch.manual_seed(0)
    given = (
        drawn(2, 3, 8, 8, dtype=torch.float32),
        drawn(4, 3, 3, 3, dtype=torch.float32),
        drawn(4, dtype=torch.float32),
    )

    def rounded(function):
        def called(x, weight, bias):
            with torch.autocast("cpu", torch.bfloat16):
                y = function(x, weight, bias, 1, (1, 1))
            assert y.dtype == torch.bfloat16
            return y.float()

        return called

    for ours, theirs in zip(*(penalty_gradients(rounded(f), *given) for f in (convolve, torchs)), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0.02 * theirs.abs().max().item())


class Convolutions(TorchDispatchMode):
    """Lists the sides of the filters of all convolutions, and whether gradients by weights are computed."""

    def __init__(self):
        super().__init__()
        self.filters, self.by_weight = [], 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation is torch.ops.aten.convolution.default:
            self.filters.append(args[1].shape[-1])
        elif operation is torch.ops.aten.convolution_backward.default:
            self.by_weight += args[-1][1]
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("layer", [Conv(3, 4, 3), Conv(3, 4, 5, 2), PooledConv(3, 4, 3), Conv1d(3, 4, 5)])
def test_a_penalty_needs_one_weight_gradient_and_no_filters_as_large_as_the_images(layer):
    x = torch.randn(2, 3, *[16] * (layer.weight.ndim - 2), requires_grad=True)
    with Convolutions() as seen:
        with differentiated_twice():
            y = layer(x)
        (gradient,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        assert seen.by_weight == 0, "nobody has asked for it yet"
        gradient.square().sum().backward(inputs=[layer.weight])
    assert seen.by_weight == 1
    assert max(seen.filters) <= 5


def test_pooling_propagates_no_zeros():
    """Under a penalty on the gradient of a linear function, nothing flows back to the input."""
    x = torch.randn(2, 3, 4, 4, dtype=F64, requires_grad=True)
    slope = torch.ones((), dtype=F64, requires_grad=True)
    (gradient,) = torch.autograd.grad((mean_pool(x) * slope).sum(), x, create_graph=True)
    by_x, by_slope = torch.autograd.grad(gradient.sum(), [x, slope], allow_unused=True)
    assert by_x is None
    assert by_slope.item() == pytest.approx(2 * 3 * 4)
