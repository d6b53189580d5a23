"""Tasks of an array record what this process records; here submitit starts them as processes of this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec

import psutil
import pytest

from wganbench.errors import ExtensionError, SpecError
from wganbench.records.store import Store
from wganbench.runner.executors import remote, slurm
from wganbench.runner.jobs.job import WorkFolder
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution, run_all
from wganbench.spec import load
from wganbench.spec.plan import expand

needs_submitit = pytest.mark.skipif(find_spec("submitit") is None, reason="submitit is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # submitit's


def is_submitits(process):
    try:
        return "submitit" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture
def local(monkeypatch):
    """Has ``--executor slurm`` start processes here, and look more often."""
    monkeypatch.setattr("wganbench.runner.executors.Slurm", partial(slurm.Slurm, cluster="local"))
    monkeypatch.setattr(slurm, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(slurm, "SURVEY_SECONDS", 0.3)
    yield
    began = [process for process in psutil.Process().children(recursive=True) if is_submitits(process)]
    _, alive = psutil.wait_procs(began, timeout=60.0)  # and not for multiprocessing's, which stay
    assert [process for process in alive if is_submitits(process)] == []


def execute(path, store, seeds, executor="slurm", overrides=(), **options):
    spec = load(str(path), overrides)
    often = {"checkpoint_seconds": 0.0} if executor == "slurm" else {}
    execution = Execution(device="cpu", stack=2, threads=1, executor=executor, **often)
    return list(run_all(expand(spec, "smoke", seeds, ["clip"]), store, execution, **options))


def numbers(records):
    return {record.id: (record.status, record.measures, record.curves) for record in records}


@pytest.mark.slow
@needs_submitit
def test_a_task_that_is_killed_costs_an_attempt_and_nothing_else(tiny, tmp_path, local):
    longer, store, told, killed = ("profiles.smoke.steps=80",), Store(tmp_path / "slurm"), [], []

    def report(cohort, step):
        if step > 5 and not killed:
            family, _, seeds = cohort.rpartition("-s")
            killed.append(WorkFolder(store).leases.held()[f"{family}-s{seeds.partition('-')[0]}"].process)
            psutil.Process(killed[0]).kill()

    records = execute(tiny(), store, range(3), overrides=longer, on_progress=report, on_event=told.append)
    assert sorted(record.retries for record in records) in ([0, 0, 1], [0, 1, 1])
    assert [event["step"] > 5 for event in told if event["event"] == "start" and event["retries"]] == [True]
    assert numbers(records) == numbers(execute(tiny(), Store(tmp_path / "inline"), range(3), "inline", longer))
    assert len(records) == len(store.load()) == 3
    (kept,) = (store.root / ".work" / "slurm").iterdir()
    assert len(list(kept.glob("*_log.out"))) == 2, "the output of an array with a killed task stays, and no other"
    assert not list((store.root / ".work" / "going").iterdir())


@pytest.mark.slow
@needs_submitit
def test_a_stop_leaves_checkpoints(tiny, tmp_path, local):
    store, stop, told, asked = Store(tmp_path / "results"), Stop(), [], []

    def report(cohort, step):
        if step > 5 and not asked:
            asked.append(time.monotonic())
            stop.ask("interrupted")

    endless = ("profiles.smoke.steps=1000000",)
    assert (
        execute(tiny(), store, range(1), overrides=endless, stop=stop, on_progress=report, on_event=told.append) == []
    )
    assert time.monotonic() - asked[0] < 10.0
    assert [event["reason"] for event in told if event["event"] == "stop"] == ["terminated"]
    assert [folder.checkpointed() for folder in WorkFolder(store).jobs()] == [told[-1]["step"]]
    assert WorkFolder(store).leases.held() == {}
    assert not list((store.root / ".work" / "slurm").iterdir())


@needs_submitit
def test_a_worker_that_cannot_begin_says_why_in_one_line(tiny, tmp_path, local, monkeypatch):
    def unshared(jobs, store, going):
        root, folder, *rest = remote.arguments(jobs, store, going)
        return (root, f"{folder}/not-there", *rest)

    monkeypatch.setattr(slurm, "arguments", unshared)
    with pytest.raises(ExtensionError, match=r"a worker ended with FileNotFoundError: .* every node must") as caught:
        execute(tiny(), Store(tmp_path / "results"), range(1))
    assert "\n" not in str(caught.value)


# ---- without any task -----------------------------------------------------------------------------------------------


def make(folder, cluster="local", device="cpu", **options):
    return slurm.Slurm(Execution(executor="slurm", **options), Store(folder), device, cluster)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", set()),
        ("7_0 RUNNING\n7_1 PENDING\n", {"7_0", "7_1"}),
        ("7_0 COMPLETED\n7_1 COMPLETING\n7_2 FAILED\n", {"7_1"}),
        ("7_0 CANCELLED\n7_1 TIMEOUT\n7_2 NODE_FAIL\n7_3 OUT_OF_MEMORY\n8 PREEMPTED\n", set()),
        ("7 SUSPENDED\n8 REQUEUE_HOLD\n9 CONFIGURING\n", {"7", "8", "9"}),
        ("slurm_load_jobs error: Unable to contact slurm controller\n", set()),
    ],
)
def test_what_squeue_lists_and_is_not_over_is_in_the_queue(said, expected):
    assert slurm.queued(said) == expected


@needs_submitit
@pytest.mark.parametrize("cluster", ["local", "slurm"])
def test_a_task_does_not_look_into_the_working_folder_first(tmp_path, monkeypatch, cluster):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    executor = make(tmp_path, cluster)
    submitter = executor._submitter(tmp_path, executor._options(1, None))
    assert submitter._executor._submitit_command_str.startswith(f"{sys.executable} -P -u -m submitit.core._submit ")


class Asked:
    """Stands for ``subprocess.run``."""

    def __init__(self, answer):
        self.answer, self.commands = answer, []

    def __call__(self, command, **options):
        self.commands.append((command, options))
        if isinstance(self.answer, Exception):
            raise self.answer
        return subprocess.CompletedProcess(command, 0, self.answer, "")


@needs_submitit
@pytest.mark.parametrize(
    ("answer", "known"),
    [
        ("7_0 RUNNING\n", {"7_0"}),
        ("", set()),
        (subprocess.CalledProcessError(1, "squeue"), None),
        (subprocess.TimeoutExpired("squeue", 60), None),
        (FileNotFoundError("squeue"), None),
    ],
)
def test_where_squeue_does_not_answer_nothing_is_known(tmp_path, monkeypatch, answer, known):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    executor, asked = make(tmp_path, "slurm"), Asked(answer)
    monkeypatch.setattr(subprocess, "run", asked)
    monkeypatch.setenv("SQUEUE_PARTITION", "other")
    assert executor._known([]) == known
    assert "SQUEUE_PARTITION" not in asked.commands[0][1]["env"]


@needs_submitit
def test_what_is_asked_for_follows_the_cohorts_and_then_the_user(tmp_path):
    assert make(tmp_path)._options(3, None) == {"name": "wganbench", "cpus_per_task": 3, "timeout_min": 60}
    asked = make(tmp_path, device="cuda", jobs=4, slurm={"slurm_partition": "gpu", "cpus_per_task": 8})
    assert asked._options(3, 2 * 3600.0) == {
        "name": "wganbench",
        "cpus_per_task": 8,
        "timeout_min": 125,
        "gpus_per_node": 1,
        "slurm_array_parallelism": 4,
        "slurm_partition": "gpu",
    }


@needs_submitit
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"slurm": {"slurm_partion": "gpu"}}, r"^--slurm: Unknown argument 'partion' .*; must be .* of submitit's$"),
        ({"slurm": {"partition": "gpu"}}, r"^--slurm: .*Use 'slurm_partition' instead"),
        ({"slurm": {"timeout_min": "soon"}}, r"^--slurm: .*timeout_min"),
        ({"per_gpu": 2}, r"^--per-gpu 2: must be 1 with --executor slurm"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_before_anything_is_submitted(tmp_path, options, says):
    with pytest.raises(SpecError, match=says) as caught:
        make(tmp_path, **options)
    assert "\n" not in str(caught.value)


@needs_submitit
def test_without_slurm_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SpecError, match=r"^--executor slurm: no sbatch here; run this where SLURM jobs are submitted"):
        make(tmp_path, "slurm")


def test_without_submitit_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ExtensionError, match=r"^--executor slurm: .*; pip install 'wganbench\[slurm\]'$"):
        make(tmp_path)
