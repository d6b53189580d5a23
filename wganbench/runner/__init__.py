"""Executes planned runs: names become objects here, and nowhere else.

``run_all`` is the whole interface: planned runs in, records in the store.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol

import torch

from wganbench.errors import RecordError, SpecError
from wganbench.plan import Cohort, Run, cohorts
from wganbench.record import Record, Store, write_atomically
from wganbench.runner.cohort import Outcome, train_cohort
from wganbench.runner.resolve import add_import_folders, import_all

Report = Callable[[str, int], None]
"""Called with a cohort's id and the number of generator steps done."""


@dataclass(frozen=True)
class Execution:
    """How runs are executed; none of it changes what is computed, beyond the last bits.

    Attributes:
        device: ``auto`` is CUDA where there is one, else the CPU.
        stack: Seeds a cohort.
        jobs: Processes, of one cohort and one CPU thread each; 1 is this process, with its own threads.
        threads: CPU threads of this process; None leaves torch's choice. Not read where ``jobs`` exceeds 1.
    """

    device: str = "auto"
    stack: int = 8
    jobs: int = 1
    threads: int | None = None


def choose_device(name: str) -> torch.device:
    """The torch device behind ``auto``, ``cpu`` or ``cuda``.

    Raises:
        SpecError: If CUDA is asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise SpecError("--device cuda: torch finds no CUDA device here; use --device cpu or auto")
    return torch.device(name)


def pending(runs: Sequence[Run], recorded: Mapping[str, Record], *, again: bool, keep_failed: bool) -> set[str]:
    """Ids of the runs that are to be trained: those without a record, and failed ones unless ``keep_failed``."""

    def is_done(run: Run) -> bool:
        record = recorded.get(run.id)
        return record is not None and not again and (record.status != "failed" or keep_failed)

    return {run.id for run in runs if not is_done(run)}


def run_all(
    runs: Sequence[Run],
    store: Store,
    spec_path: str,
    execution: Execution = Execution(),
    *,
    again: bool = False,
    keep_failed: bool = False,
    report: Report = lambda cohort, step: None,
) -> Iterator[Record]:
    """Trains what has no record yet, cohort by cohort, and yields each new record once it is on disk.

    A cohort that lacks a record trains whole; records that exist stay. Every name is imported before the first
    training, and the store is shown to be writable.

    Raises:
        ExtensionError, RecordError, SpecError: Before any training, or when the disk refuses a record.
    """
    recorded = store.load()
    wanted = pending(runs, recorded, again=again, keep_failed=keep_failed)
    todo = [cohort for cohort in cohorts(runs, execution.stack) if any(run.id in wanted for run in cohort.runs)]
    add_import_folders(spec_path)
    for setting in {cohort.runs[0].family: cohort.runs[0].setting for cohort in todo}.values():
        import_all(setting)
    device = choose_device(execution.device)
    store.prepare(sorted({run.experiment for run in runs}))
    first_seed = min((run.seed for run in runs), default=0)

    def keep(outcomes: Sequence[Outcome]) -> Iterator[Record]:
        for outcome in outcomes:
            if outcome.record.id not in wanted:
                continue
            if outcome.artefact is not None:
                folder = store.path(outcome.record).parent
                write_atomically(folder / outcome.record.artefacts[0].file, outcome.artefact, replace=True)
            store.write(outcome.record, replace=again or outcome.record.id in recorded)
            yield outcome.record

    execute = _in_processes if execution.jobs > 1 else _inline
    for outcomes in execute(todo, device, first_seed, execution, spec_path, report):
        yield from keep(outcomes)


class _Execute(Protocol):
    def __call__(
        self,
        todo: Sequence[Cohort],
        device: torch.device,
        first_seed: int,
        execution: Execution,
        spec_path: str,
        report: Report,
    ) -> Iterator[list[Outcome]]: ...


def _drawn(cohort: Cohort, first_seed: int) -> Run | None:
    """The run whose samples are kept for the figures: that of the first seed asked for."""
    return next((run for run in cohort.runs if run.seed == first_seed), None)


def _inline(
    todo: Sequence[Cohort],
    device: torch.device,
    first_seed: int,
    execution: Execution,
    spec_path: str,
    report: Report,
) -> Iterator[list[Outcome]]:
    if execution.threads is not None:
        torch.set_num_threads(execution.threads)
    for cohort in todo:
        yield train_cohort(
            cohort,
            device,
            artefact_of=_drawn(cohort, first_seed),
            progress=partial(report, cohort.id),
        )


def _in_processes(
    todo: Sequence[Cohort],
    device: torch.device,
    first_seed: int,
    execution: Execution,
    spec_path: str,
    report: Report,
) -> Iterator[list[Outcome]]:
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    steps = context.SimpleQueue()
    relay = threading.Thread(target=_relay, args=(steps, report), daemon=True)
    relay.start()
    pool = ProcessPoolExecutor(execution.jobs, context, _start_worker, (steps, spec_path))
    try:
        left: set[Future[list[Outcome]]] = {
            pool.submit(_work, cohort, str(device), _drawn(cohort, first_seed)) for cohort in todo
        }
        while left:
            done, left = wait(left, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise RecordError(
            "a worker process died, perhaps for want of memory; what was recorded stays, "
            "the same command goes on from there, with fewer --jobs or a smaller --stack"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            worker.terminate()  # after an interrupt, they would train their cohorts to the end
        steps.put(None)
        relay.join()


def _relay(steps: Any, report: Report) -> None:
    while (item := steps.get()) is not None:
        report(*item)


_steps: SimpleQueue[tuple[str, int] | None] | None = None


def _start_worker(steps: Any, spec_path: str) -> None:
    global _steps
    _steps = steps
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    add_import_folders(spec_path)
    torch.set_num_threads(1)


def _work(cohort: Cohort, device: str, drawn: Run | None) -> list[Outcome]:
    assert _steps is not None
    steps = _steps
    artefact_of = next((run for run in cohort.runs if drawn is not None and run.id == drawn.id), None)
    return train_cohort(
        cohort, torch.device(device), artefact_of=artefact_of, progress=lambda step: steps.put((cohort.id, step))
    )


__all__ = ["Execution", "choose_device", "pending", "run_all"]
