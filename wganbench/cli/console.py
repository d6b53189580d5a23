"""Output of ``run`` while it trains: lines and progress bars for people, or lines of JSON for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from wganbench.analysis.tables.table import Table, terminal
from wganbench.cli.printing import print_tables
from wganbench.records.record import Record
from wganbench.runner.jobs.job import Event
from wganbench.spec.plan import Cohort, step_flops

PROGRESS_SECONDS = 10.0
"""The shortest time between two lines of JSON on a cohort's progress."""
SPEED_SECONDS = 300.0
"""The time over which a bar averages its speed, since cohorts of different methods follow each other."""


class Voice(Protocol):
    """The output of ``run`` while it trains."""

    def say(self, text: str) -> None:
        """Prints a sentence for the user that is not an error."""

    def record(self, record: Record) -> None:
        """Called when a run has been recorded."""

    def tell(self, event: Event) -> None:
        """Called when something has happened to a job or to the store."""

    def report(self, cohort: str, step: int) -> None:
        """Called with the step that a cohort has reached."""

    def show(self, found: Table) -> None:
        """Prints a table for people; the JSON output omits it."""

    def end(self, text: str, **about: Any) -> None:
        """Called at the end of the command, with a sentence for people and the rest for programs."""


class Lines:
    """Prints each event to stdout as one line of JSON."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}

    def _line(self, event: str, **about: Any) -> None:
        click.echo(json.dumps({"time": round(time.time(), 3), "event": event, **about}))

    def say(self, text: str) -> None:
        self._line("note", message=text)

    def record(self, record: Record) -> None:
        about = {name: getattr(record, name) for name in ("id", "status", "steps_done", "wall_seconds", "retries")}
        self._line("record", **about, note=record.note)

    def tell(self, event: Event) -> None:
        click.echo(json.dumps({"time": round(time.time(), 3), **event}))

    def report(self, cohort: str, step: int) -> None:
        now = time.monotonic()
        if now - self.told.get(cohort, -PROGRESS_SECONDS) >= PROGRESS_SECONDS:
            self.told[cohort] = now
            self._line("progress", cohort=cohort, step=step)

    def show(self, found: Table) -> None:
        pass

    def end(self, text: str, **about: Any) -> None:
        self._line("end", **about)


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f} steps/s" if task.speed and not task.fields.get("whole") else "")


class Bars:
    """Prints one line per record to stdout, warnings to stderr and, on a terminal, progress bars.

    There is one bar for the whole command and one for each cohort in training.

    Args:
        cohorts: All planned cohorts; the event ``begin`` lists those that will be trained.
    """

    def __init__(self, cohorts: Sequence[Cohort], bars: Progress):
        self.cohorts = {cohort.id: cohort for cohort in cohorts}
        self.bars, self.tasks = bars, dict[str, Any]()
        self.whole: Whole | None = None

    def say(self, text: str) -> None:
        click.echo(text)

    def record(self, record: Record) -> None:
        note = f"  {record.note.strip().splitlines()[-1]}" if record.note else ""
        tries = f"  (retries: {record.retries})" if record.retries else ""
        click.echo(f"{record.id}  {record.status}  {record.wall_seconds:.1f} s{tries}{note}")
        if self.whole is not None:
            self.whole.record(record)

    def tell(self, event: Event) -> None:
        if event["event"] == "begin" and event["cohorts"]:
            self.whole = Whole(self.bars, [self.cohorts[name] for name in event["cohorts"]], event)
        about = TOLD.get(event["event"])
        if about is not None:
            where = event.get("cohort") or event.get("file")
            click.echo(f"wganbench: {where}: {about.format_map(event)}", err=True)

    def report(self, cohort: str, step: int) -> None:
        steps = self.cohorts[cohort].runs[0].setting.steps
        if self.whole is not None:
            self.whole.report(cohort, step)
        if cohort not in self.tasks and step < steps:
            self.tasks[cohort] = self.bars.add_task(cohort, total=steps)
        if cohort in self.tasks:
            self.bars.update(self.tasks[cohort], completed=step)
            if step >= steps:
                self.bars.remove_task(self.tasks.pop(cohort))

    def show(self, found: Table) -> None:
        print_tables([terminal(found)])

    def end(self, text: str, **about: Any) -> None:
        click.echo(text)


class Whole:
    """The progress bar of the whole command: the number of recorded runs, and the time left based on the work done.

    Args:
        cohorts: The cohorts that will be trained.
        begin: The event with the number of runs, the number left, and the step from which each cohort continues.
    """

    def __init__(self, bars: Progress, cohorts: Sequence[Cohort], begin: Event):
        self.bars, self.n_runs, self.n_recorded = bars, begin["runs"], begin["runs"] - begin["left"]
        self.reached = {cohort.id: begin["cohorts"][cohort.id] for cohort in cohorts}
        self.cost, self.steps = _costs(cohorts), {cohort.id: cohort.runs[0].setting.steps for cohort in cohorts}
        self.runs = {cohort.id: {run.id for run in cohort.runs} for cohort in cohorts}
        total = sum(self.cost[name] * steps for name, steps in self.steps.items())
        self.task = bars.add_task(self._says(), total=total, whole=True)
        bars.update(self.task, completed=self._completed())

    def report(self, cohort: str, step: int) -> None:
        if cohort in self.reached:
            self.reached[cohort] = max(self.reached[cohort], step)
            self.bars.update(self.task, completed=self._completed())

    def record(self, record: Record) -> None:
        """Counts a recorded run; its cohort then counts as complete, even if it ended early."""
        self.n_recorded += 1
        for cohort, runs in self.runs.items():
            if runs <= set(record.cohort):
                self.reached[cohort] = self.steps[cohort]
        self.bars.update(self.task, description=self._says(), completed=self._completed())

    def _says(self) -> str:
        return f"{self.n_recorded:,} of {self.n_runs:,} runs recorded"

    def _completed(self) -> float:
        return sum(self.cost[name] * step for name, step in self.reached.items())


def _costs(cohorts: Sequence[Cohort]) -> dict[str, float]:
    """Returns the operations of one step of each cohort, or its number of seeds if any operations are unknown."""
    flops = {cohort.id: step_flops(cohort.runs[0].setting) for cohort in cohorts}
    is_known = all(each for each in flops.values())
    return {cohort.id: len(cohort.runs) * ((flops[cohort.id] or 1.0) if is_known else 1.0) for cohort in cohorts}


TOLD = {
    "code changed": "{message}",
    "not used": "not used, as {name!r} is an installed module of that name; rename the file",
    "set aside": "damaged, its run is trained anew: {message}",
    "warning": "{message}",
    "out of memory": "the device had no memory for it beside others; it is tried again alone ({message})",
    "timed out": "ended after {seconds:g} s, at step {step}",
}
"""Messages for the events that are printed as warnings; ``--log-json`` prints all events."""


@contextmanager
def voice(cohorts: Sequence[Cohort], *, as_json: bool) -> Iterator[Voice]:
    """Yields the output of the command: JSON, or lines with progress bars on a terminal."""
    if as_json:
        yield Lines()
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), _Speed(), TimeRemainingColumn())
    # On a terminal, records are printed to stdout above the bars; into a pipe they go unchanged.
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
        speed_estimate_period=SPEED_SECONDS,
    ) as bars:
        yield Bars(cohorts, bars)
