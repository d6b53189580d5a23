"""What becomes of claims over random architectures: what the sample is, and what enters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from tests.analysis.factory import made, record
from wganbench.analysis import stats
from wganbench.analysis.prospect import reachable
from wganbench.analysis.results import Results
from wganbench.analysis.verdict import judge
from wganbench.errors import SpecError
from wganbench.spec import claim_digest

SPEC = """
version = 1
title = "Random architectures"
source = "nobody 2017, table 2"
data = { name = "shapes10", size = 16 }
score = { name = "classifier", file = "shapes10-16-8c9f1cc8" }
latent_dim = 2
batch_size = 4
steps = 100
objective = "wasserstein"
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }

[measures]
inception_score = {}
frechet_distance = {}

[architectures]
n = 10
seed = 0
methods = { gp = { n_critic = 5 }, gan = {}, lsgan = {} }

[profiles.paper]
architectures = { methods = ["gp", "gan"] }
"""
PAIRED = """
[[claims]]
id = "gp-is-better"
says = "gp scores higher than gan"
test = "architectures"
measure = "inception_score"
better = "gp"
worse = "gan"
"""
CURVE = """
[[claims]]
id = "as-published"
says = "gp succeeds as often as published"
test = "success_curve"
measure = "inception_score"
method = "gp"
thresholds = [2.0, 4.0]
published = [0.9, 0.5]
within = 0.4
"""

MCNEMAR = """
[[claims]]
id = "trains-where-gan-does-not"
says = "more architectures reach 3 with gp alone than with gan alone"
test = "mcnemar"
measure = "inception_score"
better = "gp"
worse = "gan"
threshold = 3.0
"""

Scores = Mapping[str, Sequence[Sequence[float | None] | float]]


def records(experiment, **scores: Sequence[Sequence[float] | float]):
    """By method, the scores of architectures 0, 1, …, of one seed or of seeds 0, 1, …; infinite for a diverged run."""
    found = [
        record(
            experiment,
            f"a{place:03}-{method}",
            seed,
            {"inception_score": None if math.isinf(score) else score, "frechet_distance": 1.0},
            status="diverged" if math.isinf(score) else "finished",
        )
        for method, by_place in scores.items()
        for place, some in enumerate(by_place)
        for seed, score in enumerate(some if isinstance(some, Sequence) else [some])
    ]
    return {one.id: one for one in found}


def test_the_sample_is_the_architecture(tmp_path):
    experiment = made(tmp_path, PAIRED, spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[5.0] * 8, gan=[2.0, 3.0] * 4)))
    assert (verdict.outcome, verdict.p_for, verdict.p_against) == ("reproduced", 1 / 256, 1.0)
    assert (verdict.checks[0].estimate, verdict.checks[0].estimate_of) == (
        2.5,
        "mean inception_score of gp minus gan, over architectures",
    )
    assert [unit.seed for unit in verdict.checks[0].units["gan"]] == list(range(8))
    assert verdict.post_hoc is False


def test_seeds_are_averaged_first(tmp_path):
    experiment = made(tmp_path, PAIRED, spec=SPEC)
    seeds = records(experiment, gp=[[4.0, 6.0, 8.0]] * 6, gan=[[1.0, 3.0, 5.0]] * 6)
    (verdict,) = judge(Results(experiment, seeds))
    assert [unit.value for unit in verdict.checks[0].units["gp"]] == [6.0] * 6
    assert (verdict.p_for, verdict.checks[0].estimate) == (1 / 64, 3.0)


def test_of_an_architecture_only_the_seeds_that_it_has_with_each_method_count(tmp_path):
    experiment = made(tmp_path, PAIRED, spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[[4.0, 100.0]] * 6, gan=[[1.0]] * 5)))
    assert [unit.value for unit in verdict.checks[0].units["gp"]] == [4.0] * 5
    assert (verdict.p_for, verdict.checks[0].estimate) == (1 / 32, 3.0)


def test_the_rule_of_five_counts_architectures(tmp_path):
    experiment = made(tmp_path, PAIRED, spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[[5.0] * 9] * 4, gan=[[2.0] * 9] * 4)))
    assert verdict.outcome == "inconclusive"
    assert verdict.why == "4 architectures with runs of gp and gan, at least 5 needed"


def test_a_diverged_run_counts_as_the_worst_score_of_its_architecture(tmp_path):
    experiment = made(tmp_path, PAIRED, spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[[5.0, 5.0]] * 6, gan=[[2.0, math.inf]] * 6)))
    assert [(unit.value, unit.status) for unit in verdict.checks[0].units["gan"]] == [(1.5, "diverged")] * 6
    assert (verdict.checks[0].estimate, verdict.n_diverged) == (3.5, 6)


def test_a_failed_run_blocks_the_verdict(tmp_path):
    experiment = made(tmp_path, PAIRED, spec=SPEC)
    found = records(experiment, gp=[5.0] * 8, gan=[2.0] * 8)
    failed = record(experiment, "a009-gan", 0, {}, status="failed", note="out of memory", curves={}, steps_done=0)
    other = record(experiment, "a009-gp", 0, {"inception_score": 5.0, "frechet_distance": 1.0})
    (verdict,) = judge(Results(experiment, {**found, failed.id: failed, other.id: other}))
    assert (verdict.outcome, verdict.why) == ("inconclusive", f"run {failed.id} failed")


def test_without_a_pair_nothing_was_run(tmp_path):
    experiment = made(tmp_path, PAIRED, spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[5.0] * 8)))
    assert (verdict.outcome, verdict.checks[0].estimate) == ("not run", None)
    assert verdict.why == "no architecture has runs with gp and gan under profile paper"


def test_a_curve_near_the_published_one_everywhere_is_reproduced(tmp_path):
    experiment = made(tmp_path, CURVE.replace("0.4\n", "0.45\n"), spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[5.0] * 5 + [3.0] * 5)))
    # above 2: 10 of 10, of 0.9 at least 0.45 is left; above 4: 5 of 10, published half, between 0.05 and 0.95
    low, high = 0.45**10, sum(math.comb(10, k) * 0.05**k * 0.95 ** (10 - k) for k in range(5, 11))
    assert verdict.p_for == pytest.approx(max(low, high))
    assert (verdict.outcome, verdict.checks[0].interval) == ("reproduced", None)
    assert verdict.checks[0].estimate == pytest.approx(0.1)


def test_a_curve_far_from_the_published_one_anywhere_is_contradicted(tmp_path):
    experiment = made(tmp_path, CURVE, spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[1.0] * 10)))
    assert (verdict.outcome, verdict.p_for) == ("contradicted", 1.0)
    assert verdict.p_against == pytest.approx(2 * 0.5**10)
    assert verdict.checks[0].estimate == pytest.approx(-0.9)


def test_a_score_on_the_threshold_is_no_success(tmp_path):
    experiment = made(tmp_path, CURVE, spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[4.0] * 10)))
    assert verdict.checks[0].estimate == pytest.approx(-0.5)


def test_success_curves_by_hand():
    assert stats.success_curve_p([10], 10, [1.0], 0.5) == (0.5**10, 1.0)
    assert stats.success_curve_p([0], 10, [0.0], 0.5) == (0.5**10, 1.0)
    assert stats.success_curve_p([0, 10], 10, [1.0, 1.0], 0.5) == (1.0, 2 * 0.5**10)
    assert stats.success_curve_p([3, 9], 10, [0.5, 0.5], 0.6) == (0.0, 1.0)  # no rate lies outside


def test_a_published_share_of_a_sample_is_tested_as_one(tmp_path):
    """Of 4,000 published architectures it is nearly known; of 10 it is not, and nothing so near can be shown."""
    found = {}
    for n in (4000, 10):
        experiment = made(tmp_path, CURVE + f"published_n = {n}\n", name=f"of-{n}", spec=SPEC)
        (verdict,) = judge(Results(experiment, records(experiment, gp=[5.0] * 5 + [3.0] * 4 + [1.0])))
        found[n] = verdict.p_for
        each = [
            max(stats.rates_differ_p(k, 10, share, n, -0.4)[0], stats.rates_differ_p(k, 10, share, n, 0.4)[1])
            for k, share in ((9, 9 * n // 10), (5, n // 2))
        ]
        assert verdict.p_for == max(each)
    assert found[4000] < 0.01 < 0.02 < found[10]


def test_how_many_the_published_shares_are_of_is_part_of_a_claim(tmp_path):
    plain, sampled = (made(tmp_path, CURVE + more, spec=SPEC).claims[0] for more in ("", "published_n = 200\n"))
    assert claim_digest(plain) == "ac2a1cba78"
    assert claim_digest(sampled) != claim_digest(plain)


def test_mcnemar_asks_which_method_the_lone_successes_have(tmp_path):
    experiment = made(tmp_path, MCNEMAR, spec=SPEC)
    scores = records(experiment, gp=[5.0] * 9 + [3.0], gan=[1.0] * 7 + [5.0, 3.0, 5.0])
    (verdict,) = judge(Results(experiment, scores))
    assert (verdict.p_for, verdict.checks[0].estimate) == (10 / 2**9, 8 / 9)
    assert verdict.checks[0].estimate_of == "of the architectures above 3 with one method alone, share with gp"
    (alike,) = judge(Results(experiment, records(experiment, gp=[5.0] * 9, gan=[5.0] * 9)))
    assert (alike.outcome, alike.deciding.estimate, alike.p_for, alike.p_against) == ("inconclusive", None, 1.0, 1.0)


@pytest.mark.parametrize(
    ("below", "p_for", "p_against"),
    [(0.5, 1 / 2**8, 1.0), (0.6, 1.0, 1.0), (0.75, 1.0, 1 / 2**8)],
)
def test_a_negative_margin_allows_better_to_score_lower_by_so_much(tmp_path, below, p_for, p_against):
    experiment = made(tmp_path, PAIRED + "margin = -0.6\n", spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[3.0 - below] * 8, gan=[3.0] * 8)))
    assert (verdict.p_for, verdict.p_against) == (p_for, p_against)


def test_a_sign_test_counts_architectures_and_not_by_how_much(tmp_path):
    experiment = made(tmp_path, PAIRED.replace('"architectures"', '"architectures_sign"'), spec=SPEC)
    (verdict,) = judge(Results(experiment, records(experiment, gp=[2.1] * 9 + [1.0], gan=[2.0] * 9 + [9.0])))
    assert verdict.p_for == 11 / 2**10
    assert (verdict.checks[0].estimate, verdict.checks[0].estimate_of) == (
        0.9,
        "share of architectures that score higher with gp",
    )


@pytest.mark.parametrize(("claim", "enough"), [(PAIRED, 1), (MCNEMAR, 1), (CURVE, None)])
def test_reachable_counts_architectures(tmp_path, claim, enough):
    """Ten of them are enough for a paired claim, and too few for a curve whose margin is narrow."""
    experiment = made(tmp_path, claim.replace("within = 0.4", "within = 0.1"), spec=SPEC)
    assert [told[1:] for told in reachable(experiment, 1)] == [(enough is not None, enough)]
    assert [told[1:] for told in reachable(experiment, 0)] == [(False, enough)]


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (PAIRED.replace('worse = "gan"', 'worse = "gn"'), "no method 'gn'; did you mean 'gan'?"),
        (PAIRED.replace('worse = "gan"', 'worse = "gp"'), "better and worse are both 'gp'"),
        (MCNEMAR.replace('worse = "gan"', 'worse = "gp"'), "better and worse are both 'gp'"),
        (
            PAIRED.replace('worse = "gan"', 'worse = "lsgan"'),
            "profile 'paper' has no architecture with 'gp' and 'lsgan'",
        ),
        (PAIRED.replace("inception_score", "frechet_distance"), "'frechet_distance' is not better the higher it is"),
        (PAIRED.replace("inception_score", "inception"), "does not measure 'inception'; did you mean"),
        (PAIRED + "drift_at_most = 0.02\n", "drift_at_most: a claim about architectures has none"),
        (CURVE.replace("[0.9, 0.5]", "[0.9]"), "published: 1 shares for 2 thresholds; one each"),
    ],
)
def test_a_claim_speaks_of_what_there_is(tmp_path, claim, said):
    with pytest.raises(SpecError) as caught:
        made(tmp_path, claim, spec=SPEC)
    assert said in str(caught.value)
    assert len(caught.value.mistakes) == 1
