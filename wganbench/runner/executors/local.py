"""Works on each job in a process of its own, on this machine; short jobs share one, one after the other.

Processes come from a fork server that has imported torch and never touched a card: 25 ms each, where a new interpreter
takes seconds. They are plain processes rather than those of a pool: with all state in files nothing comes back from
them, so a dead one costs an attempt at the job that it had, and its sentinel tells of the end at once. (Of pools, those
of the standard library and of joblib lose every pending job with one worker; Pebble's looks for dead workers five times
a second, too rarely for jobs of a second, and cannot be given a process group to end.)
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
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.worker import SIGNALS, serve
from wganbench.training.stack import Stack

LOOK_SECONDS = 0.2
"""How soon a stop is seen."""
GRACE_SECONDS = 60.0
"""A worker has so long to leave its checkpoint before it is killed."""
YOUNG_SECONDS = 10.0
"""A process that has had jobs for less takes another: to start and end one costs some 50 ms."""
STARTS = 10
"""How often it is tried to start a worker."""
PRELOADED = ("wganbench.runner.executors.local", "wganbench.runner.executors.preload")

Slot = str | None
"""What ``CUDA_VISIBLE_DEVICES`` is to be for a worker; None leaves it as it is."""


@dataclass
class _Worker:
    """A process that waits for a job, and has one after ``begin``.

    Attributes:
        line: Carries the orders to it; when a job has ended it asks for the next, or hangs up.
        planned: The last job that it was given.
        slot: Its card, as long as it lives, from its first job on.
        places: What its job has of the card, as long as that is under way.
        hung_up: Whether it is leaving, and may still hold memory of its card.
    """

    process: BaseProcess
    line: Connection
    planned: Planned | None = None
    slot: Slot = None
    places: Sequence[Slot] = ()
    hung_up: bool = False

    def begin(self, planned: Planned, results: Path, places: Sequence[Slot]) -> bool:
        """Gives it a job; False where it is dead."""
        self.planned, self.slot, self.places = planned, places[0], places
        # A worker's folder is the one that this process was started in, wherever this process is by now.
        try:
            self.line.send((planned.folder.path.absolute(), results.absolute(), self.slot))
        except OSError:
            return False
        return True

    @property
    def signs(self) -> list[Connection | int]:
        """What becomes ready when it asks for a job, hangs up or is dead.

        The line alone would not do: a child that a dead worker has forked may still hold it.
        """
        return [self.process.sentinel] if self.hung_up else [self.line, self.process.sentinel]

    def asks(self) -> bool:
        """Whether it is there for another job, as its line is ready."""
        try:
            self.line.recv()
        except (EOFError, OSError):
            self.hung_up = True
        return not self.hung_up

    def end_group(self) -> None:
        """Kills the worker and whatever it has started."""
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Local:
    """``jobs`` processes at a time; on cards, ``per_gpu`` for each of those that are visible, or a big job alone."""

    def __init__(self, execution: Execution, store: Store, device: str):
        self.store = store
        self.slots = slots(execution, device)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(PRELOADED))

    def run(self, jobs: Sequence[Planned], stop: Stop, *, one_at_a_time: bool = False) -> Iterator[Planned]:
        shift = _Shift(self, jobs, self.slots[:1] if one_at_a_time else self.slots, stop)
        grace = GRACE_SECONDS
        try:
            shift.fill()
            while shift.busy:
                ended = shift.ended()
                shift.fill()  # before the command reads what came of those that ended
                yield from ended
                if stop.reason is not None:
                    yield from shift.end(grace)
        except KeyboardInterrupt:  # a second Ctrl-C does not wait
            grace = 0.0
            raise
        finally:
            list(shift.end(grace))

    def start(self) -> _Worker:
        """A worker that has no job yet.

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
            except (EOFError, OSError) as error:  # the fork server was killed just now, and begins anew
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


class _Shift:
    """The workers of one ``run``: those with a job, spare ones that are to have the next, and those that are leaving.

    Starting a process with torch in its memory and ending it is done while others train.
    """

    def __init__(self, local: Local, jobs: Sequence[Planned], slots: Sequence[Slot], stop: Stop):
        self.local, self.stop = local, stop
        self.waiting, self.slots, self.free = deque(jobs), slots, deque(slots)
        self.busy: list[_Worker] = []
        self.spare: deque[_Worker] = deque()
        self.leaving: list[_Worker] = []

    def fill(self) -> None:
        """Gives every free place the next job, and has a spare worker ready for each place."""
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
        """The free places that a job is to have: a big one all of a card, any other one; none until there are so many.

        What is behind a job that waits for a card waits with it: the dearest come first, so that this is seldom long.
        """
        if not planned.is_big:
            return list(self.free)[:1]
        for place in self.free:
            if place is None or self.free.count(place) == self.slots.count(place):
                return [place] * (1 if place is None else self.slots.count(place))
        return []

    def _next(self, slot: Slot) -> _Worker:
        """The worker for a place: the one that had it, else one that has had none."""
        for worker in self.spare:
            if worker.planned is None or worker.slot == slot:
                self.spare.remove(worker)
                return worker
        return self.local.start()

    def ended(self) -> list[Planned]:
        """Waits a little; the jobs that have ended, whose places are then free."""
        ready = wait([sign for worker in self.busy for sign in worker.signs], LOOK_SECONDS)
        over = []
        for worker in list(self.busy):
            if worker.process.sentinel in ready:
                self._leave(worker)
            elif worker.line in ready and worker.asks():
                self.spare.appendleft(worker)
            elif worker.hung_up and worker.slot is None:
                self._leave(worker)
            else:  # a card is free again when the process is gone
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
        """Asks the workers to leave their checkpoints, and kills those that take longer than ``seconds``."""
        for worker in self.busy:
            worker.process.terminate()
            worker.line.close()  # it may have asked for a job by now
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


def slots(execution: Execution, device: str) -> list[Slot]:
    """A place for each process at a time."""
    if device != "cuda":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return [None] * (execution.jobs or max(1, cores // (execution.threads or 1)))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    cards = visible.split(",")[:count] if visible else [str(index) for index in range(count)]
    places: list[Slot] = [card for _ in range(execution.per_gpu) for card in cards]
    return places[: execution.jobs] if execution.jobs else places


def _ensure_fork_server() -> None:
    """Starts the fork server if none runs, deaf to Ctrl-C and SIGTERM, which a terminal or timeout(1) send to all.

    It would end of them with workers that are still to leave their checkpoints. It ends with the last process that it
    serves; a worker inherits its deafness, and ends it as soon as it can tell what to do.

    The server and the resource tracker are ``python -c``, which would look for modules in the working folder first.
    """
    with safe_path():
        resource_tracker.ensure_running()  # else it is started below, and lifts the block
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _main(line: Connection, on_cpu: bool) -> None:
    """The life of a worker; its exit code tells nobody anything."""
    os.setpgid(0, 0)  # so that it can be ended with what it starts, and Ctrl-C reaches the command alone
    if on_cpu:  # a card must not be touched before it is known which one it is to be
        _warm_up()
    serve(_orders(line))
    line.close()


def _orders(line: Connection) -> Iterator[tuple[Path, Path]]:
    """The jobs of a worker: folder and results of each, until there is none or it is no longer young."""
    begun = None
    while begun is None or time.monotonic() < begun + YOUNG_SECONDS:
        try:
            if begun is not None:
                line.send(None)
            path, results, slot = line.recv()
        except (EOFError, OSError):  # there was no job left for it, or the command is gone
            return
        begun = begun or time.monotonic()
        if slot is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = slot
        yield path, results


def _warm_up() -> None:
    """Takes a step, of which nothing is kept, so that its memory is this process's own before it has a job.

    Pages that are shared with the fork server are copied when they are first touched, some 20 ms of a step's.
    """
    torch.set_num_threads(1)
    critic = Stack([Mlp((2,), (), hidden=[2]), Mlp((2,), (), hidden=[2])])
    weights = list(critic.parameters.values())
    critic(torch.ones(2, 2, 2)).sum().backward(inputs=weights)
    torch.optim.Adam(weights, fused=True).step()
