"""Steps on the ``meta`` device: each method's can be held by a CUDA graph, and planted faults are found."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch

from tests.meta import NotOnDeviceError, device_only, on_meta  # noqa: F401  # a fixture
from tests.shipped import every_experiment
from wganbench.data import shapes10
from wganbench.losses import constraints
from wganbench.losses.objectives import Wasserstein
from wganbench.networks.nonlinearity import Nonlinearity
from wganbench.spec import load
from wganbench.spec.catalogue import NAMES
from wganbench.spec.plan import expand
from wganbench.training.critic_trainer import StackTrainer
from wganbench.training.cuda_graph import _set_capturable

SEEDS = (0, 3)
UNUSED = ["objective='minimax'", "generator_average=0.9", "lr_decay='linear'"]
"""Parts of a step that no experiment uses, or none with small networks."""
PAIRED = [
    *("objective='relativistic_paired'", "constraint='r1_r2'", "pack=2"),
    *("critic.norm='none'", "critic.spectral_norm=true"),
]
"""A loss that reads real images in the generator's step."""
SMALLER = {"batch_size": 4, "generator_batch_size": 4, "n_critic": 1}


@functools.cache
def of_each_method():
    """Settings with every method of the experiments, and every option of their networks, data and schedules."""
    methods, parts, found = set(), set(), []
    runs = [run for experiment in every_experiment() for run in expand(experiment, "smoke", [0])]
    runs += expand(load("gaussians8", UNUSED), "smoke", [0], ["gan"])
    runs += expand(load("table3", [f"variants.dcgan.{each}" for each in PAIRED]), "smoke", [0], ["dcgan"])
    for run in runs:
        method, rest = method_of(run.setting), parts_of(run.setting)
        if method not in methods or not rest <= parts:
            methods.add(method)
            parts |= rest
            found.append(pytest.param(run.setting, id=f"{run.experiment}-{run.variant}"))
    return found


def method_of(setting):
    parts = (setting.objective, *setting.constraints, setting.critic)
    names = (part.name for part in parts)
    return *names, setting.project, setting.unroll and setting.unroll.order, setting.pack, setting.updates


def parts_of(setting):
    """What else a step depends on, except numbers."""
    components = (setting.data, setting.critic, setting.generator, setting.critic_optimizer, setting.fixed_generator)
    options = {
        (part.name, name, value if isinstance(value, str | bool | None) else "some")
        for part in components
        if part is not None
        for name, value in {"name": part.name, **part.options}.items()
        if "init" not in name
    }
    without = (getattr(setting, name) is None for name in ("generator_average", "classes", "instance_noise"))
    return options | set(zip(("decay", "average", "classes", "noise"), (setting.lr_decay, *without), strict=True))


def smaller(setting):
    """The same operations on fewer and smaller layers."""
    changes = {name: value for name, value in SMALLER.items() if getattr(setting, name) is not None}
    parts = {"data": {"size": 8 if setting.critic.name in ("resnet_critic", "bottleneck_critic") else 16}}
    parts |= {role: {"hidden": [4, 4]} for role in ("critic", "generator")}
    for role, options in parts.items():
        part = getattr(setting, role)
        if part is not None and options.keys() <= part.options.keys():
            changes[role] = part.model_copy(update={"options": {**part.options, **options}})
    return setting.model_copy(update=changes)


def seeds_of(setting):
    """Two stacked seeds of small networks; one of an image network, whose stack has many more operations."""
    return SEEDS[:1] if setting.data.name == "shapes10" else SEEDS


@pytest.fixture(scope="module", autouse=True)
def few_images(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})
        patch.setenv("WGANBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        yield


def captured_step(trainer):
    """The operations of a step as it is captured, when optimisers have their moments and count on the device."""
    _set_capturable(trainer, True)
    with device_only(trainer):
        for stack, optimizer in zip(trainer.networks.values(), trainer.optimizers, strict=True):
            for weights in stack.parameters.values():
                weights.grad = torch.zeros_like(weights)
            optimizer.step()
    next_step(trainer, draws=True)
    return next_step(trainer)


def next_step(trainer, *, draws=False):
    trainer.host_step()
    with device_only(trainer, draws=draws) as mode:
        trainer.device_step()
    return mode.operations


@pytest.mark.parametrize("setting", of_each_method())
def test_a_step_needs_nothing_of_the_host_and_the_next_one_repeats_it(setting, on_meta):  # noqa: F811
    trainer = on_meta(smaller(setting), seeds_of(setting))
    operations = captured_step(trainer)
    assert len(operations) > 50
    assert next_step(trainer) == operations


def test_every_part_of_a_step_in_the_catalogue_is_among_them():
    settings = [each.values[0] for each in of_each_method()]
    parts = {"objective": "objective", "network": "critic", "optimizer": "critic_optimizer"}
    parts["fixed generator"] = "fixed_generator"
    used = {
        kind: {getattr(each, role).name for each in settings if getattr(each, role)} for kind, role in parts.items()
    }
    used["constraint"] = {part.name for each in settings for part in each.constraints}
    used["network"] |= {each.generator.name for each in settings if each.generator}
    assert used == {kind: NAMES[kind].keys() for kind in used}


# ---- planted faults -------------------------------------------------------------------------------------------------


def objective(change):
    """Puts ``change`` of the real scores, ``(seeds, batch)``, into the critic's objective."""
    own = Wasserstein.critic_loss
    return Wasserstein, "critic_loss", lambda self, real, fake: own(self, change(real), fake)


def constraint(change):
    """Puts ``change`` of the gradient norms, ``(seeds, batch)``, into the penalty."""
    own = constraints.gradient_norms
    return constraints, "gradient_norms", lambda *inputs: change(own(*inputs))


def network(change):
    """Puts ``change`` of each hidden layer, ``(batch, width)``, into the networks."""
    own = Nonlinearity.forward
    return Nonlinearity, "forward", lambda self, x: change(own(self, x))


def step(change):
    """Puts ``change`` of the trainer behind each critic step."""
    own = StackTrainer._critic_step

    def critic_step(self, *inputs):
        own(self, *inputs)
        change(self)

    return StackTrainer, "_critic_step", critic_step


def scales_by_a_number(real):
    return real / (1 + real.detach().abs().max().item())


def branches_on_a_value(real):
    return real if real.mean() > 0 else 2 * real


def weights_from_python(real):
    return real * torch.tensor([0.5], device=real.device)


def weights_from_numpy(real):
    return real * torch.from_numpy(np.ones(real.shape[1], np.float32))


def weights_on_the_cpu(real):
    return real * torch.linspace(0, 1, real.shape[1])


def keeps_the_large(norms):
    return norms[norms > 1].mean() + norms


def counts_the_large(norms):
    return norms + torch.where(norms > 1)[0].shape[0]


def keeps_each_once(norms):
    return norms + norms.unique().sum()


def takes_singular_values(norms):
    return norms + torch.linalg.svdvals(norms).sum(dim=0)


def draws_on_the_cpu(norms):
    return norms + torch.rand(norms.shape).to(norms.device)


def draws_from_the_global_stream(norms):
    return norms + torch.rand(norms.shape, device=norms.device)


def drops_out(x):
    return torch.dropout(x, 0.5, train=True)


def divides_by_the_spectral_norm(x):
    return x / torch.linalg.matrix_norm(x, 2)


def selects_by_a_list(x):
    return x[[*range(len(x))]]


def goes_by_numpy(x):
    return x + float(x.detach().cpu().numpy().sum())


def stops_if_not_finite(trainer):
    if not trainer.critic_loss.isfinite().all():
        raise RuntimeError("the loss is not finite")


def logs_the_loss(trainer):
    trainer.logged = trainer.critic_loss.tolist()


def shuffles(trainer):
    trainer.order = torch.randperm(trainer.batch_size, device=trainer.device)


def counts_on_the_cpu(trainer):
    trainer.count = getattr(trainer, "count", torch.zeros((), device="cpu")) + 1


FAULTS = [
    (objective, scales_by_a_number, r"_local_scalar_dense.*asks the device for a number"),
    (objective, branches_on_a_value, r"_local_scalar_dense.*asks the device for a number"),
    (objective, weights_from_python, r"tensor: copies numbers from the host"),
    (objective, weights_from_numpy, r"lift_fresh.*is given a tensor in the memory of the CPU"),
    (objective, weights_on_the_cpu, r"linspace.*makes a tensor in the memory of the CPU"),
    (constraint, keeps_the_large, r"index.*has a size that depends on values"),
    (constraint, counts_the_large, r"nonzero.*has a size that depends on values"),
    (constraint, keeps_each_once, r"_unique2.*has a size that depends on values"),
    (constraint, takes_singular_values, r"_linalg_svd.*waits for the device"),
    (constraint, draws_on_the_cpu, r"rand.*draws from no stream of the trainer"),
    (constraint, draws_from_the_global_stream, r"rand.*draws from no stream of the trainer"),
    (network, drops_out, r"bernoulli_.*draws from no stream of the trainer"),
    (network, divides_by_the_spectral_norm, r"_linalg_svd.*waits for the device"),
    (network, selects_by_a_list, r"__getitem__: copies numbers from the host"),
    (network, goes_by_numpy, r"_to_copy.*copies between CPU and device"),
    (step, stops_if_not_finite, r"_local_scalar_dense.*asks the device for a number"),
    (step, logs_the_loss, r"_to_copy.*copies between CPU and device"),
    (step, shuffles, r"randperm.*draws from no stream of the trainer"),
    (step, counts_on_the_cpu, r"zeros.*makes a tensor in the memory of the CPU"),
]


def penalised(on_meta):  # noqa: F811
    return on_meta(smaller(load("swissroll").setting("wgan-gp", "smoke")), SEEDS[:1])


@pytest.mark.parametrize(("place", "fault", "reason"), FAULTS, ids=[fault.__name__ for _, fault, _ in FAULTS])
def test_a_planted_fault_is_found_and_its_line_named(place, fault, reason, on_meta, monkeypatch):  # noqa: F811
    trainer = penalised(on_meta)
    monkeypatch.setattr(*place(fault))
    with pytest.raises(NotOnDeviceError, match=rf"^(aten\.)?{reason}, at test_meta\.py:\d+ \({fault.__name__}\)$"):
        captured_step(trainer)


def within_the_graph(trainer):
    """Values of the device chosen by values of the device, and numbers that are part of an operation."""
    loss = trainer.critic_loss
    weights = torch.full_like(loss, 0.5) * torch.linspace(0, 1, len(loss), device=loss.device)
    trainer.kept = torch.where(loss > 0, loss * weights, 0.0).clamp_min(1e-3).sort().values


def test_what_a_graph_can_hold_is_let_through(on_meta, monkeypatch):  # noqa: F811
    trainer = penalised(on_meta)
    before = len(captured_step(trainer))
    monkeypatch.setattr(*step(within_the_graph))
    assert len(next_step(trainer)) > before


def test_a_number_that_python_changes_from_step_to_step_shows_in_the_operations(on_meta, monkeypatch):  # noqa: F811
    count = itertools.count(1)
    trainer = penalised(on_meta)
    monkeypatch.setattr(*objective(lambda real: real * next(count)))
    operations = captured_step(trainer)
    changed = [(one, other) for one, other in zip(operations, next_step(trainer), strict=True) if one != other]
    assert {one[0] for one, _ in changed} == {"aten.mul.Tensor"}, "the scores, and their gradient"


def test_an_optimiser_that_counts_in_python_is_found(on_meta):  # noqa: F811
    """torch's Adam without `capturable` counts on the CPU, and would repeat the first step's correction of moments."""
    trainer = penalised(on_meta)
    trainer.critic_optimizer = torch.optim.Adam(list(trainer.critic.parameters.values()), foreach=True)
    for weights in trainer.critic.parameters.values():
        weights.grad = torch.zeros_like(weights)
    with device_only(trainer), pytest.raises(NotOnDeviceError, match=r"^tensor: copies numbers from the host"):
        trainer.critic_optimizer.step()
