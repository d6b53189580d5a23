"""Executors, which have jobs worked on: in this process, in other local processes, on a Ray cluster, in a SLURM array.

An executor has each job worked on once and yields it when that attempt has ended. The store shows whether the job is
done, and the job's log why it is not; so a worker, a node or the command itself may die at any moment.
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
        """Has each of ``jobs`` worked on once, in this order, and yields each when its attempt has ended in any way.

        Args:
            stop: Once requested, no further job is begun, jobs under way write a checkpoint, and this returns.
            one_at_a_time: Whether each job gets its device to itself.
        """
        ...


def make_executor(execution: Execution, store: Store, device: str) -> Executor:
    """Creates the executor that ``execution`` names, for training on ``device`` ("cpu" or "cuda") into ``store``.

    Raises:
        ExtensionError: If it needs a package that is not installed.
        SpecError: If it is not available here, or not with these options.
    """
    if execution.executor == "inline":
        return Inline(store)
    if execution.executor == "ray":
        return Ray(execution, store, device)
    if execution.executor == "slurm":
        return Slurm(execution, store, device)
    return Local(execution, store, device)
