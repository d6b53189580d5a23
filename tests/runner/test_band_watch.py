"""A run that leaves its band: when that is reported, and which weights are held."""

import math
import sys
import threading

import pytest

from tests.runner.test_run_all import execute
from wganbench.records.store import Store
from wganbench.runner import band
from wganbench.runner.band import BandWatch
from wganbench.runner.trace import Trace
from wganbench.spec import Setting
from wganbench.spec.setting import Band

FALLS_AND_RISES = [9.0, 5.0, 1.0, 1.0, 8.0, 8.0, 8.0, 1.0, 1.0, 8.0, 8.0]
"""Medians of three are back above half of the fall at the sixth value, inside at the ninth, and outside at the last."""


@pytest.fixture
def watch(monkeypatch):
    monkeypatch.setattr(band, "of_trainer", lambda trainer, index: {"generator": {"weights": trainer}})
    setting = Setting.model_construct(band=Band(of="estimate"), steps=20)
    return lambda trace, said, **options: BandWatch(setting, ["gp-s0"], [trace], said.append, **options)


def follow(watching, trace, values, first=0):
    for step, value in enumerate(values, start=first):
        trace.add("estimate", step, value)
        watching.look(step, step)  # the step stands for the trainer, whose weights are held


def test_a_run_that_leaves_its_band_twice_is_reported_once(watch):
    trace, said = Trace(), []
    follow(watch(trace, said, holds_weights=False), trace, FALLS_AND_RISES)
    end = "--keep-weights would keep the last weights inside"
    assert said == [f"gp-s0: estimate has left its band at step 5: 8, after 1 at step 2; {end}"]
    assert not trace.good


def test_the_last_weights_inside_are_held_though_the_run_was_outside_before(watch):
    trace, said = Trace(), []
    watching = watch(trace, said, holds_weights=True)
    follow(watching, trace, FALLS_AND_RISES[:7])
    assert (trace.good_step, trace.good) == (4, {"generator": {"weights": 4}})
    assert said[0].endswith("; the weights of step 4 are kept")
    follow(watching, trace, FALLS_AND_RISES[7:], first=7)
    assert trace.good_step == 9


def test_a_fall_while_the_critic_has_not_settled_is_left_out(watch):
    """The first twentieth of 20 steps is step 0, where the estimate of a critic that was just initialised is near 0."""
    rises, falls, rises_again = [0.0, 4.0, 8.0, 9.0], [5.0, 1.0, 1.0], [8.0, 8.0]
    trace, said = Trace(), []
    follow(watch(trace, said, holds_weights=True), trace, rises + falls + rises_again)
    assert said == ["gp-s0: estimate has left its band at step 8: 8, after 1 at step 5; the weights of step 7 are kept"]


def test_no_run_is_outside_before_its_first_twentieth():
    setting = Setting.model_construct(band=Band(of="estimate"), steps=200)
    trace, said = Trace(), []
    follow(BandWatch(setting, ["gp-s0"], [trace], said.append, holds_weights=False), trace, FALLS_AND_RISES[:10])
    assert (said, trace.is_outside) == ([], False)


def test_a_run_that_diverges_in_its_first_twentieth_is_outside():
    setting = Setting.model_construct(band=Band(of="estimate"), steps=200)
    trace, said = Trace(), []
    follow(BandWatch(setting, ["gp-s0"], [trace], said.append, holds_weights=False), trace, [9.0, math.nan])
    assert said[0].startswith("gp-s0: estimate has left its band at step 1: not finite; ")


def test_a_resumed_run_is_not_reported_again(watch):
    trace, resumed, said = Trace(), Trace(), []
    follow(watch(trace, said, holds_weights=False), trace, FALLS_AND_RISES[:7])
    resumed.restore(trace.state())
    follow(watch(resumed, said, holds_weights=False), resumed, FALLS_AND_RISES[7:], first=7)
    assert len(said) == 1


PLANTED = """
import threading

VALUES = [9.0, 5.0, 1.0, 1.0, 8.0, 8.0, 8.0]
reported = threading.Event()
waited = []

def estimate(curves):
    n = len(curves["planted"][0]) if "planted" in curves else 0
    if n == len(VALUES) - 1:  # the last step
        waited.append(reported.wait(30))
    return VALUES[n % len(VALUES)]
"""


def test_it_is_reported_while_the_run_goes_on(tiny, tmp_path):
    """The last step of the run waits for the warning about the one before it."""
    (tmp_path / "planted_band.py").write_text(PLANTED)
    path = tiny('[variants.mine]\nband = { of = "planted" }\nsteps = 6\n')
    measures = '[measures]\nplanted = { name = "planted_band:estimate", points = 7, spacing = "even" }\n'
    path.write_text(path.read_text().replace("[measures]\n", measures))
    events = []

    def on_event(event):
        events.append((event, threading.current_thread()))
        if event["event"] == "warning":
            sys.modules["planted_band"].reported.set()

    (record,) = execute(path, Store(tmp_path / "results"), [0], ["mine"], on_event=on_event)
    assert record.status == "finished", record.note
    assert sys.modules["planted_band"].waited == [True]
    ((warning, thread),) = [(event, thread) for event, thread in events if event["event"] == "warning"]
    assert warning["message"].startswith(f"{record.id}: planted has left its band at step 5: 8, after 1 at step 2")
    assert warning["cohort"].startswith(record.id)
    assert thread is not threading.main_thread()
