"""Executes planned runs: `run_all` takes them and leaves records in the store."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch

from wganbench.errors import RecordError, SpecError
from wganbench.records.custom_code import import_folders, shadowed
from wganbench.records.record import Record, checksum_of
from wganbench.records.store import Store
from wganbench.runner.cohort import abandoned
from wganbench.runner.executors import Executor, make_executor
from wganbench.runner.executors.local import cores, slots
from wganbench.runner.import_path import add_import_folders
from wganbench.runner.jobs.heartbeat import LOOK_SECONDS, repeating
from wganbench.runner.jobs.job import Event, Job, Planned, WorkFolder
from wganbench.runner.jobs.lease import BEAT_SECONDS, Owner
from wganbench.runner.jobs.options import Execution
from wganbench.runner.jobs.session import SessionFile, begin, forget
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.preflight import check
from wganbench.runner.provenance import loaded_code, provenance
from wganbench.runner.tensorboard import prepare
from wganbench.spec.plan import Cohort, Run, cohorts, step_flops

OnProgress = Callable[[str, int], None]
"""Called with a cohort's id and the number of generator steps done."""
OnEvent = Callable[[Event], None]
"""Called with events other than records: files set aside, the training to be done and the steps that it continues from
(``begin``, before any training), the processes that are waited for (``waiting``), and the lines of a job's log, within
a second; perhaps called in another thread."""
MAX_MEASURING_THREADS = 16
"""The largest number of threads taken unasked; an exact distance of 2,500 samples needs 256 MB in each."""
Redo = Literal["all", "failed", "none"]
"""Which of the recorded runs are trained again."""


def choose_device(name: str, *, here: bool = True) -> torch.device:
    """Returns the torch device for ``auto``, ``cpu`` or ``cuda``.

    Args:
        name: The name of the device.
        here: Whether the training is on this machine.

    Raises:
        SpecError: If ``name`` is ``cuda``, the training is ``here``, and there is no CUDA device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and here and not torch.cuda.is_available():
        raise SpecError("--device cuda: torch finds no CUDA device here; use --device cpu or auto")
    return torch.device(name)


def pending(runs: Sequence[Run], recorded: Mapping[str, Record], redo: Redo = "failed") -> dict[str, str | None]:
    """Returns the ids of the runs to train, each with the checksum of the record that it replaces, or None."""
    wanted: dict[str, str | None] = {}
    for run in runs:
        record = recorded.get(run.id)
        if record is None:
            wanted[run.id] = None
        elif redo == "all" or (redo == "failed" and record.status == "failed"):
            wanted[run.id] = checksum_of(record)
    return wanted


def run_all(
    runs: Sequence[Run],
    store: Store,
    execution: Execution | None = None,
    *,
    redo: Redo = "failed",
    stop: Stop | None = None,
    on_event: OnEvent = lambda event: None,
    on_progress: OnProgress = lambda cohort, step: None,
) -> Iterator[Record]:
    """Trains runs without a record, cohort by cohort, and yields each new record once it is on disk.

    If any run of a cohort lacks a record, the whole cohort trains; existing records stay. Before the first training,
    every name is imported, every custom object is checked (`wganbench.runner.preflight`), and the store is checked to
    be writable. Runs that other commands are training are waited for. On a request to ``stop``, checkpoints are saved
    and the iteration ends.

    Raises:
        ExtensionError, SpecError: If the runs cannot be trained as specified; raised before any training.
        RecordError: If the store is not writable, or a record cannot be written.
    """
    execution = execution or Execution()
    recorded, damaged = store.load_whole()
    for path, reason in damaged:
        on_event({"event": "set aside", "file": str(path), "message": reason})
    wanted = pending(runs, recorded, redo)
    todo = [cohort for cohort in cohorts(runs, execution.stack) if any(run.id in wanted for run in cohort.runs)]
    device = choose_device(execution.device, here=execution.executor not in ("ray", "slurm"))
    _check(todo, execution, device, on_event)
    if execution.tensorboard is not None:
        prepare(execution.tensorboard)
    store.prepare(sorted({run.experiment for run in runs}))
    work = WorkFolder(store)
    work.prepare()
    work.tidy(store, recorded)
    steps = {cohort.id: work.job(cohort).checkpointed() for cohort in todo}
    on_event({"event": "begin", "runs": len(runs), "left": len(wanted), "cohorts": steps})
    if not todo:
        forget(work)
        return
    drawn = min(run.seed for run in runs)
    jobs = [_planned(cohort, work, wanted, execution, device, drawn) for cohort in todo]
    if execution.executor != "inline":
        jobs.sort(key=lambda planned: -(planned.flops or float("inf")))  # longest first, so that none finishes alone
    logs = _Logs(jobs, on_event)
    queue = _Queue(jobs, store, make_executor(execution, store, device.type), stop or Stop(), logs)
    with _watched(jobs, begin(work, len(runs), jobs, execution.executor), on_progress, logs):
        for record in queue.records():
            before = recorded.get(record.id)
            if before is not None and store.path(before) != store.path(record):
                store.path(before).unlink(missing_ok=True)  # the failed run was stored under another experiment
            yield record
    if not queue.left:
        work.tidy(store, wanted)  # left by workers that died after their last record


def _check(todo: Sequence[Cohort], execution: Execution, device: torch.device, on_event: OnEvent) -> None:
    """Imports and checks everything that the runs name, and reports files that are not used."""
    first = {cohort.runs[0].family: cohort.runs[0] for cohort in todo}.values()
    for run in first:
        folders = import_folders(run.spec_path)
        add_import_folders(folders)
        loaded_code(run.setting, folders)  # reads the files before their modules are loaded
        for name, file in shadowed(run.setting, folders).items():
            on_event({"event": "not used", "file": str(file), "name": name})

    def warn(place: str, text: str) -> None:
        on_event({"event": "warning", "file": place, "message": text})

    is_here = device.type == "cpu" or execution.executor == "inline"
    check(list(first), warn, device=device if is_here else None)


def _planned(
    cohort: Cohort,
    work: WorkFolder,
    wanted: Mapping[str, str | None],
    execution: Execution,
    device: torch.device,
    drawn: int,
) -> Planned:
    first = cohort.runs[0]
    flops = step_flops(first.setting)
    job = Job(
        experiment=first.experiment,
        profile=first.profile,
        variant=first.variant,
        seeds=list(cohort.seeds),
        setting=first.setting,
        overrides=list(first.overrides),
        claims=dict(first.claims),
        wanted={run.id: wanted[run.id] for run in cohort.runs if run.id in wanted},
        drawn=next((run.id for run in cohort.runs if run.seed == drawn), None),
        import_folders=import_folders(first.spec_path),
        device="cuda" if device.type == "cuda" else "cpu",
        threads=execution.threads or torch.get_num_threads(),
        deterministic=execution.deterministic,
        capture=execution.capture,
        retries=execution.retries,
        timeout_seconds=execution.timeout_seconds,
        checkpoint_seconds=execution.checkpoint_seconds,
        tensorboard=None if execution.tensorboard is None else str(execution.tensorboard.resolve()),
        keep_weights=execution.keep_weights,
        measuring_threads=_measuring_threads(execution, device),
    )
    return Planned(work.job(cohort), job, None if flops is None else flops * first.setting.steps * len(cohort.runs))


def _measuring_threads(execution: Execution, device: torch.device) -> int:
    """Returns those of training; on a GPU of this machine, where these have little to do, a share of all cores."""
    threads = execution.threads or torch.get_num_threads()
    if device.type != "cuda" or execution.executor in ("ray", "slurm"):
        return threads
    at_a_time = 1 if execution.executor == "inline" else len(slots(execution, "cuda"))
    return max(threads, min(MAX_MEASURING_THREADS, cores() // max(1, at_a_time)))


class _Logs:
    """Reports each new line of each job's log once, from whichever thread reads it first."""

    def __init__(self, jobs: Sequence[Planned], on_event: OnEvent):
        self.on_event = on_event
        self.n_reported = {planned.folder.path: len(planned.folder.log()) for planned in jobs}
        self._lock = threading.Lock()

    def report(self, planned: Planned) -> int:
        """Reports the new lines of a job's log, and returns the number of its lines."""
        path = planned.folder.path
        with self._lock:
            log = planned.folder.log()
            for event in log[self.n_reported[path] :]:
                self.n_reported[path] += 1
                self.on_event({**event, "cohort": planned.job.cohort.id})
        return len(log)


class _Queue:
    """Executes jobs until all are done; repeats a job whose worker died, and runs one alone if memory was short."""

    def __init__(self, jobs: Sequence[Planned], store: Store, executor: Executor, stop: Stop, logs: _Logs):
        self.store, self.executor, self.stop, self.logs = store, executor, stop, logs
        self.work = WorkFolder(store)
        self.left = {planned.folder.path: planned for planned in jobs}
        self.n_lines = dict(logs.n_reported)
        self.silent: Counter[Path] = Counter()
        self.yielded: set[str] = set()
        self.awaited: set[tuple[str, str]] = set()

    def records(self) -> Iterator[Record]:
        while self.left and self.stop.reason is None:
            held = self.work.leases.held({run for planned in self.left.values() for run in planned.job.runs})
            free = [planned for planned in self.left.values() if held.keys().isdisjoint(planned.job.runs)]
            for planned in free:
                planned.folder.write(planned.job)
            short = [planned for planned in free if planned.folder.history().out_of_memory]
            ready = [planned for planned in free if planned not in short]
            for planned in self.executor.run(ready or short, self.stop, one_at_a_time=not ready):
                before = self.n_lines[planned.folder.path]
                yield from self._new_records(planned)
                if planned.folder.path in self.left:
                    self._check_progress(planned, before)
                    yield from self._new_records(planned)
            if not free:
                self._report_holders(held)
                time.sleep(LOOK_SECONDS)
            for planned in list(self.left.values()):  # other commands may have completed some
                yield from self._new_records(planned)

    def _new_records(self, planned: Planned) -> Iterator[Record]:
        """Reports the new lines of a job's log, and yields its new records; removes the job if it is done."""
        job, folder = planned.job, planned.folder
        self.n_lines[folder.path] = self.logs.report(planned)
        left = {run.id for run in job.left(self.store)}
        for run in job.cohort.runs:
            if run.id in job.wanted and run.id not in left and run.id not in self.yielded:
                self.yielded.add(run.id)
                record = self.store.find(run.experiment, run.id)
                assert record is not None
                yield record
        if not left:
            del self.left[folder.path]
            folder.remove()

    def _report_holders(self, held: Mapping[str, Owner | None]) -> None:
        """Reports, once for each job and process, who trains what is waited for."""
        for planned in self.left.values():
            owners = {str(held[run] or "an unknown process") for run in planned.job.runs if run in held}
            for owner in sorted(owners):
                about = (planned.job.cohort.id, owner)
                if about not in self.awaited:
                    self.awaited.add(about)
                    self.logs.on_event({"event": "waiting", "cohort": about[0], "owner": owner})

    def _check_progress(self, planned: Planned, n_before: int) -> None:
        """Records the runs of a job as failed whose workers die before they can begin.

        Args:
            planned: The job.
            n_before: Number of lines in the job's log before the attempt.

        Raises:
            RecordError: If the attempt ended in an error that would end any other, or the disk is full.
        """
        path, log = planned.folder.path, planned.folder.log()[n_before:]
        for event in log:
            if event["event"] == "error":
                raise RecordError(event["message"])
        self.store.prepare([planned.job.experiment])  # a full disk could not take the line in the log
        is_held = bool(self.work.leases.held(planned.job.runs))
        self.silent[path] = 0 if log or is_held else self.silent[path] + 1
        if self.silent[path] > planned.job.retries:
            self._give_up(planned.job, self.silent[path])

    def _give_up(self, job: Job, deaths: int) -> None:
        """Records what is left of a job as failed, unless another command's worker has taken it."""
        lease = self.work.leases.take(job.runs)
        if lease is None:
            return
        left = {run.id for run in job.left(self.store)}
        made_by = provenance(torch.device("cpu"), job.setting.precision).model_copy(update={"device": job.device})
        why = (
            f"its worker died {deaths} times before it could begin, perhaps for want of memory; "
            f"use fewer --jobs or a smaller --stack"
        )
        for outcome in abandoned(job.cohort, made_by, why, steps_done=0, retries=deaths - 1):
            if outcome.record.id in left:
                self.store.keep(outcome.record, {}, replace=job.wanted[outcome.record.id] is not None)
        lease.forget()


@contextmanager
def _watched(jobs: Sequence[Planned], file: SessionFile, on_progress: OnProgress, logs: _Logs) -> Iterator[None]:
    """Reports progress and logs within the context, and keeps the file behind status queries up to date."""

    def report_progress() -> None:
        for planned in jobs:
            progress = planned.folder.progress()
            if progress is not None:
                on_progress(planned.job.cohort.id, progress.step)
            logs.report(planned)

    try:
        with repeating(report_progress), repeating(file.beat, BEAT_SECONDS):
            yield
    finally:
        if not any(planned.folder.path.exists() for planned in jobs):
            file.remove()


__all__ = ["Execution", "choose_device", "pending", "run_all"]
