"""Ablation tables: the difference in final measures between the baseline and variants that change one thing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from wganbench.analysis import stats
from wganbench.analysis.comparability import basis_of, protocol_of
from wganbench.analysis.results import Results, pools, value_or_worst
from wganbench.analysis.tables.cells import between, describe, limits, number
from wganbench.analysis.tables.table import NONE, Row, Table
from wganbench.records.record import Record
from wganbench.spec import scale_of

NOTE = (
    "Differences are of means over runs, by seed where the two have seeds in common, over these alone (the interval is "
    "then that of an inverted sign-flip test), else Welch's. A diverged run counts as the measure's worst value. "
    "Intervals are unadjusted for the number of rows."
)


def ablation_tables(results: Results, profile: str) -> list[Table]:
    """Returns the table of the spec's ablations under ``profile``, or nothing if there are no runs to compare."""
    experiment, ablations = results.experiment, results.experiment.ablations
    if ablations is None:
        return []
    own = experiment.variants_of(profile)
    baseline = pools(results.of(ablations.baseline, profile)) if ablations.baseline in own else []
    rows = []
    for measure in ablations.measures:
        for changed in (variant for variant in ablations.factors if variant in own):
            for left, right in product(pools(results.of(changed, profile)), baseline):
                row = _row(experiment.name, profile, measure, left, right) if _are_comparable(left, right) else None
                rows += [row] if row else []
    title = f"{experiment.name}, {profile}: what one change of {ablations.baseline} costs"
    return [Table(title, tuple(rows), (NOTE,))] if rows else []


def _are_comparable(left: Sequence[Record], right: Sequence[Record]) -> bool:
    """Returns whether all finished runs have the same score protocol and the same copy of the data."""
    return len({basis_of(record) for record in (*left, *right) if record.status == "finished"}) <= 1


def _row(experiment: str, profile: str, measure: str, left: Sequence[Record], right: Sequence[Record]) -> Row | None:
    """The row of one measure of a changed variant (``left``) and the baseline; None if one side has no value."""
    setting, changed, baseline = left[0].setting, left[0].variant, right[0].variant
    if measure not in setting.measures or measure not in right[0].setting.measures:
        return None
    first, second = _values(measure, left), _values(measure, right)
    common = sorted(first.keys() & second.keys())
    paired = len(common) > 1
    if paired:
        first, second = ({seed: side[seed] for seed in common} for side in (first, second))
    if not first or not second:
        return None
    one, other = np.array([*first.values()]), np.array([*second.values()])
    means = float(one.mean()), float(other.mean())
    difference = stats.distance_of_means(one, other)
    interval = (stats.paired_interval if paired else stats.welch_interval)(one, other)
    scale, protocol = scale_of(setting.measures[measure]), protocol_of(setting.measures[measure], setting, left)
    return Row(
        cells={
            "measure": describe(measure, scale, protocol),
            "changed": changed,
            "mean": number(means[0]),
            f"mean of {baseline}": number(means[1]),
            "difference [95 % interval]": _signed(difference) + between(interval),
            "n": f"{len(one)} pairs" if paired else f"{len(one)} and {len(other)}, unpaired",
        },
        data={
            "experiment": experiment,
            "profile": profile,
            "measure": measure,
            "changed": changed,
            "baseline": baseline,
            "protocol": protocol,
            "unit": scale.unit,
            "mean": means[0],
            "baseline_mean": means[1],
            "difference": difference,
            **limits(interval),
            "method": interval.method if interval else None,
            "n": len(one),
            "baseline_n": len(other),
            "paired": str(paired).lower(),
        },
    )


def _values(measure: str, group: Sequence[Record]) -> dict[int, float]:
    """The values by seed, without failed runs and without NaN, which means that no worst value is declared."""
    found = {record.seed: value_or_worst(record, measure) for record in group if record.status != "failed"}
    return {seed: value for seed, value in found.items() if not np.isnan(value)}


def _signed(value: float | None) -> str:
    return NONE if value is None else f"{'+' if value > 0 else ''}{number(value)}"
