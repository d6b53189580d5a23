"""What the runner makes of captured steps, without a GPU; tests/training/test_cuda_graph.py is about capture itself."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from wganbench.cli import cli
from wganbench.runner import build as module
from wganbench.runner.cohort import train_cohort
from wganbench.runner.provenance import provenance
from wganbench.runner.speed import bench
from wganbench.spec import load
from wganbench.spec.plan import Cohort, expand
from wganbench.training.cuda_graph import NotCapturedError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SAID = "steps are launched operation by operation: SGD is not known to work in a graph"


class Steps:
    def __init__(self, device):
        self.device = device

    def step(self):
        pass


def refuse(trainer):
    raise NotCapturedError("SGD is not known to work in a graph")


def accept(trainer):
    return accept


@pytest.mark.parametrize(
    ("device", "asked", "capture", "captured", "said"),
    [
        (CUDA, True, accept, True, []),
        (CUDA, False, accept, False, []),
        (CPU, True, accept, False, []),
        (CUDA, True, refuse, False, [SAID]),
    ],
    ids=["captured", "not asked for", "on a CPU", "refused"],
)
def test_steps_are_captured_on_a_gpu_where_they_can_be_and_else_one_line_says_why(
    monkeypatch, device, asked, capture, captured, said
):
    monkeypatch.setattr(module, "capture", capture)
    lines, trainer = [], Steps(device)
    step, is_captured = module.make_step(trainer, graph=asked, on_message=lines.append)
    assert (step == accept, is_captured, lines) == (captured, captured, said)
    assert captured or step == trainer.step


@pytest.mark.parametrize(("capture", "execution"), [(accept, "captured"), (refuse, "eager")])
def test_speed_is_measured_of_the_steps_that_are_run(monkeypatch, capture, execution):
    monkeypatch.setattr(module, "capture", capture)
    monkeypatch.setattr(bench, "make_trainer", lambda setting, seeds, device: Steps(device))
    _, how, why = bench.as_run(None, [0], CUDA)
    assert (how, why) == (execution, None if capture is accept else SAID)


def test_captured_is_in_the_record_and_left_out_where_it_is_not(tiny):
    (run,) = expand(load(tiny()), "smoke", [3], ["gp"])
    (plain,) = train_cohort(Cohort((run,)))
    assert "captured" not in plain.record.provenance.model_dump()
    made_by = provenance(CPU).model_copy(update={"captured": True})
    assert made_by.model_dump()["captured"] is True
    assert type(made_by).model_validate(made_by.model_dump()) == made_by


@pytest.mark.parametrize(("options", "asked"), [((), True), (("--no-capture",), False)])
def test_the_command_asks_for_it_unless_it_is_switched_off(monkeypatch, tmp_path, options, asked):
    seen = []

    def run_all(runs, store, execution, **others):
        seen.append(execution.capture)
        return []

    monkeypatch.setattr("wganbench.runner.loop.run_all", run_all)
    command = ["run", "swissroll", "--profile", "smoke", "--results", str(tmp_path), *options]
    assert CliRunner().invoke(cli, command).exit_code == 0
    assert seen == [asked]
