"""``wganbench compare`` as a user sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.analysis.factory import BAD, CLAIMS, GOOD, SPEC, made, records
from wganbench.cli import cli
from wganbench.records import reference
from wganbench.records.store import Store


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    experiment = made(Path(), CLAIMS, spec=SPEC.replace("seeds = 8", "seeds = 6"))
    for folder, values in (("mine", BAD), ("theirs", GOOD)):
        for each in records(experiment, "good", values, n=6):
            Store(folder).write(each)
    return tmp_path


def wganbench(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *arguments])


TALLY = "1 of 1 verdicts changed; 2 of 2 comparisons of measures show a difference."


def test_two_folders_are_compared(here):
    result = wganbench("mine", "theirs", "--spec", "made.toml")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == TALLY
    assert "made:good-is-close" in result.output


def test_the_formats(here):
    printed = wganbench("mine", "theirs/made", "--spec", "made.toml", "--format", "markdown").output
    assert printed.startswith("**Claims**\n\n| claim | says | profile | mine | theirs/made |")
    assert wganbench("mine", "theirs", "--spec", "made.toml", "--format", "github").output.startswith(
        f"## mine compared with theirs\n\n{TALLY}\n"
    )
    data = json.loads(wganbench("mine", "theirs", "--spec", "made.toml", "--format", "json").output)
    assert data["first"] == "mine"
    assert data["claims"]["rows"][0]["is_changed"] is True
    assert {row["outcome"] for row in data["measures"]["rows"]} == {"worse"}


def test_without_a_second_folder_the_committed_records_are_compared(here, monkeypatch):
    monkeypatch.setattr(reference, "reference_folder", lambda: Path("theirs"))
    result = wganbench("mine", "--spec", "made.toml")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == TALLY


@pytest.mark.parametrize("arguments", [["nowhere", "theirs"], ["theirs", "nowhere"]])
def test_a_folder_that_is_not_there_is_one_line(here, arguments):
    result = wganbench(*arguments, "--spec", "made.toml")
    assert result.exit_code == 2
    assert result.output.startswith("wganbench: 'nowhere': no such folder, and no experiment that ships")
    assert result.output.count("\n") == 1


def test_a_folder_without_records_is_one_line(here):
    Path("empty").mkdir()
    result = wganbench("empty", "theirs", "--spec", "made.toml")
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert result.output.startswith("wganbench: empty: no records to compare")


def test_records_of_other_experiments_alone_are_one_line(here):
    result = wganbench("mine", "theirs", "--spec", "elu")
    assert result.exit_code == 2
    assert result.output.startswith("wganbench: mine: no runs of these experiments to compare; ")
