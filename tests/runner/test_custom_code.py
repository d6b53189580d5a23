"""After an edit of a custom module every command says so, and no training goes on with other code than its own."""

from __future__ import annotations

import hashlib
import sys

import pytest
from click.testing import CliRunner

from tests.runner.test_run_all import execute
from wganbench.cli import cli
from wganbench.records.custom_code import changes_since
from wganbench.records.store import Store
from wganbench.runner import provenance
from wganbench.runner.checkpoint import Checkpoints
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution
from wganbench.spec import load

PENALTY = (
    "from edited_weight import WEIGHT\ndef nothing(critic, real):\n    return WEIGHT * critic(real).square().mean(1)\n"
)
VARIANT = '[variants.mine]\nconstraint = "edited_penalty:nothing"\n'
INLINE = Execution(device="cpu", stack=2, threads=1, checkpoint_seconds=0.0)


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Writes the module that the penalty imports, as an editor does; the next command has the new one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # by the second, the sources would be of one age
    (tmp_path / "edited_penalty.py").write_text(PENALTY)

    def forget():
        for name in ("edited_penalty", "edited_weight"):
            sys.modules.pop(name, None)
        provenance._read_once.cache_clear()

    def write(weight: float):
        (tmp_path / "edited_weight.py").write_text(f"WEIGHT = {weight}\n")
        forget()

    yield write
    forget()


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def invoke(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_run_report_and_check_say_that_code_has_changed_since(tiny, tmp_path, edit):
    tiny(VARIANT + "[profiles.quick]\n")
    edit(1.0)
    chosen = ("tiny.toml", "--profile", "quick", "--variant", "mine", "--seeds", "3", "--results", "results")
    assert invoke("run", *chosen, "--device", "cpu").exit_code == 0
    records = Store("results").load().values()
    code = {name: digest(tmp_path / name) for name in ("edited_penalty.py", "edited_weight.py")}
    assert [record.provenance.custom_code for record in records] == [code] * 3
    assert invoke("run", *chosen).stderr == ""
    edit(2.0)
    changed = "changed since 3 of these runs; {} trains again, protocol = 2 beside the object's name keeps both\n"
    ran = invoke("run", *chosen)
    assert ran.stderr == f"wganbench: edited_weight.py: {changed.format('--again')}"
    assert "nothing trained" in ran.stdout
    again = changed.format("'wganbench run tiny.toml --again'")
    assert f"wganbench: tiny, edited_weight.py: {again}" in invoke("report", "tiny.toml", "--results", "results").stderr
    checked = invoke("check", "tiny.toml", "--results", "results")
    assert checked.exit_code == 1
    assert f"wganbench: tiny edited_weight.py: custom code: {again}" in checked.stderr
    assert invoke("run", *chosen, "--again", "--device", "cpu").stderr == ""
    assert changes_since(load("tiny.toml"), Store("results").load().values()) == []


def train_until(step, path, store):
    """Trains, and stops after ``step``."""
    stop, save = Stop(), Checkpoints.save

    def saved(self, checkpoint):
        save(self, checkpoint)
        if checkpoint.step == step - 1:
            stop.ask("interrupted")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", saved)
        assert execute(path, store, [0], ["mine"], INLINE, stop=stop) == []


@pytest.mark.parametrize(("weight", "first"), [(1.0, 3), (2.0, 0)])
def test_a_training_goes_on_with_the_code_that_it_began_with_alone(tiny, tmp_path, edit, weight, first):
    path, store, events = tiny(VARIANT), Store(tmp_path / "results"), []
    edit(1.0)
    train_until(3, path, store)
    edit(weight)
    (record,) = execute(path, store, [0], ["mine"], INLINE, on_event=events.append)
    warnings = [event["message"] for event in events if event["event"] == "warning"]
    assert len(warnings) == (0 if first else 2)
    assert all("edited_weight.py " in line and line.endswith("it is passed over") for line in warnings)
    assert record.status == "finished"
    edit(weight)
    (undisturbed,) = execute(path, Store(tmp_path / "other"), [0], ["mine"], INLINE)
    assert record.curves == undisturbed.curves


def test_a_file_that_an_installed_module_keeps_from_being_used_is_reported(tiny, tmp_path, edit):
    (tmp_path / "torch.py").write_text("raise ArithmeticError\n")
    path, events = tiny('[variants.mine]\ncritic_optimizer = { name = "torch.optim:Adam", lr = 1e-3 }\n'), []
    (record,) = execute(path, Store(tmp_path / "results"), [0], ["mine"], INLINE, on_event=events.append)
    assert record.status == "finished"
    assert {"event": "not used", "file": str(tmp_path / "torch.py"), "name": "torch.optim:Adam"} in events
