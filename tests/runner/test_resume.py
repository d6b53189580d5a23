"""A training that was stopped and goes on, in this process or another, ends bit for bit as one that never was."""

from __future__ import annotations

import io
import json

import pytest
import torch

from tests.runner.commands import left_behind, run
from tests.runner.test_run_all import execute
from wganbench.records.store import Store
from wganbench.runner import checkpoint, worker
from wganbench.runner.checkpoint import Checkpoints
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution
from wganbench.training import critic_trainer, step_streams

INLINE = Execution(device="cpu", stack=2, threads=1, checkpoint_seconds=0.0)
LOCAL = Execution(device="cpu", stack=2, threads=1, executor="local", jobs=1)

TRAININGS = [
    ("gaussians8", "gan"),
    ("gaussians8", "unrolled"),
    ("gaussians8", "unrolled-second-order"),
    ("gaussians8", "wgan-clip"),
    ("gaussians8", "wgan-rescale"),
    ("gaussians8", "wgan-gp"),
    ("gaussians8", "lsgan"),
    ("optimal-critic", "translation2-1"),
    ("observations", "adam-1e-3"),  # whose measures read the last 100 steps
]
STEPS = "steps=10"
AN_HOUR = 3600.0


def train(training, store, **about):
    experiment, variant = training
    return execute(experiment, store, [0, 1], [variant], **{"execution": INLINE, "overrides": [STEPS], **about})


def train_until(step, training, store, monkeypatch, **about):
    """Trains on, and stops after ``step``; its checkpoints say that it took an hour a step."""
    stop, save = Stop(), Checkpoints.save

    def saved(self, checkpoint):
        checkpoint.wall_seconds += checkpoint.step * AN_HOUR
        save(self, checkpoint)
        if checkpoint.step == step - 1:
            stop.ask("interrupted")

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", saved)
        assert train(training, store, stop=stop, **about) == []
    assert [path.name for path in checkpoints(store)] == [f"checkpoint-{n:08d}.pt" for n in (step - 1, step)]


def checkpoints(store):
    return sorted(store.root.glob(".work/jobs/*/*/*/*.pt"))


def described(store, records):
    """All of records and artefacts, but for the times."""
    timeless = {"wall_seconds": True, "provenance": {"started"}}
    return {
        record.id: (
            record.model_dump(exclude=timeless),
            [store.artefact(record, artefact) for artefact in record.artefacts],
        )
        for record in records
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What comes of a training that nothing stops."""
    known = {}

    def look_up(training):
        if training not in known:
            store = Store(tmp_path_factory.mktemp("undisturbed"))
            known[training] = described(store, train(training, store))
        return known[training]

    return look_up


@pytest.mark.parametrize("training", TRAININGS, ids="-".join)
def test_stopped_twice_and_gone_on_with_it_ends_as_if_nothing_had_been(training, tmp_path, monkeypatch, undisturbed):
    store, events = Store(tmp_path), []
    train_until(3, training, store, monkeypatch)
    train_until(7, training, store, monkeypatch)
    records = train(training, store, on_event=events.append)
    assert described(store, records) == undisturbed(training)
    assert len(records) == 2
    assert bool(records[0].artefacts) == (training[0] != "optimal-critic")  # whose samples are drawn
    assert {record.retries for record in records} == {0}
    assert {record.wall_seconds // AN_HOUR for record in records} == {3 + 7}  # so it went on, and the times add up
    assert [event["step"] for event in events if event["event"] == "start"] == [7]
    assert left_behind(tmp_path) == []


def test_a_training_whose_rates_fall_and_that_is_averaged_goes_on_as_if_nothing_had_been(
    tmp_path, monkeypatch, undisturbed
):
    asked = {"overrides": [STEPS, "lr_decay='linear'", "generator_average=0.8"]}
    straight, store = Store(tmp_path / "straight"), Store(tmp_path / "stopped")
    expected = described(straight, train(TRAININGS[5], straight, **asked))
    train_until(3, TRAININGS[5], store, monkeypatch, **asked)
    train_until(7, TRAININGS[5], store, monkeypatch, **asked)
    assert described(store, train(TRAININGS[5], store, **asked)) == expected
    losses, steady = (
        [record["curves"]["critic_loss"] for record, _ in each.values()]
        for each in (expected, undisturbed(TRAININGS[5]))
    )
    assert losses != steady


def test_a_training_whose_numbers_are_drawn_in_blocks_goes_on_in_the_middle_of_one(tmp_path, monkeypatch, undisturbed):
    training = TRAININGS[5]
    without = undisturbed(training)
    monkeypatch.setattr(critic_trainer, "draws_in_blocks", lambda device: True)  # as on CUDA
    monkeypatch.setattr(step_streams, "MAX_STEPS", 4)
    straight, store = Store(tmp_path / "straight"), Store(tmp_path / "stopped")
    expected = described(straight, train(training, straight))
    train_until(3, training, store, monkeypatch)
    train_until(7, training, store, monkeypatch)
    assert described(store, train(training, store)) == expected
    assert expected != without


def test_a_worker_goes_on_with_what_this_process_began(tmp_path, monkeypatch, undisturbed):
    store, training = Store(tmp_path), TRAININGS[0]
    train_until(4, training, store, monkeypatch)
    records = train(training, store, execution=LOCAL)
    assert described(store, records) == undisturbed(training)
    assert {record.wall_seconds // AN_HOUR for record in records} == {4}


def test_another_command_goes_on_with_what_this_process_began(tmp_path, monkeypatch, undisturbed):
    store, training = Store(tmp_path), TRAININGS[2]
    train_until(6, training, store, monkeypatch)
    options = ("--seeds", "2", "--variant", training[1], "--stack", "2", "--set", STEPS, "--device", "cpu")
    code, out, errors = run(training[0], tmp_path, *options, "--log-json")
    assert (code, errors) == (0, "")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["step"] for event in events if event["event"] == "start"] == [6]
    records = store.load().values()
    assert described(store, records) == undisturbed(training)
    assert {record.wall_seconds // AN_HOUR for record in records} == {6}


def warnings(events):
    return [event["message"] for event in events if event["event"] == "warning"]


def test_where_the_newest_checkpoint_is_cut_off_the_one_before_serves_and_a_line_says_so(
    tmp_path, monkeypatch, undisturbed
):
    store, training, events = Store(tmp_path), TRAININGS[0], []
    train_until(6, training, store, monkeypatch)
    _, newest = checkpoints(store)
    newest.write_bytes(newest.read_bytes()[:-1])
    records = train(training, store, on_event=events.append)
    assert warnings(events) == [f"{newest}: damaged, its content does not match its checksum; it is passed over"]
    assert described(store, records) == undisturbed(training)
    assert {record.wall_seconds // AN_HOUR for record in records} == {5}


def test_where_all_checkpoints_are_damaged_the_training_begins_from_scratch(tmp_path, monkeypatch, undisturbed):
    store, training, events = Store(tmp_path), TRAININGS[0], []
    train_until(6, training, store, monkeypatch)
    for path in checkpoints(store):
        path.write_bytes(b"")
    records = train(training, store, on_event=events.append)
    assert len(warnings(events)) == 2
    assert described(store, records) == undisturbed(training)
    assert {record.wall_seconds // AN_HOUR for record in records} == {0}


def other_threads(patched):
    return {"execution": Execution(device="cpu", stack=2, threads=2, checkpoint_seconds=0.0)}


def other_version(patched):
    provenance = worker.provenance

    def older(device, precision):
        made_by = provenance(device, precision)
        return made_by.model_copy(update={"libraries": {**made_by.libraries, "torch": "0.4.1"}})

    patched.setattr(worker, "provenance", older)
    return {}


@pytest.mark.parametrize(
    ("other", "says"), [(other_threads, 'threads "2", here "1"'), (other_version, 'torch "0.4.1", here "')]
)
def test_checkpoints_made_otherwise_are_passed_over_with_what_differs(tmp_path, monkeypatch, undisturbed, other, says):
    store, training, events = Store(tmp_path), TRAININGS[0], []
    with monkeypatch.context() as patched:
        about = other(patched)
        train_until(5, training, store, monkeypatch, **about)
    records = train(training, store, on_event=events.append)
    assert len(warnings(events)) == 2
    assert all("of another run, setting, machine or code" in line and says in line for line in warnings(events))
    assert described(store, records) == undisturbed(training)
    assert {record.wall_seconds // AN_HOUR for record in records} == {0}


# ---- checkpoints that claim what is not so --------------------------------------------------------------------------


def forge(path, change):
    """Changes what a checkpoint says, and gives it the checksum and the name that are then right."""
    line, _, payload = checkpoint._content(path).partition(b"\n")
    about, state = json.loads(line), torch.load(io.BytesIO(payload), weights_only=True)
    change(about, state)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = json.dumps(about).encode() + b"\n" + buffer.getvalue()
    path.unlink()
    forged = path.with_name(f"checkpoint-{about['step']:08d}.pt")
    forged.write_bytes(checkpoint._head(content) + content)
    return forged


def claims_step(step, *, trained=True):
    def change(about, state):
        about["step"] = step
        if trained:
            state["trainer"]["steps_done"] = step

    return change


def claims_the_end_with_curves(about, state):
    claims_step(10)(about, state)
    for trace in state["traces"]:
        trace["steps_done"] = 10
        for steps, values in trace["curves"].values():
            added = [step for step in range(7, 11) if len(steps) > 5 or step == 10]
            steps += added
            values += [0.5] * len(added)


def of_curve(label, change):
    def changed(about, state):
        change(*state["traces"][1]["curves"][label])

    return changed


def of_trace(**fields):
    def changed(about, state):
        for trace in state["traces"]:
            trace.update(fields)

    return changed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (claims_step(10), "its step is 10, must be from 1 to 9"),
        (claims_the_end_with_curves, "its step is 10, must be from 1 to 9"),
        (claims_step(5000), "its step is 5000, must be from 1 to 9"),
        (claims_step(9, trained=False), "its trainer is at step 6, its first lines say 9"),
        (
            claims_step(9),
            "modes_covered has 7 up to step 6 of the 10 values due by step 9",
        ),
        (
            of_curve("generator_loss", lambda steps, values: (steps.pop(2), values.pop(2))),
            "generator_loss has 5 up to step 6 of the 6 values due by step 6",
        ),
        (
            of_curve("critic_loss", lambda steps, values: values.pop()),
            "critic_loss has 5 up to step 6 of the 6 values due by step 6",
        ),
        (
            of_curve("critic_loss", lambda steps, values: (steps.append(7), values.append(0.0))),
            "critic_loss has 7 up to step 7 of the 6 values due by step 6",
        ),
        (of_trace(steps_done=10), "a run of it is 'finished' after 10 steps, at step 6"),
        (of_trace(status="failed"), "a run of it is 'failed' after 6 steps, at step 6"),
        (of_trace(status="diverged"), "all of its runs have diverged, which ends a training"),
    ],
)
def test_a_checkpoint_that_claims_what_its_curves_do_not_show_is_passed_over(
    tmp_path, monkeypatch, undisturbed, change, says
):
    store, training, events = Store(tmp_path), TRAININGS[0], []
    train_until(6, training, store, monkeypatch)
    forged = forge(checkpoints(store)[-1], change)
    records = train(training, store, on_event=events.append)
    assert warnings(events) == [f"{forged}: {says}, though its checksum is right; it is passed over"]
    assert described(store, records) == undisturbed(training)
    assert {record.wall_seconds // AN_HOUR for record in records} == {5}  # from the one before
    assert left_behind(tmp_path) == []


UNLUCKY = """
import torch
from wganbench.networks.mlp import Mlp

class Unlucky(Mlp):
    def __init__(self, *shapes, hidden):
        super().__init__(*shapes, hidden=hidden)
        if torch.initial_seed() % 2:
            self.layers[0].weight.data.fill_(float("nan"))
"""


def test_a_cohort_of_which_some_runs_have_diverged_goes_on(tiny, tmp_path, monkeypatch):
    from wganbench.rng import generator

    parity = [generator(seed, "critic").initial_seed() % 2 for seed in range(20)]
    seeds = sorted([parity.index(0), parity.index(1)])
    (tmp_path / "unlucky_critic.py").write_text(UNLUCKY)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tiny('[variants.unlucky]\ncritic = { name = "unlucky_critic:Unlucky", hidden = [4] }\n')
    inline = Execution(device="cpu", stack=20, threads=1, checkpoint_seconds=0.0)
    stop, save, events, straight = Stop(), Checkpoints.save, [], Store(tmp_path / "straight")

    def saved(self, found):
        save(self, found)
        stop.ask("interrupted")

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", saved)
        assert execute(path, Store(tmp_path / "stopped"), seeds, ["unlucky"], inline, stop=stop) == []
    store = Store(tmp_path / "stopped")
    records = execute(path, store, seeds, ["unlucky"], inline, on_event=events.append)
    assert sorted(record.status for record in records) == ["diverged", "finished"]
    assert (warnings(events), [event["step"] for event in events if event["event"] == "start"]) == ([], [2])
    assert described(store, records) == described(straight, execute(path, straight, seeds, ["unlucky"], inline))
