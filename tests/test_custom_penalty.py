"""A custom penalty in one .py and one TOML outside the repository: trained, and judged against our baseline."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from wganbench.cli import cli
from wganbench.records.store import Store

PENALTY = '''
"""The zero-centred penalty on real data (Mescheder et al. 2018, "R1")."""

import torch


def zero_centred(critic, real, *, penalty_weight=1.0):
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return penalty_weight / 2 * gradient.flatten(2).square().sum(2).mean(1)
'''

SPEC = """
extends = "gaussians8"
title = "A zero-centred penalty on the ring"
version = 1
seeds = 5

[variants.zero-centred]
constraint = { name = "my_penalty:zero_centred", penalty_weight = 0.5 }

[[claims]]
id = "zero-centred-is-closer-than-gan"
says = "the zero-centred penalty brings the GAN closer to the ring, in exact Wasserstein distance"
profile = "smoke"
test = "welch"
measure = "exact_wasserstein"
better = "zero-centred"
worse = "gan"
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_penalty.py").write_text(PENALTY)
    (tmp_path / "mine.toml").write_text(SPEC)
    yield tmp_path
    sys.modules.pop("my_penalty", None)


def wganbench(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_a_custom_penalty_is_judged_against_the_baselines_records(elsewhere):
    wganbench("run", "gaussians8", "--profile", "smoke", "--seeds", "5", "--variant", "gan", "--results", "baseline")
    baseline = Store("baseline").load()
    mine = ("run", "mine.toml", "--profile", "smoke", "--results", "mine")
    assert "my_penalty" not in wganbench("plan", *mine[1:-2], "--variant", "gan", "--results", "mine")
    assert "my_penalty" not in sys.modules, "planning imported a custom module"
    wganbench(*mine, "--variant", "zero-centred")
    assert "5 records taken in" in wganbench("merge", "baseline", "--results", "mine")
    assert "nothing trained" in wganbench(*mine, "--variant", "gan", "--variant", "zero-centred")
    explained = wganbench("explain", "mine.toml:zero-centred-is-closer-than-gan", "--results", "mine")
    assert all(run_id in explained for run_id in baseline)
    assert "zero-centred: n = 5" in explained
    assert "  source       mine.toml" in explained
    raw, adjusted = re.search(r"p for +(\S+), Holm-adjusted (\S+)", explained).groups()
    assert raw == adjusted, "claims of the parent share in the adjustment"
    assert "not run" not in explained
    report = wganbench("report", "mine.toml", "--results", "mine", "--format", "markdown")
    assert "zero-centred" in report
    written = Path("mine/mine/README.md").read_text()
    assert "the zero-centred penalty brings the GAN closer" in written
    assert "\n1 claim: 1 " in written
    assert "\nSource: mine.toml. Spec: `mine.toml`, version 1.\n" in written
    assert "0 findings" in wganbench("check", "mine.toml", "--results", "mine")
