"""What becomes of a training that dies, hangs, or finds no memory, by where it is trained."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import psutil
import pytest
import torch

from tests.runner.commands import Command, described, is_there, left_behind, numbers, run, sleepy_spec, until
from tests.runner.forked import Forked
from tests.runner.test_run_all import execute
from wganbench.errors import RecordError
from wganbench.records.store import Store
from wganbench.runner import loop
from wganbench.runner.executors.inline import Inline
from wganbench.runner.executors.local import slots
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution

INLINE = Execution(device="cpu", stack=2, threads=1)
LOCAL = replace(INLINE, executor="local", jobs=2)
BOTH = pytest.mark.parametrize("execution", [INLINE, LOCAL], ids=["inline", "local"])

FAULTY = '''
"""Penalties of nothing that do something else from the step ``at`` on: each time, or where ``marker`` is no file."""

import ctypes, functools, json, os, pathlib, signal, subprocess, sys, threading, time

import torch
from wganbench.networks.mlp import Mlp

def in_training(penalty):
    """Does something else in batches of 8 alone, not in those by which it is checked beforehand."""

    @functools.wraps(penalty)
    def checked(critic, real, **options):
        return penalty(critic, real, **options) if real.shape[1] == 8 else critic(real).square().mean(1)

    return checked


QUIET = subprocess.DEVNULL  # else it would keep open what the command writes to
calls = 0


def _is_due(at, marker=None):
    global calls
    calls += 1
    if calls < at or (marker and pathlib.Path(marker).exists()):
        return False
    if marker:
        pathlib.Path(marker).touch()
    return True


@in_training
def dies(critic, real, *, at, marker=None, log=None):
    if log:
        tells(critic, real, log=log, nap=0.05)
    if _is_due(at, marker):
        os.kill(os.getpid(), signal.SIGKILL)
    return real.new_zeros(len(real))


@in_training
def dies_with_a_child(critic, real, *, at, started):
    """The child has what it has open, as one of multiprocessing's ``fork`` has."""
    if _is_due(at):
        child = os.fork()
        if child == 0:
            time.sleep(1000)
        pathlib.Path(started).write_text(str(child))
        os.kill(os.getpid(), signal.SIGKILL)
    return real.new_zeros(len(real))


@in_training
def dies_each(critic, real, *, steps):
    """Dies after every so many steps that this process has made."""
    if _is_due(steps + 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return real.new_zeros(len(real))


@in_training
def finds_no_memory(critic, real, *, at, log, marker=None):
    tells(critic, real, log=log, nap=0.05)
    if _is_due(at, marker):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
    return real.new_zeros(len(real))


@in_training
def crowded(critic, real, *, most):
    if len(real) > most:
        raise torch.OutOfMemoryError(f"no room for {len(real)}")
    return real.new_zeros(len(real))


@in_training
def tells(critic, real, *, log, nap=0.0):
    """Leaves a line of when, who and under what it is."""
    about = [torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), threading.current_thread().name]
    with open(log, "a") as file:
        file.write(json.dumps([time.monotonic(), os.getpid(), *about, dict(os.environ)]) + "\\n")
    time.sleep(nap)
    return real.new_zeros(len(real))


@in_training
def raises(critic, real, *, at):
    if _is_due(at):
        raise ArithmeticError("no such thing")
    return real.new_zeros(len(real))


@in_training
def hangs(critic, real, *, at, started):
    if _is_due(at):
        pathlib.Path(started).write_text(str(subprocess.Popen(["sleep", "1000"], stdout=QUIET, stderr=QUIET).pid))
        time.sleep(1000)
    return real.new_zeros(len(real))


@in_training
def hangs_in_c(critic, real, *, at):
    if _is_due(at):
        ctypes.PyDLL(None).sleep(1000)  # no other thread of Python runs meanwhile
    return real.new_zeros(len(real))


class Peeking(Mlp):
    def forward(self, x):
        assert x.sum().item() == x.sum().item()  # has no meaning for a stack, so each seed is trained alone
        return super().forward(x)


@in_training
def naps(critic, real, *, seconds):
    time.sleep(seconds)
    return real.new_zeros(len(real))
'''


@pytest.fixture
def faulty(tiny, tmp_path, monkeypatch):
    """Writes a spec with the variant ``faulty``, whose penalty is ``name`` of the module above; a new one each time."""
    module = f"faulty_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(FAULTY)

    def write(name: str, more: str = "", **options) -> Path:
        given = "".join(f", {key} = {json.dumps(str(v) if isinstance(v, Path) else v)}" for key, v in options.items())
        return tiny(f'[variants.faulty]\nconstraint = {{ name = "{module}:{name}"{given} }}\n{more}')

    return write


def by_variant(records):
    return {record.variant: record for record in records}


# ---- deaths -------------------------------------------------------------------------------------------------------


def test_a_worker_that_always_dies_fails_its_runs_after_its_retries_and_no_other(faulty, tmp_path):
    path, events = faulty("dies", at=3), []
    store, variants, execution = Store(tmp_path / "results"), ["faulty", "clip", "gp"], replace(LOCAL, retries=1)
    found = by_variant(execute(path, store, [0], variants, execution, on_event=events.append))
    assert {name: (record.status, record.retries) for name, record in found.items()} == {
        "faulty": ("failed", 1),
        "clip": ("finished", 0),
        "gp": ("finished", 0),
    }
    assert found["faulty"].note == "its worker died 2 times after step 0"
    assert [event["cohort"] for event in events if event["event"] == "start" and event["retries"]] == [
        f"{found['faulty'].id}-0"
    ]
    assert left_behind(tmp_path / "results") == []


@pytest.mark.timeout(60)
def test_a_death_is_seen_while_a_child_of_the_worker_lives_which_then_ends_as_well(faulty, tmp_path):
    path, started = faulty("dies_with_a_child", at=2, started=tmp_path / "started"), tmp_path / "started"
    (record,) = execute(path, Store(tmp_path / "results"), [0], ["faulty"], replace(LOCAL, retries=0))
    assert (record.status, record.note) == ("failed", "its worker died 1 times after step 0")
    assert until(lambda: not is_there(int(started.read_text())))


def test_a_worker_that_dies_once_leaves_nothing_but_a_count(faulty, tmp_path):
    path, marker = faulty("dies", at=3, marker=tmp_path / "marker"), tmp_path / "marker"
    disturbed = execute(path, Store(tmp_path / "disturbed"), [0, 1], ["faulty"], LOCAL)
    assert {record.retries for record in disturbed} == {1}
    assert marker.exists()
    undisturbed = execute(path, Store(tmp_path / "undisturbed"), [0, 1], ["faulty"], LOCAL)
    assert {record.retries for record in undisturbed} == {0}
    assert [described(record) for record in disturbed] == [described(record) for record in undisturbed]


def test_deaths_with_a_checkpoint_between_them_are_without_limit(faulty, tmp_path):
    steps = "steps=12"
    path = faulty("dies_each", steps=3)
    eager = replace(LOCAL, retries=0, checkpoint_seconds=0.0)
    records = execute(path, Store(tmp_path / "deadly"), [0, 1], ["faulty"], eager, overrides=[steps])
    assert [(record.status, record.retries, record.note) for record in records] == [("finished", 3, None)] * 2
    path = faulty("dies_each", steps=100)
    whole = execute(path, Store(tmp_path / "whole"), [0, 1], ["faulty"], LOCAL, overrides=[steps])
    assert [(r.measures, r.curves) for r in records] == [(r.measures, r.curves) for r in whole]


def test_what_was_recorded_before_the_deaths_stays_where_seeds_are_trained_one_by_one(faulty, tmp_path):
    store, marker, dying = Store(tmp_path / "results"), tmp_path / "marker", replace(LOCAL, retries=0)
    path = faulty("dies", at=6, marker=marker)  # in the training of the second seed
    critic = f'critic = {{ name = "faulty_{tmp_path.name}:Peeking", hidden = [4] }}\n'
    path.write_text(path.read_text() + critic)
    marker.touch()
    before = execute(path, store, [0, 1], ["faulty"], dying)
    assert {record.status for record in before} == {"finished"}
    marker.unlink()
    execute(path, store, [0, 1], ["faulty"], dying, redo="all")
    after = {record.seed: record for record in store.load().values()}
    assert {seed: record.status for seed, record in after.items()} == {0: "finished", 1: "failed"}
    assert described(after[0]) == described(before[0])


def test_short_jobs_share_a_process(faulty, tmp_path):
    log = tmp_path / "log"
    records = execute(
        faulty("tells", log=log), Store(tmp_path / "results"), range(8), ["faulty"], replace(LOCAL, stack=1)
    )
    assert [record.status for record in records] == ["finished"] * 8
    assert len(spans([log])) < 8


@BOTH
def test_an_exception_is_recorded_and_the_rest_goes_on(faulty, tmp_path, execution):
    records = execute(faulty("raises", at=2), Store(tmp_path), [0], ["faulty", "clip"], execution)
    assert {record.variant: record.status for record in records} == {"faulty": "failed", "clip": "finished"}
    (failed,) = (record for record in records if record.status == "failed")
    assert failed.note.endswith("ArithmeticError: no such thing\n")
    assert failed.retries == 0


# ---- memory -------------------------------------------------------------------------------------------------------


def spans(logs: Iterable[Path]) -> list[tuple[float, float]]:
    """From when until when each process trained for each log, the earliest first."""
    times: dict[tuple[Path, int], list[float]] = {}
    for log in logs:
        for line in log.read_text().splitlines():
            moment, process, *_ = json.loads(line)
            times.setdefault((log, process), []).append(moment)
    return sorted((min(moments), max(moments)) for moments in times.values())


def test_without_memory_a_cohort_is_tried_again_when_no_other_is_left_to_train(faulty, tmp_path):
    module = f"faulty_{tmp_path.name}"

    def variant(name, penalty, **options):
        options["log"] = str(tmp_path / f"{name}.log")
        given = "".join(f", {key} = {json.dumps(value)}" for key, value in options.items())
        return f'[variants.{name}]\nconstraint = {{ name = "{module}:{penalty}"{given} }}\n'

    more = variant("short", "finds_no_memory", at=2, marker=str(tmp_path / "short"))
    more += variant("dead", "dies", at=2, marker=str(tmp_path / "dead")) + variant("other", "tells", nap=0.05)
    path = faulty("finds_no_memory", more, at=2, log=tmp_path / "faulty.log", marker=tmp_path / "marker")
    variants = ["faulty", "short", "dead", "other"]
    records = by_variant(execute(path, Store(tmp_path / "results"), [0, 1], variants, LOCAL))
    assert {name: (record.status, record.retries) for name, record in records.items()} == {
        "faulty": ("finished", 1),
        "short": ("finished", 1),
        "dead": ("finished", 1),
        "other": ("finished", 0),
    }
    trained = spans(tmp_path.glob("*.log"))
    assert len(trained) == 7
    *together, dead, first, second = trained
    assert max(end for _, end in together) < dead[0]
    assert dead[1] < first[0] and first[1] < second[0]
    alone = by_variant(execute(path, Store(tmp_path / "alone"), [0, 1], ["faulty"], LOCAL))
    assert described(alone["faulty"]) == described(records["faulty"])


@BOTH
def test_without_memory_even_alone_a_cohort_fails_with_the_traceback(faulty, tmp_path, execution):
    path = faulty("finds_no_memory", at=2, log=tmp_path / "log")
    records = by_variant(execute(path, Store(tmp_path / "results"), [0], ["faulty", "clip"], execution))
    assert (records["clip"].status, records["clip"].retries) == ("finished", 0)
    assert (records["faulty"].status, records["faulty"].retries) == ("failed", 1)
    assert "Traceback" in records["faulty"].note
    assert "OutOfMemoryError: CUDA out of memory. Tried to allocate 20 GiB" in records["faulty"].note


def test_a_stack_that_finds_no_memory_even_alone_is_trained_in_halves(faulty, tmp_path):
    store, execution = Store(tmp_path / "results"), replace(INLINE, stack=8)
    records = execute(faulty("crowded", most=2), store, range(5), ["faulty"], execution)
    assert [(record.status, record.retries) for record in records] == [("finished", 1)] * 5
    assert [[run.rpartition("-s")[2] for run in record.cohort] for record in records] == [
        *[["0", "1"]] * 2,
        ["2"],
        *[["3", "4"]] * 2,
    ]
    three, two = (
        f"trained in a stack of at most {n}: no memory for {m} (no room for {m})" for n, m in ((3, 5), (2, 3))
    )
    assert [record.note for record in records] == [two, two, two, three, three]
    asked = execute(faulty("crowded", most=2), Store(tmp_path / "asked"), [0, 1], ["faulty"], replace(INLINE, stack=2))
    same = attrgetter("measures", "curves", "cohort")
    assert [same(record) for record in records[:2]] == [same(record) for record in asked]


# ---- time ---------------------------------------------------------------------------------------------------------


def test_a_worker_that_hangs_is_killed_with_what_it_has_started(faulty, tmp_path):
    path, started = faulty("hangs", at=3, started=tmp_path / "started"), tmp_path / "started"
    execution = replace(LOCAL, timeout_seconds=3.0)
    records = by_variant(execute(path, Store(tmp_path / "results"), [0], ["faulty", "clip"], execution))
    assert records["clip"].status == "finished"
    assert (records["faulty"].status, records["faulty"].note) == ("failed", "timed out, at step 2")
    assert records["faulty"].retries == 0
    assert until(lambda: not is_there(int(started.read_text())))


LATE = """
import sys
from pathlib import Path
from wganbench.runner import worker
worker.LATE_SECONDS = 0.2
worker.serve([(Path(sys.argv[1]), Path(sys.argv[2]))])
"""


class Fresh:
    """Works on each job in a process of its own that is not patient, and then in this one."""

    def __init__(self, store):
        self.store = store

    def run(self, jobs, stop, *, one_at_a_time=False):
        for planned in jobs:
            if planned.folder.history().deaths:
                yield from Inline(self.store).run([planned], stop)
                continue
            arguments = (str(planned.folder.path), str(self.store.root))
            said = self.store.root.with_name("said")
            ended = Forked(LATE, *arguments, environment=os.environ, out=said, err=said)
            assert ended.wait(120) == 1
            yield planned


def test_a_worker_that_hangs_where_no_thread_of_python_runs_is_ended_too(faulty, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "make_executor", lambda execution, store, device: Fresh(store))
    path = faulty("hangs_in_c", at=3)
    (record,) = execute(path, Store(tmp_path / "results"), [0], ["faulty"], replace(LOCAL, timeout_seconds=1.0))
    assert (record.status, record.retries) == ("failed", 0)
    assert record.note.startswith("timed out, in a call that does not return to Python\nTimeout (0:00:01.2")
    assert " in hangs_in_c\n" in record.note  # where it hung


def test_in_this_process_time_is_up_between_two_steps(faulty, tmp_path):
    path = faulty("naps", seconds=0.3)
    (record,) = execute(path, Store(tmp_path), [0], ["faulty"], replace(INLINE, timeout_seconds=0.5))
    assert (record.status, record.note) == ("failed", "timed out after 0.5 s, at step 2")
    assert record.steps_done == 2


# ---- stops --------------------------------------------------------------------------------------------------------

STOPPED = "wganbench: {}; records and checkpoints are kept, the same command resumes\n"


def sleepy(tiny, tmp_path):
    """A spec that trains for seconds where ``NAP`` is set, and what a command needs to make its 8 runs."""
    spec, options = sleepy_spec(tiny, 2, 40), ("--seeds", "4", "--stack", "2", "--checkpoint-every", "1000")
    return spec, options, {"NAP": "0.5"}


def begin(tiny, tmp_path, *options, fresh=True) -> Command:
    """A command that trains."""
    spec, chosen, environment = sleepy(tiny, tmp_path)
    command = Command(spec, tmp_path / "results", *chosen, *options, environment=environment, fresh=fresh)
    assert until(lambda: steps(tmp_path / "results") or command.process.poll() is not None)
    assert command.process.poll() is None, command.end()
    return command


def steps(results: Path) -> list[int]:
    """Of each cohort under way, how far it is."""
    found = [json.loads(path.read_text())["step"] for path in results.glob(".work/jobs/*/*/progress.json")]
    return [step for step in found if step]


def goes_on(tiny, tmp_path) -> None:
    """Ends in this process what a command has begun, as if nothing had been."""
    spec, _, _ = sleepy(tiny, tmp_path)
    events = []
    execute(spec, Store(tmp_path / "results"), range(4), execution=INLINE, on_event=events.append)
    assert any(event["step"] for event in events if event["event"] == "start")
    assert not any(event["retries"] for event in events if event["event"] == "start")
    execute(spec, Store(tmp_path / "whole"), range(4), execution=INLINE)
    assert numbers(tmp_path / "results") == numbers(tmp_path / "whole")
    assert left_behind(tmp_path / "results") == []


PROCESSES = ("--executor", "local", "--jobs", "2")
NONE = ("--executor", "inline")
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("options", "number", "code", "reason"),
    [
        pytest.param(PROCESSES, signal.SIGINT, 130, "interrupted", id="local-ctrl-c-forked"),
        pytest.param(PROCESSES, signal.SIGINT, 130, "interrupted", id="local-ctrl-c", marks=SLOW),
        pytest.param(PROCESSES, signal.SIGTERM, 143, "terminated", id="local-sigterm", marks=SLOW),
        pytest.param(NONE, signal.SIGINT, 130, "interrupted", id="inline-ctrl-c", marks=SLOW),
        pytest.param(NONE, signal.SIGTERM, 143, "terminated", id="inline-sigterm", marks=SLOW),
    ],
)
def test_what_a_terminal_sends_to_all_leaves_checkpoints(request, tiny, tmp_path, options, number, code, reason):
    command = begin(tiny, tmp_path, *options, fresh="forked" not in request.node.callspec.id)
    os.killpg(command.process.pid, number)  # as a terminal does, and timeout(1)
    assert command.end()[::2] == (code, STOPPED.format(reason))
    assert command.strays() == []
    goes_on(tiny, tmp_path)


@pytest.mark.slow
def test_workers_whose_command_was_killed_leave_checkpoints_and_end(tiny, tmp_path):
    command = begin(tiny, tmp_path, *PROCESSES)
    command.process.kill()
    assert command.strays(10) == []  # what is left to train takes longer
    command.end()
    goes_on(tiny, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("options", [NONE, PROCESSES], ids=["inline", "local"])
def test_a_second_ctrl_c_does_not_wait_for_checkpoints(faulty, tmp_path, options):
    path, started = faulty("hangs", at=2, started=tmp_path / "started"), tmp_path / "started"
    command = Command(path, tmp_path / "results", "--seeds", "1", "--variant", "faulty", *options, fresh=True)
    assert until(lambda: started.exists() and started.read_text())
    os.killpg(command.process.pid, signal.SIGINT)
    time.sleep(1)
    assert command.process.poll() is None
    begun = time.monotonic()
    os.killpg(command.process.pid, signal.SIGINT)
    code, _, errors = command.end()
    assert (code, errors) == (130, STOPPED.format("interrupted"))
    assert time.monotonic() - begun < 30  # and not the minute that a worker has
    if options is NONE:  # it has no group of its own that could be killed with it
        os.kill(int(started.read_text()), signal.SIGKILL)
    assert command.strays(5) == []


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5, 3.0, 4.5])
def test_ctrl_c_while_the_fork_server_is_importing_ends_it_in_one_line(tiny, tmp_path, seconds):
    spec, options, environment = sleepy(tiny, tmp_path)
    command = Command(spec, tmp_path / "results", *options, *PROCESSES, environment=environment, fresh=True)
    assert until(lambda: len(psutil.Process(command.process.pid).children()) == 2)  # and the tracker of resources
    time.sleep(seconds)
    os.killpg(command.process.pid, signal.SIGINT)
    assert command.end()[::2] == (130, STOPPED.format("interrupted"))
    assert command.strays() == []


@pytest.mark.slow
@pytest.mark.parametrize("options", [NONE, PROCESSES], ids=["inline", "local"])
def test_the_time_limit_leaves_checkpoints(tiny, tmp_path, options):
    spec, chosen, environment = sleepy(tiny, tmp_path)
    hours = str(15 / 3600)  # imports included
    about = {"environment": environment, "fresh": True}
    code, _, errors = run(spec, tmp_path / "results", *chosen, *options, "--max-hours", hours, **about)
    assert (code, errors) == (124, STOPPED.format("out of time"))
    goes_on(tiny, tmp_path)


def test_no_job_begins_once_the_time_is_up(tiny, tmp_path):
    events = []
    for execution in (INLINE, LOCAL):
        stop = Stop(0.0)
        assert execute(tiny(), Store(tmp_path), execution=execution, stop=stop, on_event=events.append) == []
        assert stop.reason == "out of time"
    assert [event["event"] for event in events] == ["begin", "begin"]  # what there is to do, and no job of it


# ---- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_command", [False, pytest.param(True, marks=SLOW)])
def test_what_does_not_import_in_a_worker_alone_is_one_line(tiny, tmp_path, is_command):
    module = f"absent_{tmp_path.name}"
    source = "import multiprocessing\nif multiprocessing.parent_process():\n    raise ImportError('not here')\n"
    (tmp_path / f"{module}.py").write_text(
        f"{source}def penalty(critic, real):\n    return 0.1 * critic(real).square().mean(1)\n"
    )
    path = tiny(f'[variants.absent]\nconstraint = "{module}:penalty"\n')
    says = (
        f"constraint '{module}:penalty': does not import (ImportError: not here); it must be package.module:object, "
        f"with the module beside the spec, in this folder or installed"
    )
    if is_command:
        options = ("--seeds", "1", "--variant", "absent", *PROCESSES)
        code, _, errors = run(path, tmp_path / "results", *options, fresh=True)
        assert (code, errors) == (2, f"wganbench: {says}\n")
    else:
        with pytest.raises(RecordError) as raised:
            execute(path, Store(tmp_path / "results"), [0], ["absent"], LOCAL)
        assert str(raised.value) == says
    assert Store(tmp_path / "results").load() == {}


# ---- the same wherever it is trained ------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(("threads", "deterministic"), [(1, False), (2, True)])
def test_a_training_has_the_threads_and_algorithms_that_its_record_tells_of(
    faulty, tmp_path, execution, threads, deterministic
):
    log = tmp_path / "log"
    asked = replace(execution, threads=threads, deterministic=deterministic)
    (record,) = execute(faulty("tells", log=log), Store(tmp_path / "results"), [0], ["faulty"], asked)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) >= 4
    for _, process, *algorithms, _, environment in lines:
        assert (process == os.getpid()) == (execution is INLINE)
        assert algorithms == [threads, deterministic]
        assert environment["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert (record.provenance.threads, record.provenance.deterministic) == (threads, deterministic)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_training_is_the_same_bit_for_bit_in_this_process_and_others(tiny, tmp_path):
    path, found = tiny(), []
    for n, execution in enumerate([INLINE, LOCAL, INLINE, LOCAL]):
        store = Store(tmp_path / str(n))
        records = execute(path, store, [0, 1, 2], execution=execution)
        found.append({record.id: (described(record), record.provenance.libraries) for record in records})
        found[-1] |= {path.name: path.read_bytes() for path in store.root.glob("*/artefacts/*")}
    assert len(found[0]) == 6 + 2
    assert found[0] == found[1] == found[2] == found[3]


def test_two_threads_work_in_a_process_that_was_forked(tiny, tmp_path):
    """A library whose threads were begun before the fork would wait for them for ever."""
    wide = ['variants.clip.critic={ name = "mlp", hidden = [256, 256] }', "variants.clip.batch_size=256"]
    two, seeds = replace(LOCAL, threads=2, timeout_seconds=60.0), [0, 1]
    local = execute(tiny(), Store(tmp_path / "local"), seeds, ["clip"], two, wide)
    inline = execute(tiny(), Store(tmp_path / "inline"), seeds, ["clip"], replace(two, executor="inline"), wide)
    assert [record.status for record in local] == ["finished"] * 2
    assert [described(record) for record in local] == [described(record) for record in inline]


def test_a_relative_folder_is_the_commands_and_not_the_one_it_was_started_in(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny()
    records = execute("tiny.toml", Store("results"), [0], ["clip"], LOCAL)
    assert [record.status for record in records] == ["finished"]
    assert Store(tmp_path / "results").load().keys() == {record.id for record in records}


# ---- places -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cores", "jobs", "threads", "expected"),
    [(8, None, None, 8), (8, None, 3, 2), (8, 5, 3, 5), (8, 1, None, 1), (2, None, 4, 1)],
)
def test_there_are_as_many_places_as_cores_for_the_threads_or_as_asked_for(monkeypatch, cores, jobs, threads, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    assert slots(Execution(jobs=jobs, threads=threads), "cpu") == [None] * expected


@pytest.mark.parametrize(
    ("visible", "count", "jobs", "per_gpu", "expected"),
    [
        (None, 3, None, 1, ["0", "1", "2"]),
        ("", 1, None, 1, ["0"]),
        ("2,0", 2, None, 1, ["2", "0"]),
        ("2,0", 2, None, 2, ["2", "0", "2", "0"]),  # a second job for a GPU when each has one
        ("2,0", 2, 3, 2, ["2", "0", "2"]),
        ("2,0", 2, 1, 1, ["2"]),
        ("GPU-8932f937,GPU-46fa1d3c", 2, None, 1, ["GPU-8932f937", "GPU-46fa1d3c"]),
        ("1,-1,0", 1, None, 1, ["1"]),  # CUDA reads up to the first that is none
    ],
)
def test_on_gpus_there_are_so_many_places_for_each_that_is_visible(
    monkeypatch, visible, count, jobs, per_gpu, expected
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert slots(Execution(jobs=jobs, per_gpu=per_gpu, threads=4), "cuda") == expected
