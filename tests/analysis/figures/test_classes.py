"""Classes: what is drawn of their shares, and of which records."""

import numpy as np
import pytest

from tests.analysis.figures.kept import figure_of, pictured, subtitle, write
from wganbench.analysis.figures.classes import Shares, draw_shares
from wganbench.analysis.report import write_report
from wganbench.errors import RecordError

FIGURE = '[[figures]]\nid = "drawn"\nkind = "classes"\npicture = "layer_norms"\n'


def test_bars_are_means_over_the_seeds_and_every_seed_is_a_dot(axes):
    draw_shares(axes, Shares("gan", 1, np.array([[1.0, 0.0], [0.5, 0.5], [np.nan, np.nan]]), n_diverged=1))
    assert [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in axes.patches] == [(0, 0.75), (1, 0.25)]
    (dots,) = (each for each in axes.lines if each.get_gid() == "seeds")
    assert dots.get_ydata().tolist() == [1.0, 0.0, 0.5, 0.5]
    assert np.round(dots.get_xdata()).tolist() == [0, 1, 0, 1]
    assert axes.get_title() == "gan: mean and each of 3 seeds, 1 diverged"


def test_the_dashed_line_is_an_equal_part(axes):
    draw_shares(axes, Shares("gan", 0, np.full((1, 5), 0.2)))
    (equal,) = axes.lines
    assert list(equal.get_ydata()) == [0.2, 0.2]
    assert axes.get_title() == "gan: 1 seed"


def test_shares_that_are_not_finite_say_so(axes):
    draw_shares(axes, Shares("gan", 0, np.full((2, 5), np.nan)))
    assert [text.get_text() for text in axes.texts] == ["not finite"]
    assert not axes.patches


def test_each_variant_has_a_panel_of_its_last_moment_on_one_scale(tmp_path, store):
    experiment = pictured(tmp_path, FIGURE)
    for variant, share in (("good", 0.5), ("bad", 1.0)):
        early, late = np.array([0.0, 1.0]), np.array([share, 1 - share])
        write(store, experiment, variant, 0, steps=(0, 100), layer_norms=np.stack([early, late]))
    figure = figure_of(experiment, store)
    assert [[bar.get_height() for bar in axes.patches] for axes in figure.axes] == [[0.5, 0.5], [1.0, 0.0]]
    assert {axes.get_ylim() for axes in figure.axes} == {(0, 1.05)}
    assert [axes.get_ylabel() for axes in figure.axes] == ["share of the images", ""]
    assert subtitle(figure).endswith("the dashed line is an equal share")


def test_seeds_of_one_variant_have_equally_many_classes(tmp_path, store):
    experiment = pictured(tmp_path, FIGURE)
    for seed in (0, 1):
        write(store, experiment, "good", seed, layer_norms=np.ones((1, 4 + seed)))
    with pytest.raises(RecordError, match=r"has 5 classes and that of seed 0 4; run good-.*-s1 again"):
        write_report([experiment], store, store.root)
