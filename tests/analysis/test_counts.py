"""Claims that count the successes of one seed: what is counted, and when nothing is."""

from __future__ import annotations

import itertools
import math

import pytest

from tests.analysis.factory import made, record
from wganbench.analysis import power, stats
from wganbench.analysis.prospect import reachable
from wganbench.analysis.results import Results
from wganbench.analysis.verdict import judge
from wganbench.errors import SpecError

MORE = "[variants.good-b]\nn_critic = 3\n\n[variants.bad-b]\nn_critic = 4\n"
CLAIM = """
[[claims]]
id = "more"
says = "of two architectures, good trains more than bad"
test = "counts"
better = ["good", "good-b"]
worse = ["bad", "bad-b"]
criteria = [{ measure = "exact_wasserstein", at_most = 0.5 }]
margin = 0.5
seeds = "0-5"
"""
SIDES = ["good and 1 more", "bad and 1 more"]
NEAR, FAR = [0.1] * 6, [2.0] * 6


@pytest.fixture
def experiment(tmp_path):
    return made(tmp_path, MORE, CLAIM)


def verdict_of(experiment, changes=None, **values):
    """The verdict on records of these distances by variant, a seed each; ``changes`` are of single records."""
    made_records = [
        record(experiment, name, seed, {"exact_wasserstein": value}, **(changes or {}).get((name, seed), {}))
        for name, numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    (verdict,) = judge(Results(experiment, {each.id: each for each in made_records}))
    return verdict


def both(good, good_b, bad, bad_b):
    return {"good": good, "good-b": good_b, "bad": bad, "bad-b": bad_b}


def counts(verdict):
    (evidence,) = verdict.checks
    return [[unit.value for unit in evidence.units[side]] for side in SIDES]


def test_the_runs_of_each_seed_that_succeed_are_counted(experiment):
    mixed = [0.1, 2.0, 0.5, 0.6, 0.1, 0.1]  # 0.5 is a success
    verdict = verdict_of(experiment, **both(NEAR, mixed, FAR, [2.0, 0.1, 2.0, 2.0, 2.0, 2.0]))
    assert counts(verdict) == [[2, 1, 2, 1, 2, 2], [0, 1, 0, 0, 0, 0]]
    (evidence,) = verdict.checks
    expected = stats.permutation_p([2, 1, 2, 1, 2, 2], [0, 1, 0, 0, 0, 0], 0.5)
    assert (verdict.p_for, verdict.p_against) == expected
    assert evidence.estimate == pytest.approx(10 / 6 - 1 / 6)
    assert evidence.estimate_of == "mean number of runs that succeed with good and 1 more minus bad and 1 more"
    assert [unit.seed for unit in evidence.units[SIDES[0]]] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("good", "bad", "outcome"),
    [(NEAR, FAR, "reproduced"), (FAR, NEAR, "contradicted"), (NEAR, NEAR, "contradicted")],
)
def test_the_outcome_is_that_of_the_difference_beyond_the_margin(experiment, good, bad, outcome):
    assert verdict_of(experiment, **both(good, good, bad, bad)).outcome == outcome


def test_an_exact_p_value_is_the_share_of_the_permutations(experiment):
    verdict = verdict_of(experiment, **both(NEAR, NEAR, FAR, FAR))
    pooled = [2 - 0.5] * 6 + [0.0] * 6
    sums = [sum(pooled[i] for i in chosen) for chosen in itertools.combinations(range(12), 6)]
    assert verdict.p_for == pytest.approx(sum(each >= 9 for each in sums) / len(sums))


def test_a_diverged_run_does_not_succeed_and_a_failed_one_blocks_the_verdict(experiment):
    runs = both(NEAR, NEAR, FAR, FAR)
    verdict = verdict_of(experiment, {("good", 2): {"status": "diverged", "steps_done": 1}}, **runs)
    assert counts(verdict)[0] == [2, 2, 1, 2, 2, 2]
    assert (verdict.outcome, verdict.n_diverged) == ("reproduced", 1)
    verdict = verdict_of(experiment, {("good-b", 2): {"status": "failed", "steps_done": 1}}, **runs)
    assert math.isnan(counts(verdict)[0][2])
    assert (verdict.outcome, verdict.why.endswith(" failed")) == ("inconclusive", True)


def test_a_seed_counts_only_with_the_runs_of_all_variants_of_its_side(experiment):
    verdict = verdict_of(experiment, **both(NEAR, NEAR[:5], FAR, FAR))
    assert list(map(len, counts(verdict))) == [5, 6]
    assert (verdict.outcome, verdict.why) == ("inconclusive", "incomplete: 5 of 6 runs of good-b")
    verdict = verdict_of(experiment, **both(NEAR, [], FAR, FAR))
    assert (verdict.outcome, verdict.why) == ("not run", "no run of good-b under profile paper")


def test_its_seeds_can_be_enough_and_its_power_is_simulated(experiment):
    ((claim, reached, needed),) = reachable(experiment)
    assert (claim.id, reached, needed) == ("more", True, 5)  # 1 in 252 permutations
    found = [
        record(experiment, name, seed, {"exact_wasserstein": value})
        for name, numbers in both(NEAR, NEAR, FAR, FAR).items()
        for seed, value in enumerate(numbers)
    ]
    chances = power.simulate(Results(experiment, {each.id: each for each in found}), "paper")["more"]
    assert (chances.n, chances.unit, chances.n_runs) == (6, "seeds", 6)
    assert (chances.reproduced, chances.contradicted) == (1.0, 0.0)
    assert chances.without_effect is not None and chances.without_effect <= 0.05


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('worse = ["bad", "bad-b"]', 'worse = ["bad"]', "better has 2 variants and worse 1; as many are counted"),
        ('"bad", "bad-b"', '"bad", "good"', "variant 'good' is there twice; each is counted once"),
        ("margin = 0.5", "margin = 2.0", "margin: must be between -2 and 2, the most runs of a side, got 2"),
        ('"bad-b"]', '"bda-b"]', "no variant 'bda-b'; did you mean 'bad-b'?"),
        ("exact_wasserstein", "exact_wassersten", "does not measure 'exact_wassersten'; did you mean"),
        (", at_most = 0.5", "", "needs one of at_least, at_most"),
    ],
)
def test_what_cannot_be_counted_is_refused_at_load(tmp_path, old, new, line):
    with pytest.raises(SpecError) as caught:
        made(tmp_path, MORE, CLAIM.replace(old, new))
    assert line in str(caught.value)


def test_seconds_of_a_stack_cannot_be_counted(tmp_path):
    clock = "[measures.training_seconds]\n"
    with pytest.raises(SpecError, match=r"'training_seconds' reads the clock, .*, so no seed can be counted on it"):
        made(tmp_path, MORE, clock, CLAIM.replace("exact_wasserstein", "training_seconds"))
