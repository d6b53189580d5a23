"""Files that describe the ``run`` commands under way, for ``wganbench status`` in another terminal."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeFloat, ValidationError

from wganbench.errors import RecordError
from wganbench.files import write_atomically
from wganbench.reading import read_bytes
from wganbench.runner.jobs.job import Planned, WorkFolder
from wganbench.runner.jobs.lease import LAPSE_SECONDS, Owner, myself
from wganbench.spec import MAX_STEPS, Line, Model, Name

FOLDER = "sweeps"
"""The name of the sessions' folder on disk, which commands of older versions use as well."""
MAX_BYTES = 2**27
"""The largest file of a session, which names all of its runs."""


class SessionJob(Model):
    """A job of a session.

    Attributes:
        name: The job's folder below ``.work/jobs``, as ``EXPERIMENT/COHORT``.
        wanted: The wanted runs, as in ``Job``.
        steps: The number of steps of each run.
        flops: An estimate of the operations of the whole job; None if unknown.
    """

    name: Line
    wanted: dict[Line, Line | None]
    steps: Annotated[int, Field(gt=0, le=MAX_STEPS)]
    flops: NonNegativeFloat | None


class Session(Model):
    """A session: a ``run`` command that is under way, or that ended before its work was done.

    Attributes:
        planned: The number of runs requested, including those already recorded.
        started: The start time, in seconds since 1970.
        jobs: The jobs that were not done when the session started.
    """

    owner: Owner
    experiment: Name
    profile: Name
    executor: Line
    planned: Annotated[int, Field(ge=0, le=10**9)]
    started: Annotated[float, Field(ge=0, le=1e11)]
    jobs: list[SessionJob]


class SessionFile:
    """The file of a session; its modification time is the heartbeat."""

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> Session | None:
        """Returns the session; None if the file is gone or damaged."""
        try:
            return Session.model_validate_json(read_bytes(self.path, MAX_BYTES))
        except (OSError, ValidationError):
            return None

    def beat(self) -> None:
        with contextlib.suppress(OSError):
            os.utime(self.path)

    def is_under_way(self, session: Session) -> bool:
        """Returns whether the command is alive, as far as this machine can determine."""
        alive = session.owner.is_alive()
        if alive is not None:
            return alive
        try:
            return abs(time.time() - self.path.stat().st_mtime) < LAPSE_SECONDS
        except OSError:
            return False

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()


def begin(work: WorkFolder, planned: int, jobs: Sequence[Planned], executor: str) -> SessionFile:
    """Writes the file of a new session, and removes those of dead sessions whose remaining jobs it continues."""
    first = jobs[0].job
    session = Session(
        owner=myself(),
        experiment=first.experiment,
        profile=first.profile,
        executor=executor,
        planned=planned,
        started=time.time(),
        jobs=[
            SessionJob(name=each.folder.name, wanted=each.job.wanted, steps=each.job.setting.steps, flops=each.flops)
            for each in jobs
        ],
    )
    forget(work, {job.name for job in session.jobs})
    file = SessionFile(work.root / FOLDER / f"{uuid.uuid4().hex}.json")
    with contextlib.suppress(RecordError):  # only status reads it
        write_atomically(file.path, session.model_dump_json().encode(), durable=False)
    return file


def forget(work: WorkFolder, names: Set[str] = frozenset()) -> None:
    """Removes the files of sessions that are over and whose remaining jobs, if any, are all in ``names``."""
    for file, session in sessions(work):
        is_over = session.owner == myself() or not file.is_under_way(session)
        if is_over and names >= {job.name for job in session.jobs if (work.root / "jobs" / job.name).is_dir()}:
            file.remove()


def sessions(work: WorkFolder) -> Iterator[tuple[SessionFile, Session]]:
    """Yields the sessions on disk, the oldest first."""
    files = [SessionFile(path) for path in (work.root / FOLDER).glob("*.json")]
    found = [(file, session) for file in files if (session := file.read()) is not None]
    yield from sorted(found, key=lambda pair: pair[1].started)
