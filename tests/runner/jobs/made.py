"""Work folders made by hand, with owners that are alive, dead or elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.analysis import factory
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.runner.jobs.job import Job, JobFolder, Planned, Progress, WorkFolder
from wganbench.runner.jobs.lease import Owner, myself
from wganbench.spec import Experiment
from wganbench.spec.plan import Cohort, cohorts, expand

ELSEWHERE = Owner(host="elsewhere", system="elsewhere/boot/pid:[1]", process=7, born=1.0)
"""On another machine, where only a heartbeat can tell."""


@cache
def dead() -> Owner:
    """A process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return myself().model_copy(update={"process": process.pid})


def reused() -> Owner:
    """A process whose id this one has got since."""
    return myself().model_copy(update={"born": myself().born - 60})


def cohort(spec: Experiment, variant: str, seeds: Sequence[int], profile: str = "paper") -> Cohort:
    (found,) = cohorts(expand(spec, profile, seeds, [variant]), 64)
    return found


def job(of: Cohort, **changes: Any) -> Job:
    first = of.runs[0]
    about = {
        "experiment": first.experiment,
        "profile": first.profile,
        "variant": first.variant,
        "seeds": list(of.seeds),
        "setting": first.setting,
        "overrides": list(first.overrides),
        "claims": dict(first.claims),
        "wanted": {run.id: None for run in of.runs},
        "drawn": of.runs[0].id,
        "import_folders": ["."],
        "device": "cpu",
        "threads": 1,
        "deterministic": False,
        "retries": 2,
        "timeout_seconds": None,
        "checkpoint_seconds": 60.0,
    }
    return Job(**{**about, **changes})


def planned(store: Store, of: Cohort, *, flops: float | None = None, **changes: Any) -> Planned:
    """A job, which is written."""
    made = Planned(WorkFolder(store).job(of), job(of, **changes), flops)
    made.folder.write(made.job)
    return made


def record(store: Store, spec: Experiment, variant: str, seed: int, **changes: Any) -> Record:
    """The record of a run, which is written."""
    values = {name: row[seed] for name, row in factory.GOOD.items()}
    made = factory.record(spec, variant, seed, values, **changes)
    assert store.write(made)
    return made


def lease(store: Store, name: str, owner: Owner, *, number: int = 1, age: float = 0.0) -> Path:
    """A lease that ``owner`` has shown a sign of ``age`` seconds ago."""
    path = WorkFolder(store).leases.folder / f"{name}.{number}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(owner.model_dump_json())
    past(path, age)
    return path


def past(path: Path, age: float) -> None:
    os.utime(path, (time.time() - age,) * 2)


def progress(folder: JobFolder, step: int, first: int, seconds: float) -> None:
    folder.write_progress(Progress(step=step, first=first, seconds=seconds))


def checkpoint(folder: JobFolder, step: int) -> None:
    path = folder.path / "cohort" / f"checkpoint-{step:08d}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
