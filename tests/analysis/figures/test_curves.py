"""Curves: what is drawn of them, and of which records."""

import numpy as np
import pytest

from tests.analysis.factory import FIGURES, fill, made, record
from tests.analysis.figures.kept import figure_of
from wganbench.analysis.figures import draw, drawings_of
from wganbench.analysis.figures.curves import Line, draw_line, draw_lines
from wganbench.analysis.figures.style import beside, look_of, looks_apart
from wganbench.analysis.results import Results
from wganbench.records.record import Curve

STEPS = np.array([0, 1, 10, 100])


def limits(axes):
    """Lower and upper edge of the band, by step."""
    (band,) = axes.collections
    points = band.get_paths()[0].vertices
    return [(points[points[:, 0] == step, 1].min(), points[points[:, 0] == step, 1].max()) for step in STEPS]


def test_a_curve_is_the_mean_over_seeds_between_quartiles(axes):
    values = np.arange(5.0)[:, None] ** 2 + np.arange(4.0)
    draw_line(axes, Line("gan", 0, STEPS, values))

    (line,) = axes.lines

    np.testing.assert_allclose(line.get_xydata(), np.column_stack([STEPS, 6.0 + np.arange(4.0)]))
    np.testing.assert_allclose(limits(axes), np.column_stack([1.0 + np.arange(4.0), 9.0 + np.arange(4.0)]))
    assert line.get_label() == "gan: mean and quartiles of 5 seeds"


def test_below_five_seeds_the_band_is_the_range(axes):
    draw_line(axes, Line("gan", 0, STEPS, np.array([[1.0] * 4, [2.0] * 4, [6.0] * 4])))
    np.testing.assert_allclose(limits(axes), [(1.0, 6.0)] * 4)
    assert axes.lines[0].get_label() == "gan: mean and range of 3 seeds"


def test_a_single_seed_has_no_band_in_its_label(axes):
    draw_line(axes, Line("gan", 0, STEPS, np.ones((1, 4))))
    assert axes.lines[0].get_label() == "gan: 1 seed"


def test_a_seed_that_diverged_ends_in_a_cross_and_the_others_go_on(axes):
    values = np.array([[1.0, 1.0, 1.0, 1.0], [3.0, 5.0, np.nan, np.nan]])
    draw_line(axes, Line("gan", 0, STEPS, values, n_diverged=1))

    mean, cross = axes.lines

    np.testing.assert_allclose(mean.get_ydata(), [2.0, 3.0, 1.0, 1.0])
    assert (cross.get_marker(), *cross.get_xydata()[0]) == ("x", 1.0, 5.0)
    assert mean.get_label().endswith("of 2 seeds, 1 diverged (×)")


def test_steps_at_which_no_seed_has_a_number_are_left_out(axes):
    draw_line(axes, Line("gan", 0, STEPS, np.array([[1.0, np.nan, 1.0, np.nan]])))
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0, 10])


def test_a_panel_shows_step_0_on_a_logarithmic_axis(axes):
    draw_lines(axes, [Line("gan", 0, STEPS, np.ones((1, 4)))])
    assert (axes.get_xscale(), axes.get_xlim()[0]) == ("symlog", 0)
    assert axes.get_xlabel() == "generator step"


@pytest.mark.parametrize(
    ("steps", "scale"), [([0, 125, 250, 375], "linear"), ([0, 7, 13, 20], "linear"), ([0, 1, 3, 6], "symlog")]
)
def test_a_panel_of_even_steps_is_linear(axes, steps, scale):
    draw_lines(axes, [Line("gan", 0, np.array(steps), np.ones((1, 4)))])
    assert (axes.get_xscale(), axes.get_xlabel()) == (scale, "generator step")


def test_variants_look_different_and_keep_their_look():
    looks = [look_of(position) for position in range(40)]
    assert len(set(looks)) == 40
    assert look_of(3) == looks[3]


def test_variants_of_one_figure_with_the_same_colour_get_another_that_is_free():
    assert looks_apart([0, 3, 11]) == {0: 0, 3: 3, 11: 11}
    assert looks_apart([13, 0, 3, 10]) == {0: 0, 3: 3, 10: 11, 13: 12}, "colours 1 and 2 are free"
    colours = [look_of(position)[0] for position in looks_apart(range(5, 15)).values()]
    assert len(set(colours)) == 10
    assert looks_apart(range(11))[10] == 10, "none is free"


def test_a_variant_keeps_its_colour_while_no_other_of_its_figure_has_it(tmp_path, store):
    more = "".join(f"\n[variants.other-{n}]\nlatent_dim = {n + 2}\n" for n in range(1, 10))
    figures = (
        FIGURES
        + """
[[figures]]
id = "two"
kind = "curves"
variants = ["good", "other-9"]
measures = ["sectors_occupied"]
"""
    )
    experiment = made(tmp_path, more, figures)
    results = Results(experiment, fill(store, experiment))
    drawings = {each.figure.id: each for each in drawings_of(results)}
    assert [drawings["two"].position(name) for name in ("good", "other-9")] == [0, 11]
    assert [drawings["curves"].position(name) for name in ("good", "bad", "other-9")] == [0, 1, 10]


def test_curves_are_drawn_from_the_records(tmp_path, store):
    experiment = made(tmp_path, FIGURES)
    fill(store, experiment)
    drawing = drawings_of(Results(experiment, store.load()))[1]
    figure = draw(drawing, store)
    first, second = figure.axes
    good, bad = first.lines
    assert list(good.get_xdata()) == [0, 10, 100]
    assert list(good.get_ydata()) == pytest.approx([0.0, 7.75 / 2, 7.75])
    assert list(bad.get_ydata()) == pytest.approx([0.0, 1.25 / 2, 1.25])
    assert (first.get_title(loc="left"), first.get_ylabel()) == ("sectors_occupied ↑", "sectors")
    assert (second.get_title(loc="left"), second.get_ylabel()) == ("exact_wasserstein ↓", "distance")
    entries = [f"{name}: mean and quartiles of 8 seeds" for name in ("good", "bad")]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == entries


AGAINST = """
[[figures]]
id = "against"
kind = "curves"
measures = ["sectors_occupied"]
against = "exact_wasserstein"
"""


def timed(experiment, seed, seconds, sectors, **changes):
    """A run of ``good`` with these curves, from steps to values, the former in the place of seconds."""
    curves = {"exact_wasserstein": seconds, "sectors_occupied": sectors}
    told = {name: Curve(steps=list(curve), values=list(curve.values())) for name, curve in curves.items()}
    return record(experiment, "good", seed, {}, **{"curves": told, **changes})


def test_curves_against_a_measure_are_at_its_mean_over_the_seeds_of_each_step(tmp_path, store):
    experiment = made(tmp_path, AGAINST)
    store.write(timed(experiment, 0, {0: 0.0, 10: 20.0, 50: 90.0, 100: 200.0}, {0: 1.0, 10: 2.0, 100: 4.0}))
    store.write(timed(experiment, 1, {0: 0.0, 10: 40.0, 100: 400.0}, {0: 3.0, 10: 6.0, 20: 7.0, 100: 8.0}))
    figure = figure_of(experiment, store)
    (axes,) = figure.axes
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[0, 2], [30, 4], [300, 6]])  # steps 20 and 50 have one of them
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == (
        "linear",
        "exact_wasserstein (distance)",
        "sectors",
    )


def test_a_seed_that_ended_leaves_the_others_their_own_place_and_ends_in_a_cross(tmp_path, store):
    experiment = made(tmp_path, AGAINST)
    store.write(timed(experiment, 0, {0: 0.0, 10: 20.0, 100: 200.0}, {0: 1.0, 10: 2.0, 100: 4.0}))
    ended = {"status": "diverged", "note": "not finite", "steps_done": 10}
    store.write(timed(experiment, 1, {0: 0.0, 10: 40.0}, {0: 3.0, 10: 6.0}, **ended))
    (axes,) = figure_of(experiment, store).axes
    line, cross = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[0, 2], [30, 4], [200, 4]])
    np.testing.assert_allclose(cross.get_xydata(), [[30, 6]])


def test_runs_without_two_steps_that_have_both_are_not_drawn(tmp_path, store):
    experiment = made(tmp_path, AGAINST)
    store.write(timed(experiment, 0, {0: 0.0, 50: 20.0}, {0: 1.0, 100: 4.0}))
    (drawing,) = drawings_of(Results(experiment, store.load()))
    assert not drawing.used


@pytest.mark.parametrize(
    ("unit", "lines"),
    [
        ("sectors", ["sectors"]),
        ("score by inception@tf2015-10split-50k", ["score by", "inception@tf2015-10split-50k"]),
        ("score by classifier@cifar10-jpeg75-16-1a2b3c4d", ["score by", "classifier@cifar10-jpeg75-16-1a2b3c4d"]),
    ],
)
def test_a_label_that_is_higher_than_its_panel_takes_several_lines_and_breaks_no_name(unit, lines):
    assert beside(unit).split("\n") == lines
