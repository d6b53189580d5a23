"""The examples of `judge`: the page about wrong penalties has the answers that are given, and the others conform."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from wganbench.losses.constraints import zero_centred
from wganbench.rng import Streams
from wganbench.runner.asking import ask_all
from wganbench.runner.probes import SmoothCritic, normal
from wganbench.runner.questions import QUESTIONS, ask
from wganbench.spec.judging import Candidate

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
PAGE = EXAMPLES / "judge.md"


@pytest.fixture
def _modules(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(EXAMPLES)])
    yield
    for name in ("wrong", "zero_centred"):
        sys.modules.pop(name, None)


def shown(name: str) -> list[tuple[str, ...]]:
    """The rows of the table that follows the command that asks about an object."""
    section = PAGE.read_text(encoding="utf-8").partition(f"judge {name} --conformance\n")[2].partition("|---|")[2]
    lines = re.match(r"(?:---\|)*\n((?:\|.*\n)*)", section)[1].splitlines()
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]


@pytest.mark.usefixtures("_modules")
@pytest.mark.parametrize("name", ["wrong:coupled", "wrong:summed"])
def test_the_page_has_each_failure_and_warning_as_it_is_found(name):
    _, answers = ask(name, {})
    found = [
        (QUESTIONS[each.check], each.outcome, each.text) for each in answers if each.outcome in ("fail", "warning")
    ]
    assert shown(name) == found
    assert "fail" in {outcome for _, outcome, _ in found}


@pytest.mark.slow
@pytest.mark.usefixtures("_modules")
def test_the_methods_that_are_judged_conform():
    paired = tomllib.loads((EXAMPLES / "paired-r1_r2.toml").read_text(encoding="utf-8"))
    candidates = [Candidate("paired-r1_r2", paired)]
    candidates += [Candidate(name, {"constraint": name}) for name in ("dragan", "zero_centred:penalty")]
    found = ask_all(candidates, "evening").objects
    assert [asked.object for asked in found] == ["relativistic_paired", "r1_r2", "dragan", "zero_centred:penalty"]
    assert [each for asked in found for each in asked.answers if each.outcome == "fail"] == []


@pytest.mark.usefixtures("_modules")
def test_the_penalty_of_ones_own_is_half_of_the_built_in_one():
    from zero_centred import penalty

    critic = SmoothCritic((0, 1), (2,), 2.0, 0.0, torch.float64, "cpu")
    real, fake = (normal((0, 1), name, (5, 2), torch.float64, "cpu") for name in ("real", "fake"))
    mine = penalty(critic, real, fake, Streams((0, 1), "penalty", "cpu"), gamma=3.0)
    built_in = zero_centred(critic, real, fake, Streams((0, 1), "penalty", "cpu"), penalty_weight=1.5)
    torch.testing.assert_close(mine, built_in)
