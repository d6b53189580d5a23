"""The table of `judge`: what pairs of runs settle, at known differences."""

import dataclasses

import pytest

from wganbench.analysis.judged import pairs as judging
from wganbench.analysis.judged.pairs import Pairs
from wganbench.spec.judged import Counted

EIGHT = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def pairs(candidate, reference=EIGHT, *, sign=1, within=0.05, target=None, planned=None):
    return Pairs(
        experiment="exp",
        variant="reference",
        profile="quick",
        measure="score",
        counted=Counted(within=within, target=target),
        sign=sign,
        candidate=tuple(candidate),
        reference=tuple(reference),
        n_planned=len(candidate) if planned is None else planned,
    )


def shifted(by):
    return [value + by for value in EIGHT]


@pytest.mark.parametrize(
    ("by", "sign", "judgement"),
    [
        (1.0, 1, "better"),
        (1.0, -1, "worse"),
        (-1.0, 1, "worse"),
        (-1.0, -1, "better"),
        (0.0, 1, "equivalent"),
        (0.04, 1, "equivalent"),
        (0.0501, 1, "better"),
        (0.05, 1, "open"),
    ],
)
def test_a_shift_of_every_seed_is_judged_against_the_margin(by, sign, judgement):
    (found,) = judging.judge([pairs(shifted(by), sign=sign)])
    assert found.judgement == judgement
    assert found.difference == pytest.approx(sign * by)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(sign * by)


def test_a_measure_with_a_target_counts_the_distance_from_it():
    above, below = [1.5 + value for value in EIGHT], [0.9 - value / 100 for value in EIGHT]
    (found,) = judging.judge([pairs(below, above, target=1.0)])
    assert found.judgement == "better"
    assert found.difference == pytest.approx(0.5 + 0.45 - 0.1 - 0.0045)


@pytest.mark.parametrize(("n", "planned"), [(4, 4), (7, 8), (0, 8)])
def test_too_few_pairs_and_a_missing_seed_leave_it_open(n, planned):
    (found,) = judging.judge([pairs(shifted(5.0)[:n], EIGHT[:n], planned=planned)])
    assert found.judgement == "open"


def test_the_tests_are_adjusted_over_the_rows_of_an_experiment():
    """Eight pairs give p = 1/256 at best: times six it is below 2.5 %, and times seven it is not."""
    assert {each.judgement for each in judging.judge([pairs(shifted(1.0))] * 6)} == {"better"}
    assert {each.judgement for each in judging.judge([pairs(shifted(1.0))] * 7)} == {"open"}


def test_rows_of_different_experiments_are_adjusted_apart():
    rows = [dataclasses.replace(pairs(shifted(1.0)), experiment=f"exp{place}") for place in range(7)]
    assert {each.judgement for each in judging.judge(rows)} == {"better"}


def test_a_diverged_run_counts_as_infinitely_bad_and_has_no_finite_difference():
    (found,) = judging.judge([pairs([*shifted(1.0)[:7], -float("inf")])])
    assert found.judgement == "open"
    assert found.difference is None


def test_a_diverged_run_without_a_value_is_as_far_from_a_target_as_can_be():
    """Its value is NaN, which the test of pairs would count as a tie."""
    far = [1.5 + value for value in EIGHT]
    (found,) = judging.judge([pairs([*[1.0] * 7, float("nan")], far, target=1.0)])
    assert found.judgement == "open"
    assert found.difference is None
    assert found.pairs.scores()[0][7] == -float("inf")


def test_a_table_has_a_line_for_each_row_with_its_numbers():
    (row,) = judging.table("mine", judging.judge([pairs(shifted(1.0))])).rows
    assert row.cells["judgement"] == "**better**"
    assert row.data["n"] == 8
    assert row.data["difference"] == pytest.approx(1.0)
