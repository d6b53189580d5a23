"""Figures from records and their artefacts: those of the report that are drawn, and what they are drawn from."""

import hashlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

from tests.analysis import factory
from tests.analysis.factory import FIGURES, SPEC, fill, made, record
from wganbench.analysis.figures.artefacts import told_apart
from wganbench.analysis.figures.draw import draw
from wganbench.analysis.figures.drawing import drawings_of
from wganbench.analysis.report import compose, write_report
from wganbench.errors import RecordError
from wganbench.records.record import Artefact, Curve
from wganbench.records.store import Store


@pytest.fixture
def store(tmp_path: Path):
    return Store(tmp_path / "results")


@pytest.fixture
def experiment(tmp_path: Path):
    return made(tmp_path, FIGURES)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "does not match"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
    ids=["changed", "missing"],
)
def test_a_damaged_artefact_stops_the_drawing_and_is_named(experiment, store, damage, message):
    found = fill(store, experiment)
    artefact = next(each.artefacts[0].file for each in found.values() if each.artefacts)
    damage(store.root / "made" / artefact)
    with pytest.raises(RecordError, match=message) as caught:
        write_report([experiment], store, store.root)
    assert artefact in str(caught.value)
    assert not (store.root / "REPORT.md").exists()


def test_an_artefact_of_another_kind_is_named(experiment, store):
    plain = factory.cloud_record(experiment, "good", store)
    path = store.root / "made" / plain.artefacts[0].file
    path.write_bytes(b"not an archive")
    changed = plain.artefacts[0].model_copy(update={"sha256": hashlib.sha256(b"not an archive").hexdigest()})
    store.write(plain.model_copy(update={"artefacts": [changed]}))
    with pytest.raises(RecordError, match="holds no clouds"):
        write_report([experiment], store, store.root)


def test_a_figure_shows_the_longest_profile_that_has_runs_and_says_so(experiment, store):
    store.write(factory.cloud_record(experiment, "good", store, profile="quick"))
    found = compose([experiment], store, store.load(), store.root)
    assert [drawing.file for drawing in found.drawings] == ["made-clouds-quick.png", "made-curves-quick.png"]
    figure = draw(found.drawings[0], store)
    assert "not the paper's protocol: 10 of the paper's 100 steps" in " ".join(figure.texts[1].get_text().split())


def test_two_figures_of_one_kind_and_profile_have_names_of_their_own(tmp_path, store):
    experiment = made(tmp_path, FIGURES, FIGURES.replace("sectors_occupied", "wasserstein_floor"))
    fill(store, experiment)
    files = [drawing.file for drawing in drawings_of(experiment, store.load())]
    assert files == [
        "made-clouds-paper.png",
        "made-curves-paper.png",
        "made-clouds-paper-2.png",
        "made-curves-paper-2.png",
    ]


def test_a_figure_for_which_another_already_stands_in_is_not_drawn_twice(tmp_path, store):
    experiment = made(tmp_path, FIGURES, FIGURES.replace("kind", 'profile = "quick"\nkind'))
    store.write(factory.cloud_record(experiment, "good", store, profile="quick"))
    drawings = drawings_of(experiment, store.load())
    assert [drawing.file for drawing in drawings] == ["made-clouds-quick.png", "made-curves-quick.png"]


def test_curves_are_drawn_from_the_records(experiment, store):
    fill(store, experiment)
    drawing = drawings_of(experiment, store.load())[1]
    first, _ = draw(drawing, store).axes
    good, bad = first.lines
    assert list(good.get_xdata()) == [0, 10, 100]
    assert list(good.get_ydata()) == pytest.approx([0.0, 7.75 / 2, 7.75])
    assert list(bad.get_ydata()) == pytest.approx([0.0, 1.25 / 2, 1.25])
    assert first.get_ylabel() == "sectors"


AGAINST = """
[[figures]]
kind = "curves"
measures = ["sectors_occupied"]
against = "exact_wasserstein"
"""


def timed(experiment, seed, seconds, sectors, **changes):
    """A run of ``good`` with these curves, from steps to values, the former in the place of seconds."""
    curves = {"exact_wasserstein": seconds, "sectors_occupied": sectors}
    told = {name: Curve(steps=list(curve), values=list(curve.values())) for name, curve in curves.items()}
    return record(experiment, "good", seed, {}, **{"curves": told, **changes})


def test_curves_against_a_measure_are_at_its_mean_over_the_seeds_of_each_step(tmp_path, store):
    experiment = made(tmp_path, AGAINST)
    store.write(timed(experiment, 0, {0: 0.0, 10: 20.0, 50: 90.0, 100: 200.0}, {0: 1.0, 10: 2.0, 100: 4.0}))
    store.write(timed(experiment, 1, {0: 0.0, 10: 40.0, 100: 400.0}, {0: 3.0, 10: 6.0, 20: 7.0, 100: 8.0}))
    figure = figure_of(experiment, store)
    (axes,) = figure.axes
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[0, 2], [30, 4], [300, 6]])  # steps 20 and 50 have one of them
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == (
        "linear",
        "exact_wasserstein (distance)",
        "sectors",
    )


def test_a_seed_that_ended_leaves_the_others_their_own_place_and_ends_in_a_cross(tmp_path, store):
    experiment = made(tmp_path, AGAINST)
    store.write(timed(experiment, 0, {0: 0.0, 10: 20.0, 100: 200.0}, {0: 1.0, 10: 2.0, 100: 4.0}))
    ended = {"status": "diverged", "note": "not finite", "steps_done": 10}
    store.write(timed(experiment, 1, {0: 0.0, 10: 40.0}, {0: 3.0, 10: 6.0}, **ended))
    (axes,) = figure_of(experiment, store).axes
    line, cross = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[0, 2], [30, 4], [200, 4]])
    np.testing.assert_allclose(cross.get_xydata(), [[30, 6]])


def test_runs_without_two_steps_that_have_both_are_not_drawn(tmp_path, store):
    experiment = made(tmp_path, AGAINST)
    store.write(timed(experiment, 0, {0: 0.0, 50: 20.0}, {0: 1.0, 100: 4.0}))
    (drawing,) = drawings_of(experiment, store.load())
    assert not drawing.used


def test_clouds_are_drawn_from_the_artefacts_of_the_first_seed(experiment, store):
    fill(store, experiment)
    drawing = drawings_of(experiment, store.load())[0]
    (axes,) = draw(drawing, store).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["good\nseed 0", "bad\nseed 0"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["step 0", "step 100"]


def test_a_variant_s_clouds_are_of_the_first_seed_that_kept_any(tmp_path, store):
    experiment = pictured(tmp_path, '[[figures]]\nkind = "clouds"')
    surface = np.zeros((1, 4, 4))
    write(store, experiment, "good", 0, critic_surface=surface)
    write(store, experiment, "good", 1, critic_surface=surface, fake=FAKE, real=REAL)
    write(store, experiment, "bad", 0, critic_surface=surface)
    (axes,) = figure_of(experiment, store).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["good\nseed 1"]


def test_clouds_that_no_seed_kept_stop_the_drawing(tmp_path, store):
    experiment = pictured(tmp_path, '[[figures]]\nkind = "clouds"')
    only = write(store, experiment, "good", 0, critic_surface=np.zeros((1, 4, 4)))
    with pytest.raises(RecordError, match=f"{only.id}.npz: holds no clouds .*, nor does that of any other seed"):
        write_report([experiment], store, store.root)


# ---- pictures -----------------------------------------------------------------------------------------------------

PICTURES = """
[pictures]
layer_norms = {}
weight_histogram = { bins = 2 }
critic_surface = { window = 3.0, grid = 4 }
"""
FAKE, REAL = np.full((1, 5, 2), 0.5), np.full((7, 2), -0.5)


def pictured(folder, *parts):
    """Variants that keep every picture at their last step."""
    spec = SPEC.replace(
        'critic = { name = "mlp", hidden = [2] }', 'critic = { name = "mlp", hidden = [2, 2] }\nclouds = [1]'
    )
    return made(folder, PICTURES, *parts, spec=spec)


def write(store, experiment, variant, seed, *, steps=(100,), fake=None, real=None, **pictures):
    """A record, written, with an artefact of these arrays."""
    arrays = {f"picture.{label}": array for label, array in pictures.items()}
    arrays |= {} if fake is None else {"fake": fake.astype(np.float16), "real": real.astype(np.float16)}
    out = io.BytesIO()
    np.savez_compressed(out, steps=np.array(steps), **arrays)
    plain = record(experiment, variant, seed, {})
    artefact = Artefact(file=f"artefacts/{plain.id}.npz", sha256=hashlib.sha256(out.getvalue()).hexdigest())
    path = store.root / experiment.name / artefact.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out.getvalue())
    found = plain.model_copy(update={"artefacts": [artefact]})
    store.write(found)
    return found


def figure_of(experiment, store):
    """The only figure, after the whole report has been written."""
    found = write_report([experiment], store, store.root)
    (drawing,) = found.drawings
    assert (store.root / "figures" / drawing.file).is_file()
    assert f"](figures/{drawing.file})" in found.markdown
    return draw(drawing, store)


def subtitle(figure):
    return " ".join(figure.texts[1].get_text().split())


LAYERS = '[[figures]]\nkind = "layers"\npicture = "layer_norms"\n'
HISTOGRAMS = '[[figures]]\nkind = "histograms"\npicture = "weight_histogram"\n'
SURFACES = '[[figures]]\nkind = "surfaces"\npicture = "critic_surface"\n'


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
    assert subtitle(figure).endswith("step 100; each panel has its own range")


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


@pytest.mark.parametrize(
    ("figure", "pictures", "message"),
    [
        (LAYERS, {"weight_histogram": np.zeros((1, 2, 3))}, "holds no picture 'layer_norms' (it has steps, "),
        (LAYERS, {"layer_norms": np.zeros((1, 4, 4))}, "kind 'layers' draws numbers of shape (layers,) at each; name"),
        (LAYERS, {"layer_norms": np.zeros((2, 4))}, "is float64 of shape (2, 4) at 1 steps"),
        (HISTOGRAMS, {"weight_histogram": np.zeros((1, 3, 2))}, "draws numbers of shape (bins, 3)"),
        (SURFACES, {"critic_surface": np.zeros((1, 4, 5))}, "draws numbers of shape (grid, grid)"),
        (SURFACES, {"critic_surface": np.array([["a", "b"]])[None]}, "draws numbers of shape (grid, grid)"),
    ],
)
def test_an_artefact_without_the_picture_that_its_record_tells_of_is_named(tmp_path, store, figure, pictures, message):
    experiment = pictured(tmp_path, figure)
    found = write(store, experiment, "good", 0, **pictures)
    with pytest.raises(RecordError, match=re.escape(message)) as caught:
        write_report([experiment], store, store.root)
    assert str(caught.value).startswith(str(store.root / "made" / found.artefacts[0].file))
    assert str(caught.value).endswith(f"run {found.id} again")


def test_seeds_of_one_setting_have_equally_many_layers(tmp_path, store):
    experiment = pictured(tmp_path, LAYERS)
    for seed in (0, 1):
        write(store, experiment, "good", seed, layer_norms=np.ones((1, 4 + seed)))
    with pytest.raises(RecordError, match=r"has 5 layers and that of seed 0 4; run good-.*-s1 again"):
        write_report([experiment], store, store.root)


def test_a_failed_run_s_picture_is_not_drawn(tmp_path, store):
    experiment = pictured(tmp_path, LAYERS)
    whole = write(store, experiment, "good", 0, layer_norms=np.ones((1, 4)))
    failed = write(store, experiment, "good", 1, layer_norms=np.ones((1, 4)))
    failed = failed.model_copy(update={"status": "failed", "note": "no memory"})
    (drawing,) = drawings_of(experiment, {whole.id: whole, failed.id: failed})
    assert [each.seed for each in drawing.used["good"]] == [0]


def test_records_of_a_setting_without_pictures_are_not_drawn_in_a_picture_figure(tmp_path, store):
    experiment = pictured(tmp_path, LAYERS)
    bare = write(store, experiment, "good", 0, layer_norms=np.ones((1, 4)))
    setting = bare.setting.model_copy(update={"pictures": None})
    other = bare.model_copy(update={"setting": setting})
    (drawing,) = drawings_of(experiment, {other.id: other})
    assert drawing.used == {}


def test_no_artefact_is_opened_before_drawing(tmp_path, store):
    experiment = pictured(tmp_path, LAYERS, HISTOGRAMS, SURFACES, '[[figures]]\nkind = "clouds"')
    found = write(store, experiment, "good", 0, layer_norms=np.ones((1, 4)))
    (store.root / "made" / found.artefacts[0].file).unlink()
    assert len(compose([experiment], store, store.load(), store.root).drawings) == 4


def test_what_cells_have_in_common_is_told_once():
    facts = {"a": ("seed 0", "step 1", ""), "b": ("seed 0", "step 2", "diverged")}
    assert told_apart(facts, ", ") == (["seed 0"], ["a, step 1", "b, step 2, diverged"])
    assert told_apart({"a": facts["a"]}, ", ") == (["seed 0, step 1"], ["a"])


# ---- points -------------------------------------------------------------------------------------------------------

POINTS = """
[variants.best]
n_critic = 4

[[figures]]
kind = "points"
x = "n_critic"
measures = ["sectors_occupied", "exact_wasserstein"]
laws = ["", "wasserstein_floor"]
"""


def scored(store, experiment, variant, values, *, floor=0.5, **changes):
    """Records whose ``exact_wasserstein`` is one of ``values``; None is a run that diverged."""
    for seed, value in enumerate(values):
        numbers = {"sectors_occupied": 3.0, "exact_wasserstein": value, "wasserstein_floor": floor}
        outcome = {"status": "diverged", "note": "nan"} if value is None else {}
        store.write(record(experiment, variant, seed, numbers if value is not None else {}, **outcome, **changes))


def data_of(axes, what):
    """Of the lines so marked."""
    return [np.asarray(line.get_xydata()).tolist() for line in axes.lines if line.get_gid() == what]


def test_points_are_final_values_over_a_number_of_the_setting_with_their_law(tmp_path, store):
    experiment = made(tmp_path, POINTS)
    scored(store, experiment, "good", (1.0, 2.0), floor=0.5)
    scored(store, experiment, "bad", (3.0, 5.0), floor=0.75)
    figure = figure_of(experiment, store)
    sectors, distance = figure.axes
    assert data_of(distance, "means") == [[[1, 1.5], [2, 4.0]]]
    assert data_of(distance, "seeds") == [[[1, 1.0], [1, 2.0], [2, 3.0], [2, 5.0]]]
    assert data_of(distance, "law") == [[[1, 0.5], [2, 0.75]]]
    assert data_of(sectors, "law") == []
    assert (sectors.get_title(loc="left"), sectors.get_ylabel()) == ("sectors_occupied ↑", "sectors")
    assert [axes.get_xlabel() for axes in figure.axes] == ["n_critic"] * 2
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(names) == ["law: wasserstein_floor", "mean of 2 seeds, small: each"]


def test_points_of_each_group_have_a_colour_and_groups_with_laws_of_their_own_a_line_each(tmp_path, store):
    groups = "[figures.groups]\nfirst = ['good', 'best']\nsecond = ['bad']\n"
    experiment = made(tmp_path, POINTS.replace("n_critic = 4", "n_critic = 2\nbatch_size = 9"), groups)
    scored(store, experiment, "good", (1.0,))
    scored(store, experiment, "best", (2.0,), floor=0.5)
    scored(store, experiment, "bad", (3.0,), floor=0.9)
    figure = figure_of(experiment, store)
    assert data_of(figure.axes[1], "means") == [[[1, 1.0], [2, 2.0]], [[2, 3.0]]]
    assert data_of(figure.axes[1], "law") == [[[1, 0.5], [2, 0.5]], [[2, 0.9]]]
    law, other, first, second = (text.get_text() for text in figure.legends[0].get_texts())
    assert (law, other) == ("law: wasserstein_floor of first", "law: wasserstein_floor of second")
    assert (first, second) == ("first: 1 seed", "second: 1 seed")


def test_a_diverged_run_is_no_point_and_is_counted(tmp_path, store):
    experiment = made(tmp_path, POINTS)
    scored(store, experiment, "good", (1.0, 2.0, None))
    scored(store, experiment, "bad", (None, None))
    distance = figure_of(experiment, store).axes[1]
    assert data_of(distance, "means") == [[[1, 1.5]]]
    assert distance.get_title(loc="right") == "3 of 5 runs without a number"


def test_points_without_any_number_are_not_drawn(tmp_path, store):
    experiment = made(tmp_path, POINTS)
    scored(store, experiment, "good", (None, None))
    assert (
        "Not drawn, as there are no runs with the data: points."
        in compose([experiment], store, store.load(), store.root).markdown
    )


def spoilt(content: bytes) -> bytes:
    """Its first member's compressed bytes changed, so that zlib itself fails."""
    return content[:60] + bytes(byte ^ 255 for byte in content[60:90]) + content[90:]


def packed(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


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
    experiment = made(tmp_path, '[[figures]]\nkind = "clouds"\n')
    artefact = Artefact.of(record(experiment, "good", 0, {}).id, ".npz", content)
    store.write(record(experiment, "good", 0, {}, artefacts=[artefact]))
    (store.root / "made" / "artefacts").mkdir()
    (store.root / "made" / artefact.file).write_bytes(content)
    with pytest.raises(RecordError, match=r"[0-9a-f]{8}.npz: holds no clouds"):
        write_report([experiment], store, store.root)


def test_samples_too_large_to_be_drawn_count_as_not_finite(tmp_path, store):
    experiment = made(tmp_path, '[[figures]]\nkind = "clouds"\n')
    content = packed(steps=STEPS, fake=np.full((1, 5, 2), 1e300), real=REAL)
    artefact = Artefact.of(record(experiment, "good", 0, {}).id, ".npz", content)
    store.write(record(experiment, "good", 0, {}, artefacts=[artefact]))
    (store.root / "made" / "artefacts").mkdir()
    (store.root / "made" / artefact.file).write_bytes(content)
    figure_of(experiment, store)  # without a warning
