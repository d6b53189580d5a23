"""The best value of a score over its schedule, shown beside the last, which can be far worse after a long run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wganbench.analysis.comparability import is_scored
from wganbench.analysis.results import Scores, summarise
from wganbench.records.record import Record
from wganbench.spec import MeasureUse, scale_of

BEST = "best (at step)"
"""The heading of the column."""
HINDSIGHT = (
    "Best: the mean over runs of the best score of each on its schedule, which is picked with hindsight, and in "
    "brackets the steps at which it was first reached."
)


@dataclass(frozen=True)
class Best:
    """The best value of one score over the runs of one setting.

    Attributes:
        value: The mean over runs, or the median for a bounded score; a diverged run counts as the score's worst value.
        first, last: The earliest and the latest generator step at which a finished run first reached its best value.
    """

    value: float
    first: int
    last: int


def best_of(records: Sequence[Record], measure: str, use: MeasureUse) -> Best | None:
    """Returns the best of a measure over runs of one setting, or None if there is nothing to show.

    This is the case for measures that are not scores, have no better direction or are taken only once, and if no run
    finished with a value.
    """
    scale = scale_of(use, records[0].setting.data if records else None)
    if not records or scale.higher_is_better is None or use.points == 1 or not is_scored(use, records[0].setting):
        return None
    best = np.array([record.best.get(measure) for record in records], dtype=np.float64)  # NaN for None
    summary = summarise(Scores(best, np.array([record.status for record in records], dtype=object)), scale)
    value = summary.mean if summary.median is None else summary.median
    steps = [step for record in records if (step := _reached(record, measure)) is not None]
    return Best(value, min(steps), max(steps)) if steps and value is not None else None


def _reached(record: Record, measure: str) -> int | None:
    """The first step at which a finished run reached its best value; None for other runs."""
    curve, best = record.curves.get(measure), record.best.get(measure)
    if record.status != "finished" or curve is None or best is None or best not in curve.values:
        return None
    return curve.steps[curve.values.index(best)]
