import csv
import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from tests.analysis import factory
from tests.analysis.factory import BAD, GOOD, PROVENANCE, made, record, records
from wganbench.analysis.results import Results, Summary
from wganbench.analysis.stats import Interval
from wganbench.analysis.tables import table
from wganbench.analysis.tables.against import compare
from wganbench.analysis.tables.cells import between, number, runs_text
from wganbench.analysis.tables.notes import INTERVALS, TROUBLED, mixtures
from wganbench.analysis.tables.published import headline, other_runs, results_table


def by_id(*lists):
    return {each.id: each for some in lists for each in some}


def cells(results, measure, variant):
    """What a reader sees of one variant on one measure."""
    shown = zip(results.rows, table.shown_cells(results), strict=True)
    (found,) = [each for row, each in shown if (row.data["measure"], row.data["variant"]) == (measure, variant)]
    return found


def published(experiment, *lists, **changes):
    """The table of published and measured values at the paper's protocol."""
    return results_table(Results(experiment, by_id(*lists)), "paper", **changes)


@pytest.fixture
def experiment(tmp_path: Path):
    return made(tmp_path, factory.PUBLISHED)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (8.0, "8"),
        (0.98894, "0.989"),
        (-0.25, "-0.25"),
        (12345.6, "12,346"),
        (math.inf, "inf"),
        (0.0, "0"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("level", "text"), [(0.95, " [1, 2]"), (0.9375, " [1, 2] at 93.8 %"), (0.5, " [1, 2] at 50 %")]
)
def test_an_interval_says_its_level_where_it_is_not_95_percent(level, text):
    assert between(Interval(1.0, 2.0, level, "")) == text


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        (Summary(n=8, n_runs=8, n_planned=5), "8"),
        (Summary(n_planned=5), "0 of 5 runs"),
        (Summary(n=3, n_runs=3, n_planned=5), "3 of 5 runs"),
        (Summary(n=5, n_runs=5, n_planned=5, n_diverged=1), "5, 1 diverged"),
        (Summary(n=4, n_runs=5, n_planned=5, n_diverged=1), "5, 1 diverged, statistics over 4"),
        (Summary(n=5, n_runs=5, n_planned=5, n_undefined=2), "5, 2 without a number"),
        (Summary(n=4, n_runs=5, n_planned=5, n_failed=1), "5, 1 failed, statistics over 4"),
    ],
)
def test_runs_are_counted_missing_diverged_and_failed(summary, text):
    assert runs_text(summary) == text


# ---- published | measured -------------------------------------------------------------------------------------------


def test_published_and_measured_stand_in_one_row(experiment):
    results = published(experiment, records(experiment, "good", GOOD))

    row = cells(results, "sectors_occupied", "good")

    assert row == {
        "measure": "sectors_occupied ↑",
        "variant": "good",
        "published": "7.5 ± 0.5 (10 runs) [1]",
        "mean [95 % interval]": "7.75",
        "median [interval]": "8 [7, 8] at 99.2 %",
        "n": "8",
    }
    assert "[1] nobody 2017, table 1." in results.notes
    assert INTERVALS in results.notes


def test_an_unbounded_measure_shows_student_s_interval_and_no_median(experiment):
    row = cells(
        published(experiment, records(experiment, "good", GOOD)),
        "exact_wasserstein",
        "good",
    )
    assert row["mean [95 % interval]"] == "0.31 [0.291, 0.329]"
    assert row["median [interval]"] == "–"
    assert row["measure"] == "exact_wasserstein ↓ (distance)"


def test_variants_without_runs_are_shown(experiment):
    results = results_table(Results(experiment, {}), "paper")
    assert cells(results, "sectors_occupied", "bad")["n"] == "0 of 8 runs"
    assert INTERVALS not in results.notes


def test_context_stands_in_rows_of_its_own_beside_the_paper_s_protocol(experiment):
    paper, quick = (results_table(Results(experiment, {}), profile) for profile in ("paper", "quick"))

    row = cells(paper, "sectors_occupied", "context: Other GAN")

    assert (row["published"], row["n"]) == ("3 [2]", "–")
    assert "[2] somebody 2018, table 2; wider networks." in paper.notes
    assert not [row for row in quick.rows if row.data["variant"].startswith("context")]


def test_runs_of_another_profile_do_not_enter(experiment):
    found = by_id(records(experiment, "good", GOOD, n=2), records(experiment, "good", BAD, profile="quick"))
    assert cells(results_table(Results(experiment, found), "paper"), "sectors_occupied", "good")["n"] == "2 of 8 runs"


def test_a_diverged_run_without_a_worst_value_is_said_to_be_left_out(experiment):
    found = records(experiment, "good", GOOD, n=7)
    found.append(record(experiment, "good", 7, {}, status="diverged"))
    results = published(experiment, found)
    assert cells(results, "exact_wasserstein", "good")["n"] == "8, 1 diverged, statistics over 7"
    assert cells(results, "sectors_occupied", "good")["n"] == "8, 1 diverged"
    assert TROUBLED in results.notes


def test_runs_scored_by_two_protocols_stand_in_two_rows(experiment):
    found = [
        record(experiment, "good", seed, {"sectors_occupied": seed}, score_protocol=f"protocol {seed % 2}")
        for seed in range(4)
    ]
    rows = [row for row in published(experiment, found).rows if row.data["measure"] == "sectors_occupied"]
    assert [(row.data["variant"], row.data["mean"]) for row in rows if row.data["n"]] == [
        ("good (protocol 0, data None)", 1.0),
        ("good (protocol 1, data None)", 2.0),
    ]


@pytest.mark.parametrize(
    ("changes", "mixed"),
    [
        ({"device": "NVIDIA H100"}, "devices: NVIDIA H100 (1 run), cpu (2 runs)"),
        ({"libraries": {"torch": "2.13"}}, "versions of torch: 2.13 (1 run), 2.14.1 (2 runs)"),
        ({"threads": 8}, "numbers of CPU threads: 1 (2 runs), 8 (1 run)"),
        ({"deterministic": False}, "algorithms: any (1 run), held to be deterministic (2 runs)"),
        ({"precision": "tf32"}, "precisions of matrix products: float32 (2 runs), tf32 (1 run)"),
        ({"convolutions": "tf32"}, "precisions of convolutions: float32 (2 runs), tf32 (1 run)"),
        ({"commit": "fedcba9876543210"}, "commits: 0123456 (2 runs), fedcba9 (1 run)"),
        ({"commit": None}, "commits: 0123456 (2 runs), none (1 run)"),
        (
            {"threads": 2, "device": "NVIDIA H100"},
            "devices: NVIDIA H100 (1 run), cpu (2 runs); numbers of CPU threads: 1 (2 runs), 2 (1 run)",
        ),
    ],
)
def test_a_mixture_is_warned_of_in_one_line(experiment, changes, mixed):
    other = record(experiment, "good", 2, {}, provenance=PROVENANCE.model_copy(update=changes))
    same = records(experiment, "good", GOOD, n=2)
    warning = f"Warning: the rows mix {mixed}."
    assert mixtures(same) == []
    assert mixtures([*same, other]) == [warning]
    assert warning in published(experiment, same, [other]).notes


def test_when_a_run_was_started_is_no_mixture(experiment):
    later = PROVENANCE.model_copy(update={"started": "2027-01-01T00:00:00+00:00"})
    assert (
        mixtures([*records(experiment, "good", GOOD, n=1), record(experiment, "good", 1, {}, provenance=later)]) == []
    )


def test_two_copies_of_one_data_set_are_a_mixture_and_two_data_sets_are_none(tmp_path):
    def trained_on(data, checksum, seed):
        spec = made(tmp_path, name=data, spec=factory.SPEC.replace("gaussian_ring", data))
        return record(spec, "good", seed, {}, data_checksum=checksum)

    ring, roll = trained_on("gaussian_ring", "a" * 64, 0), trained_on("swiss_roll", "b" * 64, 0)
    assert mixtures([ring, roll]) == []
    assert mixtures([ring, roll, trained_on("gaussian_ring", "c" * 64, 1)]) == [
        "Warning: the rows mix copies of gaussian_ring: aaaaaaa (1 run), ccccccc (1 run)."
    ]
    assert mixtures([ring, roll, trained_on("swiss_roll", None, 1)]) == [
        "Warning: the rows mix copies of swiss_roll: bbbbbbb (1 run), unnamed (1 run)."
    ]


def test_of_many_commits_the_most_frequent_are_named_and_the_others_counted(experiment):
    commits = "aabcccddddef"  # by frequency: d 4, c 3, a 2, then b, e and f with 1 each
    found = [
        record(experiment, "good", seed, {}, provenance=PROVENANCE.model_copy(update={"commit": commit * 40}))
        for seed, commit in enumerate(commits)
    ]
    assert mixtures(found) == [
        "Warning: the rows mix commits: aaaaaaa (2 runs), ccccccc (3 runs), ddddddd (4 runs), 3 more (3 runs)."
    ]
    four = [each for each in found if each.provenance.commit and each.provenance.commit[0] in "abcd"]
    (line,) = mixtures(four)
    assert line.endswith("bbbbbbb (1 run), ccccccc (3 runs), ddddddd (4 runs).")


@pytest.mark.parametrize(
    ("dirty", "warnings"),
    [
        ([False, None, False], []),
        ([True, False, None], ["Warning: 1 of 3 runs came from a checkout with uncommitted changes."]),
        ([True, True, True], ["Warning: 3 of 3 runs came from a checkout with uncommitted changes."]),
        ([True], ["Warning: 1 of 1 run came from a checkout with uncommitted changes."]),
    ],
)
def test_runs_of_a_changed_checkout_are_counted(experiment, dirty, warnings):
    found = [
        record(experiment, "good", seed, {}, provenance=PROVENANCE.model_copy(update={"dirty": each}))
        for seed, each in enumerate(dirty)
    ]
    assert mixtures(found) == warnings


def test_the_headline_is_what_claims_published_rows_and_figures_are_about(tmp_path):
    assert headline(made(tmp_path)) == ["sectors_occupied", "exact_wasserstein", "wasserstein_floor"]
    assert headline(made(tmp_path, factory.PUBLISHED)) == ["sectors_occupied"]
    assert headline(made(tmp_path, factory.CLAIMS)) == ["sectors_occupied", "exact_wasserstein"]


# ---- other runs -----------------------------------------------------------------------------------------------------


def test_overridden_runs_stand_apart_from_planned_ones(tmp_path, experiment):
    changed = made(tmp_path, factory.PUBLISHED, overrides=["variants.good.n_critic=9"])
    planned, overridden = records(experiment, "good", GOOD), records(changed, "good", BAD, n=3)

    others = other_runs([experiment], by_id(planned, overridden))
    row = cells(others, "sectors_occupied", "good at paper")

    assert row["variant"] == "good at paper with variants.good.n_critic=9"
    assert (row["mean [95 % interval]"], row["n"]) == ("1.33", "3")
    assert {row.data["measure"] for row in others.rows} == set(GOOD)
    assert cells(published(experiment, planned, overridden), "sectors_occupied", "good")["n"] == "8"


def test_runs_of_a_spec_that_changed_since_are_named_by_their_family(tmp_path, experiment):
    before = made(tmp_path, factory.PUBLISHED, spec=factory.SPEC.replace("batch_size = 4", "batch_size = 5"))
    old = record(before, "good", 0, {"sectors_occupied": 1.0})
    (first, *_) = other_runs([experiment], {old.id: old}).rows
    assert first.data["variant"] == f"{old.family} at paper"


def test_there_are_no_other_runs_where_all_are_planned(experiment):
    assert other_runs([experiment], by_id(records(experiment, "bad", BAD, profile="quick"))).rows == ()


# ---- this machine | reference ---------------------------------------------------------------------------------------


def test_this_machine_stands_beside_the_reference_and_its_longest_protocol(experiment):
    here = by_id(records(experiment, "good", BAD, profile="quick", n=2))
    reference = by_id(records(experiment, "good", GOOD, profile="quick", n=5), records(experiment, "good", GOOD))

    row = cells(compare(Results(experiment, here), Results(experiment, reference), "quick"), "sectors_occupied", "good")

    assert row == {
        "measure": "sectors_occupied ↑",
        "variant": "good",
        "this machine at quick": "1.5, median 1.5 [1, 2] at 50 % (n = 2 of 8 runs)",
        "reference at quick": "7.6, median 8 [7, 8] at 93.8 % (n = 5 of 8 runs)",
        "reference at paper": "7.75, median 8 [7, 8] at 99.2 % (n = 8)",
        "published": "7.5 ± 0.5 (10 runs) [1]",
    }


def test_where_the_paper_s_protocol_was_not_run_the_reduced_one_stands_in_and_the_column_says_so(tmp_path):
    reduced = factory.SPEC.replace("[profiles.paper]", "[profiles.reduced]\nsteps = 50\n\n[profiles.paper]")
    experiment = made(tmp_path, spec=reduced)
    only_reduced = by_id(records(experiment, "good", GOOD, profile="reduced"))
    both = {**only_reduced, **by_id(records(experiment, "bad", BAD))}

    mixed = compare(Results(experiment, {}), Results(experiment, both), "quick", measures=["exact_wasserstein"])
    good, bad = (cells(mixed, "exact_wasserstein", variant) for variant in ("good", "bad"))

    assert good["reference at paper, else reduced"].startswith("reduced: 0.31 ")
    assert bad["reference at paper, else reduced"].startswith("paper: 2.04 ")
    assert good["this machine at quick"] == "0 of 8 runs"


def test_a_machine_at_the_paper_s_protocol_needs_no_longer_reference(experiment):
    here, reference = by_id(records(experiment, "good", BAD)), by_id(records(experiment, "good", GOOD))
    row = cells(compare(Results(experiment, here), Results(experiment, reference), "paper"), "sectors_occupied", "good")
    assert [heading for heading in row if heading.startswith("reference")] == ["reference at paper"]


def test_a_comparison_warns_of_devices_that_differ_between_the_sides(experiment):
    card = PROVENANCE.model_copy(update={"device": "NVIDIA H100"})
    here = by_id(records(experiment, "good", GOOD, profile="quick", n=1))
    there = record(experiment, "good", 0, {}, provenance=card)
    notes = compare(Results(experiment, here), Results(experiment, {there.id: there}), "quick").notes
    assert "Warning: the rows mix devices: NVIDIA H100 (1 run), cpu (1 run)." in notes


# ---- writing --------------------------------------------------------------------------------------------------------


def test_markdown_has_a_line_a_row_and_escapes_bars(tmp_path):
    experiment = made(tmp_path, factory.PUBLISHED.replace("Other GAN", "Other|GAN"))
    text = table.render(results_table(Results(experiment, {}), "paper", measures=["sectors_occupied"]), "markdown")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 3
    assert "Other\\|GAN" in lines[-1]
    assert {line.replace("\\|", "").count("|") for line in lines} == {7}


def test_csv_and_json_hold_the_numbers_unrounded(experiment):
    results = results_table(
        Results(experiment, by_id(records(experiment, "good", GOOD))), "paper", measures=["exact_wasserstein"]
    )

    (row, _) = csv.DictReader(io.StringIO(table.render(results, "csv")))
    content = json.loads(table.render(results, "json"))

    assert float(row["mean"]) == content["rows"][0]["mean"] == pytest.approx(0.31)
    assert float(row["mean_low"]) == content["rows"][0]["mean_low"]
    assert (row["experiment"], row["profile"], row["variant"], row["statistic"]) == ("made", "paper", "good", "final")
    assert content["rows"][1]["mean"] is None
    assert content["notes"] == list(results.notes)


def test_json_has_no_nan(experiment):
    found = by_id([record(experiment, "good", 0, {"exact_wasserstein": None})])
    assert "NaN" not in table.render(results_table(Results(experiment, found), "paper"), "json")


@pytest.mark.parametrize(("form", "text"), [("markdown", "No rows.\n"), ("csv", "\n")])
def test_an_empty_table_is_written_too(form, text):
    assert table.render(table.Table("empty", ()), form) == text
    Console(file=io.StringIO()).print(table.terminal(table.Table("empty", ())))


def test_the_terminal_shows_every_cell_and_note(experiment):
    results = published(experiment, records(experiment, "good", GOOD))
    out = io.StringIO()
    Console(file=out, width=400).print(table.terminal(results))
    shown = out.getvalue()
    for row in results.rows:
        assert all(cell in shown for cell in row.cells.values())
    assert all(note in " ".join(shown.split()) for note in results.notes)
