"""The goals of ``docs/speed.md`` that a CPU can test: what of them holds on any machine, also on a busy one."""

from __future__ import annotations

import pytest
import torch

from wganbench.records.speeds import Timing
from wganbench.runner.speed.measure import measure
from wganbench.spec import load
from wganbench.spec.plan import expand

pytestmark = pytest.mark.slow


def ratio(experiment: str, variant: str, timing: Timing) -> float:
    """Returns the rate of the stack divided by that of plain loops."""
    spec = load(experiment)
    (run,) = expand(spec, "paper", [0], [variant])
    row = measure(run, spec, torch.device("cpu"), timing)
    assert row.ratio is not None
    return row.ratio.median


def test_a_toy_step_is_faster_than_a_plain_one():
    """The goal is 1.18."""
    setting = load("penalties").setting("ring-two-sided", "paper")
    assert setting.generator.options["hidden"] == setting.critic.options["hidden"] == [512] * 3
    assert ratio("penalties", "ring-two-sided", Timing(seeds=1, seconds=30)) >= 1.05


@pytest.mark.parametrize("variant", ["gan", "wgan-clip", "wgan-gp"])
def test_two_stacks_of_eight_seeds_on_two_cores_are_faster_than_plain_loops(variant):
    """The goal is 1.5, which no variant has reached."""
    assert ratio("gaussians8", variant, Timing(seeds=8, jobs=2)) >= 1.1
