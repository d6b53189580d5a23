"""Records as numbers: one table of all of them, and statistics of one measure over the runs of one setting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wganbench.analysis import stats
from wganbench.records.record import Curve, Record
from wganbench.spec import Experiment, MeasureUse, Statistic, scale_of
from wganbench.spec.catalogue import Scale

OF_RUN = {
    "id": "str",
    "family": "str",
    "experiment": "str",
    "variant": "str",
    "profile": "str",
    "seed": "int64",
    "status": "str",
    "overrides": "str",
}
COLUMNS = {**OF_RUN, "measure": "str", "final": "float64", "best": "float64"}


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Returns a table with one row per run and measure, in the order of the records and of their settings' measures.

    Returns:
        A frame with the columns ``COLUMNS``: ``final`` is the last value of the measure and ``best`` the best over its
        schedule, or NaN if there is none; ``overrides`` are the ``--set`` texts, joined by ``"; "``. Failed runs have
        rows too.
    """
    records = list(records)
    runs: dict[str, list[object]] = {name: [getattr(record, name) for record in records] for name in OF_RUN}
    runs["overrides"] = ["; ".join(record.overrides) for record in records]
    places = np.repeat(np.arange(len(records)), [len(record.setting.measures) for record in records])
    rows = [(record, measure) for record in records for measure in record.setting.measures]
    columns = {name: pd.Series(runs[name], dtype=kind).take(places).array for name, kind in OF_RUN.items()}
    columns["measure"] = pd.Series([measure for _, measure in rows], dtype="str").array
    columns["final"] = pd.Series([record.measures.get(measure) for record, measure in rows], dtype="float64").array
    columns["best"] = pd.Series([record.best.get(measure) for record, measure in rows], dtype="float64").array
    return pd.DataFrame(columns)


def as_read_by(experiment: Experiment, records: Iterable[Record]) -> Iterator[Record]:
    """Yields the records with custom measures interpreted by the current spec: better direction and best value.

    A record keeps the interpretation at the time it was made, which is not part of its run's id. If a measure is now
    interpreted differently, the run did not foresee claims about it, whatever its record says, so they count as post
    hoc.
    """
    settings = experiment.with_custom_measures
    for record in records:
        setting, own = settings.get(record.family), record.setting.measures
        uses = {} if setting is None else {label: use for label, use in setting.measures.items() if label in own}
        changed = {label: use for label, use in uses.items() if scale_of(use) != scale_of(own[label])}
        if changed:
            best = {label: best_in(record.curves.get(label), use) for label, use in changed.items()}
            read = record.setting.model_copy(update={"measures": {**own, **changed}})
            turned = {label for label, use in changed.items() if _judged_by(use) != _judged_by(own[label])}
            others = {claim.id for claim in experiment.claims if turned & {*claim.measured()}}
            foreseen = {claim: digest for claim, digest in record.claims.items() if claim not in others}
            yield record.model_copy(
                update={"setting": read, "best": {**record.best, **best}, "claims": foreseen},
            )
        else:
            yield record


def _judged_by(use: MeasureUse) -> Scale:
    """The measure's scale without the unit, on which no verdict depends."""
    return replace(scale_of(use), unit="")


def best_in(curve: Curve | None, use: MeasureUse) -> float | None:
    """The best value of a measure's curve; None if it has no values, or the measure no better direction."""
    higher = scale_of(use).higher_is_better
    values = [value for value in (curve.values if curve else []) if value is not None]
    if higher is None or not values:
        return None
    return max(values) if higher else min(values)


def pools(records: Iterable[Record]) -> dict[str, list[list[Record]]]:
    """Groups records by setting id into pools, sorted by seed.

    Runs that were scored by different protocols or trained on different data are never pooled. Runs that did not finish
    have no score, and go into the first pool of their setting.
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
class Scores:
    """The values of one measure over the runs of a pool, one element per run.

    Attributes:
        values: The value of each run; NaN if it has none.
        status: The status of each run, as in its record.
    """

    values: NDArray[np.float64]
    status: NDArray[np.object_]


def scores_of(groups: Sequence[Sequence[Record]], statistic: Statistic = "final") -> list[dict[str, Scores]]:
    """Returns the scores by measure of each group of runs of one setting, read from a single frame of all runs."""
    whole = frame(record for group in groups for record in group)
    group_of = np.repeat(np.arange(len(groups)), [sum(len(r.setting.measures) for r in group) for group in groups])
    values, status = whole[statistic].to_numpy(), whole["status"].to_numpy(dtype=object)
    found: list[dict[str, Scores]] = [{} for _ in groups]
    places = cast(dict[tuple[int, str], NDArray[np.intp]], whole.groupby([group_of, "measure"]).indices)
    for (place, measure), rows in places.items():
        found[place][measure] = Scores(values[rows], status[rows])
    return found


@dataclass(frozen=True)
class Summary:
    """Statistics of one measure over the runs of one setting.

    Attributes:
        n: The number of values that the statistics cover.
        n_runs, n_planned: The number of runs recorded, and of runs that the spec asks for.
        n_diverged, n_failed: The number of recorded runs that diverged, and that failed.
        interval: Student's t interval of the mean; None for counts and bounded measures.
        median, median_interval: The median and its interval from order statistics; None for unbounded measures.
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


def value_or_worst(record: Record, measure: str, statistic: Statistic = "final") -> float:
    """Returns a run's value, or the measure's worst value if the run did not finish or its value is not finite.

    Not meant for failed runs, which have no value.
    """
    measured = record.best if statistic == "best" else record.measures
    value = measured.get(measure) if record.status == "finished" else None
    return scale_of(record.setting.measures[measure], record.setting.data).worst if value is None else value


def summarise(runs: Scores, scale: Scale, n_planned: int = 0) -> Summary:
    """Computes the statistics of one measure over the runs of one setting.

    A diverged run, or a finished one whose value is not finite, counts as the measure's worst value; if that is
    infinite or undefined, the statistics cover the other runs. A failed run has no value.
    """
    scores, status = runs.values, runs.status
    scores = np.where((status == "diverged") | ~np.isfinite(scores), scale.worst, scores)[status != "failed"]
    scores = scores[np.isfinite(scores)]
    some, bounded = len(scores) > 0, scale.bounded
    return Summary(
        n=len(scores),
        n_runs=len(status),
        n_planned=n_planned,
        n_diverged=int((status == "diverged").sum()),
        n_failed=int((status == "failed").sum()),
        mean=float(scores.mean()) if some else None,
        interval=None if bounded else stats.student_interval(scores),
        median=float(np.median(scores)) if some and bounded else None,
        median_interval=stats.median_interval(scores) if bounded else None,
    )
