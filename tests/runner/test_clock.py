"""The time of training alone, by a clock that moves only when something is done that takes time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tests.runner.test_run_all import execute
from wganbench.records.store import Store
from wganbench.runner import clock
from wganbench.runner.checkpoint import Checkpoints
from wganbench.runner.clock import Clock
from wganbench.runner.evaluation import Evaluator
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution
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
