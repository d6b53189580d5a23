import pytest
import torch

from wganbench.losses import constraints
from wganbench.rng import Streams

SEEDS = (0, 5)
PENALTIES = {
    "gradient_penalty": lambda error: error**2,
    "one_sided_penalty": lambda error: max(error, 0.0) ** 2,
    "one_sided_linear_penalty": lambda error: max(error, 0.0),
}


def batches():
    rng = torch.Generator().manual_seed(1)
    return torch.randn(2, 64, 3, generator=rng), torch.randn(2, 64, 3, generator=rng)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("slope", [0.25, 1.0, 3.0])
def test_penalty_of_a_linear_critic_is_its_slope_error(name, slope):
    direction = torch.tensor([2.0, -1.0, 2.0]) / 3
    penalty = getattr(constraints, name)(
        lambda x: slope * (x @ direction), *batches(), Streams(SEEDS, "penalty"), penalty_weight=7.0
    )
    expected = torch.full((2,), 7.0 * PENALTIES[name](slope - 1))
    torch.testing.assert_close(penalty, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PENALTIES)
def test_each_seed_is_penalised_for_its_own_critic(name):
    slopes = torch.tensor([[2.0], [0.5]])
    penalty = getattr(constraints, name)(lambda x: slopes * x[..., 0], *batches(), Streams(SEEDS, "penalty"))
    torch.testing.assert_close(penalty, torch.tensor([10 * PENALTIES[name](s - 1) for s in (2.0, 0.5)]))


def test_norms_are_taken_on_the_segments_between_pairs():
    """|∇ |x|²/2| = |x|: with real at 0 and fake at (3, 4) the norms are 5 times uniform numbers."""
    real, fake = torch.zeros(1, 4000, 2), torch.tensor([3.0, 4.0]).expand(1, 4000, 2)
    norms = constraints.gradient_norms(lambda x: x.square().sum(2) / 2, real, fake, Streams([3], "penalty"))
    assert 0 <= norms.min() and norms.max() <= 5
    assert norms.mean().item() == pytest.approx(2.5, abs=4 * 5 / 12**0.5 / 4000**0.5)
    assert norms.std().item() == pytest.approx(5 / 12**0.5, rel=0.05)


def test_the_penalty_reaches_the_critics_parameters():
    """d/ds of 10 (s − 1)² at s = 3 is 40: the second derivative is really there."""
    slope = torch.tensor(3.0, requires_grad=True)
    constraints.gradient_penalty(lambda x: slope * x[..., 0], *batches(), Streams(SEEDS, "penalty")).sum().backward()
    assert slope.grad.item() == pytest.approx(2 * 40.0, rel=1e-5)


def test_clip_cuts_every_entry():
    weights = torch.tensor([[-3.0, 0.005, 0.2], [0.0, -0.01, 0.01]])
    constraints.clip([weights], clip_value=0.01)
    torch.testing.assert_close(weights, torch.tensor([[-0.01, 0.005, 0.01], [0.0, -0.01, 0.01]]))


def test_rescale_shrinks_each_tensor_of_each_seed_by_its_own_factor():
    weights = torch.tensor([[[-4.0, 2.0]], [[0.001, -0.005]], [[0.02, 0.0]]])  # (seeds, 1, 2)
    biases = torch.tensor([[0.5], [0.01], [-0.03]])
    constraints.rescale([weights, biases], clip_value=0.01)
    torch.testing.assert_close(weights, torch.tensor([[[-0.01, 0.005]], [[0.001, -0.005]], [[0.01, 0.0]]]))
    torch.testing.assert_close(biases, torch.tensor([[0.01], [0.01], [-0.01]]))


@pytest.mark.parametrize(
    ("penalty", "settles_at"),
    [("gradient_penalty", (1.1, -0.9)), ("one_sided_penalty", (1.1,)), ("one_sided_linear_penalty", (1.0,))],
    ids=["two-sided", "one-sided", "linear"],
)
def test_on_a_line_the_two_sided_penalty_alone_lets_a_critic_settle_the_wrong_way_round(penalty, settles_at):
    """Two points 2 apart and λ = 10: 1 + d/2λ is the optimum; −(1 − d/2λ) a second, local one while d < 2λ."""
    slopes = torch.arange(-2.0, 2.0, 0.05, dtype=torch.float64).view(-1, 1, 1)
    real, fake = torch.full((len(slopes), 1, 1), 2.0, dtype=torch.float64), torch.zeros(len(slopes), 1, 1).double()

    def critic(x):
        return (slopes * x).flatten(1)

    gap = (critic(real) - critic(fake)).mean(dim=1)
    penalise = getattr(constraints, penalty)
    losses = penalise(critic, real, fake, Streams(range(len(slopes)), "penalty"), penalty_weight=10.0) - gap
    lowest = (losses[1:-1] < losses[:-2]) & (losses[1:-1] < losses[2:])
    assert sorted(slopes[1:-1][lowest].flatten().tolist()) == pytest.approx(sorted(settles_at), abs=1e-6)
