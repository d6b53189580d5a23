"""What was chosen of the architectures, and the scores that go with it."""

import math
from statistics import mean, stdev

import pytest
import scipy.stats

from tests.analysis import drawn
from tests.analysis.drawn import runs
from wganbench.analysis.architectures import samples_of
from wganbench.analysis.figures.factors import chosen, factors_of
from wganbench.spec.architectures import sample_architectures

DRAWN = sample_architectures(40, 0)
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
    levels = factors[role, name].levels
    shown = {False: "without", True: "with"}
    assert [level.value for level in levels] == [str(shown.get(value, value)) for value in values]
    for level, value in zip(levels, values, strict=True):
        own = [pair for pair, one in zip(SCORES, DRAWN, strict=True) if getattr(getattr(one, role), attribute) == value]
        assert [tuple(row) for row in level.scores.tolist()] == own
    assert sum(len(level.scores) for level in levels) == 40


def test_there_is_an_interval_of_two_architectures_and_none_of_one(tmp_path):
    experiment = drawn.spec(tmp_path)
    (sample,) = samples_of(experiment, runs(experiment, [(1.0, 5.0), (2.0, 9.0), (4.0, 6.0)]), "paper")
    for factor in factors_of(sample):
        for level in factor.levels:
            first, second = level.intervals
            assert (first is None) == (second is None) == (len(level.scores) < 2)
            if second is not None:
                own = [float(score) for score in level.scores[:, 1]]
                half = scipy.stats.t.ppf(0.975, len(own) - 1) * stdev(own) / math.sqrt(len(own))
                assert (second.low, second.high) == pytest.approx((mean(own) - half, mean(own) + half))
    assert {len(level.scores) for factor in factors_of(sample) for level in factor.levels} >= {1, 2}


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
