"""``report --html`` writes a page beside the report, which no other command minds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.analysis.factory import CLAIMS, GOOD, SPEC, made, records
from wganbench.cli import cli
from wganbench.records.store import Store


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    experiment = made(Path(), CLAIMS, spec=SPEC.replace("seeds = 8", "seeds = 5"))
    store = Store("runs")
    store.prepare(["made"])
    for each in records(experiment, "good", GOOD, n=5):
        store.write(each)
    return tmp_path


def wganbench(*arguments: str):
    return CliRunner().invoke(cli, list(arguments))


def test_the_page_is_written_beside_the_report_and_printed_tables_stay_as_they_are(here):
    plain = wganbench("report", "made.toml", "--format", "csv")
    assert plain.exit_code == 0 and not Path("runs/index.html").exists()
    result = wganbench("report", "made.toml", "--format", "csv", "--html")
    assert result.exit_code == 0, result.output
    assert result.stdout == plain.stdout
    assert re.fullmatch(r"wganbench: runs/index\.html: \d\d kB, to open in a browser\n", result.stderr)
    page = Path("runs/index.html").read_text(encoding="utf-8")
    assert "2 claims: 1 reproduced, 1 not run." in page
    assert "wganbench explain made.toml:good-is-close --results runs" in page


def test_the_page_is_no_finding_of_check_and_verify(here):
    assert wganbench("report", "made.toml", "--html").exit_code == 0
    assert "0 findings" in wganbench("check", "made.toml", "--results", "runs").output
    Path("runs/other.html").touch()
    assert "other.html" in wganbench("check", "made.toml", "--results", "runs").output
    assert wganbench("results", "verify", "--results", "runs").exit_code == 0


def test_self_contained_without_html_is_a_mistake(here):
    result = wganbench("report", "made.toml", "--self-contained")
    assert result.exit_code == 2
    assert "--self-contained is about the page that --html writes; give both" in result.output
