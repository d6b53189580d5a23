"""What is reported of processes that are gone: their leases, jobs and commands, and nothing of the living."""

from __future__ import annotations

import pytest

from tests.analysis import factory
from tests.runner.jobs import made
from tests.runner.jobs.made import ELSEWHERE, dead
from wganbench.records.store import Store
from wganbench.records.verify import verify
from wganbench.runner.jobs.job import WorkFolder
from wganbench.runner.jobs.lease import LAPSE_SECONDS
from wganbench.runner.jobs.session import begin
from wganbench.runner.jobs.status import left_behind


@pytest.fixture
def store(tmp_path) -> Store:
    (tmp_path / "results").mkdir()
    return Store(tmp_path / "results")


@pytest.fixture
def spec(tmp_path):
    return factory.made(tmp_path)


def test_a_folder_without_work_has_nothing(store):
    assert list(left_behind(store)) == []
    assert verify(store, left_behind(store)).stale == []


def test_the_lease_of_a_dead_worker_is_stale_and_that_of_a_living_one_or_one_given_back_is_not(store):
    leases = WorkFolder(store).leases
    made.lease(store, "wgan-0-s1", dead())
    made.lease(store, "wgan-0-s2", ELSEWHERE)
    made.lease(store, "wgan-0-s3", ELSEWHERE, age=LAPSE_SECONDS + 1)
    leases.take(["wgan-0-s4"])
    leases.take(["wgan-0-s5"]).release()
    assert list(left_behind(store)) == [
        f"{leases.folder}/wgan-0-s1: the lease of {dead()}, which is gone; the next worker takes it over",
        f"{leases.folder}/wgan-0-s3: the lease of process 7 on elsewhere, which is gone; the next worker takes it over",
    ]


def test_the_file_of_a_dead_command_is_stale_and_that_of_a_living_one_is_not(store, spec):
    job = made.planned(store, made.cohort(spec, "good", [0]))
    gone, alive = begin(WorkFolder(store), 1, [job], "local"), begin(WorkFolder(store), 1, [job], "local")
    for file, owner in ((gone, dead()), (alive, ELSEWHERE)):
        session = alive.read().model_copy(update={"owner": owner})
        file.path.write_text(session.model_dump_json())
    assert list(left_behind(store)) == [
        f"{gone.path}: of 'wganbench run made --profile paper', {dead()}, which is gone; "
        f"the same command continues and removes it"
    ]


def test_a_job_whose_runs_are_all_recorded_is_stale_unless_its_command_lives(store, spec):
    done = made.planned(store, made.cohort(spec, "good", [0]))
    half = made.planned(store, made.cohort(spec, "good", [1, 2]))
    damaged = made.planned(store, made.cohort(spec, "bad", [0]))
    (damaged.folder.path / "job.json").write_text("broken")
    for seed in (0, 1):
        made.record(store, spec, "good", seed)
    line = f"{done.folder.path}: its runs are all recorded; the next 'wganbench run' removes it"
    assert list(left_behind(store)) == [line]
    begin(WorkFolder(store), 1, [done, half], "local")
    assert list(left_behind(store)) == []


def test_verify_tells_of_it_and_removes_nothing(store, spec):
    made.planned(store, made.cohort(spec, "good", [0]))
    made.lease(store, "wgan-0-s1", dead())
    made.record(store, spec, "good", 0)
    before = sorted(store.root.rglob("*"))
    findings = verify(store, left_behind(store))
    assert [line.partition(": ")[2].partition(";")[0] for line in findings.stale] == [
        f"the lease of {dead()}, which is gone",
        "its runs are all recorded",
    ]
    assert (len(findings.whole), findings.damaged, findings.orphaned) == (1, [], [])
    assert sorted(store.root.rglob("*")) == before
