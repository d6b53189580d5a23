"""Orders of updates, packed samples, and real scores in the generator's loss, against plain loops in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import softplus

from tests.training.test_gan_trainer import BATCH, LATENT, SEEDS, make_generator, plain_networks, stacked
from wganbench.data.toy import gaussian_ring
from wganbench.losses import constraints, objectives
from wganbench.networks.mlp import Mlp
from wganbench.rng import Streams
from wganbench.training.batches import packed
from wganbench.training.critic_trainer import Player
from wganbench.training.gan_trainer import GanTrainer
from wganbench.training.method import Method
from wganbench.training.stack import Stack, build

PAIRED = Method(objectives.RelativisticPaired(), single_pass=True, generator_reads_real=True)


def sgd(weights):
    """Not Adam, which would take a step for the last offset, whose gradient is 0 up to rounding."""
    return torch.optim.SGD(weights, lr=0.1)


def plain_run(seed, steps, *, updates, own_batch):
    """R3GAN's game without its penalty, on one seed, with the streams of the trainer."""
    generator, critic = plain_networks(seed)
    g_opt = torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.5, 0.999))
    c_opt = sgd(list(critic.parameters()))
    latent, data, own = (Streams([seed], name) for name in ("latent", "data", "data of the generator"))
    ring = gaussian_ring()

    def gradient_of_generator(z):
        x = ring.draw(own_batch, own.generators[0]).double()
        g_opt.zero_grad()
        softplus(critic(x) - critic(generator(z))).mean().backward()

    def critic_step(x, z):
        c_opt.zero_grad()
        softplus(critic(generator(z).detach()) - critic(x)).mean().backward()
        c_opt.step()

    for _ in range(steps):
        if own_batch == BATCH:
            z, own_z = latent.normal(2, BATCH, LATENT)[0].double()
        else:
            z, own_z = latent.normal(1, BATCH, LATENT)[0, 0].double(), latent.normal(own_batch, LATENT)[0].double()
        x = ring.draw(BATCH, data.generators[0]).double()
        if updates == "alternating":
            critic_step(x, z)
        gradient_of_generator(own_z)
        if updates == "generator_first":
            g_opt.step()
        if updates != "alternating":
            critic_step(x, z)
        if updates != "generator_first":
            g_opt.step()
    return generator, critic


@pytest.mark.parametrize("updates", ["alternating", "generator_first", "simultaneous"])
@pytest.mark.parametrize("own_batch", [BATCH, 2 * BATCH])
def test_each_order_agrees_with_a_plain_float64_loop_that_pairs_fakes_with_reals_of_their_own(updates, own_batch):
    trainer = stacked(SEEDS, replace(PAIRED, updates=updates, generator_batch_size=own_batch), sgd)
    for _ in range(4):
        trainer.step()
    for index, seed in enumerate(SEEDS):
        for plain, stack in zip(
            plain_run(seed, 4, updates=updates, own_batch=own_batch), (trainer.generator, trainer.critic), strict=True
        ):
            mine = [tensor[index].double() for tensor in stack.parameters.values()]
            for own, expected in zip(mine, plain.parameters(), strict=True):
                torch.testing.assert_close(own, expected.data, rtol=2e-3, atol=2e-5)


def test_no_real_batch_is_drawn_for_a_loss_that_reads_fakes_alone():
    trainer = stacked(SEEDS, Method(objectives.NonSaturating(), single_pass=True), sgd)
    assert trainer.streams.keys() == {"data", "penalty", "latent"}
    assert stacked(SEEDS, PAIRED, sgd).streams.keys() == {"data", "penalty", "latent", "data of the generator"}


def test_a_state_restores_the_position_in_the_generators_own_reals():
    trainer = stacked(SEEDS, PAIRED, sgd)
    trainer.step()
    state = trainer.state()
    trainer.step()
    again = stacked(SEEDS, PAIRED, sgd)
    again.restore(state)
    again.step()
    for one, other in zip(trainer.networks.values(), again.networks.values(), strict=True):
        assert all(map(torch.equal, one.parameters.values(), other.parameters.values()))


# ---- packing --------------------------------------------------------------------------------------------------------


def test_samples_are_packed_along_their_first_axis():
    points = torch.arange(12.0).view(6, 2)
    assert packed(points, 3).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    images = torch.randn(2, 4, 3, 5, 5)
    joined = packed(images, 2, rows=1)
    assert joined.shape == (2, 2, 6, 5, 5)
    assert torch.equal(joined[1, 1, 3:], images[1, 3])
    assert packed(points, 1) is points


def of_packs(seeds, pack, **options):
    """A GAN whose linear critic, of slope 1 in each coordinate, is not trained."""
    generator = Stack(build(make_generator, seeds, "generator"))
    critic = Stack(build(lambda: Mlp((2 * pack,), (), hidden=[]), seeds, "critic"))
    with torch.no_grad():
        for name, tensor in critic.parameters.items():
            tensor.fill_(1.0 if name.endswith("weight") else 0.0)
    players = [Player(stack, torch.optim.SGD(list(stack.parameters.values()), lr=0.0)) for stack in (generator, critic)]
    method = Method(objectives.Wasserstein(), pack=pack, **options)
    return GanTrainer(seeds, *players, method, gaussian_ring(), latent_dim=LATENT, batch_size=BATCH)


@pytest.mark.parametrize("pack", [2, 4])
def test_a_packed_critic_scores_joined_samples_in_both_steps(pack):
    """Of a critic that adds up all coordinates, the mean score of packs is ``pack`` times that of samples."""
    one, several = of_packs(SEEDS, 1), of_packs(SEEDS, pack)
    for trainer in (one, several):
        trainer.step()
    torch.testing.assert_close(several.critic_loss, pack * one.critic_loss)
    torch.testing.assert_close(several.generator_loss, pack * one.generator_loss)


def test_a_penalty_is_about_the_gradient_by_all_samples_of_a_pack():
    def penalty(critic, real, fake, rng):
        assert real.shape == fake.shape == (len(SEEDS), BATCH // 2, 4)
        return constraints.r1(critic, real, gamma=2.0)

    plain, penalised = of_packs(SEEDS, 2), of_packs(SEEDS, 2, penalty=penalty)
    for trainer in (plain, penalised):
        trainer.step()
    torch.testing.assert_close(penalised.critic_loss - plain.critic_loss, torch.full((len(SEEDS),), 4.0))
