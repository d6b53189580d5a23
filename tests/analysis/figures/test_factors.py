"""What was chosen of the architectures, and the scores that go with it."""

import math
from statistics import stdev

import numpy as np
import pytest
import scipy.stats

from tests.analysis import drawn
from tests.analysis.drawn import FIGURES, by_id, runs
from wganbench.analysis.architectures import samples_of
from wganbench.analysis.figures import draw, drawings_of
from wganbench.analysis.figures.factors import Factor, chosen, draw_factor, factors_of
from wganbench.analysis.figures.style import look_of
from wganbench.analysis.results import Results
from wganbench.records.store import Store
from wganbench.spec.architectures import sample_architectures

DRAWN = sample_architectures(40, 0)
FEW = [(1.2, 7.1), (3.0, 5.0), (5.0, 5.5), (6.0, 2.0), (8.5, 9.5), (1.0, 1.0)]
SCORES = [(1.0 + place / 40, 9.0 - place / 10) for place in range(40)]


@pytest.fixture
def factors(tmp_path):
    experiment = drawn.spec(tmp_path)
    (sample,) = samples_of(experiment, runs(experiment, SCORES), "paper")
    return {(factor.role, factor.name): factor for factor in factors_of(sample)}


@pytest.mark.parametrize("role", ["generator", "critic"])
@pytest.mark.parametrize(
    ("name", "attribute", "values"),
    [
        ("depth", "depth", [4, 8, 12, 20]),
        ("filters", "filters", [32, 64, 128]),
        ("normalisation", "normalised", [False, True]),
        ("nonlinearity", "nonlinearity", ["relu", "leaky_relu", "softplus", "tanh"]),
    ],
)
def test_a_level_has_the_scores_of_the_architectures_drawn_with_it(factors, role, name, attribute, values):
    scores = factors[role, name].scores
    shown = {False: "without", True: "with"}
    assert list(scores) == ([shown[value] for value in values] if name == "normalisation" else values)
    for shown_value, value in zip(scores, values, strict=True):
        own = [pair for pair, one in zip(SCORES, DRAWN, strict=True) if getattr(getattr(one, role), attribute) == value]
        assert [tuple(row) for row in scores[shown_value].tolist()] == own
    assert sum(map(len, scores.values())) == 40


def of(axes, what):
    return [line for line in axes.lines if line.get_gid() == what]


def test_a_mark_is_a_mean_in_its_interval_over_its_architectures_with_n_beneath(axes):
    scores = {4: np.array([[1.0, 4.0], [3.0, 8.0]]), "leaky_relu": np.array([[5.0, 7.0]])}
    draw_factor(axes, Factor("depth", "critic", scores), ["gan", "gp"])
    gan, gp = of(axes, "means")
    assert (gan.get_ydata().tolist(), gp.get_ydata().tolist()) == ([2.0, 5.0], [6.0, 7.0])
    assert (gan.get_color(), gp.get_color()) == (look_of(0)[0], look_of(1)[0])
    assert axes.get_legend_handles_labels()[1] == ["gan", "gp"]
    each = [points for points in axes.collections if points.get_gid() == "architectures"]
    assert [points.get_offsets()[:, 1].tolist() for points in each] == [[1.0, 3.0], [4.0, 8.0], [5.0], [7.0]]
    assert each[0].get_alpha() < 0.5
    half = scipy.stats.t.ppf(0.975, 1) * stdev([1.0, 3.0]) / math.sqrt(2)
    first, alone, *_ = (list(line.get_ydata()) for line in of(axes, "interval"))
    assert first == pytest.approx([2 - half, 2 + half])
    assert np.isnan(alone).all()  # one architecture has none
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4\nn = 2", "leaky relu\nn = 1"]


def test_filters_are_as_the_network_has_them_and_normalisation_is_any(tmp_path):
    experiment = drawn.spec(tmp_path, overrides=["generator.filters_divided_by=8"])
    one = next(place for place, each in enumerate(DRAWN) if each.critic.normalised)
    for method in ("gan", "wgan-gp"):
        setting = experiment.setting(f"a{one:03}-{method}", "paper")
        assert chosen(setting, "generator", "filters") == DRAWN[one].generator.filters // 8
        assert chosen(setting, "critic", "filters") == DRAWN[one].critic.filters
        assert chosen(setting, "critic", "normalisation") == "with"


def test_a_network_that_tells_nothing_has_no_factor(tmp_path):
    experiment = drawn.spec(tmp_path)
    setting = experiment.setting("a000-gan", "paper")
    bare = setting.generator.model_copy(update={"options": {"hidden": [2]}})
    assert chosen(setting.model_copy(update={"generator": bare}), "generator", "depth") is None
    assert chosen(setting.model_copy(update={"generator": bare}), "generator", "normalisation") is None


def test_factors_have_a_panel_for_each_of_four_and_each_network_and_every_architecture_in_each(tmp_path):
    experiment = drawn.spec(tmp_path, FIGURES)
    drawing = drawings_of(Results(experiment, by_id(runs(experiment, FEW))))[1]
    figure = draw(drawing, Store(tmp_path))
    names = [
        f"{role}: {name}"
        for name in ("depth", "normalisation", "nonlinearity", "filters")
        for role in ("generator", "critic")
    ]
    assert [axes.get_title(loc="left") for axes in figure.axes] == names
    for axes in figure.axes:
        shown = [score for points in axes.collections for score in points.get_offsets()[:, 1]]
        assert sorted(shown) == sorted(score for pair in FEW for score in pair)
        assert axes.get_ylim() == pytest.approx((0.575, 9.925)), "the range of the scores, whatever the intervals are"
