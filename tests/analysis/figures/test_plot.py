from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import gaussian_kde

from wganbench.analysis.figures import plot


@pytest.fixture
def axes():
    return Figure().add_subplot()


def drawn(axes, what):
    """The points that were drawn as ``"fake"`` or ``"real"``, a list an array a cell."""
    return [np.asarray(line.get_xydata()) for line in axes.lines if line.get_gid() == what]


# ---- density ------------------------------------------------------------------------------------------------------


def test_density_is_the_gaussian_kernel_estimate_with_scott_s_width():
    rng = np.random.default_rng(0)
    points = rng.normal([1.0, -0.5], [0.8, 0.3], size=(500, 2)) @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    centres = (np.arange(160) + 0.5) * 8 / 160 - 4
    x, y = np.meshgrid(centres, centres)
    expected = gaussian_kde(points.T)(np.stack([x.ravel(), y.ravel()])).reshape(160, 160)

    found = plot.density(points, window=4.0, grid=160)  # two cells are narrower than the kernel

    np.testing.assert_allclose(found / found.max(), expected / expected.max(), atol=0.03)  # binning, to half a cell


@pytest.mark.parametrize(
    "points",
    [
        np.full((50, 2), [1.0, -2.0]),
        np.outer(np.linspace(-1, 1, 50), [0.3, 0.4]) + np.array([1.0, -2.0]),
        np.array([[1.0, -2.0]]),
    ],
    ids=["a point", "a line", "one sample"],
)
def test_a_collapsed_cloud_has_a_density_around_it(points):
    density = plot.density(points, window=4.0, grid=128)
    y, x = np.unravel_index(density.argmax(), density.shape)
    assert np.isfinite(density).all()
    assert [x * 8 / 127 - 4, y * 8 / 127 - 4] == pytest.approx(points.mean(axis=0), abs=0.6)


@pytest.mark.parametrize("points", [np.full((3, 2), np.nan), np.full((3, 2), np.inf), np.full((3, 2), 1e4)])
def test_samples_that_are_nowhere_in_the_window_have_no_density(points):
    assert plot.density(points, window=4.0).max() == pytest.approx(0, abs=1e-12)


# ---- clouds -------------------------------------------------------------------------------------------------------


def test_clouds_draws_each_sample_in_the_cell_of_its_method_and_moment(axes):
    rng = np.random.default_rng(0)
    steps = np.array([0, 500])
    fakes = [rng.uniform(-1, 1, (2, 30, 2)) for _ in range(2)]
    real = rng.uniform(-1, 1, (9, 2))

    plot.clouds(axes, [plot.Cloud(name, steps, fake, real) for name, fake in zip("ab", fakes, strict=True)], window=2.0)

    places = [(x, y) for y in axes.get_yticks() for x in axes.get_xticks()]
    samples = [fakes[row][column] for row in range(2) for column in range(2)]
    for cell, place, points in zip(drawn(axes, "fake"), places, samples, strict=True):
        np.testing.assert_allclose(cell - place, points)
    for cell, place in zip(drawn(axes, "real"), places, strict=True):
        np.testing.assert_allclose(cell - place, real)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["step 0", "step 500"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert len(axes.images) == 4


def test_cells_of_moments_that_a_run_did_not_reach_say_why(axes):
    whole = plot.Cloud("whole", np.array([0, 10, 20]), np.zeros((3, 5, 2)), np.zeros((5, 2)))
    short = plot.Cloud("short", np.array([0]), np.zeros((1, 5, 2)), np.zeros((5, 2)), gone="diverged")
    plot.clouds(axes, [whole, short])
    assert [text.get_text() for text in axes.texts] == ["diverged", "diverged"]


@pytest.mark.parametrize("far", [5.0, np.inf, np.nan])
def test_samples_outside_the_window_are_counted_and_not_drawn(axes, far):
    fake = np.zeros((1, 4, 2))
    fake[0, 3, 0] = far
    plot.clouds(axes, [plot.Cloud("a", np.array([0]), fake, np.zeros((1, 2)))], window=4.0)
    assert [text.get_text() for text in axes.texts] == ["25% outside"]
    assert len(drawn(axes, "fake")[0]) == 3


# ---- curves -------------------------------------------------------------------------------------------------------

STEPS = np.array([0, 1, 10, 100])


def limits(axes):
    """Lower and upper edge of the band, by step."""
    (band,) = axes.collections
    points = band.get_paths()[0].vertices
    return [(points[points[:, 0] == step, 1].min(), points[points[:, 0] == step, 1].max()) for step in STEPS]


def test_a_curve_is_the_mean_over_seeds_between_quartiles(axes):
    values = np.arange(5.0)[:, None] ** 2 + np.arange(4.0)
    plot.curve(axes, plot.Line("gan", 0, STEPS, values))

    (line,) = axes.lines

    np.testing.assert_allclose(line.get_xydata(), np.column_stack([STEPS, 6.0 + np.arange(4.0)]))
    np.testing.assert_allclose(limits(axes), np.column_stack([1.0 + np.arange(4.0), 9.0 + np.arange(4.0)]))
    assert line.get_label() == "gan: mean and quartiles of 5 seeds"


def test_below_five_seeds_the_band_is_the_range(axes):
    plot.curve(axes, plot.Line("gan", 0, STEPS, np.array([[1.0] * 4, [2.0] * 4, [6.0] * 4])))
    np.testing.assert_allclose(limits(axes), [(1.0, 6.0)] * 4)
    assert axes.lines[0].get_label() == "gan: mean and range of 3 seeds"


def test_a_single_seed_has_no_band_in_its_label(axes):
    plot.curve(axes, plot.Line("gan", 0, STEPS, np.ones((1, 4))))
    assert axes.lines[0].get_label() == "gan: 1 seed"


def test_a_seed_that_diverged_ends_in_a_cross_and_the_others_go_on(axes):
    values = np.array([[1.0, 1.0, 1.0, 1.0], [3.0, 5.0, np.nan, np.nan]])
    plot.curve(axes, plot.Line("gan", 0, STEPS, values, n_diverged=1))

    mean, cross = axes.lines

    np.testing.assert_allclose(mean.get_ydata(), [2.0, 3.0, 1.0, 1.0])
    assert (cross.get_marker(), *cross.get_xydata()[0]) == ("x", 1.0, 5.0)
    assert mean.get_label().endswith("of 2 seeds, 1 diverged (×)")


def test_steps_at_which_no_seed_has_a_number_are_left_out(axes):
    plot.curve(axes, plot.Line("gan", 0, STEPS, np.array([[1.0, np.nan, 1.0, np.nan]])))
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0, 10])


def test_a_panel_shows_step_0_on_a_logarithmic_axis_with_units(axes):
    plot.curves(axes, plot.Panel("modes_covered ↑", "modes", (plot.Line("gan", 0, STEPS, np.ones((1, 4))),)))
    assert (axes.get_xscale(), axes.get_xlim()[0]) == ("symlog", 0)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("generator step", "modes")
    assert axes.get_title(loc="left") == "modes_covered ↑"


def test_variants_look_different_and_keep_their_look():
    looks = [plot.style(position) for position in range(40)]
    assert len(set(looks)) == 40
    assert plot.style(3) == looks[3]


def test_a_figure_has_a_panel_a_measure_and_one_entry_a_variant_in_its_legend():
    lines = tuple(plot.Line(name, place, STEPS, np.ones((2, 4))) for place, name in enumerate(["gan", "wgan"]))
    figure = plot.curves_figure([plot.Panel(name, "", lines) for name in "abc"], title="t")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b", "c"]
    assert [text.get_text().split(":")[0] for text in figure.legends[0].get_texts()] == ["gan", "wgan"]


# ---- files --------------------------------------------------------------------------------------------------------


def test_the_same_numbers_make_the_same_file(tmp_path: Path):
    rng = np.random.default_rng(0)
    row = plot.Cloud("a", np.array([0]), rng.normal(size=(1, 50, 2)), rng.normal(size=(50, 2)))
    for name in ("one", "two"):
        plot.save(plot.clouds_figure([row], title="t", about="words " * 60), tmp_path / f"{name}.png")
    one, two = ((tmp_path / f"{name}.png").read_bytes() for name in ("one", "two"))
    assert one.startswith(b"\x89PNG")
    assert one == two
