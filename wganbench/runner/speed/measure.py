"""Times the ways of training a setting in turns, in one process or in several at a time, and returns a row."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

import torch

from wganbench.errors import DataError, ExtensionError
from wganbench.records import speeds
from wganbench.records.custom_code import import_folders
from wganbench.records.rates import torch_version
from wganbench.runner.import_path import add_import_folders, safe_path
from wganbench.runner.precision import numerics
from wganbench.runner.provenance import checkout
from wganbench.runner.speed.bench import (
    Bench,
    Execution,
    FailedError,
    after_warmup,
    describe_failure,
    errors_of,
    product_flops,
)
from wganbench.runner.speed.peer import peer_distribution
from wganbench.spec import Experiment, Setting
from wganbench.spec.plan import Run, step_flops

ROUNDS = 15
"""The number of rounds, each of which times every way once, one after the other; there are fewer if steps take long."""


def measure(run: Run, spec: Experiment, device: torch.device, timing: speeds.Timing) -> speeds.Row:
    """Measures how fast the setting of ``run`` trains here, both in a plain loop and in the runner.

    Raises:
        DataError, ExtensionError: If data or an object is not available.
        SpecError: If the variant cannot be trained here.
    """
    seeds, folders = timing.seeds or spec.stack, import_folders(spec.path)
    add_import_folders(folders)
    setting = after_warmup(run.setting)
    peer = peer_distribution(timing.peer) if timing.peer else None
    with errors_of(run), timed(setting, seeds, device, timing, folders) as ways:
        rounds = take_turns(ways, timing.seconds)
        execution, why_eager, memory_bytes = ways.execution, ways.why_eager, ways.memory_bytes
    rounds["matmul"] = [rate * product_flops(device) for rate in rounds["matmul"]]
    commit, dirty = checkout()
    found = speeds.summary(rounds, seeds, step_flops(setting))
    if peer is not None:
        found["peer"] |= {"function": timing.peer, "package": peer[0], "version": peer[1]}
    return speeds.Row(
        experiment=run.experiment,
        profile=run.profile,
        variant=run.variant,
        family=run.family,
        jobs=timing.jobs,
        seeds=seeds,
        threads=timing.threads,
        execution=execution,
        note=why_eager,
        precision=run.setting.precision,
        torch=torch_version(),
        commit=commit,
        dirty=dirty,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        memory_bytes=memory_bytes,
        **found,
    )


def take_turns(ways: Bench | _Jobs, seconds: float) -> dict[str, list[float]]:
    """Times all ways in rounds, with an equal share of ``seconds`` and at least one step for each way.

    Returns:
        The steps per second, by way and round.
    """
    share = seconds / (ROUNDS * len(ways.once))
    counts = {way: max(1, math.floor(share / once)) for way, once in ways.once.items()}
    length = sum(n * ways.once[way] for way, n in counts.items())
    n_rounds = min(ROUNDS, max(speeds.FEWEST_ROUNDS, math.floor(seconds / length)))
    rounds: dict[str, list[float]] = {way: [] for way in counts}
    for _ in range(n_rounds):
        for way, n in counts.items():
            rounds[way].append(ways.rate(way, n))
    return rounds


@contextmanager
def timed(
    setting: Setting, seeds: int, device: torch.device, timing: speeds.Timing, folders: Sequence[str]
) -> Iterator[Bench | _Jobs]:
    """Prepares the ways of training ``setting`` for timing, in this process or in several others at a time."""
    if timing.jobs > 1:
        with _Jobs(setting, seeds, device, timing, folders) as jobs:
            yield jobs
        return
    with numerics(device, timing.threads, precision=setting.precision):
        yield Bench(setting, range(seeds), device, timing.peer)


# ---- several processes --------------------------------------------------------------------------------------------


class _Jobs:
    """Several processes, each a `Bench` with its own seeds, that take the same steps at the same time."""

    def __init__(
        self, setting: Setting, seeds: int, device: torch.device, timing: speeds.Timing, folders: Sequence[str]
    ):
        context = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA or torch's threads
        self.pipes: list[Connection] = []
        self.processes = []
        for job in range(timing.jobs):
            ours, theirs = context.Pipe()
            own = range(job * seeds, (job + 1) * seeds)
            about = (theirs, setting, own, device, timing, folders)
            process = context.Process(target=_serve, args=about, daemon=True)
            with safe_path():
                process.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(process)

    def __enter__(self) -> _Jobs:
        try:
            ready = self._answers()
        except BaseException:
            self._end(0)
            raise
        ways = [once for once, _, _, _ in ready]
        self.once = {way: max(once[way] for once in ways) for way in ways[0]}
        self.execution: Execution = ready[0][1]
        self.why_eager: str | None = ready[0][2]
        self.memory_bytes = max(memory for *_, memory in ready)
        return self

    def __exit__(self, *error: object) -> None:
        self._end(10)

    def _end(self, patience_seconds: float) -> None:
        for pipe in self.pipes:
            pipe.close()  # ends the process that reads it
        for process in self.processes:
            process.join(patience_seconds)
            if process.is_alive():
                process.kill()
                process.join()

    def rate(self, way: str, n: int) -> float:
        for pipe in self.pipes:
            pipe.send((way, n))
        return float(sum(self._answers()))

    def _answers(self) -> list[Any]:
        answers = []
        for pipe in self.pipes:
            try:
                answer = pipe.recv()
            except EOFError:
                raise FailedError("a process died before it was done, perhaps for lack of memory") from None
            if isinstance(answer, Exception):
                raise answer
            answers.append(answer)
        return answers


def _serve(
    pipe: Connection,
    setting: Setting,
    seeds: Sequence[int],
    device: torch.device,
    timing: speeds.Timing,
    folders: Sequence[str],
) -> None:
    """Runs one of several processes: prepares its ways, then takes steps on request until the pipe is closed."""
    add_import_folders(folders)
    with numerics(device, timing.threads, precision=setting.precision):
        try:
            bench = Bench(setting, seeds, device, timing.peer)
            pipe.send((bench.once, bench.execution, bench.why_eager, bench.memory_bytes))
            while True:
                way, n = pipe.recv()
                pipe.send(bench.rate(way, n))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except (DataError, ExtensionError) as error:
            pipe.send(error)
        except Exception as error:
            pipe.send(FailedError(describe_failure(error)))
