"""What measures see of a set of images with a held-out part."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from wganbench.data.images import Images
from wganbench.errors import DataError
from wganbench.runner.evaluation import Inputs
from wganbench.runner.trace import Trace
from wganbench.spec import load

DARK, BRIGHT = 0, 255
"""The grey levels of images to train on, and of held-out ones."""


def given(held_out: int | None) -> Inputs:
    levels = torch.tensor([DARK] * 50 + [BRIGHT] * 10, dtype=torch.uint8)
    images = Images("greys", levels.view(-1, 1, 1, 1), torch.zeros(60, dtype=torch.int64), "0" * 64, scaling="unit")
    trainer = SimpleNamespace(data=images.parted(50, held_out), fixed=None)
    setting = load("overfit").setting("gp", "smoke")
    evaluator = SimpleNamespace(setting=setting, seeds=[0], device=torch.device("cpu"), traces=[Trace()])
    evaluator.training_seconds = 0.0
    return Inputs(evaluator, trainer, lambda: torch.zeros(0), 0, 0)


def test_real_images_are_those_trained_on_and_held_out_ones_all_others():
    inputs = given(held_out=10)
    assert inputs.real.unique().tolist() == [0.0] and inputs.held_out.unique().tolist() == [1.0]
    assert len(inputs.held_out) == len(inputs.real)


def test_a_custom_set_that_holds_out_nothing_is_refused_in_one_line():
    with pytest.raises(DataError, match="holds out no images, which a measure reads"):
        _ = given(held_out=None).held_out
