import math

import pytest
import torch

from wganbench.data.closed_form import Circle, Gaussian, Interval, Point, Segment
from wganbench.data.fixed_generators import Noised, PartTranslated, Scaled, Translated
from wganbench.data.toy import SwissRoll, gaussian_ring
from wganbench.errors import DataError

REAL = torch.tensor([[(1.0, 2.0), (3.0, -4.0)], [(0.0, 0.0), (-1.0, 0.5)]])  # (seeds, batch, 2)
NOISE = torch.tensor([[(0.5, 1.0), (-1.0, 0.0)], [(2.0, 2.0), (0.0, -3.0)]])


@pytest.mark.parametrize(
    ("fixed", "expected"),
    [
        (Noised(), REAL + NOISE),
        (Noised(std=0.5), REAL + NOISE / 2),
        (Translated(by=3.0), REAL + torch.tensor([3.0, 0.0])),
        (Translated(by=-3.0), REAL - torch.tensor([3.0, 0.0])),
        (Translated(by=0.0), REAL),
        (
            PartTranslated(by=3.0, part=0.5),
            REAL + torch.tensor([[(0.0, 0), (3, 0)], [(3, 0), (0, 0)]]),
        ),  # 0.5 is not below
        (Scaled(factor=2.0), REAL * 2),
        (Scaled(factor=0.5), REAL / 2),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_map_does_what_its_name_says_and_leaves_the_reals(fixed, expected, dtype):
    real = REAL.to(dtype)
    fake = fixed(real, NOISE.to(dtype))
    torch.testing.assert_close(fake, expected.to(dtype), rtol=0, atol=0)
    assert torch.equal(real, REAL.to(dtype))
    torch.testing.assert_close(fixed(real[0, 0], NOISE[0, 0].to(dtype)), expected[0, 0].to(dtype))


@pytest.mark.parametrize(
    ("data", "fixed", "distance"),
    [
        (Segment(), Translated(by=-0.5), 0.5),
        (Gaussian(dim=64), Translated(by=1.0), 1),
        (Segment(), PartTranslated(by=-0.5, part=0.25), 0.125),
        (gaussian_ring(), Translated(by=2.0), 2),
        (Point(), Translated(by=0.0), 0),
        (Circle(), Scaled(factor=2.0), 1),
        (Circle(radius=3.0), Scaled(factor=2.0), 3),
        (Gaussian(std=2.0), Scaled(factor=0.5), math.sqrt(2 / math.pi)),
        (Gaussian(dim=2), Scaled(factor=3.0), 2 * math.sqrt(math.pi / 2)),
        (Interval(low=-1.0, high=1.0), Scaled(factor=3.0), 1),
        (Segment(), Scaled(factor=1.0), 0),
        (Point(), Scaled(factor=5.0), 0),
    ],
)
def test_the_distance_is_that_of_the_formula(data, fixed, distance):
    assert fixed.distance(data) == pytest.approx(distance)


@pytest.mark.parametrize("data", [Segment(), gaussian_ring()])
def test_noise_has_no_formula(data):
    assert math.isnan(Noised().distance(data))


@pytest.mark.parametrize("data", [gaussian_ring(), SwissRoll()])
def test_scaling_a_set_of_unknown_mean_norm_has_no_formula(data):
    assert math.isnan(Scaled(factor=2.0).distance(data))


@pytest.mark.parametrize("make", [Noised, lambda **o: Translated(by=1.0, **o), lambda **o: Scaled(factor=2.0, **o)])
def test_rows_are_coupled_unless_asked_otherwise(make):
    assert not make().independent
    assert make(independent=True).independent


@pytest.mark.parametrize(("make", "option"), [(Noised, "std"), (Scaled, "factor")])
@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_size_that_is_not_positive_is_refused(make, option, value):
    with pytest.raises(DataError, match=f"^{make.__name__}, {option}: must be positive and finite, got {value}$"):
        make(**{option: value})


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_translation_that_is_not_finite_is_refused(value):
    with pytest.raises(DataError, match=f"^Translated, by: must be finite, got {value}$"):
        Translated(by=value)


def test_the_part_that_is_translated_is_a_share_and_its_distance_is_known_of_the_segment_alone():
    assert math.isnan(PartTranslated(by=1.0, part=0.5).distance(gaussian_ring()))
    for by, part, wrong in (
        (math.inf, 0.5, "by: must be finite"),
        (1.0, 0.0, "part: must be above 0"),
        (1.0, 1.5, "part"),
    ):
        with pytest.raises(DataError, match=wrong):
            PartTranslated(by=by, part=part)
