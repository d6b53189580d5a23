"""Surfaces: what is drawn of them, and of which records."""

import numpy as np
import pytest

from tests.analysis.figures.kept import FAKE, REAL, SURFACES, figure_of, pictured, subtitle, write
from wganbench.analysis.figures.surfaces import Surface, draw_surface, draw_surfaces


def test_level_sets_lie_where_the_critic_has_their_height(axes):
    mesh = np.linspace(-2, 2, 9)
    draw_surface(axes, Surface("gp", 10 * np.add.outer(3 * mesh, mesh), 2.0))  # 30 y + 10 x
    (lines,) = axes.collections
    assert len(lines.levels) == 20
    assert min(lines.levels) > -80 and max(lines.levels) < 80
    for height, path in zip(lines.levels, lines.get_paths(), strict=True):
        np.testing.assert_allclose(path.vertices @ [10, 30], height, atol=1e-9)


def test_samples_are_drawn_over_the_level_sets_within_the_window(axes):
    real, fake = np.array([[0.0, 1.0], [5.0, 0.0]]), np.array([[-1.0, 0.5], [np.nan, 0.0]])
    draw_surface(axes, Surface("gp", np.eye(4), 2.0, real, fake))
    data = {line.get_gid(): np.asarray(line.get_xydata()).tolist() for line in axes.lines}
    assert data == {"real": [[0.0, 1.0]], "fake": [[-1.0, 0.5]]}
    assert all(line.get_zorder() > axes.collections[0].get_zorder() for line in axes.lines)
    assert axes.get_xlim() == axes.get_ylim() == (-2.0, 2.0)
    assert axes.get_title() == "gp"
    assert not len(axes.get_xticks())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((4, 4), np.nan), "not finite"),
        (np.where(np.eye(4), np.inf, 1.0), "not finite"),
        (np.full((4, 4), 0.1), "constant"),
        (np.where(np.eye(4), 1.0, 1.0 + 2e-16), "constant"),
    ],
)
def test_a_surface_without_level_sets_says_why(axes, values, words):
    draw_surface(axes, Surface("gp", values, 2.0, np.zeros((1, 2)), np.zeros((1, 2))))
    assert [text.get_text() for text in axes.texts] == [words]
    assert not axes.collections
    assert len(axes.lines) == 2


@pytest.mark.parametrize(("n", "columns", "rows"), [(6, 3, 2), (4, 3, 2), (2, 9, 1), (1, 1, 1)])
def test_cells_stand_in_rows_of_columns_and_are_square(n, columns, rows):
    cells = [Surface(str(cell), np.eye(4), 1.0) for cell in range(n)]
    figure = draw_surfaces(cells, columns, "t", "words " * 40)
    places = [axes.get_position() for axes in figure.axes]
    assert len({round(place.y0, 6) for place in places}) == rows
    assert len({round(place.x0, 6) for place in places}) == min(n, columns)
    width, height = figure.get_size_inches()
    assert all(place.width * width == pytest.approx(place.height * height) for place in places)
    assert all(0 <= place.x0 and place.x1 <= 1 and 0 <= place.y0 and place.y1 < 1 for place in places)


def test_surfaces_are_drawn_in_the_picture_s_window_with_the_samples_of_the_seed_that_kept_them(tmp_path, store):
    experiment = pictured(tmp_path, SURFACES)
    flat, slope = np.zeros((1, 4, 4)), np.broadcast_to(np.arange(4.0), (1, 4, 4))
    write(store, experiment, "good", 0, critic_surface=flat)
    write(store, experiment, "good", 1, critic_surface=slope, fake=FAKE, real=REAL)
    write(store, experiment, "bad", 1, critic_surface=slope, fake=FAKE, real=REAL)
    figure = figure_of(experiment, store)
    assert [axes.get_title() for axes in figure.axes] == ["good", "bad"]
    for axes in figure.axes:
        assert axes.get_xlim() == (-3.0, 3.0)
        assert [(line.get_gid(), len(line.get_xdata())) for line in axes.lines] == [("real", 7), ("fake", 5)]
    assert "seed 1, step 100, window ±3; lines: 20 level sets of the critic" in subtitle(figure)


def test_a_surface_without_samples_is_drawn_alone(tmp_path, store):
    experiment = pictured(tmp_path, SURFACES)
    write(store, experiment, "good", 4, critic_surface=np.broadcast_to(np.arange(4.0), (1, 4, 4)))
    figure = figure_of(experiment, store)
    assert len(figure.axes[0].lines) == 0
    assert "seed 4" in subtitle(figure)
    assert "generated" not in subtitle(figure)
