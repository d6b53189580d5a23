"""Measured speeds in tables and in the report."""

from __future__ import annotations

import pytest

from tests.analysis.factory import made
from tests.records.speed_rows import PEER, row
from wganbench.analysis.check import check
from wganbench.analysis.report import write_report
from wganbench.analysis.tables import table
from wganbench.analysis.tables.speed import section, speed_table
from wganbench.errors import RecordError
from wganbench.records.speeds import keep, load
from wganbench.records.store import Store
from wganbench.spec import family


def cells(**changes):
    (found,) = speed_table("Some CPU", [row(**changes)]).rows
    return found.cells


def test_a_row_says_how_it_was_run_and_what_came_of_it():
    assert cells() == {
        "variant": "made good, quick",
        "seeds": "4, eager, fp32, 1 thread",
        "GFLOP a seed-step": "0.001",
        "plain, seed-steps/s": "100 [75, 105]",
        "as run, seed-steps/s": "160 [140, 190]",
        "as run, steps/s": "40",
        "as run ÷ plain": "2 × [1.8, 2.2]",
        "stack time": "1.82 × [1.58, 1.91]",
        "GFLOP/s (share)": "0.16 (12 % of 1)",
        "peer, steps/s": "",
        "as run ÷ peer": "",
        "memory": "300 MiB",
    }


def test_what_is_not_known_is_a_dash():
    shown = cells(plain=None, ratio=None, step_flops=None, share=None)
    dashed = {heading for heading, cell in shown.items() if cell == "–"}
    assert dashed == {"plain, seed-steps/s", "as run ÷ plain", "GFLOP a seed-step", "GFLOP/s (share)"}


def test_a_peer_is_shown_with_its_version_in_columns_that_other_tables_lack():
    table_with, without = speed_table("Some CPU", [row("other"), row(peer=PEER)]), speed_table("Some CPU", [row()])
    assert table_with.rows[1].cells["peer, steps/s"] == "20 [15, 21], other-gan 1.2"
    assert table_with.rows[1].cells["as run ÷ peer"] == "8 × [6, 8.4]"
    columns = [set(table.shown_cells(each)[0]) for each in (table_with, without)]
    assert columns[0] - columns[1] == {"peer, steps/s", "as run ÷ peer"}
    data = [each.data for each in table_with.rows]
    assert [each["peer_function"] for each in data] == [None, "mine:step"]
    assert [each["peer_ratio_median"] for each in data] == [None, 8.0]


def test_jobs_and_threads_are_shown():
    assert cells(jobs=2, seeds=8, threads=3, execution="captured")["seeds"] == "2 × 8, captured, fp32, 3 threads"


def test_why_steps_were_not_captured_is_under_the_table():
    (note,) = speed_table("GPU", [row(), row("plain", note="steps are launched one by one: why")]).notes
    assert note == "made plain: steps are launched one by one: why."


def test_data_has_every_number_unrounded_and_flat():
    (found,) = speed_table("Some CPU", [row()]).rows
    data = found.data
    assert (data["device"], data["ratio_low"], data["share_median"], data["stack_steps"]) == ("Some CPU", 1.8, 0.12, 40)
    assert table.render(speed_table("Some CPU", [row()]), "csv").count("\n") == 2


# ---- in the report ------------------------------------------------------------------------------------------------


@pytest.fixture
def experiment(tmp_path):
    return made(tmp_path)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_nothing_measured_is_no_section(experiment):
    assert list(section([], [experiment])) == []


def test_the_report_has_a_table_a_device(experiment, store):
    store.root.mkdir()
    keep(store.root, "cpu", "Some CPU", [row("good", family=family("good", experiment.setting("good", "quick")))])
    keep(store.root, "cuda", "A GPU", [row("bad", dirty=True), row("gone", when="2026-02-03T00:00:00+00:00")])
    report = write_report([experiment], store, store.root).markdown
    _, _, speed = report.partition("\n## Speed\n")
    assert [line for line in speed.splitlines() if line.startswith("### ")] == ["### A GPU", "### Some CPU"]
    assert "| made good, quick | 4, eager" in speed
    assert "| made bad, quick† |" in speed and "| made gone, quick† |" in speed  # of other settings, or none
    assert speed.count("† Measured before the variant's setting was changed.") == 1
    assert "Measured 2026-01-02; torch 2.0; commit 0123456789." in speed
    line = "Measured 2026-01-02 to 2026-02-03; torch 2.0; commit 0123456789; 1 rows from a checkout with uncommitted"
    assert line in speed


def test_the_check_finds_a_report_without_what_was_measured_since(experiment, store):
    store.root.mkdir()
    write_report([experiment], store, store.root)
    assert check([experiment], store) == []
    keep(store.root, "cpu", "Some CPU", [row()])
    assert [(finding.check, finding.subject) for finding in check([experiment], store)] == [
        ("out of date", "REPORT.md")
    ]
    write_report([experiment], store, store.root)
    assert check([experiment], store) == []


def test_a_damaged_file_stops_report_and_check(experiment, store):
    path = keep(store.root, "cpu", "Some CPU", [row()])
    path.write_text("{}")
    for command in (lambda: write_report([experiment], store, store.root), lambda: check([experiment], store)):
        with pytest.raises(RecordError, match="measure again"):
            command()
    assert not (store.root / "REPORT.md").exists()


def test_speeds_are_read_in_the_order_of_their_devices(store):
    for name in ("b", "a"):
        keep(store.root, "cpu", name, [row()])
    assert [device.name for device in load(store.root)] == ["a", "b"]
