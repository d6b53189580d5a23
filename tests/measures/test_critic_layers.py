import math

import numpy as np
import pytest
import torch

from wganbench.errors import DataError
from wganbench.measures.critic_layers import (
    edge_share,
    gradient_norms_by_layer,
    gradient_reach,
    gradient_slope,
    gradient_spread,
    layer_norms,
    weight_histogram,
    weight_kurtosis,
    zero_gradient_layers,
)
from wganbench.networks.mlp import Mlp

REAL, FAKE = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [1.0], [0.5]])
OUTPUT = math.sqrt(1 / 2 + 1 / 3)  # norm at the output: 2 rows of −1/2, 3 rows of 1/3
OF_GRADIENTS = [gradient_slope, gradient_spread, gradient_reach, zero_gradient_layers]
OF_WEIGHTS = [edge_share, weight_kurtosis]


@pytest.fixture(autouse=True)
def as_the_runner_calls_measures():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def chain(*weights, width=1, inputs=1):
    """A critic all of whose weights in one layer are equal; of positive inputs its ReLUs let everything through."""
    network = Mlp((inputs,), (), hidden=[width] * (len(weights) - 1))
    for layer, weight in zip(network.layers[::2], weights, strict=True):
        layer.weight.fill_(weight)
    return network


def with_weights(values):
    """A critic of one hidden layer, whose biases are far larger than its weights."""
    hidden = len(values) // 2
    network = Mlp((1,), (), hidden=[hidden])
    network.layers[0].weight.copy_(values[:hidden, None])
    network.layers[2].weight.copy_(values[None, hidden:])
    for layer in network.layers[::2]:
        layer.bias.fill_(100.0)
    return network


@pytest.mark.parametrize("weight", [2.0**-13, 2.0**-10, 2.0**-3, 1.0, 4.0])  # 2⁻¹³: 1e-47 at the input, 2⁻¹⁰: 8e-37
def test_norms_of_a_chain_are_powers_of_its_weight(weight):
    network = chain(*[weight] * 12)
    expected = [OUTPUT * weight**depth for depth in range(13)]
    np.testing.assert_allclose(layer_norms(network, REAL, FAKE), expected, rtol=1e-12)
    assert gradient_slope(network, REAL, FAKE) == pytest.approx(math.log10(weight), rel=1e-12)
    assert gradient_spread(network, REAL, FAKE) == pytest.approx(12 * abs(math.log10(weight)), rel=1e-12)
    assert gradient_reach(network, REAL, FAKE) == pytest.approx(12 * math.log10(weight), rel=1e-12)
    assert zero_gradient_layers(network, REAL, FAKE) == 0


def test_float32_would_take_the_same_norm_for_zero():
    network = chain(*[1e-3] * 10)
    weight = network.layers[0].weight.double().item()
    (norm,) = layer_norms(network, REAL, FAKE)[-1:]
    assert norm == pytest.approx(OUTPUT * weight**10, rel=1e-12, abs=0)  # 9e-31
    with torch.enable_grad():
        fake = FAKE.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(network(fake).mean(), fake)
    assert gradient.all()
    assert gradient.square().sum().sqrt() == 0


def test_the_norm_is_over_rows_and_units_together():
    network = chain(0.5, 0.25, 3.0, width=4, inputs=2)
    units = [1, 3.0, 4 * 3.0 * 0.25, 4 * 4 * 3.0 * 0.25 * 0.5]  # the gradient of one unit; paths times weights
    expected = [OUTPUT * gradient * math.sqrt(n) for gradient, n in zip(units, [1, 4, 4, 2], strict=True)]
    real, fake = REAL.repeat(1, 2), FAKE.repeat(1, 2)
    np.testing.assert_allclose(layer_norms(network, real, fake), expected, rtol=1e-12)


def test_each_row_goes_back_through_its_own_units():
    network = chain(2.0, 2.0, 2.0)
    norms = layer_norms(network, REAL, -FAKE)  # the fake rows are dead behind the last hidden layer
    np.testing.assert_allclose(norms, [OUTPUT, 2 * OUTPUT, 4 * math.sqrt(1 / 2), 8 * math.sqrt(1 / 2)], rtol=1e-12)


def test_real_and_fake_rows_do_not_cancel():
    np.testing.assert_allclose(layer_norms(chain(1.0, 1.0), REAL, REAL), [1, 1, 1], rtol=1e-12)


def test_the_input_counts_before_its_scaling():
    network = chain(1.0, 1.0)
    network.input_scale = 0.5
    np.testing.assert_allclose(layer_norms(network, REAL, FAKE), [OUTPUT, OUTPUT, OUTPUT / 2], rtol=1e-12)


def test_slope_is_the_least_squares_line_through_all_layers():
    weights = [10.0, 0.1, 100.0, 1.0]  # of depth 4, 3, 2, 1: heights 0, 0, 2, 1, 2, for a line of slope 0.5
    network = chain(*weights)
    np.testing.assert_allclose(np.log10(layer_norms(network, REAL, FAKE) / OUTPUT), [0, 0, 2, 1, 2], atol=1e-6)
    assert gradient_slope(network, REAL, FAKE) == pytest.approx(0.5, abs=1e-6)
    assert gradient_spread(network, REAL, FAKE) == pytest.approx(2, abs=1e-6)
    assert gradient_reach(network, REAL, FAKE) == pytest.approx(2, abs=1e-6)


def test_spread_and_reach_differ_where_the_ends_are_not_the_extremes():
    network = chain(100.0, 1e-3)
    assert gradient_spread(network, REAL, FAKE) == pytest.approx(3, abs=1e-6)
    assert gradient_reach(network, REAL, FAKE) == pytest.approx(-1, abs=1e-6)


def test_a_layer_without_gradient_stays_and_is_counted():
    network = chain(1.0, 1.0, 1.0, 1.0)
    network.layers[2].bias.fill_(-100.0)  # the second hidden layer is dead
    norms = layer_norms(network, REAL, FAKE)
    np.testing.assert_allclose(norms[:2], OUTPUT)
    assert norms[2:].tolist() == [0, 0, 0]  # nothing comes through the third, which gets 0 and has no slope there
    assert zero_gradient_layers(network, REAL, FAKE) == 3
    assert math.isnan(gradient_slope(network, REAL, FAKE))
    assert gradient_spread(network, REAL, FAKE) == math.inf
    assert gradient_reach(network, REAL, FAKE) == -math.inf


def test_the_network_is_left_as_it_was():
    network = chain(0.5, 0.5, 0.5)
    gradient_norms_by_layer(network, REAL, FAKE)
    assert [(p.dtype, p.grad) for p in network.parameters()] == [(torch.float32, None)] * 6
    assert not REAL.requires_grad


def test_samples_in_float64_are_left_as_they_were():
    real = REAL.double()
    gradient_norms_by_layer(chain(0.5, 0.5), real, FAKE)
    assert not real.requires_grad


def test_a_slope_needs_two_hidden_layers():
    assert gradient_slope(chain(1.0, 1.0, 1.0), REAL, FAKE) == 0
    with pytest.raises(DataError, match=r"^gradient_slope: needs a critic of at least 2 hidden layers, got 1$"):
        gradient_slope(chain(1.0, 1.0), REAL, FAKE)


def test_a_network_that_does_not_tell_its_layers_is_an_error():
    with pytest.raises(DataError, match=r"must have a method activations\(x\).*, got Linear without one$"):
        gradient_slope(torch.nn.Linear(1, 1), REAL, FAKE)


@pytest.mark.parametrize("measure", OF_GRADIENTS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_measure_nan_even_if_a_relu_hides_them(measure, value):
    fake = FAKE.clone()
    fake[1, 0] = value
    assert math.isnan(measure(chain(1.0, 1.0, 1.0), REAL, fake))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_measure_nan(value):
    network = chain(1.0, 1.0, 1.0)
    network.layers[2].weight.fill_(value)
    assert all(math.isnan(measure(network, REAL, FAKE)) for measure in OF_GRADIENTS)
    assert all(math.isnan(measure(network)) for measure in OF_WEIGHTS)
    assert np.isnan(layer_norms(network, REAL, FAKE)).all()
    assert np.isnan(weight_histogram(network, bins=7)).tolist() == [[True] * 3] * 7


@pytest.mark.parametrize("c", [1e-3, 0.1, 1.0])
def test_two_equal_piles_at_the_clip_value_lie_at_the_edge(c):
    network = with_weights(torch.tensor([c, -c] * 50))
    assert edge_share(network) == 1
    assert weight_kurtosis(network) == pytest.approx(1, rel=1e-12)


def test_the_edge_is_a_part_of_the_largest_weight_of_either_sign():
    network = with_weights(torch.tensor([-2.0, 1.95, 1.85, 1.0, -0.1, 0.0]))
    assert edge_share(network) == pytest.approx(2 / 6)
    assert edge_share(network, edge=0.9) == pytest.approx(3 / 6)
    assert edge_share(network, edge=0.5) == pytest.approx(4 / 6)


def test_one_edge_holds_for_all_layers():
    network = with_weights(torch.tensor([1.0] * 10 + [0.01] * 10))  # a scale of each layer's own would give 1
    assert edge_share(network) == 0.5


@pytest.mark.parametrize("loc", [0.0, 0.3])
def test_kurtosis_of_even_and_of_normal_weights(loc):
    assert weight_kurtosis(with_weights(torch.linspace(-1, 1, 10_000) + loc)) == pytest.approx(1.8, abs=1e-3)
    normal = torch.distributions.Normal(loc, 0.02).icdf((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000)
    assert weight_kurtosis(with_weights(normal)) == pytest.approx(3, abs=0.02)


def test_of_even_weights_a_twentieth_lies_at_the_edge():
    assert edge_share(with_weights(torch.linspace(-0.01, 0.01, 10_000))) == pytest.approx(0.05, abs=2e-4)


def test_weights_that_are_all_equal_have_no_kurtosis():
    assert math.isnan(weight_kurtosis(with_weights(torch.full((30,), 0.1))))


def test_histogram_has_the_edges_and_shares_of_the_weights_alone():
    histogram = weight_histogram(with_weights(torch.tensor([-1.0, -0.9, -0.4, 0.1, 0.2, 2.0])), bins=4)
    expected = [[-2, -1, 0], [-1, 0, 3 / 6], [0, 1, 2 / 6], [1, 2, 1 / 6]]  # the last bin has both its edges
    np.testing.assert_allclose(histogram, expected, rtol=1e-12)


def test_shares_of_a_histogram_sum_to_one():
    histogram = weight_histogram(Mlp((2,), (), hidden=[64, 64], init="normal", init_scale=0.02))
    assert histogram.shape == (100, 3)
    assert histogram.dtype == np.float64
    assert histogram[:, 2].sum() == pytest.approx(1, rel=1e-12)
    np.testing.assert_array_equal(histogram[1:, 0], histogram[:-1, 1])


def test_a_network_without_weights_is_an_error():
    with pytest.raises(DataError, match=r"must have a weight matrix, got ReLU without one$"):
        edge_share(torch.nn.ReLU())
