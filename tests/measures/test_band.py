"""The band of a measure, against curves whose answer is plain."""

from __future__ import annotations

import math

import pytest

from wganbench.measures.band import excess, fall, regained, share_outside


def curve(*values):
    return {"w": (list(range(len(values))), list(values))}


@pytest.mark.parametrize("shift", [0, -100])
@pytest.mark.parametrize("scale", [1, 7])
def test_half_of_a_fall_regained_is_a_half_in_any_unit(shift, scale):
    values = [10] * 3 + [2] * 3 + [6] * 3
    assert regained(curve(*(scale * value + shift for value in values)), of="w", skip=0) == pytest.approx(0.5)


def test_one_value_out_of_line_regains_nothing_and_a_rise_from_the_start_is_no_fall():
    assert regained(curve(10, 10, 10, 2, 2, 2, 50), of="w", skip=0) == 0
    assert math.isnan(regained(curve(1, 2, 3, 4, 5), of="w", skip=0))


def test_distances_against_their_own_best():
    assert excess(curve(8, 2, 5), of="w") == 2.5
    assert share_outside(curve(8, 2, 5, 3, None), of="w", factor=2) == 0.5  # 5 and the one that is not finite


def test_a_steady_fall_is_minus_one_and_one_that_never_fell_is_one():
    assert fall(curve(9, 8, 7, 6, 5, 4), of="w", skip=0) == pytest.approx(-1, abs=0.1)
    assert fall(curve(1, 2, 3, 4, 5), of="w", skip=0) == 1
