import math

import pytest
import torch

from wganbench.data.toy import Mixture, gaussian_grid, gaussian_ring
from wganbench.measures.modes import modes_covered, reverse_kl, share_within

RING = gaussian_ring()
PAIR = Mixture(torch.tensor([(0.0, 0.0), (1.0, 0.0)]), 1.0)  # so close that samples lie within both
TRUE_SETS = [RING, gaussian_ring(radius=2**0.5, std=0.01414), gaussian_ring(radius=1.0, std=0.01), gaussian_grid()]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("data", TRUE_SETS)
@pytest.mark.parametrize("within", [1.0, 3.0])
def test_true_data_has_the_share_of_a_gaussian_in_the_plane(data, within):
    n, share = 50_000, 1 - math.exp(-(within**2) / 2)
    measured = share_within(data.draw(n, seeded()), data, within=within)
    assert measured == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / n))


@pytest.mark.parametrize("data", TRUE_SETS)
def test_true_data_covers_every_mode_evenly(data):
    fake = data.draw(2500, seeded())
    assert modes_covered(fake, data) == len(data.centres)
    assert 0 < reverse_kl(fake, data) < 0.02  # about (modes − 1) / 2n


@pytest.mark.parametrize("mode", [0, 5])
def test_a_cloud_at_one_centre_is_one_mode(mode):
    fake = RING.centres[mode] + 0.01 * torch.randn(200, 2, generator=seeded())
    assert modes_covered(fake, RING) == 1
    assert share_within(fake, RING) == 1
    assert reverse_kl(fake, RING) == pytest.approx(math.log(8))


def test_a_diffuse_cloud_covers_every_mode_with_hardly_any_of_its_samples():
    n, half_side = 20_000, 3.0
    fake = half_side * (2 * torch.rand(n, 2, generator=seeded()) - 1)
    share = 8 * math.pi * (3 * RING.std) ** 2 / (2 * half_side) ** 2  # the discs' part of the square, 1 %
    assert modes_covered(fake, RING) == 8
    assert share_within(fake, RING) == pytest.approx(share, abs=4 * math.sqrt(share / n))


@pytest.mark.parametrize(("distance", "inside"), [(2.9, True), (3.1, False)])
def test_close_is_a_euclidean_distance_in_standard_deviations(distance, inside):
    angles = torch.linspace(0, 2 * math.pi, 25)
    fake = RING.centres[2] + distance * RING.std * torch.stack([angles.cos(), angles.sin()], dim=1)
    assert modes_covered(fake, RING) == inside
    assert share_within(fake, RING) == inside
    assert share_within(fake, RING, within=distance + 0.01) == 1


def test_a_sample_close_to_two_modes_counts_for_the_nearest_alone():
    fake = torch.tensor([(0.4, 0.0)])
    assert modes_covered(fake, PAIR) == 1
    assert share_within(fake, PAIR) == 1


def test_no_sample_close_is_no_mode_covered():
    assert modes_covered(torch.zeros(5, 2), RING) == 0
    assert share_within(torch.zeros(5, 2), RING) == 0


@pytest.mark.parametrize(
    ("counts", "divergence"),
    [
        ([5, 5], 0.0),
        ([10, 0], math.log(2)),
        ([15, 5], 0.75 * math.log(1.5) + 0.25 * math.log(0.5)),  # 0.131; the other direction would be 0.144
    ],
)
def test_reverse_kl_of_a_histogram_written_down(counts, divergence):
    fake = PAIR.centres.repeat_interleave(torch.tensor(counts), dim=0)
    assert reverse_kl(fake, PAIR) == pytest.approx(divergence, abs=1e-12)


@pytest.mark.parametrize("modes_used", [1, 2, 4, 8])
def test_reverse_kl_of_an_even_spread_over_some_modes(modes_used):
    assert reverse_kl(RING.centres[:modes_used], RING) == pytest.approx(math.log(8 / modes_used), abs=1e-12)


def test_reverse_kl_counts_far_samples_too():
    assert reverse_kl(torch.tensor([(-30.0, 0.0), (31.0, 0.0)]), PAIR) == 0


@pytest.mark.parametrize("measure", [modes_covered, share_within, reverse_kl])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_measure_nan(measure, value):
    fake = RING.draw(100, seeded())
    fake[17, 1] = value
    assert math.isnan(measure(fake, RING))


# ---- unequal weights ------------------------------------------------------------------------------------------------


GRID9 = Mixture(gaussian_grid(side=3).centres, 0.05, torch.arange(1.0, 10.0) / 45)


def test_true_data_of_unequal_weights_are_no_way_from_them():
    fake = GRID9.draw(20_000, seeded())
    assert modes_covered(fake, GRID9) == 9
    assert 0 <= reverse_kl(fake, GRID9) < 0.001  # about 8 / 2n
    equal = Mixture(GRID9.centres, GRID9.std)
    assert reverse_kl(fake, equal) == pytest.approx(0.147, abs=0.01)  # Σ w log 9w


@pytest.mark.parametrize("mode", [0, 4, 8])
def test_reverse_kl_of_a_cloud_at_one_mode_is_the_log_of_its_weight(mode):
    fake = GRID9.centres[mode].expand(50, 2)
    assert reverse_kl(fake, GRID9) == pytest.approx(-math.log((mode + 1) / 45), abs=1e-6)


def test_equal_weights_that_are_stated_are_as_good_as_none():
    fake = torch.randn(500, 2, generator=seeded())
    stated = Mixture(GRID9.centres, 0.5, torch.full((9,), 1 / 9))
    plain = Mixture(GRID9.centres, 0.5)
    assert reverse_kl(fake, stated) == pytest.approx(reverse_kl(fake, plain), abs=1e-6)
    assert modes_covered(fake, stated) == modes_covered(fake, plain)
    assert share_within(fake, stated) == share_within(fake, plain)


def test_a_mode_of_no_weight_is_not_covered_and_a_sample_there_is_infinitely_bad():
    data = Mixture(PAIR.centres, 0.1, torch.tensor([1.0, 0.0]))
    assert modes_covered(data.centres, data) == 1
    assert reverse_kl(data.centres, data) == math.inf
    assert reverse_kl(data.centres[:1], data) == 0


class Bare:
    """A custom mixture on a line that states neither weights nor more than it must."""

    sample_shape = (1,)
    centres = torch.tensor([[0.0], [1.0], [5.0]])
    std = 0.1

    def draw(self, n, rng):
        return self.centres[torch.randint(3, (n,), generator=rng)]

    def to(self, device):
        return self


def test_a_custom_mixture_of_another_dimension_is_measured_alike():
    data = Bare()
    fake = torch.tensor([[0.2], [1.1], [1.1], [4.0]])
    assert modes_covered(fake, data) == 2
    assert share_within(fake, data) == 0.75
    assert reverse_kl(fake, data) == pytest.approx(math.log(3) + 0.5 * math.log(0.5) + 0.5 * math.log(0.25))
