"""Claims that all of their runs leave open: which they are, and how many seeds would decide them, at what cost."""

from __future__ import annotations

import pytest

from tests.analysis.factory import CLAIMS, GOOD, SPEC, made, record, records
from wganbench.analysis.estimate import Speed, estimate
from wganbench.analysis.power import simulate
from wganbench.analysis.results import Results
from wganbench.analysis.undecided import undecided
from wganbench.analysis.verdict import judge
from wganbench.spec.plan import cohorts, expand

SPEED = Speed(None, "cpu", 1)
NEAR = {**GOOD, "sectors_occupied": (8, 7, 6, 7, 7, 8, 6, 8)}
"""Values of the worse side that are too near for a verdict with eight seeds."""
SAME = GOOD
"""Values with which no number of seeds would decide the claim."""
AGAIN = CLAIMS[: CLAIMS.index('[[claims]]\nid = "good-is-close"')].replace("good-beats-bad", "once-more")


def results_of(experiment, worse, *, n=8):
    found = [*records(experiment, "good", GOOD), *records(experiment, "bad", worse, n=n)]
    return Results(experiment, {each.id: each for each in found})


@pytest.fixture
def experiment(tmp_path):
    return made(tmp_path, CLAIMS)


def test_a_claim_without_a_verdict_says_how_many_seeds_would_decide_it_and_their_hours(experiment):
    results = results_of(experiment, NEAR)
    (found,) = undecided([results], SPEED)
    power = simulate(results, "paper")["good-beats-bad"]
    assert (found.claim.id, found.seeds) == ("good-beats-bad", 8)
    assert found.needed == power.needed and 8 < power.needed <= 32
    runs = expand(experiment, "paper", range(power.needed), ["good", "bad"])
    assert found.hours == estimate(cohorts(runs, experiment.stack), (), SPEED).hours_left > 0
    assert found.row()["needed"] == str(power.needed)


def test_a_claim_that_no_number_of_seeds_decides_says_so(experiment):
    (found,) = undecided([results_of(experiment, SAME)], SPEED)
    assert (found.needed, found.hours) == (None, None)
    assert [found.row()[key] for key in ("seeds", "needed", "time")] == ["8", "–", "–"]


def test_a_claim_that_lacks_runs_is_not_among_them(experiment):
    assert undecided([results_of(experiment, NEAR, n=7)], SPEED) == []


def test_a_settled_claim_is_not_among_them(experiment):
    assert undecided([results_of(experiment, {**GOOD, "sectors_occupied": (1,) * 8})], SPEED) == []


def test_a_claim_that_is_asked_again_is_not_among_them_and_neither_is_the_second_one(tmp_path):
    first = CLAIMS.replace('id = "good-beats-bad"', 'id = "good-beats-bad"\nrestated_as = ["once-more"]')
    later = AGAIN.replace('says = "', 'since = 2\nseeds = "10-17"\nsays = "once more, ')
    experiment = made(tmp_path, first, later, spec=SPEC.replace("version = 1", "version = 2"))
    assert undecided([results_of(experiment, NEAR)], SPEED) == [], "the later claim lacks runs"
    again = [
        record(experiment, variant, 10 + seed, {name: row[seed] for name, row in values.items()})
        for variant, values in (("good", GOOD), ("bad", NEAR))
        for seed in range(8)
    ]
    both = Results(experiment, {**results_of(experiment, NEAR).records, **{each.id: each for each in again}})
    assert {verdict.outcome for verdict in judge(both) if verdict.claim.id != "good-is-close"} == {"inconclusive"}
    assert undecided([both], SPEED) == []


def test_the_cheapest_comes_first_and_what_cannot_be_decided_last(tmp_path):
    every = [results_of(made(tmp_path, CLAIMS, name="same"), SAME), results_of(made(tmp_path, CLAIMS), NEAR)]
    assert [each.experiment for each in undecided(every, SPEED)] == ["made", "same"]
