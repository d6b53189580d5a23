"""Trains one cohort, takes its measures on their schedules, and makes a record of each of its runs."""

from __future__ import annotations

import gc
import re
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from wganbench.errors import ExtensionError, RecordError, first_line
from wganbench.records.record import Artefact, Curve, KeptWeights, Provenance, Record, record_of
from wganbench.runner.band import BandWatch
from wganbench.runner.build import make_step, make_trainer
from wganbench.runner.checkpoint import Checkpoint, Checkpoints, find_inconsistency
from wganbench.runner.clock import Clock, wait_for
from wganbench.runner.evaluation import Evaluator
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.precision import products
from wganbench.runner.provenance import provenance
from wganbench.runner.tensorboard import EventFiles
from wganbench.runner.trace import Trace
from wganbench.runner.weights import of_trainer, pack_trained
from wganbench.spec import Setting, scale_of
from wganbench.spec.plan import Cohort, Run
from wganbench.training.critic_trainer import StackTrainer

CPU = torch.device("cpu")


@dataclass
class Outcome:
    """A record, with the content of its artefacts by file name, and of its weights by their SHA-256."""

    record: Record
    artefacts: Mapping[str, bytes] = field(default_factory=dict)
    weights: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class Attempt:
    """The options and callbacks of one attempt at a cohort.

    Attributes:
        device: The device to train on.
        made_by: The provenance for the records; None for that of this process.
        drawn: Id of the run whose samples are kept for the figures.
        wanted: Ids of the runs to be recorded; None for all. A cohort that is trained whole yields all its runs.
        checkpoints: Returns the checkpoints of a cohort; None keeps none.
        stop: A request to stop, after which a checkpoint is saved and ``Stopped`` is raised.
        on_begin: Called with the step that training starts from.
        on_step: Called with the step after each step.
        on_message: Called with a line for everything that is done in another way than asked.
        checkpoint_seconds: Wall time between two checkpoints.
        measuring_threads: Number of threads that compute exact transport distances.
        timeout_seconds: Wall time after which the runs count as failed; None for no limit.
        retries: Number of earlier attempts that ended by themselves, for the records.
        memory_is_short: Whether an earlier attempt ran out of memory; there is no further attempt after this one.
        capture: Whether to replay steps as a CUDA graph, if there is CUDA and they can be captured.
        tensorboard: Folder of the event files; None writes none.
        keep_weights: Whether to keep the final weights, and the last ones inside the setting's band.
        started: Time of ``time.monotonic()`` at the start of the attempt.
    """

    device: torch.device = CPU
    made_by: Provenance | None = None
    drawn: str | None = None
    wanted: Collection[str] | None = None
    checkpoints: Callable[[Cohort], Checkpoints] | None = None
    stop: Stop = field(default_factory=Stop)
    on_begin: Callable[[int], None] = lambda step: None
    on_step: Callable[[int], None] = lambda step: None
    on_message: Callable[[str], None] = lambda line: None
    checkpoint_seconds: float = 60.0
    measuring_threads: int = 1
    timeout_seconds: float | None = None
    retries: int = 0
    memory_is_short: bool = False
    capture: bool = True
    tensorboard: Path | None = None
    keep_weights: bool = False
    started: float = field(default_factory=time.monotonic)

    def is_out_of_time(self) -> bool:
        return self.timeout_seconds is not None and time.monotonic() - self.started >= self.timeout_seconds


def overlaps(attempt: Attempt, setting: Setting) -> bool:
    """Returns whether measures may be computed beside training: the CPU is idle, and nothing reads them yet."""
    return attempt.device.type == "cuda" and setting.band is None and attempt.tensorboard is None


class Stopped(Exception):  # noqa: N818  # a requested outcome, not an error
    """Raised after ``step`` when the training was asked to stop."""

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}")
        self.step = step


class OutOfMemory(Exception):  # noqa: N818  # named like torch's
    """Raised if the device has too little memory left for the cohort beside its other work."""


class GpuFailed(Exception):  # noqa: N818  # ends the process's work, not only the cohort
    """Raised, once the runs are known as failed, if the GPU takes no more work from this process."""


class _NotStackableError(Exception):
    pass


class _TooLargeError(Exception):
    pass


class _OutOfTimeError(Exception):
    pass


def train_cohort(cohort: Cohort, attempt: Attempt | None = None) -> Iterator[Outcome]:
    """Trains the runs of a cohort in lockstep from its last checkpoint; an exception ends them as ``failed``.

    Networks that cannot be stacked are trained one seed at a time. A stack that does not fit into the memory of the
    device even alone is trained in halves. The records note both.

    Raises:
        Stopped: If the attempt was asked to stop; as for OutOfMemory, nothing is recorded then, and the next attempt
            continues from the last checkpoint.
        OutOfMemory: If the device is out of memory for the first time.
        GpuFailed: If the GPU takes no more work from this process; raised after the outcomes of the runs in training.
        RecordError: If a checkpoint cannot be written.
        ExtensionError: If a name cannot be used in this process, even though it may be usable elsewhere.
    """
    yield from _train_in_parts(cohort, attempt or Attempt(), None)


def _train_in_parts(cohort: Cohort, attempt: Attempt, note: str | None) -> Iterator[Outcome]:
    """Trains the cohort whole if possible, else in parts as large as possible."""
    runs, size = cohort.runs, len(cohort.runs)
    try:
        outcomes = _Training(cohort, attempt, note).outcomes()
        yield from outcomes
        if any(outcome.record.status == "failed" for outcome in outcomes) and has_failed(attempt.device):
            raise GpuFailed
        return
    except _NotStackableError as reason:
        part, note = 1, f"trained alone: {reason}"
    except _TooLargeError as reason:
        part = (size + 1) // 2
        note = f"trained in a stack of at most {part}: no memory for {size} ({reason})"
    release_memory(attempt.device)  # which the exception of the failed attempt kept alive
    for start in range(0, size, part):
        few = Cohort(runs[start : start + part])
        if attempt.wanted is None or any(run.id in attempt.wanted for run in few.runs):
            yield from _train_in_parts(few, attempt, note)


def release_memory(device: torch.device) -> None:
    """Frees the memory of unreferenced tensors, including CUDA's cache."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


NO_MEMORY = re.compile(r"out of memory|_STATUS_ALLOC_FAILED|ALLOCATION_FAILED|DefaultCPUAllocator", re.IGNORECASE)
"""The ways in which CUDA, cuBLAS, cuDNN and torch's allocator for the CPU say that memory is short."""


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether an exception says that memory is short; of several lines, those after the first are advice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and NO_MEMORY.search(first_line(error)) is not None


def has_failed(device: torch.device) -> bool:
    """Returns whether a GPU takes no more work from this process, as after an illegal access to its memory."""
    try:
        wait_for(device)
    except RuntimeError:
        return True
    return False


def abandoned(cohort: Cohort, made_by: Provenance, why: str, *, steps_done: int, retries: int) -> Iterator[Outcome]:
    """Yields records of runs that failed without an exception, with the reason ``why``."""
    for run in cohort.runs:
        trace = Trace(status="failed", note=why, steps_done=steps_done)
        yield Outcome(_record(run, cohort, trace, made_by, retries=retries))


class _Training:
    """The training of a whole cohort in one attempt."""

    def __init__(self, cohort: Cohort, attempt: Attempt, note: str | None):
        self.cohort, self.attempt, self.setting = cohort, attempt, cohort.runs[0].setting
        self.traces = [Trace(note=note) for _ in cohort.runs]
        self.made_by = attempt.made_by or provenance(attempt.device, self.setting.precision)
        self.clock = Clock(attempt.device)
        self.checkpoints = attempt.checkpoints(cohort) if attempt.checkpoints else None
        self.evaluator: Evaluator | None = None
        self.trainer: StackTrainer | None = None

    def outcomes(self) -> list[Outcome]:
        """Trains the cohort and returns the outcome of each run."""
        runs, attempt = self.cohort.runs, self.attempt
        events = EventFiles(attempt.tensorboard, [run.id for run in runs], attempt.on_message)
        try:
            drawn = next((i for i, run in enumerate(runs) if run.id == attempt.drawn and self.setting.clouds), None)
            self.evaluator = Evaluator(
                self.setting, self.cohort.seeds, attempt.device, self.traces, drawn, threads=attempt.measuring_threads
            )
            self._loop(self.evaluator, events)
            self.evaluator.pending.settle()
        except (Stopped, RecordError, ExtensionError):
            raise
        except _OutOfTimeError as error:
            self._fail(str(error))
        except Exception as error:
            self._raise_if_solvable(error)
            self._fail(traceback.format_exc(limit=-12)[-4000:])
        finally:
            events.close()
            if self.evaluator is not None:
                self.evaluator.pending.close()
        wall_seconds = round(self.clock.seconds(), 3)
        made_by = self.made_by.model_copy(update={"captured": self.clock.captured})
        found = []
        for i, (run, trace) in enumerate(zip(runs, self.traces, strict=True)):
            kept = self.evaluator.pack(i) if self.evaluator else {}
            artefacts = [Artefact.of(run.id, ending, content) for ending, content in kept.items()]
            files = {artefact.file: content for artefact, content in zip(artefacts, kept.values(), strict=True)}
            record = _record(
                run,
                self.cohort,
                trace,
                made_by,
                artefacts=artefacts,
                retries=attempt.retries,
                wall_seconds=wall_seconds,
            )
            found.append(self._with_weights(Outcome(record, files), i))
        return found

    def _with_weights(self, outcome: Outcome, index: int) -> Outcome:
        """Adds the weights to keep: the final ones of a finished run, and those last inside the band if earlier."""
        trace, trainer = self.traces[index], self.trainer
        if not self.attempt.keep_weights or trainer is None:
            return outcome
        kept: list[KeptWeights] = []
        contents: dict[str, bytes] = {}
        states: dict[int, Mapping[Any, Any]] = {trace.good_step: trace.good} if trace.good else {}
        if trace.status == "finished":
            states[trace.steps_done] = of_trainer(trainer, index)
        for step, state in states.items():
            for each, content in pack_trained(self.cohort.runs[index], trainer, step, state):
                kept.append(each)
                contents[each.sha256] = content
        return Outcome(outcome.record.model_copy(update={"weights": kept}), outcome.artefacts, contents)

    def _raise_if_solvable(self, error: Exception) -> None:
        """Raises an exception if the training may succeed alone on the device, or in a smaller stack."""
        is_stack, is_short = len(self.cohort.runs) > 1, is_out_of_memory(error)
        if is_short and not self.attempt.memory_is_short:
            raise OutOfMemory(first_line(error)) from None
        if is_stack and "vmap" in str(error) and all(trace.steps_done == 0 for trace in self.traces):
            raise _NotStackableError(first_line(error)) from None
        if is_stack and is_short:
            raise _TooLargeError(first_line(error)) from None

    def _fail(self, why: str) -> None:
        for trace in self.traces:
            if trace.status == "finished":
                trace.status, trace.note = "failed", why

    def _loop(self, evaluator: Evaluator, events: EventFiles) -> None:
        attempt, clock, steps = self.attempt, self.clock, self.setting.steps
        trainer = self.trainer = make_trainer(self.setting, self.cohort.seeds, attempt.device)
        ids = [run.id for run in self.cohort.runs]
        watch = BandWatch(self.setting, ids, self.traces, attempt.on_message, holds_weights=attempt.keep_weights)
        for trace in self.traces:
            trace.data_checksum = getattr(trainer.data, "checksum", None)
        first = self._resume(trainer)

        def evaluate(step: int) -> None:
            with products(attempt.device, "fp32"):  # so that scores are comparable between precisions
                evaluator.evaluate(trainer, step, clock.training_seconds)
            if not overlaps(attempt, self.setting):
                evaluator.pending.settle()
            watch.look(trainer, step)
            events.add(self.traces, evaluator.grids)

        if first == 0:
            evaluate(0)
        else:
            events.add(self.traces, evaluator.grids)
        attempt.on_begin(first)
        take_step, clock.captured = make_step(trainer, graph=attempt.capture, on_message=attempt.on_message)
        saved_at = time.monotonic()
        clock.start()
        for step in range(first + 1, steps + 1):
            take_step()
            clock.keep_up()
            evaluator.recent.follow(trainer, step)
            if evaluator.is_due(step):
                clock.stop()
                self._mark_diverged(trainer, step)
                evaluate(step)
                if all(trace.status == "diverged" for trace in self.traces):
                    return
                clock.start()
            attempt.on_step(step)
            if step == steps:
                return
            if attempt.is_out_of_time():
                raise _OutOfTimeError(f"timed out after {attempt.timeout_seconds:g} s, at step {step}")
            stopping = attempt.stop.reason
            is_due = stopping is not None or time.monotonic() - saved_at >= attempt.checkpoint_seconds
            if is_due and self.checkpoints is not None and stopping != "overtaken":
                clock.stop()
                self._save(trainer, self.checkpoints, step)
                saved_at = time.monotonic()
                clock.start()
            if stopping is not None:
                raise Stopped(step)

    def _resume(self, trainer: StackTrainer) -> int:
        """Restores the last checkpoint and returns its step, or 0 if there is none."""
        if self.checkpoints is None:
            return 0
        saved = self.checkpoints.latest(partial(self._find_problem, trainer))
        if saved is None:
            return 0
        before, now = saved.traces[0].get("score_protocol"), self.traces[0].score_protocol
        if before != now:
            self.attempt.on_message(
                f"step {saved.step}: scores so far are by {before}, here by {now}; it starts from scratch"
            )
            return 0
        self.clock.before, self.clock.training_seconds = saved.wall_seconds, saved.training_seconds
        trainer.restore(saved.trainer)
        for trace, state in zip(self.traces, saved.traces, strict=True):
            trace.restore(state)
        assert self.evaluator is not None
        self.evaluator.restore_recent()
        return saved.step

    def _find_problem(self, trainer: StackTrainer, found: Checkpoint) -> str | None:
        """Returns why the training cannot continue from a checkpoint; None if it can."""
        for state in found.traces:
            Trace().restore(state)
        wrong = find_inconsistency(self.setting, trainer.losses, found)
        return wrong or trainer.find_mismatch(found.trainer)

    def _save(self, trainer: StackTrainer, checkpoints: Checkpoints, step: int) -> None:
        try:
            state = trainer.state()
        except ValueError as error:  # a custom optimiser may hold what no checkpoint can
            self.attempt.on_message(f"no checkpoint at step {step}: {error}")
            return
        if self.evaluator is not None:
            self.evaluator.pending.settle()
            self.evaluator.keep_recent()
        traced = [trace.state() for trace in self.traces]
        checkpoints.save(Checkpoint(step, self.clock.seconds(), self.clock.training_seconds, state, traced))

    def _mark_diverged(self, trainer: StackTrainer, step: int) -> None:
        finite = trainer.finite.clone()
        for stack in trainer.networks.values():
            for tensor in stack.parameters.values():
                finite &= tensor.detach().flatten(1).isfinite().all(dim=1)
        for trace, alive in zip(self.traces, finite.tolist(), strict=True):
            if trace.status != "finished":
                continue
            if not alive:
                trace.status = "diverged"
                trace.note = f"a loss or parameter was not finite by step {step}"
            trace.steps_done = step


def _record(
    run: Run,
    cohort: Cohort,
    trace: Trace,
    made_by: Provenance,
    *,
    artefacts: Sequence[Artefact] = (),
    retries: int = 0,
    wall_seconds: float = 0.0,
) -> Record:
    return record_of(
        run,
        status=trace.status,
        note=trace.note,
        steps_done=trace.steps_done,
        measures=_final(run.setting, trace),
        best=_best(run.setting, trace),
        curves={label: Curve(steps=steps, values=values) for label, (steps, values) in trace.curves.items()},
        cohort=[member.id for member in cohort.runs],
        score_protocol=trace.score_protocol,
        data_checksum=trace.data_checksum,
        artefacts=list(artefacts),
        retries=retries,
        provenance=made_by,
        wall_seconds=wall_seconds,
    )


def _final(setting: Setting, trace: Trace) -> dict[str, float | None]:
    """Returns each measure's value at the last step; None if the run did not reach it."""
    final: dict[str, float | None] = {}
    for label in setting.measures:
        steps, values = trace.curves.get(label, ([], []))
        reached = trace.status == "finished" and steps and steps[-1] == setting.steps
        final[label] = values[-1] if reached else None
    return final


def _best(setting: Setting, trace: Trace) -> dict[str, float | None]:
    """Returns each measure's best finite value over the steps; None if there is none, or no direction is better."""
    best: dict[str, float | None] = {}
    for label, use in setting.measures.items():
        finite = [value for value in trace.curves.get(label, ([], []))[1] if value is not None]
        higher = scale_of(use).higher_is_better
        best[label] = None if higher is None or not finite else (max(finite) if higher else min(finite))
    return best
