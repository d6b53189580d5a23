"""Verdicts on as many seeds as the records of a test have."""

from __future__ import annotations

from wganbench.analysis import verdict
from wganbench.analysis.results import Results
from wganbench.records.record import Record
from wganbench.spec import Experiment


def declared(experiment: Experiment, seeds: set[int]) -> Experiment:
    """The experiment, whose claims are judged on these seeds."""
    changed = experiment.model_copy(update={"seeds": ",".join(f"{seed}-{seed}" for seed in sorted(seeds))})
    changed.__dict__.pop("planned_seeds", None)  # cached
    return changed


def planned(record: Record) -> Record:
    """The record without what it keeps of whole claims, whose seeds were others when it was made."""
    return record.model_copy(update={"claims": {key: of for key, of in record.claims.items() if " " not in key}})


def judge(results: Results) -> list[verdict.Verdict]:
    """Judges the claims on exactly the seeds that the records have, as if they had been planned with these."""
    seeds = {record.seed for record in results.records.values()}
    experiment = declared(results.experiment, seeds) if seeds else results.experiment
    return verdict.judge(Results(experiment, {name: planned(each) for name, each in results.records.items()}))
