import numpy as np
import pytest
from matplotlib.figure import Figure

from wganbench.analysis.figures import plot, plot_points
from wganbench.analysis.figures.plot_points import Dots, Law, Plane

X = np.array([1.0, 2.0])
VALUES = (np.array([1.0, 3.0]), np.array([4.0, np.nan, 8.0]))


@pytest.fixture
def axes():
    return Figure().add_subplot()


def drawn(axes, what):
    return [np.asarray(line.get_xydata()).tolist() for line in axes.lines if line.get_gid() == what]


def test_a_large_mark_is_the_mean_of_the_small_ones_at_its_x(axes):
    plot_points.points(axes, Plane("gap", "nats", (Dots("gp", 0, X, VALUES),)), x="by")
    assert drawn(axes, "means") == [[[1, 2.0], [2, 6.0]]]
    assert drawn(axes, "seeds") == [[[1, 1.0], [1, 3.0], [2, 4.0], [2, 8.0]]]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left")) == ("by", "nats", "gap")
    assert axes.get_title(loc="right") == "1 of 5 runs without a number"
    assert axes.get_legend_handles_labels()[1] == ["gp: mean of 2 to 3 seeds, small: each"]


def test_groups_differ_in_colour_and_mark(axes):
    groups = tuple(Dots(name, place, X, VALUES) for place, name in enumerate("ab"))
    plot_points.points(axes, Plane("gap", "", groups), x="by")
    one, two = (line for line in axes.lines if line.get_gid() == "means")
    assert (one.get_color(), two.get_color()) == (plot.style(0)[0], plot.style(1)[0])
    assert one.get_marker() != two.get_marker()


def test_a_variant_without_a_number_has_no_mark(axes):
    plot_points.points(axes, Plane("gap", "", (Dots("gp", 0, X, (np.array([np.nan]), np.array([2.0]))),)), x="by")
    assert drawn(axes, "means") == [[[2, 2.0]]]
    assert axes.get_legend_handles_labels()[1] == ["gp: 1 seed"]


def test_the_law_lies_grey_behind_the_marks(axes):
    plot_points.points(axes, Plane("gap", "", (Dots("", 0, X, VALUES),), (Law("exact", X, 2 * X),)), x="by")
    (law,) = (line for line in axes.lines if line.get_gid() == "law")
    assert law.get_xydata().tolist() == [[1, 2], [2, 4]]
    assert (law.get_color(), law.get_label()) == (plot_points.LAW, "law: exact")
    assert law.get_zorder() < min(line.get_zorder() for line in axes.lines if line is not law)


def test_a_group_s_own_law_has_its_colour(axes):
    plot_points.points(axes, Plane("gap", "", (Dots("a", 1, X, VALUES),), (Law("exact of a", X, X, 1),)), x="by")
    assert {line.get_color() for line in axes.lines} == {plot.style(1)[0]}


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
    plot_points.points(axes, Plane("gap", "", (Dots("", 0, np.array(x), values),)), x="by")
    assert (axes.get_xscale(), axes.get_yscale()) == scales


def test_a_figure_has_a_panel_a_measure_and_each_entry_once_and_the_same_bytes(tmp_path):
    dots = tuple(Dots(name, place, X, VALUES) for place, name in enumerate("ab"))
    planes = [Plane(name, "", dots, (Law("exact", X, X),)) for name in ("one", "two", "three")]
    figures = [plot_points.points_figure(planes, x="by", title="t", about="a") for _ in range(2)]
    assert [axes.get_title(loc="left") for axes in figures[0].axes] == ["one", "two", "three"]
    assert [text.get_text().split(":")[0] for text in figures[0].legends[0].get_texts()] == ["law", "a", "b"]
    for figure, name in zip(figures, "12", strict=True):
        plot.save(figure, tmp_path / name)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
