"""The Python interface: experiments, records as pandas frames, verdicts, figures and runs.

>>> import wganbench as wb
>>> runs = wb.records("results", "swissroll")  # one row a run
>>> points = wb.curves("results", "swissroll")  # one row a point of a curve
>>> verdicts = wb.verdicts("swissroll", "results")  # one row a claim
>>> wb.figure("swissroll", 0, "results").savefig("slopes.png")

Only ``run`` needs torch. Wherever a folder of records is named, ``"reference"`` stands for the committed ones, which an
installed package contains. Errors are those of ``wganbench.errors``, with one line for each mistake.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wganbench.errors import RecordError, SpecError
from wganbench.records import reference
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import Experiment, available, listed, load, parse_seeds, short
from wganbench.spec.catalogue import suggest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from wganbench.analysis.verdict import Verdict

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
    "score_protocol": "name and version of the score's protocol; missing without a score network",
    "overrides": "the changes of the spec by --set, joined by '; '",
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
    "source": "its source, with the place",
    "role": "primary or secondary",
    "profile": "profile that the claim is judged at",
    "seeds": "seeds that it is judged on, such as 0-7",
    "verdict": "reproduced, contradicted, inconclusive or not run",
    "why": "reason if it is inconclusive or not run; otherwise empty",
    "p_for": "one-sided p-value that the claim holds, Holm-adjusted over its family",
    "p_against": "one-sided p-value that it does not, Holm-adjusted over its family",
    "n_checks": "number of checks",
    "pilot": "seeds of the runs that were seen before the claim was stated; empty if there were none",
    "restated_as": "ids of the claims that ask the same of other runs, with a comma between; empty if there are none",
    "superseded": "whether a later version of the spec restated the claim",
}
"""The columns of ``verdicts``, with their meaning."""

CHECK_COLUMNS = {
    "claim": "id of the claim",
    "check": "id of the check",
    "test": "test that the spec names",
    "shows": "holds, fails, open or not run",
    "estimate": "estimate; NaN if there is none",
    "estimate_of": "quantity that is estimated",
    "low": "lower end of its interval, unadjusted; NaN if there is none",
    "high": "upper end of its interval",
    "p_for": "one-sided p-value that the check holds, unadjusted; 1 if it cannot be decided",
    "p_against": "one-sided p-value that it does not",
    "n": "number of runs or, over random architectures, of architectures; of two groups, the smaller number",
}
"""The columns of ``checks``, with their meaning."""


def experiments() -> list[str]:
    """Returns the names of the experiments that ship with wganbench.

    >>> experiments()[:3]
    ['dirac-gan', 'elu', 'estimate-quality']
    """
    return list(available())


def experiment(name: str | Path) -> Experiment:
    """Reads an experiment by its name or the path of a TOML file.

    >>> experiment("swissroll").variants_of("reduced")[0]
    'clip-0.1'

    Raises:
        SpecError: If there is no such experiment, or its spec is wrong.
    """
    return load(name)


def records(
    folder: str | Path = "results", experiment: str | None = None, statistic: Literal["final", "best"] = "final"
) -> pd.DataFrame:
    """Returns one row per recorded run.

    >>> runs = records("results", "swissroll")
    >>> bool((runs[runs["variant"] == "clip-0.001"]["gradient_slope"] < -0.3).all())
    True

    Args:
        folder: The folder of the records.
        experiment: The name of the experiment that requested the runs; all by default.
        statistic: The value of each measure: the last one, or the best one over its schedule.

    Returns:
        A frame with the columns ``RUN_COLUMNS``, and one of floats for each measure, named by its label: NaN where a
        run has no such measure, its value was not finite or, for ``best``, neither direction is better.

    Raises:
        RecordError: If there is no such folder or experiment, or a record is damaged.
    """
    if statistic not in ("final", "best"):
        raise RecordError(f"statistic {short(statistic)}: must be 'final' or 'best'")
    return _frame_of_runs(_load(folder, experiment).values(), statistic)


def curves(folder: str | Path = "results", experiment: str | None = None) -> pd.DataFrame:
    """Returns one row per point of a recorded curve, in the order of runs, measures and steps.

    >>> points = curves("results", "swissroll")
    >>> int(points[points["measure"] == "gradient_slope"]["step"].max())
    1500

    Args:
        folder: The folder of the records.
        experiment: The name of the experiment that requested the runs; all by default.

    Returns:
        A frame with the columns ``CURVE_COLUMNS``.

    Raises:
        RecordError: If there is no such folder or experiment, or a record is damaged.
    """
    import pandas as pd

    rows = [
        {**_identity(record), "measure": label, "step": step, "value": value}
        for record in _load(folder, experiment).values()
        for label, curve in record.curves.items()
        for step, value in zip(curve.steps, curve.values, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS)).astype({"value": "float64"})


def verdicts(experiment: str | Path | Experiment, folder: str | Path = "results") -> pd.DataFrame:
    """Returns one row per claim of an experiment, judged on the records of a folder.

    >>> verdicts("swissroll", "results").set_index("claim").loc["penalised-gradients-stay", "verdict"]
    'reproduced'

    Args:
        experiment: A name, the path of a TOML file, or what ``experiment`` returns.
        folder: The folder of the records.

    Returns:
        A frame with the columns ``VERDICT_COLUMNS``, in the order of the spec.

    Raises:
        SpecError: If there is no such experiment, or its spec is wrong.
        RecordError: If there is no such folder, or a record is damaged.
    """
    import pandas as pd

    spec = _read(experiment)
    rows = [
        {
            "claim": verdict.claim.id,
            "says": verdict.claim.says,
            "source": verdict.claim.source or spec.source,
            "role": verdict.claim.role,
            "profile": verdict.claim.profile,
            "seeds": listed(spec.seeds_of(verdict.claim)),
            "verdict": verdict.outcome,
            "why": verdict.why,
            "p_for": verdict.adjusted_for,
            "p_against": verdict.adjusted_against,
            "n_checks": len(verdict.checks),
            "pilot": listed(spec.seen_before(verdict.claim)),
            "restated_as": ", ".join(verdict.claim.restated_as),
            "superseded": verdict.claim.superseded is not None,
        }
        for verdict in _judge(spec, folder)
    ]
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))


def checks(experiment: str | Path | Experiment, folder: str | Path = "results") -> pd.DataFrame:
    """Returns one row per check of the claims of an experiment; arguments and errors as for ``verdicts``.

    >>> of_claim = checks("swissroll", "results").groupby("claim")
    >>> list(of_claim.get_group("penalised-gradients-stay")["shows"])
    ['holds', 'holds']

    Returns:
        A frame with the columns ``CHECK_COLUMNS``, in the order of the spec.
    """
    import pandas as pd

    rows = [
        {
            "claim": verdict.claim.id,
            "check": evidence.check.id,
            "test": evidence.check.test,
            "shows": verdict.outcome_of(evidence),
            "estimate": evidence.estimate,
            "estimate_of": evidence.estimate_of,
            "low": evidence.interval and evidence.interval.low,
            "high": evidence.interval and evidence.interval.high,
            "p_for": evidence.p_for,
            "p_against": evidence.p_against,
            "n": min(map(len, evidence.units.values())),
        }
        for verdict in _judge(_read(experiment), folder)
        for evidence in verdict.checks
    ]
    frame = pd.DataFrame(rows, columns=list(CHECK_COLUMNS))
    return frame.astype(dict.fromkeys(("estimate", "low", "high"), "float64"))


def figure(experiment: str | Path | Experiment, which: int | str = 0, folder: str | Path = "results") -> Figure:
    """Draws a figure of an experiment from the records of a folder, as the report shows it.

    >>> figure("swissroll", "samples").savefig("samples.png")

    Args:
        experiment: A name, the path of a TOML file, or what ``experiment`` returns.
        which: The position of the figure in the spec, from 0, its id or its title.
        folder: The folder of the records.

    Returns:
        A Matplotlib figure, which ``pyplot`` does not know.

    Raises:
        SpecError: If the experiment or the figure does not exist, or the spec is wrong.
        RecordError: If no record has what the figure shows, or a record or an artefact is damaged or missing.
    """
    from wganbench.analysis.figures import draw, drawings_of
    from wganbench.analysis.own_pictures import with_folder
    from wganbench.analysis.results import Results

    spec = _read(experiment)
    names = [each.id for each in spec.figures]
    named = [
        place for place, each in enumerate(spec.figures) if isinstance(which, str) and which in (each.id, each.title)
    ]
    position = named[0] if named else which
    if not isinstance(position, int) or not 0 <= position < len(names):
        known = ", ".join(f"{place} {name!r}" for place, name in enumerate(names)) or "none"
        raise SpecError(f"{spec.file}: no figure {short(which)}; its figures are {known}")
    records = _load(folder)
    drawings = drawings_of(Results(with_folder(spec, records), records))
    found = [each for each in drawings if each.figure == spec.figures[position] and each.used]
    if not found:
        raise RecordError(
            f"{folder}: no records that figure {position} of {spec.name}, {names[position]!r}, can be drawn from; "
            f"wb.run or 'wganbench run {spec.name}' makes them"
        )
    return draw(found[0], Store(_path(folder)))


def run(
    experiment: str | Path,
    *,
    profile: str = "quick",
    seeds: int | str | None = None,
    variants: str | Sequence[str] = (),
    overrides: str | Sequence[str] = (),
    results: str | Path = "runs",
) -> pd.DataFrame:
    """Trains the runs of an experiment that have no record yet, one cohort after the other in this process.

    The numbers are those of ``wganbench run``, which suits runs of hours: it trains in parallel and can be stopped.

    Args:
        experiment: A name, or the path of a TOML file.
        profile: The profile to train under.
        seeds: A number of seeds, or a list such as ``"0,3,7-9"``; by default the spec's.
        variants: The variants to train; all of the profile by default.
        overrides: Changes of the spec, such as ``"variants.gan.latent_dim=16"``.
        results: The folder to record in; created if missing.

    Returns:
        The rows of ``records`` of all runs that were asked for, including those that had a record.

    Raises:
        SpecError, ExtensionError: If the runs cannot be trained as specified; raised before any training.
        RecordError: If a record cannot be written, or a GPU failed before all runs were recorded.
    """
    from wganbench.runner.jobs.options import Execution
    from wganbench.runner.jobs.stop import Stop
    from wganbench.runner.loop import run_all
    from wganbench.spec.plan import expand

    spec = load(experiment, _several(overrides))
    wanted = spec.planned_seeds if seeds is None else parse_seeds(str(seeds), "seeds")
    runs, store = expand(spec, profile, wanted, _several(variants)), Store(results)
    stop = Stop()
    for _ in run_all(runs, store, Execution(stack=spec.stack, threads=1), stop=stop, on_event=_warn):
        pass
    if stop.reason is not None:
        raise RecordError(f"{results}: {stop.reason} before all runs were recorded; a new process can do the rest")
    every = store.load()
    return _frame_of_runs([every[each.id] for each in runs], "final")


def _warn(event: Mapping[str, Any]) -> None:
    """Passes on what the runner warns about, such as a custom object that mixes rows."""
    if event["event"] == "warning":
        warnings.warn(f"{event['file']}: {event['message']}", stacklevel=2)


def _several(texts: str | Sequence[str]) -> Sequence[str]:
    return [texts] if isinstance(texts, str) else texts


def _read(experiment: str | Path | Experiment) -> Experiment:
    return experiment if isinstance(experiment, Experiment) else load(experiment)


def _judge(spec: Experiment, folder: str | Path) -> list[Verdict]:
    from wganbench.analysis.own_pictures import with_folder
    from wganbench.analysis.results import Results
    from wganbench.analysis.verdict import judge

    records = _load(folder)
    return judge(Results(with_folder(spec, records), records))


def _path(folder: str | Path) -> Path:
    is_reference = str(folder) == reference.NAME and not Path(folder).exists()
    return reference.reference_folder() if is_reference else Path(folder)


def _load(folder: str | Path, experiment: str | None = None) -> dict[str, Record]:
    path = _path(folder)
    if not path.is_dir():
        raise RecordError(f"{folder}: no such folder; name one with records, such as 'results' or 'reference'")
    found = Store(path, experiment).load()
    if experiment is not None and not found and experiment not in available():
        recorded = sorted({file.parent.name for file in Store(path).paths()})
        raise RecordError(f"{folder}: no records of {short(experiment)}{suggest(experiment, recorded)}")
    return found


def _identity(record: Record) -> dict[str, Any]:
    return {"run": record.id, **{key: getattr(record, key) for key in ("experiment", "profile", "variant", "seed")}}


def _frame_of_runs(found: Iterable[Record], statistic: Literal["final", "best"]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            **(record.best if statistic == "best" else record.measures),
            **_identity(record),
            "status": record.status,
            "setting": record.family,
            "steps_done": record.steps_done,
            "wall_seconds": record.wall_seconds,
            "device": record.provenance.device,
            "score_protocol": record.score_protocol,
            "overrides": "; ".join(record.overrides),
        }
        for record in found
    ]
    labels = [label for label in dict.fromkeys(key for row in rows for key in row) if label not in RUN_COLUMNS]
    frame = pd.DataFrame(rows, columns=[*RUN_COLUMNS, *labels])
    return frame.astype(dict.fromkeys(("wall_seconds", *labels), "float64"))
