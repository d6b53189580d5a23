"""Ablation tables: the difference in final measures between the baseline and variants that change one thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wganbench.analysis import comparability, stats
from wganbench.analysis.results import pools, value_or_worst
from wganbench.analysis.stats import Interval
from wganbench.analysis.tables.cells import between, describe, fields, limits, number
from wganbench.analysis.tables.published import planned
from wganbench.analysis.tables.table import NONE, Scalar, Table
from wganbench.records.record import Record
from wganbench.spec import Experiment, scale_of
from wganbench.spec.catalogue import Scale

NOTE = (
    "Differences are of means over runs, by seed where the two have seeds in common, over these alone (the interval is "
    "then that of an inverted sign-flip test), else Welch's. A diverged run counts as the measure's worst value. "
    "Intervals are unadjusted for the number of rows."
)


@dataclass(frozen=True)
class Difference:
    """The effect of one changed factor on one measure.

    Attributes:
        changed, baseline: The names of the two variants.
        means: The means of the two over the runs that are compared.
        difference: The first mean minus the second; None for infinity minus infinity.
        n: The number of runs of each that are compared.
        paired: Whether the runs are paired by seed.
    """

    experiment: str
    profile: str
    measure: str
    changed: str
    baseline: str
    scale: Scale
    protocol: str | None
    means: tuple[float, float]
    difference: float | None
    interval: Interval | None
    n: tuple[int, int]
    paired: bool

    def cells(self) -> dict[str, str]:
        runs = f"{self.n[0]} pairs" if self.paired else f"{self.n[0]} and {self.n[1]}, unpaired"
        return {
            "measure": describe(self.measure, self.scale, self.protocol),
            "changed": self.changed,
            "mean": number(self.means[0]),
            f"mean of {self.baseline}": number(self.means[1]),
            "difference [95 % interval]": _signed(self.difference) + between(self.interval),
            "n": runs,
        }

    def data(self) -> dict[str, Scalar]:
        return {
            **fields(self, "experiment", "profile", "measure", "changed", "baseline", "protocol"),
            "unit": self.scale.unit,
            "mean": self.means[0],
            "baseline_mean": self.means[1],
            "difference": self.difference,
            **limits(self.interval),
            "method": self.interval.method if self.interval else None,
            "n": self.n[0],
            "baseline_n": self.n[1],
            "paired": str(self.paired).lower(),
        }


def _signed(value: float | None) -> str:
    return NONE if value is None else f"{'+' if value > 0 else ''}{number(value)}"


def ablation_tables(experiment: Experiment, records: Mapping[str, Record], profile: str) -> list[Table]:
    """Returns the table of the spec's ablations under ``profile``, or nothing if there are no runs to compare."""
    rows = tuple(_rows(experiment, records, profile))
    if experiment.ablations is None or not rows:
        return []
    title = f"{experiment.name}, {profile}: what one change of {experiment.ablations.baseline} costs"
    return [Table(title, rows, (NOTE,))]


def _rows(experiment: Experiment, records: Mapping[str, Record], profile: str) -> Iterator[Difference]:
    about, own = experiment.ablations, experiment.variants_of(profile)
    if about is None or about.baseline not in own:
        return
    by_family = pools(planned(experiment, records, profile))

    def groups(variant: str) -> list[list[Record]]:
        return by_family.get(experiment.family(variant, profile), [])

    for measure in about.measures:
        for changed in (variant for variant in about.factors if variant in own):
            pairs = [(left, right) for left in groups(changed) for right in groups(about.baseline)]
            for left, right in pairs:
                row = _compared(measure, left, right) if _are_comparable(left, right) else None
                if row is not None:
                    yield Difference(experiment.name, profile, measure, changed, about.baseline, *row)


def _are_comparable(left: Sequence[Record], right: Sequence[Record]) -> bool:
    """Returns whether all finished runs have the same score protocol and the same copy of the data."""
    finished = [record for record in (*left, *right) if record.status == "finished"]
    return len({(record.score_protocol, record.data_checksum) for record in finished}) <= 1


_Row = tuple[Scale, str | None, tuple[float, float], float | None, Interval | None, tuple[int, int], bool]


def _compared(measure: str, left: Sequence[Record], right: Sequence[Record]) -> _Row | None:
    """The fields of ``Difference`` from ``scale`` on; None if one side has no value."""
    if not all(measure in group[0].setting.measures for group in (left, right)):
        return None
    setting = left[0].setting
    use = setting.measures[measure]
    first, second = (_values(measure, group) for group in (left, right))
    common = sorted(first.keys() & second.keys())
    paired = len(common) > 1
    if paired:
        first, second = ({seed: side[seed] for seed in common} for side in (first, second))
    if not first or not second:
        return None
    one, other = np.array([*first.values()]), np.array([*second.values()])
    means = float(one.mean()), float(other.mean())
    distance = stats.distance_of_means(one, other)
    interval = (stats.paired_interval if paired else stats.welch_interval)(one, other)
    protocol = comparability.protocol_of(use, setting, left)
    return scale_of(use), protocol, means, distance, interval, (len(one), len(other)), paired


def _values(measure: str, group: Sequence[Record]) -> dict[int, float]:
    """The values by seed, without failed runs and without NaN, which means that no worst value is declared."""
    found = {record.seed: value_or_worst(record, measure) for record in group if record.status != "failed"}
    return {seed: value for seed, value in found.items() if not np.isnan(value)}
