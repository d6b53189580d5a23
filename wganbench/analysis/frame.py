"""Records as numbers: one table of all of them, and what the runs of one setting say on one measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wganbench.analysis import stats
from wganbench.names import Scale
from wganbench.record import Record
from wganbench.spec import Statistic

COLUMNS = {
    "id": "str",
    "family": "str",
    "experiment": "str",
    "variant": "str",
    "profile": "str",
    "seed": "int64",
    "status": "str",
    "overrides": "str",
    "measure": "str",
    "final": "float64",
    "best": "float64",
}


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row a run × measure, in the order of the records and of their settings' measures.

    Returns:
        With the columns ``COLUMNS``: ``final`` is the measure's last value, ``best`` the best over its schedule, NaN
        where there is none; ``overrides`` are the ``--set`` texts, joined by ``"; "``. A failed run has its rows too.
    """
    rows = [
        (
            *(record.id, record.family, record.experiment, record.variant, record.profile),
            *(record.seed, record.status, "; ".join(record.overrides)),
            *(measure, record.measures.get(measure), record.best.get(measure)),
        )
        for record in records
        for measure in record.setting.measures
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    return pd.DataFrame(
        {name: pd.Series(column, dtype=kind) for (name, kind), column in zip(COLUMNS.items(), columns, strict=True)}
    )


def pools(records: Iterable[Record]) -> dict[str, list[list[Record]]]:
    """Records by family, by seed; runs scored by different protocols or trained on different data are never pooled.

    Runs that did not finish have no score, and stand in their family's first pool.
    """
    families: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: (record.family, record.seed)):
        families.setdefault(record.family, []).append(record)
    return {name: _apart(members) for name, members in families.items()}


def _apart(members: list[Record]) -> list[list[Record]]:
    keys = {record.id: (record.score_protocol or "", record.data_checksum or "") for record in members}
    known = sorted({keys[record.id] for record in members if record.status == "finished"})
    if len(known) < 2:
        return [members]
    place = {record.id: keys[record.id] if record.status == "finished" else known[0] for record in members}
    return [[record for record in members if place[record.id] == key] for key in known]


@dataclass(frozen=True)
class Summary:
    """What the runs of one setting say on one measure.

    Attributes:
        n: How many values the statistics are over.
        n_runs, n_planned: Runs recorded, and asked for by the spec.
        n_diverged, n_failed: Of those recorded.
        interval: Student's, of the mean; None for counts and bounded measures.
        median, median_interval: With the interval of its order statistics; None for unbounded measures.
    """

    n: int = 0
    n_runs: int = 0
    n_planned: int = 0
    n_diverged: int = 0
    n_failed: int = 0
    mean: float | None = None
    interval: stats.Interval | None = None
    median: float | None = None
    median_interval: stats.Interval | None = None


def summarise(runs: pd.DataFrame, scale: Scale, n_planned: int = 0, statistic: Statistic = "final") -> Summary:
    """The statistics of one measure over the runs of one setting, rows of a ``frame``.

    A diverged run, and a finished one whose value is not finite, counts as the measure's worst value; where that is
    infinite or undefined the statistics are over the other runs. A failed run has no value.
    """
    scores, status = runs[statistic].to_numpy(), runs["status"].to_numpy(dtype=object)
    scores = np.where((status == "diverged") | ~np.isfinite(scores), scale.worst, scores)[status != "failed"]
    scores = scores[np.isfinite(scores)]
    some, bounded = len(scores) > 0, scale.bounded
    return Summary(
        n=len(scores),
        n_runs=len(runs),
        n_planned=n_planned,
        n_diverged=int((status == "diverged").sum()),
        n_failed=int((status == "failed").sum()),
        mean=float(scores.mean()) if some else None,
        interval=None if bounded else stats.student_interval(scores),
        median=float(np.median(scores)) if some and bounded else None,
        median_interval=stats.median_interval(scores) if bounded else None,
    )
