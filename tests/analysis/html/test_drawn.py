"""Which numbers, lines and runs the strip plots of each test show."""

from __future__ import annotations

import pytest

from tests.analysis.factory import BAD, GOOD
from tests.analysis.shown import shown
from wganbench.analysis.html.drawn import charts_of

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
