"""Linear decay of learning rates to 0 over a run.

A CUDA graph repeats the Python number that it was captured with, but reads a tensor again at each replay. The rates of
optimisers that work in a graph are therefore tensors on the parameters' device, written in place before each step.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from wganbench.training.rmsprop_tf import RmspropTf

GRAPHED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.SGD, RmspropTf)
"""The optimisers that are known to work in a CUDA graph."""


def begin(optimizer: Optimizer) -> None:
    """Stores each group's learning rate as ``initial_lr`` for `set_rates`, as torch's schedulers do.

    Raises:
        ValueError: If a group has no learning rate.
    """
    for group in optimizer.param_groups:
        rate = group.get("lr")
        if isinstance(rate, bool) or not isinstance(rate, float | int | Tensor):
            raise ValueError(f"must have a learning rate 'lr' in each group for lr_decay, got {rate!r}")
        group["initial_lr"] = float(rate)
        # SGD asks a tensor for its value, and Adam with ``foreach`` refuses one outside a graph.
        kind = type(optimizer)
        takes_tensors = kind in (torch.optim.RMSprop, RmspropTf) or not (
            kind is torch.optim.SGD or group.get("foreach")
        )
        if type(optimizer) in GRAPHED and takes_tensors:
            group["lr"] = torch.tensor(float(rate), device=group["params"][0].device)


def set_rates(optimizers: Iterable[Optimizer], steps_done: int, steps: int) -> None:
    """Sets the rates of the step after ``steps_done`` of ``steps``: lr · (1 − steps_done/steps), 0 beyond the last."""
    left = max(0.0, 1 - steps_done / steps)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            rate = group["initial_lr"] * left
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
