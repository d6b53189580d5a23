"""Lines of text: what is written of them, and of which records."""

import numpy as np
import pytest

from tests.analysis.factory import SPEC, made
from tests.analysis.figures.kept import figure_of, subtitle, write
from wganbench.analysis.figures.lines import draw_lines, text_of
from wganbench.errors import RecordError

LINES = '[[figures]]\nid = "lines"\nkind = "lines"\npicture = "text_lines"\n'
TEXTUAL = (
    SPEC.replace('data = "gaussian_ring"', 'data = { name = "text", length = 5 }\nclouds = [1]')
    .replace('{ name = "mlp", hidden = [2] }', '{ name = "text_X", dim = 2 }')
    .replace('generator = { name = "text_X"', 'generator = { name = "text_generator"')
    .replace("text_X", "text_critic")
    .partition("[measures]")
)


def textual(folder):
    before, _, behind = TEXTUAL
    measures = "measures = { ngram_js = {} }\npictures = { text_lines = {} }\n"
    return made(folder, LINES, spec=before + measures + behind[behind.index("[profiles.quick]") :])


def points(*lines):
    return np.array([[ord(symbol) for symbol in line] for line in lines], dtype=float)


def written(axes):
    return [text.get_text() for text in axes.texts]


def test_lines_are_written_below_each_other_as_they_are(axes):
    draw_lines(axes, "real", ["$a_1$ b", "c"])
    assert written(axes) == ["$a_1$ b", "c"]
    assert not any(text.get_parse_math() for text in axes.texts)
    assert [text.get_position()[1] for text in axes.texts] == [0.5, 1.5]
    assert axes.get_ylim() == (2, 0)
    assert axes.get_title(loc="left") + axes.get_title() == "real"


def test_what_the_font_cannot_show_is_written_as_unknown():
    line = np.array([[ord("a"), np.nan, 7, 0x4E00, ord("é")]])
    assert text_of(line) == ["a\ufffd\ufffd\ufffdé"]


def test_each_variant_has_a_column_beside_the_real_lines(tmp_path, store):
    experiment = textual(tmp_path)
    for variant, lines in (("good", ("thee ", "thou ")), ("bad", ("xxxxx", "yyyyy"))):
        for seed in (2, 3):
            kept = np.stack([points(*lines), points("sweet", "roses")])
            write(store, experiment, variant, seed, text_lines=kept[None] if seed == 2 else kept[None, ::-1])
    figure = figure_of(experiment, store)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["real", "good", "bad"]
    assert [written(axes) for axes in figure.axes] == [["sweet", "roses"], ["thee ", "thou "], ["xxxxx", "yyyyy"]]
    assert subtitle(figure).endswith("seed 2, step 100")


def test_a_picture_of_another_shape_is_refused(tmp_path, store):
    experiment = textual(tmp_path)
    write(store, experiment, "good", 0, text_lines=np.zeros((1, 5, 2)))
    with pytest.raises(RecordError, match=r"draws numbers of shape \(2, lines, length\) at each"):
        figure_of(experiment, store)
