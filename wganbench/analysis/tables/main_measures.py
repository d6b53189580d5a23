"""A short table of what a command has just recorded: each variant on the measures that the claims read.

Nothing here imports scipy, which takes longer to import than a short run takes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from wganbench.analysis.tables.table import NONE, Row, Table
from wganbench.records.record import Record
from wganbench.spec import Experiment, scale_of
from wganbench.spec.plan import Run

MAX_MEASURES = 6
MAX_VARIANTS = 20


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
    rows = tuple(_row(variant, some, measures) for variant, some in by_variant.items())
    title = f"{experiment.name}, {runs[0].profile}: mean ± standard deviation over seeds, at the last step"
    return Table(title, rows)


def _row(variant: str, records: Sequence[Record], measures: Iterable[str]) -> Row:
    cells = {"variant": variant}
    for measure in measures:
        values = [_value(record, measure) for record in records if record.status != "failed"]
        finite = [value for value in values if math.isfinite(value)]
        spread = f" ± {statistics.stdev(finite):.2g}" if len(finite) > 1 else ""
        cells[measure] = f"{statistics.fmean(finite):.3g}{spread}" if finite else NONE
    troubled = [(sum(record.status == word for record in records), word) for word in ("diverged", "failed")]
    cells["n"] = ", ".join([str(len(records)), *(f"{n} {word}" for n, word in troubled if n)])
    return Row(cells, {})


def _value(record: Record, measure: str) -> float:
    """The run's value, or the worst value if it has none; NaN if the variant does not have the measure."""
    if measure not in record.setting.measures:
        return math.nan
    value = record.measures.get(measure) if record.status == "finished" else None
    return scale_of(record.setting.measures[measure]).worst if value is None else value
