"""Trains one cohort, takes its measures on their schedules, and makes a record of each of its runs."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from wganbench.errors import ExtensionError, RecordError
from wganbench.records.record import Artefact, Curve, Provenance, Record, record_of
from wganbench.runner import resolve
from wganbench.runner.checkpoint import Checkpoint, Checkpoints
from wganbench.runner.clock import Clock
from wganbench.runner.evaluation import Observer, Trace
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.precision import Precision, products
from wganbench.runner.progress import doubt
from wganbench.runner.provenance import provenance
from wganbench.runner.tensorboard import EventFiles
from wganbench.spec import Component, Setting, scale_of
from wganbench.spec.plan import Cohort, Run
from wganbench.training import lr_decay
from wganbench.training.critic_trainer import CriticTrainer
from wganbench.training.cuda_graph import NotCapturedError, capture
from wganbench.training.gan_trainer import Trainer
from wganbench.training.method import Auxiliary, Method, Unroll
from wganbench.training.stack import Stack, build, rows_are_apart


@dataclass
class Outcome:
    """A record, with the content of its artefacts by file name."""

    record: Record
    artefacts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class Attempt:
    """The options and callbacks of one attempt at a cohort.

    Attributes:
        checkpoints: Returns the checkpoints of a cohort; None keeps none.
        stop: A request to stop, after which a checkpoint is saved and ``Stopped`` is raised.
        begun: Called with the step that training starts from.
        reached: Called with the step after each step.
        checkpoint_seconds: Wall time between two checkpoints.
        timeout_seconds: Wall time after which the runs count as failed; None for no limit.
        retries: Number of earlier attempts that ended by themselves, for the records.
        memory_is_short: Whether an earlier attempt ran out of memory; there is no further attempt after this one.
        capture: Whether to replay steps as a CUDA graph, if there is CUDA and they can be captured.
        warn: Called with a line for everything that is done in another way than asked.
        tensorboard: Folder of the event files; None writes none.
        started: Time of ``time.monotonic()`` at the start of the attempt.
    """

    checkpoints: Callable[[Cohort], Checkpoints] | None = None
    stop: Stop = field(default_factory=Stop)
    begun: Callable[[int], None] = lambda step: None
    reached: Callable[[int], None] = lambda step: None
    checkpoint_seconds: float = 60.0
    timeout_seconds: float | None = None
    retries: int = 0
    memory_is_short: bool = False
    capture: bool = True
    warn: Callable[[str], None] = lambda line: None
    tensorboard: Path | None = None
    started: float = field(default_factory=time.monotonic)

    def is_out_of_time(self) -> bool:
        return self.timeout_seconds is not None and time.monotonic() - self.started >= self.timeout_seconds


class Stopped(Exception):  # noqa: N818  # a requested outcome, not an error
    """Raised after ``step`` when the training was asked to stop."""

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}")
        self.step = step


class OutOfMemory(Exception):  # noqa: N818  # named like torch's
    """Raised if the device has too little memory left for the cohort beside its other work."""


class _NotStackableError(Exception):
    pass


class _TooLargeError(Exception):
    pass


class _OutOfTimeError(Exception):
    pass


def train_cohort(
    cohort: Cohort,
    device: torch.device,
    made_by: Provenance | None = None,
    attempt: Attempt | None = None,
    *,
    drawn: str | None = None,
    wanted: Collection[str] | None = None,
) -> Iterator[Outcome]:
    """Trains the runs of a cohort in lockstep from its last checkpoint; an exception ends them as ``failed``.

    Networks that cannot be stacked are trained one seed at a time. A stack that does not fit into the memory of the
    device even alone is trained in halves. The records note both.

    Args:
        cohort: The runs to train.
        device: The device to train on.
        made_by: The provenance for the records; by default that of this process.
        attempt: Options and callbacks of the attempt.
        drawn: Id of the run whose samples are kept for the figures.
        wanted: Ids of the runs to be recorded; None for all. A cohort that is trained whole yields all its runs.

    Raises:
        Stopped: If the attempt was asked to stop; as for OutOfMemory, nothing is recorded then, and the next attempt
            continues from the last checkpoint.
        OutOfMemory: If the device is out of memory for the first time.
        RecordError: If a checkpoint cannot be written.
        ExtensionError: If a name cannot be used in this process, even though it may be usable elsewhere.
    """
    attempt = attempt or Attempt()
    made_by = made_by or provenance(device, cohort.runs[0].setting.precision)
    yield from _train_in_parts(cohort, device, made_by, attempt, drawn, wanted, None)


def _train_in_parts(
    cohort: Cohort,
    device: torch.device,
    made_by: Provenance,
    attempt: Attempt,
    drawn: str | None,
    wanted: Collection[str] | None,
    note: str | None,
) -> Iterator[Outcome]:
    """Trains the cohort whole if possible, else in parts as large as possible."""
    runs, size = cohort.runs, len(cohort.runs)
    try:
        yield from _train(cohort, device, made_by, attempt, drawn, note)
        return
    except _NotStackableError as reason:
        part, note = 1, f"trained alone: {reason}"
    except _TooLargeError as reason:
        part = (size + 1) // 2
        note = f"trained in a stack of at most {part}: no memory for {size} ({reason})"
    release_memory(device)  # which the exception of the failed attempt kept alive
    for start in range(0, size, part):
        few = Cohort(runs[start : start + part])
        if wanted is None or any(run.id in wanted for run in few.runs):
            yield from _train_in_parts(few, device, made_by, attempt, drawn, wanted, note)


def release_memory(device: torch.device) -> None:
    """Frees the memory of unreferenced tensors, including CUDA's cache."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def abandoned(cohort: Cohort, made_by: Provenance, why: str, *, steps_done: int, retries: int) -> Iterator[Outcome]:
    """Yields records of runs that failed without an exception, with the reason ``why``."""
    for run in cohort.runs:
        trace = Trace(status="failed", note=why, steps_done=steps_done)
        yield Outcome(_record(run, cohort, trace, made_by, [], retries, 0.0))


def _train(
    cohort: Cohort, device: torch.device, made_by: Provenance, attempt: Attempt, drawn: str | None, note: str | None
) -> list[Outcome]:
    traces = [Trace(note=note) for _ in cohort.runs]
    setting, clock = cohort.runs[0].setting, Clock(device)
    observer = None
    events = EventFiles(attempt.tensorboard, [run.id for run in cohort.runs], attempt.warn)
    try:
        index = next((i for i, run in enumerate(cohort.runs) if run.id == drawn and setting.clouds), None)
        observer = Observer(setting, cohort.seeds, device, traces, index)
        _loop(setting, cohort, device, observer, events, traces, attempt, clock)
    except (Stopped, RecordError, ExtensionError):
        raise
    except _OutOfTimeError as error:
        _fail(traces, str(error))
    except Exception as error:
        if is_out_of_memory(error) and not attempt.memory_is_short:
            raise OutOfMemory(_first_line(error)) from None
        if len(cohort.runs) > 1 and "vmap" in str(error) and all(trace.steps_done == 0 for trace in traces):
            raise _NotStackableError(_first_line(error)) from None
        if is_out_of_memory(error) and len(cohort.runs) > 1:
            raise _TooLargeError(_first_line(error)) from None
        _fail(traces, traceback.format_exc(limit=-12)[-4000:])
    finally:
        events.close()
    wall_seconds = round(clock.seconds(), 3)
    made_by = made_by.model_copy(update={"captured": clock.captured})
    outcomes = []
    for i, (run, trace) in enumerate(zip(cohort.runs, traces, strict=True)):
        kept = observer.pack(i) if observer else {}
        artefacts = [Artefact.of(run.id, ending, content) for ending, content in kept.items()]
        files = {artefact.file: content for artefact, content in zip(artefacts, kept.values(), strict=True)}
        record = _record(run, cohort, trace, made_by, artefacts, attempt.retries, wall_seconds)
        outcomes.append(Outcome(record, files))
    return outcomes


def _record(
    run: Run,
    cohort: Cohort,
    trace: Trace,
    made_by: Provenance,
    artefacts: list[Artefact],
    retries: int,
    wall_seconds: float,
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
        artefacts=artefacts,
        retries=retries,
        provenance=made_by,
        wall_seconds=wall_seconds,
    )


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _fail(traces: Sequence[Trace], why: str) -> None:
    for trace in traces:
        if trace.status == "finished":
            trace.status, trace.note = "failed", why


def _loop(
    setting: Setting,
    cohort: Cohort,
    device: torch.device,
    observer: Observer,
    events: EventFiles,
    traces: Sequence[Trace],
    attempt: Attempt,
    clock: Clock,
) -> None:
    trainer = make_trainer(setting, cohort.seeds, device)
    for trace in traces:
        trace.data_checksum = getattr(trainer.data, "checksum", None)
    checkpoints = attempt.checkpoints(cohort) if attempt.checkpoints else None
    first = _resume(setting, trainer, traces, checkpoints, clock)

    def look(step: int) -> None:
        with products(device, "fp32"):  # so that scores are comparable between precisions
            observer.look(trainer, step, clock.training_seconds)

    if first == 0:
        look(0)
    events.add(traces, observer.grids)
    attempt.begun(first)
    take_step, clock.captured = step_of(trainer, device, graph=attempt.capture, warn=attempt.warn)
    saved_at = time.monotonic()
    clock.start()
    for step in range(first + 1, setting.steps + 1):
        take_step()
        if observer.is_due(step):
            clock.stop()
            _mark_diverged(trainer, traces, step)
            look(step)
            events.add(traces, observer.grids)
            if all(trace.status == "diverged" for trace in traces):
                return
            clock.start()
        attempt.reached(step)
        if step == setting.steps:
            return
        if attempt.is_out_of_time():
            raise _OutOfTimeError(f"timed out after {attempt.timeout_seconds:g} s, at step {step}")
        stopping = attempt.stop.reason
        is_due = stopping is not None or time.monotonic() - saved_at >= attempt.checkpoint_seconds
        if is_due and checkpoints is not None and stopping != "overtaken":
            clock.stop()
            _save(trainer, traces, checkpoints, step, clock)
            saved_at = time.monotonic()
            clock.start()
        if stopping is not None:
            raise Stopped(step)


def step_of(
    trainer: Trainer | CriticTrainer, device: torch.device, *, graph: bool, warn: Callable[[str], None]
) -> tuple[Callable[[], None], bool]:
    """Returns a function that takes a step, and whether it replays a graph, as asked by ``graph`` if possible."""
    if not graph or device.type != "cuda":
        return trainer.step, False
    try:
        return capture(trainer), True
    except NotCapturedError as reason:
        warn(f"steps are launched operation by operation: {reason}")
        return trainer.step, False


def _resume(
    setting: Setting,
    trainer: Trainer | CriticTrainer,
    traces: Sequence[Trace],
    checkpoints: Checkpoints | None,
    clock: Clock,
) -> int:
    """Restores the last checkpoint and returns its step, or 0 if there is none."""
    losses = list(trainer.losses)
    saved = checkpoints.latest(lambda found: doubt(setting, losses, found)) if checkpoints is not None else None
    if saved is None:
        return 0
    before, now = saved.traces[0].get("score_protocol"), traces[0].score_protocol
    if before != now and checkpoints is not None:
        checkpoints.say(f"step {saved.step}: scores so far are by {before}, here by {now}; it starts anew")
        return 0
    clock.before, clock.training_seconds = saved.wall_seconds, saved.training_seconds
    trainer.restore(saved.trainer)
    for trace, state in zip(traces, saved.traces, strict=True):
        trace.restore(state)
    return saved.step


def _save(
    trainer: Trainer | CriticTrainer, traces: Sequence[Trace], checkpoints: Checkpoints, step: int, clock: Clock
) -> None:
    try:
        state = trainer.state()
    except ValueError as error:  # a custom optimiser may hold what no checkpoint can
        checkpoints.say(f"no checkpoint at step {step}: {error}")
        return
    traced = [trace.state() for trace in traces]
    checkpoints.save(Checkpoint(step, clock.seconds(), clock.training_seconds, state, traced))


def _mark_diverged(trainer: Trainer | CriticTrainer, traces: Sequence[Trace], step: int) -> None:
    finite = trainer.finite.clone()
    for stack in trainer.stacks:
        for tensor in stack.parameters.values():
            finite &= tensor.detach().flatten(1).isfinite().all(dim=1)
    for trace, alive in zip(traces, finite.tolist(), strict=True):
        if trace.status != "finished":
            continue
        if not alive:
            trace.status = "diverged"
            trace.note = f"a loss or parameter was not finite by step {step}"
        trace.steps_done = step


def make_trainer(setting: Setting, seeds: Sequence[int], device: torch.device) -> Trainer | CriticTrainer:
    """Makes the trainer of a setting for a stack of seeds, with its networks, optimisers and streams."""
    data = resolve.factory("data set", setting.data)().to(device)
    make_critic = resolve.factory("network", setting.critic)
    shape = tuple(data.sample_shape)

    def stack(make: Callable[[], nn.Module], purpose: str) -> Stack:
        made = Stack(build(make, seeds, purpose, device), bf16=setting.precision == "bf16")
        if is_channels_last(device, setting.precision, shape):
            made.lay_channels_last()
        return made

    critic = stack(lambda: make_critic(shape, ()), "critic")
    penalty, projection = resolve.constraint(setting.constraint)
    method = Method(
        objective=resolve.factory("objective", setting.objective)(),
        penalty=penalty,
        projection=projection,
        project=setting.project,
        joint=rows_are_apart(critic, shape),
        n_critic=setting.n_critic,
        unroll=Unroll(setting.unroll.steps, setting.unroll.order) if setting.unroll else None,
        auxiliary=_auxiliary(setting),
        decay_steps=setting.steps if setting.lr_decay else None,
        generator_average=setting.generator_average,
    )
    decays = setting.lr_decay is not None
    of_critic = (critic, _optimizer(setting.critic_optimizer, critic, decays), method, data)
    batch_size = setting.batch_size
    if setting.fixed_generator is not None:
        fixed = resolve.factory("fixed generator", setting.fixed_generator)()
        return CriticTrainer(seeds, *of_critic, fixed, batch_size=batch_size, device=device)
    assert setting.generator and setting.generator_optimizer and setting.latent_dim  # checked by the setting
    latent_dim, make_generator = setting.latent_dim, resolve.factory("network", setting.generator)
    generators = stack(lambda: make_generator((latent_dim,), shape), "generator")
    optimizer = _optimizer(setting.generator_optimizer, generators, decays)
    return Trainer(
        seeds,
        generators,
        optimizer,
        *of_critic,
        latent_dim=latent_dim,
        batch_size=batch_size,
        generator_batch_size=setting.generator_batch_size,
        device=device,
    )


def _auxiliary(setting: Setting) -> Auxiliary | None:
    weights = setting.auxiliary_classifier
    if weights is None or setting.classes is None:
        return None
    return Auxiliary(setting.classes, weights.critic, weights.generator)


def is_channels_last(device: torch.device, precision: Precision, sample_shape: Sequence[int]) -> bool:
    """Returns whether convolutions use tensor cores, which need channels last; float32 kernels do not."""
    return device.type == "cuda" and precision != "fp32" and len(sample_shape) == 3


def _optimizer(component: Component, stack: Stack, decays: bool) -> torch.optim.Optimizer:
    faster = {"adam": {"fused": True}, "rmsprop": {"foreach": True}}.get(component.name, {})
    made = resolve.factory("optimizer", component)(list(stack.parameters.values()), **faster)
    assert isinstance(made, torch.optim.Optimizer)
    if decays:
        try:
            lr_decay.begin(made)
        except ValueError as error:
            raise ExtensionError(f"optimizer {component.name!r}: {error}") from None
    return made


def _final(setting: Setting, trace: Trace) -> dict[str, float | None]:
    """Returns each measure's value at the last step; None if the run did not reach it."""
    final: dict[str, float | None] = {}
    for label in setting.measures:
        steps, values = trace.curves.get(label, ([], []))
        reached = trace.status == "finished" and steps and steps[-1] == setting.steps
        final[label] = values[-1] if reached else None
    return final


def _best(setting: Setting, trace: Trace) -> dict[str, float | None]:
    return dict(_best_of(setting, trace))


def _best_of(setting: Setting, trace: Trace) -> Iterator[tuple[str, float | None]]:
    for label, use in setting.measures.items():
        seen = [value for value in trace.curves.get(label, ([], []))[1] if value is not None]
        higher = scale_of(use).higher_is_better
        yield label, None if higher is None or not seen else (max(seen) if higher else min(seen))
