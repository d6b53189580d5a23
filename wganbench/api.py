"""The Python interface: experiments, records as pandas tables, verdicts, figures and runs.

::

    import wganbench as wb

    runs = wb.records("results")                      # one row per run
    points = wb.curves("results")                     # one row per point of a curve
    wb.verdicts("gaussians8", "results")              # one row per claim
    wb.figure("swissroll", 0, "results").savefig("slopes.png")
    wb.run("gaussians8", profile="smoke", seeds="2", results="runs")

Everything but ``run`` works without torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import Experiment, available, load, parse_seeds

if TYPE_CHECKING:
    import pandas as pd

RUN_COLUMNS = {
    "run": "id of the run",
    "experiment": "experiment that requested the run",
    "profile": "profile that it was requested under",
    "variant": "variant",
    "seed": "seed",
    "status": "finished, diverged or failed",
    "setting": "setting id: the run's id without its seed",
    "steps_done": "generator steps taken",
    "wall_seconds": "wall time of all runs that trained together, for training and measures",
    "device": "name of the CPU or GPU",
    "score_protocol": "name and version of the score's protocol; None without a score network",
    "overrides": "the --set texts, joined by '; '",
}
"""The columns of ``records`` before the measures, with their meaning."""

CURVE_COLUMNS = {
    "run": "id of the run",
    "experiment": "experiment that requested the run",
    "profile": "profile that it was requested under",
    "variant": "variant",
    "seed": "seed",
    "measure": "label of the measure",
    "step": "generator step",
    "value": "value; NaN where it was not finite",
}
"""The columns of ``curves``, with their meaning."""

VERDICT_COLUMNS = {
    "claim": "id of the claim",
    "says": "the claim",
    "source": "where the source says so",
    "role": "primary or secondary",
    "profile": "profile that the claim is judged at",
    "verdict": "reproduced, contradicted, inconclusive or not run",
    "why": "why there is no verdict; empty if there is one",
    "p_for": "one-sided p-value that the claim holds, Holm-adjusted",
    "p_against": "one-sided p-value that it does not, Holm-adjusted",
    "n_checks": "number of checks that decide on the claim",
    "superseded": "whether a later version of the spec replaced the claim",
}
"""The columns of ``verdicts``, with their meaning."""


def experiments() -> list[str]:
    """Returns the names of the experiments that ship with wganbench."""
    return list(available())


def experiment(name: str | Path) -> Experiment:
    """Reads an experiment by its name or the path of a TOML file.

    Raises:
        SpecError: If the spec is wrong; one line for each mistake.
    """
    return load(name)


def records(
    folder: str | Path = "results", experiment: str | None = None, statistic: Literal["final", "best"] = "final"
) -> pd.DataFrame:
    """Returns one row per recorded run.

    Args:
        folder: The results folder.
        experiment: The experiment whose runs are wanted; all by default.
        statistic: The value of each measure: the last one, or the best one over its schedule.

    Returns:
        A frame with the columns ``RUN_COLUMNS``, and one of floats for each measure, named by its label: NaN where a
        run has no such measure, its value was not finite, or, for ``best``, neither direction is better.

    Raises:
        RecordError: If a record is damaged.
    """
    import pandas as pd

    rows = []
    for record in _found(folder, experiment):
        measured = record.best if statistic == "best" else record.measures
        rows.append({**_about(record), **_more_about(record), **measured})
    frame = pd.DataFrame(rows, columns=list(dict.fromkeys([*RUN_COLUMNS, *(key for row in rows for key in row)])))
    labels = [label for label in frame.columns if label not in RUN_COLUMNS]
    return frame.astype(dict.fromkeys((*labels, "wall_seconds"), "float64"))


def curves(folder: str | Path = "results", experiment: str | None = None) -> pd.DataFrame:
    """Returns one row per point of a recorded curve, in the order of runs, measures and steps.

    Args:
        folder: The results folder.
        experiment: The experiment whose runs are wanted; all by default.

    Returns:
        A frame with the columns ``CURVE_COLUMNS``.

    Raises:
        RecordError: If a record is damaged.
    """
    import pandas as pd

    rows = [
        {**_about(record), "measure": label, "step": step, "value": value}
        for record in _found(folder, experiment)
        for label, curve in record.curves.items()
        for step, value in zip(curve.steps, curve.values, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS)).astype({"value": "float64"})


def verdicts(experiment: str | Path, folder: str | Path = "results") -> pd.DataFrame:
    """Returns one row per claim of an experiment, judged on the records of a folder.

    Args:
        experiment: A name, or the path of a TOML file.
        folder: The results folder.

    Returns:
        A frame with the columns ``VERDICT_COLUMNS``, in the order of the spec.

    Raises:
        SpecError: If the spec is wrong.
        RecordError: If a record is damaged.
    """
    import pandas as pd

    from wganbench.analysis.results import Results
    from wganbench.analysis.verdict import judge

    spec = load(experiment)
    rows = [
        {
            "claim": verdict.claim.id,
            "says": verdict.claim.says,
            "source": verdict.claim.source or spec.source,
            "role": verdict.claim.role,
            "profile": verdict.claim.profile,
            "verdict": verdict.outcome,
            "why": verdict.why,
            "p_for": verdict.adjusted_for,
            "p_against": verdict.adjusted_against,
            "n_checks": len(verdict.checks),
            "superseded": verdict.claim.superseded is not None,
        }
        for verdict in judge(Results(spec, {record.id: record for record in _found(folder, None)}))
    ]
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))


def run(
    experiment: str | Path,
    *,
    profile: str = "paper",
    seeds: str | int | None = None,
    variants: Sequence[str] = (),
    overrides: Sequence[str] = (),
    results: str | Path = "runs",
) -> pd.DataFrame:
    """Trains the runs of an experiment that have no record yet, one cohort after the other in this process.

    Args:
        experiment: A name, or the path of a TOML file.
        profile: The profile to train under.
        seeds: A number of seeds, or a list such as ``"0,3,7-9"``; by default the spec's.
        variants: The variants to train; all of the profile by default.
        overrides: Changes of the spec, such as ``"steps=100"``.
        results: The results folder.

    Returns:
        The rows of ``records`` of all runs that were asked for.

    Raises:
        WganbenchError: If a run cannot be trained as specified, or a record cannot be written.
    """
    from wganbench.runner.loop import run_all
    from wganbench.spec.plan import expand

    spec = load(experiment, overrides)
    wanted = spec.planned_seeds if seeds is None else parse_seeds(str(seeds), "seeds")
    runs = expand(spec, profile, wanted, variants)
    for _ in run_all(runs, Store(results)):
        pass
    frame = records(results)
    return frame[frame["run"].isin({each.id for each in runs})].reset_index(drop=True)


def _found(folder: str | Path, experiment: str | None) -> Iterable[Record]:
    if not Path(folder).is_dir():
        raise RecordError(f"{folder}: no such folder; name one with records, such as 'results'")
    every = Store(folder).load().values()
    return [record for record in every if experiment is None or record.experiment == experiment]


def _about(record: Record) -> dict[str, Any]:
    return {"run": record.id, **{key: getattr(record, key) for key in ("experiment", "profile", "variant", "seed")}}


def _more_about(record: Record) -> dict[str, Any]:
    return {
        "status": record.status,
        "setting": record.family,
        "steps_done": record.steps_done,
        "wall_seconds": record.wall_seconds,
        "device": record.provenance.device,
        "score_protocol": record.score_protocol,
        "overrides": "; ".join(record.overrides),
    }
