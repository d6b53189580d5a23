"""The README's first command: the very commands of tox.ini's ``demo``, with ten steps in the place of its thousands."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from click.testing import CliRunner

from wganbench.cli import cli
from wganbench.records.store import Store

ROOT = Path(__file__).resolve().parent.parent

SHORT = """
extends = "gaussians8"
[profiles.quick]
says = "10 steps"
steps = 10
"""


def demo_commands() -> list[list[str]]:
    """Arguments of ``wganbench`` in the demo environment, in order."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    lines = tox["testenv:{lint,demo,docs}"]["commands"].splitlines()
    return [line.partition("wganbench ")[2].split() for line in lines if line.startswith("demo:")]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with the committed records as ``results``, and a short spec of the experiment's name."""
    monkeypatch.chdir(tmp_path)
    Path("results").symlink_to(ROOT / "results")
    Path("gaussians8.toml").write_text(SHORT)
    return tmp_path


def test_the_demo_trains_on_this_machine_and_shows_it_beside_the_reference(clone):
    train, show = ([{"gaussians8": "gaussians8.toml"}.get(word, word) for word in each] for each in demo_commands())
    assert train[:2] == ["run", "gaussians8.toml"]
    assert "/runs/" in (ROOT / ".gitignore").read_text().splitlines()
    before = {path: path.stat().st_mtime_ns for path in (ROOT / "results").iterdir()}
    trained = CliRunner().invoke(cli, train)
    assert trained.exit_code == 0, trained.output
    records = Store("runs").load()
    assert len(records) == 9 * 2
    for record in records.values():
        assert (record.status, record.steps_done) == ("finished", 10)
        losses = record.curves["generator_loss"].values
        assert len(set(losses)) == 10, "the generator's loss stood still: nothing was trained"
    shown = CliRunner().invoke(cli, show)
    assert shown.exit_code == 0, shown.output
    assert "this machine at quick" in shown.output
    assert "reference at paper" in shown.output
    assert shown.output.rstrip().splitlines()[-1].startswith("runs/README.md: ")
    assert {path: path.stat().st_mtime_ns for path in (ROOT / "results").iterdir()} == before
