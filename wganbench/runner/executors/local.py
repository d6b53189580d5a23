"""Works on each job in its own process on this machine; a process takes several short jobs one after the other.

Processes come from a fork server that has imported torch but never used a GPU. Each takes 25 ms to start, where a new
interpreter takes seconds. They are plain processes instead of a pool: since all state is in files, nothing is returned
from them, so a dead process costs one attempt at one job, and its sentinel signals the death at once. (The pools of the
standard library and joblib lose every pending job with one worker. Pebble's checks for dead workers five times a
second, too rarely for jobs that take a second, and its workers cannot be put into process groups that can be killed.)
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from wganbench.errors import SpecError
from wganbench.networks.mlp import Mlp
from wganbench.records.store import Store
from wganbench.runner.import_path import safe_path
from wganbench.runner.jobs.job import Planned
from wganbench.runner.jobs.options import Execution
from wganbench.runner.jobs.stop import GRACE_SECONDS, Stop, ending
from wganbench.runner.worker import SIGNALS, serve
from wganbench.training.stack import Stack

LOOK_SECONDS = 0.2
"""The longest time until a stop request is noticed."""
YOUNG_SECONDS = 10.0
"""A process takes further jobs until this long after its first; starting and ending a process costs some 50 ms."""
STARTS = 10
"""The number of attempts to start a worker."""
PRELOADED = ("wganbench.runner.executors.local", "wganbench.runner.executors.preload")

Slot = str | None
"""A worker's value of ``CUDA_VISIBLE_DEVICES``; None leaves it unchanged."""


@dataclass
class _Worker:
    """A process that waits for a job until ``begin`` gives it one.

    Attributes:
        line: The connection that carries jobs to the process; when a job has ended, the process asks for the next one
            or closes the connection.
        planned: The last job that it was given.
        slot: The GPU of the process, from its first job until its end.
        places: The places on the GPU that the current job occupies.
        hung_up: Whether the process is exiting; it may still hold memory of its GPU.
    """

    process: BaseProcess
    line: Connection
    planned: Planned | None = None
    slot: Slot = None
    places: Sequence[Slot] = ()
    hung_up: bool = False

    def begin(self, planned: Planned, results: Path, places: Sequence[Slot]) -> bool:
        """Gives the worker a job; returns False if it is dead."""
        self.planned, self.slot, self.places = planned, places[0], places
        # A worker's working folder is the one that this process was started in; this process may have changed its own.
        try:
            self.line.send((planned.folder.path.absolute(), results.absolute(), self.slot))
        except OSError:
            return False
        return True

    @property
    def signs(self) -> list[Connection | int]:
        """The objects to wait on, one of which becomes ready when the worker asks for a job, hangs up or dies.

        The line alone is not enough: a child that a dead worker has forked may still hold it open.
        """
        return [self.process.sentinel] if self.hung_up else [self.line, self.process.sentinel]

    def asks(self) -> bool:
        """Returns whether the worker asks for another job, once its line is ready; if not, it has hung up."""
        try:
            self.line.recv()
        except (EOFError, OSError):
            self.hung_up = True
        return not self.hung_up

    def end_group(self) -> None:
        """Kills the worker and every process that it has started."""
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Local:
    """Runs ``jobs`` processes at a time; on CUDA, each visible GPU runs ``per_gpu`` of them, or one big job alone."""

    def __init__(self, execution: Execution, store: Store, device: str):
        self.store = store
        self.slots = slots(execution, device)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(PRELOADED))

    def run(self, jobs: Sequence[Planned], stop: Stop, *, one_at_a_time: bool = False) -> Iterator[Planned]:
        pool = _WorkerPool(self, jobs, self.slots[:1] if one_at_a_time else self.slots, stop)
        with ending(pool.end):
            pool.fill()
            while pool.busy:
                ended = pool.ended()
                pool.fill()  # before the command reads the results of the ended jobs
                yield from ended
                if stop.reason is not None:
                    yield from pool.end(GRACE_SECONDS)

    def start(self) -> _Worker:
        """Starts a worker that has no job yet.

        Raises:
            SpecError: If no process can be started.
        """
        for attempt in range(STARTS):
            ours, theirs = self.context.Pipe()
            process = self.context.Process(target=_main, args=(theirs, self.slots[0] is None))
            try:
                _ensure_fork_server()
                process.start()
                return _Worker(process, ours)
            except (EOFError, OSError) as error:  # the fork server was just killed, and will restart
                ours.close()
                if attempt + 1 == STARTS:
                    raise SpecError(
                        f"--executor local: no process can be started ({type(error).__name__}: {error}); "
                        f"use fewer --jobs, or --executor inline"
                    ) from None
                time.sleep(LOOK_SECONDS)
            finally:
                theirs.close()
        raise AssertionError


class _WorkerPool:
    """The workers of one ``run``: those with a job, spare ones for the next jobs, and those that are exiting.

    Processes, which have torch in memory, are started and ended while others train.
    """

    def __init__(self, local: Local, jobs: Sequence[Planned], slots: Sequence[Slot], stop: Stop):
        self.local, self.stop = local, stop
        self.waiting, self.slots, self.free = deque(jobs), slots, deque(slots)
        self.busy: list[_Worker] = []
        self.spare: deque[_Worker] = deque()
        self.leaving: list[_Worker] = []

    def fill(self) -> None:
        """Starts the next jobs in all free places, and keeps a spare worker ready for each place."""
        while self.waiting and self.stop.reason is None and (places := self._places(self.waiting[0])):
            worker = self._next(places[0])
            if worker.begin(self.waiting[0], self.local.store.root, places):
                self.busy.append(worker)
                self.waiting.popleft()
                for place in places:
                    self.free.remove(place)
            else:
                self._leave(worker)
        while len(self.spare) < min(len(self.waiting), len(self.busy)) and self.stop.reason is None:
            self.spare.append(self.local.start())
        while self.spare and not self.waiting:
            self._leave(self.spare.popleft())

    def _places(self, planned: Planned) -> list[Slot]:
        """Returns the free places for a job: all of one GPU for a big job, else one; empty if too few are free.

        Jobs queued behind a big job wait as well. The most expensive jobs come first, so that this seldom takes long.
        """
        if not planned.is_big:
            return list(self.free)[:1]
        for place in self.free:
            if place is None or self.free.count(place) == self.slots.count(place):
                return [place] * (1 if place is None else self.slots.count(place))
        return []

    def _next(self, slot: Slot) -> _Worker:
        """Returns a worker for a place: a spare one that had this place or had none yet, else a new one."""
        for worker in self.spare:
            if worker.planned is None or worker.slot == slot:
                self.spare.remove(worker)
                return worker
        return self.local.start()

    def ended(self) -> list[Planned]:
        """Waits up to ``LOOK_SECONDS`` and returns the jobs that have ended, after freeing their places."""
        ready = wait([sign for worker in self.busy for sign in worker.signs], LOOK_SECONDS)
        over = []
        for worker in list(self.busy):
            if worker.process.sentinel in ready:
                self._leave(worker)
            elif worker.line in ready and worker.asks():
                self.spare.appendleft(worker)
            elif worker.hung_up and worker.slot is None:
                self._leave(worker)
            else:  # a GPU is free only once the process is gone
                continue
            self.busy.remove(worker)
            self.free.extend(worker.places)
            over.append(worker.planned)
        for worker in [worker for worker in self.leaving if not worker.process.is_alive()]:
            worker.end_group()
            self.leaving.remove(worker)
        return [planned for planned in over if planned is not None]

    def _leave(self, worker: _Worker) -> None:
        worker.line.close()
        self.leaving.append(worker)

    def end(self, seconds: float) -> Iterator[Planned]:
        """Asks the workers to write checkpoints, kills those that take over ``seconds``, and yields their jobs."""
        for worker in self.busy:
            worker.process.terminate()
            worker.line.close()  # it may have asked for a job meanwhile
        deadline = time.monotonic() + seconds
        while self.spare:
            self._leave(self.spare.popleft())
        for workers in (self.busy, self.leaving):
            while workers:
                worker = workers[0]
                worker.process.join(max(0.0, deadline - time.monotonic()))
                worker.end_group()
                worker.process.join()
                workers.remove(worker)
                if workers is self.busy and worker.planned is not None:
                    yield worker.planned


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def slots(execution: Execution, device: str) -> list[Slot]:
    """Returns one place for each process that may run at a time."""
    if device != "cuda":
        return [None] * (execution.jobs or max(1, cores() // (execution.threads or 1)))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    gpus: list[Slot] = list(visible.split(",")[:count]) if visible else [str(index) for index in range(count)]
    places = gpus * execution.per_gpu
    return places[: execution.jobs] if execution.jobs else places


def _ensure_fork_server() -> None:
    """Starts the fork server if none runs, with Ctrl-C and SIGTERM blocked, which a terminal or timeout(1) send to all.

    Without the block these signals would kill it while workers still have to write their checkpoints. The server ends
    with the last process that it serves. A worker inherits the block, and lifts it once it can handle the signals.

    The server and the resource tracker run as ``python -c``, which would search the working folder for modules first.
    """
    with safe_path():
        resource_tracker.ensure_running()  # else it is started below, which lifts the block
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _main(line: Connection, on_cpu: bool) -> None:
    """Runs a worker process; its exit code is not read."""
    os.setpgid(0, 0)  # so that its children can be killed with it, and Ctrl-C reaches the command alone
    if on_cpu:  # on CUDA nothing may use a GPU before the first job says which
        _warm_up()
    serve(_orders(line))
    line.close()


def _orders(line: Connection) -> Iterator[tuple[Path, Path]]:
    """Yields the job folder and results folder of each job, until there are no more or ``YOUNG_SECONDS`` are over."""
    begun = None
    while begun is None or time.monotonic() < begun + YOUNG_SECONDS:
        try:
            if begun is not None:
                line.send(None)
            path, results, slot = line.recv()
        except (EOFError, OSError):  # there is no job left, or the command is gone
            return
        begun = begun or time.monotonic()
        if slot is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = slot
        yield path, results


def _warm_up() -> None:
    """Takes a step and discards it, so that the memory it uses is copied to this process before its first job.

    Pages shared with the fork server are copied on first use, which adds some 20 ms to a step.
    """
    torch.set_num_threads(1)
    critic = Stack([Mlp((2,), (), hidden=[2]), Mlp((2,), (), hidden=[2])])
    weights = list(critic.parameters.values())
    critic(torch.ones(2, 2, 2)).sum().backward(inputs=weights)
    torch.optim.Adam(weights, fused=True).step()
