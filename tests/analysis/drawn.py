"""A spec of random architectures under two methods, and records of them with chosen scores, which nobody trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.analysis import factory
from tests.analysis.factory import made
from wganbench.records.record import Record
from wganbench.spec import Experiment

PAPER, OTHER = "inception@tf2015-10split-50k", "classifier@shapes10-32-1a2b3c4d"
THRESHOLDS = [1.0 + place / 2 for place in range(17)]
PUBLISHED = [
    *((0, 8, 192, 0), (0, 50, 150, 0), (0, 60, 140, 0), (0, 74, 125, 1), (1, 88, 110, 1), (0, 111, 86, 3)),
    *((1, 126, 67, 6), (0, 136, 55, 9), (0, 147, 42, 11), (0, 148, 32, 20), (0, 145, 21, 34), (1, 131, 11, 57)),
    *((1, 104, 5, 90), (2, 67, 3, 128), (1, 34, 0, 165), (0, 6, 0, 194), (0, 0, 0, 200)),
]

SPEC = f"""
version = 1
title = "Random architectures"
source = "Gulrajani et al. 2017, table 2"
seeds = 1
data = {{ name = "imagenet32", size = 32 }}
score = "inception"
latent_dim = 128
batch_size = 64
steps = 100_000

[measures]
inception_score = {{ samples = 1000 }}
real_inception_score = {{ samples = 1000 }}

[architectures]
n = 40

[architectures.methods.gan]
objective = "non_saturating"
generator_optimizer = {{ name = "adam", lr = 2e-4 }}
critic_optimizer = {{ name = "adam", lr = 2e-4 }}
normalised = {{ critic.norm = "batch" }}

[architectures.methods.wgan-gp]
objective = "wasserstein"
constraint = {{ name = "gradient_penalty", penalty_weight = 10.0 }}
n_critic = 5
generator_optimizer = {{ name = "adam", lr = 1e-4 }}
critic_optimizer = {{ name = "adam", lr = 1e-4 }}

[success_table]
measure = "inception_score"
methods = ["gan", "wgan-gp"]
score = "inception"
thresholds = {THRESHOLDS}
real = "real_inception_score"
source = "Gulrajani et al. 2017, table 5"
published = {[list(row) for row in PUBLISHED]}

[profiles.quick]
says = "another score of other images, 3 architectures"
architectures = {{ n = 3 }}
score = {{ name = "classifier", file = "shapes10-32-1a2b3c4d" }}
data = {{ name = "shapes10", size = 32 }}
steps = 2_000

[profiles.paper]
says = "the paper's own"
"""

FIGURES = """
[[figures]]
id = "success"
kind = "success"
title = "How many architectures train"

[[figures]]
id = "factors"
kind = "factors"
title = "What breaks which method"
"""


def spec(folder: Path, *parts: str, overrides: Sequence[str] = ()) -> Experiment:
    """Loads ``SPEC`` with more TOML after it."""
    return made(folder, *parts, name="drawn", spec=SPEC, overrides=overrides)


def run(experiment: Experiment, variant: str, score: float | None, seed: int = 0, **changes: Any) -> Record:
    """The record of one run; the real data score 9."""
    measures = {"inception_score": score, "real_inception_score": 9.0}
    about = {"score_protocol": PAPER, "data_checksum": "d" * 64}
    return factory.record(experiment, variant, seed, measures, **{**about, **changes})


def runs(experiment: Experiment, scores: Iterable[tuple[float | None, float | None]], **changes: Any) -> list[Record]:
    """Of the first architectures of the profile, one run each with the standard GAN and with the penalty."""
    chosen = experiment.architectures_of(changes.get("profile", "paper"), ["gan", "wgan-gp"]).values()
    found = zip(chosen, scores, strict=False)
    return [run(experiment, *each, **changes) for pair in found for each in zip(*pair, strict=True)]


def by_id(records: Iterable[Record]) -> Mapping[str, Record]:
    return {record.id: record for record in records}
