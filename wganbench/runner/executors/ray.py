"""Works on jobs in Ray tasks: on this machine, or on a cluster of which this machine is a node.

Ray decides when and where a task runs, from the cores, the share of a GPU and the memory that it requests. Ray does
nothing else: a task that is lost with its worker or node is over, and the session retries the remaining jobs.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from wganbench.errors import ExtensionError, SpecError, WganbenchError, first_line
from wganbench.records.store import Store
from wganbench.runner.executors.remote import SAME_FILES, KeepAliveFile, arguments, entry_point, is_held
from wganbench.runner.import_path import import_extra, safe_path
from wganbench.runner.jobs.job import Planned, WorkFolder
from wganbench.runner.jobs.options import Execution
from wganbench.runner.jobs.stop import GRACE_SECONDS, Stop, ending
from wganbench.spec.plan import CPU_CORE_FLOPS

LOOK_SECONDS = 0.2
"""The longest time until a stop request is noticed."""
BATCH_SECONDS = 20.0
"""The length of tasks into which GPU jobs are grouped, as each task starts a new process in over two seconds."""
MEMORY_BYTES = {"cpu": 1 << 30, "cuda": 3 << 30}
"""The main memory that a task requests, so that a node does not get a task per core if its memory is too small for
that; it is no limit. A worker was measured to use 0.8 GiB on a CPU, with a peak of 1.1 GiB, of which 0.3 GiB is shared
with other workers; the amount that CUDA adds is a guess."""
KNOCK_SECONDS = 10.0
"""The timeout for a connection to the address of a cluster."""
STORE_BYTES = 100 << 20
"""The size of Ray's object store, in which we store nothing; by default Ray takes a third of the memory."""
GONE_SECONDS = 10.0
"""The time without an answer after which a cluster counts as gone; after a minute Ray silently ends this process."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray prints a long notice about a future change
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # any line: log_to_driver alone still prints each death
}
"""Environment variables that Ray reads when it is imported."""

Request = dict[str, float]
"""The resources that a task requests, by Ray's names."""


class _Batch:
    """The jobs of one task."""

    def __init__(self, jobs: list[Planned]):
        self.jobs = jobs
        self.log_lengths = [len(planned.folder.log()) for planned in jobs]  # when the task is submitted

    def begun(self) -> int:
        """Returns the number of jobs up to the last one with a new line in its log, which the worker has reached."""
        turns = enumerate(zip(self.jobs, self.log_lengths, strict=True), start=1)
        return max((turn for turn, (planned, length) in turns if len(planned.folder.log()) > length), default=1)


class Ray:
    """Runs tasks on a Ray cluster; without an address, a cluster is started on this machine and ended afterwards.

    Raises:
        ExtensionError: If Ray is not installed.
        SpecError: If the address is for Ray's client, which is not a node of the cluster.
    """

    def __init__(self, execution: Execution, store: Store, device: str):
        self.execution, self.store, self.device = execution, store, device
        self.work = WorkFolder(store)
        if (execution.address or "").startswith("ray://"):
            raise SpecError(f"--address {execution.address}: must be host:port or auto, on a node of the cluster")
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        self.ray = import_extra("ray", "--executor ray", "ray")

    def run(self, jobs: Sequence[Planned], stop: Stop, *, one_at_a_time: bool = False) -> Iterator[Planned]:
        if not jobs:
            return
        request = self._request(jobs[0].job.threads, whole_gpu=one_at_a_time)
        with self._connected(request["CPU"]):
            self._check_room(request)
            keep_alive = KeepAliveFile(self.work.root)
            keep_alive.begin()
            self.answered = time.monotonic()  # the time of the cluster's last answer
            yield from self._run(jobs, stop, request, keep_alive, 1 if one_at_a_time else self.execution.jobs)

    def _run(
        self, jobs: Sequence[Planned], stop: Stop, request: Request, keep_alive: KeepAliveFile, most: int | None
    ) -> Iterator[Planned]:
        task, whole = self._task(request), self._task(self._request(int(request["CPU"]), whole_gpu=True))
        seconds = BATCH_SECONDS if self.device == "cuda" else 0.0
        waiting = deque(batches(jobs, seconds, math.ceil(len(jobs) / self._at_a_time(request, most))))
        busy: dict[Any, _Batch] = {}
        end = partial(self._end, busy, keep_alive)
        with ending(end):
            while (waiting and stop.reason is None) or busy:
                while waiting and stop.reason is None and (most is None or len(busy) < most):
                    batch = _Batch(waiting.popleft())
                    fitting = whole if batch.jobs[0].is_big else task  # big jobs take so long that each is alone
                    busy[fitting.remote(*arguments(batch.jobs, self.store, keep_alive))] = batch
                for reference in self._wait(busy):
                    begun = self._begun(reference, busy[reference])
                    batch = busy.pop(reference)
                    waiting.extendleft([batch.jobs[begun:]] if batch.jobs[begun:] else [])
                    yield from batch.jobs[:begun]
                if stop.reason is not None:
                    yield from end(GRACE_SECONDS)

    def _wait(self, busy: dict[Any, _Batch]) -> list[Any]:
        """Waits up to ``LOOK_SECONDS`` and returns the tasks of ``busy`` that are over.

        Raises:
            WganbenchError: If Ray's processes on this machine are gone, or the cluster does not answer.
        """
        try:
            ended: list[Any] = self.ray.wait(list(busy), timeout=LOOK_SECONDS, fetch_local=False)[0]
            is_gone = not ended and not self._answers()
        except SystemExit:
            is_gone = True
        if is_gone:
            busy.clear()
            raise WganbenchError(
                "--executor ray: the cluster is gone; what was recorded stays, and the same command goes on from there"
            )
        return ended

    def _answers(self) -> bool:
        """Returns whether the cluster's head has accepted a connection within ``GONE_SECONDS``."""
        try:
            _knock(self.ray.get_runtime_context().gcs_address)
        except OSError:
            return time.monotonic() - self.answered < GONE_SECONDS
        self.answered = time.monotonic()
        return True

    def _end(self, busy: dict[Any, _Batch], keep_alive: KeepAliveFile, seconds: float) -> Iterator[Planned]:
        """Asks the workers to write checkpoints, cancels tasks that have not begun, kills those over ``seconds``."""
        keep_alive.end()
        for reference, batch in busy.items():
            if not any(is_held(planned, self.work) for planned in batch.jobs):
                self.ray.cancel(reference)
        deadline = time.monotonic() + seconds
        left = list(busy)
        while left and time.monotonic() < deadline:
            _, left = self.ray.wait(left, num_returns=len(left), timeout=1.0, fetch_local=False)
        for reference in left:
            self.ray.cancel(reference, force=True)
        while busy:
            yield from busy.popitem()[1].jobs

    def _task(self, request: Request) -> Any:
        """Creates a Ray task; with a GPU each gets its own process, as CUDA is bound to the first GPU that it used."""
        return self.ray.remote(
            num_cpus=request["CPU"],
            num_gpus=request["GPU"],
            memory=request["memory"],
            max_calls=1 if request["GPU"] else 0,
            max_retries=0,  # the session retries, and counts
        )(entry_point())

    def _begun(self, reference: Any, batch: _Batch) -> int:
        """Returns the number of jobs that a finished task has begun; at least one, however the task ended.

        Raises:
            ExtensionError: If the worker failed before it reached the jobs, as any other worker would.
        """
        try:
            self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise ExtensionError(f"--executor ray: a worker ended with {reason}; {SAME_FILES}") from None
        except self.ray.exceptions.RayError:  # the worker was lost; the store shows its results
            return batch.begun()
        return len(batch.jobs)

    def _request(self, threads: int, *, whole_gpu: bool) -> Request:
        share = 0.0
        if self.device == "cuda":
            per_gpu = 1 if whole_gpu else self.execution.per_gpu
            share = math.floor(10_000 / per_gpu) / 10_000  # Ray counts in ten-thousandths
        return {"CPU": threads, "GPU": share, "memory": MEMORY_BYTES[self.device]}

    def _check_room(self, request: Request) -> None:
        """Checks that some node has the requested resources, for which Ray would otherwise wait forever.

        Raises:
            SpecError: If no node has them, busy or not.
        """
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        if not any(_times(request, node) for node in nodes):
            wanted = f"{request['CPU']:g} cores"
            wanted += f", {request['GPU']:g} of a GPU" if request["GPU"] else ""
            raise SpecError(
                f"--executor ray: no node has {wanted} and {request['memory'] / 2**30:g} GiB; "
                f"--threads asks for fewer cores, --device cpu for no GPU"
            )

    def _at_a_time(self, request: Request, most: int | None) -> int:
        room = sum(_times(request, node["Resources"]) for node in self.ray.nodes() if node["Alive"])
        return max(1, min(room, most or room))

    @contextmanager
    def _connected(self, threads: float) -> Iterator[None]:
        """Uses Ray if it is initialised already, else connects to the address, else starts a temporary cluster."""
        if self.ray.is_initialized():
            yield
            return
        with _own_sigterm():
            self._connect(threads)
        try:
            yield
        finally:
            with _own_sigterm():
                self.ray.shutdown()

    def _connect(self, threads: float) -> None:
        address, jobs = self.execution.address, self.execution.jobs
        options: dict[str, Any] = {"address": address or "local", "log_to_driver": False}
        if address is None:
            options |= {"include_dashboard": False, "object_store_memory": STORE_BYTES}
            options |= {"num_cpus": jobs * int(threads)} if jobs else {}
        try:
            if address is not None:
                _knock(os.environ.get("RAY_ADDRESS", address) if address == "auto" else address)
            with safe_path():
                self.ray.init(logging_level=logging.CRITICAL, **options)
        except (OSError, RuntimeError, ValueError, self.ray.exceptions.RayError) as error:
            self.ray.shutdown()
            reason = first_line(error).rstrip(".")
            where = f"--address {address}" if address else "--executor ray"
            raise SpecError(f"{where}: Ray cannot be reached ({reason}); 'ray start --head' begins a cluster") from None


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a client of HTTP/2 begins, on which Ray's protocol is built: a fixed text, and a frame of no settings."""
HEADER, SETTINGS = 9, 4
"""The length of a frame's header, and the type of the frame with which every server answers."""


def _knock(address: str) -> None:
    """Raises OSError or ValueError if nothing at ``host:port`` speaks Ray's protocol; Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return
    with socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS) as connection:
        connection.sendall(PREFACE)
        try:
            answer = connection.recv(HEADER, socket.MSG_WAITALL)
        except TimeoutError:
            raise OSError(f"it does not answer within {KNOCK_SECONDS:g} s") from None
    if len(answer) < HEADER or answer[3] != SETTINGS:
        raise OSError("what listens there is no Ray")


def batches(jobs: Sequence[Planned], seconds: float, most: int) -> list[list[Planned]]:
    """Groups consecutive short jobs into batches that take about ``seconds`` on one core, by an estimate.

    A job of unknown cost is a batch of its own.

    Args:
        seconds: The estimated length of a batch.
        most: The most jobs in a batch, so that every worker has something to do.
    """
    found: list[list[Planned]] = []
    spare = 0.0
    for planned in jobs:
        cost = math.inf if planned.flops is None else planned.flops / CPU_CORE_FLOPS
        if not found or cost >= spare or len(found[-1]) >= most:
            found.append([])
            spare = seconds
        found[-1].append(planned)
        spare = max(0.0, spare - cost)
    return found


def _times(request: Request, resources: Request) -> int:
    """Returns how many times the request fits into a node's resources."""
    return int(min(resources.get(name, 0.0) / amount for name, amount in request.items() if amount))


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Restores our SIGTERM handler, which Ray replaces with its own when it starts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, ours)
