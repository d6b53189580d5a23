"""Works on jobs in tasks of Ray: on this machine, or on a cluster of which this machine is a node.

Ray decides when and where a task runs; it is told of cores, of a share of a card, and of memory. All else is ours: a
task that is lost with its worker or its node is over, and the sweep sees to it that what is left is tried again.
"""

from __future__ import annotations

import importlib
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
from typing import Any

from wganbench.errors import ExtensionError, SpecError, WganbenchError
from wganbench.records.store import Store
from wganbench.runner.executors.remote import Going, arguments, carried, is_held
from wganbench.runner.import_path import safe_path
from wganbench.runner.jobs.job import Planned, WorkFolder
from wganbench.runner.jobs.options import Execution
from wganbench.runner.jobs.stop import Stop
from wganbench.spec.plan import CPU_CORE_FLOPS

LOOK_SECONDS = 0.2
"""How soon a stop is seen."""
GRACE_SECONDS = 60.0
"""A worker has so long to leave its checkpoint before it is killed."""
BATCH_SECONDS = 20.0
"""Jobs for a card are put together to tasks of so long: each task gets a new process, which takes over two seconds."""
MEMORY_BYTES = {"cpu": 1 << 30, "cuda": 3 << 30}
"""Main memory that a task is said to need, so that a node does not get one for each core where it has memory for fewer;
it limits nothing. A worker was seen to have 0.8 GiB on a CPU, 1.1 at its peak, 0.3 of it shared with its neighbours;
what CUDA adds is a guess."""
KNOCK_SECONDS = 10.0
"""The address of a cluster is waited for so long."""
STORE_BYTES = 100 << 20
"""For Ray's store of objects, of which we have none; Ray takes a third of the memory unless told."""
GONE_SECONDS = 10.0
"""A cluster that has not answered for so long is gone; after a minute Ray would end this process, without a word."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray announces at length what this will once mean
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # any line: log_to_driver alone leaves its words about each death on stdout
}
"""What Ray reads of the environment as it is imported."""

Request = dict[str, float]
"""What a task needs, by Ray's names of resources."""


class _Batch:
    """Jobs of one task."""

    def __init__(self, jobs: list[Planned]):
        self.jobs = jobs
        self.told = [len(planned.folder.log()) for planned in jobs]

    def begun(self) -> int:
        """How many jobs the worker has come to: of those beyond, none has a new line in its log."""
        turns = enumerate(zip(self.jobs, self.told, strict=True), start=1)
        return max((turn for turn, (planned, told) in turns if len(planned.folder.log()) > told), default=1)


class Ray:
    """Tasks on a Ray cluster, which is started on this machine, and ended, where no address is given.

    Raises:
        ExtensionError: If Ray is not installed.
        SpecError: If the address is one of Ray's client, which is no node of the cluster.
    """

    def __init__(self, execution: Execution, store: Store, device: str):
        self.execution, self.store, self.device = execution, store, device
        self.work = WorkFolder(store)
        if (execution.address or "").startswith("ray://"):
            raise SpecError(f"--address {execution.address}: must be host:port or auto, on a node of the cluster")
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        try:
            self.ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise ExtensionError(f"--executor ray: {error}; pip install 'wganbench[ray]'") from None

    def run(self, jobs: Sequence[Planned], stop: Stop, *, one_at_a_time: bool = False) -> Iterator[Planned]:
        if not jobs:
            return
        request = self._request(jobs[0].job.threads, whole_card=one_at_a_time)
        with self._connected(request["CPU"]):
            self._check_room(request)
            going = Going(self.work.root)
            going.begin()
            self.answered = time.monotonic()  # when the cluster last did
            yield from self._run(jobs, stop, request, going, 1 if one_at_a_time else self.execution.jobs)

    def _run(
        self, jobs: Sequence[Planned], stop: Stop, request: Request, going: Going, most: int | None
    ) -> Iterator[Planned]:
        task, whole = self._task(request), self._task(self._request(int(request["CPU"]), whole_card=True))
        seconds = BATCH_SECONDS if self.device == "cuda" else 0.0
        waiting = deque(batches(jobs, seconds, math.ceil(len(jobs) / self._at_a_time(request, most))))
        busy: dict[Any, _Batch] = {}
        grace = GRACE_SECONDS
        try:
            while (waiting and stop.reason is None) or busy:
                while waiting and stop.reason is None and (most is None or len(busy) < most):
                    batch = _Batch(waiting.popleft())
                    fitting = whole if batch.jobs[0].is_big else task  # a big job takes so long that it is alone
                    busy[fitting.remote(*arguments(batch.jobs, self.store, going))] = batch
                ended = self._wait(busy)
                for reference in ended:
                    begun = self._begun(reference, busy[reference])
                    batch = busy.pop(reference)
                    waiting.extendleft([batch.jobs[begun:]] if batch.jobs[begun:] else [])
                    yield from batch.jobs[:begun]
                if stop.reason is not None:
                    yield from self._end(busy, going, grace)
        except KeyboardInterrupt:  # a second Ctrl-C does not wait
            grace = 0.0
            raise
        finally:
            list(self._end(busy, going, grace))

    def _wait(self, busy: dict[Any, _Batch]) -> list[Any]:
        """The tasks that are over, of ``busy``.

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
        """Whether the cluster's head has taken a connection lately."""
        try:
            _knock(self.ray.get_runtime_context().gcs_address)
        except OSError:
            return time.monotonic() - self.answered < GONE_SECONDS
        self.answered = time.monotonic()
        return True

    def _end(self, busy: dict[Any, _Batch], going: Going, seconds: float) -> Iterator[Planned]:
        """Asks the workers to leave checkpoints, takes back what has not begun, kills what takes over ``seconds``."""
        going.end()
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
        """A task for Ray; with a card it gets a process of its own, as CUDA keeps to the first card it has seen."""
        return self.ray.remote(
            num_cpus=request["CPU"],
            num_gpus=request["GPU"],
            memory=request["memory"],
            max_calls=1 if request["GPU"] else 0,
            max_retries=0,  # the sweep tries again, and counts
        )(carried())

    def _begun(self, reference: Any, batch: _Batch) -> int:
        """How many jobs of a task that is over had their turn; at least one, whatever became of it.

        Raises:
            ExtensionError: If the worker could not get to the jobs, as no other could.
        """
        try:
            self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise ExtensionError(
                f"--executor ray: a worker ended with {reason}; "
                f"every node must have the packages of this one, and see its files under the same paths"
            ) from None
        except self.ray.exceptions.RayError:  # the worker was lost: what it has done is seen in the store
            return batch.begun()
        return len(batch.jobs)

    def _request(self, threads: int, *, whole_card: bool) -> Request:
        share = 0.0
        if self.device == "cuda":
            per_gpu = 1 if whole_card else self.execution.per_gpu
            share = math.floor(10_000 / per_gpu) / 10_000  # Ray counts in ten-thousandths
        return {"CPU": threads, "GPU": share, "memory": MEMORY_BYTES[self.device]}

    def _check_room(self, request: Request) -> None:
        """Ray would wait for ever for a node that has what is asked for.

        Raises:
            SpecError: If no node has it, busy or not.
        """
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        if not any(_times(request, node) for node in nodes):
            wanted = f"{request['CPU']:g} cores"
            wanted += f", {request['GPU']:g} of a card" if request["GPU"] else ""
            raise SpecError(
                f"--executor ray: no node has {wanted} and {request['memory'] / 2**30:g} GiB; "
                f"--threads asks for fewer cores, --device cpu for no card"
            )

    def _at_a_time(self, request: Request, most: int | None) -> int:
        room = sum(_times(request, node["Resources"]) for node in self.ray.nodes() if node["Alive"])
        return max(1, min(room, most or room))

    @contextmanager
    def _connected(self, threads: float) -> Iterator[None]:
        """Ray as it is if this process uses it already, else a cluster at the address, else one that ends with this."""
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
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            where = f"--address {address}" if address else "--executor ray"
            raise SpecError(f"{where}: Ray cannot be had ({reason}); 'ray start --head' begins a cluster") from None


def _knock(address: str) -> None:
    """Raises OSError or ValueError if nobody listens at ``host:port``: Ray itself would try for three minutes."""
    host, colon, port = address.rpartition(":")
    if colon:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()


def batches(jobs: Sequence[Planned], seconds: float, most: int) -> list[list[Planned]]:
    """Puts consecutive short jobs together until they take ``seconds`` on one core, by an estimate.

    Args:
        most: Jobs in a batch, so that every worker has something to do. A job of unknown cost is alone.
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
    """How often a node of these resources has what is asked for."""
    return int(min(resources.get(name, 0.0) / amount for name, amount in request.items() if amount))


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray puts its own answer to SIGTERM in our place as it starts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, ours)
