"""Capturing with a stand-in for the graph: that the steps are the same ones, and what becomes of it when they are not.

The graph itself is tested in tests/test_gpu.py.
"""

import weakref
from contextlib import contextmanager

import pytest
import torch

from tests.shipped import every_experiment
from wganbench.runner.build import make_trainer
from wganbench.spec import load
from wganbench.spec.plan import expand
from wganbench.training import cuda_graph
from wganbench.training.cuda_graph import NotCapturedError, capture
from wganbench.training.step_streams import StepStreams

CPU, SEEDS = torch.device("cpu"), (0, 3)


def one_of_each_method():
    """A variant for each combination of what a step is made of, and one for each data set."""
    seen, drawn = {}, set()
    for experiment in every_experiment():
        for run in expand(experiment, "smoke", [0]):
            setting = run.setting
            parts = (setting.objective, *setting.constraints, setting.critic_optimizer, setting.fixed_generator)
            names = tuple(part.name if part is not None else None for part in parts)
            made_of = (*names, setting.project, setting.unroll, setting.pack, setting.updates)
            if setting.data.name not in drawn or made_of not in seen:
                drawn.add(setting.data.name)
                seen[*made_of, setting.data.name] = seen[made_of] = setting
    return list({id(setting): setting for setting in seen.values()}.values())


def small(setting):
    """The same in less time."""
    changes = {"batch_size": 8}
    for role in ("critic", "generator"):
        network = getattr(setting, role)
        if network is not None and "hidden" in network.options:
            changes[role] = network.model_copy(update={"options": {**network.options, "hidden": [16, 16]}})
    return setting.model_copy(update=changes)


def tensors(state):
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for item in state.values() if isinstance(state, dict) else state:
            yield from tensors(item)


def same(one, other):
    pairs = zip(tensors(one.state()), tensors(other.state()), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def by_itself(trainer):
    return trainer.device_step


def made(variant="wgan-gp", experiment="swissroll"):
    return make_trainer(small(load(experiment).setting(variant, "smoke")), SEEDS, CPU)


@pytest.mark.parametrize("setting", one_of_each_method(), ids=lambda setting: f"{setting.objective.name}")
def test_captured_steps_are_to_the_last_bit_those_that_the_trainer_takes(setting):
    plain, captured = (make_trainer(small(setting), SEEDS[:1], CPU) for _ in range(2))
    plain.step()
    captured.step()
    step = capture(captured, by_itself)
    assert same(plain, captured), "what was checked has left its traces"
    for _ in range(2):
        plain.step()
        step()
    assert same(plain, captured)


def test_it_begins_at_the_beginning_as_well_and_goes_on_from_a_checkpoint():
    plain, captured = made(), made()
    step = capture(captured, by_itself)
    for _ in range(3):
        plain.step()
        step()
    kept = captured.state()
    plain.step()
    for _ in range(2):
        step()
    held = [id(moment) for optimizer in captured.optimizers for moment in tensors(list(optimizer.state.values()))]
    captured.restore(kept)
    step()
    assert same(plain, captured)
    now = [id(moment) for optimizer in captured.optimizers for moment in tensors(list(optimizer.state.values()))]
    assert now == held, "a graph writes into the tensors that it was captured with"


def test_rates_that_fall_do_so_in_captured_steps_and_after_what_was_checked():
    setting = small(load("swissroll", ["lr_decay='linear'"]).setting("wgan-gp", "smoke"))
    plain, captured = (make_trainer(setting, SEEDS, CPU) for _ in range(2))
    rates = [optimizer.param_groups[0]["lr"] for optimizer in captured.optimizers]
    step = capture(captured, by_itself)
    for _ in range(3):
        plain.step()
        step()
    assert same(plain, captured)
    assert (plain.steps_done, captured.steps_done) == (3, 3)
    now = [optimizer.param_groups[0]["lr"] for optimizer in captured.optimizers]
    assert [id(rate) for rate in now] == [id(rate) for rate in rates]


def test_a_rate_that_falls_as_a_number_is_reported_beforehand():
    trainer = make_trainer(small(load("swissroll", ["lr_decay='linear'"]).setting("wgan-gp", "smoke")), SEEDS, CPU)
    trainer.critic_optimizer = torch.optim.Adam(list(trainer.critic.parameters.values()), lr=0.1, foreach=True)
    with pytest.raises(NotCapturedError, match=r"^Adam with foreach takes no learning rate that falls in a graph$"):
        capture(trainer, by_itself)


def cannot(trainer):
    trainer.device_step()
    raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore of it")


def nothing(trainer):
    return lambda: None


def same_draws(trainer):
    """Where the generators are not registered, say."""
    began = [rng.get_state() for own in trainer.drawn_from.values() for rng in own.generators]

    def replay():
        for rng, state in zip((r for own in trainer.drawn_from.values() for r in own.generators), began, strict=True):
            rng.set_state(state)
        trainer.device_step()

    return replay


@pytest.mark.parametrize("steps_before", [0, 2])
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (cannot, r"^CUDA error: operation not permitted when stream is capturing$"),
        (nothing, r"^the graph's .* differs from that of eager steps by [0-9.e+-]+ of it$"),
        (same_draws, r"^the graph's .* differs from that of eager steps by [0-9.e+-]+ of it$"),
    ],
)
def test_what_cannot_be_captured_or_does_something_else_leaves_the_trainer_as_it_was(record, reason, steps_before):
    plain, refused = made(), made()
    for trainer in (plain, refused):
        for _ in range(steps_before):
            trainer.step()
    with pytest.raises(NotCapturedError, match=reason):
        capture(refused, record)
    assert same(plain, refused)
    for trainer in (plain, refused):
        trainer.step()
    assert same(plain, refused)


class Memory:
    """Stands for the memory of a graph."""


def test_the_reason_of_a_refusal_keeps_nothing_of_the_failed_capture_alive():
    failed = []

    def record(trainer):
        memory = Memory()
        failed.append(weakref.ref(memory))
        raise RuntimeError("CUDA error: operation failed")

    with pytest.raises(NotCapturedError) as reason:
        capture(made(), record)
    assert failed[0]() is None
    assert (reason.value.__context__, reason.value.__cause__) == (None, None)


class Graph:
    """Stands for torch's graph, and notes the generators that it is told of."""

    def __init__(self):
        self.told = []

    def register_generator_state(self, rng):
        self.told.append(rng)


@pytest.mark.parametrize("tracks", [False, True], ids=["below torch 2.13", "from torch 2.13 on"])
def test_only_below_torch_2_13_a_capture_is_told_its_generators_and_gives_back_the_memory_of_a_failure(
    monkeypatch, tracks
):
    """With a stand-in for torch's calls, as no version below 2.13 need be installed."""
    trainer, graph, pool, calls = made(), Graph(), (0, 7), []

    @contextmanager
    def capturing(of, pool, **options):
        calls.append(("capture", pool))
        yield

    monkeypatch.setattr(cuda_graph, "TRACKS_GENERATORS", tracks)
    for owner, name, value in [
        (torch.cuda, "CUDAGraph", lambda: graph),
        (torch.cuda, "graph_pool_handle", lambda: pool),
        (torch.cuda, "current_stream", lambda: None),
        (torch.cuda, "graph", capturing),
        (torch._C, "_cuda_endAllocateToPool", lambda device, of: calls.append(("end", of))),
        (torch._C, "_cuda_releasePool", lambda device, of: calls.append(("release", of))),
    ]:
        monkeypatch.setattr(owner, name, value, raising=False)
    monkeypatch.setattr(trainer, "device_step", lambda: cannot(made()))
    with pytest.raises(RuntimeError, match="not permitted"):
        cuda_graph._graph(trainer)
    if tracks:
        assert calls == [("capture", None)] and graph.told == []
    else:
        assert calls == [("capture", pool), ("end", pool), ("release", pool)]
        own = [own for own in trainer.drawn_from.values() if not isinstance(own, StepStreams)]
        assert graph.told == [rng for one in own for rng in one.generators]


def test_what_changes_from_step_to_step_in_python_is_noticed():
    trainer = made()
    steps, objective = [], trainer.method.objective.critic_loss

    def record(trainer):
        n = len(steps)

        def replay():  # a graph has the count of when it was captured
            del steps[n:]
            trainer.device_step()

        return replay

    def growing(real, fake):
        steps.append(1)
        return objective(real, fake) * len(steps)

    trainer.method.objective.critic_loss = growing
    with pytest.raises(NotCapturedError, match="differs from that of eager steps"):
        capture(trainer, record)


def test_an_unknown_optimiser_is_reported_beforehand():
    trainer = made()
    trainer.critic_optimizer = torch.optim.Rprop(list(trainer.critic.parameters.values()), lr=0.1)
    with pytest.raises(NotCapturedError, match=r"^Rprop is not known to work in a graph$"):
        capture(trainer, by_itself)
