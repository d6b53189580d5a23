"""Numbers of the specs that have no randomness in them: what no number of seeds says more of than one calculation."""

from __future__ import annotations

import math

import pytest

from wganbench.measures.coupling import transport_distance, transport_error
from wganbench.measures.divergence import discrete_js, discrete_tv, missing_mass
from wganbench.runner import resolve
from wganbench.spec import load

THETAS = {f"critic-{'m' if theta < 0 else 'p'}{abs(theta):03}": theta / 100 for theta in range(-100, 101, 25)}
COUPLINGS = {
    "translation2-10": 1.0,
    "translation64-10": 1.0,
    "circles-10": 1.0,
    "points-10": 1.0,
    "gaussians-10": math.sqrt(2 / math.pi),  # |σ₁ − σ₂| times the mean of |N(0, 1)|
    "intervals-10": 2.0,
}


def pair(experiment, variant):
    """The data set and the fixed generator of a variant."""
    setting = load(experiment).setting(variant, "reduced")
    assert setting.fixed_generator is not None
    return resolve.factory("data set", setting.data)(), resolve.factory("fixed generator", setting.fixed_generator)()


@pytest.mark.parametrize(("variant", "distance"), COUPLINGS.items())
def test_the_exact_distance_of_a_coupling_is_that_of_its_formula(variant, distance):
    data, fixed = pair("optimal-critic", variant)
    assert transport_error(data, fixed, samples=1000) <= 1e-3
    assert transport_distance(data, fixed, samples=200) == pytest.approx(distance, abs=5e-3)


@pytest.mark.parametrize(("variant", "theta"), THETAS.items())
def test_two_lines_are_theta_apart_and_their_divergences_know_no_how_far(variant, theta):
    data, fixed = pair("parallel-lines", variant)
    assert transport_distance(data, fixed, samples=200) == pytest.approx(abs(theta), abs=1e-9)
    apart = float(theta != 0)
    assert discrete_js(data, fixed, samples=1000) == pytest.approx(apart * math.log(2), abs=1e-9)
    assert discrete_tv(data, fixed, samples=1000) == pytest.approx(apart, abs=1e-9)
    assert missing_mass(data, fixed, samples=1000) == pytest.approx(apart, abs=1e-9)  # where positive, KL is infinite


@pytest.mark.parametrize("experiment", ["optimal-critic", "parallel-lines"])
def test_no_claim_that_counts_is_on_a_number_without_randomness(experiment):
    exact = {"transport_error", "discrete_js", "discrete_tv", "missing_mass"}
    on_these = [claim for claim in load(experiment).claims if set(claim.measured()) & exact]
    assert sum(len(claim.checks) for claim in on_these) == {"optimal-critic": 6, "parallel-lines": 5}[experiment]
    assert all(claim.superseded for claim in on_these)
