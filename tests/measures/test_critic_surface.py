import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wganbench.data.toy import SwissRoll, gaussian_grid, gaussian_ring
from wganbench.errors import DataError
from wganbench.measures.critic_surface import critic_surface, mode_maxima, quadratic_share, segment_gradient_norm
from wganbench.networks.mlp import Mlp

RING, GRID = gaussian_ring(), gaussian_grid()
REAL = torch.zeros(4, 2)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def as_the_runner_calls_measures():
    with torch.no_grad():
        yield


def cones(peaks):
    """Minus the distance to the nearest peak."""
    return lambda x: -torch.cdist(x, torch.as_tensor(peaks), compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1)


def bumps(centres, width=0.1):
    return lambda x: (-torch.cdist(x, centres).square() / (2 * width**2)).exp().sum(dim=1)


def test_rows_of_the_surface_go_up_and_columns_to_the_right():
    surface = critic_surface(lambda x: x[:, 0] + 10 * x[:, 1], REAL, grid=3)
    assert surface.tolist() == [[-22, -20, -18], [-2, 0, 2], [18, 20, 22]]
    assert surface.dtype == np.float64


def test_the_surface_fills_its_window():
    surface = critic_surface(lambda x: x[:, 0], REAL, window=3.0, grid=5)
    assert surface[0].tolist() == [-3, -1.5, 0, 1.5, 3]


def test_the_critic_is_asked_in_the_precision_of_the_samples():
    assert critic_surface(Mlp((2,), (), hidden=[3]), REAL).shape == (64, 64)


def test_values_that_are_not_finite_stay_in_the_surface():
    surface = critic_surface(lambda x: 1 / x[:, 0], REAL, grid=3)
    assert surface.tolist() == [[-0.5, math.inf, 0.5]] * 3


@pytest.mark.parametrize("window", [0.5, 2.0, 30.0])
@pytest.mark.parametrize("scale", [1e-25, 1.0])
@pytest.mark.parametrize(
    "terms", [(1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (0, 0, 0, 1, 0), (3, 1, -1, 2, 5)]
)
def test_a_quadratic_explains_a_quadratic_critic(terms, scale, window):
    def critic(p):
        x, y = p.T
        return scale * (7 + sum(c * t for c, t in zip(terms, (x, y, x * x, x * y, y * y), strict=True)))

    assert quadratic_share(critic, REAL, window=window) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("critic", "share"),
    [
        (lambda p: p[:, 0] ** 3, 21 / 25),  # (E x⁴)²/(E x² · E x⁶) of even x in [−1, 1]
        (lambda p: p[:, 0] * p[:, 1] ** 2 - 4, 5 / 9),  # (E y²)²/E y⁴
        (lambda p: p[:, 0] ** 2 * p[:, 1] ** 2, 10 / 14),  # 2 · 4/405 of x² and y² in 1/25 − 1/81 = 56/2025
    ],
)
def test_a_quadratic_explains_a_known_part_of_a_higher_polynomial(critic, share):
    assert quadratic_share(critic, REAL, grid=256) == pytest.approx(share, abs=0.02)


def test_a_quadratic_explains_little_of_a_fast_wave():
    shares = [quadratic_share(lambda x, k=k: (k * x[:, 0]).cos(), REAL) for k in (0.5, 2.0, 10.0, 30.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.99
    assert 0 <= shares[-1] < 0.02


def test_a_constant_surface_has_nothing_to_explain():
    assert math.isnan(quadratic_share(lambda x: torch.full_like(x[:, 0], 0.1), REAL))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_surface_that_is_not_finite_measures_nan(value):
    def critic(x):
        return x[:, 0].masked_fill(x[:, 1] > 1, value)

    assert math.isnan(quadratic_share(critic, REAL))
    assert math.isnan(mode_maxima(critic, RING))


@pytest.mark.parametrize(("data", "modes"), [(RING, 8), (GRID, 25), (gaussian_ring(modes=2), 2)])
def test_bumps_at_the_centres_are_all_maxima(data, modes):
    assert mode_maxima(bumps(data.centres), data) == modes


def test_a_centre_without_a_bump_is_no_maximum():
    assert mode_maxima(bumps(RING.centres[:5]), RING) == 5


@pytest.mark.parametrize(
    "critic",
    [
        lambda x: x.square().sum(dim=1),  # a bowl
        lambda x: -x.square().sum(dim=1),  # a hill about the origin
        lambda x: x[:, 0],
        lambda x: torch.zeros(len(x)),
        lambda x: -bumps(RING.centres)(x),
    ],
    ids=["bowl", "hill", "plane", "flat", "pits"],
)
def test_critics_that_do_not_follow_the_ring_have_no_maximum_there(critic):
    assert mode_maxima(critic, RING) == 0


@pytest.mark.parametrize("ridge", [lambda height: height.abs(), lambda height: height.square()], ids=["sharp", "round"])
def test_an_even_ridge_through_the_centres_has_no_maxima(ridge):
    assert mode_maxima(lambda x: -ridge(x.norm(dim=1) - 2), RING) == 0


def test_a_maximum_rises_by_a_part_of_the_range():
    data = SimpleNamespace(centres=torch.tensor([(0.0, 0.0), (1.0, 0.0)]))

    def critic(x):  # a cone that falls by 1 on its circle of 0.4, and beside it one that falls by 0.1
        return torch.where(x[:, 0] < 0.5, -2.5 * x.norm(dim=1), -0.25 * (x - torch.tensor([1.0, 0.0])).norm(dim=1))

    assert mode_maxima(critic, data, rise=0.09) == 2
    assert mode_maxima(critic, data, rise=0.11) == 1


def test_a_peak_beside_its_centre_counts_within_half_the_circle():
    side = 2 * 2 * math.sin(math.pi / 8)
    critic = cones(RING.centres + torch.tensor([0.1 * side, 0.0]))
    assert mode_maxima(critic, RING, reach=0.4) == 8
    assert mode_maxima(critic, RING, reach=0.15) == 0


def test_the_circle_is_as_wide_as_the_nearest_other_centre_is_far():
    data = SimpleNamespace(centres=torch.tensor([(0.0, 0.0), (1.0, 0.0), (10.0, 0.0)]))
    critic = cones([(0.3, 0.0), (1.0, 0.0), (10.3, 0.0)])  # 0.3 beside: too far for a circle of 0.4, not for 3.6
    assert mode_maxima(critic, data) == 2


def test_one_lower_point_does_not_make_a_maximum():
    data = SimpleNamespace(centres=torch.tensor([(0.0, 0.0), (1.0, 0.0)]))
    for turn in range(16):
        angle = math.radians(22.5 * turn)
        direction = torch.tensor([math.cos(angle), math.sin(angle)])
        # A hill at the first centre with one narrow spur, on which one point of the circle lies.
        assert mode_maxima(lambda x, d=direction: cones([(0.0, 0.0)])(x) + bumps(0.4 * d[None], 0.05)(x), data) == 0


@pytest.mark.parametrize(
    ("data", "got"),
    [(SwissRoll(), "SwissRoll without any"), (gaussian_ring(modes=1), "1")],
)
def test_maxima_need_two_centres(data, got):
    with pytest.raises(DataError, match=rf"^mode_maxima, data: must have at least 2 mode centres, got {got}$"):
        mode_maxima(lambda x: x[:, 0], data)


@pytest.mark.parametrize("slope", [1e-30, 1.0, 1e10])
def test_the_gradient_of_a_linear_critic_is_its_slope(slope):
    def critic(x):
        return slope * (3 * x[:, 0] - 4 * x[:, 1]) + 1

    norm = segment_gradient_norm(critic, RING.draw(50, seeded(1)), RING.draw(50, seeded(2)), seeded())
    assert norm == pytest.approx(5 * slope, rel=1e-6, abs=0)  # squares of 1e-30 are zero in float32


def test_norms_are_over_all_axes_of_a_sample():
    real = torch.zeros(7, 3, 2, 2)
    assert segment_gradient_norm(lambda x: x.sum(dim=(1, 2, 3)), real, real + 1, seeded()) == pytest.approx(12**0.5)


def half_square(x):
    """Its gradient is the point itself."""
    return x.square().sum(dim=1) / 2


def test_points_are_uniform_on_the_segments_and_one_a_row():
    real, fake = torch.zeros(40_000, 2), torch.tensor([[3.0, 4.0]]).expand(40_000, 2)
    assert segment_gradient_norm(half_square, real, fake, seeded()) == pytest.approx(2.5, abs=0.03)
    square = segment_gradient_norm(lambda x: (x.square().sum(dim=1) ** 1.5) / 3, real, fake, seeded())
    assert square == pytest.approx(25 / 3, abs=0.2)  # E |x|², so not all at one point


def test_row_is_paired_with_row():
    signs = torch.tensor([(1.0, 0.0), (-1.0, 0.0)]).repeat(100, 1)
    assert segment_gradient_norm(half_square, signs, signs, seeded()) == 1  # any other pairing comes nearer to 0


def test_points_come_from_the_given_stream_alone():
    real, fake = RING.draw(50, seeded(1)), RING.draw(50, seeded(2))
    first, again, other = (segment_gradient_norm(half_square, real, fake, seeded(s)) for s in (3, 3, 4))
    assert first == again != other


def test_the_network_gets_no_gradient():
    critic = Mlp((2,), (), hidden=[3])
    assert segment_gradient_norm(critic, RING.draw(9, seeded(1)), RING.draw(9, seeded(2)), seeded()) > 0
    assert all(parameter.grad is None for parameter in critic.parameters())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_measure_nan(value):
    fake = RING.draw(50, seeded())
    fake[17, 0] = value
    assert math.isnan(segment_gradient_norm(lambda x: x[:, 1].relu(), RING.centres.repeat(7, 1)[:50], fake, seeded()))


def test_a_gradient_that_is_not_finite_measures_nan():
    assert math.isnan(segment_gradient_norm(lambda x: x[:, 0].sqrt(), REAL, REAL, seeded()))
