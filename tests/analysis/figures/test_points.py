"""Points: what is drawn of final values and laws, and of which records."""

import numpy as np
import pytest

from tests.analysis.factory import made, record
from tests.analysis.figures.kept import figure_of
from wganbench.analysis.figures import save
from wganbench.analysis.figures.points import LAW, Dots, Law, draw_points
from wganbench.analysis.figures.style import look_of
from wganbench.analysis.report import compose

X = np.array([1.0, 2.0])
VALUES = (np.array([1.0, 3.0]), np.array([4.0, np.nan, 8.0]))


def drawn(axes, what):
    return [np.asarray(line.get_xydata()).tolist() for line in axes.lines if line.get_gid() == what]


def test_a_large_mark_is_the_mean_of_the_small_ones_at_its_x(axes):
    draw_points(axes, (Dots("gp", 0, X, VALUES),))
    assert drawn(axes, "means") == [[[1, 2.0], [2, 6.0]]]
    assert drawn(axes, "seeds") == [[[1, 1.0], [1, 3.0], [2, 4.0], [2, 8.0]]]
    assert axes.get_title(loc="right") == "1 of 5 runs without a number"
    assert axes.get_legend_handles_labels()[1] == ["gp: mean of 2 to 3 seeds, small: each"]


def test_groups_differ_in_colour_and_mark(axes):
    groups = tuple(Dots(name, place, X, VALUES) for place, name in enumerate("ab"))
    draw_points(axes, groups)
    one, two = (line for line in axes.lines if line.get_gid() == "means")
    assert (one.get_color(), two.get_color()) == (look_of(0)[0], look_of(1)[0])
    assert one.get_marker() != two.get_marker()


def test_a_variant_without_a_number_has_no_mark(axes):
    draw_points(axes, (Dots("gp", 0, X, (np.array([np.nan]), np.array([2.0]))),))
    assert drawn(axes, "means") == [[[2, 2.0]]]
    assert axes.get_legend_handles_labels()[1] == ["gp: 1 seed"]


def test_the_law_lies_grey_behind_the_marks(axes):
    draw_points(axes, (Dots("", 0, X, VALUES),), (Law("exact", X, 2 * X),))
    (law,) = (line for line in axes.lines if line.get_gid() == "law")
    assert law.get_xydata().tolist() == [[1, 2], [2, 4]]
    assert (law.get_color(), law.get_label()) == (LAW, "law: exact")
    assert law.get_zorder() < min(line.get_zorder() for line in axes.lines if line is not law)


def test_a_group_s_own_law_has_its_colour(axes):
    draw_points(axes, (Dots("a", 1, X, VALUES),), (Law("exact of a", X, X, 1),))
    assert {line.get_color() for line in axes.lines} == {look_of(1)[0]}


@pytest.mark.parametrize(
    ("x", "y", "scales"),
    [
        ((1.0, 100.0), (1.0, 2.0), ("log", "linear")),
        ((1.0, 99.0), (1.0, 100.0), ("linear", "log")),
        ((0.0, 100.0), (-1.0, 100.0), ("linear", "linear")),
        ((-100.0, -1.0), (np.nan, 1.0), ("linear", "linear")),
    ],
)
def test_axes_are_logarithmic_over_two_decades_of_positive_numbers(axes, x, y, scales):
    values = tuple(np.array([value]) for value in y)
    draw_points(axes, (Dots("", 0, np.array(x), values),))
    assert (axes.get_xscale(), axes.get_yscale()) == scales


POINTS = """
[variants.best]
n_critic = 4

[[figures]]
id = "points"
kind = "points"
x = "n_critic"
measures = ["sectors_occupied", "exact_wasserstein"]
laws = ["", "wasserstein_floor"]
"""


def scored(store, experiment, variant, values, *, floor=0.5, **changes):
    """Records whose ``exact_wasserstein`` is one of ``values``; None is a run that diverged."""
    for seed, value in enumerate(values):
        numbers = {"sectors_occupied": 3.0, "exact_wasserstein": value, "wasserstein_floor": floor}
        outcome = {"status": "diverged", "note": "nan"} if value is None else {}
        store.write(record(experiment, variant, seed, numbers if value is not None else {}, **outcome, **changes))


def test_points_are_final_values_over_a_number_of_the_setting_with_their_law(tmp_path, store):
    experiment = made(tmp_path, POINTS)
    scored(store, experiment, "good", (1.0, 2.0), floor=0.5)
    scored(store, experiment, "bad", (3.0, 5.0), floor=0.75)
    figure = figure_of(experiment, store)
    sectors, distance = figure.axes
    assert drawn(distance, "means") == [[[1, 1.5], [2, 4.0]]]
    assert drawn(distance, "seeds") == [[[1, 1.0], [1, 2.0], [2, 3.0], [2, 5.0]]]
    assert drawn(distance, "law") == [[[1, 0.5], [2, 0.75]]]
    assert drawn(sectors, "law") == []
    assert (sectors.get_title(loc="left"), sectors.get_ylabel()) == ("sectors_occupied ↑", "sectors")
    assert [axes.get_xlabel() for axes in figure.axes] == ["n_critic"] * 2
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(names) == ["law: wasserstein_floor", "mean of 2 seeds, small: each"]


def test_points_of_each_group_have_a_colour_and_groups_with_laws_of_their_own_a_line_each(tmp_path, store):
    groups = "[figures.groups]\nfirst = ['good', 'best']\nsecond = ['bad']\n"
    experiment = made(tmp_path, POINTS.replace("n_critic = 4", "n_critic = 2\nbatch_size = 9"), groups)
    scored(store, experiment, "good", (1.0,))
    scored(store, experiment, "best", (2.0,), floor=0.5)
    scored(store, experiment, "bad", (3.0,), floor=0.9)
    figure = figure_of(experiment, store)
    assert drawn(figure.axes[1], "means") == [[[1, 1.0], [2, 2.0]], [[2, 3.0]]]
    assert drawn(figure.axes[1], "law") == [[[1, 0.5], [2, 0.5]], [[2, 0.9]]]
    first, second, law, other = (text.get_text() for text in figure.legends[0].get_texts())
    assert (law, other) == ("law: wasserstein_floor of first", "law: wasserstein_floor of second")
    assert (first, second) == ("first: 1 seed", "second: 1 seed")


def test_a_diverged_run_is_no_point_and_is_counted(tmp_path, store):
    experiment = made(tmp_path, POINTS)
    scored(store, experiment, "good", (1.0, 2.0, None))
    scored(store, experiment, "bad", (None, None))
    distance = figure_of(experiment, store).axes[1]
    assert drawn(distance, "means") == [[[1, 1.5]]]
    assert distance.get_title(loc="right") == "3 of 5 runs without a number"


def test_points_without_any_number_are_not_drawn(tmp_path, store):
    experiment = made(tmp_path, POINTS)
    scored(store, experiment, "good", (None, None))
    assert (
        "Not drawn, as there are no runs with the data: points."
        in compose([experiment], store, store.load(), store.root).pages["made/README.md"]
    )


def test_the_same_records_make_the_same_file(tmp_path, store):
    experiment = made(tmp_path, POINTS)
    scored(store, experiment, "good", (1.0, 2.0))
    for name in "12":
        save(figure_of(experiment, store), tmp_path / name)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
