"""The stand-in itself: what it does for real, what it counts, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from tests.fake_cuda import counters

pytestmark = pytest.mark.slow


def fills_and_copies():
    filled = torch.full((3,), 2.5, device="cuda")
    there_and_back = torch.arange(6).cuda().cpu()
    return [filled.cpu().tolist(), there_and_back.tolist(), torch.cuda.get_device_name(), counters.violations()]


def test_fills_and_copies_are_real(fake_cuda):
    assert fake_cuda(fills_and_copies) == [[2.5] * 3, [0, 1, 2, 3, 4, 5], "CUDA stand-in 0", {}]
