"""Histograms: what is drawn of their bins, and of which records."""

import numpy as np
import pytest

from tests.analysis.figures.kept import HISTOGRAMS, figure_of, pictured, subtitle, write
from wganbench.analysis.figures.histograms import Histogram, draw_histogram


def test_bars_stand_between_their_edges_from_zero_up(axes):
    bins = np.array([[-2.0, -1.0, 0.5], [-1.0, 3.0, 0.25]])
    draw_histogram(axes, Histogram("gp", 1, bins))
    drawn = [(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_y(), bar.get_height()) for bar in axes.patches]
    assert drawn == [(-2.0, -1.0, 0.0, 0.5), (-1.0, 3.0, 0.0, 0.25)]
    assert axes.get_ylim()[0] == 0
    assert axes.get_title() == "gp"


def test_a_histogram_that_is_not_finite_says_so(axes):
    draw_histogram(axes, Histogram("gp", 0, np.full((5, 3), np.nan)))
    assert [text.get_text() for text in axes.texts] == ["not finite"]
    assert not axes.patches


def test_weights_that_are_all_one_number_are_drawn_without_a_warning(axes):
    draw_histogram(axes, Histogram("gp", 0, np.array([[1.0, 1.0, 1.0]])))
    assert axes.patches[0].get_linewidth() > 0


def test_histograms_are_drawn_from_the_first_seed_and_say_which(tmp_path, store):
    experiment = pictured(tmp_path, HISTOGRAMS)
    for variant, first in (("good", 2), ("bad", 3)):
        for seed in (first, first + 1):
            bins = np.array([[-1.0, 0.0, 0.25], [0.0, 1.0, 0.75]]) * [seed, seed, 1]
            write(store, experiment, variant, seed, weight_histogram=bins[None])
    figure = figure_of(experiment, store)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["good, seed 2", "bad, seed 3"]
    assert [[bar.get_x() for bar in axes.patches] for axes in figure.axes] == [[-2, 0], [-3, 0]]
    assert [axes.get_xlabel() for axes in figure.axes] == ["weight"] * 2
    assert [axes.get_ylabel() for axes in figure.axes] == ["share", ""]
    assert [axes.get_xlim()[1] for axes in figure.axes] == pytest.approx([2, 3], rel=0.2)
    assert subtitle(figure).endswith("step 100; each panel has its own range")
