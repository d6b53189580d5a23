"""Jobs: cohorts to be trained, each stored as a folder that any worker can take up.

The folder holds all that a worker needs and produces: the job itself, a log, the progress and checkpoints. A job is
done when all its records exist; this does not depend on anything that an executor returns.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError

from wganbench.errors import DamagedError, RecordError
from wganbench.files import leftovers, write_atomically
from wganbench.reading import read_bytes, read_text
from wganbench.records.record import Seed, checksum_of
from wganbench.records.store import Store
from wganbench.runner.jobs.lease import Leases
from wganbench.spec import RECORDED, Model, Name, Setting, Text, mistakes
from wganbench.spec.plan import Cohort, Run

FOLDER = ".work"
MAX_BYTES, MAX_LOG = 2**24, 2**28
"""The largest file of a job, or of its progress, and the largest log, in bytes."""
BIG_STEP_FLOPS = 1e12
"""The operations per step from which on a job is big. At some 10 TFLOP/s such a step takes a tenth of a second, about
as long as launching the kernels of a deep network; a longer step gains nothing from sharing a GPU, and jobs of that
size need the most of its memory."""

Event = dict[str, Any]
"""A line of a log, with ``time`` (seconds since 1970), ``event``, and the fields of that event."""


class Progress(Model):
    """The progress of a worker.

    Attributes:
        step: The number of steps done.
        first: The step that this attempt began at.
        seconds: The time since this attempt began.
    """

    step: NonNegativeInt
    first: NonNegativeInt
    seconds: NonNegativeFloat


class Job(Model):
    """One cohort to be trained.

    Attributes:
        wanted: The ids of the runs to be recorded, each with the checksum of the record that the new one replaces, or
            None if there is no such record.
        drawn: The id of the run whose samples are kept for the figures.
        import_folders: The folders that custom modules are imported from.
        device, threads, deterministic: The device and the torch settings to train with.
        measuring_threads: The number of threads that compute exact transport distances.
        capture: Whether to replay steps as a CUDA graph, where possible.
        retries, timeout_seconds, checkpoint_seconds, tensorboard, keep_weights: The options of the same names in
            ``Execution``.
    """

    experiment: Name
    profile: Name
    variant: Name
    seeds: list[Seed]
    setting: Setting
    overrides: list[str]
    claims: dict[str, str]
    wanted: dict[Text, Text | None]
    drawn: str | None
    import_folders: list[str]
    device: Literal["cpu", "cuda"]
    threads: PositiveInt
    deterministic: bool
    retries: NonNegativeInt
    timeout_seconds: PositiveFloat | None
    checkpoint_seconds: NonNegativeFloat
    capture: bool = True
    tensorboard: str | None = None
    keep_weights: bool = False
    measuring_threads: PositiveInt = 1

    @cached_property
    def cohort(self) -> Cohort:
        shared = (self.experiment, self.profile, self.variant)
        rest = (self.setting, tuple(self.overrides), tuple(self.claims.items()))
        return Cohort(tuple(Run(*shared, seed, *rest) for seed in self.seeds))

    @cached_property
    def runs(self) -> list[str]:
        """The ids of the cohort's runs."""
        return [run.id for run in self.cohort.runs]

    def left(self, store: Store) -> list[Run]:
        """Returns the wanted runs that are not recorded yet; damaged records are set aside.

        Raises:
            RecordError: If a record cannot be read for another reason.
        """
        return [run for run in self.cohort.runs if run.id in self.wanted and self._is_left(run, store)]

    def _is_left(self, run: Run, store: Store) -> bool:
        try:
            record = store.find(run.experiment, run.id)
        except DamagedError as error:
            store.set_aside(store.root / run.experiment / f"{run.id}.json", str(error))
            return True
        return record is None or checksum_of(record) == self.wanted[run.id]


@dataclass(frozen=True)
class History:
    """The history of a job, as read from its log.

    Attributes:
        deaths: The number of workers that died while working on the job.
        died: Whether the last worker died.
        deaths_here: The number of consecutive deaths with no new checkpoint between them or since.
        out_of_memory: The number of attempts for which the device had too little memory.
        timed_out: The step at which the job exceeded its time; None if it did not.
        error: The error that ended the last attempt before any training; None if there was none.
    """

    deaths: int = 0
    died: bool = False
    deaths_here: int = 0
    out_of_memory: int = 0
    timed_out: int | None = None
    error: str | None = None

    @property
    def retries(self) -> int:
        return self.deaths + self.out_of_memory


class JobFolder:
    """A job's folder; ``path`` need not exist yet."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"

    def write(self, job: Job) -> None:
        """Writes ``job`` to the folder; raises RecordError if that fails."""
        write_atomically(self.path / "job.json", job.model_dump_json().encode(), replace=True, durable=False)

    def read(self) -> Job | None:
        """Returns the job; None if its file is gone, since another worker has finished the job.

        Raises:
            RecordError: If the file is damaged or cannot be read.
        """
        path = self.path / "job.json"
        try:
            return Job.model_validate_json(read_bytes(path, MAX_BYTES), context=RECORDED)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RecordError(f"{path}: cannot be read ({error.strerror}); the run command writes it again") from None
        except ValidationError as error:
            raise RecordError(f"{path}: {'; '.join(mistakes(error, Job))}; the run command writes it again") from None

    def is_left(self) -> bool:
        """Returns whether the job's file is there, as far as the disk says; if not, another worker has finished it."""
        try:
            return (self.path / "job.json").exists()
        except OSError:
            return True

    def note(self, event: str, **about: Any) -> None:
        """Appends a line to the log. On a full disk the line is lost without an error; writing the record will fail."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **about}).encode() + b"\n"
        with contextlib.suppress(OSError), (self.path / "log.jsonl").open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line  # ends a line cut off before
            file.write(line)

    def log(self) -> list[Event]:
        """Returns the log's lines, without those cut off when their writer died."""
        try:
            lines = read_text(self.path / "log.jsonl", MAX_LOG, errors="replace").splitlines()
        except OSError:
            return []
        return list(_events(lines))

    def history(self) -> History:
        """Reads the history of a job that no worker holds now, so that an attempt without an end counts as a death."""
        deaths = here = memory = 0
        died, timed_out, error, died_at = False, None, None, None
        log = [event for event in self.log() if event["event"] in ("start", *ENDS)]
        for event, following in zip(log, [*log, None][1:], strict=True):
            kind, error = event["event"], None
            died = kind == "start" and (following is None or following["event"] == "start")
            if died:
                step = event.get("step")
                deaths, here, died_at = deaths + 1, here + 1 if step == died_at else 1, step
            elif kind == "out of memory":
                memory += 1
            elif kind == "timed out":
                timed_out = event.get("step")
            elif kind == "error":
                error = event.get("message")
        if isinstance(died_at, int) and self.checkpointed() > died_at:
            here = 0
        return History(deaths, died, here, memory, timed_out, error)

    def write_progress(self, progress: Progress) -> None:
        """Writes the progress for ``wganbench status``; errors are ignored, so that they cannot stop a training."""
        with contextlib.suppress(RecordError):
            write_atomically(
                self.path / "progress.json", progress.model_dump_json().encode(), replace=True, durable=False
            )

    def progress(self) -> Progress | None:
        try:
            return Progress.model_validate_json(read_bytes(self.path / "progress.json", MAX_BYTES))
        except (OSError, ValidationError):
            return None

    def checkpointed(self) -> int:
        """Returns the step of the newest checkpoint; 0 if there is none."""
        found = re.findall(r"checkpoint-([0-9]+)\.pt$", "\n".join(map(str, self.path.glob("*/*.pt"))), re.MULTILINE)
        return max(map(int, found), default=0)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


ENDS = ("stop", "out of memory", "timed out", "error")
"""The events that end an attempt whose worker did not die."""


def _events(lines: Iterable[str]) -> Iterator[Event]:
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            yield event


class WorkFolder:
    """The work folder of a results folder."""

    def __init__(self, store: Store):
        self.root = store.root / FOLDER
        self.leases = Leases(self.root / "leases")

    def prepare(self) -> None:
        """Creates the folder with a ``.gitignore`` that hides it from git.

        Raises:
            RecordError: If the folder cannot be written.
        """
        write_atomically(self.root / ".gitignore", b"*\n")

    def job(self, cohort: Cohort) -> JobFolder:
        return JobFolder(self.root / "jobs" / cohort.runs[0].experiment / cohort.id)

    def jobs(self) -> list[JobFolder]:
        """Returns the folder of every job that is not known to be done."""
        return [JobFolder(path.parent) for path in sorted(self.root.glob("jobs/*/*/job.json"))]

    def tidy(self, store: Store, recorded: Container[str]) -> None:
        """Removes what dead workers left behind: finished jobs, leases on ``recorded`` runs, half-written files."""
        for folder in self.jobs():
            with contextlib.suppress(RecordError):
                job = folder.read()
                if job is not None and not job.left(store):
                    folder.remove()
        self.leases.forget_free(recorded)
        for path in leftovers(self.root):
            with contextlib.suppress(OSError):
                path.unlink()


@dataclass(frozen=True)
class Planned:
    """A job together with its folder and estimated cost, as the command that planned it knows it.

    Attributes:
        flops: An estimate of the floating-point operations of the whole job; None if a network is custom.
    """

    folder: JobFolder
    job: Job
    flops: float | None

    @property
    def is_big(self) -> bool:
        """True if each step has enough work for a whole GPU; a job of unknown cost counts as small."""
        return self.flops is not None and self.flops / self.job.setting.steps >= BIG_STEP_FLOPS
