"""Slices: what is drawn of critics along a line, and of which records."""

import numpy as np
import pytest
from scipy.special import expit

from tests.analysis.figures.kept import figure_of, pictured, subtitle, write
from wganbench.analysis.figures.slices import Slice, draw_samples, draw_slices
from wganbench.analysis.figures.style import look_of
from wganbench.analysis.report import write_report
from wganbench.errors import RecordError

FIGURE = '[[figures]]\nid = "drawn"\nkind = "slices"\npicture = "critic_line"\n'
KEPT = "critic_line = { low = -1.0, high = 1.0, grid = 3 }\n"
POINTS = np.linspace(-4.0, 4.0, 801)


def test_a_discriminator_is_drawn_as_its_sigmoid_and_the_gradient_of_log_1_minus_d():
    """With the logit −2x, the gradient is −2 D, largest at the left end."""
    found = Slice("gan", 0, POINTS, -2 * POINTS[None], is_discriminator=True)
    np.testing.assert_allclose(found.heights[0], expit(-2 * POINTS))
    np.testing.assert_allclose(found.gradients[0], expit(-2 * POINTS) / expit(8), rtol=1e-10)


def test_a_critic_is_drawn_over_its_range_and_with_the_size_of_its_slope():
    scores = np.stack([3 - 5 * POINTS, 0.5 * POINTS**2])
    found = Slice("gp", 0, POINTS, scores)
    np.testing.assert_allclose(found.heights[0], (4 - POINTS) / 8, atol=1e-12)
    np.testing.assert_allclose(found.gradients[0], 1.0)
    np.testing.assert_allclose(found.gradients[1, 1:-1], np.abs(POINTS[1:-1]) / 3.995, atol=1e-10)


def test_lines_are_means_over_the_seeds_and_a_critic_without_a_slope_is_left_out(figures):
    above, below = figures
    scores = np.stack([POINTS, -POINTS, np.zeros(len(POINTS))])
    draw_slices(above, below, [Slice("gp", 3, POINTS, scores)])
    (height,), (gradient,) = above.lines, below.lines
    np.testing.assert_allclose(height.get_ydata(), 0.5)  # one rises from 0 to 1, the other falls
    np.testing.assert_allclose(gradient.get_ydata(), 1.0)
    assert np.array_equal(height.get_xdata(), POINTS)
    assert height.get_color() == look_of(3)[0]
    assert height.get_label() == "gp (critic): mean and range of 3 seeds"


@pytest.fixture
def figures(axes):
    return axes, axes.figure.add_subplot(2, 1, 2)


def test_samples_are_a_histogram_half_as_high_as_the_values(axes):
    draw_samples(axes, np.array([0.0] * 4 + [1.0] * 2 + [np.nan, np.inf]), "red", "real")
    (bars,) = axes.patches
    heights, edges, _ = bars.get_data()
    assert (heights.max(), heights[-1], edges[0], edges[-1]) == (0.5, 0.25, 0.0, 1.0)
    draw_samples(axes, np.array([np.nan]), "red", "fake")
    assert len(axes.patches) == 1


def made(folder):
    return pictured(folder, KEPT, FIGURE)


def line(*scores):
    return np.column_stack([np.linspace(-1, 1, len(scores)), scores])


def test_slices_are_drawn_from_the_last_moment_of_every_seed(tmp_path, store):
    experiment = made(tmp_path)
    for seed, slope in enumerate((1.0, -2.0)):
        early, late = line(9.0, 0.0, 9.0), line(-slope, 0.0, slope)
        write(store, experiment, "good", seed, steps=(0, 100), critic_line=np.stack([early, late]))
    figure = figure_of(experiment, store)
    above, below = figure.axes
    np.testing.assert_allclose(above.lines[0].get_xydata(), [[-1, 0.5], [0, 0.5], [1, 0.5]])
    np.testing.assert_allclose(below.lines[0].get_ydata(), 1.0)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["good (critic): mean and range of 2 seeds"]
    assert subtitle(figure).endswith("at step 100")


def test_samples_on_the_line_stand_behind_the_values(tmp_path, store):
    experiment = made(tmp_path)
    samples = {"fake": np.array([[[0.5]] * 5]), "real": np.array([[-0.5]] * 7)}
    write(store, experiment, "good", 0, critic_line=line(0.0, 1.0, 2.0)[None], **samples)
    names = [text.get_text() for text in figure_of(experiment, store).legends[0].get_texts()]
    assert names == ["real samples, their density", "fake samples, their density", "good (critic): 1 seed"]


def test_seeds_of_one_variant_share_their_points(tmp_path, store):
    experiment = made(tmp_path)
    write(store, experiment, "good", 0, critic_line=line(0.0, 1.0, 2.0)[None])
    write(store, experiment, "good", 1, critic_line=line(0.0, 1.0, 2.0, 3.0)[None])
    with pytest.raises(RecordError, match=r"has other points than that of seed 0; run good-.*-s1 again"):
        write_report([experiment], store, store.root)
