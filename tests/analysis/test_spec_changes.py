"""Two versions of a spec: what is named, and what makes a claim easier to hold, for every kind of check."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.analysis.factory import PUBLISHED, SPEC, made
from wganbench.analysis.spec_changes import spec_changes
from wganbench.spec import Claim, Experiment

CLAIM = {"id": "c", "says": "good beats bad"}
COMPARISON = {"test": "permutation", "measure": "m", "better": "good", "worse": "bad", "margin": 1.0}
AT_LEAST = {"test": "sign", "measure": "m", "variant": "good", "at_least": 1.0}
AT_MOST = {"test": "t", "measure": "m", "variant": "good", "at_most": 1.0}
SUCCESS = {"test": "binomial", "variant": "good", "rate": 0.5, "criteria": [{"measure": "m", "at_least": 6.0}]}
EQUALITY = {"test": "tost", "measure": "m", "variant": "good", "equals": 3.0, "within": 0.5}
EQUIVALENCE = {"test": "paired_equivalence", "measure": "m", "first": "good", "second": "bad", "within": 0.5}
ARCHITECTURES = {"test": "architectures", "measure": "m", "better": "gp", "worse": "gan", "margin": 0.5}
MCNEMAR = {"test": "mcnemar", "measure": "m", "better": "gp", "worse": "gan", "threshold": 3.0}
CURVE = {
    "test": "success_curve",
    "measure": "m",
    "method": "gp",
    "thresholds": [1.0, 3.0],
    "published": [0.9, 0.5],
    "within": 0.1,
}

LOOSER = [
    (COMPARISON, {"margin": 0.5}),
    (COMPARISON, {"margin": -0.5}),
    (AT_LEAST, {"at_least": 0.5}),
    (AT_MOST, {"at_most": 2.0}),
    (SUCCESS, {"rate": 0.4}),
    (SUCCESS, {"criteria": [{"measure": "m", "at_least": 5.0}]}),
    (EQUALITY, {"within": 0.6}),
    (EQUIVALENCE, {"within": 0.6}),
    (ARCHITECTURES, {"margin": 0.25}),
    (CURVE, {"within": 0.2}),
]
"""A check of each kind that has a margin, with a field that makes it easier."""
OTHERWISE = [
    (COMPARISON, {"measure": "n"}, "claim asks something else"),
    (COMPARISON, {"better": "best"}, "claim asks something else"),
    (COMPARISON, {"better": "bad", "worse": "good"}, "direction turned"),
    (COMPARISON, {"profile": "quick"}, "claim asks something else"),
    (COMPARISON, {"statistic": "best"}, "claim asks something else"),
    (COMPARISON, {"test": "paired"}, "test changed"),
    (AT_LEAST, {"at_least": None, "at_most": 1.0}, "direction turned"),
    (AT_MOST, {"variant": "bad"}, "claim asks something else"),
    (SUCCESS, {"criteria": [{"measure": "m", "at_most": 6.0}]}, "margin loosened"),
    (EQUALITY, {"equals": 3.2}, "published value changed"),
    (EQUIVALENCE, {"second": "worst"}, "claim asks something else"),
    (MCNEMAR, {"threshold": 2.0}, "claim asks something else"),
    (MCNEMAR, {"better": "gan", "worse": "gp"}, "direction turned"),
    (CURVE, {"published": [0.8, 0.5]}, "published value changed"),
    (CURVE, {"published_n": 200}, "claim asks something else"),
]


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Experiment:
    spec = SPEC.replace("seeds = 8", 'seeds = 8\npilot = { seeds = "100-103", before = 1 }')
    return made(tmp_path_factory.mktemp("spec"), PUBLISHED, spec=spec)


def stating(experiment: Experiment, *claims: dict[str, Any], **changes: Any) -> Experiment:
    copied = experiment.model_copy(update={"claims": [Claim.model_validate(each) for each in claims], **changes})
    for name in ("planned_seeds", "_resolved", "_families", "_pairs", "with_custom_measures"):
        copied.__dict__.pop(name, None)  # cached
    return copied


def between(before: Experiment, after: Experiment, *, judged=("c",), recorded=()) -> dict[str, bool]:
    found = [*spec_changes(before, after, judged, Counter(recorded))]
    assert all("\n" not in str(change) for change in found)
    return {change.check: change.weakens for change in found}


def moved(bare: Experiment, check: dict[str, Any], changes: dict[str, Any], **claim: Any) -> dict[str, bool]:
    return between(stating(bare, {**CLAIM, **check}), stating(bare, {**CLAIM, **check, **changes, **claim}))


def test_a_spec_does_not_differ_from_itself(bare):
    assert between(stating(bare, {**CLAIM, **COMPARISON}), stating(bare, {**CLAIM, **COMPARISON})) == {}


@pytest.mark.parametrize(("check", "changes"), LOOSER)
def test_a_looser_margin_weakens_and_a_tighter_one_does_not(bare, check, changes):
    loose = {**check, **changes}
    assert moved(bare, check, changes) == {"margin loosened": True}
    back = {name: check.get(name) for name in changes}
    assert moved(bare, loose, back) == {"margin tightened": False}


@pytest.mark.parametrize(("name", "strict"), [("drift_at_most", 0.02), ("gap_at_least", 0.97)], ids=["drift", "gap"])
def test_a_condition_that_is_no_longer_asked_weakens(bare, name, strict):
    assert moved(bare, {**AT_LEAST, name: strict}, {name: None}) == {"margin loosened": True}
    assert moved(bare, AT_LEAST, {name: strict}) == {"margin tightened": False}
    easier = {"drift_at_most": 0.05, "gap_at_least": 0.9}[name]
    assert moved(bare, {**AT_LEAST, name: strict}, {name: easier}) == {"margin loosened": True}


@pytest.mark.parametrize(("check", "changes", "what"), OTHERWISE)
def test_a_claim_that_asks_something_else_under_its_id_weakens(bare, check, changes, what):
    found = moved(bare, check, changes)
    assert found[what] is True
    assert set(found) - {what} <= {"margin tightened"}


def test_criteria_that_are_removed_weaken_and_more_of_them_do_not(bare):
    two = {"criteria": [*SUCCESS["criteria"], {"measure": "n", "at_most": 2.0}]}
    assert moved(bare, SUCCESS, two) == {"margin tightened": False}
    assert moved(bare, {**SUCCESS, **two}, {"criteria": SUCCESS["criteria"]}) == {"margin loosened": True}


def test_one_check_of_several_that_is_enough_weakens(bare):
    checks = {"checks": [{"id": "one", **AT_LEAST}, {"id": "two", **AT_MOST}]}
    assert moved(bare, checks, {"any": True}) == {"margin loosened": True}
    assert moved(bare, {**checks, "any": True}, {"any": False}) == {"margin tightened": False}
    fewer = {"checks": checks["checks"][:1]}
    assert moved(bare, checks, fewer) == {"check removed": True}
    assert moved(bare, fewer, checks) == {"check added": False}
    assert moved(bare, {**fewer, "any": True}, {**checks, "any": True}) == {"check added": True}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"says": "good is better"}, {"claim reworded": False}),
        ({}, {"source": "someone 2019"}, {"source changed": False}),
        ({}, {"role": "secondary"}, {"role changed": True}),
        ({"role": "secondary"}, {"role": "primary"}, {"role changed": False}),
        ({}, {"known_contradiction": "trained for less"}, {"known contradiction": False}),
        ({"known_contradiction": "trained for less"}, {"known_contradiction": None}, {"known contradiction": False}),
        ({}, {"superseded": {"version": 2, "reason": "wrong question"}}, {"claim superseded": False}),
        ({"superseded": {"version": 2, "reason": "wrong"}}, {"superseded": None}, {"claim counts again": False}),
        (
            {"superseded": {"version": 2, "reason": "wrong", "judged_on": {"good": "good-0123456789"}}},
            {"superseded": {"version": 2, "reason": "wrong", "judged_on": {"good": "good-0123456780"}}},
            {"judged on other records": True},
        ),
        ({}, {"restated_as": ["c"]}, {"claim restated": False}),
        ({"since": 2}, {"since": 3}, {"since changed": False}),
        ({"seeds": "0-7"}, {"seeds": "0-5"}, {"seeds removed": True}),
        ({"seeds": "0-7"}, {"seeds": "0-9"}, {"seeds added": True}),
        ({"seeds": "0-7"}, {"seeds": "8-15"}, {"seeds removed": True, "seeds added": True}),
        ({}, {"seeds": "0-7"}, {}),
    ],
)
def test_what_stands_around_the_checks(bare, old, new, expected):
    first, second = ({**CLAIM, **COMPARISON, **old, **more} for more in ({}, new))
    assert between(stating(bare, first), stating(bare, second)) == expected


def test_more_seeds_before_any_run_do_not_weaken(bare):
    first, second = ({**CLAIM, **COMPARISON, "seeds": seeds} for seeds in ("0-7", "0-9"))
    assert between(stating(bare, first), stating(bare, second), judged=()) == {"seeds added": False}


def test_fewer_seeds_of_the_spec_are_fewer_of_each_claim_without_seeds_of_its_own(bare):
    claims = [{**CLAIM, **COMPARISON}, {**CLAIM, **COMPARISON, "id": "own", "seeds": "0-7"}]
    found = [*spec_changes(stating(bare, *claims), stating(bare, *claims, seeds=6), (), Counter())]
    assert [(change.check, change.subject, change.text) for change in found] == [
        ("seeds removed", "c", "6-7 are declared no more")
    ]


def test_claims_that_come_and_go(bare):
    claim = {**CLAIM, **COMPARISON}
    assert between(stating(bare, claim), stating(bare)) == {"claim removed": True}
    assert between(stating(bare), stating(bare, claim)) == {"claim added": False}


def test_deviations_and_published_values(bare):
    one = bare.published[0]
    moved_value = [one.model_copy(update={"value": one.value + 0.1}), *bare.published[1:]]
    for changes, expected in (
        ({"deviations": []}, {"deviation removed": True}),
        ({"deviations": ["nothing much is trained"]}, {"deviation removed": True, "deviation added": False}),
        ({"published": moved_value}, {"published value changed": True}),
        ({"published": bare.published[1:]}, {"published value removed": True}),
        ({"source": "somebody else"}, {"source changed": False}),
    ):
        assert between(stating(bare), stating(bare, **changes)) == expected
    assert between(stating(bare, published=[]), stating(bare)) == {"published value added": False}


def test_a_pilot_that_is_hidden_weakens(bare):
    claim = {**CLAIM, **COMPARISON}
    assert between(stating(bare, claim), stating(bare, claim, pilot=[])) == {
        "pilot hidden": True,
        "pilot removed": True,
    }


def test_a_further_pilot_does_not_weaken_and_another_one_in_its_place_does(bare):
    (first,) = bare.pilot
    further = first.model_copy(update={"seeds": "104-105", "before": 2})
    claim = {**CLAIM, **COMPARISON}
    assert between(stating(bare, claim), stating(bare, claim, pilot=[first, further])) == {}
    assert between(stating(bare, claim), stating(bare, claim, pilot=[further])) == {
        "pilot hidden": True,
        "pilot removed": True,
    }


def test_settings_that_change_weaken_only_if_records_are_left_behind(bare):
    after = stating(bare, defaults={**bare.defaults, "batch_size": 8})
    assert between(stating(bare), after) == {"setting changed": False}
    name = bare.family("good", "paper")
    assert between(stating(bare), after, recorded=[name] * 3) == {"setting changed": True}
    texts = [str(change) for change in spec_changes(stating(bare), after, (), Counter([name] * 3))]
    assert (
        "made profile paper: setting changed: good, bad: other settings, or none any more; 3 records count for no"
        " claim any more" in texts
    )
    kept = {"version": 2, "reason": "wrong", "judged_on": {"good": name}}
    claim = {**CLAIM, **AT_LEAST}
    before, after = stating(bare, claim), stating(after, {**claim, "superseded": kept})
    assert between(before, after, recorded=[name] * 3) == {"claim superseded": False, "setting changed": False}


def test_a_custom_measure_that_is_read_the_other_way_round_weakens(tmp_path):
    spec = SPEC.replace("[measures]", '[measures]\n"mine:m" = { better = "high" }')
    before = made(tmp_path, spec=spec)
    after = made(tmp_path, spec=spec.replace('"high"', '"low"'))
    assert before.family("good", "paper") == after.family("good", "paper")
    assert between(before, after) == {"measure read in another way": True}
