import math

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde

from wganbench.data.toy import Mixture, double_circle, gaussian_grid, gaussian_ring
from wganbench.measures.modes import (
    _count_peaks,
    _density,
    kde_peaks,
    least_sector_mass,
    modes_covered,
    reverse_kl,
    sectors_occupied,
    share_within,
)

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


# ---- sectors ---------------------------------------------------------------------------------------------------------


def at_degrees(degrees):
    angles = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float32))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def at_modes(counts):
    return RING.centres.repeat_interleave(torch.tensor(counts), dim=0)


def test_true_data_lies_in_every_sector():
    fake = RING.draw(10_000, seeded())
    assert sectors_occupied(fake) == 8
    assert 0.85 < least_sector_mass(fake) < 1


@pytest.mark.parametrize("mode", range(8))
def test_a_cloud_at_one_mode_lies_in_one_sector(mode):
    fake = RING.centres[mode] + 0.04 * torch.randn(500, 2, generator=seeded())
    assert sectors_occupied(fake) == 1
    assert least_sector_mass(fake) == 0


@pytest.mark.parametrize(("n", "occupied"), [(100, 8), (99, 7)])
def test_a_sector_needs_its_part_of_the_fair_share(n, occupied):
    fake = at_modes([400 + (400 - n), n] + [400] * 6)  # the fair share is 400
    assert sectors_occupied(fake) == occupied
    assert sectors_occupied(fake, share=0.2) == 8
    assert least_sector_mass(fake) == n / 400


def test_the_emptiest_sector_of_an_even_circle_holds_its_fair_share():
    assert least_sector_mass(at_degrees(torch.arange(360) + 0.25)) == 1


@pytest.mark.parametrize(("spread", "occupied"), [(22.0, 1), (23.0, 2)])
def test_the_first_sector_is_centred_on_its_angle(spread, occupied):
    assert sectors_occupied(at_degrees([-90 - spread, -90 + spread])) == occupied
    assert sectors_occupied(at_degrees([10 - spread, 10 + spread]), start_degrees=10.0) == occupied


def test_the_number_of_sectors_is_a_choice():
    fake = at_degrees([0, 1, 90, 91, 180, 270])
    assert sectors_occupied(fake, sectors=4) == 4
    assert sectors_occupied(fake, sectors=4, share=1.0) == 2
    assert least_sector_mass(fake, sectors=4) == pytest.approx(4 / 6)


def test_the_distance_from_the_origin_does_not_matter():
    fake = RING.draw(1000, seeded())
    assert least_sector_mass(1e-3 * fake) == least_sector_mass(1e3 * fake) == least_sector_mass(fake)


@pytest.mark.parametrize("measure", [sectors_occupied, least_sector_mass])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_lie_in_no_number_of_sectors(measure, value):
    fake = RING.draw(100, seeded())
    fake[17, 0] = value
    assert math.isnan(measure(fake))


def test_a_cloud_at_the_origin_is_spread_over_no_sector_beyond_the_least_radius():
    fake = 0.1 * torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    assert sectors_occupied(fake) == 8
    assert sectors_occupied(fake, min_radius=1.0) == 0
    assert least_sector_mass(fake, min_radius=1.0) == 0


def test_samples_at_the_origin_take_their_mass_from_the_sectors():
    ring = 2 * torch.tensor([[0.0, -1.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]).repeat(100, 1)
    fake = torch.cat([ring, torch.zeros(400, 2)])
    assert least_sector_mass(fake, sectors=4, min_radius=1.0) == 0.5


def test_fair_shares_are_those_of_the_modes_weights_where_data_state_them():
    weights = torch.tensor([0.02, 0.5, 0.08, 0.08, 0.08, 0.08, 0.08, 0.08])
    uneven = Mixture(RING.centres, RING.std, weights)
    fake = RING.centres.repeat_interleave((weights * 100).round().long(), dim=0)
    assert sectors_occupied(fake, uneven) == 8
    assert sectors_occupied(fake, RING) == sectors_occupied(fake) == 7  # 0.02 is below a quarter of 1/8
    assert least_sector_mass(fake, uneven) == pytest.approx(1.0)
    assert least_sector_mass(fake, RING) == pytest.approx(0.16)
    assert sectors_occupied(RING.centres[:1].expand(100, 2), uneven) == 1


def test_a_sector_in_which_the_data_have_no_mode_is_not_counted():
    half = Mixture(RING.centres[:4], 0.04, torch.tensor([0.1, 0.2, 0.3, 0.4]))
    assert sectors_occupied(RING.centres, half) == 4
    assert least_sector_mass(half.centres.repeat_interleave(torch.tensor([1, 2, 3, 4]), dim=0), half) == pytest.approx(
        1
    )


# ---- peaks of a density ----------------------------------------------------------------------------------------------


def clusters(centres, counts, std=0.05):
    points = torch.tensor(centres).repeat_interleave(torch.tensor(counts), dim=0)
    return points + std * torch.randn(points.shape, generator=seeded())


@pytest.mark.parametrize(
    ("data", "peaks"),
    [(RING, 8), (gaussian_ring(radius=math.sqrt(2), std=0.01414), 8), (double_circle(), 8), (gaussian_grid(), 25)],
)
def test_true_data_shows_its_modes(data, peaks):
    assert kde_peaks(data.draw(2500, seeded()), window=5.0) == peaks


def test_bridges_between_the_modes_are_no_peaks():
    ring = RING.draw(1200, seeded())
    angles = 2 * math.pi * torch.rand(800, generator=seeded())
    bridges = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)
    assert kde_peaks(torch.cat([ring, bridges])) == 8


@pytest.mark.parametrize("centres", [[(1.0, -2.0)], [(-2.0, -2.0), (2.0, 2.0)], [(-3.0, 0.0), (0.0, 3.0), (3.0, 0.0)]])
@pytest.mark.parametrize("std", [1e-4, 0.1])
def test_far_clusters_are_a_peak_each_however_tight(centres, std):
    assert kde_peaks(clusters(centres, [300] * len(centres), std)) == len(centres)


@pytest.mark.parametrize("centre", [(0.0, 0.0), (1.234, -2.345), (3.9, 3.9)])
def test_a_single_point_is_one_peak(centre):
    assert kde_peaks(torch.tensor([centre]).repeat(100, 1)) == 1


@pytest.mark.parametrize("degrees", [0, 17, 45, 70])
@pytest.mark.parametrize("length", [0.2, 1.5])
def test_a_thin_line_is_one_peak_at_any_angle(degrees, length):
    along = length * torch.randn(800, 1, generator=seeded())
    angle = math.radians(degrees)
    fake = along * torch.tensor([math.cos(angle), math.sin(angle)]) + torch.tensor([0.3, 0.2])
    assert kde_peaks(fake) == 1


def test_clusters_nearer_than_the_kernel_is_wide_melt_into_one():
    corners = [(-3.0, -3.0), (-3.0, 3.0), (3.0, -3.0), (3.0, 3.0)]  # make the kernel 0.7 wide
    assert kde_peaks(clusters([(-0.4, 0.0), (0.4, 0.0), *corners], [200] * 6)) == 5
    assert kde_peaks(clusters([(-0.4, 0.0), (0.4, 0.0)], [200] * 2)) == 2


def test_a_peak_lower_than_the_level_is_not_drawn():
    fake = clusters([(-2.0, -2.0), (2.0, 2.0)], [1980, 20])
    assert kde_peaks(fake) == 1
    assert kde_peaks(fake, level=1 / 300) == 2


def test_only_the_window_is_seen():
    fake = clusters([(-2.0, 0.0), (2.0, 0.0), (5.0, 0.0)], [300] * 3)
    assert kde_peaks(fake) == 2
    assert kde_peaks(fake, window=6.0) == 3


def test_a_cloud_outside_the_window_has_no_peak():
    assert kde_peaks(clusters([(4.5, 0.0)], [300])) == 0
    assert kde_peaks(clusters([(1e5, 0.0)], [300])) == 0
    far = [(-40.0, 40.0), (40.0, 40.0), (-40.0, -40.0), (40.0, -40.0)]  # widen the kernel to a bump at the origin
    assert kde_peaks(clusters([(0.0, 1.5), (0.0, -1.5), *far], [100, 100, 1, 1, 1, 1]), window=1.0) == 0


def test_the_slope_of_a_cloud_outside_the_window_is_no_peak():
    assert kde_peaks(clusters([(6.0, 0.0), (-2.0, 0.0)], [1000, 100], std=1.0)) == 1


@pytest.mark.parametrize("slope", [0.6, -0.6])
def test_density_is_that_of_scipy(slope):
    shear = torch.tensor([(1.0, slope), (0.0, 0.3)], dtype=torch.float64)
    fake = torch.randn(300, 2, generator=seeded(), dtype=torch.float64) @ shear + 0.5
    points = torch.randn(40, 2, generator=seeded(1), dtype=torch.float64)
    ratio = _density(fake, points, min_width=1e-3).numpy() / gaussian_kde(fake.numpy().T)(points.numpy().T)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("profile", "peaks"),
    [
        ([0, 0, 9, 9, 9, 0, 0], 1),  # a plateau
        ([0, 9, 5, 9, 5, 9, 0], 3),
        ([0, 9, 8.5, 8.8, 0, 9, 0], 2),  # 8.8 rises by less than 1
        ([0, 9, 7.5, 8.8, 0, 9, 0], 3),
        ([0, 0.9, 0, 9, 0, 0, 0], 1),  # 0.9 is lower than 1
        ([9, 5, 2, 0, 0, 0, 0], 0),  # cut off by the border
        ([9, 5, 5.5, 5, 2, 0, 0], 0),  # a ripple on the slope of that
        ([0, 0, 0, 0, 0, 0, 0], 0),
    ],
)
def test_peaks_of_a_profile_written_down(profile, peaks):
    density = np.zeros((5, 7))
    density[2] = profile
    assert _count_peaks(density, rise=1.0) == peaks
    assert _count_peaks(density.T, rise=1.0) == peaks


def test_a_plateau_of_points_that_touch_at_corners_is_one_peak():
    assert _count_peaks(np.pad(np.eye(3), 1), rise=0.1) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_have_no_number_of_peaks(value):
    fake = RING.draw(100, seeded())
    fake[17, 0] = value
    assert math.isnan(kde_peaks(fake))
