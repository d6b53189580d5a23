import math

import numpy as np
import pytest
import torch

from wganbench.errors import DataError
from wganbench.measures.saturation import critic_line, fake_gradient_share, fake_slope_share, linear_share
from wganbench.spec.catalogue import find

REAL, FAKE = torch.tensor([[-2.0], [0.0]]), torch.tensor([[2.0], [math.log(3)]])


@pytest.fixture(autouse=True)
def _as_the_runner_calls():
    with torch.no_grad():
        yield


def test_a_linear_critic_is_explained_by_a_line_whatever_its_slope_and_offset():
    real, fake = torch.randn(50, 3), torch.randn(40, 3)
    assert linear_share(lambda x: x @ torch.tensor([3.0, -1.0, 0.0]) + 7, real, fake) == pytest.approx(1, abs=1e-9)


def test_the_unexplained_share_is_that_of_the_residuals():
    real, fake = torch.tensor([[-1.0], [1.0]]), torch.tensor([[-1.0], [1.0]])
    scores = torch.tensor([0.0, 1.0, 1.0, 4.0])  # by hand: the line is 1.5 + x, its residuals ±0.5 and ±1.5 …
    squares, residuals = (1.5**2 + 0.5**2 * 2 + 2.5**2), (0.5**2 * 2 + 1.5**2 * 2)  # … about means 0.5 and 2.5
    assert linear_share(lambda x: scores, real, fake) == pytest.approx(1 - residuals / squares)


def test_an_even_function_has_no_linear_part():
    rows = torch.linspace(-1, 1, 11)[:, None]
    assert linear_share(lambda x: x[:, 0].square(), rows, rows) == pytest.approx(0, abs=1e-9)


def test_the_gradient_of_the_minimax_game_is_d_times_the_slope():
    """D of the logit −x is 1/(1 + eˣ): 1/2 at 0, 1/4 at log 3; the largest is at the real −2."""
    expected = (1 / (1 + math.exp(2)) + 0.25) / 2 / (1 / (1 + math.exp(-2)))
    assert fake_gradient_share(lambda x: -x[:, 0], REAL, FAKE) == pytest.approx(expected)


def test_a_certain_discriminator_has_no_gradient_at_the_fakes():
    assert fake_gradient_share(lambda x: -100 * x[:, 0], REAL, FAKE) < 1e-20


def test_a_linear_critic_has_the_same_slope_everywhere_and_a_bent_one_has_not():
    assert fake_slope_share(lambda x: -5 * x[:, 0], REAL, FAKE) == pytest.approx(1)
    slopes = (2 * 2 + 2 * math.log(3)) / 2 / 4  # of x², whose largest slope is 4, at −2 and 2
    assert fake_slope_share(lambda x: x[:, 0].square(), REAL, FAKE) == pytest.approx(slopes)


@pytest.mark.parametrize("measure", [linear_share, fake_gradient_share, fake_slope_share])
def test_of_a_constant_critic_or_samples_that_are_not_finite_nothing_is_known(measure):
    assert math.isnan(measure(lambda x: 0 * x[:, 0], REAL, FAKE))
    assert math.isnan(measure(lambda x: x[:, 0], REAL, torch.full((2, 1), math.inf)))


def test_the_line_of_a_critic_is_its_scores_at_even_points():
    line = critic_line(lambda x: 2 * x[:, 0], REAL, low=-1.0, high=1.0, grid=5)
    np.testing.assert_allclose(line, [(-1, -2), (-0.5, -1), (0, 0), (0.5, 1), (1, 2)])


def test_a_line_needs_samples_on_a_line():
    with pytest.raises(DataError, match=r"critic_line: samples must be numbers, of shape \(1,\), got \(2,\)"):
        critic_line(lambda x: x[:, 0], torch.zeros(3, 2), low=0.0, high=1.0)


@pytest.mark.parametrize("measure", ["fake_gradient_share", "fake_slope_share", "linear_share"])
def test_a_run_that_diverged_speaks_neither_for_nor_against_a_claim(measure):
    """A worst value of 0 would meet every claim of at most so much."""
    scale = find("measure", measure).scale
    assert scale is not None
    assert scale.higher_is_better is None
    assert math.isnan(scale.worst)
