"""The ResNet as a spec asks for it: its costs, its training, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wganbench.errors import SpecError
from wganbench.networks import layout
from wganbench.networks.nonlinearity import differentiated_twice
from wganbench.runner.cohort import make_trainer
from wganbench.runner.resolve import import_object
from wganbench.spec import load
from wganbench.spec.plan import expand, step_flops

RESNET = """
version = 1
title = "ResNet"
source = "Gulrajani et al. 2017, table 3"
data = { name = "cifar10" }
latent_dim = 128
batch_size = 64
steps = 10
objective = "wasserstein"
constraint = { name = "gradient_penalty", penalty_weight = 10.0 }
n_critic = 5
generator_optimizer = { name = "adam", lr = 2e-4, betas = [0.0, 0.9] }
critic_optimizer = { name = "adam", lr = 2e-4, betas = [0.0, 0.9] }
[measures]
wasserstein_estimate = {}
[profiles.paper]
[variants.wgan-gp]
generator = { name = "resnet_generator", norm_batches = 2 }
critic = "resnet_critic"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "resnet.toml"
    found.write_text(RESNET, encoding="utf-8")
    return found


def test_a_step_of_the_resnet_is_counted_at_1395_gflop_of_which_1390_are_done(path):
    """With halving and doubling apart from the convolutions it would be 2,205, three fifths more."""
    setting = load(path).setting("wgan-gp", "paper")
    estimate = step_flops(setting)
    assert estimate == pytest.approx(1394.7e9, rel=1e-4)

    def apart(layers: list[layout.Layer]) -> int:
        sides = [max(layer.side_in, layer.side_out) for layer in layers]
        return sum(
            layer.inputs * layer.outputs * layer.kernel**2 * side**2 for layer, side in zip(layers, sides, strict=True)
        )

    generator = apart(list(layout.resnet_generator((128,), (3, 32, 32))))
    critic = apart(list(layout.resnet_critic((3, 32, 32))))
    assert 64 * 2 * (5 * (generator + 10 * critic) + 3 * generator + 2 * critic) == pytest.approx(2205.4e9, rel=1e-4)

    with torch.device("meta"):
        networks = [
            import_object("network", part.name)(*shapes, **part.arguments)
            for part, shapes in (
                (setting.generator, ((128,), (3, 32, 32))),
                (setting.critic, ((3, 32, 32), ())),
            )
        ]
        make, judge = networks
        real, latent = torch.empty(64, 3, 32, 32), torch.empty(64, 128)
        with FlopCounterMode(display=False) as counter:
            points = real.clone().requires_grad_()
            with torch.no_grad():
                fake = make(latent)
            with differentiated_twice():
                total = judge(points.view_as(points)).sum()
            (gradient,) = torch.autograd.grad(total, points, create_graph=True)
            loss = judge(fake).mean() - judge(real).mean() + gradient.flatten(1).norm(dim=1).mean()
            loss.backward(inputs=list(judge.parameters()))
        done = 5 * counter.get_total_flops()
        with FlopCounterMode(display=False) as counter:
            judge(make(latent)).mean().backward(inputs=list(make.parameters()))
    assert done + counter.get_total_flops() == pytest.approx(1390e9, rel=1e-3)
    # The count leaves nothing out, and has some gradients that are not needed, by the images.
    assert 0.99 < (done + counter.get_total_flops()) / estimate <= 1.0


class Noise:
    sample_shape = (3, 16, 16)

    def to(self, device: Any) -> Noise:
        return self

    def draw(self, n: int, rng: torch.Generator) -> torch.Tensor:
        return torch.rand(n, *self.sample_shape, generator=rng) * 2 - 1


@pytest.mark.parametrize("critic", [{}, {"norm": "layer"}, {"spectral_norm": True}], ids=str)
def test_a_stack_of_pairs_trains(path, critic, monkeypatch):
    from wganbench.runner import resolve

    original = resolve.import_object
    monkeypatch.setattr(
        resolve, "import_object", lambda kind, name: Noise if kind == "data set" else original(kind, name)
    )
    options = [f"critic.{key}={str(value).lower()}" for key, value in critic.items()]
    small = ["data.size=16", "generator.dim=4", "critic.dim=4", "batch_size=4", "n_critic=2", "latent_dim=6"]
    (run, _) = expand(load(path, [*small, *options]), "paper", [0, 1])
    setting = run.setting.model_copy(update={"data": run.setting.data.model_copy(update={"options": {}})})
    trainer = make_trainer(setting, [0, 1], torch.device("cpu"))
    before = [tensor.detach().clone() for stack in trainer.stacks for tensor in stack.parameters.values()]
    trainer.step()
    assert trainer.finite.all()
    after = [tensor for stack in trainer.stacks for tensor in stack.parameters.values()]
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    # The score's bias cancels between real and fake, and so has no gradient under this loss.
    assert moved.count(False) <= 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.size=28", "images of 28×28 are none for a ResNet; a side must be 8, 16, 32 or a further power of 2"),
        ("generator.norm_batches=3", "generator.norm_batches: must divide batch_size (64), got 3"),
        ("generator.norm_batches=0", "generator: norm_batches: must be greater than 0, got 0"),
        ("generator.filters_divided_by=3", "generator: filters_divided_by: must divide the 128 filters, got 3"),
        ("generator.upsample=third", "generator: upsample: must be 'first' or 'second', got 'third'"),
        ("generator.classes=1", "generator: classes: must be at least 2, got 1"),
        ("critic.norm=batch", "critic: norm: must be 'layer' or 'none', got 'batch'"),
        ("critic.spectral_norm=2", "critic: spectral_norm: must be a valid boolean, got 2"),
        ("critic.width=4", "critic: unknown"),
    ],
)
def test_a_mistake_is_told_with_its_place(path, override, message):
    with pytest.raises(SpecError) as caught:
        load(path, [override])
    assert any(message in line for line in caught.value.mistakes), caught.value.mistakes
