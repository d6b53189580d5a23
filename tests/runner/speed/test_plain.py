"""The plain loop and the runner compute the same: both against the plain loop in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.runner.test_classes import SPEC
from wganbench.data import shapes10
from wganbench.networks.mlp import SummedLinear
from wganbench.runner.build import make_trainer
from wganbench.runner.speed.plain import PlainLoop, unwritten
from wganbench.spec import load

SEEDS = (2, 5)
CPU = torch.device("cpu")
CASES = [
    *[("gaussians8", name) for name in ("gan", "lsgan", "unrolled", "wgan-clip", "wgan-rescale", "wgan-gp")],
    ("gaussians8", "wgan-gp-one-sided"),
    ("penalties", "ring-linear"),
    ("penalties", "translation-two-sided"),  # with a fixed generator
    ("table2", "dcgan"),
    ("table2", "dcgan-wgan-gp"),
]


@pytest.fixture(autouse=True)
def few_images(tmp_path, monkeypatch):
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})


def still(setting):
    """The setting with optimisers that change nothing, so that every gradient of a step is at the first weights."""
    roles = [role for role in ("critic_optimizer", "generator_optimizer") if getattr(setting, role) is not None]
    frozen = {role: getattr(setting, role) for role in roles}
    return setting.model_copy(
        update={
            role: one.model_copy(update={"options": {**one.options, "lr": 0.0, "weight_decay": 0.0}})
            for role, one in frozen.items()
        }
    )


def gradients(*networks):
    return {f"{n}.{name}": weight.grad for n, net in enumerate(networks) for name, weight in net.named_parameters()}


def last_batches(setting):
    """What a fresh trainer's step draws for its last critic step and its generator step: real, z, alpha, z."""
    twin = make_trainer(setting, SEEDS, CPU)
    n = setting.unroll.steps if setting.unroll else setting.n_critic
    latents = None
    if setting.fixed_generator is None:
        latents = twin._draw_latents()
    twin.host_step()
    real = twin.batches["data"].draw(n)[-1]
    alpha = [twin.streams["penalty"].uniform(setting.batch_size) for _ in range(n)][-1]
    if latents is None:
        noise = [twin.streams["noise"].normal(*real.shape[1:]) for _ in range(n)][-1]
        return real, twin.fixed(real, noise), alpha, None
    return real, latents[n - 1], alpha, latents[n]


def plain_gradients(setting, index, dtype):
    loop = PlainLoop(setting, SEEDS[index], CPU)
    real, source, alpha, z = (None if part is None else part[index].to(dtype) for part in last_batches(setting))
    networks = [loop.critic, *([] if z is None else [loop.generator])]
    for network in networks:
        network.to(dtype)
    with torch.no_grad():
        fake = source if z is None else loop.generator(source)
    loop.critic_step(real, fake, alpha)
    of_critic = {f"0.{name}": weight.grad.clone() for name, weight in loop.critic.named_parameters()}
    if z is not None:
        loop.generator_step(z)
    return {**gradients(*networks), **of_critic}


def relative_error(found, exact):
    """Of all gradients of one network together: single entries may be 0 but for rounding."""
    errors = {}
    for role in ("0.", "1."):
        names = [name for name in exact if name.startswith(role)]
        if names:
            apart = sum(float((found[name].double() - exact[name]).square().sum()) for name in names)
            errors[role] = (apart / sum(float(exact[name].square().sum()) for name in names)) ** 0.5
    return errors


@pytest.mark.parametrize(("experiment", "variant"), CASES)
def test_the_plain_loop_and_the_runner_have_the_gradients_of_float64(experiment, variant):
    check_gradients(load(experiment).setting(variant, "smoke"))


def of_classes(tmp_path):
    path = tmp_path / "classed.toml"
    path.write_text(SPEC)
    return load(path).setting("gp", "smoke")


def test_the_resnet_with_a_generator_batch_of_its_own_has_them_as_well(tmp_path):
    setting = of_classes(tmp_path)
    plain = {
        role: network.model_copy(update={"options": {**network.options, "classes": None}})
        for role, network in (("generator", setting.generator), ("critic", setting.critic))
    }
    assert setting.generator_batch_size == 2 * setting.batch_size
    check_gradients(setting.model_copy(update={**plain, "auxiliary_classifier": None}))


def check_gradients(setting):
    setting = still(setting)
    assert unwritten(setting) is None
    trainer = make_trainer(setting, SEEDS, CPU)
    trainer.step()
    stacks = [trainer.critic, *([] if setting.fixed_generator else [trainer.generator])]
    for index in range(len(SEEDS)):
        exact = plain_gradients(setting, index, torch.float64)
        of_runner = {
            f"{n}.{name}": weight.grad[index] for n, net in enumerate(stacks) for name, weight in net.parameters.items()
        }
        for found in (plain_gradients(setting, index, torch.float32), of_runner):
            assert found.keys() == exact.keys()
            assert max(relative_error(found, exact).values()) < 2e-5


def test_the_plain_loop_has_the_layers_of_torch():
    loop = PlainLoop(load("gaussians8").setting("wgan-clip", "smoke"), 0, CPU)
    layers = [type(module) for network in (loop.critic, loop.generator) for module in network.layers]
    assert layers == [nn.Linear, nn.LeakyReLU, SummedLinear, nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, SummedLinear]
    assert loop.critic.layers[1].negative_slope == 0.2


@pytest.mark.parametrize(
    ("experiment", "variant", "n_critic", "trained"),
    [
        ("gaussians8", "wgan-gp", 5, True),
        ("gaussians8", "unrolled", 5, True),
        ("penalties", "circles-linear", 5, False),
    ],
)
def test_a_plain_step_has_all_its_critic_steps(experiment, variant, n_critic, trained):
    loop = PlainLoop(load(experiment).setting(variant, "smoke"), 0, CPU)
    loop.step()
    counts = [{int(state["step"]) for state in loop.critic_optimizer.state.values()}]
    counts += [{int(state["step"]) for state in loop.generator_optimizer.state.values()}] if trained else []
    assert counts == [{n_critic}, *([{1}] if trained else [])]


def test_a_plain_unrolled_step_keeps_the_first_of_its_critics():
    loop = PlainLoop(load("gaussians8").setting("unrolled", "smoke"), 0, CPU)
    seen = []
    step = loop.critic_step

    def spy(*batches):
        step(*batches)
        seen.append([weight.detach().clone() for weight in loop.critic.parameters()])

    loop.critic_step = spy
    loop.step()
    kept = list(loop.critic.parameters())
    assert all(torch.equal(now, first) for now, first in zip(kept, seen[0], strict=True))
    assert not all(torch.equal(now, last) for now, last in zip(kept, seen[-1], strict=True))


@pytest.mark.parametrize(("variant", "bound"), [("wgan-clip", 0.01), ("wgan-rescale", 0.01)])
def test_a_plain_critic_is_projected(variant, bound):
    setting = load("gaussians8").setting(variant, "smoke").model_copy(update={"project": "after"})
    loop = PlainLoop(setting, 0, CPU)
    with torch.no_grad():
        for weight in loop.critic.parameters():
            weight.mul_(100)
    loop.step()
    largest = [float(weight.detach().abs().max()) for weight in loop.critic.parameters()]
    assert max(largest) == pytest.approx(bound)


def test_what_has_no_plain_loop_says_so(tmp_path):
    assert unwritten(of_classes(tmp_path)) == "no plain loop is written for an auxiliary classifier"
    spec = load("gaussians8")
    second = spec.setting("unrolled-second-order", "smoke")
    assert unwritten(second) == "no plain loop is written for unrolling of second order"
    noised = spec.setting("gan-noised", "smoke")
    assert unwritten(noised) == "no plain loop is written for noise on the samples"
    setting = spec.setting("wgan-gp", "smoke")
    custom = setting.constraint.model_copy(update={"name": "mine:penalty"})
    reason = unwritten(setting.model_copy(update={"constraint": custom}))
    assert reason == "no plain loop is written for the constraint 'mine:penalty'"
