"""Checks that a checkpoint is consistent: its curves must reach the step that it claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wganbench.runner.checkpoint import Checkpoint
from wganbench.runner.schedule import LOSS_POINTS, schedule
from wganbench.spec import Setting


def doubt(setting: Setting, losses: Iterable[str], saved: Checkpoint) -> str | None:
    """Returns why training cannot continue from a checkpoint; None if its parts agree.

    No checkpoint is made at the last step, after which there are records, nor if all runs have diverged. Each run has
    a value at every scheduled step of its measures and losses up to the checkpoint's step, and none beyond. A diverged
    run has only those before its divergence was detected.

    Args:
        setting: The setting of the runs.
        losses: Labels of the losses' curves.
        saved: The checkpoint to check.
    """
    if not 0 < saved.step < setting.steps:
        return f"of step {saved.step}, where one of this setting is of step 1 to {setting.steps - 1}"
    trained = saved.trainer.get("steps_done")
    if trained != saved.step:
        return f"its training is at step {trained}, and it says {saved.step}"
    due = {label: schedule(setting.steps, use.points) for label, use in setting.measures.items()}
    due |= {label: [step for step in schedule(setting.steps, LOSS_POINTS) if step > 0] for label in losses}
    if all(trace.get("status") == "diverged" for trace in saved.traces):
        return "of runs that have all diverged, which are recorded and not gone on with"
    return next(filter(None, (_doubt_about(trace, due, saved.step) for trace in saved.traces)), None)


def _doubt_about(trace: Mapping[str, Any], due: Mapping[str, list[int]], step: int) -> str | None:
    """Returns what is inconsistent in the trace of one run; None if nothing is."""
    status, done, curves = trace.get("status"), trace.get("steps_done"), trace.get("curves")
    if status not in ("finished", "diverged") or type(done) is not int or done > step or not isinstance(curves, dict):
        return f"a run of it is {status!r} after {done!r} steps, at step {step}"
    last = step if status == "finished" else done - 1
    for label, steps in due.items():
        expected = [each for each in steps if each <= last]
        found = _steps(curves.get(label, ([], [])))
        if found != expected:
            had = "none" if not found else f"{len(found)} up to step {found[-1]}"
            return f"{label} has {had} of the {len(expected)} values that it must have by step {last}"
    return None


def _steps(curve: Any) -> list[Any]:
    """Returns the steps of a curve with one value per step; an empty list if ``curve`` is no such curve."""
    if not isinstance(curve, tuple | list) or len(curve) != 2 or not all(isinstance(part, list) for part in curve):
        return []
    steps, values = curve
    numbers = all(type(each) is int for each in steps)
    are_values = all(each is None or type(each) is float for each in values)
    return steps if numbers and are_values and len(steps) == len(values) else []
