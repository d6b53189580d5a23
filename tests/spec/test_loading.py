"""Measures that read other measures' curves: what is said at load where these do not stand before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wganbench.errors import SpecError
from wganbench.spec import load, scale_of

TEXT = """
version = 1
title = "A test"
source = "nowhere"
data = { name = "shapes10", size = 16 }
objective = "wasserstein"
score = "inception"
latent_dim = 2
batch_size = 4
steps = 10
generator = { name = "dcgan_generator", filters = 2 }
critic = { name = "dcgan_critic", filters = 2 }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }

[profiles.paper]
[variants.a]
[measures]
inception_score = { points = 3 }
frechet_distance = {}
"""


@pytest.fixture
def loaded(tmp_path: Path):
    def of(addition: str):
        path = tmp_path / "test.toml"
        path.write_text(TEXT + addition, encoding="utf-8")
        return load(path)

    return of


@pytest.mark.parametrize(
    ("measure", "line"),
    [
        (
            "late_mean = { of = 'inception' }",
            "late_mean.of: no measure 'inception' before it; did you mean 'inception_s",
        ),
        ("late_spread = { of = 'late_spread' }", "late_spread.of: no measure 'late_spread' before it"),
        (
            "late_mean = { of = 'frechet_distance' }",
            "late_mean.of: must be a measure in the unit 'score', got 'fr",
        ),
        (
            "late_mean = { of = 'critic_loss' }",
            "late_mean.of: must be a measure in the unit 'score', got 'cr",
        ),
        ("late_mean = {}", "late_mean: of: missing"),
        ("late_mean = { of = 'inception_score', share = 1.5 }", "late_mean: share: must be at most 1, got 1.5"),
        ("drift = {}", "drift.of: no measure 'wasserstein_estimate' before it"),
        ("quotient = { of = 'inception_score', to = 'x' }", "quotient.to: no measure 'x' before it"),
        ("drift = { of = 'own' }\nown = { name = 'inception_score' }", "drift.of: no measure 'own' before it"),
    ],
)
def test_a_measure_that_could_not_read_what_it_names_is_reported(loaded, measure, line):
    with pytest.raises(SpecError) as caught:
        loaded(measure)
    assert f"measures.{line}" in str(caught.value).replace(".measure:", ":")


def test_a_measure_of_what_stands_before_it_is_taken_and_has_its_scale(loaded):
    setting = loaded(
        "mean = { name = 'late_mean', of = 'inception_score', points = 1 }\n"
        "spread = { name = 'late_spread', of = 'mean', points = 1 }\n"
        "drift = { of = 'critic_loss' }\n"
    ).setting("a", "paper")
    score, mean, spread = (scale_of(setting.measures[label]) for label in ("inception_score", "mean", "spread"))
    assert mean == score
    assert (spread.higher_is_better, spread.worst, spread.unit) == (False, float("inf"), score.unit)
