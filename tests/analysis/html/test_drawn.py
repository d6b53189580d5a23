"""Which numbers, lines and runs the strip plots of each test show."""

from __future__ import annotations

import pytest

from tests.analysis.factory import BAD, GOOD, made
from tests.analysis.shown import shown
from wganbench.analysis.evidence import Evidence, Unit
from wganbench.analysis.html.drawn import charts_of
from wganbench.analysis.stats import Interval
from wganbench.spec import Claim

OTHER_TESTS = """
[[claims]]
id = "pairs"
says = "good is closer than bad by 1, seed by seed"
role = "secondary"
test = "paired"
measure = "exact_wasserstein"
better = "good"
worse = "bad"
margin = 1.0

[[claims]]
id = "equal"
says = "good is at 0.3"
role = "secondary"
test = "tost"
measure = "exact_wasserstein"
variant = "good"
equals = 0.3
within = 0.1

[[claims]]
id = "alike"
says = "good and bad are alike"
role = "secondary"
test = "paired_equivalence"
measure = "sectors_occupied"
first = "good"
second = "bad"
within = 2.0
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    found = shown(tmp_path_factory.mktemp("drawn"), OTHER_TESTS)
    return {
        evidence.check.id: (evidence, charts_of(found.experiments[0], evidence, found.records))
        for verdict in found.verdicts["made"]
        for evidence in verdict.checks
    }


def values(strip):
    return [dot.value for dot in strip.dots if not dot.at_edge]


def lines(chart):
    every = [*chart.lines, *(line for strip in chart.strips for line in strip.lines)]
    return [(line.kind, round(line.value, 9)) for line in every]


def test_a_comparison_shows_every_run_and_the_difference_it_decides_on(drawn):
    evidence, (each, difference) = drawn["good-beats-bad"]
    good, bad = each.strips
    assert values(good) == list(GOOD["sectors_occupied"])
    assert values(bad) == list(BAD["sectors_occupied"][:7])
    (lost,) = [dot for dot in bad.dots if dot.at_edge]
    assert lost.at_edge == -1  # more sectors are better
    assert lost.text.startswith("seed 7: diverged, counts as 0 (bad-")
    assert (good.label, bad.label) == ("good: 8 runs", "bad: 8 runs, 1 diverged")
    assert lines(each) == [("published", 7.5)] and good.lines and not bad.lines
    (strip,) = difference.strips
    assert (strip.centre, strip.interval) == (evidence.estimate, evidence.interval)
    assert lines(difference) == [("zero", 0.0)]


def test_a_level_shows_its_bound_and_its_interval_among_the_runs(drawn):
    evidence, (chart,) = drawn["good-is-close"]
    (strip,) = chart.strips
    assert values(strip) == list(GOOD["exact_wasserstein"])
    assert strip.interval == evidence.interval and strip.centre == pytest.approx(0.31)
    assert lines(chart) == [("bound", 1.0)]
    assert strip.dots[3].text == f"seed 3: 0.35 ({strip.dots[3].run})"


def test_a_run_that_counts_as_infinite_lies_at_the_right_where_less_is_better(drawn):
    _, (chart,) = drawn["bad-is-close"]
    assert [dot.at_edge for dot in chart.strips[0].dots] == [0] * 7 + [1]
    assert "diverged, counts as inf" in chart.strips[0].dots[7].text


def test_a_success_shows_the_measure_of_each_criterion_and_the_share_of_successes(drawn):
    evidence, (criterion, share) = drawn["bad-succeeds"]
    assert values(criterion.strips[0]) == list(BAD["sectors_occupied"][:7])
    assert lines(criterion) == [("bound", 7.0)]
    assert share.strips[0].centre == evidence.estimate == 0.0
    assert lines(share) == [("bound", 0.5), ("zero", 0.0), ("zero", 1.0)]


def test_a_paired_test_shows_the_difference_of_each_seed_in_the_direction_of_the_claim(drawn):
    evidence, (_, difference) = drawn["pairs"]
    (strip,) = difference.strips
    wanted = [b - g for g, b in zip(GOOD["exact_wasserstein"], BAD["exact_wasserstein"], strict=True)][:7]
    assert values(strip) == pytest.approx(wanted)
    assert strip.dots[7].at_edge == 1  # a diverged run of bad is infinitely farther
    assert lines(difference) == [("zero", 0.0), ("bound", 1.0)]
    assert evidence.estimate_of in strip.label


def test_an_equality_shows_the_source_s_value_between_its_margins(drawn):
    _, (chart,) = drawn["equal"]
    assert lines(chart) == [("published", 0.3), ("bound", 0.2), ("bound", 0.4)]


def test_an_equivalence_shows_its_margins_on_both_sides_of_no_difference(drawn):
    _, (_, difference) = drawn["alike"]
    assert lines(difference) == [("zero", 0.0), ("bound", -2.0), ("bound", 2.0)]
    assert values(difference.strips[0])[:2] == [7.0, 5.0]


def test_a_check_that_was_not_run_has_no_plot(drawn):
    evidence, charts = drawn["good-is-quick"]
    assert evidence.missing and charts == []


# ---- random architectures -------------------------------------------------------------------------------------------


def over_architectures(folder, fields, **scores):
    """The strip plots of a check of architectures, each with one score for each of its methods."""
    claim = Claim.model_validate({"id": "c", "says": "it holds", "measure": "sectors_occupied", **fields})
    (check,) = claim.checks
    units = {
        method: tuple(Unit(f"{method}-{place}", place, "finished", score) for place, score in enumerate(some))
        for method, some in scores.items()
    }
    interval = Interval(0.1, 0.9, 0.95, "share, Wilson")
    about = {"missing": "", "why": "", "estimate_of": "e", "p_for": 1.0, "p_against": 1.0, "post_hoc": False}
    experiment = made(folder)
    settings = dict.fromkeys(scores, experiment.setting("good", "paper"))
    evidence = Evidence(check=check, estimate=0.5, interval=interval, units=units, settings=settings, **about)
    return charts_of(experiment, evidence, {})


def test_architectures_are_shown_by_their_place_and_the_share_that_mcnemar_s_test_decides_on(tmp_path):
    fields = {"test": "mcnemar", "better": "one", "worse": "two", "threshold": 3.0}
    each, share = over_architectures(tmp_path, fields, one=[1.0, 4.0], two=[2.0, 5.0])
    assert [values(strip) for strip in each.strips] == [[1.0, 4.0], [2.0, 5.0]]
    assert each.strips[0].label == "one: 2 architectures"
    assert each.strips[1].dots[1].text == "a001: 5 (two-1)"
    assert lines(each) == [("bound", 3.0)]
    assert (share.strips[0].centre, share.strips[0].interval.high) == (0.5, 0.9)
    assert lines(share) == [("bound", 0.5), ("zero", 0.0), ("zero", 1.0)]


def test_each_architecture_s_difference_is_shown_where_their_mean_decides(tmp_path):
    fields = {"test": "architectures", "better": "one", "worse": "two", "margin": 0.5}
    _, difference = over_architectures(tmp_path, fields, one=[1.0, 4.0], two=[2.0, 1.0])
    assert values(difference.strips[0]) == [-1.0, 3.0]
    assert lines(difference) == [("zero", 0.0), ("bound", 0.5)]


def test_a_success_curve_shows_the_share_above_each_threshold_beside_the_published_one(tmp_path):
    fields = {
        "test": "success_curve",
        "method": "one",
        "thresholds": [1.0, 2.0],
        "published": [0.8, 0.4],
        "within": 0.1,
    }
    each, curve = over_architectures(tmp_path, fields, one=[1.0, 1.5, 2.5, 3.0])
    assert lines(each) == [("bound", 1.0), ("bound", 2.0)] and each.strips[0].interval is None
    assert [strip.centre for strip in curve.strips] == [0.75, 0.5]
    assert lines(curve)[:3] == [("published", 0.8), ("bound", 0.7), ("bound", 0.9)]
