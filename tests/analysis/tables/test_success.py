"""The success table: counts, rates, p-values, what n can see, and when the published counts stand beside them."""

import csv
import io
import json
import math

import numpy as np
import pytest
import scipy.stats

from tests.analysis import drawn
from tests.analysis.drawn import OTHER, PAPER, PUBLISHED, by_id, run, runs
from wganbench.analysis import stats
from wganbench.analysis.architectures import samples_of
from wganbench.analysis.results import Results
from wganbench.analysis.tables.success import (
    counts,
    mcnemar_p,
    overridden_tables,
    rows_of,
    success_tables,
    visible_gap,
    with_each,
)
from wganbench.analysis.tables.table import render, terminal

SIX = [(1.2, 7.1), (3.0, 5.0), (5.0, 5.5), (6.0, 2.0), (8.5, 9.5), (1.0, 1.0)]
"""Of six architectures."""
FOUR = ("only_first", "only_second", "both", "neither")


@pytest.fixture
def experiment(tmp_path):
    return drawn.spec(tmp_path)


# ---- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "four"),
    [
        (1.0, (0, 0, 5, 1)),  # 1.0 is on it
        (2.0, (1, 1, 3, 1)),  # the fourth's 2.0 is on it
        (3.0, (1, 2, 2, 1)),
        (5.0, (1, 2, 1, 2)),
        (7.0, (0, 1, 1, 4)),
        (9.0, (0, 1, 0, 5)),
        (9.5, (0, 0, 0, 6)),
    ],
)
def test_counts_are_those_by_hand_and_a_score_on_the_threshold_is_no_success(threshold, four):
    found = counts(np.array(SIX), threshold)
    assert found == four
    assert sum(found) == len(SIX)


@pytest.mark.parametrize("k", range(1, 40))
def test_the_p_value_of_k_one_way_is_two_times_two_to_the_minus_k(k):
    expected = min(1.0, 2 * 2.0**-k)
    assert mcnemar_p(0, k) == pytest.approx(expected, rel=1e-12)
    assert mcnemar_p(k, 0) == pytest.approx(expected, rel=1e-12)


def test_the_p_value_is_1_where_none_or_as_many_go_either_way():
    assert mcnemar_p(0, 0) == mcnemar_p(1, 1) == mcnemar_p(7, 7) == 1.0
    tail = sum(math.comb(10, k) for k in range(3)) / 2**10
    assert mcnemar_p(2, 8) == pytest.approx(2 * tail, rel=1e-12)


@pytest.mark.parametrize(("n", "gap"), [(20, 0.57), (200, 0.062)])
def test_what_twenty_and_two_hundred_architectures_can_see(n, gap):
    found = visible_gap(n, 17)
    assert found == pytest.approx(gap, abs=0.005)
    # Ten that go one way are the fewest with 17 · p at most 5 %, and in 80 % of the studies there are so many.
    assert 17 * mcnemar_p(0, 10) <= 0.05 < 17 * mcnemar_p(0, 9)
    assert scipy.stats.binom.sf(9, n, found) == pytest.approx(0.8)


def test_too_few_architectures_see_no_gap_whatever_it_is():
    assert visible_gap(9, 17) is None
    assert visible_gap(10, 17) == pytest.approx(0.8 ** (1 / 10))
    assert visible_gap(9, 1) == pytest.approx(scipy.stats.beta.ppf(0.8, 6, 4))  # six one way: p = 1/32


# ---- rows -----------------------------------------------------------------------------------------------------------


def test_the_published_counts_have_the_intervals_that_follow_from_them():
    """Wilson's limits of table 5's rates at 3, 5 and 7, worked out by hand."""
    limits = {3.0: (0.486, 0.622, 0.964, 0.997), 5.0: (0.159, 0.272, 0.904, 0.969), 7.0: (0.014, 0.064, 0.476, 0.613)}
    for threshold, (gan_low, gan_high, gp_low, gp_high) in limits.items():
        gan, gp = with_each(PUBLISHED[drawn.THRESHOLDS.index(threshold)])
        found = [stats.wilson_interval(count, 200) for count in (gan, gp)]
        assert [round(found[0].low, 3), round(found[0].high, 3)] == [gan_low, gan_high]
        assert [round(found[1].low, 3), round(found[1].high, 3)] == [gp_low, gp_high]
    assert all(sum(row) == 200 for row in PUBLISHED)


def test_a_row_is_a_threshold_with_its_counts_rates_and_adjusted_p(experiment):
    (sample,) = samples_of(experiment, runs(experiment, [(1.0, 8.0)] * 12 + [(8.0, 8.0)] * 3), "paper")
    rows = {row.threshold: row for row in rows_of(sample)}
    assert list(rows) == drawn.THRESHOLDS
    assert all(sum(row.counts) == 15 for row in rows.values())
    below, above = rows[7.5], rows[8.0]
    assert (below.counts, above.counts) == ((0, 12, 3, 0), (0, 0, 0, 15))
    assert (below.successes, above.successes) == ((3, 15), (0, 0))
    assert below.intervals == (stats.wilson_interval(3, 15), stats.wilson_interval(15, 15))
    # The 14 thresholds from 1 to 7.5 have one p-value, the smallest, which Holm multiplies by 17.
    assert [row.p for row in rows.values()] == pytest.approx([2 * 2.0**-12] * 14 + [1.0] * 3)
    assert [row.adjusted_p for row in rows.values()] == pytest.approx([17 * 2 * 2.0**-12] * 14 + [1.0] * 3)


def test_the_published_counts_stand_beside_the_paper_s_own_protocol_alone(tmp_path, experiment):
    (table,) = success_tables(Results(experiment, by_id(runs(experiment, SIX))), "paper")
    assert [[row.data[f"published_{name}"] for name in FOUR] for row in table.rows] == [list(row) for row in PUBLISHED]
    cells = table.rows[8].cells
    assert cells["published: only gan, only wgan-gp, both, neither"] == "0, 147, 42, 11"
    assert cells["published: gan, wgan-gp"] == "21 %, 94.5 %"
    assert "Published: Gulrajani et al. 2017, table 5, 200 architectures." in table.notes
    assert not any("irection only" in note for note in table.notes)
    others = [
        (experiment, "quick", {"score_protocol": OTHER}),
        (drawn.spec(tmp_path, overrides=["steps=9"]), "paper", {}),
    ]
    for spec, profile, changes in others:
        (table,) = success_tables(Results(spec, by_id(runs(spec, SIX[:3], profile=profile, **changes))), profile)
        assert len(table.rows) == 17
        assert all(row.data["published_both"] is None for row in table.rows)
        assert not any("published" in heading for heading in table.rows[0].cells)
        assert sum("Direction only: " in note for note in table.notes) == 1
        assert not any("Published" in note for note in table.notes)


def test_the_notes_say_what_n_is_and_can_see_and_where_the_thresholds_are_from(experiment):
    found = runs(experiment, [(2.0, 7.0), (3.0, 5.0)], profile="quick", score_protocol=OTHER)
    found += [run(experiment, "a001-gan", None, 1, profile="quick", status="failed")]
    found[0] = found[0].model_copy(update={"status": "diverged"})
    (table,) = success_tables(Results(experiment, by_id(found)), "quick")
    text = " ".join(table.notes)
    assert "1 architecture with runs of both gan and wgan-gp; seeds are averaged first" in text
    assert "over the 1 seed that" in text
    assert "a diverged run counts as 1; 1 of 5 runs diverged; 1 left out, as a run of theirs failed." in text
    assert "Thresholds: 17 equal steps from 1 to the real data's own score 9." in text
    assert "with 1 architecture it cannot find any gap" in text
    assert f"Direction only: shapes10, {OTHER}, 2,000 steps, not the paper's." in text
    (table,) = success_tables(Results(experiment, by_id(runs(experiment, [(1.0, 7.0)] * 20))), "paper")
    assert "with 20 architectures it finds a gap of 57 points between the two rates with 80 % power" in table.notes[1]


def test_two_pools_are_two_tables_whose_titles_tell_them_apart(experiment):
    found = runs(experiment, SIX[:2])
    found += [run(experiment, f"a004-{method}", 4.0, data_checksum="e" * 64) for method in ("gan", "wgan-gp")]
    first, second = success_tables(Results(experiment, by_id(found)), "paper")
    assert [table.rows[0].data["n"] for table in (first, second)] == [2, 1]
    assert first.title.endswith(f"({PAPER}, data ddddddd)")
    assert second.title.endswith(f"({PAPER}, data eeeeeee)")


def test_without_an_architecture_or_a_threshold_there_is_no_row_and_a_note_that_says_so(experiment):
    (table,) = success_tables(Results(experiment, by_id([run(experiment, "a000-gan", 4.0)])), "paper")
    assert table.rows == ()
    assert table.notes[0] == (
        "0 architectures with runs of both gan and wgan-gp; 1 left out, as they have no seed with both yet."
    )
    found = runs(experiment, SIX[:2], profile="quick")
    for record in found:
        record.measures["real_inception_score"] = None
    (table,) = success_tables(Results(experiment, by_id(found)), "quick")
    assert table.rows == ()
    assert table.notes[1].endswith("(real_inception_score) above 1: no run has it.")
    assert success_tables(Results(experiment, {}), "paper") == []


# ---- how it is written ----------------------------------------------------------------------------------------------


def test_it_is_written_as_markdown_csv_and_json_and_shown_on_a_terminal(experiment):
    (table,) = success_tables(Results(experiment, by_id(runs(experiment, SIX))), "paper")
    lines = render(table, "markdown").splitlines()
    assert lines[0].startswith("| score above | only gan | only wgan-gp | both | neither | gan succeeds [95 %] |")
    assert lines[10].startswith("| 5 | 1 | 2 | 1 | 2 | 33 % [10, 70] | 50 % [19, 81] | 1 | 0, 147, 42, 11 |")
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert len(rows) == 17
    row = rows[8]
    assert [row[name] for name in ("threshold", "only_first", "only_second", "both", "neither")] == ["5.0", *"1212"]
    assert (row["first_method"], row["second_method"], row["published_only_second"]) == ("gan", "wgan-gp", "147")
    assert float(row["second_rate"]) == 0.5
    content = json.loads(render(table, "json"))
    assert content["rows"][8]["n"] == 6
    assert content["rows"][8]["first_low"] == pytest.approx(stats.wilson_interval(2, 6).low)
    assert terminal(table).row_count == 17


def test_thresholds_that_no_architecture_scores_above_are_one_row_of_text_and_all_of_the_data(experiment):
    found = runs(experiment, [(2.4, 3.1), (1.2, 1.2)], profile="quick")
    for record in found:
        record.measures["real_inception_score"] = 9.0  # 17 thresholds: 1, 1.5, 2 … 9
    (table,) = success_tables(Results(experiment, by_id(found)), "quick")
    above = [line.split(" | ")[:5] for line in render(table, "markdown").splitlines()[2:8]]
    assert above[:5] == [
        ["| 1", "0", "0", "2", "0"],
        ["| 1.5", "0", "0", "1", "1"],
        ["| 2", "0", "0", "1", "1"],
        ["| 2.5", "0", "1", "0", "1"],
        ["| 3", "0", "1", "0", "1"],
    ]
    assert above[5] == ["| 3.5 to 9", "0", "0", "0", "2"]
    assert terminal(table).row_count == 6
    assert [row["threshold"] for row in csv.DictReader(io.StringIO(render(table, "csv")))][5:7] == ["3.5", "4.0"]
    assert len(json.loads(render(table, "json"))["rows"]) == 17


def test_rows_of_a_substitute_score_have_the_same_fields_without_published_counts(experiment):
    (own,) = success_tables(Results(experiment, by_id(runs(experiment, SIX))), "paper")
    (other,) = success_tables(Results(experiment, by_id(runs(experiment, SIX[:2], profile="quick"))), "quick")
    assert list(own.rows[0].data) == list(other.rows[0].data)
    assert other.rows[0].data["published_both"] is None


def test_overridden_runs_are_a_table_by_themselves(tmp_path, experiment):
    changed = drawn.spec(tmp_path, overrides=["steps=3000"])
    found = by_id([*runs(experiment, SIX), *runs(changed, SIX[:2])])
    (table,) = success_tables(Results(experiment, found), "paper")
    assert table.rows[0].data["n"] == 6
    (other,) = overridden_tables(Results(experiment, found))
    assert other.rows[0].data["n"] == 2
    assert other.title.startswith("drawn, paper with steps=3000: ")
    assert f"Direction only: imagenet32, {PAPER}, 3,000 steps, not the paper's." in other.notes
