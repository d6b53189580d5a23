"""The figures of a judgement show the differences, intervals and words of its table."""

import math

import pytest

from wganbench.analysis.figures import style
from wganbench.analysis.judged import figures, pairs
from wganbench.analysis.judged.judgement import Judgement, Strips
from wganbench.analysis.judged.pairs import WORDS, Pairs
from wganbench.records.submission import Submission
from wganbench.spec.judged import Counted

EIGHT = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SHIFTS = {"better": 1.0, "worse": -1.0, "equivalent": 0.01, "open": 0.05}


def pairs_at(shift, experiment="exp", **changes):
    candidate = tuple(value + shift for value in EIGHT)
    fields = {
        "experiment": experiment,
        "variant": "reference",
        "profile": "quick",
        "measure": "score",
        "sign": 1,
        "counted": Counted(within=0.05),
        "candidate": candidate,
        "reference": EIGHT,
        "n_planned": 8,
        "runs": tuple((f"mine-s{seed}", f"reference-s{seed}") for seed in range(8)),
    }
    return Pairs(**{**fields, **changes})


def judgement(*lines):
    submission = Submission(
        budget="evening",
        device="cpu",
        experiments=["exp"],
        candidates={"mine": {"constraint": "r1"}},
        libraries={},
        reference={},
        files={},
    )
    return Judgement(submission, [], {"mine": tuple(pairs.judge(lines))})


@pytest.fixture(autouse=True)
def _theme():
    with style.theme():
        yield


def lines_named(axes, gid):
    return [line for line in axes.lines if line.get_gid() == gid]


def test_each_judgement_has_its_place_its_word_and_a_mark_of_its_own():
    found = judgement(*(pairs_at(shift, word) for word, shift in SHIFTS.items()))
    axes = figures.overview(found).axes[0]
    marks = {word: lines_named(axes, word)[0] for word in WORDS}
    for place, (word, shift) in enumerate(SHIFTS.items()):
        (x,), (y,) = marks[word].get_data()
        assert (x, y) == (pytest.approx(shift / 0.05), place)
    assert len({line.get_marker() for line in marks.values()}) == 4
    words = [text.get_text() for text in axes.texts if text.get_text() in WORDS]
    assert words == list(SHIFTS)


def test_an_interval_is_in_units_of_the_margin():
    spread = tuple(value + (0.1 if place % 2 else 0.2) for place, value in enumerate(EIGHT))
    found = judgement(pairs_at(0.0, candidate=spread))
    (settled,) = found.settled["mine"]
    (line,) = lines_named(figures.overview(found).axes[0], "interval")
    assert list(line.get_xdata()) == pytest.approx([settled.interval.low / 0.05, settled.interval.high / 0.05])
    assert 1.9 < line.get_xdata()[0] < line.get_xdata()[1] < 4.1


def test_a_diverged_run_is_counted_and_no_mark_is_drawn():
    found = judgement(pairs_at(0.0, candidate=(*EIGHT[:7], -math.inf)))
    axes = figures.overview(found).axes[0]
    assert [line for word in WORDS for line in lines_named(axes, word)] == []
    assert "1 of the candidate without a number" in " ".join(text.get_text() for text in axes.texts)


def test_strips_show_each_run_and_each_difference():
    found = judgement(pairs_at(1.0))
    strips = Strips("mine", "exp", found.settled["mine"])
    values, differences = figures.draw_strips(strips).axes
    assert values.get_title(loc="left") == "reference: score"
    by_height = {
        line.get_ydata()[0]: list(line.get_xdata()) for line in values.lines if line.get_marker() in ("o", "D")
    }
    assert by_height == {1.0: pytest.approx([value + 1 for value in EIGHT]), 0.0: pytest.approx(EIGHT)}
    assert len(lines_named(values, "pair")) == 8
    (dots,) = lines_named(differences, "differences")
    assert list(dots.get_xdata()) == pytest.approx([1.0] * 8)
    assert differences.get_title(loc="left") == "better"


def test_values_over_decades_have_a_logarithmic_axis():
    far = tuple(value * 1e-6 for value in EIGHT)
    found = judgement(pairs_at(0.0, candidate=far))
    values, _ = figures.draw_strips(Strips("mine", "exp", found.settled["mine"])).axes
    assert values.get_xscale() == "log"
