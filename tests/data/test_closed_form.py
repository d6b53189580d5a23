import math

import pytest
import torch

from wganbench.data.closed_form import Circle, Gaussian, Interval, Point, Segment
from wganbench.errors import DataError

EVERY_SET = [
    Point(),
    Point(dim=3),
    Gaussian(),
    Gaussian(std=3.0),
    Gaussian(mean=-3.0),
    Gaussian(std=2.0, mean=1.0),
    Gaussian(dim=2),
    Gaussian(dim=64, std=0.5),
    Circle(),
    Circle(radius=2.0),
    Interval(),
    Interval(low=-3.0, high=1.0),
    Interval(low=2.0, high=3.0),
    Interval(low=-3.0, high=-2.0),
    Segment(),
]
CURVES = [Gaussian(std=3.0), Gaussian(std=2.0, mean=1.0), Circle(radius=2.0), Interval(low=-3.0, high=1.0), Segment()]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (Point(), 0),
        (Gaussian(std=3.0), 3 * math.sqrt(2 / math.pi)),
        (Gaussian(std=3.0, mean=1e-9), 3 * math.sqrt(2 / math.pi)),
        (Gaussian(std=1e-3, mean=-3.0), 3),
        (Gaussian(dim=2), math.sqrt(math.pi / 2)),
        (Gaussian(dim=3), 2 * math.sqrt(2 / math.pi)),
        (Gaussian(dim=100_000), math.sqrt(100_000)),  # Γ itself overflows
        (Circle(radius=2.0), 2),
        (Interval(), 0.5),
        (Interval(low=-3.0, high=1.0), (9 + 1) / 8),
        (Interval(low=2.0, high=3.0), 2.5),
        (Interval(low=-3.0, high=-2.0), 2.5),
        (Segment(), 0.5),
    ],
)
def test_the_mean_norm_is_the_textbooks(data, expected):
    assert data.mean_norm == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("data", EVERY_SET)
def test_the_mean_norm_is_that_of_the_draws(data):
    norms = data.draw(20_000, seeded()).double().norm(dim=1)
    assert norms.mean().item() == pytest.approx(data.mean_norm, rel=1e-6, abs=4.5 * norms.std().item() / 20_000**0.5)


@pytest.mark.parametrize("data", EVERY_SET)
def test_the_mean_norm_is_nearly_that_of_the_even_points(data):
    tolerance = 0.03 if data in (Gaussian(dim=2), Gaussian(dim=64, std=0.5)) else 1e-3  # these are draws
    assert data.even(1000).norm(dim=1).mean().item() == pytest.approx(data.mean_norm, abs=tolerance)


@pytest.mark.parametrize("data", CURVES)
def test_draws_are_spread_as_the_even_points_are(data):
    n, direction = 20_000, torch.tensor([1.0, 2.0], dtype=torch.float64)[: data.sample_shape[0]]
    even, drawn = (data.even(n) @ direction).sort().values, (data.draw(n, seeded()).double() @ direction).sort().values
    rank = (torch.arange(n) + 0.5) / n
    assert (torch.searchsorted(drawn, even) / n - rank).abs().max() < 2.23 / n**0.5  # Kolmogorov–Smirnov, p = 10⁻⁴


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (Point(), [(0, 0)] * 4),
        (Circle(radius=math.sqrt(2)), [(1, 1), (-1, 1), (-1, -1), (1, -1)]),
        (Interval(low=-1.0, high=3.0), [(-0.5,), (0.5,), (1.5,), (2.5,)]),
        (Segment(), [(0, 0.125), (0, 0.375), (0, 0.625), (0, 0.875)]),
        (Gaussian(std=2.0), [(-2.300699,), (-0.637279,), (0.637279,), (2.300699,)]),  # Φ⁻¹ of 1/8 and 3/8
    ],
)
def test_even_points_are_the_middles_of_equal_parts(data, expected):
    points = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(data.even(4), points, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dim", [2, 64])
def test_a_gaussian_has_its_std_along_each_axis_and_no_correlation(dim):
    n = 20_000
    for samples in (Gaussian(dim=dim, std=3.0).draw(n, seeded()), Gaussian(dim=dim, std=3.0).even(n)):
        covariance = torch.eye(dim) * 9
        torch.testing.assert_close(samples.T.cov().float(), covariance, rtol=0, atol=9 * 4.5 * math.sqrt(2 / n))


@pytest.mark.parametrize("data", EVERY_SET)
def test_shapes_and_dtypes(data):
    drawn, even = data.to("cpu").draw(7, seeded()), data.even(5)
    assert (drawn.shape, drawn.dtype, drawn.device) == ((7, *data.sample_shape), torch.float32, seeded().device)
    assert (even.shape, even.dtype) == ((5, *data.sample_shape), torch.float64)


@pytest.mark.parametrize("data", EVERY_SET)
def test_a_draw_depends_on_its_stream_alone_and_even_points_on_nothing(data):
    rng = seeded(1)
    torch.manual_seed(2)
    ambient = torch.get_rng_state()
    first, second, even = data.draw(50, rng), data.draw(50, rng), data.even(50)
    assert torch.equal(torch.get_rng_state(), ambient)
    assert torch.equal(data.draw(50, seeded(1)), first)
    assert torch.equal(data.even(50), even)
    assert not torch.equal(second, first) or data.mean_norm == 0


@pytest.mark.parametrize(
    ("factory", "option", "value"),
    [
        (Point, "dim", 0),
        (Gaussian, "dim", -1),
        (Gaussian, "std", 0.0),
        (Gaussian, "std", math.nan),
        (Circle, "radius", -1.0),
        (Circle, "radius", math.inf),
    ],
)
def test_an_option_that_is_not_positive_is_refused_by_name(factory, option, value):
    with pytest.raises(
        DataError, match=f"^{factory.__name__.lower()}, {option}: must be positive and finite, got {value}$"
    ):
        factory(**{option: value})


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (-math.inf, 1.0), (0.0, math.inf), (math.nan, 1.0)])
def test_an_interval_that_is_none_is_refused(low, high):
    with pytest.raises(DataError, match=f"^interval, low: must be finite and below high, {high}, got {low}$"):
        Interval(low=low, high=high)


def test_a_gaussian_of_more_dimensions_is_no_curve():
    with pytest.raises(DataError, match=r"^gaussian, along: a curve needs one dimension, got 2$"):
        Gaussian(dim=2).along(torch.tensor([0.5]))


@pytest.mark.parametrize(("dim", "mean"), [(2, 1.0), (1, math.inf), (1, math.nan)])
def test_a_mean_is_finite_and_on_a_line(dim, mean):
    with pytest.raises(
        DataError, match=f"gaussian, mean: must be finite, and 0 unless dim is 1, got {mean} at dim {dim}"
    ):
        Gaussian(dim=dim, mean=mean)


def test_a_mean_moves_every_sample():
    assert torch.equal(Gaussian(mean=-3.0).draw(100, seeded()), Gaussian().draw(100, seeded()) - 3)
