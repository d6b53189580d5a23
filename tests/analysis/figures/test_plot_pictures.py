import numpy as np
import pytest
from matplotlib.figure import Figure

from wganbench.analysis.figures import plot, plot_pictures
from wganbench.analysis.figures.plot_pictures import Histogram, Norms, Surface


@pytest.fixture
def axes():
    return Figure().add_subplot()


# ---- layers -------------------------------------------------------------------------------------------------------


def test_a_line_is_the_geometric_mean_from_the_output_on_the_left_to_layer_1(axes):
    plot_pictures.layers(axes, [Norms("gp", 3, np.array([[1.0, 10.0, 0.1], [100.0, 10.0, 1e-3]]))])
    line, _ = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[3, 1], [2, 1], [1, -2]])
    left, right = axes.get_xlim()
    assert left > 3 > 1 > right
    assert line.get_color() == plot.style(3)[0]
    assert line.get_label() == "gp: geometric mean and range of 2 seeds"
    assert axes.get_xlabel() == "layer, from the output (3) back to the input (1)"
    assert axes.get_ylabel() == "gradient norm (log10)"


def test_the_band_of_five_seeds_is_between_quartiles_of_the_logarithm(axes):
    plot_pictures.layer_line(axes, Norms("gp", 0, 10.0 ** np.arange(5.0)[:, None] * np.ones(2)))
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((1, 3))
    assert "quartiles of 5 seeds" in axes.lines[0].get_label()


def test_a_norm_of_zero_is_a_cross_at_the_bottom_and_counted(axes):
    values = np.array([[1.0, 1.0, 0.0], [100.0, 0.0, 0.0], [100.0, 100.0, 0.0]])
    plot_pictures.layers(axes, [Norms("clip", 0, values)])
    line, crosses = axes.lines
    np.testing.assert_allclose(line.get_ydata(), [4 / 3, 1, np.nan])  # layer 2: of the two that have a logarithm
    assert crosses.get_marker() == "x"
    assert list(crosses.get_xdata()) == [2, 1]
    shown = axes.transAxes.inverted().transform(crosses.get_transform().transform(crosses.get_xydata()))
    assert (shown[:, 1] > 0).all() and (shown[:, 1] < 0.05).all()
    assert axes.get_ylim()[0] > -1, "a cross's height is no number on the axis"
    assert line.get_label().endswith("3 seeds, 4 zero norms (×)")


def test_crosses_of_two_variants_do_not_hide_each_other(axes):
    plot_pictures.layers(axes, [Norms(name, place, np.zeros((1, 2))) for place, name in enumerate("ab")])
    one, two = (line.get_ydata()[0] for line in axes.lines if line.get_gid() == "zero")
    assert one != two


def test_norms_that_are_not_finite_are_left_out_and_counted(axes):
    plot_pictures.layer_line(axes, Norms("clip", 0, np.array([[1.0, np.nan], [1.0, np.inf]]), n_diverged=1))
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0, np.nan])
    assert axes.lines[0].get_label().endswith("2 seeds, 1 diverged, 2 norms not finite, left out")


def test_a_layers_figure_names_every_variant_in_its_legend():
    lines = [Norms(name, place, np.ones((1, 13 + place))) for place, name in enumerate("abc")]
    figure = plot_pictures.layers_figure(lines, title="t")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"{name}: 1 seed" for name in "abc"]
    assert figure.axes[0].get_xlabel() == "layer, from the output back to the input (1)"


# ---- histograms ---------------------------------------------------------------------------------------------------


def test_bars_stand_between_their_edges_from_zero_up(axes):
    bins = np.array([[-2.0, -1.0, 0.5], [-1.0, 3.0, 0.25]])
    plot_pictures.histogram(axes, Histogram("gp", 1, bins), quantity="weight")
    drawn = [(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_y(), bar.get_height()) for bar in axes.patches]
    assert drawn == [(-2.0, -1.0, 0.0, 0.5), (-1.0, 3.0, 0.0, 0.25)]
    assert axes.get_ylim()[0] == 0
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left")) == ("weight", "share", "gp")


def test_a_histogram_that_is_not_finite_says_so(axes):
    plot_pictures.histogram(axes, Histogram("gp", 0, np.full((5, 3), np.nan)))
    assert [text.get_text() for text in axes.texts] == ["not finite"]
    assert not axes.patches


def test_each_variant_s_histogram_has_its_own_range():
    panels = [Histogram(str(c), 0, np.array([[-c, 0.0, 0.5], [0.0, c, 0.5]])) for c in (0.01, 1.0, 5.0, 0.1, 2.0)]
    figure = plot_pictures.histograms_figure(panels, title="t")
    for axes, panel in zip(figure.axes, panels, strict=True):
        assert axes.get_xlim()[1] == pytest.approx(float(panel.label), rel=0.2)


def test_weights_that_are_all_one_number_are_drawn_without_a_warning(axes):
    plot_pictures.histogram(axes, Histogram("gp", 0, np.array([[1.0, 1.0, 1.0]])))
    assert axes.patches[0].get_linewidth() > 0


# ---- surfaces -----------------------------------------------------------------------------------------------------


def test_level_sets_lie_where_the_critic_has_their_height(axes):
    mesh = np.linspace(-2, 2, 9)
    plot_pictures.surface(axes, Surface("gp", 10 * np.add.outer(3 * mesh, mesh), 2.0))  # 30 y + 10 x
    (lines,) = axes.collections
    assert len(lines.levels) == 20
    assert min(lines.levels) > -80 and max(lines.levels) < 80
    for height, path in zip(lines.levels, lines.get_paths(), strict=True):
        np.testing.assert_allclose(path.vertices @ [10, 30], height, atol=1e-9)


def test_samples_are_drawn_over_the_level_sets_within_the_window(axes):
    real, fake = np.array([[0.0, 1.0], [5.0, 0.0]]), np.array([[-1.0, 0.5], [np.nan, 0.0]])
    plot_pictures.surface(axes, Surface("gp", np.eye(4), 2.0, real, fake))
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
    plot_pictures.surface(axes, Surface("gp", values, 2.0, np.zeros((1, 2)), np.zeros((1, 2))))
    assert [text.get_text() for text in axes.texts] == [words]
    assert not axes.collections
    assert len(axes.lines) == 2


@pytest.mark.parametrize(("n", "columns", "rows"), [(6, 3, 2), (4, 3, 2), (2, 9, 1), (1, 1, 1)])
def test_cells_stand_in_rows_of_columns_and_are_square(n, columns, rows):
    cells = [Surface(str(cell), np.eye(4), 1.0) for cell in range(n)]
    figure = plot_pictures.surfaces_figure(cells, columns=columns, title="t", about="words " * 40)
    places = [axes.get_position() for axes in figure.axes]
    assert len({round(place.y0, 6) for place in places}) == rows
    assert len({round(place.x0, 6) for place in places}) == min(n, columns)
    width, height = figure.get_size_inches()
    assert all(place.width * width == pytest.approx(place.height * height) for place in places)
    assert all(0 <= place.x0 and place.x1 <= 1 and 0 <= place.y0 and place.y1 < 1 for place in places)


# ---- files --------------------------------------------------------------------------------------------------------


def test_the_same_pictures_make_the_same_files(tmp_path):
    rng = np.random.default_rng(0)
    norms, bins, surface = rng.uniform(0, 1, (5, 13)), rng.uniform(0, 1, (9, 3)), rng.normal(size=(16, 16))
    found = []
    for _ in range(2):
        figures = [
            plot_pictures.layers_figure([Norms("a", 0, norms)], title="t"),
            plot_pictures.histograms_figure([Histogram("a", 0, bins)], title="t"),
            plot_pictures.surfaces_figure([Surface("a", surface, 2.0, bins[:, :2], bins[:, 1:])], title="t"),
        ]
        for place, figure in enumerate(figures):
            plot.save(figure, tmp_path / f"{place}.png")
        found.append([(tmp_path / f"{place}.png").read_bytes() for place in range(3)])
    assert found[0] == found[1]
