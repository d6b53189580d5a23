"""Two sets of made-up records whose differences are known."""

from __future__ import annotations

import json
import math

import pytest

from tests.analysis import factory
from tests.analysis.factory import BAD, CLAIMS, GOOD, PROVENANCE, made, record
from wganbench.analysis import stats
from wganbench.analysis.compare import compare
from wganbench.analysis.tables.compared import claims_table, measures_table, sides, summary, tally
from wganbench.analysis.tables.table import render

NAMES = ("mine", "reference")
N = 6
SPEC = factory.SPEC.replace("seeds = 8", f"seeds = {N}")


@pytest.fixture
def experiment(tmp_path):
    return made(tmp_path, CLAIMS, spec=SPEC)


def records(experiment, variant, values, n=N, **changes):
    return factory.records(experiment, variant, values, n=n, **changes)


def by_id(*groups):
    return {each.id: each for group in groups for each in group}


@pytest.fixture
def reference(experiment):
    return by_id(records(experiment, "good", GOOD), records(experiment, "bad", BAD))


def shifted(experiment, variant, values, by, n=N, **changes):
    """The records of ``values`` with one measure shifted by an amount for each seed."""
    moved = {name: [value + each for value, each in zip(row, by, strict=False)] for name, row in values.items()}
    kept = {**values, "exact_wasserstein": moved["exact_wasserstein"]}
    return [
        record(experiment, variant, seed, {name: row[seed] for name, row in kept.items()}, **changes)
        for seed in range(n)
    ]


def items(comparison):
    return {(item.variant, item.measure): item for item in comparison.measures}


def test_identical_sets_have_no_difference(experiment, reference):
    found = compare([experiment], reference, dict(reference))
    assert {item.outcome for item in found.measures} == {"equal"}
    assert [(pair.here.outcome, pair.is_changed) for pair in found.claims] == [("reproduced", False)] * 2
    assert found.notes == ()
    assert measures_table(found, NAMES).rows == ()
    assert len(measures_table(found, NAMES, with_equal=True).rows) == len(found.measures) == 4
    assert tally(found) == (
        "0 of 2 verdicts changed; 0 of 4 comparisons of measures show a difference, 4 are equal run for run."
    )


BY = (0.5, 0.52, 0.48, 0.53, 0.51, 0.46)


def test_a_shifted_copy_is_found_and_says_by_how_much(experiment, reference):
    mine = {**reference, **by_id(shifted(experiment, "good", GOOD, BY))}
    found = compare([experiment], mine, reference)
    first = found.measures[0]
    assert (first.variant, first.measure, first.outcome) == ("good", "exact_wasserstein", "worse")
    assert first.difference.estimate == pytest.approx(0.5)
    assert first.adjusted == first.difference.p < 1e-5, "the others are equal, and take no place in the family"
    assert 0 < first.detectable < 0.05
    swapped = items(compare([experiment], reference, mine))["good", "exact_wasserstein"]
    assert (swapped.outcome, swapped.adjusted) == ("better", first.adjusted)
    assert swapped.difference.estimate == pytest.approx(-0.5)


def test_p_values_are_adjusted_over_the_family_which_is_all_of_a_profile(experiment, reference):
    by = (0.3, -0.1, 0.2, -0.2, 0.4, 0.1)
    mine = by_id(shifted(experiment, "good", GOOD, by), shifted(experiment, "bad", BAD, [-2 * each for each in by]))
    found = items(compare([experiment], mine, reference))
    pair = [found[variant, "exact_wasserstein"] for variant in ("good", "bad")]
    assert pair[0].difference.p == pytest.approx(pair[1].difference.p)
    assert [item.adjusted for item in pair] == pytest.approx(stats.holm([item.difference.p for item in pair]))
    assert [item.outcome for item in pair] == ["no difference found"] * 2
    for item in pair:
        assert item.detectable == item.difference.detectable(0.025) > item.difference.detectable(0.05)


def test_a_missing_seed_leaves_the_other_pairs(experiment, reference):
    mine = {name: each for name, each in reference.items() if each.seed != 2}
    found = items(compare([experiment], mine, reference))
    assert {item.outcome for item in found.values()} == {"equal"}
    assert found["good", "sectors_occupied"].difference.n == (5, 5)
    assert found["good", "sectors_occupied"].here.n_runs == 5


def test_disjoint_seeds_are_compared_as_two_samples(experiment, reference):
    mine = by_id(
        record(experiment, "good", 100 + seed, {name: row[seed] for name, row in BAD.items()}) for seed in range(N)
    )
    found = items(compare([experiment], mine, reference))
    assert found["good", "exact_wasserstein"].difference.test == "Welch's t"
    assert found["good", "sectors_occupied"].difference.test == "permutation"
    assert {item.outcome for item in found.values()} == {"worse"}
    assert {variant for variant, _ in found} == {"good"}


def test_too_few_runs_are_shown_and_not_tested(experiment, reference):
    mine = by_id(shifted(experiment, "good", GOOD, BY, n=4))
    found = items(compare([experiment], mine, reference))["good", "exact_wasserstein"]
    assert (found.outcome, found.why, found.adjusted) == ("not compared", "too few runs", 1.0)
    assert found.difference.estimate == pytest.approx(0.82 - 1.85 / 6)


def test_diverged_runs_count_as_the_worst_value_and_their_share_is_compared(experiment, reference):
    mine = dict(reference)
    for each in list(reference.values()):
        if each.variant == "good" and each.seed < N:
            mine[each.id] = each.model_copy(update={"status": "diverged"})
    found = items(compare([experiment], mine, reference))
    assert found["good", "diverged"].difference.estimate == 1.0
    assert found["good", "diverged"].difference.p == pytest.approx(2 / 2**N)
    assert found["good", "sectors_occupied"].difference.estimate == pytest.approx(-46 / 6)
    assert found["good", "exact_wasserstein"].difference.estimate == math.inf
    assert {found["good", name].difference.test for name in ("diverged", "exact_wasserstein")} == {"sign flips"}
    assert ("bad", "diverged") not in found


def test_a_failed_run_has_no_value(experiment, reference):
    mine = dict(reference)
    (name,) = [each.id for each in reference.values() if (each.variant, each.seed) == ("good", 3)]
    mine[name] = reference[name].model_copy(update={"status": "failed", "note": "no memory"})
    found = items(compare([experiment], mine, reference))
    assert found["good", "sectors_occupied"].difference.n == (5, 5)
    assert found["good", "sectors_occupied"].outcome == "equal"


# ---- claims ---------------------------------------------------------------------------------------------------------


def test_changed_verdicts_come_first_then_those_of_one_side(tmp_path):
    third = CLAIMS.split("[[claims]]")[1].replace("good-beats-bad", "third")
    experiment = made(tmp_path, CLAIMS, f"[[claims]]{third}", spec=SPEC)
    reference = by_id(records(experiment, "good", GOOD), records(experiment, "bad", BAD))
    far = {**GOOD, "exact_wasserstein": [value + 2 for value in GOOD["exact_wasserstein"]]}
    found = compare([experiment], by_id(records(experiment, "good", far)), reference)
    listed = [(pair.here.claim.id, pair.here.outcome, pair.there.outcome, pair.is_changed) for pair in found.claims]
    assert listed == [
        ("good-is-close", "contradicted", "reproduced", True),
        ("good-beats-bad", "not run", "reproduced", False),
        ("third", "not run", "reproduced", False),
    ]
    assert [row.cells["claim"] for row in claims_table(found, NAMES, changed=True).rows] == ["made:good-is-close"]
    assert tally(found).startswith("1 of 3 verdicts changed; ")


# ---- what may be compared -------------------------------------------------------------------------------------------


def test_settings_that_differ_are_named_and_not_compared(tmp_path, experiment, reference):
    other = made(tmp_path, CLAIMS, name="made", spec=SPEC.replace("batch_size = 4", "batch_size = 8"))
    mine = by_id(records(other, "good", GOOD), records(experiment, "bad", BAD))
    found = compare([experiment], mine, reference)
    assert {item.variant for item in found.measures} == {"bad"}
    (note,) = found.notes
    assert note.startswith("made, good under paper: not compared, as the settings differ (good-")
    assert note.endswith("): batch_size 8 | 4.")


def test_runs_of_one_side_alone_are_named(experiment, reference):
    mine = by_id(records(experiment, "good", GOOD), records(experiment, "good", GOOD, profile="quick", n=5))
    assert compare([experiment], mine, reference).notes == (
        "made, quick: only the first has runs of good.",
        "made, paper: only the second has runs of bad.",
    )


def test_devices_and_versions_that_differ_are_named(experiment, reference):
    gpu = PROVENANCE.model_copy(update={"device": "NVIDIA H200", "precision": "tf32", "libraries": {"torch": "2.15"}})
    mine = {name: each.model_copy(update={"provenance": gpu}) for name, each in reference.items()}
    found = compare([experiment], mine, reference)
    assert found.notes == (
        "made: made with NVIDIA H200, tf32, torch 2.15 (first) and cpu, float32, torch 2.14.1 (second).",
    )
    assert {item.outcome for item in found.measures} == {"equal"}
    mixed = {name: mine[name] if each.seed else each for name, each in reference.items()}
    assert sum("the first mixes devices in" in note for note in compare([experiment], mixed, reference).notes) == 1


def test_other_copies_of_the_data_are_not_compared(experiment, reference):
    mine = {name: each.model_copy(update={"data_checksum": "a" * 64}) for name, each in reference.items()}
    found = compare([experiment], mine, reference)
    assert {item.outcome for item in found.measures} == {"not compared"}
    assert found.measures[0].why == f"trained on different copies of the data: {'a' * 60} | None"
    assert tally(found).endswith("; 4 could not be compared.")


TIMED = SPEC.replace("[measures]", "[measures]\ntraining_seconds = {}")


def test_seconds_are_compared_by_stack_and_on_one_device_alone(tmp_path):
    experiment = made(tmp_path, spec=TIMED)

    def timed(seconds, device="cpu"):
        made_by = PROVENANCE.model_copy(update={"device": device})
        runs = [
            record(experiment, "good", seed, {"training_seconds": seconds[seed // 2]}, provenance=made_by)
            for seed in range(12)
        ]
        return by_id(
            each.model_copy(update={"cohort": [runs[each.seed // 2 * 2].id, runs[each.seed // 2 * 2 + 1].id]})
            for each in runs
        )

    slow, fast = timed([10, 11, 12, 10, 11, 12.0]), timed([1, 2, 1, 2, 1, 2.0])
    item = items(compare([experiment], slow, fast))["good", "training_seconds"]
    assert (item.difference.test, item.difference.n, item.outcome) == ("Welch's t", (6, 6), "worse")
    item = items(compare([experiment], slow, timed([1, 2, 1, 2, 1, 2.0], "GPU")))["good", "training_seconds"]
    assert item.why == "timed on different devices: ('cpu', 1) | ('GPU', 1)"


def test_all_measures_are_compared_if_asked(experiment, reference):
    every = compare([experiment], reference, reference, every_measure=True)
    assert {item.measure for item in every.measures} - {
        item.measure for item in compare([experiment], reference, reference).measures
    } == {"wasserstein_floor"}


def test_runs_with_a_changed_field_are_compared_with_their_like(tmp_path, experiment):
    changed = made(tmp_path, CLAIMS, overrides=["batch_size=8"], spec=SPEC)
    mine, theirs = by_id(records(changed, "good", GOOD)), by_id(records(changed, "good", BAD))
    experiment = made(tmp_path, CLAIMS, spec=SPEC)
    found = compare([experiment], mine, theirs)
    assert {(item.variant, item.outcome) for item in found.measures} == {("good", "better")}


# ---- output ---------------------------------------------------------------------------------------------------------


def test_two_folders_of_one_name_are_told_apart():
    assert sides("a", "b") == ("a", "b")
    assert sides("a", "a") == ("a (first)", "a (second)")


def test_the_summary_shows_changes_and_folds_the_rest(experiment, reference):
    mine = {**reference, **by_id(shifted(experiment, "good", GOOD, [each + 1 for each in BY]))}
    text = summary(compare([experiment], mine, reference), NAMES)
    assert text.startswith("## mine compared with reference\n\n1 of 2 verdicts changed; 1 of 4 comparisons of measures")
    shown, _, folded = text.partition("<details>")
    assert "| made:good-is-close | good comes within 1.0 of the data | paper | contradicted, 1.81" in shown
    assert "**worse**" in shown
    assert "good-beats-bad" in folded and "good-beats-bad" not in shown
    assert text.count("<details>") == text.count("</details>") == 2


def test_what_a_claim_says_is_no_markup_in_the_summary(tmp_path):
    claims = CLAIMS.replace("comes within", "comes</details><script>| within")
    experiment = made(tmp_path, claims, spec=SPEC)
    theirs = by_id(records(experiment, "good", GOOD))
    mine = by_id(shifted(experiment, "good", GOOD, [each + 1 for each in BY]))
    text = summary(compare([experiment], mine, theirs), NAMES)
    assert "good comes&lt;/details>&lt;script>\\| within 1.0" in text
    assert text.count("</details>") == text.count("<details>") == 1


def test_the_data_hold_no_infinite_number(experiment, reference):
    mine = {name: each.model_copy(update={"status": "diverged"}) for name, each in reference.items()}
    found = compare([experiment], mine, reference)
    rows = json.loads(render(measures_table(found, NAMES, with_equal=True), "json"))["rows"]
    assert {row["can_be_found"] for row in rows} == {False}, "2 of 64 signs are more than 5 % divided by 6"
    assert {row["detectable"] for row in rows} == {None}
    assert [row["estimate"] for row in rows if row["measure"] == "exact_wasserstein"] == [None, None]
