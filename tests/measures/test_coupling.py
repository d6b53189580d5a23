import math

import pytest
import torch

from wganbench.data.closed_form import Circle, Gaussian, Interval, Point, Segment
from wganbench.data.fixed_generators import Noised, Scaled, Translated
from wganbench.data.toy import gaussian_ring
from wganbench.errors import DataError
from wganbench.measures.coupling import (
    closed_form_distance,
    gap_law_ratio,
    gap_over_distance,
    gradient_norm_law,
    segment_cosine,
    segment_norm_excess,
    transport_distance,
    transport_error,
    wasserstein_law,
)
from wganbench.measures.transport import MAX_SAMPLES

CASES = [
    (Gaussian(dim=2), Translated(by=1.0), 1),
    (Gaussian(dim=64), Translated(by=1.0), 1),
    (Circle(), Scaled(factor=2.0), 1),
    (Point(), Translated(by=1.0), 1),
    (Gaussian(), Scaled(factor=2.0), math.sqrt(2 / math.pi)),
    (Gaussian(), Scaled(factor=0.5), math.sqrt(2 / math.pi) / 2),
    (Interval(), Translated(by=2.0), 2),
    (Segment(), Translated(by=0.5), 0.5),
    (Segment(), Translated(by=0.0), 0),
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def coupled(data, fixed, n=2000):
    real = data.draw(n, seeded(1))
    return real, fixed(real, torch.zeros_like(real))


def along_x(slope):
    return lambda x: 7 - slope * x[:, 0]


def radial(slope):
    return lambda x: 7 - slope * x.norm(dim=1)


@pytest.fixture(autouse=True)
def _as_the_runner_calls():
    with torch.no_grad():
        yield


@pytest.mark.parametrize(
    ("data", "fixed", "critic", "distance"),
    [
        (Gaussian(dim=64), Translated(by=1.0), along_x, 1),
        (Segment(), Translated(by=0.5), along_x, 0.5),
        (Circle(), Scaled(factor=2.0), radial, 1),
        (Circle(radius=2.0), Scaled(factor=3.0), radial, 4),
    ],
)
@pytest.mark.parametrize("penalty_weight", [0.1, 10.0])
def test_the_best_critic_under_the_penalty_keeps_every_law(data, fixed, critic, distance, penalty_weight):
    best = critic(1 + distance / (2 * penalty_weight))
    real, fake = coupled(data, fixed)
    assert segment_norm_excess(best, real, fake, seeded(), penalty_weight) == pytest.approx(0, abs=1e-5)
    assert segment_cosine(best, real, fake, seeded()) == pytest.approx(1)
    assert gap_law_ratio(best, real, fake, data, fixed, penalty_weight) == pytest.approx(1, abs=1e-5)
    assert gap_over_distance(critic(1), real, fake, data, fixed) == pytest.approx(1, abs=1e-5)


def test_the_law_is_what_gradient_ascent_on_the_penalised_gap_finds():
    slope = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        optimizer = torch.optim.SGD([slope], lr=0.2)
        for _ in range(200):
            optimizer.zero_grad()
            (0.5 * (slope - 1) ** 2 - slope * 3).backward()  # λ = 0.5, d = 3
            optimizer.step()
    assert gradient_norm_law(Point(), Translated(by=3.0), 0.5) == pytest.approx(slope.item())
    assert wasserstein_law(Point(), Translated(by=3.0), 0.5) == pytest.approx(3 * slope.item())


@pytest.mark.parametrize("slope", [-2.0, 0.0, 0.5, 3.0])
def test_an_excess_is_given_with_its_sign(slope):
    real, fake = coupled(Gaussian(dim=2), Translated(by=2.0))
    assert segment_norm_excess(along_x(slope), real, fake, seeded(), 10.0) == pytest.approx(abs(slope) - 1.1, abs=1e-5)


def test_the_mean_law_holds_where_distances_differ_and_segments_overlap():
    # Scaling U[0, 1] by 2: segments [r, 2r] cover x with mass x/2 or 1 − x/2 and density of points log 2 or log(2/x);
    # point by point, mass · s − λ · density · (s − 1)² is greatest at s = 1 + mass / (2 λ density).
    width, penalty_weight = 2 / 400, 0.3
    left = torch.arange(400) * width
    x = left + width / 2
    mass, density = torch.minimum(x, torch.ones(400)) - x / 2, torch.log(torch.minimum(x, torch.ones(400)) / (x / 2))
    slopes = 1 + mass / (2 * penalty_weight * density)

    def best(points):
        return -((points - left).clamp(0, width) * slopes).sum(dim=1)

    real, fake = coupled(Interval(), Scaled(factor=2.0), n=20_000)
    assert segment_norm_excess(best, real, fake, seeded(), penalty_weight) == pytest.approx(0, abs=0.02)


def test_the_gradient_is_taken_at_uniform_points_of_each_rows_own_segment():
    seen = []

    def critic(points):
        seen.append(points.detach())
        return points.sum(dim=1)

    real = torch.arange(4000.0)[:, None] * torch.tensor([1.0, 10.0])
    segment_cosine(critic, real, real + torch.tensor([2.0, 0.0]), seeded())
    part = (seen[0] - real)[:, 0].double() / 2
    torch.testing.assert_close(seen[0][:, 1], real[:, 1])
    rank = (torch.arange(4000) + 0.5) / 4000
    assert (part.sort().values - rank).abs().max() < 2.23 / math.sqrt(4000)  # Kolmogorov–Smirnov, p = 10⁻⁴


@pytest.mark.parametrize("degrees", [0, 60, 90, 180])
def test_the_cosine_is_that_of_the_angle_whatever_the_slope(degrees):
    turn = math.radians(degrees)
    real, fake = coupled(Gaussian(dim=2), Translated(by=-0.5))  # from fake to real is + x
    for slope in (1e-12, 5.0):
        direction = slope * torch.tensor([math.cos(turn), math.sin(turn)])
        found = segment_cosine(lambda x, direction=direction: x @ direction, real, fake, seeded())
        assert found == pytest.approx(math.cos(turn), abs=1e-6)


def test_the_cosine_leaves_out_pairs_without_a_direction_and_counts_a_flat_critic_as_0():
    real, fake = torch.tensor([(1.0, 0.0), (0.0, 3.0)]), torch.tensor([(0.0, 0.0), (0.0, 3.0)])
    assert segment_cosine(lambda x: x[:, 0], real, fake, seeded()) == 1
    assert segment_cosine(lambda x: 0 * x[:, 0], real, fake, seeded()) == 0
    assert math.isnan(segment_cosine(lambda x: x[:, 0], real, real, seeded()))


def test_pairs_of_images_are_vectors_of_all_their_pixels():
    real = torch.zeros(5, 3, 2, 2)
    fake = real + 0.5  # √12 · 0.5 apart
    assert segment_cosine(lambda x: -x.sum(dim=(1, 2, 3)), real, fake, seeded()) == pytest.approx(1)
    excess = segment_norm_excess(lambda x: -x.sum(dim=(1, 2, 3)), real, fake, seeded(), 0.5)
    assert excess == pytest.approx(math.sqrt(12) - (1 + 0.5 * math.sqrt(12)))


@pytest.mark.parametrize("slope", [-2.0, 0.0, 3.0])
def test_the_gap_is_over_the_true_distance_with_its_sign(slope):
    data, fixed = Gaussian(dim=2), Translated(by=2.0)
    real, fake = coupled(data, fixed)
    assert gap_over_distance(along_x(slope), real, fake, data, fixed) == pytest.approx(slope, abs=1e-5)
    assert gap_law_ratio(along_x(slope), real, fake, data, fixed, 10.0) == pytest.approx(slope / 1.1, abs=1e-5)


@pytest.mark.parametrize(
    ("data", "fixed", "penalty_weight"),
    [(Segment(), Translated(by=0.0), 10.0), (Segment(), Noised(), 10.0), (gaussian_ring(), Scaled(factor=2.0), 10.0)],
)
def test_without_a_distance_there_is_no_ratio(data, fixed, penalty_weight):
    real, fake = coupled(data, fixed)
    assert math.isnan(gap_over_distance(along_x(1), real, fake, data, fixed))
    assert math.isnan(gap_law_ratio(along_x(1), real, fake, data, fixed, penalty_weight))


def test_without_a_penalty_there_is_no_law():
    data, fixed = Segment(), Translated(by=1.0)
    real, fake = coupled(data, fixed)
    assert math.isnan(segment_norm_excess(along_x(1), real, fake, seeded(), math.nan))
    assert math.isnan(gap_law_ratio(along_x(1), real, fake, data, fixed, math.nan))
    assert math.isnan(gradient_norm_law(data, fixed, math.nan))
    assert math.isnan(wasserstein_law(data, fixed, math.nan))


@pytest.mark.parametrize(("penalty_weight", "norm"), [(10.0, 1.05), (0.1, 6.0)])
def test_the_laws_of_a_unit_translation(penalty_weight, norm):
    assert gradient_norm_law(Point(), Translated(by=-1.0), penalty_weight) == pytest.approx(norm)
    assert wasserstein_law(Point(), Translated(by=-1.0), penalty_weight) == pytest.approx(norm)


@pytest.mark.parametrize(("data", "fixed", "distance"), CASES)
def test_the_transport_of_even_points_costs_what_the_formula_says(data, fixed, distance):
    assert closed_form_distance(data, fixed) == pytest.approx(distance)
    assert transport_distance(data, fixed) == pytest.approx(distance, abs=1e-3)
    assert transport_error(data, fixed) < 1e-3


def test_the_transport_error_is_a_size(monkeypatch):
    monkeypatch.setattr(Translated, "distance", lambda self, data: 0.8)
    assert transport_error(Point(), Translated(by=0.5), samples=10) == pytest.approx(0.3)


def test_a_map_that_is_not_optimal_is_found_out(monkeypatch):
    monkeypatch.setattr(Scaled, "__call__", lambda self, real, noise: -self.factor * real)  # the rays cross
    assert transport_error(Interval(low=1.0, high=2.0), Scaled(factor=1.0), samples=100) == pytest.approx(3)
    assert transport_error(Interval(low=-1.0, high=1.0), Scaled(factor=2.0), samples=100) < 1e-3  # symmetric: no matter


@pytest.mark.parametrize(
    ("data", "fixed"),
    [(Segment(), Noised()), (gaussian_ring(), Scaled(factor=2.0)), (gaussian_ring(), Translated(by=1.0))],
)
def test_even_points_of_what_has_no_closed_form_are_refused(data, fixed):
    with pytest.raises(DataError, match=r"^even points: need data and a fixed generator with a closed form, got "):
        transport_distance(data, fixed)


def test_more_even_points_than_memory_holds_are_refused():
    with pytest.raises(DataError, match="samples: 10,001 need 4 GiB; at most 10,000"):
        transport_distance(Segment(), Translated(by=1.0), samples=MAX_SAMPLES + 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_measure_nan(value):
    data, fixed = Gaussian(dim=2), Translated(by=1.0)
    real, fake = coupled(data, fixed, n=5)
    fake[3, 0] = value

    def blind(x):
        return x.clamp(-1, 1).nan_to_num()[:, 0]

    assert math.isnan(segment_norm_excess(blind, real, fake, seeded(), 10.0))
    assert math.isnan(segment_cosine(blind, real, fake, seeded()))
    assert math.isnan(gap_over_distance(blind, real, fake, data, fixed))
    assert math.isnan(gap_law_ratio(blind, real, fake, data, fixed, 10.0))


def test_parameters_of_the_critic_gather_no_gradient():
    with torch.enable_grad():
        layer = torch.nn.Linear(2, 1)
    real, fake = coupled(Gaussian(dim=2), Translated(by=1.0), n=5)
    segment_cosine(lambda x: layer(x).flatten(), real, fake, seeded())
    assert layer.weight.grad is None
    assert not fake.requires_grad
