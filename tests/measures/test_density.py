import math

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde

from wganbench.data.toy import double_circle, gaussian_grid, gaussian_ring
from wganbench.measures.density import _count_peaks, _density, kde_peaks

RING = gaussian_ring()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


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
def test_samples_that_are_not_finite_measure_nan(value):
    fake = RING.draw(100, seeded())
    fake[17, 0] = value
    assert math.isnan(kde_peaks(fake))
