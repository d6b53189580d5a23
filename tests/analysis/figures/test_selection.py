"""Figures from records and their artefacts: those of the report that are drawn, and what they are drawn from."""

import hashlib
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from tests.analysis import factory
from tests.analysis.factory import FIGURES, fill, made
from tests.analysis.figures.kept import HISTOGRAMS, LAYERS, SURFACES, pictured, write
from wganbench.analysis.figures import draw, drawings_of
from wganbench.analysis.figures.drawing import split_facts
from wganbench.analysis.figures.selection import KINDS
from wganbench.analysis.report import compose, write_report
from wganbench.analysis.results import Results
from wganbench.errors import RecordError
from wganbench.spec.figures import AnyFigure


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
    assert not (store.root / "README.md").exists()


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
    assert [drawing.file for drawing in found.drawings] == ["clouds.png", "curves.png"]
    figure = draw(found.drawings[0], store)
    assert "not the paper's protocol: 10 of the paper's 100 steps" in " ".join(figure.texts[1].get_text().split())


def test_a_figure_for_which_another_already_stands_in_is_not_drawn_twice(tmp_path, store):
    experiment = made(
        tmp_path, FIGURES, FIGURES.replace("kind", 'profile = "quick"\nkind').replace('id = "', 'id = "quick-')
    )
    store.write(factory.cloud_record(experiment, "good", store, profile="quick"))
    drawings = drawings_of(Results(experiment, store.load()))
    assert [drawing.file for drawing in drawings] == ["quick-clouds.png", "quick-curves.png"]


# ---- pictures -----------------------------------------------------------------------------------------------------


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


def test_a_failed_run_s_picture_is_not_drawn(tmp_path, store):
    experiment = pictured(tmp_path, LAYERS)
    whole = write(store, experiment, "good", 0, layer_norms=np.ones((1, 4)))
    failed = write(store, experiment, "good", 1, layer_norms=np.ones((1, 4)))
    failed = failed.model_copy(update={"status": "failed", "note": "no memory"})
    (drawing,) = drawings_of(Results(experiment, {whole.id: whole, failed.id: failed}))
    assert [each.seed for each in drawing.used["good"]] == [0]


def test_records_of_a_setting_without_pictures_are_not_drawn_in_a_picture_figure(tmp_path, store):
    experiment = pictured(tmp_path, LAYERS)
    bare = write(store, experiment, "good", 0, layer_norms=np.ones((1, 4)))
    setting = bare.setting.model_copy(update={"pictures": None})
    other = bare.model_copy(update={"setting": setting})
    (drawing,) = drawings_of(Results(experiment, {other.id: other}))
    assert drawing.used == {}


def test_no_artefact_is_opened_before_drawing(tmp_path, store):
    experiment = pictured(tmp_path, LAYERS, HISTOGRAMS, SURFACES, '[[figures]]\nid = "clouds"\nkind = "clouds"')
    found = write(store, experiment, "good", 0, layer_norms=np.ones((1, 4)))
    (store.root / "made" / found.artefacts[0].file).unlink()
    assert len(compose([experiment], store, store.load(), store.root).drawings) == 4


def test_what_cells_have_in_common_is_told_once():
    facts = {"a": ("seed 0", "step 1", ""), "b": ("seed 0", "step 2", "diverged")}
    assert split_facts(facts, ", ") == (["seed 0"], ["a, step 1", "b, step 2, diverged"])
    assert split_facts({"a": facts["a"]}, ", ") == (["seed 0, step 1"], ["a"])


def test_every_kind_of_figure_has_a_module():
    union, _ = get_args(AnyFigure)
    assert KINDS.keys() == {get_args(model.model_fields["kind"].annotation)[0] for model in get_args(union)}
