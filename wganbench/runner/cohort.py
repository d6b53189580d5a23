"""Trains one cohort, measures it on its schedules, and makes a record of each of its runs."""

from __future__ import annotations

import hashlib
import io
import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wganbench.plan import Cohort, Run
from wganbench.record import Artefact, Curve, Record, Status, record_of
from wganbench.runner import resolve
from wganbench.runner.provenance import provenance
from wganbench.runner.schedule import moments, schedule
from wganbench.spec import Setting, scale_of
from wganbench.streams import Streams, generator
from wganbench.train.stack import Stack, build
from wganbench.train.step import Method, Trainer, Unroll

Progress = Callable[[int], None]
"""Called with the number of generator steps done so far."""


@dataclass
class Outcome:
    """A record, and the content of its artefact where it has one."""

    record: Record
    artefact: bytes | None = None


@dataclass
class _Trace:
    """What has been seen of one run so far."""

    curves: dict[str, tuple[list[int], list[float | None]]] = field(default_factory=dict)
    clouds: list[Tensor] = field(default_factory=list)
    status: Status = "finished"
    note: str | None = None
    steps_done: int = 0

    def add(self, label: str, step: int, value: float) -> None:
        steps, values = self.curves.setdefault(label, ([], []))
        steps.append(step)
        values.append(float(f"{value:.6g}") if math.isfinite(value) else None)


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
    traces = [_Trace(note=note) for _ in cohort.runs]
    setting = cohort.runs[0].setting
    observer = None
    try:
        observer = _Observer(setting, cohort.seeds, device, traces, artefact_of, cohort)
        _loop(setting, cohort, device, observer, traces, progress)
    except (RuntimeError, ValueError) as error:
        if len(cohort.runs) > 1 and "vmap" in str(error) and all(trace.steps_done == 0 for trace in traces):
            raise _NotStackableError(str(error).strip().splitlines()[0]) from None
        _fail(traces)
    except Exception:
        _fail(traces)
    wall_seconds = round(time.perf_counter() - started, 3)
    outcomes = []
    for run, trace in zip(cohort.runs, traces, strict=True):
        content = _pack(trace, observer, setting) if run is artefact_of and observer and trace.clouds else None
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


def _fail(traces: Sequence[_Trace]) -> None:
    for trace in traces:
        if trace.status == "finished":
            trace.status, trace.note = "failed", traceback.format_exc(limit=-12)[-4000:]


def _loop(
    setting: Setting,
    cohort: Cohort,
    device: torch.device,
    observer: _Observer,
    traces: Sequence[_Trace],
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


def _mark_diverged(trainer: Trainer, traces: Sequence[_Trace], step: int) -> None:
    finite = trainer.finite.clone()
    for stack in (trainer.generator, trainer.critic):
        for tensor in stack.parameters.values():
            finite &= tensor.detach().flatten(1).isfinite().all(dim=1)
    for trace, alive in zip(traces, finite.tolist(), strict=True):
        if trace.status != "finished":
            continue
        if not alive:
            trace.status = "diverged"
            trace.note = f"a loss or parameter was not finite by step {step}"
        trace.steps_done = step


def make_trainer(setting: Setting, seeds: Sequence[int], device: torch.device) -> Trainer:
    """Networks, optimisers and streams of a setting, for a stack of seeds."""
    data = resolve.factory("data set", setting.data)().to(device)
    make_generator = resolve.factory("network", setting.generator)
    make_critic = resolve.factory("network", setting.critic)
    shape = tuple(data.sample_shape)
    fakes = Stack(build(lambda: make_generator((setting.latent_dim,), shape), seeds, "generator", device))
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
    return Trainer(
        seeds,
        fakes,
        critic,
        _optimizer(setting.generator_optimizer, fakes),
        _optimizer(setting.critic_optimizer, critic),
        method,
        data,
        latent_dim=setting.latent_dim,
        batch_size=setting.batch_size,
        device=device,
    )


def _optimizer(component: Any, stack: Stack) -> torch.optim.Optimizer:
    faster = {"adam": {"fused": True}, "rmsprop": {"foreach": True}}.get(component.name, {})
    made = resolve.factory("optimizer", component)(list(stack.parameters.values()), **faster)
    assert isinstance(made, torch.optim.Optimizer)
    return made


class _Observer:
    """Takes each measure of each seed when it is due, from streams that training does not share."""

    def __init__(
        self,
        setting: Setting,
        seeds: Sequence[int],
        device: torch.device,
        traces: Sequence[_Trace],
        artefact_of: Run | None,
        cohort: Cohort,
    ):
        self.setting, self.seeds, self.device, self.traces = setting, seeds, device, traces
        self.measures = {label: resolve.measure(use.measure) for label, use in setting.measures.items()}
        self.due = {label: set(schedule(setting.steps, use.points)) for label, use in setting.measures.items()}
        self.drawn = next((i for i, run in enumerate(cohort.runs) if run is artefact_of), None)
        self.moments = set(moments(setting.steps, setting.clouds)) if self.drawn is not None else set()
        self.loss_steps = set(schedule(setting.steps, 100))
        self._any = set().union(self.moments, self.loss_steps, *self.due.values(), {setting.steps})

    def is_due(self, step: int) -> bool:
        return step in self._any

    @torch.no_grad()
    def look(self, trainer: Trainer, step: int) -> None:
        if not self.is_due(step):
            return
        n = self.setting.measured_samples
        latent = Streams(self.seeds, f"measured latent {step}", self.device).normal(n, self.setting.latent_dim)
        fakes = trainer.generator(latent)
        for index, (seed, trace) in enumerate(zip(self.seeds, self.traces, strict=True)):
            if trace.status != "finished":
                continue
            if step in self.loss_steps and step > 0:
                trace.add("critic_loss", step, float(trainer.critic_loss[index]))
                trace.add("generator_loss", step, float(trainer.generator_loss[index]))
            due = [label for label in self.measures if step in self.due[label]]
            if due:
                real = trainer.data.draw(n, generator(seed, f"measured real {step}", self.device))
                given = {"fake": fakes[index], "real": real, "data": trainer.data}
                given["critic"] = trainer.critic.of_seed(index)
                for label in due:
                    given["rng"] = generator(seed, f"measure {label} {step}", self.device)
                    trace.add(label, step, self.measures[label](given))
            if index == self.drawn and step in self.moments:
                trace.clouds.append(fakes[index].cpu())

    def real_cloud(self, seed: int) -> Tensor:
        """Real samples to draw beside the fake ones."""
        data = resolve.factory("data set", self.setting.data)()
        cloud = data.draw(self.setting.measured_samples, generator(seed, "drawn real"))
        assert isinstance(cloud, Tensor)
        return cloud


def _pack(trace: _Trace, observer: _Observer, setting: Setting) -> bytes:
    """The clouds as a compressed npz: ``steps`` (k,), ``fake`` (k, n, 2) and ``real`` (n, 2) in float16."""
    assert observer.drawn is not None
    steps = moments(setting.steps, setting.clouds)[: len(trace.clouds)]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        steps=np.array(steps),
        fake=torch.stack(trace.clouds).numpy().astype(np.float16),
        real=observer.real_cloud(observer.seeds[observer.drawn]).numpy().astype(np.float16),
    )
    return buffer.getvalue()


def _final(setting: Setting, trace: _Trace) -> dict[str, float | None]:
    """Each measure's value at the last step; None where the run did not get there."""
    final: dict[str, float | None] = {}
    for label in setting.measures:
        steps, values = trace.curves.get(label, ([], []))
        reached = trace.status == "finished" and steps and steps[-1] == setting.steps
        final[label] = values[-1] if reached else None
    return final


def _best(setting: Setting, trace: _Trace) -> dict[str, float | None]:
    return dict(_best_of(setting, trace))


def _best_of(setting: Setting, trace: _Trace) -> Iterator[tuple[str, float | None]]:
    for label, use in setting.measures.items():
        seen = [value for value in trace.curves.get(label, ([], []))[1] if value is not None]
        higher = scale_of(use).higher_is_better
        yield label, None if higher is None or not seen else (max(seen) if higher else min(seen))
