"""Watches a run's band while it trains: reports when a run leaves it, and holds the last weights inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wganbench.measures.band import regained
from wganbench.measures.over_steps import Curves
from wganbench.runner.trace import Trace
from wganbench.runner.weights import of_trainer
from wganbench.spec import Setting
from wganbench.training.critic_trainer import StackTrainer


class BandWatch:
    """Watches the runs of a cohort.

    Args:
        setting: The setting, whose ``band`` may be None.
        runs: The ids of the runs.
        traces: The trace of each run, which gets the weights inside the band.
        holds_weights: Whether to hold weights at all.
        on_message: Called with a line for each run that leaves its band, the first time that it does.
    """

    def __init__(
        self,
        setting: Setting,
        runs: Sequence[str],
        traces: Sequence[Trace],
        on_message: Callable[[str], None],
        *,
        holds_weights: bool,
    ):
        self.band, self.runs, self.traces = setting.band, runs, traces
        self.begin = setting.band.skip * setting.steps if setting.band else 0.0
        self.on_message, self.holds_weights = on_message, holds_weights

    def look(self, trainer: StackTrainer, step: int) -> None:
        """Looks at each run whose measure was taken at ``step``."""
        if self.band is None:
            return
        for index, trace in enumerate(self.traces):
            steps, values = trace.curves.get(self.band.of, ([], []))
            if not steps or steps[-1] != step:
                continue
            is_lost = trace.status == "diverged" or values[-1] is None
            settled = self._settled(trace) if step >= self.begin else {}
            is_outside = is_lost or (bool(settled) and regained(settled, of=self.band.of, skip=0.0) > self.band.regain)
            if is_outside and not trace.is_outside:
                self.on_message(f"{self.runs[index]}: {self._describe(trace, step)}")
            trace.is_outside = trace.is_outside or is_outside
            if not is_outside and self.holds_weights:
                trace.good = {role: dict(state) for role, state in of_trainer(trainer, index).items()}
                trace.good_step = step

    def _settled(self, trace: Trace) -> Curves:
        """The measure without the beginning that is left out."""
        assert self.band is not None
        steps, values = trace.curves[self.band.of]
        first = sum(step < self.begin for step in steps)
        return {self.band.of: (steps[first:], values[first:])}

    def _describe(self, trace: Trace, step: int) -> str:
        assert self.band is not None
        last = trace.curves[self.band.of][1][-1]
        steps, values = self._settled(trace)[self.band.of]
        known = [(value, at) for value, at in zip(values, steps, strict=True) if value is not None]
        said = "not finite" if last is None else f"{last:.4g}"
        said += ", after {:.4g} at step {:,}".format(*min(known)) if known else ""
        kept = "--keep-weights would keep the last weights inside"
        if self.holds_weights:
            kept = f"the weights of step {trace.good_step:,} are kept" if trace.good else "no weights were inside"
        return f"{self.band.of} has left its band at step {step:,}: {said}; {kept}"
