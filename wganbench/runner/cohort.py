"""Trains one cohort, measures it on its schedules, and makes a record of each of its runs."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from wganbench.plan import Cohort, Run
from wganbench.record import Artefact, Curve, Record, record_of
from wganbench.runner import resolve
from wganbench.runner.observe import Observer, Trace
from wganbench.runner.provenance import provenance
from wganbench.spec import Setting, scale_of
from wganbench.train.critic import CriticTrainer
from wganbench.train.method import Method, Unroll
from wganbench.train.stack import Stack, build
from wganbench.train.step import Trainer

Progress = Callable[[int], None]
"""Called with the number of generator steps done so far."""


@dataclass
class Outcome:
    """A record, and the content of its artefact where it has one."""

    record: Record
    artefact: bytes | None = None


def train_cohort(
    cohort: Cohort, device: torch.device, *, artefact_of: Run | None = None, progress: Progress = lambda step: None
) -> list[Outcome]:
    """Trains the runs of a cohort in lockstep; an exception ends them as ``failed``, with its traceback.

    Networks that cannot be stacked are trained one seed after the other, and the records say why.
    """
    try:
        return _train(cohort, device, artefact_of, progress, None)
    except _NotStackableError as reason:
        outcomes = []
        for run in cohort.runs:
            outcomes += _train(Cohort((run,)), device, artefact_of, progress, f"trained alone: {reason}")
        return outcomes


class _NotStackableError(Exception):
    pass


def _train(
    cohort: Cohort, device: torch.device, artefact_of: Run | None, progress: Progress, note: str | None
) -> list[Outcome]:
    started, made_by = time.perf_counter(), provenance(device)
    traces = [Trace(note=note) for _ in cohort.runs]
    setting = cohort.runs[0].setting
    observer = None
    try:
        drawn = next((index for index, run in enumerate(cohort.runs) if run is artefact_of and setting.clouds), None)
        observer = Observer(setting, cohort.seeds, device, traces, drawn)
        _loop(setting, cohort, device, observer, traces, progress)
    except (RuntimeError, ValueError) as error:
        if len(cohort.runs) > 1 and "vmap" in str(error) and all(trace.steps_done == 0 for trace in traces):
            raise _NotStackableError(str(error).strip().splitlines()[0]) from None
        _fail(traces)
    except Exception:
        _fail(traces)
    wall_seconds = round(time.perf_counter() - started, 3)
    outcomes = []
    for index, (run, trace) in enumerate(zip(cohort.runs, traces, strict=True)):
        content = observer.pack(index) if observer else None
        artefacts = []
        if content is not None:
            artefacts.append(Artefact(file=f"artefacts/{run.id}.npz", sha256=hashlib.sha256(content).hexdigest()))
        record = record_of(
            run,
            status=trace.status,
            note=trace.note,
            steps_done=trace.steps_done,
            measures=_final(setting, trace),
            best=_best(setting, trace),
            curves={label: Curve(steps=steps, values=values) for label, (steps, values) in trace.curves.items()},
            cohort=[member.id for member in cohort.runs],
            artefacts=artefacts,
            provenance=made_by,
            wall_seconds=wall_seconds,
        )
        outcomes.append(Outcome(record, content))
    return outcomes


def _fail(traces: Sequence[Trace]) -> None:
    for trace in traces:
        if trace.status == "finished":
            trace.status, trace.note = "failed", traceback.format_exc(limit=-12)[-4000:]


def _loop(
    setting: Setting,
    cohort: Cohort,
    device: torch.device,
    observer: Observer,
    traces: Sequence[Trace],
    progress: Progress,
) -> None:
    trainer = make_trainer(setting, cohort.seeds, device)
    observer.look(trainer, 0)
    for step in range(1, setting.steps + 1):
        trainer.step()
        if observer.is_due(step):
            _mark_diverged(trainer, traces, step)
            observer.look(trainer, step)
            progress(step)
            if all(trace.status == "diverged" for trace in traces):
                return


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
    """Networks, optimisers and streams of a setting, for a stack of seeds."""
    data = resolve.factory("data set", setting.data)().to(device)
    make_critic = resolve.factory("network", setting.critic)
    shape = tuple(data.sample_shape)
    critic = Stack(build(lambda: make_critic(shape, ()), seeds, "critic", device))
    penalty, projection = resolve.constraint(setting.constraint)
    method = Method(
        objective=resolve.factory("objective", setting.objective)(),
        penalty=penalty,
        projection=projection,
        project=setting.project,
        n_critic=setting.n_critic,
        unroll=Unroll(setting.unroll.steps, setting.unroll.order) if setting.unroll else None,
    )
    of_critic = (critic, _optimizer(setting.critic_optimizer, critic), method, data)
    batch_size = setting.batch_size
    if setting.fixed_generator is not None:
        fixed = resolve.factory("fixed generator", setting.fixed_generator)()
        return CriticTrainer(seeds, *of_critic, fixed, batch_size=batch_size, device=device)
    assert setting.generator and setting.generator_optimizer and setting.latent_dim  # the setting's own check
    latent_dim, make_generator = setting.latent_dim, resolve.factory("network", setting.generator)
    generators = Stack(build(lambda: make_generator((latent_dim,), shape), seeds, "generator", device))
    optimizer = _optimizer(setting.generator_optimizer, generators)
    return Trainer(
        seeds, generators, optimizer, *of_critic, latent_dim=latent_dim, batch_size=batch_size, device=device
    )


def _optimizer(component: Any, stack: Stack) -> torch.optim.Optimizer:
    faster = {"adam": {"fused": True}, "rmsprop": {"foreach": True}}.get(component.name, {})
    made = resolve.factory("optimizer", component)(list(stack.parameters.values()), **faster)
    assert isinstance(made, torch.optim.Optimizer)
    return made


def _final(setting: Setting, trace: Trace) -> dict[str, float | None]:
    """Each measure's value at the last step; None where the run did not get there."""
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
