import math

import pytest
import torch

from wganbench.data.closed_form import Circle, Interval, Point, Segment
from wganbench.data.fixed_generators import Noised, PartTranslated, Scaled, Translated
from wganbench.data.toy import gaussian_ring
from wganbench.errors import DataError
from wganbench.measures.coupling import transport_distance
from wganbench.measures.divergence import (
    discrete_js,
    discrete_tv,
    estimate_gradient,
    estimate_gradient_size,
    js_bound,
    js_bound_gradient,
    js_bound_gradient_size,
    missing_mass,
)

REAL, FAKE = torch.tensor([(1.0, 0.0), (3.0, 9.0)]), torch.tensor([(1.0, 5.0), (0.0, 5.0), (-4.0, 5.0)])


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.fixture(autouse=True)
def _as_the_runner_calls():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("theta", [-1.0, 1e-6, 0.5, 30.0])
def test_parallel_lines_are_as_far_apart_as_can_be_however_near(theta):
    fixed = Translated(by=theta)
    assert discrete_js(Segment(), fixed) == pytest.approx(math.log(2))
    assert discrete_tv(Segment(), fixed) == pytest.approx(1)
    assert missing_mass(Segment(), fixed) == pytest.approx(1)


@pytest.mark.parametrize("fixed", [Translated(by=0.0), Translated(by=1e-12), Scaled(factor=1.0)])
@pytest.mark.parametrize("data", [Segment(), Circle(), Point()])
def test_a_line_on_itself_is_no_divergence_away(data, fixed):
    assert discrete_js(data, fixed) == pytest.approx(0, abs=1e-12)
    assert discrete_tv(data, fixed) == pytest.approx(0, abs=1e-12)
    assert missing_mass(data, fixed) == 0


def test_intervals_that_share_a_quarter():
    # Moved by 3/4: atoms of the shared quarter have 1/n in both, the others 1/n in one.
    data, fixed = Interval(), Translated(by=0.75)
    assert discrete_tv(data, fixed) == pytest.approx(0.75)
    assert missing_mass(data, fixed) == pytest.approx(0.75)
    assert discrete_js(data, fixed) == pytest.approx(0.75 * math.log(2))


def test_atoms_of_unequal_mass(monkeypatch):
    def three_of_four(self, real, noise):
        fake = real.clone()
        fake[0] = 1.0
        return fake

    monkeypatch.setattr(Translated, "__call__", three_of_four)
    data, fixed = Point(), Translated(by=1.0)  # p = (1, 0), q = (3/4, 1/4), m = (7/8, 1/8)
    kl_p, kl_q = math.log(8 / 7), 0.75 * math.log(6 / 7) + 0.25 * math.log(2)
    assert discrete_js(data, fixed, samples=4) == pytest.approx((kl_p + kl_q) / 2)
    assert discrete_tv(data, fixed, samples=4) == pytest.approx(0.25)
    assert missing_mass(data, fixed, samples=4) == 0


@pytest.mark.parametrize("measure", [discrete_js, discrete_tv, missing_mass])
@pytest.mark.parametrize(("data", "fixed"), [(Segment(), Noised()), (gaussian_ring(), Translated(by=1.0))])
def test_what_has_no_closed_form_has_no_atoms(measure, data, fixed):
    with pytest.raises(DataError, match=r"^even points: need data and a fixed generator with a closed form, got "):
        measure(data, fixed)


@pytest.mark.parametrize(
    ("logit", "bound"), [(0.0, 0.0), (math.log(3), math.log(2) + (math.log(3 / 4) + math.log(1 / 4)) / 2)]
)
def test_a_constant_discriminator_proves_nothing(logit, bound):
    assert js_bound(lambda x: 0 * x[:, 0] + logit, REAL, FAKE) == pytest.approx(bound, abs=1e-7)


def test_a_linear_discriminator():
    mean_real = sum(math.log(sigmoid(2 * x)) for x in (1, 3)) / 2
    mean_fake = sum(math.log(1 - sigmoid(2 * x)) for x in (1, 0, -4)) / 3
    expected = math.log(2) + (mean_real + mean_fake) / 2
    assert js_bound(lambda x: 2 * x[:, 0], REAL, FAKE) == pytest.approx(expected)


@pytest.mark.parametrize(("scale", "bound"), [(1e4, math.log(2)), (-1e4, math.log(2) - 1e4)])
def test_a_sure_discriminator_proves_all_there_is_or_is_fined_for_each_mistake(scale, bound):
    real, fake = torch.ones(3, 2), -torch.ones(4, 2)
    assert js_bound(lambda x: scale * x[:, 0], real, fake) == pytest.approx(bound)


def test_the_best_discriminator_of_two_atoms_reaches_their_divergence():
    # Real (1, 0), generated (3/4, 1/4): logits log p/q are log 4/3, and −∞, here −50.
    real, fake = torch.zeros(4, 2), torch.zeros(4, 2)
    fake[0, 0] = 1.0
    found = js_bound(lambda x: math.log(4 / 3) * (1 - x[:, 0]) - 50 * x[:, 0], real, fake)
    assert found == pytest.approx((math.log(8 / 7) + 0.75 * math.log(6 / 7) + 0.25 * math.log(2)) / 2, abs=1e-7)


@pytest.mark.parametrize("slope", [-2.0, 0.0, 3.0])
def test_gradients_of_a_linear_critic_on_a_line(slope):
    fake = torch.tensor([(0.5, 0.0), (0.5, 1.0)])

    def critic(x):
        return slope * x[:, 0] + 5 * x[:, 1] - 5  # the second axis is not the one moved along

    expected = -slope * (sigmoid(slope / 2 - 5) + sigmoid(slope / 2)) / 2 / 2
    assert js_bound_gradient(critic, fake) == pytest.approx(expected)
    assert estimate_gradient(critic, fake) == pytest.approx(-slope)
    assert js_bound_gradient_size(critic, fake) == pytest.approx(abs(expected))
    assert estimate_gradient_size(critic, fake) == pytest.approx(abs(slope))


def test_gradients_are_those_of_the_measures_themselves():
    def critic(x):
        return torch.sin(x[:, 0]) * (1 + x[:, 1])

    step = 1e-3
    moved = [FAKE.double() + torch.tensor([sign * step, 0.0]) for sign in (1, -1)]
    bound = [js_bound(critic, REAL.double(), fake) for fake in moved]
    estimate = [-critic(fake).mean().item() for fake in moved]
    assert js_bound_gradient(critic, FAKE) == pytest.approx((bound[0] - bound[1]) / (2 * step), rel=1e-5)
    assert estimate_gradient(critic, FAKE) == pytest.approx((estimate[0] - estimate[1]) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("theta", [-0.5, 0.5])
def test_the_optimal_critic_of_example_1_pulls_towards_the_data(theta):
    fake = Segment().draw(10, torch.Generator().manual_seed(0)) + torch.tensor([theta, 0.0])
    sign = math.copysign(1, theta)  # f = −sign(θ)·x₁ has the gap |θ|, whose derivative is sign(θ)
    assert estimate_gradient(lambda x: -sign * x[:, 0], fake) == pytest.approx(sign)


def test_the_sign_may_cancel_between_fakes():
    fake = torch.tensor([(-1.0, 0.0), (1.0, 0.0)])
    assert estimate_gradient(lambda x: x[:, 0] ** 2, fake) == pytest.approx(0)


def test_a_sure_discriminator_leaves_next_to_nothing_but_not_0():
    gradient = js_bound_gradient(lambda x: x[:, 0] - 150, torch.zeros(3, 2))
    assert gradient == pytest.approx(-math.exp(-150) / 2, abs=0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_measure_nan(value):
    fake = FAKE.clone()
    fake[1, 0] = value

    def blind(x):
        return x.clamp(-1, 1).nan_to_num()[:, 0]

    assert math.isnan(js_bound(blind, REAL, fake))
    for measure in (js_bound_gradient, estimate_gradient, js_bound_gradient_size, estimate_gradient_size):
        assert math.isnan(measure(blind, fake))


def test_a_gradient_leaves_no_trace():
    with torch.enable_grad():
        layer = torch.nn.Linear(2, 1)
    estimate_gradient(lambda x: layer(x).flatten(), FAKE)
    assert layer.weight.grad is None
    assert not FAKE.requires_grad


@pytest.mark.parametrize("n", [1, 2, 16, 256])
def test_theorem_2_on_exact_sequences(n):
    """Where total variation and Jensen–Shannon vanish, so does the distance; the converse is false."""
    nearer, fewer, data = Translated(by=1 / n), PartTranslated(by=1.0, part=1 / n), Segment()
    for fixed in (nearer, fewer):
        assert transport_distance(data, fixed, samples=256) == pytest.approx(1 / n)
        assert fixed.distance(data) == pytest.approx(1 / n)
    assert discrete_tv(data, nearer, samples=256) == pytest.approx(1)
    assert discrete_js(data, nearer, samples=256) == pytest.approx(math.log(2))
    assert discrete_tv(data, fewer, samples=256) == pytest.approx(1 / n)
    assert discrete_js(data, fewer, samples=256) == pytest.approx(math.log(2) / n)
