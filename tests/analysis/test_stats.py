"""Known answers for every interval and p-value."""

import math
from itertools import combinations

import numpy as np
import pytest
import scipy.stats

from wganbench.analysis import stats

INF = math.inf
LOW = [1.0, 2.0, 3.0, 4.0, 5.0]
HIGH = [6.0, 7.0, 8.0, 9.0, 10.0]
NOISY = [0.3, -1.2, 2.4, 0.9, -0.5, 1.7, 0.1, 3.3]


# ---- intervals ------------------------------------------------------------------------------------------------------


def test_student_interval_of_one_to_five_is_the_textbook_one():
    interval = stats.student_interval(LOW)
    half = 2.776445 * math.sqrt(2.5 / 5)
    assert (interval.low, interval.high, interval.level) == pytest.approx((3 - half, 3 + half, 0.95), rel=1e-6)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, INF]])
def test_no_student_interval_of_one_value_or_an_infinite_one(values):
    assert stats.student_interval(values) is None


def test_intervals_without_spread_are_points():
    assert stats.student_interval([0.1 + 0.2, 0.3, 0.3]).low == pytest.approx(0.3)
    assert stats.welch_interval([2.0] * 5, [1.5] * 5) == stats.Interval(
        0.5, 0.5, 0.95, "difference of means, Welch's t"
    )


@pytest.mark.parametrize(
    ("n", "rank", "level"),
    [(2, 1, 0.5), (5, 1, 1 - 2 / 32), (6, 1, 1 - 2 / 64), (8, 1, 1 - 2 / 256), (9, 2, 1 - 20 / 512), (20, 6, 0.9586)],
)
def test_median_interval_lies_between_order_statistics_and_states_its_coverage(n, rank, level):
    interval = stats.median_interval(list(range(n, 0, -1)))
    assert (interval.low, interval.high) == (rank, n + 1 - rank)
    assert interval.level == pytest.approx(level, abs=5e-5)


@pytest.mark.parametrize("n", [6, 7, 12, 25])
def test_median_interval_is_that_of_scipy(n):
    values = np.random.default_rng(n).normal(size=n)
    theirs = scipy.stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    ours = stats.median_interval(values)
    assert (ours.low, ours.high) == (theirs.low, theirs.high)


def test_median_interval_keeps_an_infinite_end():
    assert stats.median_interval([1.0, 2.0, 3.0, INF, 2.0]).high == INF


@pytest.mark.parametrize(("successes", "low", "high"), [(8, 0.6756, 1.0), (0, 0.0, 0.3244), (4, 0.2152, 0.7848)])
def test_wilson_interval_of_eight_runs(successes, low, high):
    interval = stats.wilson_interval(successes, 8)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)


def test_welch_interval_is_that_of_scipy():
    theirs = scipy.stats.ttest_ind(NOISY, LOW, equal_var=False).confidence_interval(0.95)
    ours = stats.welch_interval(NOISY, LOW)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_permutation_interval_of_two_and_two_is_worked_by_hand():
    # {1, 4} against {0, 2}: one swap gives 1-0, 1-2, 4-0, 4-2; both give ((1+4)-(0+2))/2: -1, 1, 1.5, 2, 4
    interval = stats.permutation_interval([1.0, 4.0], [0.0, 2.0])
    assert (interval.low, interval.high) == (-1.0, 4.0)
    assert interval.level == pytest.approx(1 - 2 / 6)


def test_paired_interval_of_three_pairs_is_worked_by_hand():
    interval = stats.paired_interval([1.0, 2.0, 6.0], [0.0, 0.0, 0.0])  # means of subsets: from 1 to 6
    assert (interval.low, interval.high, interval.level) == (1.0, 6.0, pytest.approx(1 - 2 / 8))


@pytest.mark.parametrize(
    ("interval_of", "test"),
    [(stats.permutation_interval, stats.permutation_p), (stats.paired_interval, stats.paired_p)],
)
def test_exact_intervals_hold_the_margins_that_their_test_does_not_reject(interval_of, test):
    better, worse = NOISY[:7], [0.2, -0.4, -2.1, 0.8, -1.6, -0.3, -3.0]
    interval = interval_of(better, worse)
    assert interval.level >= 0.95
    step = 1e-6
    assert test(better, worse, interval.low - step)[0] <= 0.025 < test(better, worse, interval.low + step)[0]
    assert test(better, worse, interval.high + step)[1] <= 0.025 < test(better, worse, interval.high - step)[1]


def test_intervals_beyond_exact_reach_are_near_the_normal_ones():
    rng = np.random.default_rng(0)
    better, worse = rng.normal(1.0, size=30), rng.normal(size=30)
    welch = stats.welch_interval(better, worse)
    for interval in (stats.permutation_interval(better, worse), stats.paired_interval(better, worse)):
        assert (interval.low, interval.high) == pytest.approx((welch.low, welch.high), abs=0.1)
        assert interval.level == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize("interval_of", [stats.permutation_interval, stats.paired_interval, stats.welch_interval])
@pytest.mark.parametrize("better", [[1.0], [1.0, INF]])
def test_no_interval_of_a_difference_from_one_value_or_an_infinite_one(interval_of, better):
    assert interval_of(better, [0.0] * len(better)) is None


# ---- permutations and sign flips ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [5, 8])
def test_separated_samples_have_one_in_the_number_of_permutations(n):
    better, worse = np.arange(n) + 100.0, np.arange(n)
    assert stats.permutation_p(better, worse) == (1 / math.comb(2 * n, n), 1.0)
    assert stats.permutation_p(worse, better) == (1.0, 1 / math.comb(2 * n, n))


def test_separation_of_identical_values_counts_too():
    assert stats.permutation_p([8.0] * 8, [1.0] * 8) == (1 / 12870, 1.0)


@pytest.mark.parametrize(
    ("margin", "p_for", "p_against"),
    [(0.9, 1, 252), (1.0, 2, 252), (10.0, 252, 1)],
)
def test_margin_is_taken_from_the_better_sample(margin, p_for, p_against):
    # LOW ends at 5 and HIGH begins at 6: at a margin of 1 the two meet, and swapping the 5s is a tie
    assert stats.permutation_p(HIGH, LOW, margin) == (p_for / 252, p_against / 252)


def test_margin_that_is_just_met_is_in_the_middle():
    null = [sum(part) for part in combinations([*LOW, *LOW], 5)]
    at_least_half = sum(total >= sum(LOW) for total in null) / 252
    assert stats.permutation_p(HIGH, LOW, 5.0) == (at_least_half, at_least_half)
    assert at_least_half > 0.5


@pytest.mark.parametrize("unit", [1.0, 0.1, 1e-9, 1e9])
def test_rounding_breaks_no_ties(unit):
    sums, literals = [(0.1 + 0.2) * unit] * 5, [0.3 * unit] * 5  # 0.30000000000000004 and 0.3
    assert stats.permutation_p(sums, literals) == (1.0, 1.0)
    assert stats.paired_p(sums, [0.2 * unit] * 5, 0.1 * unit) == (1.0, 1.0)
    assert stats.sign_p(sums, 0.3 * unit) == (1.0, 1.0)


def test_ties_between_sums_are_counted():
    # 0.1 + 0.2 is no 0.3 in binary, but {0, 0.3} and {0.1, 0.2} tie: 4 of the 6 sums reach 0.3
    assert stats.permutation_p([0.0, 0.3], [0.1, 0.2]) == (4 / 6, 4 / 6)
    assert stats.permutation_p([0.1, 0.2], [0.0, 0.3]) == (4 / 6, 4 / 6)


def test_more_runs_than_exact_reach_are_drawn_and_the_same_each_time():
    rng = np.random.default_rng(0)
    better, worse = rng.normal(0.6, size=15), rng.normal(size=15)
    p_for, p_against = stats.permutation_p(better, worse)
    assert p_for == pytest.approx(scipy.stats.ttest_ind(better, worse, alternative="greater").pvalue, abs=0.01)
    assert p_for + p_against == pytest.approx(1, abs=2 / stats.RESAMPLES)
    assert stats.permutation_p(better, worse) == (p_for, p_against)
    assert stats.permutation_p(better + 100, worse)[0] == 1 / (stats.RESAMPLES + 1)


def test_signs_of_one_sided_values_have_a_half_to_the_n():
    assert stats.sign_p(HIGH, 5.5) == (1 / 32, 1.0)
    assert stats.sign_p(LOW, 5.5) == (1.0, 1 / 32)
    assert stats.sign_p([1.0] * 8, 0.0) == (1 / 256, 1.0)


def test_a_value_on_the_bound_is_no_evidence():
    assert stats.sign_p([1.0, 1.0, 1.0, 1.0, 0.0], 0.0) == (6 / 32, 1.0)


def test_pairs_are_judged_by_their_differences():
    base = np.array([0.0, 100.0, -50.0, 7.0, 3.0, 20.0])
    assert stats.paired_p(base + 1.1, base, 1.0) == (1 / 64, 1.0)
    assert stats.paired_p(base + 0.9, base, 1.0) == (1.0, 1 / 64)
    assert stats.permutation_p(base + 1.1, base, 1.0)[0] > 0.4


@pytest.mark.parametrize("seed", range(5))
def test_an_infinite_loss_never_helps_its_own_side(seed):
    rng = np.random.default_rng(seed)
    better, worse = rng.normal(1.0, size=6), rng.normal(size=6)
    diverged, others = np.r_[-INF, better[1:]], np.r_[-INF, worse[1:]]
    assert stats.permutation_p(diverged, worse)[0] >= stats.permutation_p(better, worse)[0]
    assert stats.permutation_p(better, others)[0] <= stats.permutation_p(better, worse)[0]
    assert stats.paired_p(diverged, worse)[0] >= stats.paired_p(better, worse)[0]
    assert stats.sign_p(diverged, 0.0)[0] >= stats.sign_p(better, 0.0)[0]


def test_infinite_values_are_one_range_beyond_the_farthest():
    finite = stats.permutation_p([2.0, 3.0, 4.0], [-4.0, 0.0, 1.0])  # finite values from 0 to 4
    assert stats.permutation_p([2.0, 3.0, 4.0], [-INF, 0.0, 1.0]) == finite
    assert stats.sign_p([2.0, 3.0, -INF, 1.0], 0.0) == stats.sign_p([2.0, 3.0, -3.0, 1.0], 0.0)


def test_all_diverged_on_one_side_separates_and_on_both_sides_ties():
    assert stats.permutation_p([1.0] * 5, [-INF] * 5, 3.0) == (1 / 252, 1.0)
    assert stats.permutation_p([-INF] * 5, [-INF] * 5, 3.0) == (1.0, 1.0)
    assert stats.paired_p([-INF] * 5, [-INF] * 5, 3.0) == (1.0, 1.0)


# ---- equivalence of pairs -------------------------------------------------------------------------------------------

BASE = np.array([0.0, 100.0, -50.0, 7.0, 3.0, 20.0, -8.0, 0.5])


@pytest.mark.parametrize("n", [5, 6, 8])
def test_equal_pairs_are_equivalent_within_any_margin(n):
    for within in (1e-6, 0.3, 1e6):
        assert stats.paired_equivalence_p(BASE[:n], BASE[:n], within) == (2.0**-n, 1.0)


@pytest.mark.parametrize(
    ("differences", "tails"),
    [
        ([0.9, -0.9, 0.5, 0.0, -0.2], (1, 32)),  # all within 1
        ([1.1] * 5, (32, 1)),  # all beyond it above
        ([-1.1] * 5, (32, 1)),  # and below
        ([1.0] * 5, (32, 32)),  # just at it
        ([-1.0] * 5, (32, 32)),
        ([1.6, 0.0, 0.0, 0.0, 0.0], (2, 31)),  # from the margin {0.6, -1, -1, -1, -1}: 0.6 flipped alone is lower
        ([-1.6, 0.0, 0.0, 0.0, 0.0], (2, 31)),  # and mirrored
        ([3.0, 3.0, 3.0, 3.0, 0.0], (31, 2)),  # from the margin {2, 2, 2, 2, -1}: -1 flipped alone is higher
    ],
)
def test_equivalence_of_five_pairs_has_counted_sign_flips(differences, tails):
    n = len(differences)
    p_for, p_against = stats.paired_equivalence_p(BASE[:n] + differences, BASE[:n], 1.0)
    assert (p_for * 32, p_against * 32) == pytest.approx(tails)


def test_a_difference_at_the_margin_by_rounding_is_at_it():
    assert stats.paired_equivalence_p([0.1 + 0.2] * 6, [0.2] * 6, 0.1) == (1.0, 1.0)


@pytest.mark.parametrize("n", [7, 16, 20])  # 2^16 flips are taken all, 2^20 drawn
@pytest.mark.parametrize("within", [0.2, 1.5])
def test_equivalence_is_the_same_with_first_and_second_swapped(n, within):
    rng = np.random.default_rng(n)
    first, second = rng.normal(0.7, 1.0, size=n), rng.normal(size=n)
    first[0] = second[1] = INF
    tails = stats.paired_equivalence_p(first, second, within)
    assert tails == stats.paired_equivalence_p(second, first, within)
    assert 0 < min(tails) < max(tails) <= 1


def test_sixteen_pairs_are_exact():
    nearly = np.r_[[0.0] * 15, 1.5]  # from the margin 15 of -1 and a 0.5: 0.5 flipped alone is lower
    assert stats.paired_equivalence_p(nearly, np.zeros(16), 1.0) == (2 / 2**16, 1 - 1 / 2**16)


@pytest.mark.parametrize("shift", np.linspace(-6.0, 6.0, 25))
@pytest.mark.parametrize("within", [0.05, 2.6])
def test_equivalence_is_found_just_when_the_interval_lies_inside_and_refused_just_when_outside(shift, within):
    first, second = np.array(NOISY) + shift, np.zeros(8)
    interval = stats.paired_interval(first, second)
    assert interval.level >= 0.95
    p_for, p_against = stats.paired_equivalence_p(first, second, within)
    assert (p_for <= 0.025) == (-within < interval.low and interval.high < within)
    assert (p_against <= 0.025) == (interval.low > within or interval.high < -within)


def test_infinite_pairs_are_no_evidence_and_infinite_differences_are_against_equivalence():
    base = [0.0] * 8
    assert stats.paired_equivalence_p([INF] * 8, [INF] * 8, 1.0) == (1.0, 1.0)
    assert stats.paired_equivalence_p([INF, *base[1:]], [INF, *base[1:]], 1.0) == (2 / 256, 1.0)  # its sign is idle
    _, against = stats.paired_equivalence_p([2.0, *base[1:]], base, 1.0)  # as far above the margin as 0 is below
    assert stats.paired_equivalence_p([INF, *base[1:]], base, 1.0) == (1.0, against)
    assert stats.paired_equivalence_p([2.0, *base[1:]], base, 1.0)[0] == 9 / 256
    assert stats.paired_equivalence_p([INF] * 8, base, 1.0) == (1.0, 1 / 256)
    assert stats.paired_equivalence_p([-INF] * 8, base, 1.0) == (1.0, 1 / 256)


# ---- the t family ---------------------------------------------------------------------------------------------------


def test_t_and_welch_are_those_of_scipy():
    one = scipy.stats.ttest_1samp(NOISY, 0.5, alternative="greater").pvalue
    two = scipy.stats.ttest_ind(np.array(NOISY) - 0.5, LOW, equal_var=False, alternative="greater").pvalue
    assert stats.t_p(NOISY, 0.5) == pytest.approx((one, 1 - one))
    assert stats.welch_p(NOISY, LOW, 0.5) == pytest.approx((two, 1 - two))


def test_welch_of_one_constant_sample_is_a_one_sample_t():
    assert stats.welch_p(NOISY, [0.5] * 6) == pytest.approx(stats.t_p(NOISY, 0.5))


@pytest.mark.parametrize(("bound", "tails"), [(0.2, (0.0, 1.0)), (0.3, (1.0, 1.0)), (0.4, (1.0, 0.0))])
def test_without_spread_the_side_decides_and_the_bound_itself_does_not(bound, tails):
    values = [0.3, 0.1 + 0.2, 0.3, 0.3, 0.3]
    assert stats.t_p(values, bound) == tails
    assert stats.welch_p(values, [0.0] * 5, bound) == tails


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0, INF], [1.0, 2.0, -INF]])
def test_t_cannot_decide_on_one_value_or_an_infinite_one(values):
    assert stats.t_p(values, 0.0) == (1.0, 1.0)
    assert stats.welch_p(LOW, values) == (1.0, 1.0)
    assert stats.tost_p(values, 1.0, 10.0) == (1.0, 1.0)


def test_tost_takes_the_worse_side_for_and_the_better_side_against():
    below, above = stats.t_p(LOW, 2.5 - 1.0), stats.t_p(LOW, 2.5 + 1.0)
    assert stats.tost_p(LOW, 2.5, 1.0) == (max(below[0], above[1]), min(below[1], above[0]))
    assert stats.tost_p(LOW, 3.0, 5.0)[0] == pytest.approx(scipy.stats.t.sf(5 / math.sqrt(0.5), 4))


def test_a_noisy_sample_whose_interval_holds_the_value_is_not_equal_to_it():
    noisy = [0.0, 6.0, 9.0, 15.0, 8.0]
    interval = stats.student_interval(noisy)
    assert interval.low < 7.86 < interval.high
    assert stats.tost_p(noisy, 7.86, 0.3)[0] > 0.3


@pytest.mark.parametrize("equals", np.linspace(3.0, 8.0, 26))
@pytest.mark.parametrize("within", [0.1, 1.0])
def test_tost_contradicts_just_when_the_interval_lies_wholly_outside(equals, within):
    interval = stats.student_interval(LOW)
    outside = interval.high < equals - within or interval.low > equals + within
    assert (stats.tost_p(LOW, equals, within)[1] <= 0.025) == outside


@pytest.mark.parametrize(("equals", "tails"), [(1.05, (0.0, 1.0)), (1.1, (1.0, 1.0)), (1.3, (1.0, 0.0))])
def test_tost_without_spread(equals, tails):
    assert stats.tost_p([1.0] * 5, equals, 0.1) == tails


# ---- counts, Holm, the smallest p -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "rate", "tails"),
    [(8, 0.5, (1 / 256, 1.0)), (0, 0.5, (1.0, 1 / 256)), (7, 0.5, (9 / 256, 255 / 256)), (2, 0.9, (1.0, 2.341e-5))],
)
def test_binomial_tails_of_eight_runs(successes, rate, tails):
    assert stats.binomial_p(successes, 8, rate) == pytest.approx(tails, rel=1e-3)


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # the usual worked example
        ([0.01, 0.01, 0.01], [0.03, 0.03, 0.03]),
        ([0.5, 1.0, 0.9], [1.0, 1.0, 1.0]),
        ([0.001, 1.0, 1.0], [0.003, 1.0, 1.0]),
        ([0.02], [0.02]),
        ([], []),
    ],
)
def test_holm(raw, adjusted):
    assert stats.holm(raw) == pytest.approx(adjusted)


@pytest.mark.parametrize(
    ("test", "sizes", "p"),
    [
        ("permutation", (8, 8), 1 / 12870),
        ("permutation", (5, 6), 1 / 462),
        ("permutation", (5000, 5000), 1 / (stats.RESAMPLES + 1)),
        ("paired", (8, 6), 1 / 64),
        ("paired_equivalence", (8, 6), 1 / 64),
        ("paired_equivalence", (16, 16), 1 / 2**16),
        ("paired_equivalence", (17, 20), 1 / (stats.RESAMPLES + 1)),
        ("sign", (5,), 1 / 32),
        ("binomial", (5,), 0.7**5),
        ("welch", (5, 5), 0.0),
        ("t", (5,), 0.0),
        ("tost", (5,), 0.0),
    ],
)
def test_smallest_p(test, sizes, p):
    assert stats.smallest_p(test, *sizes, rate=0.7) == pytest.approx(p, rel=1e-12)


# ---- rates of two samples, McNemar ----


@pytest.mark.parametrize(
    ("successes", "n", "others", "n_others", "margin"),
    [
        (10, 20, 5, 30, 0.15),
        (109, 200, 120, 200, -0.15),
        (3, 10, 199, 200, -0.15),
        (0, 20, 0, 20, 0.15),
        (7, 7, 9, 9, -0.2),
    ],
)
def test_the_rates_of_the_score_test_are_the_likeliest_that_differ_by_the_margin(
    successes, n, others, n_others, margin
):
    def log_likelihood(rate):
        first, second = scipy.stats.binom(n, rate + margin), scipy.stats.binom(n_others, rate)
        return first.logpmf(successes) + second.logpmf(others)

    first, second = stats._rates_apart(successes / n, others / n_others, n_others / n, margin)
    assert first - second == pytest.approx(margin)
    grid = np.linspace(max(0.0, -margin), min(1.0, 1.0 - margin), 2001)
    assert log_likelihood(second) >= log_likelihood(grid).max() - 1e-9


def test_the_score_test_by_hand():
    """Equal halves and a margin of 0.2: by symmetry the likeliest rates are 0.6 and 0.4."""
    error = math.sqrt(2 * 0.6 * 0.4 / 100)
    above, below = stats.rates_differ_p(50, 100, 50, 100, 0.2)
    assert below == pytest.approx(scipy.stats.norm.sf(0.2 / error))
    assert above + below == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.425, 0.7, 0.85])
def test_the_score_test_rejects_rates_that_differ_by_the_margin_about_as_often_as_it_says(rate):
    """Over all outcomes of 40 and 40 units, each with its probability; a test of a known rate rejects twice as much."""
    n, margin = 40, 0.15
    counts = np.arange(n + 1)
    chance = np.outer(scipy.stats.binom.pmf(counts, n, rate + margin), scipy.stats.binom.pmf(counts, n, rate))
    rejected = np.array([[stats.rates_differ_p(k, n, j, n, margin)[1] <= 0.025 for j in counts] for k in counts])
    assert (rejected * chance).sum() <= 0.032
    if rate == 0.425:
        known = [[stats.binomial_p(k, n, min(j / n + margin, 1.0))[1] <= 0.025 for j in counts] for k in counts]
        assert (np.array(known) * chance).sum() > 0.06


def test_mcnemar_counts_the_units_with_one_success_alone():
    """The published counts at a threshold of 3: 88 with the penalty alone, 1 with the GAN, 110 both, 1 neither."""
    better = [4.0] * 88 + [3.0] + [4.0] * 110 + [3.0]  # a score on the threshold is no success
    worse = [2.0] * 88 + [5.0] + [4.0] * 110 + [1.0]
    assert stats.discordant(better, worse, 3.0) == (88, 1)
    expected = scipy.stats.binomtest(88, 89, alternative="greater").pvalue
    assert stats.mcnemar_p(better, worse, 3.0)[0] == pytest.approx(expected) == pytest.approx(90 / 2**89)
    assert stats.mcnemar_p(worse, better, 3.0)[1] == pytest.approx(expected)
    assert stats.mcnemar_p([4.0] * 9, [4.0] * 9, 3.0) == stats.UNDECIDED
