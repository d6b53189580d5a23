"""What ``wganbench status`` tells of work folders made by hand, of damaged ones, and of a command under way."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.analysis import factory
from tests.runner.commands import Command
from tests.runner.jobs import made
from wganbench.cli import cli
from wganbench.records.record import checksum_of
from wganbench.records.store import Store
from wganbench.runner.jobs.job import WorkFolder
from wganbench.runner.jobs.lease import LAPSE_SECONDS, myself
from wganbench.runner.jobs.session import begin
from wganbench.runner.jobs.status import Status, Stopped, about, status


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def spec(tmp_path):
    return factory.made(tmp_path)


def session(store, jobs, *, owner=None, planned=None, executor="local", age=0.0):
    """A ``run`` of ``jobs`` and nothing else, by ``owner``, this process if none is named."""
    file = begin(WorkFolder(store), planned or sum(len(job.job.wanted) for job in jobs), jobs, executor)
    if owner is not None:
        file.path.write_text(file.read().model_copy(update={"owner": owner}).model_dump_json())
    made.past(file.path, age)
    return file


def hold(store, job, owner=None):
    for run in job.job.cohort.runs:
        made.lease(store, run.id, owner or myself())


def command(store: Store, *arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["status", *arguments, "--results", str(store.root)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def said(store: Store, *arguments: str) -> str:
    result = command(store, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def as_json(store: Store, *arguments: str) -> dict:
    return json.loads(said(store, "--json", *arguments))


# ---- counts ---------------------------------------------------------------------------------------------------------


def test_runs_are_done_failed_running_or_left(store, spec):
    old = made.record(store, spec, "good", 5, status="failed")
    jobs = [
        made.planned(store, made.cohort(spec, "good", [0, 1, 2])),
        made.planned(store, made.cohort(spec, "bad", [0, 1])),
        made.planned(store, made.cohort(spec, "bad", [2])),
        made.planned(store, made.cohort(spec, "good", [5]), wanted={old.id: checksum_of(old)}),
    ]
    session(store, jobs, planned=17)
    made.record(store, spec, "good", 0)
    made.record(store, spec, "good", 1, status="diverged")
    made.record(store, spec, "bad", 2, status="failed", note="no")
    made.record(store, spec, "bad", 7, status="failed", note="of another command")
    hold(store, jobs[0])
    found = status(store)
    (one,) = found.sessions
    assert (one.planned, one.done, one.failed, one.running, one.left) == (17, 12, 1, 1, 3)
    assert (one.experiment, one.profile, one.executor, one.is_alive) == ("made", "paper", "local", True)
    assert (one.host, one.process) == (myself().host, os.getpid())
    assert one.started == pytest.approx(time.time(), abs=60)
    assert (found.records, found.failed) == (2, 3)
    assert not found.is_idle


@pytest.mark.parametrize(
    ("owner", "age", "is_alive"),
    [
        (None, 10 * LAPSE_SECONDS, True),
        (made.dead(), 0, False),
        (made.reused(), 0, False),
        (made.ELSEWHERE, LAPSE_SECONDS - 20, True),
        (made.ELSEWHERE, LAPSE_SECONDS + 1, False),
    ],
)
def test_a_command_is_under_way_as_long_as_its_process_or_its_heartbeat(store, spec, owner, age, is_alive):
    session(store, [made.planned(store, made.cohort(spec, "good", [0]))], owner=owner, age=age)
    found = status(store)
    assert [each.is_alive for each in found.sessions] == ([True] if is_alive else [])
    assert found.is_idle is not is_alive
    assert [each.cohorts for each in found.stopped] == ([] if is_alive else [1])


def test_a_dead_command_that_has_left_nothing_undone_is_not_reported(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    session(store, [job], owner=made.dead())
    made.record(store, spec, "good", 0)
    assert status(store) == Status(str(store.root), 1, 0, [], [], [], [])


def test_of_a_dead_command_whose_workers_go_on_both_are_reported(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0, 1]))
    session(store, [job], owner=made.dead(), executor="slurm")
    hold(store, job, made.ELSEWHERE)
    found = status(store)
    assert [(each.is_alive, each.running, each.left) for each in found.sessions] == [(False, 2, 0)]
    assert [each.worker for each in found.cohorts] == ["process 7 on elsewhere"]
    assert found.stopped == []
    assert f"slurm, process {made.dead().process} on {made.dead().host}, which is gone" in said(store)


def test_what_a_dead_command_left_and_a_living_one_has_taken_over_runs_once(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed])) for seed in range(3)]
    session(store, jobs[:2], owner=made.ELSEWHERE, age=2 * LAPSE_SECONDS)
    session(store, jobs[1:])
    hold(store, jobs[0], made.ELSEWHERE)
    hold(store, jobs[1])
    found = status(store)
    assert [(each.is_alive, each.planned, each.running, each.left) for each in found.sessions] == [
        (False, 1, 1, 0),
        (True, 2, 1, 1),
    ]


def test_a_failed_run_is_no_record_for_the_status_and_a_note_about_one_is(store, spec):
    made.record(store, spec, "good", 0, status="failed", note='"status": "finished"')
    made.record(store, spec, "good", 1, status="diverged", note='said "status": "failed"')
    made.record(store, spec, "bad", 0)
    assert said(store) == f"nothing is under way in {store.root}; 2 records, and 1 of failed runs\n"


# ---- cohorts under way ----------------------------------------------------------------------------------------------


def test_a_cohort_under_way_has_its_step_its_speed_and_the_age_of_its_last_sign(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0, 1, 2, 3]))
    session(store, [job])
    hold(store, job)
    made.progress(job.folder, step=70, first=20, seconds=8.0)
    made.past(job.folder.path / "progress.json", 30)
    (cohort,) = status(store).cohorts
    assert (cohort.experiment, cohort.cohort, cohort.worker) == ("made", job.job.cohort.id, str(myself()))
    assert (cohort.step, cohort.steps, cohort.seeds) == (70, 100, 4)
    assert cohort.seed_steps_per_second == 50 * 4 / 8.0
    assert cohort.silent_seconds == pytest.approx(30, abs=5)


def test_a_cohort_that_has_just_begun_has_no_speed(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    hold(store, job)
    made.checkpoint(job.folder, 40)
    (cohort,) = status(store).cohorts
    assert (cohort.step, cohort.seed_steps_per_second, cohort.silent_seconds) == (40, None, None)
    made.progress(job.folder, step=40, first=40, seconds=0.5)
    assert status(store).cohorts[0].seed_steps_per_second is None


def test_the_progress_of_a_worker_that_is_gone_is_no_cohort_under_way(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    hold(store, job, made.dead())
    made.progress(job.folder, step=70, first=20, seconds=8.0)
    assert status(store).cohorts == []
    assert status(store).stopped == [Stopped("made", "paper", 1, 0, 100)]


# ---- the time left --------------------------------------------------------------------------------------------------


def seconds_left(store) -> float | None:
    (one,) = status(store).sessions
    return one.seconds_left


def test_nothing_known_is_unknown(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    session(store, [job])
    assert seconds_left(store) is None
    hold(store, job)
    made.progress(job.folder, step=0, first=0, seconds=3.0)
    assert seconds_left(store) is None
    assert "unknown" in said(store)


def test_what_is_left_takes_as_long_as_what_was_done(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed]), flops=1e6) for seed in range(4)]
    session(store, jobs)
    made.record(store, spec, "good", 0, wall_seconds=10.0)
    assert seconds_left(store) == pytest.approx(30.0)
    made.record(store, spec, "good", 1, wall_seconds=30.0)
    assert seconds_left(store) == pytest.approx(40.0)
    for seed in (2, 3):
        made.record(store, spec, "good", seed)
    assert seconds_left(store) == 0.0


def test_jobs_are_weighted_by_their_operations(store, spec):
    jobs = [
        made.planned(store, made.cohort(spec, "good", [0]), flops=1e6),
        made.planned(store, made.cohort(spec, "bad", [0]), flops=3e6),
    ]
    session(store, jobs)
    made.record(store, spec, "good", 0, wall_seconds=10.0)
    assert seconds_left(store) == pytest.approx(30.0)


def test_jobs_are_weighted_by_their_steps_where_the_operations_of_one_are_unknown(store, spec):
    jobs = [
        made.planned(store, made.cohort(spec, "good", [0]), flops=1e6),
        made.planned(store, made.cohort(spec, "bad", [0, 1])),
    ]
    session(store, jobs)
    made.record(store, spec, "good", 0, wall_seconds=10.0)
    assert seconds_left(store) == pytest.approx(20.0)


def test_a_run_that_ended_early_is_weighted_by_its_steps(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed])) for seed in range(2)]
    session(store, jobs)
    made.record(store, spec, "good", 0, wall_seconds=10.0, status="failed", note="no", steps_done=25)
    assert seconds_left(store) == pytest.approx(40.0)


def test_the_wall_time_of_a_cohort_counts_once_for_all_its_runs(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", seeds)) for seeds in ([0, 1], [2, 3])]
    session(store, jobs)
    together = [run.id for run in jobs[0].job.cohort.runs]
    for seed in (0, 1):
        made.record(store, spec, "good", seed, wall_seconds=10.0, cohort=together)
    assert seconds_left(store) == pytest.approx(10.0)


def test_runs_of_a_cohort_that_could_not_be_stacked_count_each(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [0, 1, 2, 3]))]
    session(store, jobs)
    for seed in (0, 1):
        made.record(store, spec, "good", seed, wall_seconds=10.0)
    hold(store, jobs[0])
    assert seconds_left(store) == pytest.approx(40.0), "the whole cohort again, as its step is not known"


def test_a_cohort_under_way_goes_on_at_its_own_speed_and_the_rest_at_that_of_all(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed]), flops=1e6) for seed in range(3)]
    session(store, jobs)
    made.record(store, spec, "good", 0, wall_seconds=10.0)
    hold(store, jobs[1])
    made.progress(jobs[1].folder, step=60, first=10, seconds=20.0)
    # 40 steps at 0.4 s; and 100 steps at (10 + 20) s for 1.5 times the cost of one
    assert seconds_left(store) == pytest.approx(16.0 + 20.0)


def test_what_has_a_checkpoint_is_left_from_there(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed]), flops=1e6) for seed in range(2)]
    session(store, jobs)
    made.record(store, spec, "good", 0, wall_seconds=10.0)
    made.checkpoint(jobs[1].folder, 75)
    assert seconds_left(store) == pytest.approx(2.5)


def test_cohorts_at_a_time_share_what_is_left_but_none_ends_before_itself(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed]), flops=1e6) for seed in range(4)]
    session(store, jobs)
    for job, step in ((jobs[0], 50), (jobs[1], 50)):
        hold(store, job)
        made.progress(job.folder, step=step, first=0, seconds=10.0)
    assert seconds_left(store) == pytest.approx((10 + 10 + 20 + 20) / 2)
    for seed in (2, 3):
        made.record(store, spec, "good", seed, wall_seconds=20.0)
    made.progress(jobs[0].folder, step=90, first=0, seconds=18.0)
    assert seconds_left(store) == pytest.approx(10.0)


def test_nobody_waits_for_a_command_that_is_gone(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed])) for seed in range(2)]
    session(store, jobs, owner=made.dead())
    made.record(store, spec, "good", 0, wall_seconds=10.0)
    assert status(store).sessions == []
    assert [each.cohorts for each in status(store).stopped] == [1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0.0, "less than a minute"),
        (59.9, "less than a minute"),
        (60.0, "about 1 min"),
        (12.4 * 60, "about 12 min"),
        (89 * 60, "about 89 min"),
        (90 * 60, "about 2 h"),
        (26 * 3600, "about 26 h"),
        (5 * 86400, "about 5 days"),
    ],
)
def test_a_time_left_is_reported_no_finer_than_it_is_known(seconds, text):
    assert about(seconds) == text


# ---- what has stopped -----------------------------------------------------------------------------------------------


def test_cohorts_that_stopped_are_one_line_with_the_newest_checkpoint_and_the_way_on(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed])) for seed in range(3)]
    made.checkpoint(jobs[1].folder, 20)
    made.checkpoint(jobs[2].folder, 70)
    made.planned(store, made.cohort(spec, "bad", [0], "quick"))
    assert said(store).splitlines() == [
        f"nothing is under way in {store.root}; 0 records",
        "3 cohorts of made stopped, the newest checkpoint at step 70 of 100; "
        "the same 'wganbench run made.toml --profile paper …' goes on",
        "1 cohort of made stopped, no checkpoint yet; the same 'wganbench run made.toml --profile quick …' goes on",
    ]


def test_a_shipped_experiment_is_gone_on_with_by_its_name():
    text = str(Stopped("gaussians8", "paper", 3, 1200, 50_000))
    assert text == (
        "3 cohorts of gaussians8 stopped, the newest checkpoint at step 1,200 of 50,000; "
        "the same 'wganbench run gaussians8 --profile paper …' goes on"
    )


def test_what_a_command_under_way_has_not_begun_has_not_stopped(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed])) for seed in range(2)]
    session(store, jobs[:1])
    assert [each.cohorts for each in status(store).stopped] == [1]


# ---- what went wrong ------------------------------------------------------------------------------------------------


def test_what_went_wrong_with_a_job_is_a_short_line_each(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    for event in (
        {"event": "warning", "message": "the first of four"},
        {"event": "warning", "message": "its worker died; it goes on from step 20"},
        {"event": "warning", "message": "its worker died; it goes on from step 20"},
        {"event": "start", "step": 20},
        {"event": "out of memory", "message": "16 GiB"},
        {"event": "warning", "message": "checkpoint-00000040.pt: damaged; it is passed over\nand more"},
        {"event": "warning", "message": "x" * 1000},
        {"event": "start", "step": 20},
    ):
        job.folder.note(**event)
    at = job.folder.name
    warnings = [
        f"{at}: its worker died; it goes on from step 20",
        f"{at}: checkpoint-00000040.pt: damaged; it is passed over",
        f"{at}: {'x' * 199}…",
    ]
    memory = f"{at}: the device had too little memory for it beside others"
    assert status(store).remarks == [*warnings, f"{at}: its worker died", memory]
    hold(store, job)
    assert status(store).remarks == [*warnings, memory], "the last attempt has no end since it is under way"
    assert said(store).splitlines()[-4:] == [*warnings, memory]


def test_a_time_out_and_an_error_are_reported(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", [seed])) for seed in range(2)]
    jobs[0].folder.note("start", step=0)
    jobs[0].folder.note("timed out", step=70)
    jobs[1].folder.note("error", message="mine.py: does not import\nmore")
    assert status(store).remarks == [
        f"{jobs[0].folder.name}: timed out at step 70",
        f"{jobs[1].folder.name}: mine.py: does not import",
    ]


# ---- damaged, missing, changing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_with_nothing_in_it_is_one_line(store, exists):
    if exists:
        store.root.mkdir()
    for options in ((), ("--json",)):
        result = command(store, *options)
        assert result.exit_code == 2
        (line,) = result.output.splitlines()
        assert line.startswith(f"wganbench: {store.root}: no {'records' if exists else 'such folder'}; ")
    assert store.root.exists() is exists


def test_of_an_idle_folder_the_lists_are_empty(store, spec):
    made.record(store, spec, "good", 0)
    assert as_json(store) == {
        "results": str(store.root),
        "records": 1,
        "failed": 0,
        "sweeps": [],
        "cohorts": [],
        "stopped": [],
        "remarks": [],
    }


def test_before_the_first_record_what_is_under_way_is_said(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    hold(store, job)
    assert as_json(store)["records"] == 0


def test_where_all_is_done_the_number_of_records_is_reported(store, spec):
    for seed in range(3):
        made.record(store, spec, "good", seed)
    assert said(store) == f"nothing is under way in {store.root}; 3 records\n"


DAMAGE = [b"", b"{", b"\xff\x00", b"[]", b"null", b"[" * 100_000]


@pytest.mark.parametrize("damage", [*DAMAGE, "folder", "gone"])
def test_no_damaged_file_is_a_traceback(store, spec, damage):
    job, other = (made.planned(store, made.cohort(spec, "good", [seed])) for seed in (0, 1))
    hold(store, job)
    made.record(store, spec, "good", 1)
    made.checkpoint(job.folder, 10)
    job.folder.note("start", step=0)
    made.progress(job.folder, 20, 0, 1.0)
    session(store, [job, other])
    files = [path for path in store.root.rglob("*") if path.is_file() and path.suffix != ".pt"]
    assert len(files) >= 6
    for path in files:
        whole = path.read_bytes()
        path.unlink()
        if isinstance(damage, bytes):
            path.write_bytes(damage)
        elif damage == "folder":
            path.mkdir()
        said(store)
        said(store, "--json")
        if path.is_dir():
            path.rmdir()
        path.write_bytes(whole)
        made.past(path, 0)
    assert len(status(store).cohorts) == 1


@pytest.mark.parametrize("number", ["1" + "0" * 5000, "1" + "0" * 400, "1e308", "-1", "-1e308", str(2**63)])
def test_no_number_in_a_file_is_a_traceback(store, spec, number):
    job, other = (made.planned(store, made.cohort(spec, "good", [seed])) for seed in (0, 1))
    hold(store, job)
    made.progress(job.folder, 20, 0, 1.0)
    file = session(store, [job, other], owner=made.ELSEWHERE)
    about = json.loads(file.path.read_text())
    for path, change in (
        (file.path, {"planned": "NUMBER"}),
        (file.path, {"started": "NUMBER"}),
        (file.path, {"owner": {**about["owner"], "process": "NUMBER", "system": myself().system}}),
        (file.path, {"jobs": [{**about["jobs"][0], "steps": "NUMBER"}, about["jobs"][1]]}),
        (file.path, {"jobs": [{**about["jobs"][0], "flops": "NUMBER"}, {**about["jobs"][1], "flops": 1e-308}]}),
        (job.folder.path / "progress.json", {"step": "NUMBER"}),
        (job.folder.path / "progress.json", {"seconds": "NUMBER"}),
        (job.folder.path / "job.json", {"seeds": ["NUMBER"]}),
        (job.folder.path / "job.json", {"retries": "NUMBER"}),
    ):
        whole = path.read_text()
        path.write_text(json.dumps({**json.loads(whole), **change}).replace('"NUMBER"', number))
        said(store)
        assert "Infinity" not in said(store, "--json")
        path.write_text(whole)


def test_what_would_do_something_to_a_terminal_is_not_printed(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    job.folder.note("error", message="red \x1b[31m and \ud800 no character")
    (store.root / ".work" / "jobs" / "made" / "\x1b[2J").mkdir()
    (job.folder.path / "job.json").rename(store.root / ".work" / "jobs" / "made" / "\x1b[2J" / "job.json")
    (job.folder.path / "log.jsonl").rename(store.root / ".work" / "jobs" / "made" / "\x1b[2J" / "log.jsonl")
    assert said(store).splitlines()[-1] == "made/?[2J: red ?[31m and ? no character"
    assert "\x1b" not in said(store, "--json")
    made.lease(store, "a", made.dead()).write_text('{"host": "\x1b"}')
    session(store, [job])
    assert "\x1b" not in said(store)


def test_a_folder_that_may_only_be_read_is_reported_as_any_other(store, spec, monkeypatch):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    hold(store, job)
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()}

    def refuse(path, *rest, **more):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refuse)
    assert len(status(store).cohorts) == 1
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()} == before


def test_a_damaged_record_is_left_where_it_is_and_its_run_counts_as_not_done(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    session(store, [job])
    path = store.path(made.record(store, spec, "good", 0))
    path.write_text("broken")
    assert [(one.done, one.left) for one in status(store).sessions] == [(0, 1)]
    assert path.read_text() == "broken"


# ---- the command ----------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_a_command_and_a_row_a_cohort_under_way(store, spec):
    jobs = [made.planned(store, made.cohort(spec, "good", seeds), flops=1e6) for seeds in ([0, 1], [2, 3])]
    session(store, jobs, planned=9)
    hold(store, jobs[0])
    made.progress(jobs[0].folder, step=50, first=0, seconds=600.0)
    commands, command_row, cohorts, cohort_row = said(store).splitlines()
    assert commands.split()[:5] == ["experiment", "profile", "command", "since", "runs"]
    assert commands.split()[5:] == ["done", "failed", "running", "left", "time", "left"]
    assert f"local, process {os.getpid()} on {myself().host}" in command_row
    assert command_row.split()[-8:] == ["9", "5", "0", "2", "2", "about", "30", "min"]
    assert cohorts.split() == ["cohort", "step", "of", "%", "seed-steps/s", "last", "sign", "worker"]
    assert cohort_row.split()[:5] == [jobs[0].folder.name, "50", "100", "50", "0.17"]


def test_an_experiment_is_reported_alone_by_its_name_or_its_file(store, spec, tmp_path):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    session(store, [job])
    made.record(store, spec, "bad", 0)
    other = factory.made(tmp_path, name="other")
    theirs = made.planned(store, made.cohort(other, "good", [0], "quick"))
    session(store, [theirs], owner=made.dead())
    made.record(store, other, "bad", 1)
    assert [one["experiment"] for one in as_json(store)["sweeps"]] == ["made"]
    for name in ("made", str(tmp_path / "made.toml")):
        found = as_json(store, name)
        assert [one["experiment"] for one in found["sweeps"]] == ["made"]
        assert (found["records"], found["stopped"]) == (1, [])
    assert as_json(store, "other")["stopped"] == [
        {"experiment": "other", "profile": "quick", "cohorts": 1, "step": 0, "steps": 10}
    ]
    assert said(store, "gaussians8") == f"nothing is under way in {store.root}; 0 records\n"


def test_a_name_that_is_none_is_one_line(store):
    result = command(store, "gausians8")
    assert result.exit_code == 2
    assert result.output == "wganbench: unknown experiment 'gausians8'; did you mean 'gaussians8'?\n"


SLOW = """
import time

def penalty(critic, real):
    time.sleep(0.05 if real.shape[1] == 4 else 0)  # in training, not in the checks before it
    return critic(real).square().mean(1) * 1e-3
"""

SLOWLY = """
version = 1
title = "slowly"
source = "a test"
steps = 200
batch_size = 4
latent_dim = 2
measured_samples = 20
data = "gaussian_ring"
objective = "wasserstein"
generator = { name = "mlp", hidden = [2] }
critic = { name = "mlp", hidden = [2] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
measures = { modes_covered = { points = 2 } }
[profiles.paper]
says = "all of it"
[variants.slow]
constraint = "slow:penalty"
"""


def test_a_run_under_way_is_seen_from_another_process_and_so_is_its_end(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "slowly.toml").write_text(SLOWLY)
    results = tmp_path / "results"
    options = ("--profile", "paper", "--seeds", "4", "--stack", "2", "--device", "cpu", "--checkpoint-every", "0.5")
    running = Command(tmp_path / "slowly.toml", results, *options)
    process, store = running.process, Store(results)
    try:
        found = _until(store, running, lambda found: found.cohorts and found.cohorts[0].step > 20)
        (one,), (cohort,) = found.sessions, found.cohorts
        assert (one.experiment, one.process, one.is_alive) == ("slowly", process.pid, True)
        assert (one.planned, one.done, one.running, one.left) == (4, 0, 2, 2)
        assert 0 < one.seconds_left < 600
        assert (cohort.steps, cohort.seeds, cohort.worker) == (200, 2, f"process {process.pid} on {one.host}")
        assert 0 < cohort.seed_steps_per_second < 2 / 0.05
        assert cohort.silent_seconds < 30
        process.terminate()
        assert running.end(60)[0] == 143
    finally:
        process.kill()
    after = status(store)
    assert after.is_idle
    assert [(each.cohorts, each.steps, each.step >= cohort.step) for each in after.stopped] == [(2, 200, True)]
    assert after.sessions == []


def _until(store: Store, running: Command, is_seen) -> Status:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert running.process.poll() is None, running.end()
        found = status(store)
        if is_seen(found):
            return found
        time.sleep(0.05)
    raise AssertionError("not seen in two minutes")
