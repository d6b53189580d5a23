import math

import pytest
import torch

from wganbench.data.closed_form import Segment
from wganbench.data.contract import NEEDED, check_toy_data_set
from wganbench.data.toy import SwissRoll, double_circle, gaussian_grid, gaussian_ring
from wganbench.spec.catalogue import NAMES

EVERYTHING = ("centres", "std", "plane")


class Grid9:
    """A 3×3 grid of unequal weights, as someone would write it."""

    def __init__(self):
        self.sample_shape = (2,)
        axis = torch.arange(-1.0, 2.0)
        self.centres = torch.cartesian_prod(axis, axis)
        self.std = 0.05
        self.weights = torch.arange(1.0, 10.0) / 45

    def draw(self, n, rng):
        modes = torch.multinomial(self.weights, n, replacement=True, generator=rng)
        return torch.normal(self.centres[modes], self.std, generator=rng)

    def to(self, device):
        return self


def changed(**attributes):
    data = Grid9()
    for name, value in attributes.items():
        setattr(data, name, value)
    return data


def test_a_custom_grid_of_unequal_weights_keeps_the_contract():
    assert check_toy_data_set(Grid9(), EVERYTHING) == []


@pytest.mark.parametrize("data", [gaussian_ring(), double_circle(), gaussian_grid()])
def test_the_mixtures_of_the_package_keep_it(data):
    assert check_toy_data_set(data, EVERYTHING) == []


def test_a_data_set_without_modes_keeps_it_where_no_measure_reads_modes():
    roll = SwissRoll()
    assert check_toy_data_set(roll, ("plane",)) == []
    assert check_toy_data_set(roll, ("centres",)) == [
        "SwissRoll, centres: missing; must be a tensor of the modes' centres, (modes, dim)"
    ]
    assert check_toy_data_set(Segment(), ("even", "plane")) == []
    (line,) = check_toy_data_set(roll, ("even",))
    assert line.startswith("SwissRoll, even: missing; must be a function from n to (n, dim) points")


@pytest.mark.parametrize(
    ("attributes", "line"),
    [
        (
            {"sample_shape": 2},
            "Grid9, sample_shape: must be a tuple of positive whole numbers, such as (2,), got 2",
        ),
        ({"draw": None}, "Grid9, draw: missing; must be a method draw(n, rng)"),
        ({"to": None}, "Grid9, to: missing; must be a method to(device)"),
        (
            {"to": lambda device: None},
            "Grid9, to('cpu'): must return the data set on that device, got None",
        ),
        (
            {"draw": lambda n: torch.zeros(n, 2)},
            "Grid9, draw(5, rng): TypeError: <lambda>() takes 1 positional argument but 2 were given; must",
        ),
        (
            {"draw": lambda n, rng: torch.zeros(n, 3)},
            "Grid9, draw(5, rng): must have shape (5, 2), torch.float32, got (5, 3) torch.float32",
        ),
        (
            {"draw": lambda n, rng: torch.zeros(n, 2).double()},
            "Grid9, draw(5, rng): must have shape (5, 2), torch.float32, got (5, 2) torch.float64",
        ),
        ({"draw": lambda n, rng: [0.0] * n}, "Grid9, draw(5, rng): must return a tensor, got list"),
        ({"draw": lambda n, rng: torch.full((n, 2), math.inf)}, "Grid9, draw(5, rng): must be finite, got inf"),
        (
            {"draw": lambda n, rng: torch.rand(n, 2)},
            "Grid9, draw: two draws from one seed differ; rng must be its only source of randomness",
        ),
        (
            {"centres": [(0, 0), (1, 1)]},
            "Grid9, centres: must be a tensor of floats, (modes, 2), as samples are, got list",
        ),
        (
            {"centres": torch.zeros(9, 3)},
            "Grid9, centres: must be a tensor of floats, (modes, 2), as samples are, got (9, 3) torch.float32",
        ),
        ({"std": 0.0}, "Grid9, std: must be a positive number, one for all modes, got 0.0"),
        ({"std": torch.ones(9)}, "Grid9, std: must be a positive number, one for all modes, got Tensor"),
        ({"std": None}, "Grid9, std: missing; must be the modes' standard deviation along each axis, a positive"),
        (
            {"weights": torch.ones(9)},
            "Grid9, weights: must sum to 1, got 9; divide them by their sum",
        ),
        (
            {"weights": torch.tensor([0.5, 0.5])},
            "Grid9, weights: must be a tensor of floats, (9,), one for each mode, got (2,) torch.float32",
        ),
        ({"weights": torch.tensor([-0.5, 1.5] + [0.0] * 7)}, "Grid9, weights: must be at least 0, got -0.5"),
        ({"weights": torch.full((9,), math.nan)}, "Grid9, weights: must be at least 0, got nan"),
    ],
)
def test_each_violation_is_one_line(attributes, line):
    data = changed(**{"draw": lambda n, rng: torch.zeros(n, 2), **attributes})
    (found,) = check_toy_data_set(data, EVERYTHING)
    assert found.startswith(line) and "\n" not in found


def test_a_sample_that_is_no_point_of_the_plane_is_refused_where_one_is_read():
    data = changed(sample_shape=(3,), draw=lambda n, rng: torch.zeros(n, 3), centres=torch.zeros(9, 3))
    assert check_toy_data_set(data, ("centres", "std")) == []
    assert check_toy_data_set(data, ("plane",)) == [
        "Grid9, sample_shape: must be (2,), as a point of the plane is read, got (3,)"
    ]


def test_several_violations_are_all_reported():
    assert len(check_toy_data_set(object(), EVERYTHING)) == 4


def test_every_name_that_needs_something_is_one_of_the_catalogue():
    assert NEEDED.keys() <= NAMES["measure"].keys() | NAMES["picture"].keys()
    reads_modes = {name for name, needs in NEEDED.items() if "centres" in needs}
    assert reads_modes == {"modes_covered", "share_within", "reverse_kl", "mode_maxima"}
