"""The stacked step against a plain loop over one seed, written here a second time without stacks."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import leaky_relu, softplus

from wganbench.data.toy import gaussian_ring
from wganbench.losses import constraints, objectives
from wganbench.networks.mlp import Mlp
from wganbench.rng import Streams
from wganbench.training.critic_trainer import Player
from wganbench.training.gan_trainer import GanTrainer
from wganbench.training.method import Method, Unroll, Warmup
from wganbench.training.rmsprop_tf import RmspropTf
from wganbench.training.stack import Stack, build

SEEDS, BATCH, LATENT = (3, 4, 9), 16, 5


class PlainGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(LATENT, 8), nn.Linear(8, 2)

    def forward(self, z):
        return self.b(torch.relu(self.a(z)))


class PlainCritic(nn.Module):
    """Leaky, with three units summed, the slow way: the write-up's critic in small."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.b(leaky_relu(self.a(x / 2), 0.2)).sum(1)


def plain_networks(seed):
    """Float64 twins that start from the values the stack starts from."""
    generator, critic = PlainGenerator().double(), PlainCritic().double()
    for plain, make, purpose in ((generator, make_generator, "generator"), (critic, make_critic, "critic")):
        (module,) = build(make, [seed], purpose)
        for mine, theirs in zip(plain.parameters(), module.parameters(), strict=True):
            mine.data.copy_(theirs.data)
    return generator, critic


def make_generator():
    return Mlp((LATENT,), (2,), hidden=[8])


def make_critic():
    return Mlp((2,), (), hidden=[8], activation="leaky_relu", input_scale=0.5, summed_outputs=3)


def stacked(seeds, method, critic_optimizer):
    generator, critic = Stack(build(make_generator, seeds, "generator")), Stack(build(make_critic, seeds, "critic"))
    return GanTrainer(
        seeds,
        Player(
            generator, torch.optim.Adam(list(generator.parameters.values()), lr=1e-2, betas=(0.5, 0.999), fused=True)
        ),
        Player(critic, critic_optimizer(list(critic.parameters.values()))),
        method,
        gaussian_ring(),
        latent_dim=LATENT,
        batch_size=BATCH,
    )


def plain_losses(kind):
    if kind == "wasserstein":
        return lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()
    return lambda real, fake: softplus(-real).mean() + softplus(fake).mean(), lambda fake: softplus(-fake).mean()


def plain_penalty(critic, real, fake, alpha):
    points = (alpha[:, None] * fake + (1 - alpha[:, None]) * real).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return 10 * ((gradient.pow(2).sum(1).sqrt() - 1) ** 2).mean()


def plain_run(
    seed,
    kind,
    critic_optimizer,
    steps,
    *,
    n_critic,
    penalty=False,
    clip=None,
    first_order=False,
    extra=(),
    noise=0.0,
):
    generator, critic = plain_networks(seed)
    g_opt = torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.5, 0.999))
    c_opt = critic_optimizer(list(critic.parameters()))
    latent, data, alphas, added = (Streams([seed], name) for name in ("latent", "data", "penalty", "instance noise"))
    critic_loss, generator_loss = plain_losses(kind)
    ring = gaussian_ring()

    def noised(x):
        return x + noise * added.normal(BATCH, 2)[0].double()

    def critic_step(x, z):
        if clip is not None:
            for weight in critic.parameters():
                weight.data.clamp_(-clip, clip)
        x, fake = noised(x), noised(generator(z).detach())
        loss = critic_loss(critic(x), critic(fake))
        if penalty:
            loss = loss + plain_penalty(critic, x, fake, alphas.uniform(BATCH)[0].double())
        c_opt.zero_grad()
        loss.backward()
        c_opt.step()

    for step in range(steps):
        for _ in range(extra[step] if extra else 0):
            z = latent.normal(1, BATCH, LATENT)[0, 0].double()
            critic_step(ring.draw(BATCH, data.generators[0]).double(), z)
        z = latent.normal(n_critic + 1, BATCH, LATENT)[0].double()
        x = ring.draw(n_critic * BATCH, data.generators[0]).double().view(n_critic, BATCH, 2)
        kept = None
        for k in range(n_critic):
            critic_step(x[k], z[k])
            if kept is None and first_order:
                kept = [weight.detach().clone() for weight in critic.parameters()]
        g_opt.zero_grad()
        generator_loss(critic(noised(generator(z[-1])))).backward()
        g_opt.step()
        if kept is not None:
            for weight, old in zip(critic.parameters(), kept, strict=True):
                weight.data.copy_(old)
    return generator, critic


ADAM = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999))
# A bias under an always-active unit has gradient 0 in a Wasserstein loss; a large eps keeps Adam from blowing up its
# rounding error to a whole step.
CALM_ADAM = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999), eps=1e-2)
RMSPROP = partial(torch.optim.RMSprop, lr=1e-3, alpha=0.5)
RMSPROP_TF = partial(RmspropTf, lr=1e-3)

CASES = {
    "gan": (Method(objectives.NonSaturating()), ADAM, {"kind": "gan", "n_critic": 1}),
    "unrolled-first-order": (
        Method(objectives.NonSaturating(), unroll=Unroll(3, "first")),
        ADAM,
        {"kind": "gan", "n_critic": 3, "first_order": True},
    ),
    "clip": (
        Method(
            objectives.Wasserstein(), projection=partial(constraints.clip, clip_value=0.3), project="before", n_critic=2
        ),
        RMSPROP,
        {"kind": "wasserstein", "n_critic": 2, "clip": 0.3},
    ),
    "clip, RMSprop of TensorFlow": (
        Method(
            objectives.Wasserstein(), projection=partial(constraints.clip, clip_value=0.3), project="before", n_critic=2
        ),
        RMSPROP_TF,
        {"kind": "wasserstein", "n_critic": 2, "clip": 0.3},
    ),
    "warm-up": (  # four critic steps before the first two generator steps, two before the third
        Method(
            objectives.Wasserstein(),
            projection=partial(constraints.clip, clip_value=0.3),
            n_critic=2,
            project="before",
            warmup=Warmup(4, first=2, every=5),
        ),
        RMSPROP,
        {"kind": "wasserstein", "n_critic": 2, "clip": 0.3, "extra": (2, 2, 0)},
    ),
    "noised samples": (
        Method(objectives.NonSaturating(), instance_noise=0.5),
        ADAM,
        {"kind": "gan", "n_critic": 1, "noise": 0.5},
    ),
    "penalty, noised samples": (
        Method(objectives.Wasserstein(), penalty=constraints.gradient_penalty, n_critic=2, instance_noise=0.5),
        CALM_ADAM,
        {"kind": "wasserstein", "n_critic": 2, "penalty": True, "noise": 0.5},
    ),
    "penalty": (
        Method(objectives.Wasserstein(), penalty=constraints.gradient_penalty, n_critic=2),
        CALM_ADAM,
        {"kind": "wasserstein", "n_critic": 2, "penalty": True},
    ),
}


@pytest.mark.parametrize("fakes_at_once", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_stacked_steps_agree_with_a_plain_float64_loop(case, fakes_at_once):
    method, optimizer, plain = CASES[case]
    method = replace(method, fakes_at_once=fakes_at_once)
    trainer = stacked(SEEDS, method, optimizer)
    for _ in range(3):
        trainer.step()
    for index, seed in enumerate(SEEDS):
        networks = plain_run(seed, plain["kind"], optimizer, 3, **{k: v for k, v in plain.items() if k != "kind"})
        for stack, network in zip((trainer.generator, trainer.critic), networks, strict=True):
            for mine, theirs in zip(stack.parameters.values(), network.parameters(), strict=True):
                torch.testing.assert_close(mine[index].double(), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_a_seed_draws_the_same_whatever_it_is_stacked_with(case):
    method, optimizer, _ = CASES[case]
    together, alone = stacked(SEEDS, method, optimizer), stacked(SEEDS[1:2], method, optimizer)
    for trainer in (together, alone):
        trainer.step()
    for stack, single in ((together.generator, alone.generator), (together.critic, alone.critic)):
        for name, tensor in stack.parameters.items():
            torch.testing.assert_close(tensor[1], single.parameters[name][0], rtol=1e-4, atol=1e-6)


def test_a_seed_that_diverges_leaves_the_others_alone():
    method, optimizer, _ = CASES["gan"]
    trainer, undisturbed = stacked(SEEDS, method, optimizer), stacked(SEEDS, method, optimizer)
    with torch.no_grad():
        next(iter(trainer.critic.parameters.values()))[1] = float("nan")
    for _ in range(3):
        trainer.step()
        undisturbed.step()
    assert trainer.finite.tolist() == [True, False, True]
    for name, tensor in trainer.generator.parameters.items():
        assert torch.equal(tensor[[0, 2]], undisturbed.generator.parameters[name][[0, 2]])


@pytest.mark.parametrize("case", ["penalty", "unrolled-first-order"])
@pytest.mark.parametrize("fakes_at_once", [False, True])
def test_fakes_at_once_take_one_pass_of_the_generator_beside_its_own_step(case, fakes_at_once, monkeypatch):
    method, optimizer, plain = CASES[case]
    trainer = stacked(SEEDS, replace(method, fakes_at_once=fakes_at_once), optimizer)
    network, taken = trainer.generator.network, []
    monkeypatch.setattr(
        trainer.generator, "network", lambda *given, **asked: taken.append(1) or network(*given, **asked)
    )
    trainer.step()
    assert len(taken) == (2 if fakes_at_once else plain["n_critic"] + 1)
