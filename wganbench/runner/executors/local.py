"""Works on each job in a process of its own, on this machine.

Processes come from a fork server that has imported torch and never touched a card: 25 ms each, where a new interpreter
takes seconds. They are plain processes rather than those of a pool: with all state in files nothing comes back from
them, so a dead one costs its own job an attempt, and its sentinel tells of the end at once. (Of pools, those of the
standard library and of joblib lose every pending job with one worker; Pebble's looks for dead workers five times a
second, too rarely for jobs of a second, and cannot be given a process group to end.)
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
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from wganbench.errors import SpecError
from wganbench.record import Store
from wganbench.runner.worker import SIGNALS, serve
from wganbench.work.execution import Execution
from wganbench.work.job import Planned
from wganbench.work.stop import Stop

LOOK_SECONDS = 0.2
"""How soon a stop is seen."""
GRACE_SECONDS = 60.0
"""A worker has so long to leave its checkpoint before it is killed."""
STARTS = 10
"""How often it is tried to start a worker."""
PRELOADED = ("wganbench.runner.executors.local", "wganbench.runner.preload")

Slot = str | None
"""What ``CUDA_VISIBLE_DEVICES`` is to be for a worker; None leaves it as it is."""


@dataclass
class _Worker:
    process: BaseProcess
    planned: Planned
    slot: Slot

    def end_group(self) -> None:
        """Kills the worker and whatever it has started."""
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Local:
    """``jobs`` processes at a time; on cards, ``per_gpu`` for each of those that are visible."""

    def __init__(self, execution: Execution, store: Store, device: str):
        self.store = store
        self.slots = slots(execution, device)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(PRELOADED))

    def run(self, jobs: Sequence[Planned], stop: Stop, *, one_at_a_time: bool = False) -> Iterator[Planned]:
        waiting, free = deque(jobs), deque(self.slots[:1] if one_at_a_time else self.slots)
        busy: dict[int, _Worker] = {}
        grace = GRACE_SECONDS
        try:
            while (waiting and stop.reason is None) or busy:
                while waiting and free and stop.reason is None:
                    worker = self._start(waiting.popleft(), free.popleft())
                    busy[worker.process.sentinel] = worker
                for sentinel in wait(list(busy), LOOK_SECONDS):
                    assert isinstance(sentinel, int)
                    worker = busy.pop(sentinel)
                    worker.process.join()
                    worker.end_group()
                    free.append(worker.slot)
                    yield worker.planned
                if stop.reason is not None:
                    yield from self._end(busy, grace)
        except KeyboardInterrupt:  # a second Ctrl-C does not wait
            grace = 0.0
            raise
        finally:
            list(self._end(busy, grace))

    def _start(self, planned: Planned, slot: Slot) -> _Worker:
        # A worker begins in the folder that this process was started in, wherever this process is by now.
        arguments = (planned.folder.path.absolute(), self.store.root.absolute(), slot)
        for attempt in range(STARTS):
            process = self.context.Process(target=_main, args=arguments)
            try:
                _ensure_fork_server()
                process.start()
                return _Worker(process, planned, slot)
            except (EOFError, OSError) as error:  # the fork server was killed just now, and begins anew
                if attempt + 1 == STARTS:
                    raise SpecError(
                        f"--executor local: no process can be started ({type(error).__name__}: {error}); "
                        f"use fewer --jobs, or --executor inline"
                    ) from None
                time.sleep(LOOK_SECONDS)
        raise AssertionError

    def _end(self, busy: dict[int, _Worker], seconds: float) -> Iterator[Planned]:
        """Asks the workers to leave their checkpoints, and kills those that take longer than ``seconds``."""
        for worker in busy.values():
            worker.process.terminate()
        deadline = time.monotonic() + seconds
        while busy:
            sentinel, worker = next(iter(busy.items()))
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.end_group()
            worker.process.join()
            del busy[sentinel]
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
    """
    resource_tracker.ensure_running()  # else it is started below, and lifts the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _main(path: Path, results: Path, slot: Slot) -> None:
    """The life of a worker; its exit code tells nobody anything."""
    os.setpgid(0, 0)  # so that it can be ended with what it starts, and Ctrl-C reaches the command alone
    if slot is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = slot
    serve(path, results)
