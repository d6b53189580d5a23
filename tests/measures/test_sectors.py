import math

import pytest
import torch

from wganbench.data.toy import Mixture, gaussian_ring
from wganbench.measures.sectors import least_sector_mass, sectors_occupied

RING = gaussian_ring()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


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
def test_samples_that_are_not_finite_measure_nan(measure, value):
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
