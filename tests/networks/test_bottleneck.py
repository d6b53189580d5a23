"""The ResNet of 101 layers: its sizes, its weights at the start, and each network against one written out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from wganbench.errors import SpecError
from wganbench.losses.constraints import gradient_penalty
from wganbench.networks.bottleneck import BottleneckBlock, BottleneckCritic, BottleneckGenerator
from wganbench.rng import Streams
from wganbench.training.stack import Stack, build

F64 = torch.float64
BEDROOMS, SMALL, TINY = (3, 64, 64), (3, 16, 16), (3, 8, 8)


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# ---- sizes ----------------------------------------------------------------------------------------------------------


def n_layers(network: nn.Module) -> int:
    """Layers with weights on the longest way from input to output: all but those of shortcuts."""
    names = [name for name, tensor in network.named_parameters() if tensor.ndim > 1]
    return sum("shortcut" not in name for name in names)


@pytest.mark.parametrize(("side", "expected"), [(64, 101), (32, 80), (16, 59)])
def test_images_of_64_pixels_have_101_layers(side, expected):
    with torch.device("meta"):
        assert n_layers(BottleneckGenerator((128,), (3, side, side))) == expected
        assert n_layers(BottleneckCritic((3, side, side), (), norm="layer")) == expected


def kept(width: int) -> int:
    """Parameters of a block, by hand: 1×1, 3×3 and 1×1 without biases, normalisation."""
    half = width // 2
    return (width + 1) * half + (9 * half + 1) * half + half * width + 2 * width


def resized(inputs: int, outputs: int, pixels: int) -> int:
    """Parameters of a block that changes the side; its shortcut makes this many pixels from each."""
    branch = (inputs + 1) * (inputs // 2) + (9 * (inputs // 2) + 1) * (outputs // 2) + (outputs // 2) * outputs
    return branch + 2 * outputs + (inputs + 1) * pixels * outputs


def test_parameters_are_those_counted_by_hand_from_the_layers_of_the_official_script():
    blocks = 6 * (kept(512) + kept(256) + kept(128) + kept(64)) + 5 * kept(32)
    ups = sum(resized(2 * width, width, 4) for width in (256, 128, 64, 32))
    downs = sum(resized(width, 2 * width, 1) for width in (32, 64, 128, 256))
    of_generator = 129 * 512 * 16 + blocks + ups + 33 * 3
    of_critic = 4 * 32 + blocks + downs + 512 * 16 + 1
    assert (of_generator, of_critic) == (9_189_587, 7_618_801)
    with torch.device("meta"):
        assert size(BottleneckGenerator((128,), BEDROOMS)) == of_generator
        for norm in ("batch", "layer"):
            assert size(BottleneckCritic(BEDROOMS, (), norm=norm)) == of_critic
        scales = 2 * (6 * (512 + 256 + 128 + 64) + 5 * 32 + 64 + 128 + 256 + 512)
        assert size(BottleneckCritic(BEDROOMS, ())) == of_critic - scales


def test_sides_and_channels_are_those_of_the_official_script():
    with torch.device("meta"):
        made = {
            "generator": (BottleneckGenerator((128,), BEDROOMS), torch.empty(1, 128)),
            "critic": (BottleneckCritic(BEDROOMS, ()), torch.empty(1, *BEDROOMS)),
        }
        found = {}
        for name, (network, x) in made.items():
            shapes = []
            for layer in network.layers:
                x = layer(x)
                shapes += [tuple(x.shape[1:3])] if isinstance(layer, BottleneckBlock) else []
            found[name] = shapes
    plan = [(512, 4)] * 6 + [(256, 8)] * 7 + [(128, 16)] * 7 + [(64, 32)] * 7 + [(32, 64)] * 6
    assert found["generator"] == plan
    assert found["critic"] == [(32, 64)] * 5 + [(64, 32)] * 7 + [(128, 16)] * 7 + [(256, 8)] * 7 + [(512, 4)] * 7


@pytest.mark.parametrize("shape", [TINY, SMALL, (1, 32, 32)])
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_a_generator_makes_what_a_critic_scores(shape, norm):
    torch.manual_seed(0)
    images = BottleneckGenerator((6,), shape, dim=4)(torch.randn(4, 6))
    assert images.shape == (4, *shape)
    assert images.abs().max() <= 1
    assert BottleneckCritic(shape, (), dim=4, norm=norm)(images).shape == (4,)


@pytest.mark.parametrize(
    ("shape", "dim", "message"),
    [
        ((2,), 4, r"^a ResNet is for images \(channels, side, side\), got samples of shape \(2,\)$"),
        ((1, 28, 28), 4, r"^images of 28×28 are none for a ResNet; a side must be 8, 16, 32 or a further power of 2$"),
        (SMALL, 6, "^dim: must be a multiple of 4 for bottleneck blocks, got 6$"),
    ],
)
def test_what_does_not_exist_is_refused(shape, dim, message):
    for make in (lambda: BottleneckGenerator((4,), shape, dim=dim), lambda: BottleneckCritic(shape, (), dim=dim)):
        with pytest.raises(SpecError, match=message):
            make()


# ---- weights at the start -------------------------------------------------------------------------------------------


def test_weights_are_drawn_as_the_official_code_draws_them():
    torch.manual_seed(0)
    n_glorot = 0
    for network in (BottleneckGenerator((128,), SMALL), BottleneckCritic(SMALL, (), norm="layer")):
        strided = {name for name, module in network.named_modules() if getattr(module, "stride", 1) == 2}
        last = f"layers.{len(network.layers) - 1}.weight"
        for name, tensor in network.named_parameters():
            if name.endswith("bias"):
                assert not tensor.any()
            elif "norm" in name:
                assert (tensor == 1).all()
            else:
                doubling = tensor.ndim == 4 and not name.startswith("layers.0") and "convs.1" in name
                inputs, outputs = tensor.shape[1], tensor.shape[0]
                parent = network.get_submodule(name.removesuffix(".weight"))
                kernel = math.prod(tensor.shape[2:])
                if type(parent).__name__ == "Deconv":
                    assert doubling
                    inputs, outputs = tensor.shape[0] / 4, tensor.shape[1]
                elif name.removesuffix(".weight") in strided:
                    outputs /= 4
                glorot = "shortcut" in name or name in ("layers.0.weight", last)
                n_glorot += glorot
                std = math.sqrt((2 if glorot else 4) / ((inputs + outputs) * kernel))
                assert tensor.std().item() == pytest.approx(std, rel=0.2 if tensor.numel() < 1000 else 0.04), name
                assert tensor.abs().max().item() <= math.sqrt(3) * std * (1 + 1e-6)
    assert n_glorot == 2 * (2 + 2)


# ---- written out by hand --------------------------------------------------------------------------------------------


def drawn(network: nn.Module) -> nn.Module:
    """In float64, all biases, scales and offsets drawn too."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.double().named_parameters():
            if name.endswith("bias") or "norm" in name:
                tensor.copy_(0.5 + torch.rand(tensor.shape, dtype=F64, generator=rng))
    return network


def normalised(x: Tensor, p: Mapping[str, Tensor], own: str, axes: tuple[int, ...]) -> Tensor:
    if f"{own}.norm.weight" not in p:
        return x
    x = (x - x.mean(axes, keepdim=True)) / (x.var(axes, correction=0, keepdim=True) + 1e-5).sqrt()
    return x * p[f"{own}.norm.weight"].view(1, -1, 1, 1) + p[f"{own}.norm.bias"].view(1, -1, 1, 1)


def pointwise(x: Tensor, p: Mapping[str, Tensor], name: str) -> Tensor:
    """A 1×1 convolution, as a product with its matrix at each pixel."""
    y = torch.einsum("oi,bihw->bohw", p[f"{name}.weight"][:, :, 0, 0], x)
    return y + p[f"{name}.bias"].view(1, -1, 1, 1) if f"{name}.bias" in p else y


def block(x: Tensor, p: Mapping[str, Tensor], own: str, axes: tuple[int, ...], side: int) -> Tensor:
    """A block that makes images of ``side`` pixels."""
    before = x.shape[-1]
    weight, bias = p[f"{own}.convs.1.weight"], p[f"{own}.convs.1.bias"]
    y = pointwise(x.clamp_min(0), p, f"{own}.convs.0").clamp_min(0)
    if side == 2 * before:  # each pixel adds the filter to the 3×3 pixels from twice its place on; one is cut off
        large = torch.zeros(len(x), weight.shape[1], side + 1, side + 1, dtype=F64)
        for i in range(before):
            for j in range(before):
                large[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += torch.einsum(
                    "bi,iokl->bokl", y[:, :, i, j], weight
                )
        y = large[:, :, :side, :side] + bias.view(1, -1, 1, 1)
    else:
        start = 1 if side == before else 0
        y = functional.conv2d(functional.pad(y, (start, 1, start, 1)), weight, bias, stride=before // side)
    y = normalised(pointwise(y.clamp_min(0), p, f"{own}.convs.2"), p, own, axes)
    beside = x
    if side < before:
        beside = pointwise(x[:, :, ::2, ::2], p, f"{own}.shortcut")
    elif side > before:
        four = pointwise(x, p, f"{own}.shortcut").unflatten(1, (-1, 2, 2))  # channels, row, column
        beside = four.permute(0, 1, 4, 2, 5, 3).reshape(len(x), -1, side, side)
    return beside + 0.3 * y


def test_a_generator_is_the_one_written_out():
    torch.manual_seed(0)
    network = drawn(BottleneckGenerator((5,), SMALL, dim=4))
    p, z = dict(network.named_parameters()), torch.randn(3, 5, dtype=F64)
    x = (z @ p["layers.0.weight"].T + p["layers.0.bias"]).view(3, 8, 4, 4)
    for i, side in enumerate([4] * 6 + [8] * 7 + [16] * 6):
        x = block(x, p, f"layers.{2 + i}", (0, 2, 3), side)
    torch.testing.assert_close(network(z), (pointwise(x, p, "layers.21") / 5).tanh(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("norm", "axes"), [("none", ()), ("layer", (1, 2, 3)), ("batch", (0, 2, 3))])
def test_a_critic_is_the_one_written_out(norm, axes):
    torch.manual_seed(0)
    network = drawn(BottleneckCritic(SMALL, (), dim=4, norm=norm))
    p, images = dict(network.named_parameters()), torch.randn(3, *SMALL, dtype=F64)
    x = pointwise(images, p, "layers.0")
    for i, side in enumerate([16] * 5 + [8] * 7 + [4] * 7):
        x = block(x, p, f"layers.{1 + i}", axes, side)
    expected = (x.flatten(1) @ p["layers.21.weight"][0] + p["layers.21.bias"]) / 5
    torch.testing.assert_close(network(images), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_a_critic_for_a_penalty_does_not_mix_rows(norm):
    torch.manual_seed(0)
    critic, x = drawn(BottleneckCritic(TINY, (), dim=4, norm=norm)), torch.randn(4, *TINY, dtype=F64)
    torch.testing.assert_close(critic(x)[1:2], critic(x[1:2]))


# ---- one step -------------------------------------------------------------------------------------------------------


def gradients(seeds: list[int], positions: list[int], norm: str) -> list[Tensor]:
    """Of one step's losses, penalty included, for all parameters of both stacks."""
    generator = Stack(build(lambda: BottleneckGenerator((5,), TINY, dim=4).double(), seeds, "generator"))
    critic = Stack(build(lambda: BottleneckCritic(TINY, (), dim=4, norm=norm).double(), seeds, "critic"))
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(2, 4, *TINY, dtype=F64, generator=rng)[positions]
    fake = generator(torch.randn(2, 4, 5, dtype=F64, generator=rng)[positions])
    penalty = gradient_penalty(critic, real, fake, Streams(seeds, "penalty", "cpu"))
    ((critic(fake) - critic(real)).mean(1) + penalty).sum().backward()
    return [tensor.grad for stack in (generator, critic) for tensor in stack.parameters.values()]


@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
def test_a_stack_has_the_gradients_of_each_seed_by_itself(norm):
    together = gradients([3, 8], [0, 1], norm)
    for place, seed in enumerate((3, 8)):
        for ours, own in zip(together, gradients([seed], [place], norm), strict=True):
            torch.testing.assert_close(ours[place], own[0], rtol=1e-5, atol=1e-10)
    assert max(gradient.abs().max().item() for gradient in together) > 1e-3


def test_the_penalty_of_a_block_has_the_derivatives_of_finite_differences():
    torch.manual_seed(0)
    critic = drawn(BottleneckCritic(TINY, (), dim=4, norm="layer"))
    blocks = [each for each in critic.layers if isinstance(each, BottleneckBlock)]
    halving = next(each for each in blocks if not isinstance(each.shortcut, nn.Identity))
    x = torch.randn(2, 2, 4, 4, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(halving, x)
    assert torch.autograd.gradgradcheck(halving, x)
