"""What a spec says beside a custom measure: which way is better, the worst, whether it is bounded, its unit."""

from __future__ import annotations

import math

import pytest

from tests.analysis.factory import made, record
from wganbench.analysis.results import Results, summarise
from wganbench.analysis.tables.cells import describe
from wganbench.analysis.tables.published import results_table
from wganbench.analysis.tables.table import render
from wganbench.analysis.verdict import judge
from wganbench.errors import SpecError
from wganbench.records.record import Curve, checksum_of, read_text, write_text
from wganbench.runner.cohort import _best
from wganbench.runner.evaluation import Trace
from wganbench.spec import scale_of
from wganbench.spec.catalogue import CUSTOM, Scale

RADIUS = '[measures.radius]\nname = "mine:radius"\nshare = 0.5\n{}\n'
LOW = 'better = "low"\nbounded = false\nworst = 10.0\nunit = "distance"'
CLAIM = """
[[claims]]
id = "good-is-nearer"
says = "good lies nearer than bad"
test = "{test}"
measure = "radius"
better = "good"
worse = "bad"
statistic = "{statistic}"
"""


def spec(folder, says, *more):
    return made(folder, RADIUS.format(says), *more)


def use_of(experiment):
    return experiment.setting("good", "paper").measures["radius"]


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("", CUSTOM),
        (LOW, Scale(False, 10.0, False, "distance")),
        ('better = "high"', Scale(True, -math.inf, True, "")),
        ('better = "low"', Scale(False, math.inf, True, "")),
        ('better = "high"\nworst = 0\nunit = "modes"', Scale(True, 0.0, True, "modes")),
        ('bounded = false\nunit = "s"', Scale(None, CUSTOM.worst, False, "s")),
    ],
)
def test_its_numbers_are_read_as_the_spec_says(tmp_path, says, expected):
    assert scale_of(use_of(spec(tmp_path, says))) == expected


def test_what_is_said_is_no_option_of_the_function_and_no_part_of_the_id_and_lives_in_the_record(tmp_path):
    plain, own = spec(tmp_path, ""), spec(tmp_path, LOW)
    assert use_of(own).measure == use_of(plain).measure
    assert use_of(own).measure.options == {"share": 0.5}
    assert own.family("good", "paper") == plain.family("good", "paper")
    before, after = (record(each, "good", 0, {"radius": 1.0}) for each in (plain, own))
    assert before.id == after.id
    read = read_text(write_text(after), "here")
    assert read == after
    assert scale_of(read.setting.measures["radius"]) == Scale(False, 10.0, False, "distance")
    assert use_of(plain).model_dump(mode="json").keys() == {"measure", "points"}
    assert checksum_of(before) != checksum_of(after)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[variants.third.measures.sectors_occupied]\nbetter = "low"',
            "measures.sectors_occupied: 'sectors_occupied' is built in and has 'better' of its own; leave it out",
        ),
        (
            '[measures.near]\nname = "exact_wasserstein"\nunit = "m"',
            "measures.near: 'exact_wasserstein' is built in and has 'unit' of its own; leave it out",
        ),
        (
            RADIUS.format("worst = 3"),
            "measures.radius: worst = 3 means nothing without better; set better to 'high' or 'low'",
        ),
        (RADIUS.format('better = "lower"'), "measures.radius.better: must be 'high' or 'low', got 'lower'"),
        (
            RADIUS.format('better = "low"\nworst = "all"'),
            "measures.radius.worst: must be a valid number, got 'all'",
        ),
        (RADIUS.format('bounded = "no"'), "measures.radius.bounded: must be a valid boolean, got 'no'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, text, says):
    with pytest.raises(SpecError) as caught:
        made(tmp_path, text)
    assert str(caught.value).endswith(f", {says}")
    assert "\n" not in str(caught.value)


# ---- claims and tables --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", ["permutation", "welch"])
def test_a_claim_may_be_about_it(tmp_path, test):
    experiment = spec(tmp_path, LOW, CLAIM.format(test=test, statistic="final"))
    rows = {"good": (1, 1.2, 1.1, 0.9, 1, 1.3, 1.1, 0.8), "bad": (3, 3.2, 2.9, 3.1, 3, 2.8, 3.1, 3.3)}
    runs = [
        record(experiment, name, seed, {"radius": value})
        for name, row in rows.items()
        for seed, value in enumerate(row)
    ]
    (verdict,) = judge(Results(experiment, {run.id: run for run in runs}))
    assert verdict.outcome == "reproduced"


@pytest.mark.parametrize("says", ["", "bounded = false", 'better = "low"\nbounded = true'])
def test_without_a_direction_or_bounded_a_claim_of_normal_theory_is_refused(tmp_path, says):
    with pytest.raises(SpecError, match="neither better high nor low" if "better" not in says else "count or bounded"):
        spec(tmp_path, says, CLAIM.format(test="welch", statistic="final"))


def test_a_diverged_run_scores_its_worst(tmp_path):
    experiment = spec(tmp_path, LOW, CLAIM.format(test="permutation", statistic="final"))
    runs = [record(experiment, name, seed, {"radius": 1.0}) for name in ("good", "bad") for seed in range(5)]
    runs[5] = record(experiment, "bad", 0, {"radius": None}, status="diverged")
    (verdict,) = judge(Results(experiment, {run.id: run for run in runs}))
    assert [unit.value for unit in verdict.checks[0].units["bad"]] == [10.0, 1.0, 1.0, 1.0, 1.0]


def test_tables_show_its_arrow_and_unit(tmp_path):
    experiment = spec(tmp_path, LOW)
    assert describe("radius", scale_of(use_of(experiment))) == "radius ↓ (distance)"
    run = record(experiment, "good", 0, {"radius": 1.0})
    assert "radius ↓ (distance)" in render(results_table(Results(experiment, {run.id: run}), "paper"), "markdown")


@pytest.mark.parametrize(("says", "best"), [(LOW, 0.5), ('better = "high"', 2.0), ("", None)])
def test_the_best_of_a_run_is_by_what_is_said(tmp_path, says, best):
    trace = Trace(curves={"radius": ([0, 50, 100], [2.0, 0.5, None])})
    assert _best(spec(tmp_path, says).setting("good", "paper"), trace)["radius"] == best


@pytest.mark.parametrize("before", ["", 'better = "high"'])
def test_records_are_read_as_the_spec_says_now_whatever_it_said_when_they_were_made(tmp_path, before):
    """The direction is no part of the id, so that it can be put right; nothing is then judged the wrong way round."""
    old = spec(tmp_path, before)
    runs = []
    for name, low in (("good", 0.1), ("bad", 0.5)):
        for seed in range(8):
            curve = Curve(steps=[0, 10, 100], values=[2.0, low + seed / 100, 1.0])
            best = {"radius": 2.0 if before else None}
            runs.append(record(old, name, seed, {"radius": 1.0}, curves={"radius": curve}, best=best))
    runs[8] = record(old, "bad", 0, {"radius": None}, status="diverged")
    records = {run.id: run for run in runs}
    now = spec(tmp_path, LOW, CLAIM.format(test="permutation", statistic="best"))
    (verdict,) = judge(Results(now, records))
    assert verdict.outcome == "reproduced"
    assert [unit.value for unit in verdict.checks[0].units["good"]] == [0.1 + seed / 100 for seed in range(8)]
    assert verdict.checks[0].units["bad"][0].value == 10.0
    assert summarise(Results(now, records).of("good", "paper"), "radius", "best").mean == pytest.approx(0.135)


@pytest.mark.parametrize(
    ("then", "post_hoc"),
    [(LOW, False), (LOW.replace("distance", "m"), False), (LOW.replace("low", "high"), True), ("", True)],
)
def test_a_direction_that_came_after_the_runs_makes_their_claims_post_hoc(tmp_path, then, post_hoc):
    claim = CLAIM.format(test="permutation", statistic="final")
    old = spec(tmp_path, then, claim if "better" in then else "")
    runs = [record(old, name, seed, {"radius": 1.0}) for name in ("good", "bad") for seed in range(5)]
    now = spec(tmp_path, LOW, claim)
    (verdict,) = judge(Results(now, {run.id: run for run in runs}))
    assert verdict.post_hoc is post_hoc
