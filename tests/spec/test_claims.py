"""Claims of equivalence and of converged critics: what is said of wrong ones, and which digests stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from wganbench.errors import SpecError
from wganbench.spec import Claim, claim_digest, load

TEXT = """
version = 1
title = "A test"
source = "nowhere"
data = "gaussian_ring"
objective = "wasserstein"
latent_dim = 2
batch_size = 4
steps = 10
generator = { name = "mlp", hidden = [2] }
critic = { name = "mlp", hidden = [2] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
[measures]
modes_covered = {}
wasserstein_estimate = {}
[profiles.quick]
measures.drift.points = 1
[profiles.paper]
[variants.clip]
constraint = { name = "clip", clip_value = 0.01 }
[variants.gp]
constraint = "gradient_penalty"
measures.peaks = { name = "kde_peaks" }
"""
EQUIVALENCE = {
    "id": "alike",
    "says": "both estimate the same",
    "test": "paired_equivalence",
    "measure": "wasserstein_estimate",
    "first": "clip",
    "second": "gp",
    "within": 0.1,
}
SUCCESS = {
    "id": "succeeds",
    "says": "most runs cover two modes",
    "test": "binomial",
    "variant": "gp",
    "criteria": {"measure": "modes_covered", "at_least": 2},
}

Made = Callable[..., Claim]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The claim of these fields, out of a spec that ``load`` has checked; None leaves a field out."""

    def made(**fields: object) -> Claim:
        lines = [f"{key} = {_inline(value)}" for key, value in fields.items() if value is not None]
        path = tmp_path / "mine.toml"
        path.write_text("\n".join([TEXT, "[[claims]]", *lines]), encoding="utf-8")
        (claim,) = load(path).claims
        return claim

    return made


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "[{" + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + "}]"
    return json.dumps(value)


def test_an_equivalence_reads_one_measure_of_both(made):
    claim = made(**EQUIVALENCE)
    assert (claim.variants(), claim.measured()) == (("clip", "gp"), ("wasserstein_estimate",))
    assert claim.drift_at_most is None


@pytest.mark.parametrize(
    "claim", [EQUIVALENCE, SUCCESS, {**EQUIVALENCE, "measure": "modes_covered"}, {**EQUIVALENCE, "measure": "drift"}]
)
def test_a_drift_that_is_measured_under_the_claims_profile_may_be_asked_for(made, claim):
    assert made(**claim, profile="quick", drift_at_most=0.02).drift_at_most == 0.02


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"measure": "peaks"}, ["claims.alike: variant 'clip' does not measure 'peaks'"]),
        (
            {"measure": "modes"},
            [
                "claims.alike: variant 'clip' does not measure 'modes'",
                "claims.alike: variant 'gp' does not measure 'modes'",
            ],
        ),
        (
            {"drift_at_most": 0.02},
            [
                "claims.alike: variant 'clip' does not measure 'drift', which drift_at_most is about",
                "claims.alike: variant 'gp' does not measure 'drift', which drift_at_most is about",
            ],
        ),
        (
            {"statistic": "best"},
            ["claims.alike: 'wasserstein_estimate' is neither better high nor low, so it has no best"],
        ),
        ({"second": "gpp"}, ["claims.alike: no variant 'gpp'; did you mean 'gp'?"]),
        ({"second": "clip"}, ["claims.alike: first and second are both 'clip'; an equivalence needs two variants"]),
        ({"within": 0}, ["claims.alike.within: must be greater than 0, got 0"]),
        ({"within": None}, ["claims.alike.within: missing"]),
        ({"drift_at_most": 0}, ["claims.alike.drift_at_most: must be greater than 0, got 0"]),
    ],
)
def test_a_wrong_equivalence_is_reported(made, changes, lines):
    with pytest.raises(SpecError) as caught:
        made(**{**EQUIVALENCE, **changes})
    mistakes = caught.value.mistakes
    assert len(mistakes) == len(lines)
    for mistake, line in zip(mistakes, lines, strict=True):
        assert mistake.startswith(f"mine.toml, {line}")


@pytest.mark.parametrize(
    ("name", "position", "digest"), [("gaussians8", 7, "701d6f939e"), ("gaussians25", 1, "851a5b8d9f")]
)
def test_a_claim_that_asks_for_no_drift_has_the_digest_that_its_records_hold(name, position, digest):
    claim = load(name).claims[position]
    assert claim.drift_at_most is None
    assert claim_digest(claim) == digest
    assert claim_digest(claim.model_copy(update={"drift_at_most": 0.02})) != digest


def test_the_digest_of_an_equivalence_changes_with_its_margin_and_its_drift(made):
    quick = {**EQUIVALENCE, "profile": "quick"}
    claims = [made(**quick), made(**quick, drift_at_most=0.02), made(**quick, drift_at_most=0.03)]
    claims += [made(**{**quick, "within": 0.2}), made(**{**quick, "first": "gp", "second": "clip"})]
    assert len({claim_digest(claim) for claim in claims}) == 5
    assert claim_digest(made(**{**quick, "says": "in other words"})) == claim_digest(claims[0])
