"""Whether a checkpoint's progress is what it says: its curves reach the step that it is said to be of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wganbench.runner.checkpoint import Checkpoint
from wganbench.runner.schedule import LOSS_POINTS, schedule
from wganbench.spec import Setting


def doubt(setting: Setting, losses: Iterable[str], saved: Checkpoint) -> str | None:
    """Says why training cannot go on from a checkpoint; None where its parts agree.

    No checkpoint is made at the last step, after which there are records, nor where all runs have diverged. Up to its
    step, each run has a value at every scheduled step of its measures and losses, and none beyond; a run that diverged
    has those before it was seen to.

    Args:
        losses: Labels of the losses' curves.
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
    """The same of one run's trace."""
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
    """The steps of a curve with as many values; nothing where it is no curve."""
    if not isinstance(curve, tuple | list) or len(curve) != 2 or not all(isinstance(part, list) for part in curve):
        return []
    steps, values = curve
    numbers = all(type(each) is int for each in steps)
    are_values = all(each is None or type(each) is float for each in values)
    return steps if numbers and are_values and len(steps) == len(values) else []
