"""The networks of the character model: their sizes, and each against one written out by hand in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from wganbench.errors import SpecError
from wganbench.losses.constraints import gradient_penalty
from wganbench.networks.text_resnet import TextCritic, TextGenerator
from wganbench.rng import Streams
from wganbench.training.stack import Stack, build

F64 = torch.float64
TEXT, DIM = (7, 6), 4


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_are_those_counted_by_hand():
    """Of the official script: 512 channels, 32 characters, latents of 128; here with an alphabet of 100 symbols."""
    blocks = 5 * 2 * (5 * 512 * 512 + 512)
    with torch.device("meta"):
        assert size(TextGenerator((128,), (100, 32))) == 129 * 32 * 512 + blocks + 513 * 100
        assert size(TextCritic((100, 32), ())) == 101 * 512 + blocks + 32 * 512 + 1


def test_weights_are_drawn_as_the_official_code_draws_them():
    torch.manual_seed(0)
    for network, std_of_linear in (
        (TextGenerator((128,), (40, 16), dim=64), math.sqrt(2 / (128 + 64 * 16))),
        (TextCritic((40, 16), (), dim=64), math.sqrt(2 / (64 * 16 + 1))),
    ):
        for name, tensor in network.named_parameters():
            if name.endswith("bias"):
                assert not tensor.any()
                continue
            outputs, inputs, *kernel = tensor.shape
            std = math.sqrt(4 / ((inputs + outputs) * kernel[0])) if kernel else std_of_linear
            assert tensor.std().item() == pytest.approx(std, rel=0.06), name
            assert tensor.abs().max().item() <= math.sqrt(3) * std * (1 + 1e-6)


def conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The sum over the characters of a filter, at each place, with zeros outside."""
    reach = weight.shape[2] // 2
    padded = functional.pad(x, (reach, reach))
    places = [padded[:, :, k : k + x.shape[2]] for k in range(weight.shape[2])]
    return sum(torch.einsum("oi,bin->bon", weight[:, :, k], each) for k, each in enumerate(places)) + bias[:, None]


def after_blocks(x: Tensor, p: dict[str, Tensor], places: range) -> Tensor:
    for i in places:
        own = [p[f"layers.{i}.{layer}.{kind}"] for layer in ("first", "second") for kind in ("weight", "bias")]
        x = x + 0.3 * conv(conv(x.clamp_min(0), *own[:2]).clamp_min(0), *own[2:])
    return x


def drawn(network: nn.Module) -> dict[str, Tensor]:
    """Its parameters in float64, biases drawn too."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.double().named_parameters():
            if name.endswith("bias"):
                tensor.copy_(torch.randn(tensor.shape, dtype=F64, generator=rng))
    return dict(network.named_parameters())


def test_a_generator_is_the_one_written_out_and_makes_probabilities():
    generator = TextGenerator((5,), TEXT, dim=DIM)
    p, z = drawn(generator), torch.randn(3, 5, dtype=F64)
    x = (z @ p["layers.0.weight"].T + p["layers.0.bias"]).view(3, DIM, 6)
    scores = conv(after_blocks(x, p, range(2, 7)), p["layers.7.weight"], p["layers.7.bias"])
    expected = scores.exp() / scores.exp().sum(1, keepdim=True)
    made = generator(z)
    assert made.shape == (3, *TEXT)
    torch.testing.assert_close(made, expected)
    torch.testing.assert_close(made.sum(1), torch.ones(3, 6, dtype=F64))


def test_a_critic_is_the_one_written_out():
    critic = TextCritic(TEXT, (), dim=DIM)
    p, x = drawn(critic), torch.randn(3, *TEXT, dtype=F64)
    features = after_blocks(conv(x, p["layers.0.weight"], p["layers.0.bias"]), p, range(1, 6))
    expected = features.flatten(1) @ p["layers.7.weight"][0] + p["layers.7.bias"]
    torch.testing.assert_close(critic(x), expected)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2,)])
def test_what_is_no_text_is_refused(shape):
    for make in (lambda: TextGenerator((4,), shape, dim=2), lambda: TextCritic(shape, (), dim=2)):
        with pytest.raises(SpecError, match=r"^a text network is for texts \(symbols, length\), got samples of shape"):
            make()


def gradients(seeds: list[int], positions: list[int]) -> list[Tensor]:
    """Of one step's losses, penalty included, for all parameters of both stacks."""
    generator = Stack(build(lambda: TextGenerator((5,), TEXT, dim=DIM).double(), seeds, "generator"))
    critic = Stack(build(lambda: TextCritic(TEXT, (), dim=DIM).double(), seeds, "critic"))
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(2, 3, *TEXT, dtype=F64, generator=rng)[positions]
    fake = generator(torch.randn(2, 3, 5, dtype=F64, generator=rng)[positions])
    penalty = gradient_penalty(critic, real, fake, Streams(seeds, "penalty", "cpu"))
    ((critic(fake) - critic(real)).mean(1) + penalty).sum().backward()
    return [tensor.grad for stack in (generator, critic) for tensor in stack.parameters.values()]


def test_a_stack_has_the_gradients_of_each_seed_by_itself():
    together = gradients([3, 8], [0, 1])
    for place, seed in enumerate((3, 8)):
        for ours, own in zip(together, gradients([seed], [place]), strict=True):
            torch.testing.assert_close(ours[place], own[0], rtol=1e-5, atol=1e-10)
    assert max(gradient.abs().max().item() for gradient in together) > 1e-3
