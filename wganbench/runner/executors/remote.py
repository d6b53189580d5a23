"""What workers on other machines have in common, Ray's and SLURM's: no pipe and no signal from here reaches them.

They are to see the same files as the command, under the same paths: the results folder, this package, the folder that
the command was started in, the modules beside the spec, the data folder and the weights of score networks. Nor do they
have its environment: where the last two lie is told to each.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wganbench import variables
from wganbench.data.locations import data_folder
from wganbench.files import write_atomically
from wganbench.records.store import Store
from wganbench.runner.import_path import safe_path
from wganbench.runner.jobs.job import Planned, WorkFolder
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.worker import work

LOOK_SECONDS = 0.5
"""How often a worker looks whether it is to stop."""
PACKAGE_ROOT = Path(__file__).resolve().parents[3]

PATHS = (variables.INCEPTION_WEIGHTS, "TORCH_HOME")
"""Variables that name a file or folder which a training reads; in the second torch keeps what it has downloaded."""

Environment = dict[str, str]
Arguments = tuple[str, str, list[str], str, str, Environment]
"""Of the function that ``carried`` makes."""


class Going:
    """A file that is there for as long as workers are to go on.

    That it goes is the sign, not that it comes: NFS asks its server about a file that it opens, but remembers for up
    to a minute that there was none.
    """

    def __init__(self, work_folder: Path):
        self.path = work_folder / "going" / uuid.uuid4().hex

    def begin(self) -> None:
        """Raises RecordError if the disk refuses."""
        write_atomically(self.path, b"")

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()


def carried() -> Callable[[str, str, list[str], str, str, Environment], None]:
    """A function for a worker elsewhere; it brings along what it takes to find this package.

    It is pickled whole, as functions within functions are, where one of a module would be looked up by the module's
    name: in vain on a node that has not got the package installed, or to find another version of it.
    """

    def begin(
        package_root: str, folder: str, jobs: list[str], results: str, going: str, environment: dict[str, str]
    ) -> None:
        os.chdir(folder)
        moved = ["", *map(os.path.realpath, (folder, package_root))]  # Ray puts the working folder first
        sys.path[:] = [place for place in sys.path if place and os.path.realpath(place) not in moved]
        sys.path.insert(0, package_root)
        importlib.import_module("wganbench")
        sys.path.append(sys.path.pop(0))  # the package is found by now, and nothing else is to be found beside it first
        importlib.import_module("wganbench.runner.executors.remote").work_on(jobs, results, going, environment)

    return begin


def arguments(jobs: Sequence[Planned], store: Store, going: Going) -> Arguments:
    folders = [str(planned.folder.path.resolve()) for planned in jobs]
    paths = str(store.root.resolve()), str(going.path.resolve())
    return str(PACKAGE_ROOT), str(Path.cwd()), folders, *paths, environment()


def environment() -> Environment:
    """The data folder and ``PATHS``, all absolute, as this process has them; what is not set is not there."""
    given = {name: Path(os.environ[name]).expanduser().absolute() for name in PATHS if os.environ.get(name)}
    return {name: str(path) for name, path in {variables.DATA: data_folder(), **given}.items()}


@contextmanager
def _in(environment: Environment) -> Iterator[None]:
    """Another command's may have been here before, in a process that Ray uses again."""
    before = {name: os.environ.pop(name) for name in (variables.DATA, *PATHS) if name in os.environ}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name in environment:
            del os.environ[name]
        os.environ.update(before)


def work_on(jobs: Sequence[str], results: str, going: str, environment: Environment) -> None:
    """The life of a worker, or a part of it: one job after the other."""
    with (
        _in(environment),
        safe_path(),
        Stop().on_signals() as stop,
        _until_gone(Path(going), stop),
        _until_warned(stop),
    ):
        for path in jobs:
            with contextlib.suppress(Exception):  # the job's log has it
                work(Path(path), Path(results), stop, alone=True)


@contextmanager
def _until_gone(going: Path, stop: Stop) -> Iterator[None]:
    end = threading.Event()

    def look() -> bool:
        try:
            going.open().close()
        except FileNotFoundError:
            stop.ask("terminated")
        except OSError:  # a file server that does not answer says nothing
            pass
        return stop.reason is not None

    def watch() -> None:
        while not end.wait(LOOK_SECONDS) and not look():
            pass

    look()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def _until_warned(stop: Stop) -> Iterator[None]:
    """SLURM can be asked for one of these signals before the time is up, and submitit asks for it.

    Left to submitit, it would raise an exception amid a training, which would be recorded as the training's own.
    """
    before = {
        number: signal.signal(number, lambda number, frame: stop.ask("out of time"))
        for number in (signal.SIGUSR1, signal.SIGUSR2)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_held(planned: Planned, work: WorkFolder) -> bool:
    """Whether a worker has the job under way; one that begins takes the leases of all runs of the cohort."""
    return work.leases.holder(planned.job.cohort.runs[0].id) is not None
