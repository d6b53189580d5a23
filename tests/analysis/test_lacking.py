"""Claims that lack runs: how many, what they cost, and in which order."""

from __future__ import annotations

from tests.analysis.factory import CLAIMS, GOOD, SPEC, made, records
from wganbench.analysis.estimate import Speed, estimate
from wganbench.analysis.lacking import lacking
from wganbench.spec.plan import cohorts, expand

SPEED = Speed(None, "cpu", 1)
MORE = """
[[claims]]
id = "bad-is-close"
says = "bad comes within 1.0 of the data"
test = "t"
measure = "exact_wasserstein"
variant = "bad"
at_most = 1.0
"""


def of(experiment, recorded=()):
    return [(each.claim.id, each.runs, each.left) for each in lacking([experiment], set(recorded), SPEED)]


def test_claims_lack_the_runs_that_are_not_recorded_the_cheapest_first(tmp_path):
    experiment = made(tmp_path, CLAIMS)
    assert of(experiment) == [("good-is-close", 8, 8), ("good-beats-bad", 16, 16)]
    good = [record.id for record in records(experiment, "good", GOOD)]
    assert of(experiment, good[:7]) == [("good-is-close", 8, 1), ("good-beats-bad", 16, 9)]
    assert of(experiment, good) == [("good-beats-bad", 16, 8)]
    every = [run.id for run in expand(experiment, "paper", range(8))]
    assert of(experiment, every) == []


def test_the_hours_are_those_of_the_plan_of_its_runs(tmp_path):
    experiment = made(tmp_path, CLAIMS)
    planned = cohorts(expand(experiment, "paper", range(8), ["good"]), experiment.stack)
    one, both = lacking([experiment], set(), SPEED)
    assert one.hours == estimate(planned, set(), SPEED).hours_left > 0
    assert both.hours > 2 * one.hours, "bad has two critic steps"


def test_a_claim_of_unknown_cost_comes_last(tmp_path):
    experiment = made(tmp_path, CLAIMS + MORE, overrides=["variants.good.critic=a.b:c"])
    found = lacking([experiment], set(), SPEED)
    assert [each.claim.id for each in found] == ["bad-is-close", "good-beats-bad", "good-is-close"]
    assert found[-1].row()["time"] == "unknown"


def test_claims_that_no_longer_count_need_no_runs(tmp_path):
    end = '\n[claims.superseded]\nversion = 2\nreason = "it asked the wrong question"\n'
    experiment = made(tmp_path, CLAIMS + end, spec=SPEC.replace("version = 1", "version = 2"))
    assert of(experiment) == [("good-beats-bad", 16, 16)]
