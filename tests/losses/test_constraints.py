import math

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


# ---- zero-centred penalties -----------------------------------------------------------------------------------------

ZERO_CENTRED = {
    "r1": lambda slope: 7.0 / 2 * slope**2,
    "r2": lambda slope: 7.0 / 2 * slope**2,
    "r1_r2": lambda slope: 7.0 * slope**2,
    "zero_centred": lambda slope: 7.0 * slope**2,
    "dragan": lambda slope: 7.0 * (slope - 1) ** 2,
}
"""The penalty of a linear critic, in closed form, at the weight 7."""


def penalised(name, critic, real, fake):
    given = {"r1": (real,), "r2": (fake,), "r1_r2": (real, fake)}.get(name)
    if given is not None:
        return getattr(constraints, name)(critic, *given, gamma=7.0)
    inputs = (real,) if name == "dragan" else (real, fake)
    return getattr(constraints, name)(critic, *inputs, Streams(SEEDS, "penalty"), penalty_weight=7.0)


@pytest.mark.parametrize("name", ZERO_CENTRED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_centred_penalties_of_each_seeds_linear_critic(name, dtype):
    direction = torch.tensor([2.0, -1.0, 2.0], dtype=dtype) / 3
    slopes = torch.tensor([[3.0], [0.25]], dtype=dtype)
    found = penalised(name, lambda x: slopes * (x @ direction), *(each.to(dtype) for each in batches()))
    expected = [ZERO_CENTRED[name](slope) for slope in (3.0, 0.25)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=dtype))


def half_square(x):
    """A critic whose gradient at x is x."""
    return x.square().flatten(2).sum(2) / 2


def test_each_penalty_is_taken_at_its_own_points():
    real, fake = (each.double() for each in batches())
    of_real, of_fake = (3.5 * each.square().sum(2).mean(1) for each in (real, fake))
    torch.testing.assert_close(penalised("r1", half_square, real, fake), of_real)
    torch.testing.assert_close(penalised("r2", half_square, real, fake), of_fake)
    torch.testing.assert_close(penalised("r1_r2", half_square, real, fake), of_real + of_fake)


def test_the_zero_centred_penalty_is_taken_between_pairs():
    """With real at 0 and fake at (3, 4) the squared norms are 25 times squared uniform numbers, of mean 25/3."""
    real, fake = torch.zeros(2, 4000, 2), torch.tensor([3.0, 4.0]).expand(2, 4000, 2)
    found = penalised("zero_centred", half_square, real, fake) / 7
    assert found.tolist() == pytest.approx([25 / 3] * 2, abs=4 * 25 * math.sqrt(4 / 45) / 4000**0.5)


def test_dragan_is_taken_near_real_samples_by_half_the_spread_of_the_batch():
    """Points are x + ½·std·u·v with uniform u and v; with x = ±10 the gradient of a quadratic critic is the point."""
    real = torch.tensor([10.0, -10.0]).repeat(2000).view(1, 4000, 1)
    points = constraints._norms(half_square, real)
    assert points.unique().tolist() == [10.0]
    seen = []

    def critic(x):
        seen.append(x.detach())
        return half_square(x)

    constraints.dragan(critic, real, Streams([3], "penalty"))
    moved = (seen[0] - real).flatten() / 5  # half of the standard deviation, 10
    assert moved.min() >= 0 and moved.max() <= 1
    assert moved.mean().item() == pytest.approx(1 / 4, abs=4 * math.sqrt(7 / 144) / 4000**0.5)


@pytest.mark.parametrize("name", ZERO_CENTRED)
def test_a_critic_without_slope_has_a_finite_derivative(name):
    slope = torch.zeros((), requires_grad=True)
    penalised(name, lambda x: slope * x[..., 0], *batches()).sum().backward()
    assert slope.grad.isfinite()
