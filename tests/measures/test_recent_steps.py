import math

import pytest

from wganbench.measures.recent_steps import loss_median, negative_step_share, step_cosine

LOSSES = {"critic_loss": [9.0, 1.0, 4.0, 2.0], "generator_loss": [-1.0]}


@pytest.mark.parametrize(
    ("of", "window", "median"),
    [("critic_loss", 101, 3.0), ("critic_loss", 3, 2.0), ("critic_loss", 1, 2.0), ("generator_loss", 101, -1.0)],
)
def test_the_median_is_of_the_last_steps_of_the_loss(of, window, median):
    assert loss_median(LOSSES, of=of, window=window) == median


def test_the_mean_cosine_and_the_share_below_zero_are_of_the_last_steps():
    cosines = [-1.0, 0.5, -0.1, 0.0, 0.8]
    assert step_cosine(cosines, window=4) == pytest.approx(0.3)
    assert negative_step_share(cosines, window=4) == 0.25  # 0 is not below 0
    assert negative_step_share(cosines) == 0.4


def test_before_the_first_step_and_of_what_is_not_finite_nothing_is_known():
    assert math.isnan(loss_median({}))
    assert math.isnan(loss_median({"critic_loss": [1.0, math.inf]}))
    assert math.isnan(step_cosine([]))
    assert math.isnan(step_cosine([0.5, math.nan]))
    assert math.isnan(negative_step_share([]))
    assert math.isnan(negative_step_share([0.5, math.nan]))
