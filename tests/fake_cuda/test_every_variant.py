"""Every variant of every experiment can be captured, and its step leaves the host out."""

from __future__ import annotations

import pytest

from tests.fake_cuda.steps import REPLAYS, settings, take
from wganbench.spec import available, load

pytestmark = pytest.mark.slow
HOST = ("copies_to_host", "copies_to_device", "synchronisations", "allocations")


def taken(name, seeds):
    return {variant: take(setting, seeds) for variant, setting in settings(name).items()}


@pytest.mark.parametrize("name", available())
def test_a_step_of_every_variant_is_captured_and_waits_for_nothing(fake_cuda, name):
    found = fake_cuda(taken, name, [0, 3])
    assert found
    assert fake_cuda.written == "", "torch warned"
    for variant, steps in found.items():
        assert (variant, steps["refused"], steps["violations"]) == (variant, None, {})
        for part in ("host", "device", "replays"):
            waits = {what: steps[part][what] for what in HOST if steps[part][what]}
            assert (variant, part, waits) == (variant, part, {})
        assert steps["replays"]["graph_launches"] == REPLAYS
        assert steps["replays"]["library_calls"] == 0


def taken_in_warm_up():
    steps = take(load("estimate-quality").setting("roll-warm-clip-0.1", "smoke"), [0, 3], warm_up=True)
    return {part: steps[part] for part in ("host", "replays")}


def test_the_further_critic_steps_of_a_warm_up_wait_for_nothing(fake_cuda):
    found = fake_cuda(taken_in_warm_up)
    assert found["host"]["library_calls"] >= 95 * 3, "95 critic steps come before those of an ordinary step"
    assert found["replays"]["library_calls"] == REPLAYS * found["host"]["library_calls"]
    for part, counts in found.items():
        assert (part, [counts[what] for what in HOST]) == (part, [0] * len(HOST))


def taken_in_both_ways(kinds):
    ways = {"usual": False, "deterministic": True}
    return {
        variant: {
            way: take(load(name).setting(variant, "smoke"), [0, 3], deterministic=value) for way, value in ways.items()
        }
        for name, variant in kinds
    }


def test_steps_with_deterministic_algorithms_are_captured_and_launch_no_more(fake_cuda):
    """The operations used here have no other kernels; filling new memory would launch half as many again."""
    for ways in fake_cuda(taken_in_both_ways, [("gaussians8", "wgan-gp"), ("table3", "dcgan")]).values():
        assert (ways["deterministic"]["refused"], ways["deterministic"]["violations"]) == (None, {})
        assert ways["deterministic"]["device"] == ways["usual"]["device"]
