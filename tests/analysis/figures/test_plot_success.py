"""The two figures of random architectures: the numbers that are drawn, read back from the axes."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.analysis import drawn
from tests.analysis.drawn import FIGURES, OTHER, PAPER, THRESHOLDS, by_id, run, runs
from wganbench.analysis.figures import plot, plot_success
from wganbench.analysis.figures.draw import draw
from wganbench.analysis.figures.drawing import drawings_of
from wganbench.analysis.figures.plot_success import Choices, Rates, Scores
from wganbench.analysis.stats import Interval
from wganbench.records.store import Store

X = np.array([1.0, 2.0])
GAN = Rates("gan", 0, X, np.array([0.5, 0.25]), np.array([0.4, 0.1]), np.array([0.6, 0.5]), np.array([0.75, 0.0]))
GP = Rates("gp", 1, X, np.array([1.0, 0.9]), np.array([0.8, 0.7]), np.array([1.0, 0.95]))
NORM = Choices(
    "critic: depth",
    ("4", "leaky_relu"),
    (
        Scores("gan", 0, (np.array([1.0, 3.0]), np.array([5.0])), (Interval(0.0, 4.0, 0.95, ""), None)),
        Scores("gp", 1, (np.array([4.0, 8.0]), np.array([7.0])), (Interval(5.0, 7.0, 0.95, ""), None)),
    ),
)


@pytest.fixture
def axes():
    return Figure().add_subplot()


def of(axes, what):
    return [line for line in axes.lines if line.get_gid() == what]


def test_a_line_is_a_method_s_rates_within_its_band_beside_the_published_dashed(axes):
    plot_success.rates(axes, [GAN, GP], x="threshold", of="7 architectures")
    assert [line.get_xydata().tolist() for line in of(axes, "rates")] == [[[1, 0.5], [2, 0.25]], [[1, 1.0], [2, 0.9]]]
    (published,) = of(axes, "published")
    assert published.get_xydata().tolist() == [[1, 0.75], [2, 0.0]]
    assert (published.get_linestyle(), published.get_color()) == ("--", of(axes, "rates")[0].get_color())
    assert [line.get_color() for line in of(axes, "rates")] == [plot.style(0)[0], plot.style(1)[0]]
    first, second = (band.get_paths()[0].vertices for band in axes.collections)
    assert {tuple(point) for point in first.tolist()} >= {(1, 0.4), (1, 0.6), (2, 0.1), (2, 0.5)}
    assert {tuple(point) for point in second.tolist()} >= {(1, 0.8), (1, 1.0), (2, 0.7), (2, 0.95)}
    assert axes.get_legend_handles_labels()[1] == ["gan", "gp", "gan, published"]
    assert (axes.get_xlabel(), axes.get_title(loc="left")) == ("threshold", "7 architectures")


def test_a_mark_is_a_mean_over_its_architectures_with_n_beneath(axes):
    plot_success.choices(axes, NORM, y="score")
    gan, gp = of(axes, "means")
    assert (gan.get_ydata().tolist(), gp.get_ydata().tolist()) == ([2.0, 5.0], [6.0, 7.0])
    assert gan.get_xdata().tolist() == pytest.approx([-0.17, 0.83])
    assert gp.get_xdata().tolist() == pytest.approx([0.17, 1.17])
    each, _ = of(axes, "architectures")
    assert each.get_ydata().tolist() == [1.0, 3.0, 5.0]
    assert each.get_alpha() < 0.5
    assert [list(line.get_ydata()) for line in of(axes, "interval")] == [
        [0.0, 4.0],
        [5.0, 7.0],
    ]  # none of one architecture
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4\nn = 2", "leaky relu\nn = 1"]


def test_panels_share_the_range_of_the_scores_whatever_the_intervals_are():
    wide = Scores("gan", 0, (np.array([2.0, 4.0]),), (Interval(-90.0, 90.0, 0.95, ""),))
    figure = plot_success.choices_figure([NORM, Choices("other", ("x",), (wide,))], y="score", title="t")
    assert [axes.get_ylim() for axes in figure.axes] == [pytest.approx((0.65, 8.35))] * 2


# ---- from records ---------------------------------------------------------------------------------------------------


SCORES = [(1.2, 7.1), (3.0, 5.0), (5.0, 5.5), (6.0, 2.0), (8.5, 9.5), (1.0, 1.0)]


def drawings(experiment, found):
    return {drawing.figure.kind: drawing for drawing in drawings_of(experiment, by_id(found))}


def test_the_curve_is_the_share_above_each_threshold_with_the_published_one_beside_it(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    drawing = drawings(experiment, runs(experiment, SCORES))["success"]
    assert drawing.file == "drawn-success-paper.png"
    (axes,) = draw(drawing, Store(tmp_path)).axes
    gan, gp = of(axes, "rates")
    assert gan.get_xdata().tolist() == THRESHOLDS
    for line, scores in ((gan, [gan for gan, _ in SCORES]), (gp, [gp for _, gp in SCORES])):
        shares = [sum(score > threshold for score in scores) / 6 for threshold in THRESHOLDS]
        assert line.get_ydata().tolist() == pytest.approx(shares)
    published = [line.get_ydata().tolist() for line in of(axes, "published")]
    assert published[0][:3] == pytest.approx([0.96, 0.75, 0.7])
    assert published[1][-3:] == pytest.approx([0.17, 0.03, 0.0])
    assert PAPER in axes.get_xlabel()


def test_another_score_has_its_own_thresholds_and_name_and_nothing_published(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    drawing = drawings(experiment, runs(experiment, SCORES[:3], profile="quick", score_protocol=OTHER))["success"]
    figure = draw(drawing, Store(tmp_path))
    (axes,) = figure.axes
    assert of(axes, "rates")[0].get_xdata().tolist() == pytest.approx(np.linspace(1, 9, 17))
    assert of(axes, "published") == []
    assert OTHER in axes.get_xlabel()
    assert "direction only: shapes10" in " ".join(figure.texts[1].get_text().split())


def test_factors_have_a_panel_for_each_of_four_and_each_network_and_every_architecture_in_each(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    drawing = drawings(experiment, runs(experiment, SCORES))["factors"]
    figure = draw(drawing, Store(tmp_path))
    names = [
        f"{role}: {name}"
        for name in ("depth", "normalisation", "nonlinearity", "filters")
        for role in ("generator", "critic")
    ]
    assert [axes.get_title(loc="left") for axes in figure.axes] == names
    for axes in figure.axes:
        gan, gp = of(axes, "architectures")
        assert sorted(gan.get_ydata()) == sorted(score for score, _ in SCORES)
        assert sorted(gp.get_ydata()) == sorted(score for _, score in SCORES)


def test_the_largest_of_several_samples_is_drawn_and_said_to_be_one(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    found = runs(experiment, SCORES)
    found += [run(experiment, f"a007-{method}", 4.0, data_checksum="e" * 64) for method in ("gan", "wgan-gp")]
    (axes,) = draw(drawings(experiment, found)["success"], Store(tmp_path)).axes
    assert axes.get_title(loc="left") == "6 architectures, the most of 2 samples"


def test_without_an_architecture_with_both_methods_nothing_is_drawn(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    found = [run(experiment, "a000-gan", 4.0)]
    assert all(not drawing.used for drawing in drawings(experiment, found).values())


def test_without_thresholds_the_factors_alone_are_drawn(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    found = runs(experiment, SCORES[:3], profile="quick", score_protocol=OTHER)
    for record in found:
        record.measures["real_inception_score"] = None
    both = drawings(experiment, found)
    assert not both["success"].used
    assert both["factors"].used


@pytest.mark.parametrize("kind", ["success", "factors"])
def test_the_same_records_give_the_same_bytes(tmp_path, kind):
    experiment = drawn.spec(tmp_path, FIGURES)
    found = runs(experiment, SCORES)
    for name, some in (("1", found), ("2", found[::-1])):
        plot.save(draw(drawings(experiment, some)[kind], Store(tmp_path)), tmp_path / name)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
