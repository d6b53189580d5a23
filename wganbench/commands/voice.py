"""What ``run`` says while it trains: lines and bars for people, or lines of JSON for programs."""

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

from wganbench.plan import Run
from wganbench.record import Record
from wganbench.work.job import Event

PROGRESS_SECONDS = 10.0
"""How often a cohort's progress is a line of JSON."""


class Voice(Protocol):
    def say(self, text: str) -> None:
        """A sentence for the user that is no error."""

    def record(self, record: Record) -> None:
        """A run has been recorded."""

    def tell(self, event: Event) -> None:
        """Something happened to a job or to the store."""

    def report(self, cohort: str, step: int) -> None:
        """How far a cohort is."""

    def end(self, text: str, **about: Any) -> None:
        """The command is over; the sentence for people, the rest for programs."""


class Lines:
    """JSON, one event a line, on stdout."""

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

    def end(self, text: str, **about: Any) -> None:
        self._line("end", **about)


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f} steps/s" if task.speed else "")


class Bars:
    """A line a record on stdout, warnings on stderr, and on a terminal a bar a cohort under way."""

    def __init__(self, runs: Sequence[Run], bars: Progress):
        self.steps = {run.family: run.setting.steps for run in runs}
        self.bars, self.tasks = bars, dict[str, Any]()

    def say(self, text: str) -> None:
        click.echo(text)

    def record(self, record: Record) -> None:
        note = f"  {record.note.strip().splitlines()[-1]}" if record.note else ""
        tries = f"  (retries: {record.retries})" if record.retries else ""
        click.echo(f"{record.id}  {record.status}  {record.wall_seconds:.1f} s{tries}{note}")

    def tell(self, event: Event) -> None:
        about = TOLD.get(event["event"])
        if about is not None:
            where = event.get("cohort") or event.get("file")
            click.echo(f"wganbench: {where}: {about.format_map(event)}", err=True)

    def report(self, cohort: str, step: int) -> None:
        steps = self.steps[cohort.rsplit("-s", 1)[0]]
        if cohort not in self.tasks and step < steps:
            self.tasks[cohort] = self.bars.add_task(cohort, total=steps)
        if cohort in self.tasks:
            self.bars.update(self.tasks[cohort], completed=step)
            if step >= steps:
                self.bars.remove_task(self.tasks.pop(cohort))

    def end(self, text: str, **about: Any) -> None:
        click.echo(text)


TOLD = {
    "code changed": "{message}",
    "not used": "not used, as {name!r} is an installed module of that name; rename the file",
    "set aside": "damaged, its run is trained anew: {message}",
    "warning": "{message}",
    "out of memory": "the device had no memory for it beside others; it is tried again alone ({message})",
    "timed out": "ended after {seconds:g} s, at step {step}",
}
"""Events that people are told of, which is what went wrong; ``--log-json`` has them all."""


@contextmanager
def voice(runs: Sequence[Run], *, as_json: bool) -> Iterator[Voice]:
    """How the command speaks: JSON, or lines with bars on a terminal."""
    if as_json:
        yield Lines()
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), _Speed(), TimeRemainingColumn())
    # Records go to stdout above the bars on a terminal, and untouched into a pipe.
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal, redirect_stdout=sys.stdout.isatty()
    ) as bars:
        yield Bars(runs, bars)
