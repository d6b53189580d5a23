from __future__ import annotations

import math
from contextlib import nullcontext

import pytest
import torch

from wganbench.networks.nonlinearity import NONLINEARITIES, Gate, differentiated_twice, shifted_softplus

F64 = torch.float64
WAYS = pytest.mark.parametrize("way", [nullcontext, differentiated_twice], ids=["once", "twice"])


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


FORMULAS = {
    "relu": lambda x: max(0.0, x),
    "leaky_relu": lambda x: max(0.2 * x, x),
    "tanh": math.tanh,
    "softplus": lambda x: softplus(2 * x + 2) / 2 - 1,
    "elu": lambda x: x if x > 0 else math.expm1(x),
}
POINTS = [-50.0, -3.0, -1.0, -1e-3, 1e-3, 0.5, 2.0, 9.5, 25.0, 400.0]


@WAYS
@pytest.mark.parametrize("name", NONLINEARITIES)
def test_each_is_its_formula(name, way):
    with way():
        found = NONLINEARITIES[name](torch.tensor(POINTS, dtype=F64))
    assert found.tolist() == pytest.approx([FORMULAS[name](x) for x in POINTS], rel=1e-15, abs=1e-15)


@WAYS
@pytest.mark.parametrize("name", NONLINEARITIES)
def test_its_derivatives_are_right_to_the_second(name, way):
    x = torch.tensor([-3.0, -0.4, 0.3, 2.0], dtype=F64, requires_grad=True)
    with way():
        assert torch.autograd.gradcheck(NONLINEARITIES[name], x)
        assert torch.autograd.gradgradcheck(NONLINEARITIES[name], x)


@WAYS
@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu", 0.2)])
def test_at_the_kink_the_slope_is_that_of_the_left(name, slope, way):
    x = torch.zeros(1, requires_grad=True)
    with way():
        (gradient,) = torch.autograd.grad(NONLINEARITIES[name](x), x)
    assert gradient.item() == pytest.approx(slope)


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_no_zeros_are_pushed_through_the_network_by_a_second_derivative(name):
    x = torch.randn(3, requires_grad=True)
    with differentiated_twice():
        y = NONLINEARITIES[name](x)
    given = torch.ones(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(y, x, given, create_graph=True)
    assert torch.autograd.grad(gradient.sum(), x, allow_unused=True, retain_graph=True) == (None,)


@WAYS
@pytest.mark.parametrize("name", NONLINEARITIES)
def test_a_diverged_run_shows(name, way):
    with way():
        assert NONLINEARITIES[name](torch.tensor([math.nan])).isnan().all()


def test_an_error_within_leaves_nothing_behind():
    x = torch.ones(1, requires_grad=True)
    with pytest.raises(ArithmeticError), differentiated_twice():
        raise ArithmeticError
    assert type(NONLINEARITIES["relu"](x).grad_fn).__name__ == "ReluBackward0"


def test_the_softplus_starts_at_minus_one_and_is_nearly_the_identity_above():
    assert shifted_softplus(torch.tensor(-60.0, dtype=F64)).item() == -1.0
    assert shifted_softplus(torch.tensor(60.0, dtype=F64)).item() == 60.0
    assert shifted_softplus(torch.tensor(0.0, dtype=F64)).item() == pytest.approx(math.log1p(math.exp(2)) / 2 - 1)


# ---- the gate -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 3), (2, 6, 3, 5)])
def test_a_gate_is_its_formula_of_even_and_odd_channels(shape):
    torch.manual_seed(0)
    x = 3 * torch.randn(shape, dtype=F64)
    found = Gate()(x)
    assert found.shape == (2, 3, *shape[2:])
    for channel in range(3):
        pairs = zip(x[:, 2 * channel].flatten().tolist(), x[:, 2 * channel + 1].flatten().tolist(), strict=True)
        expected = [math.tanh(b) / (1 + math.exp(-a)) for a, b in pairs]
        assert found[:, channel].flatten().tolist() == pytest.approx(expected, rel=1e-14)


@WAYS
def test_a_gates_derivatives_are_right_to_the_second(way):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 3, dtype=F64, requires_grad=True)
    with way():
        assert torch.autograd.gradcheck(Gate(), x)
        assert torch.autograd.gradgradcheck(Gate(), x)


def test_a_gate_of_float32_is_that_of_float64_to_rounding():
    torch.manual_seed(0)
    x = 3 * torch.randn(5, 8, 4, 4, dtype=F64)
    torch.testing.assert_close(Gate()(x.float()).double(), Gate()(x), rtol=1e-6, atol=1e-7)
