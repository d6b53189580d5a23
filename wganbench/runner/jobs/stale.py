"""Lists files that dead processes left behind in a work folder; these files do not block any later command."""

from __future__ import annotations

from collections.abc import Iterator

from wganbench.errors import RecordError
from wganbench.records.store import Store
from wganbench.runner.jobs.job import JobFolder, WorkFolder
from wganbench.runner.jobs.session import sweeps
from wganbench.runner.jobs.status import is_done, plain


def left_behind(store: Store) -> Iterator[str]:
    """Yields a line for each lease of a dead worker, job whose runs are all recorded, and file of a dead command."""
    work = WorkFolder(store)
    for name, owner in work.leases.stale():
        who = owner or "a process that cannot be told"
        yield f"{work.leases.folder / plain(name)}: the lease of {who}, which is gone; the next worker takes it over"
    alive: set[str] = set()
    for file, sweep in sweeps(work):
        if file.is_under_way(sweep):
            alive.update(job.name for job in sweep.jobs)
        else:
            asked = f"'wganbench run {sweep.experiment} --profile {sweep.profile}'"
            yield f"{file.path}: of {asked}, {sweep.owner}, which is gone; the same command goes on and removes it"
    for folder in work.jobs():
        if folder.name not in alive and _is_over(folder, store):
            yield f"{plain(str(folder.path))}: its runs are all recorded; the next 'wganbench run' removes it"


def _is_over(folder: JobFolder, store: Store) -> bool:
    try:
        job = folder.read()
    except RecordError:
        return False
    return job is not None and is_done(job, store)
