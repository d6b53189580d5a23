"""What a training step launches on the stand-in: taken eagerly, captured, and replayed. For use in its processes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tests.fake_cuda import counters
from wganbench.runner.build import make_trainer
from wganbench.runner.precision import numerics
from wganbench.spec import Setting, load
from wganbench.spec.plan import expand
from wganbench.training.critic_trainer import StackTrainer
from wganbench.training.cuda_graph import NotCapturedError, capture

CUDA = torch.device("cuda")
WARM_UP = 3
"""Steps until torch asks CUDA for no more memory: the optimisers' own comes with the first."""
REPLAYS = 16
"""Replayed steps that are counted together, since not every host step does the same."""


def settings(name: str, overrides: Sequence[str] = ()) -> dict[str, Setting]:
    """The setting of each variant of an experiment at smoke; of those that are alike, the first."""
    different: dict[str, Setting] = {}
    for run in expand(load(name, overrides), "smoke", [0]):
        if run.setting not in different.values():
            different[run.variant] = run.setting
    return different


def take(
    setting: Setting, seeds: Sequence[int], *, warm_up: bool = False, deterministic: bool = False
) -> dict[str, Any]:
    """Takes eager steps, captures one, replays it, and returns what each of these did.

    Args:
        setting: What is trained.
        seeds: Of the stack.
        warm_up: Whether the steps are those of the critic's warm-up if there is one, and not those after it.
        deterministic: Whether only deterministic algorithms are used.

    Returns:
        ``host`` and ``device``: the counts of the two parts of an eager step; ``capture``: those from the first eager
        step to the end of the check of the graph; ``replays``: those of ``REPLAYS`` steps with it; ``refused``: why
        there is no graph, or None; ``violations``: of all of it.
    """
    with numerics(CUDA, 1, precision=setting.precision, deterministic=deterministic):
        trainer = _made(setting, seeds, warm_up)
        for _ in range(WARM_UP):
            trainer.step()
        found: dict[str, Any] = {"violations": {}}
        for part, step in (("host", trainer.host_step), ("device", trainer.device_step)):
            found[part] = _counted(step, found)
        del trainer, step
        return found | _captured(_made(setting, seeds, warm_up), found)


def _made(setting: Setting, seeds: Sequence[int], warm_up: bool) -> StackTrainer:
    trainer = make_trainer(setting, seeds, CUDA)
    if trainer.method.warmup is not None and not warm_up:
        trainer.steps_done = trainer.method.warmup.first + 1
    return trainer


def _captured(trainer: StackTrainer, found: dict[str, Any]) -> dict[str, Any]:
    counters.reset()
    try:
        step = capture(trainer)
    except NotCapturedError as reason:
        found["violations"] |= counters.violations()
        return {"refused": str(reason), "capture": None, "replays": None}
    found["violations"] |= counters.violations()
    return {"refused": None, "capture": counters.counts(), "replays": _counted(step, found, REPLAYS)}


def _counted(step: Callable[[], object], found: dict[str, Any], times: int = 1) -> dict[str, int]:
    gc.collect()  # else garbage of earlier steps may hold memory, and when it is collected is a matter of chance
    counters.reset()
    for _ in range(times):
        step()
    found["violations"] |= counters.violations()
    return counters.counts()
