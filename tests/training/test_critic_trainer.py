"""Critics trained alone, against a plain loop over one seed in float64, and against what is known of their optimum."""

import pytest
import torch
from torch import nn

from wganbench.data.closed_form import Point
from wganbench.data.fixed_generators import Noised, Translated
from wganbench.data.toy import gaussian_ring
from wganbench.losses import constraints, objectives
from wganbench.networks.mlp import Mlp
from wganbench.rng import Streams
from wganbench.training.critic_trainer import CriticTrainer, Player
from wganbench.training.method import Method
from wganbench.training.stack import Stack, build

SEEDS, BATCH = (3, 4, 9), 16


def make_critic(hidden=(8,)):
    return Mlp((2,), (), hidden=list(hidden), activation="tanh")


def trained(fixed, method, *, data=None, hidden=(8,), lr=1e-2, seeds=SEEDS):
    critic = Stack(build(lambda: make_critic(hidden), seeds, "critic"))
    optimizer = torch.optim.Adam(list(critic.parameters.values()), lr=lr, betas=(0.5, 0.9), fused=True)
    return CriticTrainer(seeds, Player(critic, optimizer), method, data or gaussian_ring(), fixed, batch_size=BATCH)


def penalised(n_critic, weight=10.0):
    def penalty(critic, real, fake, rng):
        return constraints.gradient_penalty(critic, real, fake, rng, penalty_weight=weight)

    return Method(objectives.Wasserstein(), penalty=penalty, n_critic=n_critic)


@pytest.mark.parametrize("independent", [False, True], ids=["same batch", "fresh batch"])
def test_steps_against_a_fixed_generator_agree_with_a_plain_loop(independent):
    trainer = trained(Noised(std=0.5, independent=independent), penalised(n_critic=3))
    for _ in range(2):
        trainer.step()
    for index, seed in enumerate(SEEDS):
        (module,) = build(make_critic, [seed], "critic")
        critic = module.double()
        optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2, betas=(0.5, 0.9))
        names = ("data", "data of the generator", "noise", "penalty")
        streams = {name: Streams([seed], name) for name in names}
        for _ in range(2):
            reals = gaussian_ring().draw(3 * BATCH, streams["data"].generators[0]).view(3, BATCH, 2)
            if independent:
                rng = streams["data of the generator"].generators[0]
                sources = gaussian_ring().draw(3 * BATCH, rng).view(3, BATCH, 2)
            else:
                sources = reals
            for real, source in zip(reals, sources, strict=True):
                fake = source + 0.5 * streams["noise"].normal(BATCH, 2)[0]
                alpha = streams["penalty"].uniform(BATCH)[0][:, None]
                between = (real + alpha * (fake - real)).double().requires_grad_()
                (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
                loss = critic(fake.double()).mean() - critic(real.double()).mean()
                loss = loss + 10 * (slope.norm(dim=1) - 1).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        assert trainer.critic_loss[index].item() == pytest.approx(loss.item(), rel=1e-4)
        for name, tensor in critic.named_parameters():
            assert torch.allclose(trainer.critic.parameters[name][index].double(), tensor.data, atol=1e-5)


def test_the_critic_of_two_points_finds_the_slope_that_the_penalty_leaves():
    trainer = trained(Translated(by=1.0), penalised(1, weight=5.0), data=Point(), lr=6e-3, seeds=(0, 1))
    for _ in range(700):
        trainer.step()
    gap = trainer.critic(torch.zeros(2, 1, 2)) - trainer.critic(torch.tensor([[[1.0, 0.0]]] * 2))
    assert gap.flatten().tolist() == pytest.approx([1.1, 1.1], abs=0.02)  # d(1 + d/2λ)


def test_one_copy_of_a_seeds_critic_is_that_seeds_critic_and_its_own():
    stack = Stack(build(make_critic, SEEDS, "critic"))
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    for index in range(3):
        module = stack.module_of_seed(index)
        assert isinstance(module, nn.Module)
        assert torch.equal(module(x), stack.of_seed(index)(x))
    kept = stack.parameters["layers.0.weight"].detach().clone()
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert torch.equal(stack.parameters["layers.0.weight"], kept)
