"""Named targets: that they can be measured, and when they are met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.records.speed_rows import row, spread
from wganbench.analysis.speed_targets import TARGETS, minutes_of
from wganbench.runner.speed.plain import unwritten
from wganbench.spec import load
from wganbench.spec.plan import expand


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_names_variants_that_have_a_plain_loop(name):
    target = TARGETS[name]
    runs = expand(load(target.experiment, target.overrides), target.profile, [0], target.variants)
    assert [run.variant for run in runs] == list(target.variants)
    assert [unwritten(run.setting) for run in runs] == [None] * len(runs)


def test_the_toy_step_is_that_of_three_layers_of_512():
    target = TARGETS["toy-step-1-thread"]
    setting = load(target.experiment).setting(*target.variants, target.profile)
    assert setting.generator.options["hidden"] == setting.critic.options["hidden"] == [512] * 3
    assert (setting.constraint.name, setting.batch_size, setting.n_critic) == ("gradient_penalty", 256, 5)
    assert (target.jobs, target.seeds, target.threads) == (1, 1, 1)


def test_the_deep_networks_are_those_of_table_1():
    target = TARGETS["deep-cuda"]
    setting = load(target.experiment, target.overrides).setting(*target.variants, target.profile)
    for network in (setting.generator, setting.critic):
        assert (network.options["depth"], network.options["filters"]) == (20, 32)
    assert (setting.data.name, setting.data.options["size"], setting.batch_size) == ("shapes10", 32, 64)


def test_the_resnet_is_the_official_one_but_for_its_precision():
    target = TARGETS["resnet-cuda"]
    setting = load(target.experiment, target.overrides).setting(*target.variants, target.profile)
    official = load("table3").setting("wgan-gp", "paper")
    assert setting.model_copy(update={"precision": "fp32", "data": official.data}) == official
    assert (setting.precision, setting.data.options["size"], setting.data.options["scaling"]) == (
        "tf32",
        official.data.options["size"],
        official.data.options["scaling"],
    )


def test_the_minutes_of_a_hundred_thousand_steps_are_bounded_as_well():
    target = replace(TARGETS["ring-cuda"], stack_time=None, minutes=45.0)
    fast, slow = (row(ratio=spread(40.0), jobs=1, seeds=1, stack=spread(steps)) for steps in (37.1, 37.0))
    assert minutes_of(fast) == pytest.approx(100_000 / 37.1 / 60)
    assert [target.is_met_by(each) for each in (fast, slow)] == [True, False]
    assert target.wanted() == "≥ 30 ×, 100,000 steps ≤ 45 min"


def test_the_rings_have_sixteen_seeds_on_two_cores():
    target = TARGETS["ring-2-cores"]
    assert (target.jobs * target.seeds, target.jobs * target.threads) == (16, 2)


@pytest.mark.parametrize(
    ("name", "ratio", "stack_time", "met"),
    [
        ("ring-2-cores", 1.5, 9.0, True),
        ("ring-2-cores", 1.49, 9.0, False),
        ("toy-step-1-thread", 1.18, 1.0, True),
        ("toy-step-1-thread", 1.17, 1.0, False),  # 0.855 of the time
        ("ring-cuda", 30.0, 3.0, True),
        ("ring-cuda", 30.0, 3.1, False),
        ("ring-cuda", 29.0, 2.0, False),
    ],
)
def test_a_target_is_met_by_the_medians(name, ratio, stack_time, met):
    assert TARGETS[name].is_met_by(row(ratio=spread(ratio), stack_time=spread(stack_time))) is met
    assert not TARGETS[name].is_met_by(row(plain=None, ratio=None, stack_time=spread(0.1)))


def test_what_a_target_wants_is_said_in_a_few_signs():
    assert TARGETS["toy-step-1-thread"].wanted() == "≥ 1.18 ×"
    assert TARGETS["ring-cuda"].wanted() == "≥ 30 ×, stack ≤ 3 × one seed"
