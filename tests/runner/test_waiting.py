"""What is waited for is said, and a worker that dies before it can begin fails its own runs alone."""

from __future__ import annotations

import os

from tests.runner.jobs.made import ELSEWHERE, lease
from tests.runner.test_run_all import execute
from wganbench.records.store import Store
from wganbench.runner import loop
from wganbench.runner.executors.inline import Inline
from wganbench.runner.jobs.heartbeat import repeating
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution
from wganbench.spec import load
from wganbench.spec.plan import expand


def test_who_trains_what_is_waited_for_is_reported_once_and_it_is_trained_once_it_is_free(tiny, tmp_path):
    store, spec, waiting = Store(tmp_path / "results"), tiny(), []
    runs = expand(load(spec), "smoke", [0, 1], ["gp"])
    held = [lease(store, run.id, ELSEWHERE) for run in runs]

    def on_event(event):
        if event["event"] == "waiting":
            waiting.append(event)
            for path in held:
                os.utime(path, (0, 0))

    assert len(execute(spec, store, [0, 1], ["gp"], on_event=on_event)) == 2
    (cohort,) = {event["cohort"] for event in waiting}
    assert [event["owner"] for event in waiting] == ["process 7 on elsewhere"]
    assert cohort.startswith("gp-")


class _Dying(Inline):
    """An executor whose workers for one variant die before they write anything."""

    def run(self, jobs, stop, *, one_at_a_time=False):
        for planned in jobs:
            if planned.job.variant == "clip":
                yield planned
            else:
                yield from super().run([planned], stop)


def test_a_worker_that_dies_before_its_first_line_fails_its_own_runs_alone(tiny, tmp_path, monkeypatch):
    store = Store(tmp_path / "results")
    monkeypatch.setattr(loop, "make_executor", lambda execution, store, device: _Dying(store))
    made = execute(tiny(), store, [0, 1], execution=Execution(device="cpu", stack=2, retries=1))
    assert {record.variant: record.status for record in made} == {"clip": "failed", "gp": "finished"}
    (why,) = {record.note for record in made if record.status == "failed"}
    assert why.startswith("its worker died 2 times before it could begin, perhaps for want of memory; use fewer --jobs")
    assert {record.retries for record in made if record.status == "failed"} == {1}
    assert store.load().keys() == {record.id for record in made}
    assert not list(tmp_path.glob("results/.work/leases/*"))
    monkeypatch.undo()
    assert [record.status for record in execute(tiny(), store, [0, 1])] == ["finished"] * 2


def test_what_is_repeated_goes_on_after_a_disk_has_refused_something():
    stop, calls = Stop(), []

    def refuse():
        calls.append(None)
        if len(calls) == 3:
            stop.ask("terminated")
        raise OSError("no answer")

    with repeating(refuse, 0.001):
        while stop.reason is None:
            pass
    assert len(calls) >= 3
