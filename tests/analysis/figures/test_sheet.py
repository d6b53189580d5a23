"""The sheet of images at the end of training: the runs in their rows and columns, and what stands for missing ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analysis.factory import made, record
from tests.analysis.figures.test_grids import GRIDS, SPEC, keep
from wganbench.analysis.figures import draw, drawings_of
from wganbench.analysis.figures.grids import SPACE
from wganbench.analysis.results import Results
from wganbench.errors import SpecError
from wganbench.runner.artefacts import GAP, strip

THIRD = "[variants.third]\nn_critic = 3\n"
FIGURE = """
[[figures]]
id = "drawn"
kind = "sheet"
rows = ["the first architecture", "second"]
columns.left = ["good", "bad"]
columns.right = ["third", ""]
"""
TALL, WIDE = 4 * (4 + GAP) - GAP, 8 * (4 + GAP)


@pytest.fixture
def experiment(tmp_path):
    return made(tmp_path, THIRD, FIGURE, spec=SPEC)


def drawn(experiment, store):
    (drawing,) = drawings_of(Results(experiment, store.load()))
    (axes,) = draw(drawing, store).axes
    return drawing, axes


def test_each_variant_stands_in_its_row_and_column_with_its_last_images(experiment, store):
    for variant, shift in (("good", 0), ("bad", 100), ("third", 150)):
        keep(store, experiment, variant, 0, strip(GRIDS + shift, [0, 1000], 8))
    drawing, axes = drawn(experiment, store)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["the first\narchitecture", "second"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["left", "right"]
    pixels = np.asarray(axes.images[0].get_array())
    assert pixels.shape == (2 * TALL + SPACE, 2 * WIDE + SPACE, 3)
    corners = pixels[:: TALL + SPACE, :: WIDE + SPACE, 0]
    assert corners.tolist() == [[32, 182], [132, 255]]  # the images of the last step begin at 32; the rest is white
    assert [text.get_text() for text in axes.texts] == [""]
    assert drawing.files == ("drawn.png",)


def test_a_run_that_ended_early_and_a_missing_one_are_named_and_empty_rows_left_out(experiment, store):
    keep(store, experiment, "good", 1, strip(GRIDS[:1], [0], 8), status="diverged", steps_done=300)
    store.write(record(experiment, "third", 0, {"wasserstein_estimate": 1.0}))  # which keeps no images
    _, axes = drawn(experiment, store)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["the first\narchitecture"]
    assert [text.get_text() for text in axes.texts] == ["diverged\nat step 300", "no run"]


def test_the_first_seed_with_images_is_drawn(experiment, store):
    store.write(record(experiment, "good", 0, {"wasserstein_estimate": 1.0}))
    for seed, shift in ((2, 90), (1, 60)):
        keep(store, experiment, "good", seed, strip(GRIDS + shift, [0, 1000], 8))
    drawing, axes = drawn(experiment, store)
    assert np.asarray(axes.images[0].get_array())[0, 0, 0] == 92
    assert [each.seed for each in drawing.records] == [1]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('["good", "bad"]', '["good"]', "columns.left: 1 variants for 2 rows; one each, or ''"),
        ('"bad"', '"bda"', "columns.left: no variant 'bda'; did you mean 'bad'?"),
        ('kind = "sheet"', 'kind = "sheet"\nvariants = ["good"]', "variants: the columns name those of a sheet"),
        ("rows =", "titles =", "rows: missing"),
    ],
)
def test_a_sheet_that_does_not_fit_is_refused_at_load(tmp_path, old, new, line):
    with pytest.raises(SpecError, match=line.replace("?", r"\?")):
        made(tmp_path, THIRD, FIGURE.replace(old, new), spec=SPEC)


def test_a_sheet_needs_images(tmp_path):
    with pytest.raises(SpecError, match="variant 'good' keeps no images, as its clouds name no moments"):
        made(tmp_path, THIRD, FIGURE, spec=SPEC.replace("clouds = [0, 1]", ""))
