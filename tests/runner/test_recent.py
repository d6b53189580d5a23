"""Measures of the last steps, against the losses that a run records at every step."""

from __future__ import annotations

import statistics

import pytest

from tests.runner.test_run_all import execute
from wganbench.records.store import Store

MEASURES = """
[measures.median]
name = "loss_median"
points = 3
spacing = "even"
window = 3

[measures.of_generator]
name = "loss_median"
of = "generator_loss"
points = 1
window = 4

[measures.step_cosine]
points = 3
spacing = "even"

[variants.rmsprop]
constraint = { name = "clip", clip_value = 0.1 }
critic_optimizer = { name = "rmsprop", lr = 1e-3 }
"""


def test_a_median_is_of_the_losses_of_the_steps_before(tiny, tmp_path):
    records = execute(tiny(MEASURES), Store(tmp_path / "results"), seeds=[0, 1], variants=["clip"])
    assert len({record.measures["median"] for record in records}) == 2
    for record in records:
        critic, generator = (record.curves[label] for label in ("critic_loss", "generator_loss"))
        assert critic.steps == list(range(1, record.setting.steps + 1)), "every step has a loss here"
        steps, medians = record.curves["median"].steps, record.curves["median"].values
        assert medians[0] is None and len(steps) == 3
        for step, median in zip(steps[1:], medians[1:], strict=True):
            assert median == pytest.approx(
                statistics.median(critic.values[max(0, step - 3) : step]), rel=1e-3, abs=1e-6
            )
        assert record.measures["of_generator"] == pytest.approx(
            statistics.median(generator.values[-4:]), rel=1e-3, abs=1e-6
        )


def test_the_step_of_rmsprop_never_turns_against_the_gradient(tiny, tmp_path):
    (record,) = execute(tiny(MEASURES), Store(tmp_path / "results"), seeds=[0], variants=["rmsprop"])
    first, *others = record.curves["step_cosine"].values
    assert first is None
    assert all(0 < cosine <= 1 for cosine in others)
