"""Differences with known answers, and the smallest effect against published tables and simulated power."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from wganbench.analysis import tails
from wganbench.analysis.difference import POWER, compare_samples, detectable

SPREAD = (0.30, 0.32, 0.28, 0.35, 0.31, 0.29, 0.33, 0.30)
COUNTS = (8.0, 7.0, 8.0, 6.0, 7.0, 8.0, 5.0, 8.0)


def sample(values, first_seed=0, shift=0.0):
    return {first_seed + place: value + shift for place, value in enumerate(values)}


@pytest.mark.parametrize("bounded", [True, False])
def test_a_sample_is_equal_to_itself_and_nothing_is_tested(bounded):
    found = compare_samples(sample(SPREAD), sample(SPREAD), bounded=bounded)
    assert found.is_equal
    assert (found.test, found.estimate, found.p, found.detectable(0.05)) == ("", 0.0, 1.0, None)


def test_a_sample_without_pairs_is_equal_to_itself_too():
    found = compare_samples(sample(SPREAD), sample(SPREAD), bounded=False, in_pairs=False)
    assert (found.is_equal, found.is_paired, found.n) == (True, False, (8, 8))


def test_the_pairs_of_a_copy_that_lacks_a_seed_are_equal():
    rest = {seed: value for seed, value in sample(COUNTS).items() if seed < 3}
    found = compare_samples(sample(COUNTS), rest, bounded=True)
    assert (found.is_equal, found.is_paired, found.n) == (True, True, (3, 3))


def test_pairs_that_are_equal_beside_many_other_runs_are_found_equal_too():
    found = compare_samples({**sample(COUNTS), 98: 1.0}, {**sample(COUNTS), 99: 2.0}, bounded=True)
    assert (found.is_equal, found.n, found.p) == (True, (8, 8), 1.0)


def test_a_paired_t_test_is_scipy_s():
    noise = np.random.default_rng(0).normal(0.01, 0.02, 8)
    other = sample(np.array(SPREAD) + noise)
    found = compare_samples(sample(SPREAD), other, bounded=False)
    expected = scipy.stats.ttest_rel(list(sample(SPREAD).values()), list(other.values()))
    assert (found.test, found.is_paired, found.n) == ("paired t", True, (8, 8))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.estimate == pytest.approx(-noise.mean())
    assert found.error == pytest.approx(noise.std(ddof=1) / math.sqrt(8))
    assert not found.is_higher


def test_counts_are_paired_by_sign_flips_whose_smallest_p_is_two_signs_of_all():
    found = compare_samples(sample(COUNTS, shift=2), sample(COUNTS), bounded=True)
    assert (found.test, found.estimate, found.is_higher) == ("sign flips", 2.0, True)
    assert found.p == found.smallest_p == pytest.approx(2 / 2**8)


def test_without_a_common_seed_the_samples_are_compared_as_two():
    found = compare_samples(sample(SPREAD), sample(SPREAD, first_seed=100, shift=0.05), bounded=False)
    expected = scipy.stats.ttest_ind(SPREAD, np.array(SPREAD) + 0.05, equal_var=False)
    assert (found.test, found.is_paired, found.n) == ("Welch's t", False, (8, 8))
    assert found.p == pytest.approx(expected.pvalue)
    counts = compare_samples(sample(COUNTS), sample(COUNTS, first_seed=100, shift=4), bounded=True)
    assert counts.test == "permutation"
    assert counts.smallest_p == pytest.approx(2 / math.comb(16, 8))


def test_five_pairs_are_too_few_for_sign_flips_and_are_compared_as_two_samples():
    five = sample(COUNTS[:5])
    assert compare_samples(five, sample(COUNTS[:5], shift=1), bounded=True).test == "permutation"
    assert compare_samples(five, sample(COUNTS[:5], shift=1), bounded=False).test == "paired t"


@pytest.mark.parametrize(("first", "second"), [(4, 8), (8, 4), (0, 8)])
def test_fewer_than_five_units_are_not_tested(first, second):
    found = compare_samples(sample(SPREAD[:first]), sample(SPREAD[:second], first_seed=9), bounded=False)
    assert (found.test, found.n, found.p, found.detectable(0.05)) == ("", (first, second), 1.0, None)
    assert (found.estimate is None) == (first == 0)


def test_a_diverged_run_of_an_unbounded_measure_is_weighed_without_a_t_test():
    diverged = {**sample(SPREAD), 0: math.inf}
    found = compare_samples(diverged, sample(SPREAD, shift=-0.1), bounded=False)
    assert (found.test, found.estimate, found.is_higher) == ("sign flips", math.inf, True)
    assert found.p == pytest.approx(2 / 2**8)
    assert found.detectable(0.05) is None
    both = compare_samples(diverged, {**sample(SPREAD, shift=-0.1), 0: math.inf}, bounded=False)
    assert (both.estimate, both.is_higher) == (None, True)
    assert both.p == pytest.approx(4 / 2**8), "the pair of equal infinities is a tie, with either sign"


def test_constant_values_that_differ_are_found_and_have_no_detectable_effect():
    found = compare_samples(sample([1.0] * 8), sample([2.0] * 8), bounded=False)
    assert (found.p, found.estimate, found.detectable(0.05)) == (0.0, -1.0, None)
    counts = compare_samples(sample([1.0] * 8), sample([2.0] * 8), bounded=True)
    assert counts.p == pytest.approx(2 / 2**8)
    assert counts.detectable(0.05) is None


def test_where_the_smallest_p_is_above_the_level_no_effect_is_detectable():
    found = compare_samples(sample(COUNTS, shift=2), sample(COUNTS[::-1]), bounded=True)
    assert found.detectable(0.05 / 7) == math.inf
    assert found.detectable(0.05) < math.inf


# ---- the smallest effect --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "freedom", "effect"),
    [
        (1 / math.sqrt(34), 33, 0.5),  # the tables of Cohen (1988): 34 pairs, or 64 units a side, for d = 0.5
        (math.sqrt(2 / 64), 126, 0.5),
        (math.sqrt(2 / 26), 50, 0.8),  # and 26 a side for d = 0.8
    ],
)
def test_the_smallest_effect_is_that_of_published_tables(error, freedom, effect):
    assert detectable(error, freedom, 0.05) == pytest.approx(effect, rel=0.02)


def test_with_many_units_the_multiplier_is_that_of_the_normal_distribution():
    expected = scipy.stats.norm.isf(0.025) + scipy.stats.norm.isf(0.2)
    assert detectable(1.0, 1e6, 0.05) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("n", "level"), [(5, 0.05), (8, 0.05), (8, 0.05 / 30)])
def test_a_simulated_t_test_finds_the_smallest_effect_with_80_percent_chance(n, level):
    effect = detectable(1 / math.sqrt(n), n - 1, level)
    values = np.random.default_rng(0).normal(effect, 1, (20_000, n))
    found = scipy.stats.ttest_1samp(values, 0.0, axis=1).pvalue <= level
    assert found.mean() == pytest.approx(POWER, abs=0.012)  # four standard errors


@pytest.mark.parametrize("n", [8, 10])
def test_simulated_sign_flips_find_it_a_little_less_often(n):
    effect = detectable(1 / math.sqrt(n), n - 1, 0.05)
    values = np.random.default_rng(0).normal(effect, 1, (2_000, n))
    above, below = tails._paired(values)
    assert 0.72 < (2 * np.minimum(above, below) <= 0.05).mean() < 0.83
