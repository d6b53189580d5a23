import math

import pytest
import torch

from wganbench.data.closed_form import Gaussian, Point
from wganbench.data.fixed_generators import Noised, Translated
from wganbench.data.toy import SwissRoll, gaussian_ring
from wganbench.errors import DataError
from wganbench.measures import transport
from wganbench.measures.transport import (
    MAX_SAMPLES,
    exact_wasserstein,
    fixed_wasserstein,
    fixed_wasserstein_error,
    wasserstein_floor,
)

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
    whole, half = (wasserstein_floor(SwissRoll(scale=scale), seeded(), samples=100) for scale in (1.0, 2.0))
    assert half == pytest.approx(whole / 2, rel=1e-5)
    assert wasserstein_floor(SwissRoll(scale=1.0), seeded(), samples=1000) < 0.7 * whole


@pytest.mark.parametrize(("samples", "need"), [(50_000, 95), (MAX_SAMPLES + 1, 4)])
def test_more_samples_than_memory_holds_are_refused_before_any_is_drawn(samples, need):
    message = rf"^{{}}, samples: {samples:,} need {need} GiB; at most 10,000 \(4 GiB\)$"
    few, rng = torch.zeros(3, 2), seeded()
    calls = {
        "exact_wasserstein": lambda: exact_wasserstein(few, few, samples=samples),
        "wasserstein_floor": lambda: wasserstein_floor(RING, rng, samples=samples),
        "fixed_wasserstein": lambda: fixed_wasserstein(RING, Noised(), rng, samples=samples),
        "fixed_wasserstein_error": lambda: fixed_wasserstein_error(RING, Noised(), rng, samples=samples),
    }
    for name, call in calls.items():
        with pytest.raises(DataError, match=message.format(name)):
            call()
    assert torch.equal(rng.get_state(), seeded().get_state())


def test_a_moved_point_is_its_way_from_the_point_without_error():
    moved = Translated(by=-1.5)
    assert fixed_wasserstein(Point(), moved, seeded(), samples=50) == pytest.approx(1.5)
    assert fixed_wasserstein_error(Point(), moved, seeded(), samples=50) == pytest.approx(0)


def test_a_moved_gaussian_is_its_way_from_the_gaussian():
    moved = Translated(by=3.0)
    mean = fixed_wasserstein(Gaussian(), moved, seeded(), samples=500)
    error = fixed_wasserstein_error(Gaussian(), moved, seeded(), samples=500)
    # Far enough apart, the distance on a line is that of the means, whose standard deviation is √(2/500).
    assert mean == pytest.approx(3, abs=4 * error)
    assert error == pytest.approx(math.sqrt(2 / 500), rel=0.7)


def test_the_clouds_of_a_repeat_are_independent_and_so_are_the_repeats():
    rng = seeded(3)
    expected = []
    for _ in range(3):
        real, source = RING.draw(100, rng), RING.draw(100, rng)
        noise = torch.randn(100, 2, generator=rng)
        expected.append(exact_wasserstein(source + 0.5 * noise, real, samples=100))
    expected = torch.tensor(expected, dtype=torch.float64)
    assert fixed_wasserstein(RING, Noised(std=0.5), seeded(3), samples=100, repeats=3) == expected.mean()
    assert fixed_wasserstein_error(RING, Noised(std=0.5), seeded(3), samples=100, repeats=3) == expected.std()


@pytest.mark.parametrize(("measure", "fewest"), [(fixed_wasserstein, 1), (fixed_wasserstein_error, 2)])
def test_too_few_repeats_are_refused(measure, fewest):
    with pytest.raises(DataError, match=f"^{measure.__name__}, repeats: must be at least {fewest}, got {fewest - 1}$"):
        measure(RING, Noised(), seeded(), samples=10, repeats=fewest - 1)
