"""Where a strip plot puts its dots, lines and numbers."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from wganbench.analysis.html.charts import EDGES, Chart, Dot, Line, Strip, lay_out
from wganbench.analysis.html.scale import LEFT, RIGHT, Scale, scale_for
from wganbench.analysis.stats import Interval


def test_the_ends_of_an_axis_lie_at_the_ends_of_the_plot_and_its_middle_between_them():
    scale = Scale(-1.0, 3.0)
    assert [scale.place(x) for x in (-1.0, 1.0, 3.0)] == [LEFT, (LEFT + RIGHT) / 2, RIGHT]
    assert [scale.place(x) for x in (-9.0, 9.0)] == [LEFT, RIGHT]


def test_positive_numbers_over_three_decades_lie_on_a_logarithmic_axis():
    scale = scale_for([0.01, 1.0, 100.0, math.inf, math.nan])
    assert scale.is_log
    low, middle, high = (scale.place(x) for x in (0.01, 1.0, 100.0))
    assert middle == pytest.approx((low + high) / 2, abs=0.01)
    assert scale.place(0.0) == LEFT
    assert not scale_for([-0.01, 100.0]).is_log
    assert not scale_for([1.0, 999.0]).is_log


@pytest.mark.parametrize("values", [[8.0, 8.0], [0.0], [], [math.inf]])
def test_a_single_number_or_none_still_has_an_axis(values):
    scale = scale_for(values)
    assert scale.low < scale.high
    assert len(scale.ticks()) >= 2


def test_ticks_of_counts_are_whole_numbers():
    assert [text for _, text in scale_for([0.0, 8.0]).ticks()] == ["0", "2", "4", "6", "8"]


def dots(*values: float) -> tuple[Dot, ...]:
    return tuple(Dot(value, 0, f"seed {seed}", f"run-{seed}") for seed, value in enumerate(values))


def test_equal_values_stand_in_a_block_in_which_no_two_dots_touch():
    (row,) = lay_out(Chart("t", (Strip("a", dots(*[1.0] * 24, 5.0)),))).rows
    *same, alone = [(mark.x, mark.shift, mark.y) for mark in row.marks]
    assert len({x for x, *_ in same}) == 1 and alone[0] > same[0][0]
    places = {(shift, y) for _, shift, y in same}
    assert len(places) == 24
    shifts = sorted({shift for shift, _ in places})
    assert {right - left for left, right in pairwise(shifts)} == {9}
    assert sum(shift for shift, _ in places) == 0
    assert alone[1:] == (0, max(y for _, y in places))


def test_runs_without_a_number_lie_at_their_edge_and_do_not_stretch_the_axis():
    lost = (Dot(math.nan, 1, "seed 2: diverged", "r2"), Dot(1e9, -1, "seed 3: diverged", "r3"))
    plot = lay_out(Chart("t", (Strip("a", (*dots(1.0, 2.0), *lost)),)))
    marks = plot.rows[0].marks
    assert [mark.is_run for mark in marks] == [True, True, False, False]
    assert [mark.x for mark in marks[2:]] == [EDGES[1], EDGES[0]]
    assert LEFT < marks[0].x < 50 < marks[1].x < RIGHT
    assert len(plot.edges) == 2
    assert ("edge", "at the edge, without a number of their own: 2") in plot.legend
    assert "a: from 1 to 2, 2 at the edge" in plot.summary


def test_lines_cross_all_strips_and_a_strip_s_own_line_crosses_it_alone():
    strips = (Strip("a", dots(0.0, 1.0)), Strip("b", dots(2.0), lines=(Line(1.5, "published", "published: 1.5"),)))
    plot = lay_out(Chart("t", strips, (Line(4.0, "bound", "claimed: at most 4"),)))
    bound, published = plot.rules
    assert bound.x > max(mark.x for row in plot.rows for mark in row.marks)
    assert bound.top < published.top and bound.bottom == published.bottom == plot.floor
    assert plot.rows[0].marks[0].x < published.x
    assert plot.legend == (("bound", "claimed: at most 4"), ("published", "published: 1.5"))


def test_an_interval_lies_under_its_strip_and_an_infinite_end_at_the_end_of_the_axis():
    strip = Strip("a", dots(1.0, 3.0), 2.0, Interval(1.5, math.inf, 0.95, "mean"))
    (row,) = lay_out(Chart("t", (strip,))).rows
    assert row.high == RIGHT
    assert row.low < row.centre == pytest.approx(50, abs=0.1)
    assert row.whisker > max(mark.y for mark in row.marks)
    (without,) = lay_out(Chart("t", (Strip("a", dots(1.0)),))).rows
    assert (without.low, without.high, without.centre) == (None, None, None)
