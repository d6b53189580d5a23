"""Replaces the few decisions that the package takes by values computed on the device, which are garbage here."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from wganbench.data import image_sets
from wganbench.data.images import Images
from wganbench.measures import coupling, modes, saturation, text
from wganbench.networks.normalisation import BatchNorm
from wganbench.runner import build
from wganbench.training import cuda_graph

N_IMAGES = 500
SHAPES = {"cifar10": (3, 32), "shapes10": (3, 32), "mnist": (1, 28), "imagenet32": (3, 32)}
SIZED_BY_VALUES: tuple[tuple[ModuleType, str], ...] = (
    (modes, "modes_covered"),
    (modes, "reverse_kl"),
    (modes, "sectors_occupied"),
    (modes, "least_sector_mass"),
    (coupling, "segment_cosine"),
    (saturation, "linear_share"),
    (text, "text_lines"),
)
"""Measures that count, select or index by values; with garbage, they fail or ask for any amount of memory."""


def replace_decisions(real_sets: Collection[str] = ()) -> None:
    """Image sets are blank and small; a graph is not compared with eager steps; batch norm alone couples rows.

    Args:
        real_sets: Image sets that stay as they are.
    """
    for name in SHAPES.keys() - set(real_sets):
        channels, side = SHAPES[name]
        setattr(image_sets, name, _blank(name, channels, side))
    Images.check_classes = lambda self, classes: None
    cuda_graph._results_of = _no_results
    build.is_rowwise = _has_no_batch_norm


def replace_measures() -> None:
    """Measures whose sizes depend on values are NaN; the others are computed, of garbage."""
    for module, name in SIZED_BY_VALUES:
        setattr(module, name, _undefined(getattr(module, name)))


def _undefined(measure: Callable[..., Any]) -> Callable[..., float]:
    @functools.wraps(measure)  # whose signature names the inputs
    def undefined(*inputs: Any, **options: Any) -> float:
        return math.nan

    return undefined


def _blank(name: str, channels: int, side: int) -> Callable[..., Images]:
    def make(*, size: int = side, scaling: Any = "255", flips: bool = False, **others: Any) -> Images:
        pixels = torch.zeros(N_IMAGES, channels, size, size, dtype=torch.uint8)
        return Images(name, pixels, torch.arange(N_IMAGES) % 10, "0" * 64, scaling, flips)

    return make


def _no_results(trainer: Any, step: Callable[[], None]) -> list[Any]:
    step()
    return []


def _has_no_batch_norm(critic: Any, sample_shape: Any) -> bool:
    return not any(isinstance(module, BatchNorm | _BatchNorm) for module in critic.network.module.modules())
