"""The example of a loss written from outside: it conforms, and trains as the built-in objects of the same formulas."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from wganbench.runner import preflight
from wganbench.runner.build import make_trainer
from wganbench.spec import load
from wganbench.spec.plan import expand

FILE = Path(__file__).parent.parent / "docs" / "examples" / "r3gan.toml"


@pytest.fixture
def spec(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield load(FILE)
    sys.modules.pop("r3gan", None)


def test_it_passes_all_checks_before_training_without_a_warning(spec):
    said = []
    preflight.check(expand(spec, "smoke", [0], ["mine"]), lambda *line: said.append(line), device=torch.device("cpu"))
    assert said == []


def test_it_trains_as_the_built_in_loss_and_penalties(spec):
    preflight.check_signatures(expand(spec, "smoke", [0], ["mine"]))  # which finds the module beside the spec
    mine, built_in = (
        make_trainer(spec.setting(name, "smoke"), [0, 1], torch.device("cpu")) for name in ("mine", "built-in")
    )
    for trainer in (mine, built_in):
        for _ in range(3):
            trainer.step()
    for name, loss in mine.losses.items():
        torch.testing.assert_close(loss, built_in.losses[name], rtol=1e-4, atol=1e-5)
