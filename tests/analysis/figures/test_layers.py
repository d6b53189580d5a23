"""Layers: what is drawn of norms, and of which records."""

import numpy as np
import pytest

from tests.analysis.figures.kept import LAYERS, figure_of, pictured, subtitle, write
from wganbench.analysis.figures.layers import Norms, draw_line, draw_norms
from wganbench.analysis.figures.style import look_of
from wganbench.analysis.report import write_report
from wganbench.errors import RecordError


def test_a_line_is_the_geometric_mean_from_the_output_on_the_left_to_layer_1(axes):
    draw_norms(axes, [Norms("gp", 3, np.array([[1.0, 10.0, 0.1], [100.0, 10.0, 1e-3]]))])
    line, _ = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[3, 1], [2, 1], [1, -2]])
    left, right = axes.get_xlim()
    assert left > 3 > 1 > right
    assert line.get_color() == look_of(3)[0]
    assert line.get_label() == "gp: geometric mean and range of 2 seeds"
    assert axes.get_xlabel() == "layer, from the output (3) back to the input (1)"
    assert axes.get_ylabel() == "gradient norm (log10)"


def test_the_band_of_five_seeds_is_between_quartiles_of_the_logarithm(axes):
    draw_line(axes, Norms("gp", 0, 10.0 ** np.arange(5.0)[:, None] * np.ones(2)))
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((1, 3))
    assert "quartiles of 5 seeds" in axes.lines[0].get_label()


def test_a_norm_of_zero_is_a_cross_at_the_bottom_and_counted(axes):
    values = np.array([[1.0, 1.0, 0.0], [100.0, 0.0, 0.0], [100.0, 100.0, 0.0]])
    draw_norms(axes, [Norms("clip", 0, values)])
    line, crosses = axes.lines
    np.testing.assert_allclose(line.get_ydata(), [4 / 3, 1, np.nan])  # layer 2: of the two that have a logarithm
    assert crosses.get_marker() == "x"
    assert list(crosses.get_xdata()) == [2, 1]
    shown = axes.transAxes.inverted().transform(crosses.get_transform().transform(crosses.get_xydata()))
    assert (shown[:, 1] > 0).all() and (shown[:, 1] < 0.05).all()
    assert axes.get_ylim()[0] > -1, "a cross's height is no number on the axis"
    assert line.get_label().endswith("3 seeds, 4 zero norms (×)")


def test_crosses_of_two_variants_do_not_hide_each_other(axes):
    draw_norms(axes, [Norms(name, place, np.zeros((1, 2))) for place, name in enumerate("ab")])
    one, two = (line.get_ydata()[0] for line in axes.lines if line.get_gid() == "zero")
    assert one != two


def test_norms_that_are_not_finite_are_left_out_and_counted(axes):
    draw_line(axes, Norms("clip", 0, np.array([[1.0, np.nan], [1.0, np.inf]]), n_diverged=1))
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0, np.nan])
    assert axes.lines[0].get_label().endswith("2 seeds, 1 diverged, 2 norms not finite, left out")


def test_critics_of_different_depths_share_a_panel(axes):
    draw_norms(axes, [Norms(name, place, np.ones((1, 13 + place))) for place, name in enumerate("abc")])
    assert axes.get_legend_handles_labels()[1] == [f"{name}: 1 seed" for name in "abc"]
    assert axes.get_xlabel() == "layer, from the output back to the input (1)"


def test_layers_are_drawn_from_the_last_moment_of_every_seed(tmp_path, store):
    experiment = pictured(tmp_path, LAYERS)
    for seed, norm in enumerate((1.0, 100.0)):
        early, late = np.full(4, 7.0), np.array([norm, 1.0, 0.1, 0.0])
        write(store, experiment, "bad", seed, steps=(0, 100), layer_norms=np.stack([early, late]))
    figure = figure_of(experiment, store)
    line, crosses = figure.axes[0].lines
    np.testing.assert_allclose(line.get_xydata(), [[4, 1], [3, 0], [2, -1], [1, np.nan]])
    assert list(crosses.get_xdata()) == [1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "bad: geometric mean and range of 2 seeds, 2 zero norms (×)"
    ]
    assert subtitle(figure).endswith("profile paper: the paper's own 100 steps; at step 100")


def test_seeds_of_one_setting_have_equally_many_layers(tmp_path, store):
    experiment = pictured(tmp_path, LAYERS)
    for seed in (0, 1):
        write(store, experiment, "good", seed, layer_norms=np.ones((1, 4 + seed)))
    with pytest.raises(RecordError, match=r"has 5 layers and that of seed 0 4; run good-.*-s1 again"):
        write_report([experiment], store, store.root)
