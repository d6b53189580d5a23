"""Small experiments and records with chosen numbers, which nobody trains."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from wganbench.records.record import Provenance, Record, record_of
from wganbench.spec import Experiment, load
from wganbench.spec.plan import expand

SPEC = """
version = 1
title = "A test"
source = "none"
data = "gaussian_ring"
latent_dim = 2
batch_size = 4
steps = 10
objective = "wasserstein"
generator = { name = "mlp", hidden = [2] }
critic = { name = "mlp", hidden = [2] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }

[measures]
modes_covered = {}         # higher is better, worst 0
exact_wasserstein = {}     # lower is better, worst infinite, unbounded
reverse_kl = {}            # lower is better, worst infinite, bounded
wasserstein_estimate = {}  # neither, worst NaN

[profiles.paper]
[profiles.quick]
steps = 5
"""

PROVENANCE = Provenance(
    device="cpu", threads=1, deterministic=True, commit=None, dirty=None, libraries={}, started="2026-01-01T00:00:00Z"
)

MakeExperiment = Callable[..., Experiment]
MakeRecord = Callable[..., Record]


@pytest.fixture
def make_experiment(tmp_path: Path) -> MakeExperiment:
    """Loads a spec with these claims (TOML) on variants that differ in batch size alone."""

    def make(claims: str = "", *, variants: Sequence[str] = ("a", "b"), name: str = "made") -> Experiment:
        tables = [f"[variants.{variant}]\nbatch_size = {4 + place}" for place, variant in enumerate(variants)]
        path = tmp_path / f"{name}.toml"
        path.write_text("\n".join([SPEC, *tables, claims]), encoding="utf-8")
        return load(path)

    return make


@pytest.fixture
def make_record() -> MakeRecord:
    """Makes the record of one run of ``experiment``; ``changes`` are fields of the record."""

    def make(
        experiment: Experiment,
        variant: str,
        seed: int = 0,
        measures: Mapping[str, float | None] | None = None,
        *,
        profile: str = "paper",
        status: str = "finished",
        best: Mapping[str, float | None] | None = None,
        **changes: Any,
    ) -> Record:
        (run,) = expand(experiment, profile, [seed], [variant])
        outcome = {
            "status": status,
            "note": None if status == "finished" else "told by the test",
            "steps_done": run.setting.steps,
            "measures": dict(measures or {}),
            "best": dict((measures if best is None else best) or {}),
            "curves": {},
            "cohort": [run.id],
            "provenance": PROVENANCE,
            "wall_seconds": 1.0,
        }
        return record_of(run, **outcome).model_copy(update=changes)

    return make
