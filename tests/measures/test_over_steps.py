import math
from functools import partial

import numpy as np
import pytest

from wganbench.errors import DataError
from wganbench.measures.over_steps import (
    detrended_distance_spread,
    detrended_spread,
    drift,
    late_distance,
    late_mean,
    late_spread,
    quotient,
    rank_correlation,
    relative_error,
    remaining,
    rise_contrast,
    seconds_to,
    trend,
)


def curves(**values):
    return {label: (list(range(0, 10 * len(row), 10)), row) for label, row in values.items()}


def test_a_quotient_is_of_the_last_values():
    assert quotient(curves(gap=[9.0, 3.0], exact=[1.0, 2.0]), of="gap", to="exact") == 1.5


@pytest.mark.parametrize(("gap", "error"), [(3.0, 0.5), (1.0, 0.5), (2.0, 0.0), (-1.0, 1.5)])
def test_a_relative_error_is_counted_in_either_direction(gap, error):
    assert relative_error(curves(gap=[9.0, gap], exact=[1.0, 2.0]), of="gap", to="exact") == error


@pytest.mark.parametrize(("gap", "exact"), [(None, 1.0), (1.0, None), (1.0, 0.0)])
def test_there_is_no_quotient_of_what_is_not_finite_nor_by_zero(gap, exact):
    assert math.isnan(quotient(curves(gap=[gap], exact=[exact]), of="gap", to="exact"))


def test_a_quotient_of_two_different_steps_is_refused():
    both = {"gap": ([0, 10], [1.0, 2.0]), "exact": ([0], [1.0])}
    with pytest.raises(DataError, match=r"'gap' was last taken at step 10, 'exact' at 0; give both as many points"):
        quotient(both, of="gap", to="exact")


def test_what_remains_of_a_distance_is_its_last_value_over_that_at_step_0():
    assert remaining(curves(far=[8.0, 1.0, 2.0]), of="far") == 0.25


@pytest.mark.parametrize("far", [[None, 1.0], [1.0, None], [0.0, 1.0]])
def test_nothing_remains_of_what_is_not_finite_or_was_0(far):
    assert math.isnan(remaining(curves(far=far), of="far"))


def test_a_distance_that_was_not_taken_at_step_0_is_refused():
    with pytest.raises(DataError, match="'far' was first taken at step 10, not at 0; give it 2 points or more"):
        remaining({"far": ([10], [1.0])}, of="far")


@pytest.mark.parametrize("measure", [quotient, rank_correlation])
def test_a_measure_that_is_not_taken_before_is_named(measure):
    with pytest.raises(DataError, match=r"measure 'exact': not taken so far \(taken: gap\)"):
        measure(curves(gap=[1.0, 2.0]), of="gap", to="exact")


ranked = partial(rank_correlation, of="gap", to="exact")


@pytest.mark.parametrize(
    ("exact", "correlation"),
    [
        ([5.0, 9.0, 9.0, 4.0, 1.0, 0.5], 1.0),
        ([5.0, 9.0, 0.1, 0.2, 0.3, 0.4], -1.0),
        ([5.0, 9.0, 0.3, 0.4, 0.1, 0.2], 0.6),  # ranks 3 4 1 2 against 4 3 2 1: 1 − 6·4/(4·15)
    ],
)
def test_the_rank_correlation_is_spearmans_after_the_first_fifth_of_the_steps(exact, correlation):
    both = curves(gap=[-7.0, 0.0, 40.0, 30.0, 20.0, 10.0], exact=exact)  # steps 0 to 50, of which 0 and 10 are left out
    assert ranked(both, window=1) == pytest.approx(correlation)


def test_how_much_is_left_out_can_be_said():
    both = curves(gap=[-7.0, 0.0, 40.0, 30.0, 20.0, 10.0], exact=[5.0, 50.0, 4.0, 3.0, 2.0, 1.0])
    assert ranked(both, skip=0.0, window=1) == pytest.approx(0.0)  # ranks 1 5 4 3 2 against 5 4 3 2 1: 1 − 6·20/(5·24)
    assert ranked(both, skip=0.3, window=1) == pytest.approx(1.0)


def falling(steps):
    return [1.0 - step / 2000 for step in steps]


def test_a_running_median_of_101_steps_drops_what_lasts_for_less_than_half_of_them():
    """A falling curve with a burst of 20 steps about each step at which the other measure is taken."""
    fine, coarse = list(range(0, 1901, 10)), list(range(0, 1901, 100))
    bursts = [
        value + (0.0 if 10 < step % 100 < 90 else 10.0 * (-1) ** round(step / 100) + step / 100)
        for step, value in zip(fine, falling(fine), strict=True)
    ]
    both = {"gap": (fine, bursts), "exact": (coarse, falling(coarse))}
    assert ranked(both) == pytest.approx(1.0)
    assert ranked(both, window=1) < 0.3
    assert ranked(both, window=401) > 0.9


def test_the_median_is_over_steps_and_not_over_points():
    """With 500 steps between two values a window of 101 steps holds one."""
    steps = list(range(0, 10_001, 500))
    rough = [value + 9.0 * (step % 1500 == 0) for step, value in zip(steps, falling(steps), strict=True)]
    both = {"gap": (steps, rough), "exact": (steps, falling(steps))}
    assert ranked(both) == pytest.approx(ranked(both, window=1))
    assert ranked(both, window=3001) > 0.95 > 0.7 > ranked(both)


def test_a_noisy_estimate_of_even_points_follows_a_distance_that_falls():
    """Normal noise, eight times what the distance falls by between two points; without a median much is lost."""
    rng = np.random.default_rng(0)
    fine, coarse = list(range(0, 1901, 10)), list(range(0, 1901, 100))
    rough = [value + noise for value, noise in zip(falling(fine), rng.normal(0, 0.4, len(fine)), strict=True)]
    both = {"gap": (fine, rough), "exact": (coarse, falling(coarse))}
    assert ranked(both) > 0.85
    assert ranked(both, window=1) < ranked(both) - 0.1


@pytest.mark.parametrize(
    "exact", [[1.0, 1.0, 2.0], [0.0, 1.0, 1.0, None, 2.0], [0.0, 1.0, 1.0, 1.0, 1.0], [2.0, 1.0, 0.0, 1.0, None]]
)
def test_too_few_missing_or_constant_values_have_no_rank_correlation(exact):
    both = curves(gap=[float(i) for i in range(len(exact))], exact=exact)
    assert math.isnan(ranked(both, window=1))
    assert math.isnan(ranked({"gap": both["exact"], "exact": both["gap"]}, window=1))


def test_a_step_without_an_estimate_near_it_leaves_no_rank_correlation():
    exact = (list(range(0, 1001, 100)), falling(range(0, 1001, 100)))
    near = [step for step in range(0, 1001, 10) if not 450 < step < 550]
    assert ranked({"gap": (near, falling(near)), "exact": exact}) == pytest.approx(1.0)
    far = [step for step in near if step not in (450, 550)]
    assert math.isnan(ranked({"gap": (far, falling(far)), "exact": exact}))


def test_drift_compares_the_last_fifth_with_the_one_before():
    values = [100.0] * 7 + [2.0, 2.0] + [2.2, 2.4]  # steps 0 to 100: 70 and 80, then 90 and 100
    assert drift(curves(gap=values), of="gap") == pytest.approx(0.15)
    assert drift(curves(gap=[-value for value in values]), of="gap") == pytest.approx(0.15)


@pytest.mark.parametrize("values", [[1.0], [0.0] * 11, [1.0] * 10 + [None]])
def test_drift_is_unknown_where_a_fifth_is(values):
    assert math.isnan(drift(curves(gap=values), of="gap"))


LATE = [9.0] * 9 + [1.0, 3.0]  # steps 0 to 100: above 80 lie 90 and 100


@pytest.mark.parametrize(("share", "mean", "spread"), [(0.2, 2.0, 2**0.5), (0.3, 13 / 3, (104 / 6) ** 0.5)])
def test_the_late_values_are_those_above_the_share_of_the_steps(share, mean, spread):
    assert late_mean(curves(score=LATE), of="score", share=share) == pytest.approx(mean)
    assert late_spread(curves(score=LATE), of="score", share=share) == pytest.approx(spread)


def test_a_single_late_value_has_a_mean_and_no_spread():
    assert late_mean(curves(score=LATE), of="score", share=0.1) == 3.0
    assert math.isnan(late_spread(curves(score=LATE), of="score", share=0.1))


@pytest.mark.parametrize("measure", [late_mean, late_spread])
def test_a_late_value_that_is_not_finite_leaves_nothing_to_say(measure):
    assert math.isnan(measure(curves(score=[*LATE[:-1], None]), of="score"))
    assert math.isfinite(measure(curves(score=[None, *LATE[1:]]), of="score"))


@pytest.mark.parametrize("measure", [late_mean, late_spread])
def test_what_is_late_of_a_measure_that_is_not_taken_is_refused(measure):
    with pytest.raises(DataError, match=r"measure 'exact': not taken so far \(taken: score\)"):
        measure(curves(score=LATE), of="exact")


@pytest.mark.parametrize("slope", [0.0, 0.3, -2.0])
def test_what_a_score_does_beside_its_straight_line_is_its_spread(slope):
    """The late residuals 1, −1, −1, 1 are orthogonal to a line, so they stay whatever the slope: √(4 / (4 − 2))."""
    late = [slope * place + residual for place, residual in enumerate([1.0, -1.0, -1.0, 1.0])]
    values = [9.0] * 7 + late  # steps 0 to 100: above 60 lie 70, 80, 90, 100
    assert detrended_spread(curves(score=values), of="score", share=0.4) == pytest.approx(2**0.5)


def test_a_steady_rise_is_all_spread_and_no_detrended_one():
    rising = curves(score=[float(place) for place in range(11)])
    assert late_spread(rising, of="score", share=0.4) == pytest.approx((5 / 3) ** 0.5)
    assert detrended_spread(rising, of="score", share=0.4) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("values", "share"), [(LATE, 0.2), ([1.0] * 10 + [None], 0.4)])
def test_two_values_lie_on_a_line_and_say_nothing(values, share):
    assert math.isnan(detrended_spread(curves(score=values), of="score", share=share))


SECONDS = ([0, 10, 30, 40], [0.0, 5.0, 25.0, 30.0])


@pytest.mark.parametrize(
    ("score", "seconds"),
    [
        ([1.0, 2.9, 3.0, 2.0, 9.0], 15.0),  # on the level at step 20, halfway between the clock's 10 and 30
        ([3.5, 1.0, 1.0, 1.0, 1.0], 0.0),
        ([1.0, None, 1.0, 1.0, 4.0], 30.0),
        ([1.0, 2.9, 2.9, None, 2.9], None),
    ],
)
def test_the_seconds_to_a_level_are_those_at_which_it_was_first_seen(score, seconds):
    taken = {"score": ([0, 10, 20, 30, 40], score), "training_seconds": SECONDS}
    found = seconds_to(taken, of="score", level=3.0)
    assert math.isnan(found) if seconds is None else found == seconds


def test_what_is_late_of_a_distance_is_what_is_late_of_a_score():
    both = curves(of=[9.0, 8.0, 7.0, 6.0, 4.0, 5.0])
    assert late_distance(both, of="of", share=0.5) == late_mean(both, of="of", share=0.5) == 5
    assert detrended_distance_spread(both, of="of", share=0.5) == detrended_spread(both, of="of", share=0.5) > 0


@pytest.mark.parametrize(
    ("share", "exact", "contrast"),
    [
        ([9.0, 0.4, 0.1, 0.3, 0.2], [1.0, 1.6, 1.6, 2.4, 5.0], (0.4 + 0.2) / 2 - (0.1 + 0.3) / 2),  # 2.4 is half more
        ([9.0, 0.4, 0.1, 0.3, 0.2], [1.0, None, 1.0, 1.0, 1.0], 0.4 - 0.6 / 3),
        ([9.0, None, 0.1, 0.3, 0.2], [1.0, 2.0, 1.0, 2.0, 1.0], 0.3 - 0.15),
    ],
)
def test_the_contrast_is_between_the_steps_at_which_the_other_has_risen_and_the_rest(share, exact, contrast):
    both = curves(share=share, exact=exact)
    assert rise_contrast(both, of="share", to="exact") == pytest.approx(contrast)


@pytest.mark.parametrize("exact", [[1.0, 1.0, 1.0], [1.0, 2.0, 4.0]])
def test_without_a_rise_or_without_anything_else_there_is_no_contrast(exact):
    assert math.isnan(rise_contrast(curves(share=[0.1, 0.2, 0.3], exact=exact), of="share", to="exact"))


def test_a_contrast_of_two_different_steps_is_refused():
    both = {"share": ([0, 10], [1.0, 2.0]), "exact": ([0, 20], [1.0, 2.0])}
    with pytest.raises(DataError, match=r"'share' and 'exact' were taken at different steps; give both as many points"):
        rise_contrast(both, of="share", to="exact")


# ---- trend ---------------------------------------------------------------------------------------------------------


def test_a_trend_is_the_rank_correlation_with_the_step_over_the_last_part():
    rising_late = curves(w=[9.0, 8.0, 7.0, 1.0, 2.0, 30.0])
    assert trend(rising_late, of="w", share=0.5) == 1  # the steps above 25
    assert trend(curves(w=[9.0, 8.0, 7.5, 1.0]), of="w") == -1
    assert trend(curves(w=[0.0, 1.0, 3.0, 2.0]), of="w") == pytest.approx(0.5)  # of the last three: 1 − 6·2/(3·8)


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [1.0, 2.0, None, 4.0], [1.0, 2.0, 2.0, 2.0]])
def test_there_is_no_trend_of_too_few_equal_or_lost_values(values):
    assert math.isnan(trend(curves(w=values), of="w"))
