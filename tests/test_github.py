"""The Action and the issue form: well-formed YAML, inputs that are used, and scripts that do what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.analysis import factory
from tests.analysis.factory import GOOD, made
from wganbench.analysis.report import write_report
from wganbench.records.store import Store

yaml = pytest.importorskip("yaml")  # Ray brings it along

ROOT = Path(__file__).resolve().parents[1]
ACTION = ROOT / ".github" / "actions" / "check"
SPEC = factory.SPEC.replace("seeds = 8", "seeds = 5")
CLAIM = factory.CLAIMS.split("[[claims]]")[2]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_every_file_is_yaml(path):
    assert isinstance(read(path), dict)


def test_the_action_uses_each_input_and_passes_it_through_the_environment_alone():
    action = read(ACTION / "action.yml")
    assert action.keys() == {"name", "description", "inputs", "runs"}
    assert action["runs"]["using"] == "composite"
    text = (ACTION / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{\{ inputs\.(\w+) \}\}", text)) == action["inputs"].keys()
    assert all({"description", "default"} == set(each) for each in action["inputs"].values())
    for step in action["runs"]["steps"]:
        assert ("uses" in step) != ("run" in step)
        if "run" in step:  # a text of someone's that stands in a script would be run
            assert step["shell"] == "bash"
            assert "${{" not in step["run"]


@pytest.mark.parametrize("script", ["install.sh", "check.sh"])
def test_a_script_is_run_by_the_action_and_reads_what_it_sets(script):
    (step,) = (each for each in read(ACTION / "action.yml")["runs"]["steps"] if script in each.get("run", ""))
    text = (ACTION / script).read_text(encoding="utf-8")
    own = set(re.findall(r"\$\{?([A-Z_]+)\b", text)) - {"BASH_SOURCE", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"}
    assert own == step["env"].keys()
    subprocess.run(["bash", "-n", ACTION / script], check=True)


ELEMENTS = {
    "markdown": {"value"},
    "input": {"label", "description", "placeholder"},
    "textarea": {"label", "description", "placeholder", "render"},
    "dropdown": {"label", "options"},
    "checkboxes": {"label", "options"},
}


def test_the_form_has_the_elements_that_github_knows():
    form = read(ROOT / ".github" / "ISSUE_TEMPLATE" / "submit-your-penalty.yml")
    assert {"name", "description", "body"} <= form.keys() <= {"name", "description", "title", "labels", "body"}
    ids = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[\w-]+", each) for each in ids)
    for each in form["body"]:
        assert each["attributes"].keys() <= ELEMENTS[each["type"]]
        assert each["type"] == "markdown" or each["attributes"]["label"]
    (boxes,) = (each for each in form["body"] if each["type"] == "checkboxes")
    assert all(set(option) == {"label", "required"} for option in boxes["attributes"]["options"])


# ---- the script -----------------------------------------------------------------------------------------------------

FAKE = """#!/usr/bin/env bash
echo "$*" >> log.txt
case "$1" in
  check) printf '%s' "$SUMMARY"; echo "wganbench: said" >&2; exit "$STATUS" ;;
  report) for each in "$@"; do [ "$each" = --html ] && echo page > out/copy/results/index.html; done; exit 0 ;;
esac
"""
"""A command that writes down how it is called."""


@pytest.fixture
def called(tmp_path) -> Path:
    """A folder with results and such a command."""
    (tmp_path / "results").mkdir()
    (tmp_path / "wganbench").write_text(FAKE)
    (tmp_path / "wganbench").chmod(0o755)
    return tmp_path


def run(folder: Path, commands: Path, **changes: str) -> tuple[int, Path]:
    """Runs the script as the Action does, with the ``wganbench`` of a folder; the exit code and the folder it wrote."""
    out = folder / "out"
    settings = {"SPEC": "made.toml", "RESULTS": "results", "PROFILE": "", "STRICT": "false", "SINCE": "HEAD", **changes}
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    about = {"PATH": path, "OUT": str(out), "GITHUB_STEP_SUMMARY": str(folder / "step.md")}
    shutil.rmtree(out, ignore_errors=True)
    done = subprocess.run(
        ["bash", str(ACTION / "check.sh")], cwd=folder, env={**os.environ, **settings, **about}, check=False
    )
    return done.returncode, out


def test_the_script_passes_on_what_it_is_given_and_exits_as_the_check_does(called):
    settings = {"SPEC": "a.toml\n b.toml\n", "STRICT": "true", "SUMMARY": "## fine\n"}
    status, out = run(called, called, STATUS="1", **settings)
    assert status == 1
    assert (called / "log.txt").read_text().splitlines() == [
        f"check a.toml b.toml --results results --junit {out}/junit.xml --format github --strict --since HEAD",
        f"report a.toml b.toml --results {out}/copy/results --html --self-contained",
    ]
    assert (called / "step.md").read_text() == (out / "summary.md").read_text() == "## fine\n"
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "summary.md"]


def test_the_script_trains_first_if_a_profile_is_given(called):
    settings = {"PROFILE": "quick", "SINCE": "", "STATUS": "0", "SUMMARY": "x"}
    assert run(called, called, **settings)[0] == 0
    assert [line.partition(" --junit")[0] for line in (called / "log.txt").read_text().splitlines()[:3]] == [
        "run made.toml --profile quick --results results",
        "report made.toml --results results",
        "check made.toml --results results",
    ]
    assert run(called, called, **{**settings, "SPEC": " "})[0] == 2


def test_the_script_shows_an_error_in_its_summary(called):
    status, out = run(called, called, STATUS="2", SUMMARY="")
    assert status == 2
    assert (out / "summary.md").read_text() == "## wganbench check\n\n```\nwganbench: said\n```\n"


@pytest.mark.slow
def test_the_script_with_the_command_itself(tmp_path):
    store, experiment = Store(tmp_path / "results"), made(tmp_path, f"[[claims]]{CLAIM}", spec=SPEC)
    for each in factory.records(experiment, "good", GOOD, n=5):
        store.write(each)
    write_report([experiment], store, store.root)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    next((tmp_path / "results" / "made").glob("*-s1.json")).unlink()
    status, out = run(tmp_path, Path(sys.executable).parent)
    assert status == 1
    assert "| record removed | made |" in (out / "summary.md").read_text()
    assert int(ElementTree.parse(out / "junit.xml").getroot()[0].get("failures") or 0) > 0
    assert not (tmp_path / "results" / "index.html").exists()
