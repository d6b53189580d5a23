"""Times the ways of training a setting in turns, in one process or in several at a time, and returns a row."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any, Protocol

import torch

from wganbench.errors import DataError, ExtensionError, SpecError, first_line
from wganbench.records import speeds
from wganbench.records.custom_code import import_folders
from wganbench.records.rates import processor_name, torch_version
from wganbench.runner.cohort import is_out_of_memory
from wganbench.runner.import_path import add_import_folders, safe_path
from wganbench.runner.precision import numerics
from wganbench.runner.provenance import checkout
from wganbench.runner.speed.bench import Bench, Execution, product_flops
from wganbench.spec import Setting
from wganbench.spec.plan import Run, step_flops

ROUNDS = 15
"""The number of rounds, each of which times every way once, one after the other; there are fewer if steps take long."""


class Timed(Protocol):
    """A `Bench`, or several of them at a time."""

    once: dict[str, float]
    execution: Execution
    why_eager: str | None
    memory_bytes: int

    def rate(self, way: str, n: int) -> float:
        """Returns the steps per second over ``n`` steps, summed over all jobs."""
        ...


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()


def measure(
    run: Run,
    device: torch.device,
    *,
    seeds: int,
    jobs: int,
    threads: int,
    seconds: float,
    spec_path: str,
    target: str | None = None,
) -> speeds.Row:
    """Measures how fast the setting of ``run`` trains here, both in a plain loop and in the runner.

    Args:
        seeds: The number of stacked seeds of each job.
        jobs: The number of concurrent processes; 1 is this process.
        threads: The number of CPU threads of each job.
        seconds: The approximate time of all timing together; even a long step is taken at least three times per way.

    Raises:
        DataError, ExtensionError: If data or an object is not available.
        SpecError: If the variant cannot be trained here.
    """
    folders = import_folders(spec_path)
    with told_of(run), timed(run.setting, device, seeds=seeds, jobs=jobs, threads=threads, folders=folders) as ways:
        rounds = take_turns(ways, seconds)
        execution, why_eager, memory_bytes = ways.execution, ways.why_eager, ways.memory_bytes
    rounds["matmul"] = [rate * product_flops(device) for rate in rounds["matmul"]]
    commit, dirty = checkout()
    return speeds.Row(
        experiment=run.experiment,
        profile=run.profile,
        variant=run.variant,
        family=run.family,
        target=target,
        jobs=jobs,
        seeds=seeds,
        threads=threads,
        execution=execution,
        note=why_eager,
        precision=run.setting.precision,
        torch=torch_version(),
        commit=commit,
        dirty=dirty,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        memory_bytes=memory_bytes,
        **speeds.summary(rounds, seeds, step_flops(run.setting)),
    )


@contextmanager
def told_of(run: Run) -> Iterator[None]:
    """Turns an exception in training ``run`` into a one-line SpecError; DataError and ExtensionError pass unchanged."""
    try:
        yield
    except (DataError, ExtensionError):
        raise
    except Exception as error:  # a custom object may raise anything
        raise SpecError(
            f"{run.experiment}, {run.variant}: cannot be trained here ({why(error)}); --variant names others"
        ) from None


def take_turns(ways: Timed, seconds: float) -> dict[str, list[float]]:
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


def why(error: Exception) -> str:
    """Describes an exception in a few words."""
    if isinstance(error, _FailedError):
        return str(error)
    return "no memory for it" if is_out_of_memory(error) else first_line(error, with_type=True)


@contextmanager
def timed(
    setting: Setting, device: torch.device, *, seeds: int, jobs: int, threads: int, folders: Sequence[str]
) -> Iterator[Timed]:
    """Prepares the ways of training ``setting`` for timing, in this process or in ``jobs`` others at a time."""
    if jobs > 1:
        with _Several(setting, device, seeds=seeds, jobs=jobs, threads=threads, folders=folders) as several:
            yield several
        return
    add_import_folders(folders)
    with numerics(device, threads, precision=setting.precision):
        yield Bench(setting, range(seeds), device)


# ---- several processes --------------------------------------------------------------------------------------------


class _FailedError(Exception):
    """An error in another process, described in a few words, since this one may not know a custom exception class."""


class _Several:
    """Jobs in separate processes, each with different seeds, that take the same steps at the same time."""

    def __init__(
        self, setting: Setting, device: torch.device, *, seeds: int, jobs: int, threads: int, folders: Sequence[str]
    ):
        context = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA or torch's threads
        self.pipes: list[Connection] = []
        self.processes = []
        for job in range(jobs):
            ours, theirs = context.Pipe()
            own = range(job * seeds, (job + 1) * seeds)
            process = context.Process(target=_serve, args=(theirs, setting, own, device, threads, folders), daemon=True)
            with safe_path():
                process.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(process)

    def __enter__(self) -> _Several:
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
                raise _FailedError("a process died before it was done, perhaps for want of memory") from None
            if isinstance(answer, Exception):
                raise answer
            answers.append(answer)
        return answers


def _serve(
    pipe: Connection,
    setting: Setting,
    seeds: Sequence[int],
    device: torch.device,
    threads: int,
    folders: Sequence[str],
) -> None:
    """Runs one of several processes: prepares its ways, then takes steps on request until the pipe is closed."""
    add_import_folders(folders)
    with numerics(device, threads, precision=setting.precision):
        try:
            bench = Bench(setting, seeds, device)
            pipe.send((bench.once, bench.execution, bench.why_eager, bench.memory_bytes))
            while True:
                way, n = pipe.recv()
                pipe.send(bench.rate(way, n))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except (DataError, ExtensionError) as error:
            pipe.send(error)
        except Exception as error:
            pipe.send(_FailedError(why(error)))
