"""Where jobs are worked on: in this process, in others of this machine, on a Ray cluster, in a SLURM array.

An executor lets each job be worked on once and says when that has ended. Whether the job is done is asked of the store,
why not of the job's log; so a worker, a node or the command itself may die at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from wganbench.records.store import Store
from wganbench.runner.executors.inline import Inline
from wganbench.runner.executors.local import Local
from wganbench.runner.executors.ray import Ray
from wganbench.runner.executors.slurm import Slurm
from wganbench.runner.jobs.job import Planned
from wganbench.runner.jobs.options import Execution
from wganbench.runner.jobs.stop import Stop


class Executor(Protocol):
    def run(self, jobs: Sequence[Planned], stop: Stop, *, one_at_a_time: bool = False) -> Iterator[Planned]:
        """Has each of ``jobs`` worked on once, in this order, and yields it when that has ended, in whatever way.

        Args:
            stop: When asked for, no further job is begun, those under way leave a checkpoint, and this returns.
            one_at_a_time: Whether each job is to have its device for itself.
        """
        ...


def make_executor(execution: Execution, store: Store, device: str) -> Executor:
    """The executor that ``execution`` names, for workers of ``store`` that train on ``device`` ("cpu" or "cuda").

    Raises:
        ExtensionError: If it needs a package that is not installed.
        SpecError: If it cannot be had here, or not with these options.
    """
    if execution.executor == "inline":
        return Inline(store)
    if execution.executor == "ray":
        return Ray(execution, store, device)
    if execution.executor == "slurm":
        return Slurm(execution, store, device)
    return Local(execution, store, device)
