"""The time of training alone, by a clock that moves only when something is done that takes time."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from tests.runner.test_run_all import execute
from wganbench.records.store import Store
from wganbench.runner import clock, cohort
from wganbench.runner.checkpoint import Checkpoints
from wganbench.runner.clock import Clock
from wganbench.runner.evaluation import Evaluator
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution
from wganbench.spec import load
from wganbench.spec.plan import Cohort, expand
from wganbench.training.gan_trainer import GanTrainer

STEP, LOOK, SAVE = 3.0, 100.0, 10_000.0
MEASURED = "[measures.training_seconds]\npoints = 100\n"
EXECUTION = Execution(device="cpu", stack=2, checkpoint_seconds=0.0)


@pytest.fixture
def now(monkeypatch):
    """Seconds, one item: a step, a look and a checkpoint take so many, and nothing else any."""
    seconds = [50.0]
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: seconds[0]))

    def taking(owner, name, cost):
        plain = getattr(owner, name)

        def slow(self, *arguments, **named):
            seconds[0] += cost
            return plain(self, *arguments, **named)

        monkeypatch.setattr(owner, name, slow)

    taking(GanTrainer, "step", STEP)
    taking(Evaluator, "evaluate", LOOK)
    taking(Checkpoints, "save", SAVE)
    return seconds


def test_it_is_that_of_the_steps_and_not_of_measures_or_checkpoints(tiny, tmp_path, now):
    records = execute(tiny(MEASURED), Store(tmp_path / "results"), [0, 1], ["gp"], EXECUTION)
    for record in records:
        assert record.curves["training_seconds"].steps == [0, 1, 2, 3, 4]
        assert record.curves["training_seconds"].values == [0.0, STEP, 2 * STEP, 3 * STEP, 4 * STEP]
        assert record.measures["training_seconds"] == 4 * STEP
        assert record.wall_seconds == 4 * STEP + 5 * LOOK + 3 * SAVE


def test_it_goes_on_over_a_resumption(tiny, tmp_path, now, monkeypatch):
    store, stop, path = Store(tmp_path / "results"), Stop(), tiny(MEASURED)
    save = Checkpoints.save

    def stopping(self, checkpoint):
        save(self, checkpoint)
        if checkpoint.step == 2:
            stop.ask("interrupted")

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", stopping)
        assert execute(path, store, [0], ["gp"], EXECUTION, stop=stop) == []
    now[0] += 1e6  # meanwhile
    (record,) = execute(path, store, [0], ["gp"], EXECUTION)
    assert record.curves["training_seconds"].values == [0.0, STEP, 2 * STEP, 3 * STEP, 4 * STEP]


def test_it_is_read_once_the_device_has_done_what_it_was_given(monkeypatch):
    seconds = [0.0]

    def wait(device):
        assert device == torch.device("cuda")
        seconds[0] += 7.0

    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: seconds[0]))
    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    watch = Clock(torch.device("cuda"))
    watch.start()
    seconds[0] += 1.0
    watch.stop()
    seconds[0] += 100.0
    watch.start()
    watch.stop()
    assert (watch.training_seconds, watch.seconds()) == (8.0 + 7.0, 115.0)


# ---- a device that lags behind --------------------------------------------------------------------------------------


class Device:
    """A GPU that takes so many seconds a step, while the CPU launches steps in none; it is one only for the clock."""

    type = "cuda"

    def __init__(self, seconds):
        self.seconds, self.now, self.launched, self.done = seconds, 0.0, 0, 0
        self.waited = []

    def launch(self):
        self.launched += 1

    def wait(self, device):
        self.now += (self.launched - self.done) * self.seconds
        self.done = self.launched
        self.waited.append(self.now)

    @property
    def behind(self):
        return (self.launched - self.done) * self.seconds


def gaps(times):
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("seconds", [0.0003, 0.02, 0.6])
def test_the_device_is_waited_for_about_once_a_second(monkeypatch, seconds):
    device = Device(seconds)
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: device.now))
    monkeypatch.setattr(clock, "wait_for", device.wait)
    watch = Clock(device)
    watch.start()
    furthest = 0.0
    for _ in range(int(100 / seconds)):
        device.launch()
        furthest = max(furthest, device.behind)
        watch.keep_up()
    assert furthest <= 1.01
    assert min(gaps(device.waited[-50:])) >= min(0.9, seconds - 1e-9)


def test_the_waits_come_closer_when_steps_become_slower(monkeypatch):
    device = Device(0.001)
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: device.now))
    monkeypatch.setattr(clock, "wait_for", device.wait)
    watch = Clock(device)
    watch.start()
    for _ in range(10_000):
        device.launch()
        watch.keep_up()
    device.seconds = 0.1
    for _ in range(1_100):
        device.launch()
        watch.keep_up()
    assert max(gaps(device.waited[-5:])) <= 1.01


def test_a_time_limit_ends_the_training_at_the_step_that_the_device_has_reached(tiny, monkeypatch):
    device = Device(0.25)
    clocks = SimpleNamespace(perf_counter=lambda: device.now, monotonic=lambda: device.now)
    monkeypatch.setattr(clock, "time", clocks)
    monkeypatch.setattr(cohort, "time", clocks)
    for module in (clock, cohort):
        monkeypatch.setattr(module, "wait_for", device.wait)
    step = GanTrainer.step
    monkeypatch.setattr(GanTrainer, "step", lambda trainer: (step(trainer), device.launch()))
    runs = expand(load(str(tiny()), ["steps=400"]), "smoke", [0], ["gp"])
    ahead = []
    attempt = cohort.Attempt(
        timeout_seconds=10.0, started=0.0, on_step=lambda reported: ahead.append(reported - device.done)
    )
    (outcome,) = cohort.train_cohort(Cohort(tuple(runs)), attempt)
    assert (outcome.record.status, outcome.record.note) == ("failed", "timed out after 10 s, at step 40")
    assert max(ahead) <= 4
