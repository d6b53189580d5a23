"""Takes a measure of kept weights, without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import ValidationError

from wganbench.errors import SpecError
from wganbench.records.measured import Measured
from wganbench.records.record import Record, checksum_of
from wganbench.runner.build import make_trainer
from wganbench.runner.evaluation import Evaluator
from wganbench.runner.kept_runs import KeptRun
from wganbench.runner.preflight import check
from wganbench.runner.provenance import provenance
from wganbench.runner.resolve import inputs_of
from wganbench.runner.trace import Trace
from wganbench.runner.weights import Role, Weights, put_into
from wganbench.spec import Component, MeasureUse, Setting, mistakes
from wganbench.spec.measure_use import expand_use
from wganbench.spec.plan import Run

OF_TRAINING = {"training_seconds", "recent_losses", "recent_cosines"}
"""The inputs of measures that exist only while a run trains."""


def remeasure(
    kept: KeptRun, label: str, options: Mapping[str, Any], score: Component | None, device: torch.device
) -> Measured:
    """Takes a measure of a run's kept weights, with the random streams that the measure has in training.

    A measure that the run took under the same label at the same step therefore has the same value, on the same machine
    and with the same software.

    Args:
        label: The measure's name, or another label if ``options`` has its ``name``.
        options: The measure's options; others are those that the run had under the same label, or the defaults.
        score: The score network; None for the setting's own.

    Raises:
        SpecError: If there is no such measure, or the setting does not have what it reads.
        RecordError: If the weights are missing or damaged.
    """
    record = kept.record
    roles: tuple[Role, ...] = ("critic",) if record.setting.generator is None else ("generator", "critic")
    weights: dict[Role, Weights] = {role: kept.weights(role) for role in roles}
    step = weights["critic"].step
    setting = _setting(record, label, options, score, step)
    trainer = make_trainer(setting, [record.seed], device)
    for own in weights.values():
        own.check(own.empty())
    put_into(trainer, {role: own.state for role, own in weights.items()})
    trace = Trace(curves=_curves(record, label, step))
    evaluator = Evaluator(setting, [record.seed], device, [trace])
    evaluator.evaluate(trainer, step)
    files = {each.network: each.sha256 for each in record.weights if each.step == step}
    return Measured(
        label=label,
        measure=setting.measures[label].measure,
        samples=setting.measured_samples,
        step=step,
        weights=[files[role] for role in roles],
        record=checksum_of(record),
        value=trace.curves[label][1][-1],
        score_protocol=trace.score_protocol if setting.measures[label].entry.scored else None,
        data_checksum=getattr(trainer.data, "checksum", None),
        provenance=provenance(device, "fp32"),
    )


def _setting(record: Record, label: str, options: Mapping[str, Any], score: Component | None, step: int) -> Setting:
    """Returns the record's setting with this one measure, taken at ``step``."""
    whole = {name: getattr(record.setting, name) for name in Setting.model_fields}
    before = record.setting.measures.get(label)
    own = {} if before is None or "name" in options else {"name": before.measure.name, **before.measure.options}
    try:
        use = MeasureUse.model_validate(expand_use(label, {**own, **options, "points": 1}))
        if use.entry.scored and score is None and record.setting.score is None:
            raise SpecError(f"{record.id}, {label}: reads a score network, and the run had none; --score names one")
        both = {**whole, "measures": {**record.setting.measures, label: use}, "score": score or record.setting.score}
        both |= {"clouds": [], "pictures": None, "band": None}
        setting = Setting.model_validate(both)
    except ValidationError as error:
        raise SpecError("; ".join(f"{record.id}, {line}" for line in mistakes(error, Setting))) from None
    read = OF_TRAINING & {*inputs_of("measure", use.measure)}
    if read:
        raise SpecError(f"{record.id}, {label}: reads {' and '.join(sorted(read))}, which only a training has")
    alone = setting.model_copy(update={"measures": {label: use}, "steps": max(step, 1)})
    check([Run(record.experiment, record.profile, record.variant, record.seed, alone)])
    return alone


def _curves(record: Record, label: str, step: int) -> dict[str, tuple[list[int], list[float | None]]]:
    """Returns the record's curves up to ``step``, which measures over steps read, without the one to be measured."""
    found = {}
    for name, curve in record.curves.items():
        points = [(at, value) for at, value in zip(curve.steps, curve.values, strict=True) if at <= step]
        if name != label and points:
            found[name] = ([at for at, _ in points], [value for _, value in points])
    return found
