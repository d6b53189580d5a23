import math
import re

import pytest
import torch

from wganbench.data.toy import Mixture, SwissRoll, double_circle, gaussian_grid, gaussian_ring
from wganbench.errors import DataError

EVERY_SET = [gaussian_ring(), double_circle(), gaussian_grid(), SwissRoll()]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("radius", [1.0, math.sqrt(2), 2.0])
def test_ring_starts_below_the_origin_and_goes_round_counter_clockwise(radius):
    half = math.sqrt(0.5)
    points = [(0, -1), (half, -half), (1, 0), (half, half), (0, 1), (-half, half), (-1, 0), (-half, -half)]
    torch.testing.assert_close(gaussian_ring(radius=radius).centres, radius * torch.tensor(points))


def test_ring_takes_its_number_of_modes_and_its_first_angle():
    ring = gaussian_ring(modes=3, radius=1.0, start_degrees=0.0)
    torch.testing.assert_close(ring.centres, torch.tensor([(1, 0), (-0.5, 0.75**0.5), (-0.5, -(0.75**0.5))]))


def test_double_circle_is_the_ring_with_even_centres_at_half_the_radius():
    expected = gaussian_ring().centres * torch.tensor([0.5, 1.0] * 4)[:, None]
    torch.testing.assert_close(double_circle().centres, expected)


@pytest.mark.parametrize(
    ("side", "spacing", "axis"),
    [(5, 2.0, [-4, -2, 0, 2, 4]), (5, 2 / 2.828, [-1.41443, -0.70721, 0, 0.70721, 1.41443]), (2, 1.0, [-0.5, 0.5])],
)
def test_grid_is_square_and_centred(side, spacing, axis):
    expected = torch.tensor([(x, y) for x in axis for y in axis], dtype=torch.float32)
    torch.testing.assert_close(gaussian_grid(side=side, spacing=spacing).centres, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "data",
    [
        gaussian_ring(),
        gaussian_ring(radius=math.sqrt(2), std=0.01414),
        double_circle(),
        gaussian_grid(),
        gaussian_grid(spacing=2 / 2.828, std=0.05 / 2.828),
    ],
)
def test_mixture_samples_have_equal_weights_the_centres_as_means_and_the_stated_std(data):
    n, modes = 50_000, len(data.centres)
    samples = data.draw(n, seeded())
    mode = torch.cdist(samples.double(), data.centres.double()).argmin(dim=1)
    weights = mode.bincount(minlength=modes) / n
    error = samples - data.centres[mode]
    assert weights.sub(1 / modes).abs().max() < 4.5 * math.sqrt((1 - 1 / modes) / modes / n)
    for each in range(modes):
        assert error[mode == each].mean(dim=0).abs().max() < 4.5 * data.std * math.sqrt(modes / n)
    torch.testing.assert_close(error.std(dim=0) / data.std, torch.ones(2), rtol=0, atol=4 / math.sqrt(2 * n))


def test_swiss_roll_without_noise_lies_on_the_spiral_at_uniform_angles():
    n = 20_000
    samples = SwissRoll(noise=0.0).draw(n, seeded()).double() * 7.5
    t = samples.norm(dim=1)
    torch.testing.assert_close(samples, torch.stack([t * t.cos(), t * t.sin()], dim=1), rtol=0, atol=1e-4)
    quarters = ((t - 1.5 * math.pi) / (0.75 * math.pi)).long().bincount() / n
    torch.testing.assert_close(quarters, torch.full((4,), 0.25), rtol=0, atol=4 * math.sqrt(0.25 * 0.75 / n))


@pytest.mark.parametrize("scale", [7.5, 1.0])
def test_swiss_roll_noise_is_added_before_the_division(scale):
    n = 20_000
    clean, noisy = (SwissRoll(noise=noise, scale=scale).draw(n, seeded()) for noise in (0.0, 0.25))
    noise = (noisy - clean) * scale
    torch.testing.assert_close(noise.std(dim=0), torch.full((2,), 0.25), rtol=4 / math.sqrt(2 * n), atol=0)
    assert noise.mean(dim=0).abs().max() < 4 * 0.25 / math.sqrt(n)


@pytest.mark.parametrize("data", EVERY_SET)
def test_a_draw_is_float32_pairs_on_the_device_of_the_stream(data):
    samples = data.to("cpu").draw(7, seeded())
    assert (samples.shape, samples.dtype, samples.device) == ((7, *data.sample_shape), torch.float32, seeded().device)


@pytest.mark.parametrize("data", EVERY_SET)
def test_a_draw_depends_on_its_stream_alone(data):
    rng = seeded(1)
    torch.manual_seed(2)
    ambient = torch.get_rng_state()
    first, second = data.draw(50, rng), data.draw(50, rng)
    assert torch.equal(torch.get_rng_state(), ambient)
    assert torch.equal(data.draw(50, seeded(1)), first)
    assert not (second == first).any()
    assert not (data.draw(50, seeded(3)) == first).any()


@pytest.mark.parametrize(
    ("factory", "option", "value"),
    [
        (factory, option, value)
        for factory, options in [
            (gaussian_ring, ["modes", "radius", "std"]),
            (double_circle, ["modes", "radius", "std"]),
            (gaussian_grid, ["side", "spacing", "std"]),
            (SwissRoll, ["scale"]),
        ]
        for option in options
        for value in (0, -1)
    ]
    + [(gaussian_ring, "std", math.nan), (gaussian_grid, "spacing", math.inf)],
)
def test_an_option_that_is_not_positive_is_refused_by_name(factory, option, value):
    name = "swiss_roll" if factory is SwissRoll else factory.__name__
    with pytest.raises(DataError, match=f"^{name}, {option}: must be positive and finite, got {value}$"):
        factory(**{option: value})


def test_negative_noise_is_refused():
    with pytest.raises(DataError, match=r"^swiss_roll, noise: must be finite and at least 0, got -0\.1$"):
        SwissRoll(noise=-0.1)


@pytest.mark.parametrize("shape", [(0, 2), (3,), (2, 3)])
def test_centres_that_are_not_a_list_of_points_are_refused(shape):
    with pytest.raises(DataError, match=r"^Mixture, centres: must have shape \(modes, 2\), got "):
        Mixture(torch.zeros(shape), 0.1)


def test_a_mixture_with_weights_draws_its_modes_by_them():
    n, weights = 50_000, torch.tensor([0.1, 0.6, 0.3])
    data = Mixture(torch.tensor([(0.0, 0.0), (1.0, 0.0), (5.0, 0.0)]), 0.01, weights).to("cpu")
    mode = torch.cdist(data.draw(n, seeded()), data.centres).argmin(dim=1)
    torch.testing.assert_close(mode.bincount() / n, weights, rtol=0, atol=4 * math.sqrt(0.24 / n))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.ones(2), "Mixture, weights: must sum to 1, got 2; divide them by their sum"),
        (torch.tensor([1.5, -0.5]), "Mixture, weights: must be at least 0, got -0.5"),
        (
            torch.ones(1),
            "Mixture, weights: must be a tensor of floats, (2,), one for each mode, got (1,) torch.float32",
        ),
    ],
)
def test_weights_that_are_none_are_refused(weights, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Mixture(torch.zeros(2, 2), 0.1, weights)
