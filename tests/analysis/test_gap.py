"""A claim on an optimal critic has no verdict while the gap of any run is too small a part of the exact distance."""

from __future__ import annotations

import pytest
import torch

from tests.analysis.factory import record
from wganbench.analysis.results import Results
from wganbench.analysis.verdict import judge
from wganbench.data.closed_form import Gaussian
from wganbench.data.fixed_generators import Translated
from wganbench.errors import SpecError
from wganbench.measures.coupling import gap_over_distance
from wganbench.spec import check_digest, claim_digest, load

SPEC = """
version = 1
title = "A made-up experiment"
source = "nobody 2017, table 1"
deviations = ["nothing is trained"]
seeds = 6
data = { name = "gaussian", dim = 2 }
fixed_generator = { name = "translated", by = 1.0 }
batch_size = 4
steps = 10
objective = "wasserstein"
critic = { name = "mlp", hidden = [2] }
critic_optimizer = { name = "adam", lr = 1e-3 }

[measures]
wasserstein_estimate = {}
drift = { points = 1 }
gap_over_distance = { points = 1 }
segment_gradient_norm = { points = 1 }
segment_cosine = { points = 1 }

[profiles.paper]

[variants.two-sided]
constraint = { name = "gradient_penalty", penalty_weight = 10.0 }

[variants.clipped]
constraint = { name = "clip", clip_value = 0.01 }

[[claims]]
id = "unit-norm"
says = "the gradient's norm is 1 within 0.2"
test = "tost"
measure = "segment_gradient_norm"
variant = "two-sided"
equals = 1.0
within = 0.2
"""
GATED = SPEC + "gap_at_least = 0.97\n"
COMPARED = (
    SPEC[: SPEC.index('test = "tost"')]
    + """
test = "permutation"
measure = "segment_cosine"
better = "two-sided"
worse = "clipped"
gap_at_least = 0.97
"""
)


def written(folder, text):
    path = folder / "made.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def gap_of_slope(slope):
    """Of a linear critic of a known slope along a translation by 1: the slope itself."""
    rng = torch.Generator().manual_seed(0)
    data, fixed = Gaussian(dim=2), Translated(by=1.0)
    real = data.draw(50, rng)
    along = fixed(torch.zeros(1, 2), torch.zeros(1, 2))[0]
    return gap_over_distance(lambda x: -slope * (x @ along), real, fixed(real, torch.zeros_like(real)), data, fixed)


def found(experiment, *slopes, variant="two-sided", **changes):
    made = [
        record(
            experiment,
            variant,
            seed,
            {
                "segment_gradient_norm": 1.0 + seed / 100,
                "segment_cosine": 0.9 if variant == "clipped" else 1.0,
                "drift": 0.0,
                "gap_over_distance": None if slope is None else gap_of_slope(slope),
            },
            **changes,
        )
        for seed, slope in enumerate(slopes)
    ]
    return {each.id: each for each in made}


GOOD = (0.98, 1.0, 1.05, 0.971, 1.02)


def test_the_gap_of_a_linear_critic_is_its_slope():
    assert [gap_of_slope(slope) for slope in (0.5, 1.0, 1.05)] == pytest.approx([0.5, 1.0, 1.05], rel=1e-5)


def test_critics_of_the_whole_distance_are_judged(tmp_path):
    experiment = written(tmp_path, GATED)
    (verdict,) = judge(Results(experiment, found(experiment, *GOOD, 0.9701)))
    assert (verdict.outcome, verdict.why) == ("reproduced", "")


@pytest.mark.parametrize(("slope", "told"), [(0.96, "0.96"), (-1.0, "-1"), (0.0, "0")])
def test_a_single_run_below_the_distance_blocks_though_nothing_drifts(tmp_path, slope, told):
    experiment = written(tmp_path, GATED)
    records = found(experiment, *GOOD, slope)
    (verdict,) = judge(Results(experiment, records))
    ending = f"the gap of run {max(records)} is {told} of the exact distance, at least 0.97 needed"
    assert verdict.why == f"the critic of two-sided is no optimum: {ending}"
    assert (verdict.outcome, verdict.p_for, verdict.p_against) == ("inconclusive", 1.0, 1.0)
    free = written(tmp_path, SPEC)
    assert judge(Results(free, found(free, *GOOD, slope)))[0].outcome == "reproduced"


def test_a_run_without_a_gap_blocks(tmp_path):
    experiment = written(tmp_path, GATED)
    records = found(experiment, *GOOD, None)
    (verdict,) = judge(Results(experiment, records))
    assert verdict.why == f"run {max(records)} has no gap over the exact distance"


def test_a_clipped_critic_is_asked_for_no_gap(tmp_path):
    experiment = written(tmp_path, COMPARED)
    far = found(experiment, *[0.03] * 6, variant="clipped")
    (verdict,) = judge(Results(experiment, {**found(experiment, *GOOD, 1.0), **far}))
    assert "gap" not in verdict.why
    (verdict,) = judge(Results(experiment, {**found(experiment, *GOOD, 0.9), **far}))
    assert verdict.why.startswith("the critic of two-sided is no optimum: ")


def test_the_gate_is_part_of_a_claims_digest_and_its_absence_is_not(tmp_path):
    (free,), (gated,) = written(tmp_path, SPEC).claims, written(tmp_path, GATED).claims
    assert claim_digest(free) != claim_digest(gated)
    assert check_digest(gated.checks[0].model_copy(update={"gap_at_least": None})) == claim_digest(free)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            'variant = "two-sided"',
            'variant = "clipped"',
            "gap_at_least: no variant trains a critic alone under the two-",
        ),
        (
            "gap_over_distance = { points = 1 }\n",
            "",
            "variant 'two-sided' measures neither of gap_over_exact, gap_over",
        ),
        ("gap_at_least = 0.97", "gap_at_least = 0", "gap_at_least: must be greater than 0, got 0"),
    ],
)
def test_a_gate_that_has_nothing_to_read_is_refused(tmp_path, old, new, line):
    assert GATED.count(old) == 1
    with pytest.raises(SpecError) as caught:
        written(tmp_path, GATED.replace(old, new))
    (mistake,) = caught.value.mistakes
    assert line in mistake
