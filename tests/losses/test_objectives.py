import math

import pytest
import torch

from wganbench.losses import objectives

ZEROS = torch.zeros(2, 5)


def test_minimax_losses_at_even_odds_are_multiples_of_log_2():
    game = objectives.Minimax()
    torch.testing.assert_close(game.critic_loss(ZEROS, ZEROS), torch.full((2,), 2 * math.log(2)))
    torch.testing.assert_close(game.generator_loss(ZEROS), torch.full((2,), -math.log(2)))


@pytest.mark.parametrize("logit", [-3.0, -0.5, 2.0])
def test_losses_are_those_of_the_probabilities(logit):
    real, fake = torch.full((1, 3), 1.5, dtype=torch.float64), torch.full((1, 3), logit, dtype=torch.float64)
    d_real, d_fake = torch.sigmoid(real).mean(), torch.sigmoid(fake).mean()
    critic_loss = -(d_real.log() + (1 - d_fake).log())
    for game, generator_loss in (
        (objectives.Minimax(), (1 - d_fake).log()),
        (objectives.NonSaturating(), -d_fake.log()),
    ):
        torch.testing.assert_close(game.critic_loss(real, fake)[0], critic_loss)
        torch.testing.assert_close(game.generator_loss(fake)[0], generator_loss)


def test_the_saturating_gradient_vanishes_where_the_non_saturating_one_does_not():
    gradients = {}
    for game in (objectives.Minimax(), objectives.NonSaturating()):
        fake = torch.full((1, 1), -20.0, dtype=torch.float64, requires_grad=True)
        game.generator_loss(fake).sum().backward()
        gradients[type(game).__name__] = fake.grad.abs().item()
    assert gradients["Minimax"] < 1e-8
    assert gradients["NonSaturating"] == pytest.approx(1.0, abs=1e-8)


def test_least_squares_has_targets_one_and_zero():
    game = objectives.LeastSquares()
    real, fake = torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 2.0]])
    assert game.critic_loss(real, fake).tolist() == [(0 + 4) / 4 + (0 + 4) / 4]
    assert game.generator_loss(fake).tolist() == [(1 + 1) / 2]


def test_the_critic_loss_is_the_negative_wasserstein_estimate_of_each_seed():
    game = objectives.Wasserstein()
    real, fake = torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [5.0, 7.0]])
    assert game.critic_loss(real, fake).tolist() == [-2.0, 6.0]
    assert game.generator_loss(fake).tolist() == [0.0, -6.0]


# ---- rows that methods are compared with today ----------------------------------------------------------------------


def scores(seed, rows=7):
    return torch.randn(2, rows, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def log_sigmoid(x):
    return -(1 + (-x).exp()).log()


def test_the_hinge_counts_no_score_beyond_its_margin():
    game = objectives.Hinge()
    real, fake = torch.tensor([[3.0, 1.0, 0.0, -2.0]]), torch.tensor([[-3.0, -1.0, 0.0, 2.0]])
    assert game.critic_loss(real, fake).tolist() == [(0 + 0 + 1 + 3) / 4 + (0 + 0 + 1 + 3) / 4]
    assert game.critic_loss(ZEROS, ZEROS).tolist() == [2.0, 2.0]
    assert game.generator_loss(fake).tolist() == [(3 + 1 + 0 - 2) / 4]


def test_a_relativistic_pair_is_judged_by_its_difference_alone():
    game, real, fake = objectives.RelativisticPaired(), scores(0), scores(1)
    torch.testing.assert_close(game.critic_loss(real, fake), -log_sigmoid(real - fake).mean(1))
    torch.testing.assert_close(game.generator_loss(fake, real), -log_sigmoid(fake - real).mean(1))
    torch.testing.assert_close(game.critic_loss(real + 3, fake + 3), game.critic_loss(real, fake))
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(game.critic_loss(real[:, order], fake), game.critic_loss(real, fake)), "rows are pairs"


def test_the_relativistic_average_compares_each_score_with_the_mean_of_the_others():
    game, real, fake = objectives.RelativisticAverage(), scores(0), scores(1)
    of_real, of_fake = real.mean(1, keepdim=True), fake.mean(1, keepdim=True)
    critic = -log_sigmoid(real - of_fake).mean(1) - log_sigmoid(-(fake - of_real)).mean(1)
    generator = -log_sigmoid(fake - of_real).mean(1) - log_sigmoid(-(real - of_fake)).mean(1)
    torch.testing.assert_close(game.critic_loss(real, fake), critic)
    torch.testing.assert_close(game.generator_loss(fake, real), generator)
    torch.testing.assert_close(game.critic_loss(real + 3, fake + 3), critic)


def test_relativistic_losses_of_equal_scores_are_multiples_of_log_2():
    for game, factor in ((objectives.RelativisticPaired(), 1), (objectives.RelativisticAverage(), 2)):
        expected = torch.full((2,), factor * math.log(2))
        torch.testing.assert_close(game.critic_loss(ZEROS, ZEROS), expected)
        torch.testing.assert_close(game.generator_loss(ZEROS, ZEROS), expected)


@pytest.mark.parametrize("name", ["Hinge", "RelativisticPaired", "RelativisticAverage"])
@pytest.mark.parametrize("size", [1.0, 50.0])
def test_float32_agrees_with_float64_even_at_scores_that_saturate(name, size):
    game, real, fake = getattr(objectives, name)(), size * scores(0), size * scores(1)
    own = () if name == "Hinge" else (real,)
    for exact, inputs, loss in (
        (game.critic_loss(real, fake), (real, fake), game.critic_loss),
        (game.generator_loss(fake, *own), (fake, *own), game.generator_loss),
    ):
        assert exact.dtype == torch.float64
        torch.testing.assert_close(loss(*(each.float() for each in inputs)).double(), exact, rtol=1e-5, atol=1e-6)
