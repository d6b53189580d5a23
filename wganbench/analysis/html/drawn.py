"""The strip plots of a check: the numbers that its test reads, and the difference or share that it decides on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from wganbench.analysis import comparability
from wganbench.analysis.evidence import PAIRED, Evidence, Unit
from wganbench.analysis.html.charts import Chart, Dot, Line, Strip
from wganbench.analysis.results import value_of
from wganbench.analysis.tables.cells import arrow, number
from wganbench.records.record import Record
from wganbench.spec import (
    Check,
    Comparison,
    Counts,
    Criterion,
    Equality,
    Equivalence,
    Experiment,
    Level,
    McNemar,
    OverArchitectures,
    Setting,
    Success,
    SuccessCurve,
    scale_of,
)

STATISTIC = {"final": "at the last step", "best": "best over the run", "mean": "mean over the claim's moments"}

Records = Mapping[str, Record]


def charts_of(experiment: Experiment, evidence: Evidence, records: Records) -> list[Chart]:
    """Returns the strip plots of a check; none if a side of it has no runs.

    Args:
        records: The records that the check reads, by run id.
    """
    if evidence.missing or not all(evidence.units.values()):
        return []
    check = evidence.check
    if isinstance(check, Success):
        criteria = [_criterion(evidence, criterion, records) for criterion in check.criteria]
        return [*criteria, _share(evidence, [Line(check.rate, "bound", f"claimed: more than {_percent(check.rate)}")])]
    if isinstance(check, Counts):
        return [_counts(evidence), _difference(evidence, check)]
    values = _values(experiment, evidence, records)
    if isinstance(check, SuccessCurve):
        return [values, _success_curve(evidence, check)]
    if isinstance(check, McNemar) or check.test == "architectures_sign":
        return [values, _share(evidence, [Line(0.5, "bound", "claimed: more than half")])]
    if isinstance(check, Comparison | Equivalence | OverArchitectures):
        return [values, _difference(evidence, check)]
    return [values]


# ---- the numbers of each run ----------------------------------------------------------------------------------------


def _values(experiment: Experiment, evidence: Evidence, records: Records) -> Chart:
    """The measure of each run or architecture, with the bound of a check of one variant."""
    check = evidence.check
    assert not isinstance(check, Success | Counts)
    alone = len(evidence.units) == 1 and not isinstance(check, SuccessCurve)
    strips = []
    for side, units in evidence.units.items():
        dots = _dots(evidence, units, check.measure)
        own = (evidence.estimate, evidence.interval) if alone else (None, None)
        published = tuple(_published(experiment, evidence, side, records))
        strips.append(Strip(_side(side, units, bool(check.methods())), dots, *own, published))
    return Chart(_title(check.measure, evidence.settings, check), tuple(strips), tuple(_bounds(check)))


def _counts(evidence: Evidence) -> Chart:
    """How many runs of each seed meet the criteria, on either side of a check of counts."""
    strips = [
        Strip(
            f"{side}: {len(units)} seeds",
            tuple(
                Dot(
                    unit.value,
                    0,
                    f"seed {unit.seed}: {unit.value:g} of its runs ({unit.run_id} and others)",
                    unit.run_id,
                )
                for unit in units
            ),
        )
        for side, units in evidence.units.items()
    ]
    return Chart("Runs that meet the criteria, a dot for each seed", tuple(strips))


def _side(side: str, units: Sequence[Unit], over_architectures: bool) -> str:
    n_diverged = sum(unit.status == "diverged" for unit in units)
    noun = ("architecture" if over_architectures else "run") + ("" if len(units) == 1 else "s")
    return f"{side}: {len(units)} {noun}" + (f", {n_diverged} diverged" if n_diverged else "")


def _title(measure: str, settings: Mapping[str, Setting], check: Check) -> str:
    use = next((setting.measures[measure] for setting in settings.values() if measure in setting.measures), None)
    shown = measure if use is None else measure + arrow(scale_of(use))
    unit = f" ({scale_of(use).unit})" if use is not None and scale_of(use).unit else ""
    each = "architecture, the mean over its seeds" if check.methods() else "run"
    return f"{shown}{unit}, {STATISTIC[check.statistic]}, a dot for each {each}"


def _bounds(check: Check) -> Iterator[Line]:
    match check:
        case Level():
            yield _bound(check)
        case Equality():
            yield Line(check.equals, "published", f"the source's value: {number(check.equals)}")
            for limit in (check.equals - check.within, check.equals + check.within):
                yield Line(limit, "bound", f"claimed: within {number(check.within)} of it")
        case McNemar():
            yield Line(check.threshold, "bound", f"success: above {number(check.threshold)}")
        case SuccessCurve():
            for threshold in check.thresholds:
                yield Line(threshold, "bound", f"thresholds: {', '.join(map(number, check.thresholds))}")


def _bound(bound: Level | Criterion) -> Line:
    if bound.at_most is not None:
        return Line(bound.at_most, "bound", f"claimed: at most {number(bound.at_most)}")
    assert bound.at_least is not None  # a bound has one of the two
    return Line(bound.at_least, "bound", f"claimed: at least {number(bound.at_least)}")


def _published(experiment: Experiment, evidence: Evidence, variant: str, records: Records) -> Iterator[Line]:
    """Yields the published values of a variant, unless its runs were scored by another network."""
    check, setting = evidence.check, evidence.settings.get(variant)
    rows = [row for row in experiment.published if (row.variant, row.measure) == (variant, check.measured()[0])]
    if setting is None or isinstance(check, Equality) or check.statistic == "best":
        return
    runs = [records[unit.run_id] for unit in evidence.units[variant] if unit.run_id in records]
    for row in rows:
        use = setting.measures[row.measure]
        if comparability.may_stand_beside_published(comparability.protocol_of(use, setting, runs), scale_of(use)):
            yield Line(row.value, "published", f"published for {variant}: {number(row.value)} ({row.source})")


def _dots(evidence: Evidence, units: Sequence[Unit], measure: str) -> tuple[Dot, ...]:
    return tuple(
        _dot(
            evidence.check, unit, unit.value, _worse_side(measure, evidence.settings), f"counts as {number(unit.value)}"
        )
        for unit in units
    )


def _dot(check: Check, unit: Unit, value: float | None, worse: int, counted: str) -> Dot:
    """Returns the dot of a unit; a run that did not finish, or has no finite number, lies at the worse edge."""
    which = f"a{unit.seed:03}" if check.methods() else f"seed {unit.seed}"
    if unit.status == "finished" and value is not None and math.isfinite(value):
        return Dot(value, 0, f"{which}: {value:.6g} ({unit.run_id})", unit.run_id)
    what = "no finite number" if unit.status == "finished" else unit.status
    what += "" if unit.status == "failed" else f", {counted}"
    return Dot(math.nan, worse, f"{which}: {what} ({unit.run_id})", unit.run_id)


def _worse_side(measure: str, settings: Mapping[str, Setting]) -> int:
    """Returns -1 if lower values of the measure are worse, else 1."""
    uses = [setting.measures[measure] for setting in settings.values() if measure in setting.measures]
    return -1 if uses and scale_of(uses[0]).higher_is_better else 1


def _criterion(evidence: Evidence, criterion: Criterion, records: Records) -> Chart:
    """The measure that one criterion of a check of success reads, with its bound."""
    check = evidence.check
    strips = []
    for side, units in evidence.units.items():
        dots = []
        for unit in units:
            record = records.get(unit.run_id)
            value = None if record is None else value_of(record, criterion.measure, check.statistic, check.at or ())
            worse = _worse_side(criterion.measure, evidence.settings)
            dots.append(_dot(check, unit, value, worse, "counts as no success"))
        strips.append(Strip(_side(side, units, over_architectures=False), tuple(dots)))
    return Chart(_title(criterion.measure, evidence.settings, check), tuple(strips), (_bound(criterion),))


# ---- what the test decides on ---------------------------------------------------------------------------------------


def _share(evidence: Evidence, lines: Sequence[Line]) -> Chart:
    strip = Strip(evidence.estimate_of, (), evidence.estimate, evidence.interval)
    ends = [Line(0.0, "zero", "0 and 1"), Line(1.0, "zero", "0 and 1")]
    return Chart("Share that the test decides on", (strip,), (*lines, *ends))


def _difference(evidence: Evidence, check: Comparison | Counts | Equivalence | OverArchitectures) -> Chart:
    """The estimated difference with its interval and margin; each pair is a dot if the test is paired."""
    dots = _pairs(evidence) if check.test in (*PAIRED, "architectures") else ()
    strip = Strip(evidence.estimate_of, dots, evidence.estimate, evidence.interval)
    lines = [Line(0.0, "zero", "no difference")]
    if isinstance(check, Equivalence):
        lines += [
            Line(end, "bound", f"claimed: within {number(check.within)}") for end in (-check.within, check.within)
        ]
    elif check.margin:
        lines.append(Line(check.margin, "bound", f"margin: {number(check.margin)}"))
    each = f", a dot for each {'architecture' if check.methods() else 'seed'}" if dots else ""
    return Chart(f"Difference that the test decides on{each}", (strip,), tuple(lines))


def _pairs(evidence: Evidence) -> tuple[Dot, ...]:
    """The difference of each pair, in the direction of the estimate."""
    check = evidence.check
    (_, first), (_, second) = evidence.units.items()
    measure = check.measured()[0]
    lower = isinstance(check, Comparison) and _worse_side(measure, evidence.settings) > 0
    dots = []
    for one, other in zip(first, second, strict=True):
        value = (other.value - one.value) if lower else (one.value - other.value)
        which = f"a{one.seed:03}" if check.methods() else f"seed {one.seed}"
        where = f"({one.run_id} and {other.run_id})"
        if math.isfinite(value):
            dots.append(Dot(value, 0, f"{which}: {value:.6g} {where}", one.run_id))
        else:
            dots.append(Dot(math.nan, -1 if value < 0 else 1, f"{which}: no finite difference {where}", one.run_id))
    return tuple(dots)


def _success_curve(evidence: Evidence, check: SuccessCurve) -> Chart:
    """The share of architectures above each threshold, beside the published one and what the claim allows."""
    (units,) = evidence.units.values()
    strips = []
    for threshold, published in zip(check.thresholds, check.published, strict=True):
        share = sum(unit.value > threshold for unit in units) / len(units)
        lines = (
            Line(published, "published", "published share"),
            Line(published - check.within, "bound", f"claimed: within {_percent(check.within)} of it"),
            Line(published + check.within, "bound", f"claimed: within {_percent(check.within)} of it"),
        )
        strips.append(Strip(f"above {number(threshold)}: {_percent(share)}", (), share, None, lines))
    return Chart(f"Share of architectures of {check.method} above each threshold", tuple(strips))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
