"""The command ``wganbench speed``, with settings that train in no time."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.runner.conftest import TINY
from wganbench.cli import cli
from wganbench.records import speeds
from wganbench.records.rates import processor_name
from wganbench.runner.speed import bench

WIDER = {"wide": 64, "wider": 128}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working folder, with a small spec in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(bench.MATMUL_SIDE, "cpu", 32)
    more = "".join(f"[variants.{name}]\ncritic = {{ hidden = [{width}] }}\n" for name, width in WIDER.items())
    (tmp_path / "tiny.toml").write_text(TINY + more)
    return tmp_path


def command(*arguments):
    return CliRunner().invoke(cli, ["speed", *map(str, arguments)])


TIMED = ("tiny.toml", "--profile", "smoke", "--device", "cpu", "--seconds", 0.01)


def test_the_cheapest_the_median_and_the_dearest_are_measured_and_kept(here):
    result = command(*TIMED)
    assert result.exit_code == 0, result.output
    (device,) = speeds.load(here / "runs")
    assert (device.device, device.name) == ("cpu", processor_name())
    assert [(row.variant, row.seeds) for row in device.rows] == [("clip", 2), ("gp", 2), ("wider", 2)]
    assert "3 rows measured; 'wganbench report' shows them" in result.output


def test_named_variants_are_measured_with_these_seeds_and_others_stay(here):
    assert command(*TIMED, "--variant", "gp").exit_code == 0
    result = command(*TIMED, "--variant", "wide", "--seeds", 1, "--json", "--results", "runs")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [(row["variant"], row["seeds"]) for row in found["rows"]] == [("wide", 1)]
    assert found["rows"][0]["ratio_low"] <= found["rows"][0]["ratio_median"] <= found["rows"][0]["ratio_high"]
    (device,) = speeds.load(here / "runs")
    assert [row.variant for row in device.rows] == ["gp", "wide"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("tiny.toml", "--variant", "gap"), "--variant gap: no such variant in tiny.toml"),
        (("tiny.toml", "--peer", "mine.step"), "--peer: must be package.module:function, got 'mine.step'"),
        (("tiny.toml", "--profile", "smok"), "tiny.toml: no profile 'smok'; did you mean 'smoke'?"),
    ],
)
def test_what_cannot_be_measured_is_one_line(here, arguments, line):
    result = command(*arguments)
    assert result.exit_code == 2
    assert line in result.output and result.output.count("\n") == 1
    assert result.output.startswith("wganbench: ")
    assert not (here / "runs").exists()


def test_variants_of_unknown_cost_have_to_be_named(here):
    (here / "custom.toml").write_text(TINY.replace('critic = { name = "mlp"', 'critic = { name = "mine:Net"'))
    result = command("custom.toml", "--profile", "smoke")
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "custom.toml: no variant of known cost to choose by; name some with --variant" in result.output
