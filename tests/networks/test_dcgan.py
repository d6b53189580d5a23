"""DCGANs: published sizes, the order of layers, and one step of a stack against each seed by itself in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wganbench.errors import SpecError
from wganbench.losses.constraints import gradient_penalty
from wganbench.networks.convolution import Conv, Deconv, Linear
from wganbench.networks.dcgan import DcganCritic, DcganGenerator
from wganbench.networks.nonlinearity import NONLINEARITIES
from wganbench.rng import Streams
from wganbench.training.stack import Stack, build

CIFAR, DIGITS, BEDROOMS, SMALL = (3, 32, 32), (1, 28, 28), (3, 64, 64), (3, 16, 16)
OFFICIAL = {
    "gan_cifar": (CIFAR, {"filters": 128, "unit_norm": True}, 5_179_907, {"filters": 128}, 4_114_689),
    "gan_mnist": (DIGITS, {"filters": 64, "norm": "none"}, 1_554_177, {"filters": 64}, 1_030_145),
}
"""Images, generator and its parameters, critic and its, as the official code has them for WGAN-GP."""


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", OFFICIAL)
def test_published_parameter_counts(name):
    shape, generator, of_generator, critic, of_critic = OFFICIAL[name]
    assert size(DcganGenerator((128,), shape, **generator)) == of_generator
    assert size(DcganCritic(shape, (), **critic)) == of_critic


def test_the_baseline_of_64_pixels_is_the_one_of_figure_2():
    generator = DcganGenerator((128,), BEDROOMS, filters=64, init_std=0.02)
    critic = DcganCritic(BEDROOMS, (), filters=64, norm="batch", init_std=0.02)
    widths = [layer.weight.shape[:2] for layer in generator.layers if isinstance(layer, Deconv)]
    assert widths == [(512, 256), (256, 128), (128, 64), (64, 3)]
    assert generator.layers[0].weight.shape == (512 * 4 * 4, 128)
    widths = [layer.weight.shape[:2] for layer in critic.layers if isinstance(layer, Conv)]
    assert widths == [(64, 3), (128, 64), (256, 128), (512, 256)]
    for layer in (*generator.layers, *critic.layers):
        if isinstance(layer, Linear | Conv | Deconv):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)


def names(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.layers]


def test_the_first_convolution_and_the_last_layers_have_no_normalisation():
    critic = DcganCritic(CIFAR, (), filters=2, norm="layer")
    block = ["Conv", "LayerNorm", "Nonlinearity"]
    assert names(critic) == ["Conv", "Nonlinearity", *block, *block, "Flatten", "Linear"]
    generator = DcganGenerator((7,), CIFAR, filters=2)
    block = ["Deconv", "BatchNorm", "Nonlinearity"]
    assert names(generator) == ["Linear", "Unflatten", "BatchNorm", "Nonlinearity", *block, *block, "Deconv"]
    by_unit = DcganGenerator((7,), CIFAR, filters=2, unit_norm=True)
    assert names(by_unit)[:4] == ["Linear", "BatchNorm", "Unflatten", "Nonlinearity"]


@pytest.mark.parametrize(
    ("shape", "fewest", "side", "width"), [(CIFAR, 4, 8, 2), (SMALL, 3, 8, 1), (BEDROOMS, 5, 8, 4), (DIGITS, 4, 7, 2)]
)
def test_depth_counts_layers_with_weights_and_inserts_them_at_the_last_side_but_one(shape, fewest, side, width):
    filters = 2
    for network, x in (
        (lambda depth: DcganGenerator((5,), shape, filters=filters, depth=depth), torch.randn(2, 5)),
        (lambda depth: DcganCritic(shape, (), filters=filters, depth=depth), torch.randn(2, *shape)),
    ):
        plain, deep = network(None), network(fewest + 3)
        weights = [
            [layer for layer in each.layers if hasattr(layer, "weight") and layer.weight.ndim > 1]
            for each in (plain, deep)
        ]
        assert [len(found) for found in weights] == [fewest, fewest + 3]
        sides = []
        for layer in deep.layers:
            x = layer(x)
            if isinstance(layer, Conv) and layer.stride == 1:
                sides.append(tuple(x.shape[1:]))
                assert layer.weight.shape[-1] == 3
        assert sides == [(width * filters, side, side)] * 3


@pytest.mark.parametrize("shape", [CIFAR, DIGITS, BEDROOMS, SMALL, (3, 9, 9), (1, 23, 23)])
@pytest.mark.parametrize("depth", [None, 8])
def test_a_generator_makes_what_a_critic_scores(shape, depth):
    torch.manual_seed(0)
    images = DcganGenerator((6,), shape, filters=2, depth=depth)(torch.randn(4, 6))
    assert images.shape == (4, *shape)
    assert images.abs().max() <= 1
    assert DcganCritic(shape, (), filters=2, depth=depth)(images).shape == (4,)


def test_pixels_lie_in_the_range_of_the_output():
    torch.manual_seed(0)
    generator = DcganGenerator((6,), SMALL, filters=2, output="sigmoid", init_std=1.0)
    images = generator(torch.randn(8, 6))
    assert 0 <= images.min() < 0.1 and 0.9 < images.max() <= 1


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((2,), {}, r"^a DCGAN is for images \(channels, side, side\), got samples of shape \(2,\)$"),
        ((3, 16, 8), {}, r"got samples of shape \(3, 16, 8\)$"),
        ((3, 8, 8), {}, r"^images of 8×8 are too small for a DCGAN; a side must be at least 9$"),
        (CIFAR, {"depth": 3}, r"^depth: must be at least 4 for images of 32×32, got 3$"),
    ],
)
def test_what_does_not_exist_is_refused(shape, options, message):
    for network in (
        lambda: DcganGenerator((4,), shape, filters=8, **options),
        lambda: DcganCritic(shape, (), filters=8, **options),
    ):
        with pytest.raises(SpecError, match=message):
            network()


# ---- stacks ---------------------------------------------------------------------------------------------------------

SEEDS = [3, 8]


def stacks(seeds: list[int], activation: str, norm: str, shape: tuple[int, ...] = SMALL) -> tuple[Stack, Stack]:
    def generator() -> nn.Module:
        return DcganGenerator((5,), shape, filters=2, depth=4, activation=activation, norm=norm).double()

    def critic() -> nn.Module:
        return DcganCritic(shape, (), filters=2, depth=4, activation=activation, norm=norm).double()

    return Stack(build(generator, seeds, "generator")), Stack(build(critic, seeds, "critic"))


def gradients(seeds: list[int], positions: list[int], activation: str, norm: str) -> list[torch.Tensor]:
    """Of one step's losses, penalty included, for all parameters of both stacks, each of ``(seeds, …)``."""
    generator, critic = stacks(seeds, activation, norm)
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(len(SEEDS), 6, *SMALL, dtype=torch.float64, generator=rng)[positions]
    latent = torch.randn(len(SEEDS), 6, 5, dtype=torch.float64, generator=rng)[positions]
    fake = generator(latent)
    penalty = gradient_penalty(critic, real, fake, Streams(seeds, "penalty", "cpu"))
    loss = (critic(fake) - critic(real)).mean(1) + penalty
    loss.sum().backward()
    return [tensor.grad for stack in (generator, critic) for tensor in stack.parameters.values()]


@pytest.mark.parametrize("activation", [*NONLINEARITIES, "gated"])
@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
def test_a_stack_has_the_gradients_of_each_seed_by_itself(activation, norm):
    together = gradients(SEEDS, [0, 1], activation, norm)
    for place, seed in enumerate(SEEDS):
        alone = gradients([seed], [place], activation, norm)
        for ours, own in zip(together, alone, strict=True):
            torch.testing.assert_close(ours[place], own[0], rtol=1e-5, atol=1e-10)
    largest = max(gradient.abs().max().item() for gradient in together)
    assert 1e-3 < largest < 1e6  # the comparison is of something


@pytest.mark.parametrize("activation", ["leaky_relu", "gated"])
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_a_critic_for_a_penalty_does_not_mix_rows(norm, activation):
    options = {"filters": 2, "depth": 4, "norm": norm, "activation": activation}
    critic = build(lambda: DcganCritic(SMALL, (), **options).double(), [0], "critic")[0]
    x = torch.randn(4, *SMALL, dtype=torch.float64)
    torch.testing.assert_close(critic(x)[1:2], critic(x[1:2]))


def test_a_module_of_a_seed_is_that_network():
    _, critic = stacks(SEEDS, "softplus", "layer")
    x = torch.randn(3, *SMALL, dtype=torch.float64)
    torch.testing.assert_close(critic.module_of_seed(1)(x), critic(x.expand(2, -1, -1, -1, -1))[1])


def test_a_generator_of_constant_width_is_that_of_figure_2_and_under_a_tenth_of_the_baseline():
    generator = DcganGenerator((128,), BEDROOMS, filters=64, constant=True, norm="none")
    widths = [layer.weight.shape[:2] for layer in generator.layers if isinstance(layer, Deconv)]
    assert widths == [(64, 64), (64, 64), (64, 64), (64, 3)]
    assert generator.layers[0].weight.shape == (64 * 4 * 4, 128)
    assert 10 * size(generator) < size(DcganGenerator((128,), BEDROOMS, filters=64))
    assert "BatchNorm" not in names(generator)


# ---- gates ----------------------------------------------------------------------------------------------------------


def test_gated_layers_have_twice_the_outputs_and_the_next_one_sees_half_of_them():
    generator = DcganGenerator((128,), BEDROOMS, filters=64, activation="gated")
    widths = [layer.weight.shape[:2] for layer in generator.layers if isinstance(layer, Deconv)]
    assert widths == [(512, 512), (256, 256), (128, 128), (64, 3)]
    assert generator.layers[0].weight.shape == (2 * 512 * 4 * 4, 128)
    critic = DcganCritic(BEDROOMS, (), filters=64, norm="layer", activation="gated")
    widths = [layer.weight.shape[:2] for layer in critic.layers if isinstance(layer, Conv)]
    assert widths == [(128, 3), (256, 64), (512, 128), (1024, 256)]
    assert critic.layers[-1].weight.shape == (1, 512 * 4 * 4)
    assert names(generator).count("Gate") == names(critic).count("Gate") == 4
    assert "Nonlinearity" not in names(generator) + names(critic)


@pytest.mark.parametrize("unit_norm", [False, True])
def test_a_gated_generator_makes_what_a_gated_critic_scores(unit_norm):
    torch.manual_seed(0)
    options = {"filters": 2, "depth": 5, "activation": "gated"}
    images = DcganGenerator((6,), CIFAR, unit_norm=unit_norm, **options)(torch.randn(4, 6))
    assert images.shape == (4, *CIFAR)
    assert DcganCritic(CIFAR, (), norm="layer", **options)(images).shape == (4,)


def test_a_gated_critic_is_the_one_written_out():
    torch.manual_seed(0)
    critic = DcganCritic(SMALL, (), filters=2, norm="none", activation="gated").double()
    images = torch.randn(3, *SMALL, dtype=torch.float64)
    x = images
    for layer in [each for each in critic.layers if isinstance(each, Conv)]:
        y = nn.functional.conv2d(nn.functional.pad(x, (1, 2, 1, 2)), layer.weight, layer.bias, stride=2)
        x = torch.stack([y[:, 2 * i].sigmoid() * y[:, 2 * i + 1].tanh() for i in range(y.shape[1] // 2)], dim=1)
    expected = x.flatten(1) @ critic.layers[-1].weight[0] + critic.layers[-1].bias
    torch.testing.assert_close(critic(images), expected)
