"""What a training step launches on the stand-in: taken eagerly, captured, and replayed. For use in its processes."""

from __future__ import annotations

from collections.abc import Sequence
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


def settings(name: str, overrides: Sequence[str] = ()) -> dict[str, Setting]:
    """The setting of each variant of an experiment at smoke; of those that are alike, the first."""
    different: dict[str, Setting] = {}
    for run in expand(load(name, overrides), "smoke", [0]):
        if run.setting not in different.values():
            different[run.variant] = run.setting
    return different


def take(setting: Setting, seeds: Sequence[int]) -> dict[str, Any]:
    """Takes eager steps, captures one, replays it, and returns what each of these did.

    Returns:
        ``host`` and ``device``: the counts of the two parts of the second eager step; ``capture``: those from the first
        eager step to the end of the check of the graph; ``replay``: those of a step with it; ``refused``: why there is
        no graph, or None; ``violations``: of all of it.
    """
    with numerics(CUDA, 1, precision=setting.precision):
        trainer = make_trainer(setting, seeds, CUDA)
        trainer.step()
        found: dict[str, Any] = {"violations": {}}
        for part, step in (("host", trainer.host_step), ("device", trainer.device_step)):
            found[part] = _counted(step, found)
        del trainer
        found |= _captured(make_trainer(setting, seeds, CUDA), found)
    return found


def _captured(trainer: StackTrainer, found: dict[str, Any]) -> dict[str, Any]:
    counters.reset()
    try:
        step = capture(trainer)
    except NotCapturedError as reason:
        found["violations"] |= counters.violations()
        return {"refused": str(reason), "capture": None, "replay": None}
    found["violations"] |= counters.violations()
    return {"refused": None, "capture": counters.counts(), "replay": _counted(step, found)}


def _counted(step: Any, found: dict[str, Any]) -> dict[str, int]:
    counters.reset()
    step()
    found["violations"] |= counters.violations()
    return counters.counts()
