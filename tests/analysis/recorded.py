"""Verdicts on as many seeds as the records of a test have."""

from __future__ import annotations

from wganbench.analysis import verdict
from wganbench.analysis.results import Results
from wganbench.spec import Experiment


def declared(experiment: Experiment, seeds: set[int]) -> Experiment:
    """The experiment, whose claims are judged on these seeds."""
    changed = experiment.model_copy(update={"seeds": ",".join(f"{seed}-{seed}" for seed in sorted(seeds))})
    changed.__dict__.pop("planned_seeds", None)  # cached
    return changed


def judge(results: Results) -> list[verdict.Verdict]:
    """Judges the claims on exactly the seeds that the records have."""
    seeds = {record.seed for record in results.records.values()}
    experiment = declared(results.experiment, seeds) if seeds else results.experiment
    return verdict.judge(Results(experiment, results.records))
