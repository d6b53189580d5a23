"""Folders of submissions whose records have chosen numbers, which nobody trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.analysis.factory import record
from wganbench.analysis.judged import folder as folders
from wganbench.analysis.judged.judgement import Judgement
from wganbench.records.record import Record, write_text
from wganbench.records.store import Store
from wganbench.records.submission import RESULTS, Answered, Asked, Conformance, Submission
from wganbench.spec import load, parse_seeds
from wganbench.spec.judged import Budget
from wganbench.spec.judging import Candidate, name_in, spec_text

Value = Callable[[str, str, int], float | None]
"""Returns a run's value from its measure, its side (``reference`` or a candidate) and its seed; None if it diverged."""

CONFORMANCE = Conformance(
    objects=[
        Asked(
            object="r1",
            kind="penalty",
            options={"gamma": 0.5},
            answers=[
                Answered(question="it can be called", check="call", outcome="pass", text=""),
                Answered(question="it is a mean", check="batch size", outcome="warning", text="is <b>it</b>?"),
                Answered(question="it has parameters", check="parameters", outcome="not applicable", text=""),
            ],
        )
    ]
)
R1 = {"constraint": {"name": "r1", "gamma": 0.5}}


@dataclass(frozen=True)
class Submitted:
    """A folder with the committed records beside which its candidates are judged."""

    folder: Path
    reference: Mapping[str, Record]
    judgement: Judgement


def submit(
    folder: Path,
    value: Value,
    *,
    candidates: Mapping[str, Mapping[str, Any]] | None = None,
    experiments: tuple[str, ...] = ("gaussians8",),
    budget: Budget = "evening",
    lost: Mapping[tuple[str, int], Mapping[str, Any]] | None = None,
) -> Submitted:
    """Writes a folder.

    Args:
        folder: The folder, which need not exist.
        value: The value of each run.
        candidates: The candidates; R1 alone by default.
        experiments: The experiments.
        budget: The budget.
        lost: What differs from a finished record, by candidate and seed.
    """
    methods = [Candidate(name, dict(change)) for name, change in (candidates or {"mine": R1}).items()]
    reference: dict[str, Record] = {}
    store = Store(folder / RESULTS)
    for experiment in experiments:
        shipped = load(experiment)
        rows = [row for row in shipped.judge if row.share(budget)]
        path = folder / f"{experiment}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(spec_text(shipped, rows, methods), encoding="utf-8")
        extended = load(path)
        for row in rows:
            share = row.share(budget)
            assert share is not None
            for seed in parse_seeds(share.seeds):
                theirs = {label: value(label, "reference", seed) for label in row.measures}
                made = record(shipped, row.variant, seed, theirs, profile=share.profile)
                reference[made.id] = made
                for method in methods:
                    changes = dict((lost or {}).get((method.name, seed), {}))
                    mine = {label: value(label, method.name, seed) for label in row.measures}
                    mine = changes.pop("measures", mine)
                    own = record(extended, name_in(method.name, row), seed, mine, profile=share.profile, **changes)
                    store.path(own).parent.mkdir(parents=True, exist_ok=True)
                    store.path(own).write_text(write_text(own), encoding="utf-8")
    manifest = Submission(
        budget=budget,
        device="cpu",
        experiments=list(experiments),
        candidates={method.name: method.change for method in methods},
        libraries={"torch": "2.14.1"},
        reference={},
        files={},
    )
    specs = [f"{experiment}.toml" for experiment in experiments]
    judgement = folders.write(folder, manifest, CONFORMANCE, reference.values(), specs)
    return Submitted(folder, reference, judgement)


def apart(by: float, sign: int = -1) -> Value:
    """Values of which the candidate's are better by ``by``: lower, unless ``sign`` is 1."""

    def value(measure: str, side: str, seed: int) -> float:
        better = by if side != "reference" else 0.0
        return 1.0 + 0.01 * seed + math.copysign(better, sign * by)

    return value
