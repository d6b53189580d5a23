"""``judge`` from one end to the other on the Dirac-GAN, whose answers are known, and the check of its submission."""

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from wganbench.cli import cli
from wganbench.records import submission
from wganbench.spec import load

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
    kept = submission.read(here)
    assert kept.candidates == {"pulling-pull": {"constraint": {"name": "pulling:pull", "gamma": 0.3}}}
    assert kept.files["pulling.py"] == hashlib.sha256(PENALTY.encode()).hexdigest()
    assert kept.files.keys() >= {"dirac-gan.toml", "conformance.json", "judge.json", "README.md"}
    assert len(kept.reference) == 24
    assert kept.libraries.keys() >= {"python", "torch", "wganbench"}
    assert submission.read_conformance(here).objects[0].object == "pulling:pull"
    assert "pulling-pull" in (here / "index.html").read_text()


@pytest.mark.slow
def test_a_folder_is_made_again_without_a_name_of_an_object(here, tmp_path, monkeypatch):
    shutil.copytree(here, tmp_path / "sub")
    monkeypatch.chdir(tmp_path)
    for file in ("README.md", "judge.json", "index.html", "figures/differences.png"):
        (tmp_path / "sub" / file).unlink()
    command = [sys.executable, "-P", "-m", "wganbench", "judge", "--out", "sub", "--threads", "1"]
    subprocess.run(command, capture_output=True, check=True)  # it has imported no module yet
    for file in ("README.md", "judge.json", "figures/differences.png", "submission.json"):
        assert (tmp_path / "sub" / file).read_bytes() == (here / file).read_bytes()


@pytest.mark.slow
def test_the_same_command_trains_nothing_again(here):
    before = {path: path.stat().st_mtime_ns for path in (here / "results" / "dirac-gan").glob("*.json")}
    told = invoke(*JUDGE)
    assert "about 0 s of training left" in told.output or "nothing trained" in told.output
    assert {path: path.stat().st_mtime_ns for path in (here / "results" / "dirac-gan").glob("*.json")} == before


@pytest.mark.slow
def test_a_run_of_the_submission_that_is_trained_again_is_equal(here):
    told = invoke("verify-submission", "sub", "--retrain", "1", "--seed", "5", "--threads", "1")
    assert "24 records, 1 run trained again: 1 equal, 0 problems" in told.output


@pytest.mark.slow
def test_other_versions_are_said_and_other_answers_are_a_problem(here, tmp_path, monkeypatch):
    shutil.copytree(here, tmp_path / "sub")
    monkeypatch.chdir(tmp_path)
    kept = submission.read(tmp_path / "sub")
    answers = tmp_path / "sub" / "conformance.json"
    text = answers.read_text()
    assert '"outcome": "warning"' in text
    answers.write_text(text.replace('"outcome": "warning"', '"outcome": "pass"', 1))
    files = submission.digests(tmp_path / "sub", kept.files)
    libraries = {**kept.libraries, "torch": "1.0"}
    changed = kept.model_copy(update={"files": files, "libraries": libraries})
    submission.write(tmp_path / "sub", submission.FILE, changed)
    found = invoke("verify-submission", "sub", "--retrain", "0", code=1)
    assert "torch: 1.0 there, " in found.stdout
    assert "it is sound for a critic with batch normalisation: pass there, warning here" in found.stderr


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
    assert "pulling.py: changed since 24 of the runs" in alone.stderr
    assert "apart" in alone.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "judge: nothing to judge"),
        (["r1", "r1"], "two candidates are called 'r1'"),
        (["r1", "r2", "--set", "gamma=1.0"], "--set: is for a single object, got 2"),
        (["r1", "--experiment", "dirac"], "--experiment dirac: has no row"),
        (["--out", "nowhere"], "judge: nothing to judge; name an object, such as gradient_penalty"),
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


CRITIC = """
from torch import nn


class Critic(nn.Module):
    def __init__(self, input_shape, output_shape, *, width=8):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(*input_shape, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, x):
        return self.body(x).squeeze(1){more}
"""


@pytest.mark.slow
def test_a_custom_critic_replaces_another_with_all_of_its_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "judged_critic.py").write_text(CRITIC.format(more=""))
    (tmp_path / "whole.toml").write_text('objective = "hinge"\ncritic = { name = "judged_critic:Critic", width = 6 }\n')
    arguments = ["judge", "--toml", "whole.toml", "--budget", "evening", "--out", "sub", "--plan", "--experiment"]
    invoke(*arguments, "gaussians25")  # whose profile reduces the width of the critic that is replaced
    assert not (tmp_path / "sub").exists(), "a plan alone leaves the folder as it is"
    (tmp_path / "sub").mkdir()
    monkeypatch.setattr("tempfile.TemporaryDirectory", lambda: contextlib.nullcontext("sub"))
    invoke(*arguments, "gaussians25")
    setting = load(tmp_path / "sub" / "gaussians25.toml").setting("whole-wgan-gp-light", "reduced")
    assert (setting.critic.name, setting.critic.options) == ("judged_critic:Critic", {"width": 6})
    assert (tmp_path / "sub" / "judged_critic.py").is_file()
    found = invoke(*arguments, "dirac-gan", code=2)
    assert "dirac-gan: has no row for these candidates" in found.stderr


@pytest.mark.slow
def test_a_critic_that_mixes_rows_stops_the_judgement(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mixing_critic.py").write_text(CRITIC.format(more=" - self.body(x).mean()"))
    found = invoke("judge", "mixing_critic:Critic", "--conformance", "--json", code=1)
    (answers,) = json.loads(found.output)
    assert answers["kind"] == "critic for 2 numbers"
    assert [each["check"] for each in answers["answers"] if each["outcome"] == "fail"] == ["rows apart"]
