"""The ResNet of appendix F: its sizes, its weights at the start, and each network against one written out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from wganbench.errors import SpecError
from wganbench.losses.constraints import gradient_penalty
from wganbench.networks.resnet import ResnetCritic, ResnetGenerator
from wganbench.rng import Streams
from wganbench.training.stack import Stack, build

F64 = torch.float64
CIFAR, SMALL = (3, 32, 32), (3, 16, 16)
UPSAMPLE = ["first", "second"]


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts_are_those_of_the_official_code():
    with torch.device("meta"):
        assert size(ResnetGenerator((128,), CIFAR)) == 1_204_483
        assert size(ResnetCritic(CIFAR, ())) == 1_053_825
        assert size(ResnetGenerator((128,), CIFAR, classes=10)) == 1_218_307
        assert size(ResnetCritic(CIFAR, (), classes=10)) == 1_055_115


@pytest.mark.parametrize("shape", [(3, 8, 8), SMALL, (1, 32, 32)])
@pytest.mark.parametrize("upsample", UPSAMPLE)
def test_a_generator_makes_what_a_critic_scores(shape, upsample):
    torch.manual_seed(0)
    images = ResnetGenerator((6,), shape, dim=4, upsample=upsample)(torch.randn(4, 6))
    assert images.shape == (4, *shape)
    assert images.abs().max() <= 1
    critic = ResnetCritic(shape, (), dim=4, classes=5)
    scores, logits = critic(images, with_logits=True)
    assert (scores.shape, logits.shape) == ((4,), (4, 5))
    assert torch.equal(critic(images), scores)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2,), r"^a ResNet is for images \(channels, side, side\), got samples of shape \(2,\)$"),
        ((1, 28, 28), r"^images of 28×28 are none for a ResNet; a side must be 8, 16, 32 or a further power of 2$"),
        ((3, 4, 4), "^images of 4×4 are none for a ResNet"),
    ],
)
def test_what_does_not_exist_is_refused(shape, message):
    for make in (lambda: ResnetGenerator((4,), shape, dim=4), lambda: ResnetCritic(shape, (), dim=4)):
        with pytest.raises(SpecError, match=message):
            make()


def test_labels_are_for_classes_and_classes_for_labels():
    z, labels = torch.randn(2, 3), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="has none classes and was given some labels"):
        ResnetGenerator((3,), (3, 8, 8), dim=2)(z, labels)
    with pytest.raises(ValueError, match="has some classes and was given none labels"):
        ResnetGenerator((3,), (3, 8, 8), dim=2, classes=2)(z)
    with pytest.raises(IndexError):
        ResnetGenerator((3,), (3, 8, 8), dim=2, classes=2)(z, labels + 1)
    with pytest.raises(ValueError, match="the critic has no classes"):
        ResnetCritic((3, 8, 8), (), dim=2)(torch.zeros(1, 3, 8, 8), with_logits=True)


# ---- weights at the start -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"classes": 10}])
def test_weights_are_drawn_as_the_official_code_draws_them(options):
    torch.manual_seed(0)
    glorot = {"linear.weight": 128 + 2048, "conv.weight": 9 * (128 + 3), "score.weight": 129, "classifier.weight": 138}
    seen = 0
    for network in (ResnetGenerator((128,), CIFAR, **options), ResnetCritic(CIFAR, (), **options)):
        for name, tensor in network.named_parameters():
            if "norm" in name:
                assert (tensor == (1 if name.endswith("weight") else 0)).all()
            elif name.endswith("bias"):
                assert not tensor.any()
            else:
                outputs, inputs = tensor.shape[:2]
                if name.endswith(("convs.0.weight", "convs.1.weight")):
                    std = math.sqrt(4 / (9 * (inputs + outputs)))
                else:
                    fans = inputs + outputs if name.endswith("shortcut.weight") else glorot[name]
                    std = math.sqrt(2 / fans)
                assert tensor.std().item() == pytest.approx(std, rel=0.15 if tensor.numel() < 1000 else 0.02), name
                assert tensor.abs().max().item() <= math.sqrt(3) * std * (1 + 1e-6)
                assert tensor.abs().max().item() > 0.95 * math.sqrt(3) * std
                seen += 1
    assert seen == (1 + 3 * 3 + 1) + (4 * 2 + 2 + 1 + bool(options))


# ---- written out by hand --------------------------------------------------------------------------------------------


def drawn(network: nn.Module) -> nn.Module:
    """In float64, all biases, scales and offsets drawn too."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.double().named_parameters():
            if name.endswith("bias") or "norm" in name:
                tensor.copy_(0.5 + torch.rand(tensor.shape, dtype=F64, generator=rng))
    return network


def standardised(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return (x - x.mean(axes, keepdim=True)) / (x.var(axes, correction=0, keepdim=True) + 1e-5).sqrt()


def scaled(
    x: Tensor, p: Mapping[str, Tensor], name: str, axes: tuple[int, ...], labels: Tensor | None = None
) -> Tensor:
    scale, offset = p[f"{name}.weight"], p[f"{name}.bias"]
    if labels is not None:
        scale, offset = scale[labels], offset[labels]
    return standardised(x, axes) * scale.view(-1, x.shape[1], 1, 1) + offset.view(-1, x.shape[1], 1, 1)


def conv(x: Tensor, p: Mapping[str, Tensor], name: str) -> Tensor:
    return functional.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], padding="same")


def generated(p: Mapping[str, Tensor], z: Tensor, upsample: str, labels: Tensor | None = None) -> Tensor:
    def norm(x: Tensor, name: str) -> Tensor:
        return scaled(x, p, name, (0, 2, 3), labels)

    def doubled(x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2, mode="nearest")

    x = (z @ p["linear.weight"].T + p["linear.bias"]).view(len(z), -1, 4, 4)
    for i in range(sum(name.endswith("convs.0.bias") for name in p)):
        own = f"blocks.{i}"
        branch = norm(x, f"{own}.norms.0").clamp_min(0)
        branch = conv(doubled(branch) if upsample == "first" else branch, p, f"{own}.convs.0")
        branch = norm(branch, f"{own}.norms.1").clamp_min(0)
        branch = conv(doubled(branch) if upsample == "second" else branch, p, f"{own}.convs.1")
        x = conv(doubled(x), p, f"{own}.shortcut") + branch
    return conv(scaled(x, p, "norm", (0, 2, 3)).clamp_min(0), p, "conv").tanh()


def scored(p: Mapping[str, Tensor], x: Tensor, norm: str = "none", head: str = "score") -> Tensor:
    def normed(x: Tensor, name: str) -> Tensor:
        return scaled(x, p, name, (1, 2, 3)) if norm == "layer" else x

    branch = conv(conv(x, p, "blocks.0.convs.0").clamp_min(0), p, "blocks.0.convs.1")
    x = conv(functional.avg_pool2d(x, 2), p, "blocks.0.shortcut") + functional.avg_pool2d(branch, 2)
    for i in (1, 2, 3):
        own = f"blocks.{i}"
        branch = conv(normed(x, f"{own}.norms.0").clamp_min(0), p, f"{own}.convs.0")
        branch = conv(normed(branch, f"{own}.norms.1").clamp_min(0), p, f"{own}.convs.1")
        x = (
            functional.avg_pool2d(conv(x, p, f"{own}.shortcut"), 2) + functional.avg_pool2d(branch, 2)
            if i == 1
            else x + branch
        )
    return x.clamp_min(0).mean((2, 3)) @ p[f"{head}.weight"].T + p[f"{head}.bias"]


@pytest.mark.parametrize("upsample", UPSAMPLE)
@pytest.mark.parametrize("classes", [None, 3])
def test_a_generator_is_the_one_written_out(upsample, classes):
    torch.manual_seed(0)
    network = drawn(ResnetGenerator((5,), CIFAR, dim=4, upsample=upsample, classes=classes))
    z, labels = torch.randn(6, 5, dtype=F64), torch.tensor([2, 0, 1, 1, 2, 2])
    given = (z,) if classes is None else (z, labels)
    expected = generated(dict(network.named_parameters()), z, upsample, *given[1:])
    torch.testing.assert_close(network(*given), expected, rtol=1e-9, atol=1e-9)
    other = generated(dict(network.named_parameters()), z, "second" if upsample == "first" else "first", *given[1:])
    assert (expected - other).abs().max() > 0.01  # or the order of the blocks would not be tested


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("shape", [CIFAR, SMALL])
def test_a_critic_is_the_one_written_out(norm, shape):
    torch.manual_seed(0)
    network = drawn(ResnetCritic(shape, (), dim=4, norm=norm, classes=3))
    x = torch.randn(3, *shape, dtype=F64)
    scores, logits = network(x, with_logits=True)
    parameters = dict(network.named_parameters())
    torch.testing.assert_close(scores, scored(parameters, x, norm)[:, 0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(logits, scored(parameters, x, norm, "classifier"), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_a_critic_for_a_penalty_does_not_mix_rows(norm):
    torch.manual_seed(0)
    critic, x = drawn(ResnetCritic(SMALL, (), dim=4, norm=norm)), torch.randn(4, *SMALL, dtype=F64)
    torch.testing.assert_close(critic(x)[1:2], critic(x[1:2]))


# ---- one step -------------------------------------------------------------------------------------------------------


def critic_gradients(score: Any, parameters: Mapping[str, Tensor], real: Tensor, fake: Tensor) -> list[Tensor]:
    """Of E f(fake) − E f(real) + 10 E (|∇f| − 1)², at the points that the streams of seed 7 give."""
    penalty = gradient_penalty(
        lambda x: score(x[0]).view(1, -1), real[None], fake[None], Streams([7], "penalty", "cpu")
    )
    loss = score(fake).mean() - score(real).mean() + penalty.sum()
    return list(torch.autograd.grad(loss, list(parameters.values())))


def relative_error(ours: list[Tensor], exact: list[Tensor]) -> float:
    """The largest over tensors, each by the norm of its gradient."""
    pairs = zip(ours, exact, strict=True)
    return max(((a - b).norm() / b.norm().clamp_min(1e-6)).item() for a, b in pairs)


def test_a_critic_step_agrees_with_a_float64_reference():
    torch.manual_seed(0)
    critic = ResnetCritic(CIFAR, (), dim=16)
    real, fake = torch.rand(2, 4, *CIFAR) * 2 - 1
    own = dict(critic.named_parameters())
    exact = {name: tensor.detach().double().requires_grad_() for name, tensor in own.items()}
    ours = critic_gradients(critic, own, real, fake)
    theirs = critic_gradients(lambda x: scored(exact, x), exact, real.double(), fake.double())
    assert relative_error(ours, theirs) < 1e-4
    assert max(gradient.norm().item() for gradient in theirs) > 0.1


def test_a_generator_step_agrees_with_a_float64_reference():
    torch.manual_seed(0)
    generator, critic = ResnetGenerator((8,), CIFAR, dim=16), ResnetCritic(CIFAR, (), dim=8)
    z = torch.randn(6, 8)
    own = dict(generator.named_parameters())
    exact = {name: tensor.detach().double().requires_grad_() for name, tensor in own.items()}
    judge = {name: tensor.detach().double() for name, tensor in critic.named_parameters()}
    ours = torch.autograd.grad(-critic(generator(z)).mean(), list(own.values()))
    theirs = torch.autograd.grad(
        -scored(judge, generated(exact, z.double(), "first")).mean(), list(exact.values()), materialize_grads=True
    )
    # A bias before a normalisation has the gradient 0, of which rounding is no share: it is left to the absolute error.
    for name, a, b in zip(own, ours, theirs, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4 * max(b.abs().max().item(), 1e-3), msg=name)


# ---- stacks ---------------------------------------------------------------------------------------------------------

SEEDS = [3, 8]


def stacked_gradients(seeds: list[int], positions: list[int], options: Mapping[str, Any]) -> list[Tensor]:
    """Of one step's losses, penalty included, for all parameters of both stacks, each of ``(seeds, …)``."""
    shape = (3, 8, 8)
    generator = Stack(build(lambda: drawn(ResnetGenerator((5,), shape, dim=3, norm_batches=2)), seeds, "generator"))
    critic = Stack(build(lambda: drawn(ResnetCritic(shape, (), dim=3, **options)), seeds, "critic"))
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(len(SEEDS), 6, *shape, dtype=F64, generator=rng)[positions]
    latent = torch.randn(len(SEEDS), 6, 5, dtype=F64, generator=rng)[positions]
    fake = generator(latent)
    loss = (critic(fake) - critic(real)).mean(1) + gradient_penalty(
        critic, real, fake, Streams(seeds, "penalty", "cpu")
    )
    loss.sum().backward()
    return [tensor.grad for stack in (generator, critic) for tensor in stack.parameters.values()]


@pytest.mark.parametrize("options", [{}, {"norm": "layer"}, {"spectral_norm": True}], ids=str)
def test_a_stack_has_the_gradients_of_each_seed_by_itself(options):
    together = stacked_gradients(SEEDS, [0, 1], options)
    for place, seed in enumerate(SEEDS):
        for ours, own in zip(together, stacked_gradients([seed], [place], options), strict=True):
            torch.testing.assert_close(ours[place], own[0], rtol=1e-6, atol=1e-9)
    assert 1e-2 < max(gradient.abs().max().item() for gradient in together) < 1e6


def test_labels_and_logits_go_through_a_stack():
    """As a trainer may call it: labels stacked beside the latents, both outputs of the critic with a seed axis."""
    generator = Stack(build(lambda: drawn(ResnetGenerator((5,), (3, 8, 8), dim=3, classes=4)), SEEDS, "generator"))
    critic = Stack(build(lambda: drawn(ResnetCritic((3, 8, 8), (), dim=3, classes=4)), SEEDS, "critic"))
    z, labels = torch.randn(2, 6, 5, dtype=F64), torch.randint(4, (2, 6))

    def make(own: Mapping[str, Tensor], z: Tensor, labels: Tensor) -> Tensor:
        return functional_call(generator.network.module, own, (z, labels))

    def judge(own: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        return functional_call(critic.network.module, own, (x,), {"with_logits": True})

    images = vmap(make)(generator.parameters, z, labels)
    scores, logits = vmap(judge)(critic.parameters, images)
    functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
    together = {name: tensor.grad for name, tensor in generator.parameters.items()}
    loss = torch.zeros((), dtype=F64)
    alone = [generator.module_of_seed(i) for i in (0, 1)]
    for i, network in enumerate(alone):
        own_scores, own_logits = critic.module_of_seed(i)(network(z[i], labels[i]), with_logits=True)
        torch.testing.assert_close(scores[i], own_scores)
        torch.testing.assert_close(logits[i], own_logits)
        loss = loss + functional.cross_entropy(own_logits, labels[i]) / 2
    loss.backward()
    for i, network in enumerate(alone):
        for name, tensor in network.named_parameters():
            torch.testing.assert_close(together[name][i], tensor.grad, rtol=1e-6, atol=1e-9)
