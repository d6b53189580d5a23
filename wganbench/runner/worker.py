"""Executes one job, wherever it runs: takes leases, trains with checkpoints, and writes the records.

However a worker ends, the job's folder holds everything that the next worker needs.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import torch

from wganbench.errors import WganbenchError
from wganbench.reading import open_file
from wganbench.records.store import Store
from wganbench.records.weights import WeightsFolder
from wganbench.runner.checkpoint import Checkpoints, Identity
from wganbench.runner.cohort import (
    Attempt,
    GpuFailed,
    Outcome,
    OutOfMemory,
    Stopped,
    abandoned,
    release_memory,
    train_cohort,
)
from wganbench.runner.import_path import add_import_folders
from wganbench.runner.jobs.heartbeat import Heartbeat, repeating
from wganbench.runner.jobs.job import History, Job, JobFolder, WorkFolder
from wganbench.runner.jobs.lease import Lease
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.precision import numerics
from wganbench.runner.provenance import loaded_code, provenance
from wganbench.spec.plan import Cohort

LATE_SECONDS = 30.0
"""The time after a time-out at which a process that cannot end itself is killed."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""The signals that ask a worker to stop; a parent may start it with them blocked, until it can handle them."""


def work(path: Path, results: Path, stop: Stop, *, alone: bool = False) -> None:
    """Trains and records a job, unless it is done or another worker has it.

    Args:
        path: The job's folder.
        results: The results folder.
        stop: A request to stop, after which the training saves a checkpoint and ends. It is made here if the GPU takes
            no more work from this process, so that the process begins no other job.
        alone: Whether this process only executes jobs, and may be killed if a job hangs.

    Raises:
        WganbenchError: If the job, its objects or the disk would make another attempt fail in the same way.
    """
    folder, store = JobFolder(path), Store(results)
    try:
        _work(folder, store, stop, alone)
    except WganbenchError as error:
        folder.note("error", message=str(error))
        raise
    except Exception as error:
        folder.note("error", message=f"{folder.name}: {type(error).__name__}: {error}")
        raise
    except KeyboardInterrupt:
        folder.note("stop", reason="interrupted")
        raise


def serve(orders: Iterable[tuple[Path, Path]]) -> None:
    """Executes jobs, as the only task of a process, until there are none left or it is asked to stop.

    Args:
        orders: The folder of each job with its results folder; errors go to the job's log only.
    """
    with Stop().on_signals() as stop:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for path, results in orders:
            with suppress(WganbenchError):
                work(path, results, stop, alone=True)
            if stop.reason is not None:
                return


def _work(folder: JobFolder, store: Store, stop: Stop, alone: bool) -> None:
    job = folder.read()
    if job is None or stop.reason is not None:
        return
    lease = WorkFolder(store).leases.take(job.runs)
    if lease is None:
        return
    try:
        if job.left(store):
            add_import_folders(job.import_folders)
            device, precision = torch.device(job.device), job.setting.precision
            with numerics(device, job.threads, deterministic=job.deterministic, precision=precision):
                _JobAttempt(folder, job, store, lease, stop, alone).make()
        if not job.left(store):
            lease.forget()  # the folder is kept for the command, which reads the log
    finally:
        lease.release()


class _JobAttempt:
    """One attempt at a job whose leases this process holds."""

    def __init__(self, folder: JobFolder, job: Job, store: Store, lease: Lease, stop: Stop, alone: bool):
        self.folder, self.job, self.store, self.alone = folder, job, store, alone
        self.process_stop = stop
        self.stop = Stop(of=stop)  # losing a lease ends this attempt, but no other job of this process
        self.history = folder.history()
        self.device = torch.device(job.device)
        code = loaded_code(job.setting, job.import_folders)
        self.made_by = provenance(self.device, job.setting.precision).model_copy(update={"custom_code": code})
        self.heartbeat = Heartbeat(folder, lease, self.stop, job.timeout_seconds, kill=alone)

    def make(self) -> None:
        step = self.folder.checkpointed()
        hopeless = _hopeless(self.job, self.history, step, self.folder)
        if hopeless is not None:
            retries = self.history.retries - self.history.died  # no attempt followed the last death
            self._keep(abandoned(self.job.cohort, self.made_by, hopeless, steps_done=step, retries=retries))
            return
        if self.history.died:
            self._warn(f"its worker died; it continues from step {step}")
        self.folder.note("start", step=step, worker=str(os.getpid()), retries=self.history.retries)
        try:
            with repeating(self.heartbeat.beat), self._last_resort():
                self._keep(self._train())
        except Stopped as stopped:
            if self.stop.reason != "overtaken":  # otherwise the log belongs to the other worker
                self.folder.note("stop", step=stopped.step, reason=self.stop.reason)
        except OutOfMemory as error:
            self.folder.note("out of memory", message=str(error))
            release_memory(self.device)
        except GpuFailed:
            self.process_stop.ask("the GPU failed")
            self.folder.note("stop", step=self.heartbeat.step, reason=self.stop.reason)

    def _train(self) -> Iterator[Outcome]:
        attempt = Attempt(
            device=self.device,
            made_by=self.made_by,
            drawn=self.job.drawn,
            wanted=self.job.wanted,
            checkpoints=self._checkpoints,
            stop=self.stop,
            on_begin=self._begin,
            on_step=partial(setattr, self.heartbeat, "step"),
            on_message=self._warn,
            checkpoint_seconds=self.job.checkpoint_seconds,
            measuring_threads=self.job.measuring_threads,
            timeout_seconds=self.job.timeout_seconds,
            retries=self.history.retries,
            memory_is_short=self.history.out_of_memory > 0,
            capture=self.job.capture,
            tensorboard=None if self.job.tensorboard is None else Path(self.job.tensorboard),
            keep_weights=self.job.keep_weights,
        )
        return train_cohort(self.job.cohort, attempt)

    def _checkpoints(self, cohort: Cohort) -> Checkpoints:
        return Checkpoints(self.folder.path / cohort.id, Identity.of(cohort, self.made_by, self.job.drawn), self._warn)

    def _warn(self, text: str) -> None:
        self.folder.note("warning", message=text)

    def _begin(self, step: int) -> None:
        self.heartbeat.first = self.heartbeat.step = step

    def _keep(self, outcomes: Iterator[Outcome]) -> None:
        left = {run.id for run in self.job.left(self.store)}  # keeps records that an earlier attempt has replaced
        for outcome in outcomes:
            record = outcome.record
            if record.id not in left or self.stop.reason == "overtaken":
                continue
            replace, weights = self.job.wanted[record.id] is not None, WeightsFolder(self.store.root)
            weights.keep(record, outcome.weights)
            if self.store.keep(record, outcome.artefacts, replace=replace):
                weights.tidy(record)

    @contextmanager
    def _last_resort(self) -> Iterator[None]:
        """Logs a crash in C, and kills a process that hangs in C, where no Python thread can act on a time-out."""
        if not self.alone:
            yield
            return
        crash = self.folder.path / CRASH
        crash.unlink(missing_ok=True)
        with crash.open("x") as file:
            faulthandler.enable(file)
            if self.job.timeout_seconds is not None:
                late = self.job.timeout_seconds + LATE_SECONDS
                faulthandler.dump_traceback_later(late, exit=True, file=file)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()
                faulthandler.disable()


CRASH = "crash.txt"


def _hopeless(job: Job, history: History, step: int, folder: JobFolder) -> str | None:
    """Returns why no further attempt is made; None if one is."""
    if history.timed_out is not None:
        return f"timed out, at step {history.timed_out}"
    try:
        with open_file(folder.path / CRASH) as file:
            last = file.read(2000).decode(errors="replace")
    except OSError:
        last = ""
    if history.died and last.startswith("Timeout ("):
        return f"timed out, in a call that does not return to Python\n{last}".strip()
    if history.deaths_here <= job.retries:
        return None
    return f"its worker died {history.deaths_here} times after step {step}\n{last}".strip()
