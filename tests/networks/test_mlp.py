import math
from contextlib import nullcontext

import pytest
import scipy.stats
import torch
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import batch_norm, elu, leaky_relu
from torch.utils._python_dispatch import TorchDispatchMode

from wganbench.networks.mlp import Mlp, SummedLinear, stacked


@pytest.mark.parametrize(
    ("shapes", "hidden", "expected"),
    [
        (((2,), (2,)), [512, 512, 512], 527_874),  # the official toy generator
        (((2,), ()), [512, 512, 512], 527_361),  # and its critic
        (((256,), (2,)), [128, 128], 256 * 128 + 128 + 128 * 128 + 128 + 128 * 2 + 2),
    ],
)
def test_parameter_counts(shapes, hidden, expected):
    assert sum(p.numel() for p in Mlp(*shapes, hidden=hidden).parameters()) == expected


def test_summed_units_equal_the_sum_over_unit_outputs_in_value_and_gradient():
    torch.manual_seed(0)
    layer = SummedLinear(6, 2, units=4).double()
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(5, 6, dtype=torch.float64)
    slow = torch.nn.functional.linear(x, layer.weight, layer.bias).view(5, 2, 4).sum(2)
    torch.testing.assert_close(layer(x), slow)
    fast_gradients = torch.autograd.grad(layer(x).square().sum(), [layer.weight, layer.bias])
    slow_gradients = torch.autograd.grad(slow.square().sum(), [layer.weight, layer.bias])
    torch.testing.assert_close(fast_gradients, slow_gradients)


def test_a_critic_scales_its_input_leaks_and_gives_one_score_a_row():
    torch.manual_seed(0)
    critic = Mlp((2,), (), hidden=[3], activation="leaky_relu", input_scale=0.5)
    first, _, last = critic.layers
    x = torch.randn(7, 2)
    expected = last(leaky_relu(first(x / 2), 0.2)).squeeze(1)
    assert critic(x).shape == (7,)
    torch.testing.assert_close(critic(x), expected)


@pytest.mark.parametrize(
    ("init", "scale", "std"),
    [
        ("normal", 0.02, 0.02),
        ("uniform", 0.01, 0.01 / math.sqrt(3)),
        ("he_normal", 0.8, 0.8 * math.sqrt(2 / 400)),
        ("he_uniform", 1.0, math.sqrt(2 / 400)),
        ("glorot_uniform", 1.0, math.sqrt(2 / 1000)),
        ("orthogonal", 0.8, 0.8 / math.sqrt(600)),
    ],
)
def test_initialisations_have_the_stated_spread(init, scale, std):
    torch.manual_seed(0)
    weight = Mlp((400,), (1,), hidden=[600], init=init, init_scale=scale).layers[0].weight.detach()
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    if init.endswith("uniform"):
        assert weight.abs().max().item() <= math.sqrt(3) * std
        assert weight.abs().max().item() >= 0.99 * math.sqrt(3) * std


def test_the_last_layer_may_be_drawn_otherwise():
    torch.manual_seed(0)
    last = Mlp((2,), (300,), hidden=[500], init="he_uniform", last_init="glorot_uniform").layers[-1]
    assert last.weight.std().item() == pytest.approx(math.sqrt(2 / 800), rel=0.02)
    assert not last.bias.any()


@pytest.mark.parametrize(("input_scale", "summed_outputs"), [(1.0, 1), (0.5, 4)])
def test_activations_are_the_input_each_hidden_layer_and_the_output(input_scale, summed_outputs):
    torch.manual_seed(0)
    critic = Mlp((2, 3), (), hidden=[5, 4] * 5 + [7], input_scale=input_scale, summed_outputs=summed_outputs)
    x = torch.randn(9, 2, 3)
    passed = critic.activations(x)
    assert [tuple(layer.shape) for layer in passed] == [(9, 6), *[(9, 5), (9, 4)] * 5, (9, 7), (9,)]  # 13 for 11 hidden
    assert torch.equal(passed[0], x.flatten(1))
    assert torch.equal(passed[-1], critic(x))
    for hidden in passed[1:-1]:
        assert hidden.min() == 0  # after the nonlinearity: before it, some are below
        assert hidden.max() > 0


def test_activations_are_parts_of_the_graph_of_the_output():
    critic = Mlp((1,), (), hidden=[1, 1], input_scale=0.5)
    with torch.no_grad():
        for layer, weight in zip(critic.layers[::2], (2.0, 3.0, 5.0), strict=True):
            layer.weight.fill_(weight)
    *passed, output = critic.activations(torch.tensor([[1.0]], requires_grad=True))
    gradients = torch.autograd.grad(output.sum(), passed)
    assert [gradient.item() for gradient in gradients] == [0.5 * 2 * 3 * 5, 3 * 5, 5]


def test_activations_without_a_hidden_layer_are_the_input_and_the_output():
    critic, x = Mlp((2,), (), hidden=[]), torch.randn(3, 2)
    inputs, output = critic.activations(x)
    assert torch.equal(inputs, x)
    assert torch.equal(output, critic(x))


def test_a_normalisation_stands_before_the_nonlinearity_of_each_hidden_layer():
    torch.manual_seed(0)
    critic = Mlp((2,), (), hidden=[3, 4], activation="elu", norm="batch")
    assert sum(p.numel() for p in critic.parameters()) == 2 * 3 + 3 + 3 * 4 + 4 + 4 + 1 + 2 * (3 + 4)
    first, norm, _, second, _, _, last = critic.layers
    torch.nn.init.uniform_(norm.weight)
    torch.nn.init.uniform_(norm.bias)
    x = torch.randn(7, 2)
    hidden = elu(batch_norm(first(x), None, None, norm.weight, norm.bias, training=True))
    expected = last(elu(batch_norm(second(hidden), None, None, training=True))).squeeze(1)
    torch.testing.assert_close(critic(x), expected)
    torch.testing.assert_close(critic.activations(x)[1], hidden)
    assert torch.equal(critic.activations(x)[-1], critic(x))


@pytest.mark.parametrize(("output", "function"), [("tanh", torch.tanh), ("sigmoid", torch.sigmoid)])
def test_a_generator_of_images_may_end_in_a_nonlinearity(output, function):
    torch.manual_seed(0)
    generator = Mlp((5,), (1, 4, 4), hidden=[8], norm="batch", output=output)
    x = torch.randn(3, 5)
    torch.testing.assert_close(generator(x), function(generator.layers(x)).view(3, 1, 4, 4))
    assert torch.equal(generator.activations(x)[-1], generator(x))


def test_normal_latents_become_uniform_ones():
    torch.manual_seed(0)
    generator = Mlp((1,), (1,), hidden=[], uniform_latent=True, input_scale=2.0).double()
    torch.nn.init.ones_(generator.layers[0].weight)
    z = torch.randn(100_000, 1, dtype=torch.float64)
    made = generator(z).detach() / 2
    torch.testing.assert_close(made, 2 * torch.distributions.Normal(0, 1).cdf(z) - 1)
    assert scipy.stats.kstest(made.flatten().numpy(), "uniform", (-1, 2)).pvalue > 1e-3


class Products(TorchDispatchMode):
    """Notes the numbers by which tensors are multiplied in its block."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.mul.Scalar:
            self.found.append(args[1])
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("summed_outputs", [1, 3])
def test_a_stack_computes_to_the_bit_what_vmap_does_of_torchs_own_layer_without_products_with_1(summed_outputs):
    def called(context):
        torch.manual_seed(0)
        networks = [Mlp((3,), (2,), hidden=[5, 4], summed_outputs=summed_outputs) for _ in range(2)]
        parameters, _ = stack_module_state(networks)
        x = torch.randn(2, 6, 3, requires_grad=True)
        with context, Products() as products:
            y = vmap(lambda own, rows: functional_call(networks[0], own, rows))(parameters, x)
            (gradient,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
            of = [x, *parameters.values()]
            second = torch.autograd.grad((gradient * gradient).sum(), of, allow_unused=True, materialize_grads=True)
        return [y, gradient, *second], products.found

    (plain, scaled), (found, unscaled) = called(nullcontext()), called(stacked())
    assert all(torch.equal(own, other) for own, other in zip(found, plain, strict=True))
    assert scaled.count(1) >= 3
    assert unscaled.count(1) == 0
