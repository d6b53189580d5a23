"""Clouds: what is drawn of samples, and which artefacts they are drawn from."""

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from tests.analysis.factory import FIGURES, fill, made, record
from tests.analysis.figures.kept import FAKE, REAL, figure_of, packed, pictured, write
from wganbench.analysis.figures import draw, drawings_of, save
from wganbench.analysis.figures.clouds import Cloud, density, draw_clouds
from wganbench.analysis.report import write_report
from wganbench.analysis.results import Results
from wganbench.errors import RecordError
from wganbench.records.record import Artefact


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

    found = density(points, window=4.0, grid=160)  # two cells are narrower than the kernel

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
    found = density(points, window=4.0, grid=128)
    y, x = np.unravel_index(found.argmax(), found.shape)
    assert np.isfinite(found).all()
    assert [x * 8 / 127 - 4, y * 8 / 127 - 4] == pytest.approx(points.mean(axis=0), abs=0.6)


@pytest.mark.parametrize("points", [np.full((3, 2), np.nan), np.full((3, 2), np.inf), np.full((3, 2), 1e4)])
def test_samples_that_are_nowhere_in_the_window_have_no_density(points):
    assert density(points, window=4.0).max() == pytest.approx(0, abs=1e-12)


# ---- clouds -------------------------------------------------------------------------------------------------------


def test_clouds_draws_each_sample_in_the_cell_of_its_method_and_moment(axes):
    rng = np.random.default_rng(0)
    steps = np.array([0, 500])
    fakes = [rng.uniform(-1, 1, (2, 30, 2)) for _ in range(2)]
    real = rng.uniform(-1, 1, (9, 2))

    draw_clouds(axes, [Cloud(name, steps, fake, real) for name, fake in zip("ab", fakes, strict=True)], window=2.0)

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
    whole = Cloud("whole", np.array([0, 10, 20]), np.zeros((3, 5, 2)), np.zeros((5, 2)))
    short = Cloud("short", np.array([0]), np.zeros((1, 5, 2)), np.zeros((5, 2)), gone="diverged")
    draw_clouds(axes, [whole, short])
    assert [text.get_text() for text in axes.texts] == ["diverged", "diverged"]


@pytest.mark.parametrize("far", [5.0, np.inf, np.nan])
def test_samples_outside_the_window_are_counted_and_not_drawn(axes, far):
    fake = np.zeros((1, 4, 2))
    fake[0, 3, 0] = far
    draw_clouds(axes, [Cloud("a", np.array([0]), fake, np.zeros((1, 2)))], window=4.0)
    assert [text.get_text() for text in axes.texts] == ["25% outside"]
    assert len(drawn(axes, "fake")[0]) == 3


def test_clouds_are_drawn_from_the_artefacts_of_the_first_seed(tmp_path, store):
    experiment = made(tmp_path, FIGURES)
    fill(store, experiment)
    drawing = drawings_of(Results(experiment, store.load()))[0]
    (axes,) = draw(drawing, store).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["good\nseed 0", "bad\nseed 0"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["step 0", "step 100"]


def test_a_variant_s_clouds_are_of_the_first_seed_that_kept_any(tmp_path, store):
    experiment = pictured(tmp_path, '[[figures]]\nid = "clouds"\nkind = "clouds"')
    surface = np.zeros((1, 4, 4))
    write(store, experiment, "good", 0, critic_surface=surface)
    write(store, experiment, "good", 1, critic_surface=surface, fake=FAKE, real=REAL)
    write(store, experiment, "bad", 0, critic_surface=surface)
    (axes,) = figure_of(experiment, store).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["good\nseed 1"]


def test_clouds_that_no_seed_kept_stop_the_drawing(tmp_path, store):
    experiment = pictured(tmp_path, '[[figures]]\nid = "clouds"\nkind = "clouds"')
    only = write(store, experiment, "good", 0, critic_surface=np.zeros((1, 4, 4)))
    with pytest.raises(RecordError, match=f"{only.id}.npz: holds no clouds .*, nor does that of any other seed"):
        write_report([experiment], store, store.root)


def spoilt(content: bytes) -> bytes:
    """Its first member's compressed bytes changed, so that zlib itself fails."""
    return content[:60] + bytes(byte ^ 255 for byte in content[60:90]) + content[90:]


STEPS = np.array([100])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(spoilt(packed(steps=STEPS, fake=FAKE, real=REAL)), id="not to be unpacked"),
        pytest.param(packed(steps=np.array([np.nan]), fake=FAKE, real=REAL), id="steps not whole"),
        pytest.param(packed(steps=np.array(3), fake=FAKE, real=REAL), id="steps no row"),
        pytest.param(packed(steps=np.array([0, 100]), fake=FAKE, real=REAL), id="more steps than samples"),
        pytest.param(packed(steps=STEPS, fake=FAKE > 1, real=REAL), id="samples no numbers"),
        pytest.param(packed(steps=STEPS, fake=FAKE[:, :0], real=REAL), id="no samples"),
        pytest.param(packed(steps=STEPS, fake=FAKE, real=REAL, x=np.zeros(2**25)), id="endless"),
    ],
)
def test_an_archive_of_anything_else_than_clouds_is_named(tmp_path, store, content):
    experiment = made(tmp_path, '[[figures]]\nid = "clouds"\nkind = "clouds"\n')
    artefact = Artefact.of(record(experiment, "good", 0, {}).id, ".npz", content)
    store.write(record(experiment, "good", 0, {}, artefacts=[artefact]))
    (store.root / "made" / "artefacts").mkdir()
    (store.root / "made" / artefact.file).write_bytes(content)
    with pytest.raises(RecordError, match=r"[0-9a-f]{8}.npz: holds no clouds"):
        write_report([experiment], store, store.root)


def test_samples_too_large_to_be_drawn_count_as_not_finite(tmp_path, store):
    experiment = made(tmp_path, '[[figures]]\nid = "clouds"\nkind = "clouds"\n')
    content = packed(steps=STEPS, fake=np.full((1, 5, 2), 1e300), real=REAL)
    artefact = Artefact.of(record(experiment, "good", 0, {}).id, ".npz", content)
    store.write(record(experiment, "good", 0, {}, artefacts=[artefact]))
    (store.root / "made" / "artefacts").mkdir()
    (store.root / "made" / artefact.file).write_bytes(content)
    figure_of(experiment, store)  # without a warning


def test_the_same_records_make_the_same_file(tmp_path, store):
    experiment = made(tmp_path, FIGURES)
    fill(store, experiment)
    for name in ("one", "two"):
        save(draw(drawings_of(Results(experiment, store.load()))[0], store), tmp_path / f"{name}.png")
    one, two = ((tmp_path / f"{name}.png").read_bytes() for name in ("one", "two"))
    assert one.startswith(b"\x89PNG")
    assert one == two
