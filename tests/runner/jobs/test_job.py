"""Jobs as folders: what is written comes back, and the log tells what became of them."""

from __future__ import annotations

import json
import threading

import pytest

from tests.analysis import factory
from tests.runner.jobs import made
from wganbench.errors import RecordError
from wganbench.records.record import checksum_of
from wganbench.records.store import Store
from wganbench.runner.jobs.job import History, JobFolder, Progress, WorkFolder
from wganbench.spec import available, load
from wganbench.spec.plan import cohorts, expand


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def work(store) -> WorkFolder:
    return WorkFolder(store)


@pytest.fixture
def spec(tmp_path):
    return factory.made(tmp_path)


@pytest.fixture
def folder(tmp_path) -> JobFolder:
    path = tmp_path / "jobs" / "made" / "cohort"
    path.mkdir(parents=True)
    return JobFolder(path)


# ---- the job --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", available())
def test_every_variant_of_a_shipped_experiment_comes_back_as_the_same_runs(folder, name):
    """Of hundreds of random architectures, which have the same fields, some."""
    experiment = load(name, ["batch_size=12"])
    for profile in experiment.profiles:
        planned = cohorts(expand(experiment, profile, range(5)), 3)
        for cohort in planned[:: 1 + len(planned) // 200]:
            folder.write(made.job(cohort))
            found = folder.read()
            assert found.cohort.id == cohort.id
            assert [run.id for run in found.cohort.runs] == [run.id for run in cohort.runs]
            assert found.cohort == cohort
            assert found == made.job(cohort)


def test_a_job_that_is_not_there_is_none(tmp_path, folder):
    assert folder.read() is None
    assert JobFolder(tmp_path / "nowhere").read() is None


def whole(spec) -> str:
    return made.job(made.cohort(spec, "good", [0, 1])).model_dump_json()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: "", "Invalid JSON"),
        (lambda text: text[: len(text) // 2], "Invalid JSON"),
        (lambda text: "[" * 100_000, "Invalid JSON"),
        (lambda text: "\n\x00\n", "Invalid JSON"),
        (lambda text: "[]", "must be an object"),
        (lambda text: text.replace('"threads":1', '"threads":0'), "threads: must be greater than 0, got 0"),
        (lambda text: text.replace('"threads":1', '"threads":"1"'), "threads: must be a valid integer, got '1'"),
        (lambda text: text.replace('"threads":1,', ""), "threads: missing"),
        (lambda text: text.replace('"threads":', '"treads":'), "unknown field 'treads'; did you mean 'threads'?"),
        (lambda text: text.replace('"batch_size":4', '"batch_size":-4'), "setting.batch_size: "),
    ],
)
def test_a_damaged_job_is_an_error_of_one_line_that_says_what_and_what_next(spec, folder, damage, says):
    (folder.path / "job.json").write_text(damage(whole(spec)))
    with pytest.raises(RecordError) as caught:
        folder.read()
    text = str(caught.value)
    assert text.startswith(f"{folder.path / 'job.json'}: ")
    assert says in text
    assert text.endswith("; the run command writes it again")
    assert len(text.splitlines()) == 1


def test_a_job_that_may_not_be_read_is_an_error_of_one_line(folder):
    (folder.path / "job.json").mkdir()
    with pytest.raises(RecordError, match=r"job.json: cannot be read \(Is a directory\); the run command writes it"):
        folder.read()


def test_what_is_left_are_the_wanted_runs_without_a_record_other_than_the_one_to_replace(store, spec):
    old = made.record(store, spec, "good", 1)
    made.record(store, spec, "good", 2)
    cohort = made.cohort(spec, "good", [0, 1, 2, 3])
    ids = [run.id for run in cohort.runs]
    job = made.job(cohort, wanted={ids[0]: None, ids[1]: checksum_of(old), ids[2]: None})
    assert [run.id for run in job.left(store)] == ids[:2]
    new = old.model_copy(update={"wall_seconds": 2.0})
    store.write(new, replace=True)
    assert [run.id for run in job.left(store)] == ids[:1]
    store.path(new).write_text("broken")
    assert [run.id for run in job.left(store)] == ids[:2]
    assert not store.path(new).exists(), "a damaged record is set aside, or the new one could not be written"


# ---- the log --------------------------------------------------------------------------------------------------------


def start(step=0):
    return {"event": "start", "step": step}


def stop(step=0):
    return {"event": "stop", "step": step}


MEMORY = {"event": "out of memory", "message": "16 GiB"}
TIMED_OUT = {"event": "timed out", "step": 70, "seconds": 5}
ERROR = {"event": "error", "message": "mine.py: does not import"}
WARNING = {"event": "warning", "message": "a checkpoint is passed over"}


@pytest.mark.parametrize(
    ("events", "history"),
    [
        ([], History()),
        ([start()], History(deaths=1, died=True, deaths_here=1)),
        ([start(), stop()], History()),
        ([start(), WARNING], History(deaths=1, died=True, deaths_here=1)),
        ([start(), start()], History(deaths=2, died=True, deaths_here=2)),
        ([start(), start(), start(), stop(9)], History(deaths=2, deaths_here=2)),
        ([start(0), start(0), start(50)], History(deaths=3, died=True, deaths_here=1)),
        ([start(0), start(50), start(50)], History(deaths=3, died=True, deaths_here=2)),
        ([start(50), stop(50), start(50)], History(deaths=1, died=True, deaths_here=1)),
        ([start(50), start(50), stop(50), start(50)], History(deaths=2, died=True, deaths_here=2)),
        ([start(), start(), stop(60), start(60)], History(deaths=2, died=True, deaths_here=1)),
        ([start(), MEMORY], History(out_of_memory=1)),
        ([start(), MEMORY, start(), start(), MEMORY], History(deaths=1, deaths_here=1, out_of_memory=2)),
        ([start(), TIMED_OUT], History(timed_out=70)),
        ([start(), TIMED_OUT, start()], History(deaths=1, died=True, deaths_here=1, timed_out=70)),
        ([ERROR], History(error="mine.py: does not import")),
        ([start(), ERROR], History(error="mine.py: does not import")),
        ([ERROR, WARNING], History(error="mine.py: does not import")),
        ([ERROR, start()], History(deaths=1, died=True, deaths_here=1)),
        ([ERROR, start(), stop(9)], History()),
        ([start(), stop(9), ERROR], History(error="mine.py: does not import")),
    ],
)
def test_a_log_tells_what_became_of_the_job(folder, events, history):
    for event in events:
        folder.note(**event)
    assert folder.history() == history


def test_deaths_and_want_of_memory_are_retries_and_clean_stops_are_not(folder):
    for event in (start(), start(), stop(5), start(5), MEMORY, start(5), MEMORY, start(5), stop(9)):
        folder.note(**event)
    assert folder.history().retries == 3


def test_every_line_has_its_time(folder, monkeypatch):
    monkeypatch.setattr("wganbench.runner.jobs.job.time.time", lambda: 1234.5678)
    folder.note("start", step=3, worker="7")
    assert folder.log() == [{"time": 1234.568, "event": "start", "step": 3, "worker": "7"}]


def test_a_line_that_was_cut_off_is_left_out_and_spoils_no_later_one(folder):
    folder.note(**start(1))
    folder.note(**start(2))
    path = folder.path / "log.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert [event["step"] for event in folder.log()] == [1]
    folder.note(**start(3))
    folder.note(**start(4))
    assert [event["step"] for event in folder.log()] == [1, 3, 4]
    assert folder.history().deaths == 3


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"", b"\n\n", b"\xff\xfe\x00\n", b"[]\n", b"null\n", b"5\n", b'{"time": 1}\n', b'{"event": 5}\n'),
        *(b'{"event": "start"}}\n', b'{"event": ["start"]}\n', b"[" * 100_000 + b"\n", b'{"event": "sta'),
    ],
)
def test_garbage_in_a_log_is_passed_over(folder, garbage):
    folder.note(**start(1))
    with (folder.path / "log.jsonl").open("ab") as file:
        file.write(garbage)
    folder.note(**stop(2))
    assert [event["event"] for event in folder.log()] == ["start", "stop"]
    assert folder.history() == History()


def test_a_log_that_is_not_there_or_cannot_be_written_is_empty(tmp_path, folder):
    nowhere = JobFolder(tmp_path / "nowhere")
    nowhere.note(**start())
    assert nowhere.log() == []
    assert not nowhere.path.exists()
    (folder.path / "log.jsonl").mkdir()
    folder.note(**start())
    assert folder.log() == []


def test_lines_of_several_writers_at_once_are_all_whole(folder):
    def write(writer):
        for step in range(50):
            folder.note("start", step=step, writer=writer, filling="x" * 500)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sorted((event["writer"], event["step"]) for event in folder.log())
    assert found == [(writer, step) for writer in range(4) for step in range(50)]


# ---- progress and checkpoints ---------------------------------------------------------------------------------------


def test_progress_comes_back_as_it_was_and_damaged_is_none(folder):
    assert folder.progress() is None
    progress = Progress(step=70, first=20, seconds=1.5)
    folder.write_progress(progress)
    assert folder.progress() == progress
    for damage in ("", '{"step": 70', '{"step": -1, "first": 0, "seconds": 0}', "[" * 100_000):
        (folder.path / "progress.json").write_text(damage)
        assert folder.progress() is None


def test_a_disk_that_refuses_the_progress_stops_nothing(folder):
    folder.path.rmdir()
    folder.path.write_text("in the way")
    folder.write_progress(Progress(step=1, first=0, seconds=1.0))
    assert folder.progress() is None


def test_the_newest_checkpoint_is_that_of_the_highest_step(folder):
    assert folder.checkpointed() == 0
    for step in (9, 100_000_000, 1500):
        made.checkpoint(folder, step)
    (folder.path / "cohort" / "checkpoint-999999999.pt.tmp").touch()
    (folder.path / "cohort" / "other.pt").touch()
    assert folder.checkpointed() == 100_000_000


# ---- the folder of all ----------------------------------------------------------------------------------------------


def test_jobs_are_those_that_have_been_written(store, work, spec):
    assert work.jobs() == []
    planned = [made.planned(store, made.cohort(spec, variant, [0])) for variant in ("good", "bad")]
    (work.root / "jobs" / "made" / "empty").mkdir()
    assert {folder.path for folder in work.jobs()} == {each.folder.path for each in planned}
    assert {folder.name for folder in work.jobs()} == {f"made/{each.job.cohort.id}" for each in planned}
    planned[0].folder.remove()
    planned[0].folder.remove()
    assert [folder.path for folder in work.jobs()] == [planned[1].folder.path]


def test_the_folder_is_hidden_from_git_and_from_the_records(store, work, spec):
    work.prepare()
    work.prepare()
    made.planned(store, made.cohort(spec, "good", [0]))
    assert (work.root / ".gitignore").read_text() == "*\n"
    assert store.paths() == []
    assert store.load() == {}


def test_tidying_removes_jobs_that_are_done_and_dead_leases_on_what_is_recorded_and_nothing_else(store, work, spec):
    done = made.planned(store, made.cohort(spec, "good", [0]))
    half = made.planned(store, made.cohort(spec, "good", [1, 2]))
    damaged = made.planned(store, made.cohort(spec, "bad", [3]))
    (damaged.folder.path / "job.json").write_text("broken")
    recorded = {made.record(store, spec, "good", seed).id: seed for seed in (0, 1)}
    family = done.job.cohort.runs[0].family
    made.lease(store, f"{family}-s0", made.dead())
    made.lease(store, f"{family}-s1", made.ELSEWHERE)
    made.lease(store, f"{family}-s2", made.dead())
    work.tidy(store, recorded)
    assert {folder.path for folder in work.jobs()} == {half.folder.path, damaged.folder.path}
    assert {path.name for path in work.leases.folder.iterdir()} == {f"{family}-s1.1", f"{family}-s2.1"}


def test_a_job_can_be_written_over_by_another_of_the_same_cohort(store, spec):
    cohort = made.cohort(spec, "good", [0])
    made.planned(store, cohort)
    again = made.planned(store, cohort, retries=7)
    assert again.folder.read().retries == 7
    assert isinstance(json.loads((again.folder.path / "job.json").read_text()), dict)
    assert [path.name for path in again.folder.path.iterdir()] == ["job.json"]
