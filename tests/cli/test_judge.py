"""``judge`` from one end to the other on the Dirac-GAN, whose answers are known, and the check of its submission."""

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from wganbench.cli import cli

PENALTY = """
import torch


def pull(critic, real, *, gamma):
    x = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gamma / 2 * gradient.flatten(2).square().sum(2).mean(1)
"""
JUDGE = ["judge", "pulling:pull", "--set", "gamma=0.3", "--experiment", "dirac-gan", "--threads", "1", "--out", "sub"]


def invoke(*arguments, code=0):
    told = CliRunner().invoke(cli, [*arguments])
    assert told.exit_code == code, told.output
    return told


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a penalty, R1 under another name, and what ``judge`` made of it."""
    place = tmp_path_factory.mktemp("judge")
    (place / "pulling.py").write_text(PENALTY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        invoke(*JUDGE)
    return place


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder / "sub"


@pytest.mark.slow
def test_r1_converges_where_the_gradient_penalty_does_not(here):
    (table,) = json.loads((here / "judge.json").read_text())["tables"]
    rows = {row["variant"]: row for row in table["rows"]}
    assert rows.keys() == {"wgan-gp-simultaneous", "wgan-gp-alternating"}
    for row in rows.values():
        assert row["judgement"] == "better"
        assert row["candidate"] < 0.01 < row["reference"]
        assert (row["n"], row["n_planned"]) == (12, 12)
    assert "**better**" in (here / "README.md").read_text()


@pytest.mark.slow
def test_the_folder_has_all_that_another_needs(here):
    assert (here / "pulling.py").read_text() == PENALTY
    assert len([*(here / "results" / "dirac-gan").glob("pulling-pull-*.json")]) == 24
    assert not [*(here / "results" / "dirac-gan").glob("wgan-gp-*.json")], "the committed reference is trained again"


@pytest.mark.slow
def test_the_same_command_trains_nothing_again(here):
    before = {path: path.stat().st_mtime_ns for path in (here / "results" / "dirac-gan").glob("*.json")}
    told = invoke(*JUDGE)
    assert "about 0 s of training left" in told.output or "nothing trained" in told.output
    assert {path: path.stat().st_mtime_ns for path in (here / "results" / "dirac-gan").glob("*.json")} == before


@pytest.mark.slow
def test_a_run_of_the_submission_that_is_trained_again_is_equal(here):
    told = invoke("verify-submission", "sub", "--retrain", "1", "--seed", "5", "--threads", "1")
    assert "24 records, 1 run trained again: 1 equal" in told.output


@pytest.mark.slow
def test_changed_numbers_and_changed_code_are_found(here, tmp_path, monkeypatch):
    shutil.copytree(here, tmp_path / "sub")
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "sub" / "results" / "dirac-gan").glob("*.json"):
        content = json.loads(path.read_text())
        content["measures"]["remaining"] = 1e-9
        path.write_text(json.dumps(content))
    told = invoke("verify-submission", "sub", "--retrain", "1", "--threads", "1", code=2)
    assert "checksum" in told.stderr
    (tmp_path / "sub" / "pulling.py").write_text(PENALTY.replace("/ 2", "/ 3"))
    shutil.rmtree(tmp_path / "sub" / "results")
    shutil.copytree(here / "results", tmp_path / "sub" / "results")
    command = [sys.executable, "-m", "wganbench", "verify-submission", "sub", "--retrain", "1", "--threads", "1"]
    alone = subprocess.run(command, capture_output=True, text=True, check=False)  # it has imported no module yet
    assert alone.returncode == 1
    assert "pulling.py: changed since 24 runs" in alone.stderr
    assert "apart" in alone.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "judge: nothing to judge"),
        (["r1", "r1"], "two candidates are called 'r1'"),
        (["r1", "r2", "--set", "gamma=1.0"], "--set: is for a single object, got 2"),
        (["r1", "--experiment", "dirac"], "--experiment dirac: has no row"),
        (["--toml", "none.toml"], "--toml none.toml: cannot be read"),
        (["resnet_critic", "--set", "dim=4"], "resnet_critic: a network, which a spec of your own compares"),
    ],
)
def test_what_cannot_be_judged_is_one_line(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    told = invoke("judge", *arguments, code=2)
    assert said in told.stderr


def test_the_objects_of_a_file_are_asked_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    penalties = '[{ name = "r1", gamma = 0.3 }, "gradient_penalty"]'
    (tmp_path / "whole.toml").write_text(f'objective = "hinge"\nconstraint = {penalties}\n')
    told = invoke("judge", "--toml", "whole.toml", "--conformance", "--json")
    found = {each["object"]: each["kind"] for each in json.loads(told.output)}
    assert found == {"hinge": "objective", "r1": "penalty", "gradient_penalty": "penalty"}
