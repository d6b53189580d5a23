"""Measured speeds: what the numbers of a row are made of, and the files that rows are kept in."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from tests.records.speed_rows import PEER, ROUNDS, row, spread
from wganbench.cli import cli
from wganbench.errors import RecordError, SpecError
from wganbench.records import speeds
from wganbench.records.speeds import Spread, keep, path_of, slug, summary
from wganbench.records.store import Store
from wganbench.records.verify import verify
from wganbench.spec import load


def test_a_spread_is_a_median_and_its_quartiles():
    assert speeds.spread([5.0, 1.0, 2.0, 4.0, 3.0]) == Spread(median=3.0, low=2.0, high=4.0)


def test_ratios_are_taken_within_a_round_and_rates_over_all_seeds():
    found = summary(ROUNDS, 4, 1e6)
    assert found["stack"].median == 160.0  # of 160, 220, 120
    assert found["ratio"] == Spread(median=2.0, low=1.8, high=2.2)  # of 1.6, 2, 2.4; the medians' own is 1.6
    assert found["stack_time"].median == 1.8182  # of 2, 1.8182, 1.3333
    assert found["share"].median == 0.12  # of 0.16, 0.11, 0.12
    assert (found["rounds"], found["plain"].median, found["one"].median) == (3, 100.0, 80.0)


def test_a_stack_of_one_is_its_own_single_seed():
    alone = {way: rates for way, rates in ROUNDS.items() if way != "one"}
    found = summary(alone, 1, None)
    assert found["one"] == found["stack"]
    assert found["stack_time"] == Spread(median=1.0, low=1.0, high=1.0)
    assert (found["share"], found["step_flops"]) == (None, None)


def test_without_a_plain_loop_there_is_no_ratio():
    found = summary({way: rates for way, rates in ROUNDS.items() if way != "plain"}, 4, 1e6)
    assert (found["plain"], found["ratio"]) == (None, None)


def test_the_ratio_to_a_peer_is_taken_within_a_round():
    found = summary({**ROUNDS, "peer": [20.0, 10.0, 30.0]}, 4, 1e6)
    assert found["peer"] == {"rate": speeds.spread([20.0, 10.0, 30.0]), "ratio": speeds.spread([8.0, 22.0, 4.0])}
    assert summary(ROUNDS, 4, 1e6)["peer"] is None


def test_steps_and_operations_a_second():
    found = row(jobs=2, seeds=8, stack=spread(160.0), plain=spread(50.0), step_flops=3.0)
    assert (found.plain_steps, found.stack_steps, found.flops_a_second) == (25.0, 10.0, 480.0)


@pytest.mark.parametrize(
    "changes", [{"plain": None}, {"ratio": None}, {"share": None}, {"step_flops": None}, {"rounds": 2}, {"jobs": True}]
)
def test_a_row_that_does_not_hold_together_is_refused(changes):
    with pytest.raises(ValidationError):
        row(**changes)


def test_a_spread_out_of_order_is_refused():
    with pytest.raises(ValidationError, match="the median 3 must lie from 1 to 2"):
        Spread(median=3.0, low=1.0, high=2.0)


# ---- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file"),
    [("NVIDIA H100 80GB HBM3", "nvidia-h100-80gb-hbm3"), ("A(R) B  @ 2.70GHz ", "a-r-b-2-70ghz"), ("…", "device")],
)
def test_a_device_has_a_file_by_its_name(tmp_path, name, file):
    assert slug(name) == file
    assert path_of(tmp_path, name) == tmp_path / "speed" / f"{file}.json"


def test_rows_are_kept_sorted_and_replaced_by_those_measured_again(tmp_path):
    path = keep(tmp_path, "cpu", "Some CPU", [row("b"), row("a"), row("b", jobs=2)])
    first = path.read_bytes()
    keep(tmp_path, "cpu", "Some CPU", [row("a", torch="3.0")])
    (device,) = speeds.load(tmp_path)
    rows = [("a", 1, "3.0"), ("b", 1, "2.0"), ("b", 2, "2.0")]
    assert [(each.variant, each.jobs, each.torch) for each in device.rows] == rows
    keep(tmp_path, "cpu", "Some CPU", [row("a")])
    assert path.read_bytes() == first
    assert [path.name for path in path.parent.iterdir()] == ["some-cpu.json"]


def test_a_row_with_a_peer_is_read_back_and_others_do_not_mention_peers(tmp_path):
    rows = [row("alone"), row("beside", peer=PEER)]
    path = keep(tmp_path, "cpu", "A CPU", rows)
    (device,) = speeds.load(tmp_path)
    assert device.rows == rows
    assert [line.count('"peer"') for line in path.read_text().splitlines() if '"variant"' in line] == [0, 1]


def test_devices_have_files_of_their_own(tmp_path):
    keep(tmp_path, "cuda", "Z GPU", [row("a")])
    keep(tmp_path, "cpu", "A processor", [row("b")])
    assert [(each.name, each.device) for each in speeds.load(tmp_path)] == [("A processor", "cpu"), ("Z GPU", "cuda")]
    assert speeds.load(tmp_path / "nothing") == []


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


DAMAGE = {
    "torn": (lambda text: text[:-20], "not whole JSON"),
    "a list": (lambda text: "[]", "must be a table"),
    "a changed number": (lambda text: changed(text, "160.0", "170.0"), "does not match its checksum"),
    "an unknown field": (lambda text: changed(text, '"jobs"', '"jbos"'), "unknown field 'jbos'; did you mean 'jobs'?"),
    "text for a number": (lambda text: changed(text, '"jobs": 1', '"jobs": "1"'), "rows.0.jobs: "),
    "another version": (lambda text: changed(text, '"version": 1', '"version": 2'), "version: "),
    "not a number": (lambda text: changed(text, "160.0", "NaN"), "stack.median: "),
    "deep": (lambda text: "[" * 100_000, "not whole JSON"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_one_line_wherever_it_is_read(tmp_path, damage):
    path = keep(tmp_path, "cpu", "Some CPU", [row()])
    how, reported = DAMAGE[damage]
    path.write_text(how(path.read_text()))
    with pytest.raises(RecordError) as error:
        speeds.load(tmp_path)
    line = str(error.value)
    assert line.startswith(f"{path}: ") and reported in line and "\n" not in line
    assert line.endswith("; restore it, or delete it and measure again with 'wganbench speed'")
    with pytest.raises(RecordError):
        keep(tmp_path, "cpu", "Some CPU", [row()])
    assert verify(Store(tmp_path)).damaged == [line]
    result = CliRunner().invoke(cli, ["speed", "gaussians8", "--results", str(tmp_path), "--profile", "smoke"])
    assert (result.exit_code, result.output) == (2, f"wganbench: {line}\n")


def test_the_same_variant_twice_in_a_file_is_refused(tmp_path):
    path = keep(tmp_path, "cpu", "Some CPU", [row()])
    content = json.loads(path.read_text())
    content["rows"] *= 2
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError, match="rows: made good is there twice; restore it"):
        speeds.load(tmp_path)


def test_a_file_under_another_name_is_refused(tmp_path):
    path = keep(tmp_path, "cpu", "Some CPU", [row()])
    path.rename(path.with_name("other.json"))
    with pytest.raises(RecordError, match=r"holds what was measured on 'Some CPU'; rename it to some-cpu\.json$"):
        speeds.load(tmp_path)


def test_speeds_are_no_records(tmp_path):
    keep(tmp_path, "cpu", "Some CPU", [row()])
    store = Store(tmp_path)
    assert (store.paths(), store.scan()) == ([], ({}, []))
    assert list(verify(store).lines()) == ["0 records whole, 0 damaged, 0 orphaned, 0 set aside, 0 stale"]


def test_no_experiment_has_the_name_of_their_folder(tmp_path):
    path = tmp_path / "speed.toml"
    path.write_text("version = 1")
    with pytest.raises(SpecError, match=r"^speed\.toml: rename the file; measured speeds lie in the folder"):
        load(path)
