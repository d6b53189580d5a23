"""Works on jobs as tasks of a SLURM array, which submitit writes and submits.

The command only waits. If it dies, the array continues, and the next command finds its results. Files and ``squeue``
show whether a task is over; submitit would wait forever for a killed task if SLURM keeps no accounting data.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from wganbench.errors import ExtensionError, SpecError, first_line
from wganbench.records.store import Store
from wganbench.runner.executors.remote import SAME_FILES, KeepAliveFile, arguments, entry_point, is_held
from wganbench.runner.import_path import import_extra, safe_path
from wganbench.runner.jobs.job import Planned, WorkFolder
from wganbench.runner.jobs.options import Execution
from wganbench.runner.jobs.stop import Stop, ending

LOOK_SECONDS = 1.0
"""The longest time until the end of a task, or a stop request, is noticed."""
SURVEY_SECONDS = 10.0
"""The interval at which SLURM and the leases are checked for tasks that have left no result."""
MAX_TASKS = 1000
"""The most tasks in an array, which is SLURM's default; more jobs are split into several arrays."""
TIMEOUT_MINUTES = 60
"""The default time limit of a task; a longer training continues from its checkpoint in the next array."""
SUBMIT_SECONDS = 60.0
"""The longest time that a submission may take, in which SLURM itself has given up or tried again several times."""
COMMANDS = ("sbatch", "srun", "squeue", "scancel")
SQUEUE = ("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i %T")
OVER = {
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
}
"""The final states of a task."""

OUTPUT, RESULT = "_log.out", "_result.pkl"
"""The endings of submitit's file names for a task; the second file exists once the task has ended without a kill."""


@dataclass
class _Task:
    """A task of an array.

    Attributes:
        job: The submitit job.
        log_length: The number of lines in the log of ``planned`` when the task was submitted.
        quiet: The number of consecutive surveys that found no worker on the job.
    """

    planned: Planned
    job: Any
    log_length: int
    quiet: int = 0

    @property
    def result(self) -> str:
        """The name of the file that submitit writes at the end of a task that was not killed."""
        return str(self.job.paths.result_pickle.name)

    def has_begun(self) -> bool:
        return len(self.planned.folder.log()) > self.log_length


class Slurm:
    """Runs all jobs as one array, with a task for each; on CUDA each task has its own GPU.

    Args:
        cluster: The submitit cluster; "local" runs tasks as processes of this machine.

    Raises:
        ExtensionError: If submitit is not installed.
        SpecError: If there is no SLURM here, or submitit does not accept the options.
    """

    def __init__(self, execution: Execution, store: Store, device: str, cluster: str = "slurm"):
        self.execution, self.store, self.device, self.cluster = execution, store, device, cluster
        self.work = WorkFolder(store)
        self.submitit = import_extra("submitit", "--executor slurm", "slurm")
        missing = [command for command in COMMANDS if shutil.which(command) is None]
        if cluster == "slurm" and missing:
            raise SpecError(f"--executor slurm: no {missing[0]} here; run this where SLURM jobs are submitted from")
        if execution.per_gpu > 1:
            raise SpecError(f"--per-gpu {execution.per_gpu}: must be 1 with --executor slurm, a GPU for each cohort")
        self._submitter(self.work.root / "slurm", self._options(1, None))

    def run(self, jobs: Sequence[Planned], stop: Stop, *, one_at_a_time: bool = False) -> Iterator[Planned]:
        if not jobs:
            return
        folder = self.work.root / "slurm" / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
        options = self._options(jobs[0].job.threads, jobs[0].job.timeout_seconds)
        if one_at_a_time:
            options["slurm_array_parallelism"] = 1
        keep_alive = KeepAliveFile(self.work.root)
        keep_alive.begin()
        tasks: list[_Task] = []
        try:
            with ending(partial(self._end, tasks, folder, keep_alive)):
                tasks += self._submit(jobs, self._submitter(folder, options), keep_alive)
                yield from self._wait(tasks, folder, stop)
        finally:
            _tidy(folder)

    def _wait(self, tasks: list[_Task], folder: Path, stop: Stop) -> Iterator[Planned]:
        """Yields the jobs that have ended, and removes their tasks from ``tasks``."""
        surveyed = time.monotonic()
        while tasks and stop.reason is None:
            time.sleep(LOOK_SECONDS)
            survey = time.monotonic() - surveyed >= SURVEY_SECONDS
            surveyed = time.monotonic() if survey else surveyed
            for task in self._over(tasks, folder, survey):
                self._raise_for(task, folder)
                yield task.planned

    def _over(self, tasks: list[_Task], folder: Path, survey: bool) -> list[_Task]:
        """Removes the tasks that are over from ``tasks`` and returns them.

        A killed task leaves no file. It counts as over if nobody holds its leases, and SLURM no longer lists it or its
        worker has begun. Two surveys in a row must find this, since a shared file system may show an old state.
        """
        names = _names(folder)
        over = [task for task in tasks if task.result in names]
        if survey:
            known = self._known(tasks)
            for task in [task for task in tasks if task not in over]:
                is_lost = known is not None and task.job.job_id not in known
                is_quiet = (is_lost or task.has_begun()) and not is_held(task.planned, self.work)
                task.quiet = task.quiet + 1 if is_quiet else 0
            over += [task for task in tasks if task.quiet > 1 and task not in over]
        tasks[:] = [task for task in tasks if task not in over]
        return over

    def _known(self, tasks: Sequence[_Task]) -> set[str] | None:
        """Returns the ids of the tasks that SLURM has queued or is running; None if it does not answer."""
        if self.cluster != "slurm":
            return {task.job.job_id for task in tasks if not task.job.done()}
        own = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}
        try:
            output = subprocess.run(SQUEUE, capture_output=True, text=True, check=True, timeout=60.0, env=own).stdout
        except (OSError, subprocess.SubprocessError):
            return None
        return queued(output)

    def _end(self, tasks: list[_Task], folder: Path, keep_alive: KeepAliveFile, seconds: float) -> Iterator[Planned]:
        """Asks the workers to write checkpoints, cancels tasks that have not begun, then those that exceed ``seconds``.

        Yields every job of ``tasks`` once its task is over.
        """
        keep_alive.end()
        self._cancel(tasks, "--state=PENDING")
        deadline = time.monotonic() + seconds
        while tasks and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            for task in self._over(tasks, folder, survey=True):
                yield task.planned
        self._cancel(tasks)
        while tasks:
            yield tasks.pop().planned

    def _cancel(self, tasks: Sequence[_Task], *options: str) -> None:
        if self.cluster != "slurm":
            for task in tasks if not options else ():
                task.job.cancel()
        elif tasks:
            arrays = sorted({task.job.job_id.partition("_")[0] for task in tasks})
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                subprocess.run(["scancel", *options, *arrays], capture_output=True, check=False, timeout=60.0)

    def _submit(self, jobs: Sequence[Planned], submitter: Any, keep_alive: KeepAliveFile) -> Iterator[_Task]:
        for start in range(0, len(jobs), MAX_TASKS):
            part = jobs[start : start + MAX_TASKS]
            log_lengths = [len(planned.folder.log()) for planned in part]
            columns = zip(*(arguments([planned], self.store, keep_alive) for planned in part), strict=True)
            try:
                # submitit prints the output of sbatch in addition to raising it
                with contextlib.redirect_stderr(io.StringIO()), safe_path():
                    submitted = _within(SUBMIT_SECONDS, partial(submitter.map_array, entry_point(), *columns))
            except (OSError, RuntimeError) as error:
                reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
                raise SpecError(f"--executor slurm: not submitted ({reason}); --slurm sets the options") from None
            yield from (_Task(*each) for each in zip(part, submitted, log_lengths, strict=True))

    def _submitter(self, folder: Path, options: dict[str, Any]) -> Any:
        python = f"{shlex.quote(sys.executable)} -P"  # submitit's -m alone would put the working folder first
        submitter = self.submitit.AutoExecutor(folder, cluster=self.cluster, slurm_python=python, local_python=python)
        try:
            with warnings.catch_warnings(action="error"):
                submitter.update_parameters(**options)
        except (AssertionError, NameError, TypeError, ValueError, Warning) as error:
            raise SpecError(f"--slurm: {first_line(error)}; must be an option of submitit's") from None
        return submitter

    def _options(self, threads: int, timeout_seconds: float | None) -> dict[str, Any]:
        """Returns the options for ``sbatch``, by submitit's names; the user's options override ours."""
        minutes = 0 if timeout_seconds is None else math.ceil(timeout_seconds / 60) + 5
        options: dict[str, Any] = {
            "name": "wganbench",
            "cpus_per_task": threads,
            "timeout_min": max(TIMEOUT_MINUTES, minutes),
        }
        options |= {"gpus_per_node": 1} if self.device == "cuda" else {}
        options |= {"slurm_array_parallelism": self.execution.jobs} if self.execution.jobs else {}
        return {**options, **self.execution.slurm}

    def _raise_for(self, task: _Task, folder: Path) -> None:
        """Raises ExtensionError if an exception ended the worker before it began, as it would end any other worker."""
        if task.has_begun() or task.result not in _names(folder) or task.job.exception() is None:
            return
        error = (task.job.stderr() or task.job.stdout() or "an error").strip().splitlines()[-1]
        raise ExtensionError(f"--executor slurm: a worker ended with {error}; {SAME_FILES}; its output is in {folder}")


def _within(seconds: float, submit: Callable[[], Any]) -> Any:
    """Returns the result of ``submit``; submitit sets no limit to the time that ``sbatch`` may take.

    Raises:
        TimeoutError: If it takes longer; the processes that it has started are then killed.
    """
    before = set(psutil.Process().children(recursive=True))
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(submit).result(seconds)
    except TimeoutError:
        for process in set(psutil.Process().children(recursive=True)) - before:
            with contextlib.suppress(psutil.Error):
                process.kill()
        raise TimeoutError(f"sbatch gave no answer within {seconds:g} s") from None
    finally:
        pool.shutdown(wait=False)


def _names(folder: Path) -> set[str]:
    """Returns the names in a folder; listing them makes a shared file system look for new files."""
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


def _tidy(folder: Path) -> None:
    """Removes submitit's files, unless a task was killed, whose output may show why."""
    names = _names(folder)
    if all(name.replace(OUTPUT, RESULT) in names for name in names if name.endswith(OUTPUT)):
        shutil.rmtree(folder, ignore_errors=True)


def queued(output: str) -> set[str]:
    """Returns the ids of the tasks that are not over, from the output of ``SQUEUE``, which has one task per line."""
    tasks = (line.split() for line in output.splitlines())
    return {task[0] for task in tasks if len(task) == 2 and task[1] not in OVER}
