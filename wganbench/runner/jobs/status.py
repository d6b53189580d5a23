"""Determines what is under way in a results folder from its files alone, while other processes write them.

Any file may be missing, damaged or deleted at any moment; a file that cannot be read is skipped, never an error.
"""

from __future__ import annotations

import contextlib
import math
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wganbench.errors import RecordError
from wganbench.reading import read_bytes
from wganbench.records.record import MAX_BYTES, Record, checksum_of
from wganbench.records.store import Store
from wganbench.runner.jobs.job import Job, JobFolder, Progress, WorkFolder
from wganbench.runner.jobs.lease import Owner
from wganbench.runner.jobs.session import Session, SessionJob, sessions
from wganbench.spec import CONTROL, available, short

MAX_REMARKS = 3
"""The most warnings shown for one job; the last ones are shown."""


@dataclass(frozen=True)
class SessionStatus:
    """A ``run`` command and its progress.

    Attributes:
        is_alive: Whether the command is alive, as far as this machine can determine.
        started: The start time, in seconds since 1970.
        planned: The number of runs requested: the sum of ``done``, ``failed``, ``running`` and ``left``.
        done: The number of recorded runs, without those counted in ``failed``.
        failed: The number of runs that the command had to train and that failed.
        running: The number of unrecorded runs whose cohort some worker holds a lease on.
        left: The number of unrecorded runs that no worker holds.
        seconds_left: The estimated time left; None if nothing is known yet or nobody is working on it.
    """

    experiment: str
    profile: str
    executor: str
    host: str
    process: int
    is_alive: bool
    started: float
    planned: int
    done: int
    failed: int
    running: int
    left: int
    seconds_left: float | None

    def row(self) -> dict[str, str]:
        """Returns the status as a row of a table for people."""
        command = f"{self.executor}, process {self.process} on {self.host}"
        return {
            "experiment": self.experiment,
            "profile": self.profile,
            "command": command if self.is_alive else f"{command}, which is gone",
            "since": datetime.fromtimestamp(self.started).strftime("%Y-%m-%d %H:%M"),
            "runs": f"{self.planned:,}",
            "done": f"{self.done:,}",
            "failed": f"{self.failed:,}",
            "running": f"{self.running:,}",
            "left": f"{self.left:,}",
            "time left": about(self.seconds_left),
        }


@dataclass(frozen=True)
class CohortStatus:
    """A cohort that is being trained.

    Attributes:
        seeds: The number of seeds trained in lockstep.
        seed_steps_per_second: The speed over this attempt, including measures; None before its first step.
        silent_seconds: The time since the worker last wrote its progress; None if it has not done so yet.
    """

    experiment: str
    cohort: str
    worker: str
    step: int
    steps: int
    seeds: int
    seed_steps_per_second: float | None
    silent_seconds: float | None

    def row(self) -> dict[str, str]:
        """Returns the status as a row of a table for people."""
        speed, silent = self.seed_steps_per_second, self.silent_seconds
        return {
            "cohort": f"{self.experiment}/{self.cohort}",
            "step": f"{self.step:,}",
            "of": f"{self.steps:,}",
            "%": f"{100 * self.step // self.steps}",
            "seed-steps/s": "" if speed is None else f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}",
            "last sign": "none yet" if silent is None else f"{silent:.0f} s ago",
            "worker": self.worker,
        }


@dataclass(frozen=True)
class Stopped:
    """The cohorts of one experiment and profile that no command is working on.

    Attributes:
        cohorts: The number of cohorts.
        step: The step of the checkpoint that is furthest on; 0 if there is no checkpoint.
        steps: The number of steps of that checkpoint's cohort.
    """

    experiment: str
    profile: str
    cohorts: int
    step: int
    steps: int

    def __str__(self) -> str:
        many = f"{self.cohorts} cohorts" if self.cohorts > 1 else "1 cohort"
        newest = f"the newest checkpoint at step {self.step:,} of {self.steps:,}" if self.step else "no checkpoint yet"
        spec = self.experiment if self.experiment in available() else f"{self.experiment}.toml"
        again = f"the same 'wganbench run {spec} --profile {self.profile} …' goes on"
        return f"{many} of {self.experiment} stopped, {newest}; {again}"


@dataclass(frozen=True)
class Status:
    """The state of a results folder.

    Attributes:
        records: The number of files that should be records, without those of failed runs.
        failed: The number of records of failed runs.
        sessions: The commands that are alive, and dead ones whose workers are still running.
        cohorts: The cohorts that are being trained.
        stopped: The cohorts that no command is working on, by experiment and profile.
        remarks: A line for each problem of a job that is not done.
    """

    results: str
    records: int
    failed: int
    sessions: list[SessionStatus]
    cohorts: list[CohortStatus]
    stopped: list[Stopped]
    remarks: list[str]

    @property
    def is_idle(self) -> bool:
        return not self.cohorts and not any(session.is_alive for session in self.sessions)

    def as_json(self) -> dict[str, Any]:
        """Returns the content of ``status --json``, in which the sessions have the key that they have always had."""
        return {"sweeps" if key == "sessions" else key: value for key, value in asdict(self).items()}


def status(store: Store, experiments: Collection[str] = ()) -> Status:
    """Reads the current state of a results folder.

    Args:
        experiments: The names of the experiments to include; empty for all.

    Raises:
        RecordError: If the results folder is not a folder, or a folder of records may not be listed.
    """
    paths, work = store.paths(), WorkFolder(store)
    held = work.leases.held()
    jobs = [seen for seen in _jobs(work, store, held) if not experiments or seen.job.experiment in experiments]
    found = [(session, file.is_under_way(session)) for file, session in sessions(work)]
    claimed = {job.name for session, is_alive in found if is_alive for job in session.jobs}
    known = [
        _session_status(work, store, held, session if is_alive else _without(session, claimed), is_alive)
        for session, is_alive in found
        if not experiments or session.experiment in experiments
    ]
    recorded = [_has_failed(path) for path in paths if not experiments or path.parent.name in experiments]
    return Status(
        results=str(store.root),
        records=recorded.count(False),
        failed=recorded.count(True),
        sessions=[each for each in known if each.is_alive or each.running],
        cohorts=[_cohort_status(seen) for seen in jobs if seen.is_held],
        stopped=list(_stopped(seen for seen in jobs if not seen.is_held and seen.folder.name not in claimed)),
        remarks=[f"{plain(seen.folder.name)}: {short_line(line)}" for seen in jobs for line in _remarks(seen)],
    )


FAILED = re.compile(rb'"status"\s*:\s*"failed"')
"""Matches a failed run's status in a record's file, but never inside a text, where quotation marks are escaped."""


def _has_failed(path: Path) -> bool:
    """Returns whether a file is the record of a failed run, without parsing it, which would take far longer."""
    try:
        return FAILED.search(read_bytes(path, MAX_BYTES)) is not None
    except OSError:
        return False


def _without(session: Session, claimed: Set[str]) -> Session:
    """Returns a dead command without the jobs that a live command has taken over, since those are counted there."""
    left = [job for job in session.jobs if job.name not in claimed]
    n_taken = sum(len(job.wanted) for job in session.jobs) - sum(len(job.wanted) for job in left)
    return session.model_copy(update={"jobs": left, "planned": session.planned - n_taken})


def new_record(store: Store, experiment: str, run_id: str, replaced: str | None) -> Record | None:
    """Returns the record that a job was to make; None if there is none yet or it cannot be read.

    Args:
        replaced: The checksum of the record that it was to replace; None if there was none.
    """
    try:
        record = store.find(experiment, run_id)
    except RecordError:
        return None
    return None if record is None or checksum_of(record) == replaced else record


def about(seconds: float | None) -> str:
    """Formats a remaining time as coarsely as it is known."""
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return "less than a minute"
    for unit, name in ((60, "min"), (3600, "h")):
        if seconds < 90 * unit:
            return f"about {seconds / unit:.0f} {name}"
    return f"about {seconds / 86400:.0f} days"


def plain(text: str) -> str:
    """Replaces characters that would control a terminal or cannot be printed."""
    return CONTROL.sub("?", text)


def short_line(text: str) -> str:
    """Returns the first line, cut to at most 200 characters."""
    line = plain((text.strip().splitlines() or [""])[0])
    return line if len(line) <= 200 else f"{line[:199]}…"


Held = Mapping[str, Owner | None]
"""The owner of each lease that is held, read once."""


def _worker(held: Held, runs: Iterable[str]) -> str | None:
    """Returns the first holder of a lease on one of ``runs``; None if there is none."""
    return next((str(held[run] or "unknown") for run in runs if run in held), None)


# ---- jobs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """A job on disk that is not done."""

    folder: JobFolder
    job: Job
    worker: str | None

    @property
    def is_held(self) -> bool:
        return self.worker is not None


def _jobs(work: WorkFolder, store: Store, held: Held) -> Iterator[_Seen]:
    for folder in work.jobs():
        with contextlib.suppress(RecordError):
            job = folder.read()
            if job is not None and not is_done(job, store):
                yield _Seen(folder, job, _worker(held, job.wanted))


def is_done(job: Job, store: Store) -> bool:
    """Returns whether all wanted runs are recorded; unlike ``Job.left``, this sets no damaged record aside."""
    return all(new_record(store, job.experiment, run, replaced) for run, replaced in job.wanted.items())


def _cohort_status(seen: _Seen) -> CohortStatus:
    job = seen.job
    progress, speed = _progress(seen.folder, job.setting.steps), None
    if progress is not None and progress.step > progress.first and progress.seconds:
        speed = (progress.step - progress.first) * len(job.seeds) / progress.seconds
    return CohortStatus(
        experiment=job.experiment,
        cohort=plain(seen.folder.path.name),
        worker=seen.worker or "",
        step=progress.step if progress else _checkpointed(seen),
        steps=job.setting.steps,
        seeds=len(job.seeds),
        seed_steps_per_second=speed,
        silent_seconds=_silent_seconds(seen.folder),
    )


def _progress(folder: JobFolder, steps: int) -> Progress | None:
    """Returns the progress in a job's folder; None if there is none, or if its numbers are impossible."""
    found = folder.progress()
    return found if found is not None and found.first <= found.step <= steps else None


def _checkpointed(seen: _Seen) -> int:
    return min(seen.folder.checkpointed(), seen.job.setting.steps)


def _silent_seconds(folder: JobFolder) -> float | None:
    try:
        return max(0.0, time.time() - (folder.path / "progress.json").stat().st_mtime)
    except OSError:
        return None


def _stopped(jobs: Iterable[_Seen]) -> Iterator[Stopped]:
    groups: dict[tuple[str, str], list[_Seen]] = {}
    for seen in jobs:
        groups.setdefault((seen.job.experiment, seen.job.profile), []).append(seen)
    for (experiment, profile), group in sorted(groups.items()):
        step, steps = max((_checkpointed(seen), seen.job.setting.steps) for seen in group)
        yield Stopped(experiment, profile, len(group), step, steps)


def _remarks(seen: _Seen) -> Iterator[str]:
    warnings = [event.get("message") for event in seen.folder.log() if event["event"] == "warning"]
    yield from list(dict.fromkeys(map(str, warnings)))[-MAX_REMARKS:]
    history = seen.folder.history()
    if history.died and not seen.is_held:  # a retried death has a warning
        yield "its worker died"
    if history.out_of_memory:
        yield "the device had too little memory for it beside others"
    if history.timed_out is not None:
        yield f"timed out at step {short(history.timed_out)}"
    if history.error is not None:
        yield str(history.error)


# ---- sessions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Work:
    """A job of a session, done or not.

    Attributes:
        records: The new records.
        progress: The progress of the worker that holds the job; None if there is no worker, or it has not written any.
        is_running: Whether a worker holds the job.
        step: The current step, or the step of the newest checkpoint if there is no progress.
    """

    job: SessionJob
    records: list[Record]
    progress: Progress | None
    is_running: bool
    step: int

    @property
    def left(self) -> int:
        return len(self.job.wanted) - len(self.records)


def _session_status(work: WorkFolder, store: Store, held: Held, session: Session, is_alive: bool) -> SessionStatus:
    works = [_work(work, store, held, session.experiment, job) for job in session.jobs]
    left = sum(each.left for each in works)
    running = sum(each.left for each in works if each.is_running)
    failed = sum(record.status == "failed" for each in works for record in each.records)
    return SessionStatus(
        experiment=session.experiment,
        profile=session.profile,
        executor=session.executor,
        host=session.owner.host,
        process=session.owner.process,
        is_alive=is_alive,
        started=session.started,
        planned=session.planned,
        done=session.planned - left - failed,
        failed=failed,
        running=running,
        left=left - running,
        seconds_left=_seconds_left(works) if is_alive or running else None,
    )


def _work(work: WorkFolder, store: Store, held: Held, experiment: str, job: SessionJob) -> _Work:
    found = [new_record(store, experiment, run, replaced) for run, replaced in job.wanted.items()]
    records = [record for record in found if record is not None]
    folder = JobFolder(work.root / "jobs" / job.name)
    is_running = len(records) < len(job.wanted) and _worker(held, job.wanted) is not None
    progress = _progress(folder, job.steps) if is_running else None
    return _Work(job, records, progress, is_running, progress.step if progress else folder.checkpointed())


def _seconds_left(works: list[_Work]) -> float | None:
    """Estimates the time left, assuming that as many cohorts run at a time as do now.

    Each cohort is assumed to continue at its own speed, or if that is unknown, at the overall speed so far.
    """
    spent, bought = _spent(works)
    if not any(each.left for each in works):
        return 0.0
    if not bought:
        return None
    left = [_own_seconds_left(each, spent / bought * _cost(each.job, works)) for each in works if each.left]
    at_a_time = max(1, sum(each.is_running for each in works))
    seconds = max(*left, sum(left) / at_a_time)
    return seconds if math.isfinite(seconds) else None


def _spent(works: list[_Work]) -> tuple[float, float]:
    """Returns the summed training time of all cohorts so far, in seconds, and the cost completed in that time."""
    spent = bought = 0.0
    for each in works:
        cost, steps = _cost(each.job, works), each.job.steps
        together: dict[tuple[str, ...], list[Record]] = {}
        for record in each.records:
            together.setdefault(tuple(record.cohort), []).append(record)
        for group in together.values():  # several if the networks could not be stacked
            spent += group[0].wall_seconds
            bought += cost * len(group) / len(each.job.wanted) * max(record.steps_done for record in group) / steps
        if each.progress is not None:
            spent += each.progress.seconds
            bought += cost * max(0, each.progress.step - each.progress.first) / steps
    return spent, bought


def _cost(job: SessionJob, works: list[_Work]) -> float:
    """Returns the cost of a job in operations, or in seed-steps if the operations of any job are unknown."""
    if all(each.job.flops for each in works):
        return job.flops or 0.0
    return float(job.steps * len(job.wanted))


def _own_seconds_left(work: _Work, whole: float) -> float:
    """Estimates the seconds left for one job at its own speed.

    Args:
        whole: The seconds that the whole job would take at the overall speed, used if its own speed is unknown.
    """
    progress, steps = work.progress, max(0, work.job.steps - work.step)
    if progress is not None and progress.step > progress.first:
        return steps * progress.seconds / (progress.step - progress.first)
    return whole * steps / work.job.steps


# ---- leftovers ------------------------------------------------------------------------------------------------------


def left_behind(store: Store) -> Iterator[str]:
    """Yields a line for each file that a dead process left in the work folder; none of them blocks a later command.

    These are the leases of dead workers, jobs whose runs are all recorded, and the files of dead commands.
    """
    work = WorkFolder(store)
    for name, owner in work.leases.stale():
        who = owner or "an unknown process"
        yield f"{work.leases.folder / plain(name)}: the lease of {who}, which is gone; the next worker takes it over"
    alive: set[str] = set()
    for file, session in sessions(work):
        if file.is_under_way(session):
            alive.update(job.name for job in session.jobs)
        else:
            command = f"'wganbench run {session.experiment} --profile {session.profile}'"
            gone = f"of {command}, {session.owner}, which is gone"
            yield f"{file.path}: {gone}; the same command continues and removes it"
    for folder in work.jobs():
        with contextlib.suppress(RecordError):
            job = folder.read()
            if job is not None and folder.name not in alive and is_done(job, store):
                yield f"{plain(str(folder.path))}: its runs are all recorded; the next 'wganbench run' removes it"
