"""The files of commands under way: what they tell, until when, and who removes them."""

from __future__ import annotations

import time

import pytest

from tests.analysis.factory import made
from tests.runner.jobs.made import ELSEWHERE, cohort, dead, past, planned, reused
from wganbench.records.store import Store
from wganbench.runner.jobs.job import WorkFolder
from wganbench.runner.jobs.lease import LAPSE_SECONDS, myself
from wganbench.runner.jobs.session import Session, SessionFile, begin, forget, sessions


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def work(store) -> WorkFolder:
    return WorkFolder(store)


@pytest.fixture
def jobs(store, tmp_path):
    """Two jobs: two seeds of one variant, one of the other."""
    spec = made(tmp_path)
    return [
        planned(store, cohort(spec, "good", [0, 1]), flops=1e9),
        planned(store, cohort(spec, "bad", [0])),
    ]


def begun_by(owner, work, jobs, age=0.0):
    """The file of a session of another process."""
    file = begin(work, 5, jobs, "local")
    file.path.write_text(file.read().model_copy(update={"owner": owner}).model_dump_json())
    past(file.path, age)
    return file


def test_a_session_tells_what_it_was_asked_for_and_what_is_not_done(work, jobs):
    before = time.time()
    file = begin(work, 5, jobs, "local")
    session = file.read()
    assert (session.experiment, session.profile, session.executor, session.planned) == ("made", "paper", "local", 5)
    assert session.owner == myself()
    assert before <= session.started <= time.time()
    assert [(job.name, len(job.wanted), job.steps, job.flops) for job in session.jobs] == [
        (jobs[0].folder.name, 2, 100, 1e9),
        (jobs[1].folder.name, 1, 100, None),
    ]
    assert [found for _, found in sessions(work)] == [session]
    assert file.path.parent == work.root / "sweeps"
    file.remove()
    file.remove()
    assert list(sessions(work)) == []


@pytest.mark.parametrize(
    ("owner", "age", "is_under_way"),
    [
        (myself, 10 * LAPSE_SECONDS, True),
        (dead, 0.0, False),
        (reused, 0.0, False),
        (lambda: ELSEWHERE, LAPSE_SECONDS - 20, True),
        (lambda: ELSEWHERE, LAPSE_SECONDS + 1, False),
    ],
)
def test_a_command_here_is_asked_itself_and_one_elsewhere_by_its_heartbeat(work, jobs, owner, age, is_under_way):
    file = begun_by(owner(), work, jobs, age)
    assert file.is_under_way(file.read()) is is_under_way


def test_a_heartbeat_counts_from_now(work, jobs):
    file = begun_by(ELSEWHERE, work, jobs, age=LAPSE_SECONDS + 1)
    file.beat()
    assert file.is_under_way(file.read())
    session = file.read()
    file.remove()
    file.beat()
    assert not file.path.exists()
    assert not file.is_under_way(session)


def test_a_session_forgets_the_dead_ones_that_it_goes_on_with_and_no_others(work, jobs):
    both = begun_by(dead(), work, jobs)
    other = begun_by(dead(), work, [jobs[1]])
    alive = begun_by(ELSEWHERE, work, [jobs[0]])
    mine = begun_by(dead(), work, [jobs[0]])
    new = begin(work, 5, [jobs[0]], "inline")
    left = {file.path for file, _ in sessions(work)}
    assert mine.path not in left
    assert left == {other.path, alive.path, both.path, new.path}


def test_a_dead_session_with_no_job_left_on_disk_is_forgotten_by_any(work, jobs):
    old = begun_by(dead(), work, [jobs[0]])
    jobs[0].folder.remove()
    begin(work, 5, [jobs[1]], "inline")
    assert not old.path.exists()


def test_a_process_that_begins_again_has_ended_what_it_did_before(work, jobs):
    before, other = begin(work, 5, [jobs[0]], "inline"), begin(work, 5, [jobs[1]], "inline")
    begin(work, 5, [jobs[0]], "inline")
    assert not before.path.exists()
    assert other.path.exists(), "its job is still to be done, which the status tells"


def test_where_nothing_is_left_to_do_all_that_is_over_is_forgotten(work, jobs):
    over = begun_by(dead(), work, [jobs[0]])
    left = begun_by(dead(), work, [jobs[1]])
    alive = begun_by(ELSEWHERE, work, [jobs[0]])
    jobs[0].folder.remove()
    forget(work)
    assert [path.exists() for path in (over.path, left.path, alive.path)] == [False, True, True]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b"[]", b'{"experiment": "made"}', b"[" * 100_000])
def test_a_damaged_file_is_passed_over(work, jobs, content):
    file = begin(work, 5, jobs, "local")
    (work.root / "sweeps" / "damaged.json").write_bytes(content)
    assert SessionFile(work.root / "sweeps" / "damaged.json").read() is None
    assert [found.path for found, _ in sessions(work)] == [file.path]


def test_the_oldest_comes_first(work, jobs):
    for started in (30.0, 10.0, 20.0):
        file = begun_by(ELSEWHERE, work, [jobs[0]])
        file.path.write_text(file.read().model_copy(update={"started": started}).model_dump_json())
    assert [session.started for _, session in sessions(work)] == [10.0, 20.0, 30.0]


def test_a_disk_that_refuses_the_file_stops_no_session(work, jobs):
    (work.root / "sweeps").write_text("in the way")
    file = begin(work, 5, jobs, "local")
    assert file.read() is None
    file.beat()
    file.remove()
    assert list(sessions(work)) == []


def test_it_comes_back_from_json_as_it_was(work, jobs):
    session = begin(work, 5, jobs, "slurm").read()
    assert Session.model_validate_json(session.model_dump_json()) == session
