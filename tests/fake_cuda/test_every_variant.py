"""Every variant of every experiment can be captured, and its step leaves the host out."""

from __future__ import annotations

import pytest

from tests.fake_cuda.steps import settings, take
from wganbench.spec import available

pytestmark = pytest.mark.slow
HOST = ("copies_to_host", "copies_to_device", "synchronisations", "allocations")


def taken(name, seeds):
    return {variant: take(setting, seeds) for variant, setting in settings(name).items()}


@pytest.mark.parametrize("name", available())
def test_a_step_of_every_variant_is_captured_and_waits_for_nothing(fake_cuda, name):
    found = fake_cuda(taken, name, [0, 3])
    assert found
    for variant, steps in found.items():
        assert (variant, steps["refused"], steps["violations"]) == (variant, None, {})
        for part in ("host", "device", "replay"):
            waits = {what: steps[part][what] for what in HOST if steps[part][what]}
            assert (variant, part, waits) == (variant, part, {})
        assert steps["replay"]["graph_launches"] == 1
        assert steps["replay"]["library_calls"] == 0
