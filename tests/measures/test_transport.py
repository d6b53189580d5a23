import math

import pytest
import torch

from wganbench.data.toy import gaussian_ring, swiss_roll
from wganbench.errors import DataError
from wganbench.measures import transport
from wganbench.measures.transport import exact_wasserstein, wasserstein_floor

RING = gaussian_ring()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shift", [(3.0, -4.0), (0.01, 0.0), (0.0, 0.3)])
def test_a_translated_cloud_is_its_shift_away(shift):
    real = RING.draw(300, seeded())
    fake = real + torch.tensor(shift)
    assert exact_wasserstein(fake, real, samples=300) == pytest.approx(math.hypot(*shift), rel=1e-5)


def test_the_same_cloud_in_another_order_is_no_distance_away():
    real = RING.draw(300, seeded())
    assert exact_wasserstein(real.flip(0), real, samples=300) == 0


@pytest.mark.parametrize(("far", "distance"), [(0, 0.0), (1, 0.5), (2, 1.0), (4, 2.0)])
def test_a_point_mass_against_two_masses(far, distance):
    real = torch.zeros(4, 2)
    real[:far, 1] = 2.0  # a quadratic cost would give 4 · far/4, its root 2 · √(far/4)
    assert exact_wasserstein(torch.zeros(4, 2), real, samples=4) == pytest.approx(distance)


def test_the_plan_is_the_best_one():
    fake, real = torch.tensor([(0.0, 0.0), (1.0, 0.0)]), torch.tensor([(1.1, 0.0), (0.0, 0.2)])
    assert exact_wasserstein(fake, real, samples=2) == pytest.approx((0.1 + 0.2) / 2)


def test_only_the_first_samples_count():
    fake, real = torch.zeros(9, 2), torch.ones(7, 2)
    fake[4:], real[4:] = 50.0, -50.0
    assert exact_wasserstein(fake, real, samples=4) == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("collapsed", [False, True])
@pytest.mark.filterwarnings("error")
def test_many_samples_are_solved_to_the_end(collapsed):
    real, rng = RING.draw(1000, seeded(1)), seeded(2)
    fake = RING.centres[:1] + 0.01 * torch.randn(1000, 2, generator=rng) if collapsed else RING.draw(1000, rng)
    expected = 4 / 8 * sum(math.sin(k * math.pi / 8) for k in range(8)) if collapsed else 0.1  # mean chord; a floor
    assert exact_wasserstein(fake, real, samples=1000) == pytest.approx(expected, abs=0.1)


def test_a_solver_that_stops_early_measures_nan(monkeypatch):
    monkeypatch.setattr(transport, "_MAX_PIVOTS", 1)
    with pytest.warns(UserWarning, match="numItermax"):
        assert math.isnan(exact_wasserstein(RING.draw(50, seeded(1)), RING.draw(50, seeded(2)), samples=50))


@pytest.mark.parametrize(("fakes", "reals", "samples"), [(10, 20, 11), (20, 10, 11), (10, 10, 0)])
def test_more_samples_than_there_are_is_refused(fakes, reals, samples):
    message = f"^exact_wasserstein, samples: must be between 1 and the 10 available, got {samples}$"
    with pytest.raises(DataError, match=message):
        exact_wasserstein(torch.zeros(fakes, 2), torch.zeros(reals, 2), samples=samples)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_measure_nan(value):
    real = RING.draw(20, seeded())
    fake = real.clone()
    fake[17, 0] = value
    assert math.isnan(exact_wasserstein(fake, real, samples=20))


def test_the_floor_is_the_distance_of_two_fresh_draws():
    rng = seeded()
    first, second = RING.draw(200, rng), RING.draw(200, rng)
    assert wasserstein_floor(RING, seeded(), samples=200) == exact_wasserstein(first, second, samples=200) > 0


def test_the_floor_scales_with_the_data_and_falls_with_the_samples():
    whole, half = (wasserstein_floor(swiss_roll(scale=scale), seeded(), samples=100) for scale in (1.0, 2.0))
    assert half == pytest.approx(whole / 2, rel=1e-5)
    assert wasserstein_floor(swiss_roll(scale=1.0), seeded(), samples=1000) < 0.7 * whole
