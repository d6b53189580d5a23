"""Code shared by workers on other machines, Ray's and SLURM's, which no pipe and no signal from here reaches.

They must see the same files as the command, under the same paths: the results folder, this package, the folder that
the command was started in, the modules beside the spec, the data folder and the weights of score networks. They do not
have the command's environment variables, so the locations of the last two are passed to each worker.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from wganbench.data.locations import data_folder
from wganbench.files import DATA_VARIABLE, WEIGHTS_VARIABLE, expanded, write_atomically
from wganbench.records.store import Store
from wganbench.runner.import_path import safe_path
from wganbench.runner.jobs.heartbeat import repeating
from wganbench.runner.jobs.job import Planned, WorkFolder
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.worker import work

PACKAGE_ROOT = Path(__file__).resolve().parents[3]

SAME_FILES = "every node must have the packages of this one, and see its files under the same paths"
"""The remedy if a worker cannot begin."""
PATHS = (WEIGHTS_VARIABLE, "TORCH_HOME")
"""Environment variables that name a file or folder that a training reads; torch keeps its downloads in the second."""

Environment = dict[str, str]
Arguments = tuple[str, str, list[str], str, str, Environment]
"""The arguments of the function that ``entry_point`` creates."""


class KeepAliveFile:
    """A file that exists as long as workers should continue.

    The signal to stop is that a file disappears rather than that one appears: NFS asks its server about a file that it
    opens, but caches for up to a minute that a file does not exist.
    """

    def __init__(self, work_folder: Path):
        self.path = work_folder / "going" / uuid.uuid4().hex

    def begin(self) -> None:
        """Creates the file; raises RecordError if that fails."""
        write_atomically(self.path, b"")

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()


def entry_point() -> Callable[[str, str, list[str], str, str, Environment], None]:
    """Creates the function that a worker on another machine runs, which makes this package importable there.

    A nested function is pickled whole. A function of a module would be looked up by the module's name, which fails on a
    node without the package installed, or finds another version of it.
    """

    def begin(
        package_root: str, folder: str, jobs: list[str], results: str, keep_alive: str, environment: dict[str, str]
    ) -> None:
        os.chdir(folder)
        moved = ["", *map(os.path.realpath, (folder, package_root))]  # Ray puts the working folder first
        sys.path[:] = [place for place in sys.path if place and os.path.realpath(place) not in moved]
        sys.path.insert(0, package_root)
        importlib.import_module("wganbench")
        sys.path.append(sys.path.pop(0))  # the package is imported; nothing else beside it may take precedence
        importlib.import_module("wganbench.runner.executors.remote").work_on(jobs, results, keep_alive, environment)

    return begin


def arguments(jobs: Sequence[Planned], store: Store, keep_alive: KeepAliveFile) -> Arguments:
    folders = [str(planned.folder.path.resolve()) for planned in jobs]
    paths = str(store.root.resolve()), str(keep_alive.path.resolve())
    return str(PACKAGE_ROOT), str(Path.cwd()), folders, *paths, environment()


def environment() -> Environment:
    """Returns this process's data folder and ``PATHS`` as absolute paths, without the variables that are not set."""
    given = {name: expanded(os.environ[name], name) for name in PATHS if os.environ.get(name)}
    return {name: str(path) for name, path in {DATA_VARIABLE: data_folder(), **given}.items()}


@contextmanager
def _in(environment: Environment) -> Iterator[None]:
    """Sets the environment variables within the block, since a process that Ray reuses may have another command's."""
    before = {name: os.environ.pop(name) for name in (DATA_VARIABLE, *PATHS) if name in os.environ}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name in environment:
            del os.environ[name]
        os.environ.update(before)


def work_on(jobs: Sequence[str], results: str, keep_alive: str, environment: Environment) -> None:
    """Works on jobs one after the other, for the whole life of a worker or a part of it."""
    # Submitit has SLURM send one of the two signals before the time is up. Its own handler would raise an exception
    # within a training, which would be recorded as the training's error.
    with _in(environment), safe_path(), Stop().on_signals(signal.SIGUSR1, signal.SIGUSR2) as stop:
        check = partial(_check, Path(keep_alive), stop)
        check()
        with repeating(check):
            for path in jobs:
                with contextlib.suppress(Exception):  # it is in the job's log
                    work(Path(path), Path(results), stop, alone=True)


def _check(keep_alive: Path, stop: Stop) -> None:
    """Requests a stop if the command has removed its file; no answer from a file server is no signal."""
    try:
        keep_alive.open().close()
    except FileNotFoundError:
        stop.ask("terminated")
    except OSError:
        pass


def is_held(planned: Planned, work: WorkFolder) -> bool:
    """Returns whether a worker is working on the job; it holds the leases on all runs of the cohort from its start."""
    return work.leases.holder(planned.job.cohort.runs[0].id) is not None
