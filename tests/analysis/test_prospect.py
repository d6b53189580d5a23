"""Which claims a plan can settle, by its profile, its variants, its seeds and what ``--set`` changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wganbench.analysis.power import Power
from wganbench.analysis.prospect import lines, prospects
from wganbench.spec import load
from wganbench.spec.plan import expand

SPEC = """
version = 1
title = "two profiles"
source = "a test"
steps = 3
batch_size = 8
latent_dim = 3
data = "gaussian_ring"
objective = "wasserstein"
generator = { name = "mlp", hidden = [4] }
critic = { name = "mlp", hidden = [4] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
measures = { modes_covered = {} }
profiles = { quick = {}, paper = { steps = 9 } }
[variants.clip]
constraint = { name = "clip", clip_value = 0.1 }
[variants.gp]
constraint = "gradient_penalty"
[variants.other]
[[claims]]
id = "gp-covers-more"
says = "the penalty covers more modes than clipping"
profile = "paper"
test = "permutation"
measure = "modes_covered"
better = "gp"
worse = "clip"
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(SPEC)

    def make(profile="paper", seeds=5, variants=(), recorded=(), overrides=()):
        spec, published = load(path, overrides), load(path)
        families = {published.family(variant, "paper"): range(5) for variant in recorded}
        (found,) = prospects(spec, expand(spec, profile, range(seeds), variants), families, published)
        return found

    return make


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({}, ""),
        (
            {"seeds": 4, "variants": ["gp"], "recorded": ["clip"]},
            "judged on 5 seeds, of which 4 are planned or recorded",
        ),
        ({"seeds": 4, "recorded": ["clip", "gp"]}, ""),
        ({"seeds": 8}, ""),
        ({"profile": "quick"}, "this plan is of profile quick"),
        ({"variants": ["gp"]}, "needs runs of clip as well"),
        ({"variants": ["gp"], "recorded": ["clip"]}, ""),
        ({"variants": ["other"], "recorded": ["clip", "gp"]}, "none of its variants is in this plan"),
        (
            {"overrides": ["variants.gp.n_critic=2"]},
            "--set or --data changes gp, so these runs do not enter it",
        ),
        ({"overrides": ["variants.other.n_critic=2"]}, ""),
    ],
)
def test_a_plan_says_what_keeps_it_from_settling_a_claim(plan, about, why):
    found = plan(**about)
    assert (found.why, found.reachable) == (why, not why)
    assert found.needed_seeds == 5


def test_claims_of_the_plans_own_profile_have_a_line_each_and_the_others_one_together(plan, tmp_path):
    found, spec = plan(), load(tmp_path / "two.toml")
    assert list(lines([found], {}, spec, "paper")) == [
        "claim gp-covers-more: can reach a verdict with its 5 seeds in the best case"
    ]
    assert list(lines([plan(profile="quick")] * 3, {}, spec, "quick")) == [
        "claims judged at another profile, which these runs do not enter: 3 at paper"
    ]


POWER = Power(24, "seeds", 0.93, 0.01, 0.02, 16, 8, "paper")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {},
            "94 % chance of a verdict with 24 seeds (93 % reproduced, 1 % contradicted), 2 % without an effect; "
            "16 seeds for 90 %; from 8 runs under 'paper'",
        ),
        (
            {"needed": None, "without_effect": None},
            "94 % chance of a verdict with 24 seeds (93 % reproduced, 1 % contradicted), without an effect not "
            "defined; none of up to 256 seeds give 90 %; from 8 runs under 'paper'",
        ),
        (
            {"unit": "architectures", "n": 200, "n_runs": 20, "needed": None, "profile": "reduced"},
            "94 % chance of a verdict with 200 architectures (93 % reproduced, 1 % contradicted), 2 % without an "
            "effect; from 20 architectures under 'reduced'",
        ),
    ],
)
def test_a_simulated_power_is_told_with_the_runs_it_is_from(plan, tmp_path, changes, line):
    powers = {"gp-covers-more": replace(POWER, **changes)}
    assert list(lines([plan()], powers, load(tmp_path / "two.toml"), "paper")) == [f"claim gp-covers-more: {line}"]
