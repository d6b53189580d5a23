"""Small specs with chosen records, curves and clouds, which nobody trains."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wganbench.records.record import Artefact, Curve, Provenance, Record, record_of, write_text
from wganbench.records.store import Store
from wganbench.spec import Experiment, load
from wganbench.spec.plan import expand

SPEC = """
version = 1
title = "A made-up experiment"
source = "nobody 2017, table 1"
deviations = ["nothing is trained"]
seeds = 8
data = "gaussian_ring"
latent_dim = 2
batch_size = 4
steps = 100
objective = "wasserstein"
generator = { name = "mlp", hidden = [2] }
critic = { name = "mlp", hidden = [2] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }

[measures]
sectors_occupied = {}      # a count: higher is better, worst 0
exact_wasserstein = {}     # unbounded: lower is better, worst infinite
wasserstein_floor = {}     # neither, worst NaN; no claim reads it

[profiles.quick]
says = "10 of the paper's 100 steps"
steps = 10

[profiles.paper]
says = "the paper's own 100 steps"

[variants.good]

[variants.bad]
n_critic = 2
"""

CLAIMS = """
[[claims]]
id = "good-beats-bad"
says = "good spreads over more sectors than bad"
test = "permutation"
measure = "sectors_occupied"
better = "good"
worse = "bad"

[[claims]]
id = "good-is-close"
says = "good comes within 1.0 of the data"
test = "t"
measure = "exact_wasserstein"
variant = "good"
at_most = 1.0
"""

PUBLISHED = """
[[published]]
variant = "good"
measure = "sectors_occupied"
value = 7.5
spread = 0.5
spread_over = "10 runs"
source = "nobody 2017, table 1"

[[published]]
row = "Other GAN"
measure = "sectors_occupied"
value = 3
source = "somebody 2018, table 2"
configuration = "wider networks"
"""

FIGURES = """
[[figures]]
id = "clouds"
kind = "clouds"

[[figures]]
id = "curves"
kind = "curves"
measures = ["sectors_occupied", "exact_wasserstein"]
"""

PROVENANCE = Provenance(
    device="cpu",
    threads=1,
    deterministic=True,
    commit="0123456789abcdef",
    dirty=False,
    libraries={"torch": "2.14.1"},
    started="2026-01-01T00:00:00+00:00",
)

GOOD: dict[str, Sequence[float]] = {
    "sectors_occupied": (8, 7, 8, 8, 7, 8, 8, 8),
    "exact_wasserstein": (0.30, 0.32, 0.28, 0.35, 0.31, 0.29, 0.33, 0.30),
    "wasserstein_floor": (0.1,) * 8,
}
BAD: dict[str, Sequence[float]] = {
    "sectors_occupied": (1, 2, 1, 1, 1, 2, 1, 1),
    "exact_wasserstein": (2.0, 2.2, 1.9, 2.1, 2.0, 1.8, 2.1, 2.2),
    "wasserstein_floor": (0.1,) * 8,
}


def made(folder: Path, *parts: str, name: str = "made", overrides: Sequence[str] = (), spec: str = SPEC) -> Experiment:
    """Loads ``SPEC`` with more TOML after it."""
    path = folder / f"{name}.toml"
    path.write_text("\n".join([spec, *parts]), encoding="utf-8")
    return load(path, overrides)


def record(
    experiment: Experiment,
    variant: str,
    seed: int,
    measures: Mapping[str, float | None],
    *,
    profile: str = "paper",
    **changes: Any,
) -> Record:
    """The record of one run, whose curves lead from 0 to ``measures`` in three points."""
    (run,) = expand(experiment, profile, [seed], [variant])
    steps = [0, run.setting.steps // 10, run.setting.steps]
    outcome = {
        "status": "finished",
        "note": None,
        "steps_done": run.setting.steps,
        "measures": dict(measures),
        "best": dict(measures),
        "curves": {name: Curve(steps=steps, values=[0.0, (value or 0) / 2, value]) for name, value in measures.items()},
        "cohort": [run.id],
        "provenance": PROVENANCE,
        "wall_seconds": 1.0,
    }
    return record_of(run, **{**outcome, **changes})


def records(
    experiment: Experiment, variant: str, values: Mapping[str, Sequence[float]], *, profile: str = "paper", n: int = 8
) -> list[Record]:
    """``n`` seeds with the numbers that ``values`` has for each."""
    return [
        record(experiment, variant, seed, {name: row[seed] for name, row in values.items()}, profile=profile)
        for seed in range(n)
    ]


def cloud_record(experiment: Experiment, variant: str, store: Store, *, n: int = 50, **changes: Any) -> Record:
    """Seed 0 with an artefact, which is written, of ``n`` samples at two steps."""
    rng = np.random.default_rng(0)
    out = io.BytesIO()
    fake = rng.normal(size=(2, n, 2)).astype(np.float16)
    np.savez_compressed(out, steps=np.array([0, 100]), fake=fake, real=fake[1])
    values = {"good": GOOD, "bad": BAD}[variant]
    plain = record(experiment, variant, 0, {name: row[0] for name, row in values.items()}, **changes)
    artefact = Artefact(file=f"artefacts/{plain.id}.npz", sha256=hashlib.sha256(out.getvalue()).hexdigest())
    path = store.path(plain).parent / artefact.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out.getvalue())
    return plain.model_copy(update={"artefacts": [artefact]})


def fill(store: Store, experiment: Experiment, *, n: int = 8) -> dict[str, Record]:
    """Writes ``n`` seeds of both variants under ``paper``, with clouds for the first; returns them by id.

    A permutation test of five seeds is fifty times cheaper than of eight.
    """
    found = [*records(experiment, "good", GOOD, n=n), *records(experiment, "bad", BAD, n=n)]
    found += [cloud_record(experiment, variant, store) for variant in ("good", "bad")]
    for each in found:
        store.path(each).write_text(write_text(each), encoding="utf-8")  # as Store.write, without waiting for the disk
    return {each.id: each for each in found}
