"""Success rates of random architectures: the numbers that are drawn, read back from the axes."""

import numpy as np
import pytest

from tests.analysis import drawn
from tests.analysis.drawn import FIGURES, OTHER, PAPER, THRESHOLDS, by_id, run, runs
from wganbench.analysis.figures import draw, drawings_of, save
from wganbench.analysis.figures.style import look_of
from wganbench.analysis.results import Results
from wganbench.analysis.stats import wilson_interval
from wganbench.records.store import Store


def of(axes, what):
    return [line for line in axes.lines if line.get_gid() == what]


SCORES = [(1.2, 7.1), (3.0, 5.0), (5.0, 5.5), (6.0, 2.0), (8.5, 9.5), (1.0, 1.0)]


def drawings(experiment, found):
    return {drawing.figure.kind: drawing for drawing in drawings_of(Results(experiment, by_id(found)))}


def test_the_curve_is_the_share_above_each_threshold_with_the_published_one_beside_it(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    drawing = drawings(experiment, runs(experiment, SCORES))["success"]
    assert drawing.file == "success.png"
    (axes,) = draw(drawing, Store(tmp_path)).axes
    gan, gp = of(axes, "rates")
    assert gan.get_xdata().tolist() == THRESHOLDS
    for line, scores in ((gan, [gan for gan, _ in SCORES]), (gp, [gp for _, gp in SCORES])):
        shares = [sum(score > threshold for score in scores) / 6 for threshold in THRESHOLDS]
        assert line.get_ydata().tolist() == pytest.approx(shares)
    colours = [look_of(0)[0], look_of(1)[0]]
    assert [line.get_color() for line in (gan, gp)] == [line.get_color() for line in of(axes, "published")] == colours
    assert [line.get_linestyle() for line in of(axes, "published")] == ["--", "--"]
    limits = wilson_interval(sum(score > THRESHOLDS[3] for score, _ in SCORES), 6)
    points = {tuple(point) for point in axes.collections[0].get_paths()[0].vertices.tolist()}
    assert points >= {(THRESHOLDS[3], limits.low), (THRESHOLDS[3], limits.high)}
    assert axes.get_legend_handles_labels()[1] == ["gan", "wgan-gp", "gan, published", "wgan-gp, published"]
    published = [line.get_ydata().tolist() for line in of(axes, "published")]
    assert published[0][:3] == pytest.approx([0.96, 0.75, 0.7])
    assert published[1][-3:] == pytest.approx([0.17, 0.03, 0.0])
    assert PAPER in axes.get_xlabel()


def test_another_score_has_its_own_thresholds_and_name_and_nothing_published(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    drawing = drawings(experiment, runs(experiment, SCORES[:3], profile="quick", score_protocol=OTHER))["success"]
    figure = draw(drawing, Store(tmp_path))
    (axes,) = figure.axes
    assert of(axes, "rates")[0].get_xdata().tolist() == pytest.approx(np.linspace(1, 9, 17))
    assert of(axes, "published") == []
    assert OTHER in axes.get_xlabel()
    assert "direction only: shapes10" in " ".join(figure.texts[1].get_text().split())


def test_the_largest_of_several_samples_is_drawn_and_said_to_be_one(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    found = runs(experiment, SCORES)
    found += [run(experiment, f"a007-{method}", 4.0, data_checksum="e" * 64) for method in ("gan", "wgan-gp")]
    (axes,) = draw(drawings(experiment, found)["success"], Store(tmp_path)).axes
    assert axes.get_title(loc="left") == "6 architectures, the most of 2 samples"


def test_without_an_architecture_with_both_methods_nothing_is_drawn(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    found = [run(experiment, "a000-gan", 4.0)]
    assert all(not drawing.used for drawing in drawings(experiment, found).values())


def test_without_thresholds_the_factors_alone_are_drawn(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    found = runs(experiment, SCORES[:3], profile="quick", score_protocol=OTHER)
    for record in found:
        record.measures["real_inception_score"] = None
    both = drawings(experiment, found)
    assert not both["success"].used
    assert both["factors"].used


@pytest.mark.parametrize("kind", ["success", "factors"])
def test_the_same_records_give_the_same_bytes(tmp_path, kind):
    experiment = drawn.spec(tmp_path, FIGURES)
    found = runs(experiment, SCORES)
    for name, some in (("1", found), ("2", found[::-1])):
        save(draw(drawings(experiment, some)[kind], Store(tmp_path)), tmp_path / name)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
