"""Pipes, devices, sockets, endless files and folders where a command looks for a file: each ends in one line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.analysis import factory
from tests.hostile.put import NO_FILES, little_memory, pipe, put, sparse
from wganbench.analysis import ledger
from wganbench.cli import cli
from wganbench.data import cache, text
from wganbench.errors import DataError, RecordError, SpecError
from wganbench.measures.scores import inception, protocol
from wganbench.records import custom_code, measured, rates, speeds
from wganbench.records.store import Store
from wganbench.records.verify import verify
from wganbench.records.weights import read as read_weights
from wganbench.runner.checkpoint import Checkpoints, Identity
from wganbench.runner.jobs.job import JobFolder, WorkFolder
from wganbench.runner.jobs.session import SessionFile
from wganbench.runner.jobs.status import status
from wganbench.runner.worker import _JobAttempt
from wganbench.spec import load
from wganbench.spec.coverage import load_coverage

NAME = "shapes10-16-00000000"


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """A read without a bound ends in a MemoryError."""
    with little_memory():
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Whole records of a small spec."""
    folder = tmp_path_factory.mktemp("made")
    experiment = factory.made(folder, factory.CLAIMS)
    (folder / "results" / "made").mkdir(parents=True)
    return folder, factory.fill(Store(folder / "results"), experiment, n=5)


@pytest.fixture
def results(made, tmp_path) -> Store:
    shutil.copytree(made[0] / "results", tmp_path / "results")
    return Store(tmp_path / "results")


def one_line(error: Exception, path: Path, said: str) -> None:
    assert str(error).startswith(str(path)) or str(error).startswith(path.name)
    assert said in str(error) and "\n" not in str(error)


every_kind = pytest.mark.parametrize(("how", "said"), NO_FILES.items(), ids=lambda each: getattr(each, "__name__", ""))

# ---- what ends in an error ------------------------------------------------------------------------------------------

READ = {
    "the ledger": ("verdicts.json", ledger.read),
    "rates": ("rates.json", rates.read),
    "measured speeds": ("cpu.json", speeds._read),
    "weights": ("x.safetensors", read_weights),
    "a classifier": (f"{NAME}.safetensors", protocol.read_content),
    "weights of Inception": ("weights.pth", inception._read),
    "a text": ("words.txt", text._read),
    "a spec": ("own.toml", load),
    "a job": ("job.json", lambda path: JobFolder(path.parent).read()),
    "numbers measured later": ("x.json", lambda path: measured._read(path, "x")),
    "coverage": ("coverage.toml", load_coverage),
}


@every_kind
@pytest.mark.parametrize("what", READ)
def test_a_file_that_a_command_needs_is_refused_in_one_line(tmp_path, what, how, said):
    name, read = READ[what]
    put(how, tmp_path / name)
    with pytest.raises((DataError, RecordError, SpecError)) as caught:
        read(tmp_path / name)
    is_located = what == "a spec" and how is not sparse  # specs must be files before they are opened
    one_line(caught.value, tmp_path / name, "not a file" if is_located else said)


# ---- what counts as missing -----------------------------------------------------------------------------------------

PASSED_OVER = {
    "a session": ("x.json", lambda path: SessionFile(path).read()),
    "a module of custom code": ("x.py", custom_code.read_file),
    "decoded images": ("x.npy", cache.read),
    "what is said of decoded images": ("x.json", cache.read_about),
}


@every_kind
@pytest.mark.parametrize("what", PASSED_OVER)
def test_a_file_that_a_command_can_do_without_counts_as_missing(tmp_path, what, how, said):
    name, read = PASSED_OVER[what]
    put(how, tmp_path / name)
    assert read(tmp_path / name) is None


@every_kind
def test_a_checkpoint_is_passed_over_in_one_line(tmp_path, how, said):
    lines: list[str] = []
    put(how, tmp_path / "checkpoint-00000002.pt")
    identity = Identity(runs=("a-s0",), setting="{}", made_by={})
    assert Checkpoints(tmp_path, identity, lines.append).latest() is None
    (line,) = lines
    assert ("too large" if how is sparse else said) in line and "\n" not in line


@every_kind
def test_a_lease_and_the_files_of_a_job_are_nobody_s(results, how, said):
    work = WorkFolder(results)
    put(how, work.root / "leases" / "made-s0.1")
    for name in ("job.json", "log.jsonl", "progress.json"):
        put(how, work.root / "jobs" / "made" / "cohort" / name)
    assert dict(work.leases.stale()).get("made-s0", work.leases.held().get("made-s0")) is None
    (folder,) = work.jobs()
    assert (folder.log(), folder.progress()) == ([], None)
    assert status(results).records == 10


def test_a_pipe_where_a_crash_is_logged_is_replaced(tmp_path):
    put(pipe, tmp_path / "crash.txt")
    attempt = SimpleNamespace(alone=True, folder=JobFolder(tmp_path), job=SimpleNamespace(timeout_seconds=None))
    with _JobAttempt._last_resort(attempt):
        assert (tmp_path / "crash.txt").is_file()


# ---- records and artefacts ------------------------------------------------------------------------------------------


@every_kind
def test_a_record_is_a_problem_of_one_line_and_the_others_count(results, how, said):
    path = results.paths()[0]
    put(how, path)
    records, problems = results.scan()
    assert (len(records), [problem.path for problem in problems]) == (9, [path])
    one_line(Exception(problems[0].text), path, said)
    assert problems[0].kind == ("damaged" if how is sparse else "unreadable")
    assert status(results).records == 10


@every_kind
def test_an_artefact_is_damaged_and_a_line_says_why(results, how, said):
    path = next(results.root.glob("made/artefacts/*.npz"))
    put(how, path)
    (line,) = verify(results).damaged
    one_line(Exception(line), path, said)


@every_kind
def test_a_command_ends_in_one_line(made, results, how, said):
    put(how, results.paths()[0])
    spec = made[0] / "made.toml"
    result = CliRunner().invoke(cli, ["report", str(spec), "--results", str(results.root)])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"wganbench: {results.paths()[0]}: ") and said in line
