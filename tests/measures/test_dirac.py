import math

import pytest
import torch

from wganbench.measures import dirac
from wganbench.networks.dirac import DiracCritic

CRITIC = DiracCritic((1,), (), start=-4e-34)


def test_positions_and_their_distance_are_those_of_the_parameters_even_when_they_are_tiny():
    fake = torch.full((5, 1), 3e-34)
    assert dirac.generator_position(fake) == pytest.approx(3e-34)
    assert dirac.critic_slope(CRITIC) == pytest.approx(-4e-34)
    assert dirac.equilibrium_distance(fake, CRITIC) == pytest.approx(5e-34), "no square underflows"


def test_a_generator_that_is_not_finite_has_no_distance():
    assert math.isnan(dirac.equilibrium_distance(torch.tensor([[math.nan]]), CRITIC))


@pytest.mark.parametrize("steps", [[0, 1, 2, 100, 200], [0, 90, 200], [0, 100, 110, 200]])
def test_contraction_is_the_factor_of_a_geometric_sequence(steps):
    values = [7.0 * 0.9**step for step in steps]
    assert dirac.contraction({"d": (steps, values)}, of="d") == pytest.approx(0.9)


def test_contraction_reads_the_second_half_alone():
    assert dirac.contraction({"d": ([0, 50, 100], [9.0, 1.0, 4.0])}, of="d") == pytest.approx(4 ** (1 / 50))


@pytest.mark.parametrize("values", [[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [1.0, None, 1.0], [1.0, 1.0, None]])
def test_contraction_of_a_distance_that_is_zero_or_unknown_is_unknown(values):
    assert math.isnan(dirac.contraction({"d": ([0, 5, 10], values)}, of="d"))
