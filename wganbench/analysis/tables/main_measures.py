"""A short table of what a command has just recorded: each variant on the measures that the claims read.

Nothing here imports scipy or pandas, which take longer to import than a short run takes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wganbench.analysis.tables.table import NONE, Scalar, Table
from wganbench.records.record import Record
from wganbench.spec import Experiment, scale_of
from wganbench.spec.plan import Run

MAX_MEASURES = 6
MAX_VARIANTS = 20


@dataclass(frozen=True)
class Spread:
    """The mean of one measure over a variant's runs, and the standard deviation if there are several."""

    mean: float
    deviation: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3g}" + (f" ± {self.deviation:.2g}" if self.deviation is not None else "")


@dataclass(frozen=True)
class MainMeasures:
    """A row for one variant.

    Attributes:
        of: The mean and deviation by measure; None if no run has a value.
        runs: The number of runs, and of those that diverged or failed.
    """

    variant: str
    of: dict[str, Spread | None]
    runs: str

    def cells(self) -> dict[str, str]:
        return {
            "variant": self.variant,
            **{name: str(found or NONE) for name, found in self.of.items()},
            "n": self.runs,
        }

    def data(self) -> dict[str, Scalar]:
        return {"variant": self.variant, **{name: found.mean if found else None for name, found in self.of.items()}}


def shown_runs(runs: Iterable[Run]) -> list[Run]:
    """The runs of the first ``MAX_VARIANTS`` variants."""
    by_variant: dict[str, list[Run]] = {}
    for run in runs:
        by_variant.setdefault(run.variant, []).append(run)
    return [run for some in list(by_variant.values())[:MAX_VARIANTS] for run in some]


def main_measures(experiment: Experiment, runs: Sequence[Run], records: Iterable[Record]) -> Table:
    """Returns one row per variant of ``runs``, with a column for each of the first measures that claims read.

    If no claim reads any of their measures, the columns are their own first measures. A diverged run counts as the
    measure's worst value; if that is not finite, it has no value, like a failed run.
    """
    by_variant: dict[str, list[Record]] = {}
    for record in records:
        by_variant.setdefault(record.variant, []).append(record)
    own = list(dict.fromkeys(measure for run in runs for measure in run.setting.measures))
    read = {measure for claim in experiment.claims for measure in claim.measured()}
    measures = ([each for each in own if each in read] or own)[:MAX_MEASURES]
    rows = tuple(
        MainMeasures(variant, {measure: _spread(some, measure) for measure in measures}, _runs_text(some))
        for variant, some in by_variant.items()
    )
    title = f"{experiment.name}, {runs[0].profile}: mean ± standard deviation over seeds, at the last step"
    return Table(title, rows)


def _spread(records: Iterable[Record], measure: str) -> Spread | None:
    values = [_value(record, measure) for record in records if record.status != "failed"]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    return Spread(statistics.fmean(finite), statistics.stdev(finite) if len(finite) > 1 else None)


def _value(record: Record, measure: str) -> float:
    """The run's value, or the worst value if it has none; NaN if the variant does not have the measure."""
    if measure not in record.setting.measures:
        return math.nan
    value = record.measures.get(measure) if record.status == "finished" else None
    return scale_of(record.setting.measures[measure]).worst if value is None else value


def _runs_text(records: Sequence[Record]) -> str:
    troubled = [(sum(record.status == word for record in records), word) for word in ("diverged", "failed")]
    return ", ".join([str(len(records)), *(f"{n} {word}" for n, word in troubled if n)])
