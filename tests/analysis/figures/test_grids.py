"""Images over training: from the strips of runs to the figure and its animations."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.analysis.factory import made, record
from wganbench.analysis.check import check
from wganbench.analysis.figures import animate, draw, drawings_of, grids, style
from wganbench.analysis.figures.grids import CAPTION, SPACE, Grids
from wganbench.analysis.report import write_report
from wganbench.analysis.results import Results
from wganbench.cli import cli
from wganbench.errors import RecordError, SpecError
from wganbench.records.record import Artefact
from wganbench.records.store import Store
from wganbench.runner.artefacts import GAP, strip

SPEC = """
version = 1
title = "Images"
source = "nobody"
seeds = 2
data = { name = "shapes10", size = 16 }
latent_dim = 2
batch_size = 4
steps = 1_000
objective = "wasserstein"
generator = { name = "dcgan_generator", filters = 2 }
critic = { name = "dcgan_critic", filters = 2 }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
measures = { wasserstein_estimate = {} }
clouds = [0, 1]
[profiles.paper]
[variants.good]
[variants.bad]
n_critic = 2
"""
FIGURE = '[[figures]]\nid = "grids"\nkind = "grids"\n'


def sheet(value, height=6, width=10):
    return np.full((height, width, 3), value, dtype=np.uint8)


# ---- the figure ---------------------------------------------------------------------------------------------------


def test_each_grid_stands_in_the_row_of_its_variant_and_the_column_of_its_step():
    rows = [Grids("a", [0, 7], [sheet(10), sheet(20)]), Grids("b", [0], [sheet(30)], gone="diverged\nat step 5")]
    (axes,) = grids.draw_rows(rows, "t", "about").axes
    (image,) = axes.images
    pixels = np.asarray(image.get_array())
    assert pixels.shape == (2 * 6 + SPACE, 2 * 10 + SPACE, 3)
    assert (pixels[:6, :10] == 10).all() and (pixels[:6, 10 + SPACE :] == 20).all()
    assert (pixels[6 + SPACE :, :10] == 30).all() and (pixels[6 + SPACE :, 10:] == 255).all()
    assert image.get_extent() == [0, 26, 18, 0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["step 0", "step 7"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_xticks().tolist() == [5, 21] and axes.get_yticks().tolist() == [3, 15]
    (text,) = axes.texts
    assert (text.get_text(), *text.get_position()) == ("diverged\nat step 5", 21, 15)


def test_a_pixel_is_a_whole_number_of_dots():
    noise = np.random.default_rng(0).integers(0, 256, (2, 136, 272, 3), dtype=np.uint8)
    with style.theme():
        figure = grids.draw_rows([Grids("a", [0, 1], list(noise))], "t", "about")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[:, :, :3]
    place = figure.axes[0].get_window_extent()
    left, top = round(place.x0), drawn.shape[0] - round(place.y1)
    zoom = round(place.width / (2 * 272 + SPACE))
    assert zoom == 2
    shown = drawn[top : top + 136 * zoom, left : left + 272 * zoom]
    assert np.array_equal(shown, noise[0].repeat(zoom, axis=0).repeat(zoom, axis=1))


def test_many_moments_are_shrunk_to_twice_the_width():
    with style.theme():
        figure = grids.draw_rows([Grids("a", list(range(16)), [sheet(0, 136, 272)] * 16)], "t", "about")
    assert figure.get_size_inches()[0] == pytest.approx(grids.WIDEST, abs=0.1)


# ---- the animation ------------------------------------------------------------------------------------------------


def test_an_animation_shows_the_moments_for_a_second_each_and_begins_again():
    row = Grids("a\nseed 3", [0, 7, 1000], [sheet(10), sheet(20), sheet(30)])
    content = grids.animation(row)
    assert content == grids.animation(row)
    file = Image.open(io.BytesIO(content))
    assert (file.format, file.n_frames, file.info["loop"]) == ("GIF", 3, 0)
    zoom = 26  # the least with 256 pixels
    assert file.size == (10 * zoom, 6 * zoom + CAPTION)
    captions = []
    for index, value in enumerate((10, 20, 30)):
        file.seek(index)
        frame = np.asarray(file.convert("RGB"))
        assert file.info["duration"] == 1000
        assert (frame[CAPTION:] == value).all()
        captions.append(frame[:CAPTION].tobytes())
        assert frame[:CAPTION].min() < 100 and frame[:CAPTION].max() == 255
    assert len(set(captions)) == 3


# ---- from records -------------------------------------------------------------------------------------------------

GRIDS = torch.arange(2 * 32, dtype=torch.uint8).reshape(2, 32, 1, 1, 1).expand(2, 32, 3, 4, 4)


def png(pixels, **text):
    out, about = io.BytesIO(), PngInfo()
    for key, value in text.items():
        about.add_text(key, value)
    Image.fromarray(pixels).save(out, "PNG", pnginfo=about)
    return out.getvalue()


def keep(store, experiment, variant, seed, content=None, **changes):
    """A record with a strip; returns where that lies."""
    content = strip(GRIDS, [0, 1000], 8) if content is None else content
    plain = record(experiment, variant, seed, {"wasserstein_estimate": 1.0}, **changes)
    artefact = Artefact(file=f"artefacts/{plain.id}-grids.png", sha256=hashlib.sha256(content).hexdigest())
    path = store.path(plain).parent / artefact.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    store.write(plain.model_copy(update={"artefacts": [artefact]}))
    return path


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


@pytest.fixture
def experiment(tmp_path):
    return made(tmp_path, FIGURE, spec=SPEC)


def test_a_figure_is_drawn_from_the_strips_that_training_packs(experiment, store):
    keep(store, experiment, "good", 1)
    diverged = {"status": "diverged", "steps_done": 300}
    keep(store, experiment, "bad", 0, strip(GRIDS[:1], [0], 8), **diverged)
    store.write(record(experiment, "good", 0, {"wasserstein_estimate": 1.0}))  # which keeps none
    (drawing,) = drawings_of(Results(experiment, store.load()))
    (axes,) = draw(drawing, store).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["good\nseed 1", "bad\nseed 0"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["step 0", "step 1,000"]
    assert [text.get_text() for text in axes.texts] == ["diverged\nat step 300"]
    pixels, step = np.asarray(axes.images[0].get_array()), 4 + GAP
    across = 8 * step + SPACE
    first = [[pixels[i * step, left + j * step, 0] for i in range(4) for j in range(8)] for left in (0, across)]
    assert first == [list(range(32)), list(range(32, 64))]


def test_the_report_has_the_figure_and_under_it_the_animations_and_check_misses_each(experiment, store):
    keep(store, experiment, "good", 0)
    keep(store, experiment, "bad", 0)
    write_report([experiment], store, store.root)
    files = {path.name: path for path in (store.root / "made" / "figures").iterdir()}
    names = ["grids.png", "grids.good.gif", "grids.bad.gif"]
    assert files.keys() == {*names}
    lines = (store.root / "made" / "README.md").read_text().splitlines()
    place = lines.index("![Images](figures/grids.png)")
    links = "[good](figures/grids.good.gif), [bad](figures/grids.bad.gif)"
    assert lines[place + 2] == f"One after the other: {links}."
    before = {name: path.read_bytes() for name, path in files.items()}
    write_report([experiment], store, store.root)
    assert {name: path.read_bytes() for name, path in files.items()} == before
    assert check([experiment], store) == []
    for name in names:
        files[name].unlink()
    assert [found.subject for found in check([experiment], store)] == [f"figures/{name}" for name in names]


def test_without_a_strip_nothing_is_drawn(experiment, store):
    store.write(record(experiment, "good", 0, {"wasserstein_estimate": 1.0}))
    (drawing,) = drawings_of(Results(experiment, store.load()))
    assert not drawing.used and not drawing.animations
    assert (
        "Not drawn, as there are no runs with the data: grids."
        in write_report([experiment], store, store.root).pages["made/README.md"]
    )


@pytest.mark.parametrize(
    "content",
    [
        b"not a picture",
        png(sheet(0)),
        png(sheet(0), steps=""),
        png(sheet(0), steps="0 1 2"),
        png(sheet(0), steps="1 0"),
        png(sheet(0), steps="one two"),
        strip(GRIDS, [0, 1000], 8)[:-30],
        grids.animation(Grids("a", [0], [sheet(0)])),
    ],
    ids=["text", "no steps", "empty", "odd width", "unsorted", "words", "cut off", "a GIF"],
)
def test_what_is_no_strip_is_named(experiment, store, content):
    path = keep(store, experiment, "good", 0, content)
    (drawing,) = drawings_of(Results(experiment, store.load()))
    for make in (draw, animate):
        with pytest.raises(RecordError) as caught:
            make(drawing, store)
        assert str(caught.value) == f"{path}: holds no grids (a PNG with its steps); run {path.stem[:-6]} again"


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")])
def test_a_strip_that_is_missing_or_damaged_stops_the_report_with_a_line(tmp_path, experiment, store, damage):
    path = keep(store, experiment, "good", 0)
    damage(path)
    result = CliRunner().invoke(cli, ["report", str(tmp_path / "made.toml"), "--results", str(store.root)])
    assert result.exit_code == 2
    (line,) = result.output.splitlines()
    assert line.startswith(f"wganbench: {path}: ") and line.endswith(" again")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("clouds = [0, 1]", "", "variant 'good' keeps no images, as its clouds name no moments"),
        (
            "[variants.bad]",
            '[variants.bad]\ndata = "gaussian_ring"\ncritic = { name = "mlp", hidden = [2] }\n'
            'generator = { name = "mlp", hidden = [2] }',
            "a figure of kind 'grids' draws images, and 'gaussian_ring' of variant 'bad' has none",
        ),
        (
            "[variants.bad]",
            '[variants.bad]\nfixed_generator = { name = "noised", std = 1.0 }',
            "a figure of kind 'grids' draws what a generator makes, and variant 'bad' trains none",
        ),
    ],
)
def test_a_figure_of_what_keeps_no_images_is_told_at_load(tmp_path, old, new, line):
    with pytest.raises(SpecError) as caught:
        made(tmp_path, FIGURE, spec=SPEC.replace(old, new))
    assert f"figures.grids: {line}" in str(caught.value)
