import math

import pytest
import torch

from wganbench.measures.critic import wasserstein_estimate

REAL, FAKE = torch.tensor([(1.0, 0.0), (3.0, 9.0)]), torch.tensor([(1.0, 5.0), (0.0, 5.0), (-4.0, 5.0)])


@pytest.mark.parametrize("slope", [-2.0, 0.0, 3.0])
def test_a_linear_critic_sees_the_distance_of_the_means_with_its_sign(slope):
    estimate = wasserstein_estimate(lambda x: 7 + slope * x[:, 0], REAL, FAKE)
    assert estimate == pytest.approx(slope * 3)  # means 2 and −1


def test_the_estimate_keeps_no_graph():
    layer = torch.nn.Linear(2, 1)
    seen = []

    def critic(x):
        seen.append(layer(x).flatten())
        return seen[-1]

    assert isinstance(wasserstein_estimate(critic, REAL, FAKE), float)
    assert [score.requires_grad for score in seen] == [False, False]


def test_a_small_gap_on_large_scores_is_not_rounded_away():
    n = 100_001
    scores = torch.full((n,), 4096.0)
    scores[0] += 1.0
    real, fake = torch.stack([scores, scores], dim=1), torch.full((n, 2), 4096.0)
    assert wasserstein_estimate(lambda x: x[:, 0], real, fake) == pytest.approx(1 / n, rel=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_measure_nan_even_if_the_critic_hides_them(value):
    fake = FAKE.clone()
    fake[1, 0] = value
    assert math.isnan(wasserstein_estimate(lambda x: x[:, 0].clamp(-1, 1).nan_to_num(), REAL, fake))
