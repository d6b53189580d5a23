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
