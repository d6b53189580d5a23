"""A step of the ResNet, with classes and without, against its formulas in float64, written here for one seed."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from wganbench.data.images import Images
from wganbench.errors import DataError
from wganbench.losses import objectives
from wganbench.losses.constraints import gradient_penalty
from wganbench.networks.resnet import ResnetCritic, ResnetGenerator
from wganbench.rng import Streams
from wganbench.training.critic_trainer import Player
from wganbench.training.cuda_graph import capture
from wganbench.training.gan_trainer import GanTrainer
from wganbench.training.method import Auxiliary, Method, Unroll
from wganbench.training.stack import Stack, build

SEEDS, CLASSES, BATCH, LATENT, PARTS = (3, 8), 3, 4, 5, 2
LR, EPS = 1e-2, 1e-2  # a large eps: where a gradient is next to nothing, Adam would make a whole step of its rounding
F64 = torch.float64


def images(n: int = 12, classes: int = CLASSES) -> Images:
    rng = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (n, 3, 8, 8), generator=rng, dtype=torch.uint8)
    return Images("tiny", pixels, torch.arange(n) % classes, "0" * 64, "256-dequantised")


def made(
    seeds=SEEDS,
    classes: int | None = CLASSES,
    generator_batch: int | None = 2 * BATCH,
    n_critic: int = 1,
    data: Images | None = None,
    **method,
) -> GanTrainer:
    makers = {
        "generator": lambda: ResnetGenerator((LATENT,), (3, 8, 8), dim=3, norm_batches=PARTS, classes=classes),
        "critic": lambda: ResnetCritic((3, 8, 8), (), dim=3, classes=classes),
    }
    stacks = {name: Stack(build(make, seeds, name)) for name, make in makers.items()}
    with torch.no_grad():  # scales that are 1 and offsets that are 0 hide which class they are of
        for name, tensor in stacks["generator"].parameters.items():
            if "norm" in name:
                tensor.add_(torch.randn(tensor.shape[1:], generator=torch.Generator().manual_seed(len(name))) / 2)
    optimizers = {
        name: torch.optim.Adam(list(stack.parameters.values()), lr=LR, betas=(0.0, 0.9), eps=EPS, fused=True)
        for name, stack in stacks.items()
    }
    return GanTrainer(
        seeds,
        *(Player(stack, optimizers[name]) for name, stack in stacks.items()),
        Method(
            objectives.Wasserstein(),
            penalty=gradient_penalty,
            n_critic=n_critic,
            generator_batch_size=generator_batch,
            auxiliary=None if classes is None else Auxiliary(classes, critic=1.0, generator=0.1),
            **method,
        ),
        data or images(),
        latent_dim=LATENT,
        batch_size=BATCH,
    )


def in_parts(generator: nn.Module, z: Tensor, labels: Tensor | None) -> Tensor:
    """Each part of the batch by itself, as a whole batch of its own."""
    generator = generator.eval()
    given = [z] if labels is None else [z, labels]
    return torch.cat([generator(*part) for part in zip(*(each.chunk(PARTS) for each in given), strict=True)])


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    return -(logits - logits.exp().sum(1, keepdim=True).log())[torch.arange(len(labels)), labels].mean()


def adam(module: nn.Module, gradients: tuple[Tensor, ...]) -> None:
    """The first step of Adam with a first beta of 0: the second moment, corrected, is the square itself."""
    with torch.no_grad():
        for weight, gradient in zip(module.parameters(), gradients, strict=True):
            weight -= LR * gradient / (gradient.abs() + EPS)


def gradients_of(loss: Tensor, module: nn.Module) -> tuple[Tensor, ...]:
    found = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True)
    return tuple(torch.zeros_like(w) if g is None else g for w, g in zip(module.parameters(), found, strict=True))


class Reference:
    """One seed, in float64."""

    def __init__(self, trainer: GanTrainer, index: int, classes: int | None):
        modules = (stack.module_of_seed(index).double() for stack in (trainer.generator, trainer.critic))
        self.generator, self.critic = modules
        self.classes = classes
        streams = {name: Streams([SEEDS[index]], name) for name in ("data", "latent", "penalty", "labels")}
        noise = Streams([SEEDS[index]], "dequantisation").generators[0]
        order = torch.randperm(len(images()), generator=streams["data"].generators[0])[:BATCH]
        pixels, self.labels = images().pixels[order].to(F64), images().labels[order]
        uniform = torch.empty(pixels.shape).uniform_(0, 1 / 128, generator=noise)
        self.real = 2 * (pixels / 256 - 0.5) + uniform.double()
        self.latent = streams["latent"]
        self.alpha = streams["penalty"].uniform(BATCH)[0].double().view(-1, 1, 1, 1)
        self.asked = torch.empty(2 * BATCH, dtype=torch.int64)
        self.asked.random_(CLASSES, generator=streams["labels"].generators[0])

    def critic_step(self) -> float:
        z = self.latent.normal(1, BATCH, LATENT)[0, 0].double()
        fake = in_parts(self.generator, z, None if self.classes is None else self.labels).detach()
        points = (self.alpha * fake + (1 - self.alpha) * self.real).requires_grad_()
        (slopes,) = torch.autograd.grad(self.critic(points).sum(), points, create_graph=True)
        loss = self.critic(fake).mean() - self.critic(self.real).mean()
        loss = loss + 10 * ((slopes.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
        if self.classes is not None:
            loss = loss + negative_log_likelihood(self.critic(self.real, with_logits=True)[1], self.labels)
        adam(self.critic, gradients_of(loss, self.critic))
        return loss.item()

    def generator_step(self) -> float:
        z = self.latent.normal(2 * BATCH, LATENT)[0].double()
        fake = in_parts(self.generator, z, None if self.classes is None else self.asked)
        loss = -self.critic(fake).mean()
        if self.classes is not None:
            loss = loss + 0.1 * negative_log_likelihood(self.critic(fake, with_logits=True)[1], self.asked)
        adam(self.generator, gradients_of(loss, self.generator))
        return loss.item()


@pytest.mark.parametrize("classes", [None, CLASSES])
def test_a_step_is_that_of_float64(classes):
    trainer = made(classes=classes)
    references = [Reference(trainer, index, classes) for index in range(len(SEEDS))]
    before = [copy.deepcopy(dict(stack.parameters)) for stack in trainer.networks.values()]
    trainer.step()
    for index, reference in enumerate(references):
        assert trainer.critic_loss[index].item() == pytest.approx(reference.critic_step(), rel=1e-4)
        assert trainer.generator_loss[index].item() == pytest.approx(reference.generator_step(), rel=1e-4, abs=1e-6)
        for stack, old, module in zip(
            trainer.networks.values(), before, (reference.critic, reference.generator), strict=True
        ):
            for name, exact in module.named_parameters():
                moved = (exact - old[name][index].double()).norm().item()
                apart = (stack.parameters[name][index].double() - exact).norm().item()
                assert apart <= 1e-4 * moved + 1e-6 * math.sqrt(exact.numel()), name
    assert trainer.losses.keys() == {"critic_loss", "generator_loss"}


@pytest.mark.parametrize("unroll", [None, Unroll(2, "first")])
def test_a_conditional_seed_trains_the_same_whatever_it_is_stacked_with(unroll):
    together, alone = made(n_critic=2, unroll=unroll), made(SEEDS[1:], n_critic=2, unroll=unroll)
    for trainer in (together, alone):
        trainer.step()
        trainer.step()
    for stack, single in zip(together.networks.values(), alone.networks.values(), strict=True):
        for name, tensor in stack.parameters.items():
            torch.testing.assert_close(tensor[1], single.parameters[name][0], rtol=1e-4, atol=1e-6)


def test_fakes_of_a_critic_step_have_the_labels_of_its_real_images(monkeypatch):
    trainer = made(n_critic=2)
    seen = []
    monkeypatch.setattr(trainer, "_critic_step", lambda real, fake, labels: seen.append((real, fake, labels)))
    latents = made(n_critic=2).streams["latent"].normal(2, BATCH, LATENT)
    trainer.step()
    for k, (real, fake, labels) in enumerate(seen):
        for index in range(len(SEEDS)):
            # dequantisation moves a pixel by less than one step of 256
            levels = ((real[index] / 2 + 0.5) * 256).floor().clamp(0, 255).to(torch.uint8)
            stored = [int((images().pixels == row).flatten(1).all(1).nonzero()[0]) for row in levels]
            assert labels[index].tolist() == images().labels[stored].tolist()
        made_of = made(n_critic=2).generator(latents[:, k], labels=labels)
        torch.testing.assert_close(fake, made_of.detach())


def test_labels_of_a_generator_step_are_even_over_the_classes():
    drawn = Streams((0, 1), "labels").integers(CLASSES, 3000)
    assert drawn.dtype == torch.int64
    for row in drawn:
        assert torch.bincount(row, minlength=CLASSES).tolist() == pytest.approx([1000] * CLASSES, abs=100)
    assert not torch.equal(*drawn)


def test_without_a_batch_of_its_own_the_generator_takes_the_last_of_one_draw():
    """As settings of before have it: n_critic + 1 batches of latents at once."""
    trainer = made(classes=None, generator_batch=None, n_critic=2)
    assert "labels" not in trainer.streams
    expected = made(classes=None).streams["latent"].normal(3, BATCH, LATENT).unbind(1)
    for mine, theirs in zip(trainer._draw_latents(), expected, strict=True):
        assert torch.equal(mine, theirs)
    *_, own = made(classes=None, n_critic=2)._draw_latents()
    assert own.shape == (len(SEEDS), 2 * BATCH, LATENT)


def test_a_restored_conditional_trainer_goes_on_as_it_was_and_its_steps_can_be_repeated():
    plain, other = made(n_critic=2), made(n_critic=2)
    plain.step()
    kept = plain.state()
    plain.step()
    step = capture(other, lambda trainer: trainer.device_step)
    for _ in range(3):
        step()
    other.restore(kept)
    step()
    assert torch.equal(other.generator_loss, plain.generator_loss)
    for mine, theirs in zip(other.networks.values(), plain.networks.values(), strict=True):
        for name, tensor in mine.parameters.items():
            assert torch.equal(tensor, theirs.parameters[name])


@pytest.mark.parametrize(("classes", "last"), [(2, 1), (4, 3)])
def test_labels_that_the_networks_have_no_class_for_are_refused(classes, last):
    said = rf"^tiny: has labels from 0 to {last}, and the networks have 3 classes; must be as many$"
    with pytest.raises(DataError, match=said):
        made(data=images(classes=classes))


def test_one_seed_alone_is_evaluated_by_the_whole_batch():
    """In training each part has statistics of its own; where one seed is looked at there are no parts."""
    trainer = made()
    rng = torch.Generator().manual_seed(0)
    z, labels = torch.randn(6, LATENT, generator=rng), torch.tensor([0, 1, 2, 0, 1, 2])
    whole = trainer.generator.of_seed(1)(z, labels)
    module = trainer.generator.module_of_seed(1)
    assert torch.equal(module(z, labels), whole)
    assert not module.training and trainer.generator.network.module.training
    in_training = trainer.generator(z.expand(2, -1, -1), labels=labels.expand(2, -1))[1]
    assert not torch.allclose(in_training, whole, atol=1e-3)
    torch.testing.assert_close(
        in_training.double(), in_parts(module.double(), z.double(), labels), rtol=1e-4, atol=1e-5
    )
