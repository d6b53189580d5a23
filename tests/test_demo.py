"""The README's first command: the very commands of tox.ini's ``demo``, at smoke length."""

from __future__ import annotations

import configparser
from pathlib import Path

from click.testing import CliRunner

from wganbench.cli import cli
from wganbench.store import Store

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "this-machine"


def demo_commands() -> list[list[str]]:
    """Arguments of ``wganbench`` in the demo environment, in order."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    lines = tox["testenv:{lint,demo}"]["commands"].splitlines()
    return [line.partition("wganbench ")[2].split() for line in lines if line.startswith("demo:")]


def test_the_demo_trains_on_this_machine_and_shows_it_beside_the_reference(tmp_path):
    train, show = demo_commands()
    assert train[:2] == ["run", "gaussians8"]
    assert FOLDER in train
    assert f"/{FOLDER}/" in (ROOT / ".gitignore").read_text().splitlines()
    here = {FOLDER: str(tmp_path), "results": str(ROOT / "results"), "quick": "smoke"}
    trained = CliRunner().invoke(cli, [here.get(word, word) for word in train])
    assert trained.exit_code == 0, trained.output
    records = Store(tmp_path).load()
    assert len(records) == 9 * 2
    for record in records.values():
        assert (record.status, record.steps_done) == ("finished", 10)
        losses = record.curves["generator_loss"].values
        assert len(set(losses)) == 10, "the generator's loss stood still: nothing was trained"
    shown = CliRunner().invoke(cli, [here.get(word, word) for word in show])
    assert shown.exit_code == 0, shown.output
    assert "this machine" in shown.output
    assert "reference at paper" in shown.output
    assert shown.output.rstrip().splitlines()[-1].startswith(f"{tmp_path}/REPORT.md")
