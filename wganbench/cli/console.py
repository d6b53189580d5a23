"""Tables, progress bars, and the output of ``run`` while it trains: lines and bars for people, or JSON for programs."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
import rich.table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from wganbench.analysis.tables.table import Table, printed, terminal
from wganbench.records.record import Record, gist
from wganbench.runner.jobs.job import Event
from wganbench.spec.plan import Cohort, step_flops

PROGRESS_SECONDS = 10.0
"""The shortest time between two lines of JSON on a cohort's progress."""
SPEED_SECONDS = 300.0
"""The time over which a bar averages its speed, since cohorts of different methods follow each other."""


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Prints text, of which others may have written a part: it cannot control the terminal, or GitHub's job log."""
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    # Replaced here, as click itself writes UTF-8 where the terminal has ASCII.
    shown = printed(str(text)).encode(encoding, "replace").decode(encoding)
    if "GITHUB_ACTIONS" in os.environ:
        shown = COMMAND.sub(r"\1? \2", shown)
    click.echo(shown, err=err, nl=nl)


COMMAND = re.compile(r"^(\s*)(::|##\[)", re.MULTILINE)
"""The beginning of a line that GitHub takes as a command."""


def counted(n: int, noun: str) -> str:
    """Returns a number with its noun, such as ``"1 run"`` or ``"1,200 runs"``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def print_tables(*tables: rich.table.Table) -> None:
    """Prints tables as wide as the terminal, or 160 columns wide into a pipe."""
    console = Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False)
    for each in tables:
        console.print(each)


def print_rows(rows: Sequence[Mapping[str, str]]) -> None:
    """Prints rows, each a mapping of the column's name to the cell's text; nothing if there are none."""
    if rows:
        table = rich.table.Table(box=None)
        for heading in rows[0]:
            table.add_column(_text(heading))
        for row in rows:
            table.add_row(*map(_text, row.values()))
        print_tables(table)


def _text(text: str) -> Text:
    return Text(printed(text))


@contextmanager
def _progress(*columns: ProgressColumn, **options: Any) -> Iterator[Progress]:
    """Yields progress bars on stderr, which are shown only on a terminal."""
    console = Console(stderr=True)
    # On a terminal, what is printed to stdout appears above the bars; into a pipe it goes unchanged.
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
        **options,
    ) as bars:
        yield bars


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a progress bar on stderr if that is a terminal; yields a function ``(done, total)`` that updates it."""
    with _progress(MofNCompleteColumn()) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


# ---- while `run` trains ---------------------------------------------------------------------------------------------


class JsonReporter:
    """Prints each event to stdout as one line of JSON."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}

    def on_event(self, event: Event) -> None:
        """Reports what has happened to a job or to the store."""
        echo(json.dumps({"time": round(time.time(), 3), **event}))

    def on_message(self, text: str) -> None:
        """Reports a sentence that is not an error."""
        self.on_event({"event": "note", "message": text})

    def on_record(self, record: Record) -> None:
        """Reports that a run has been recorded."""
        about = {name: getattr(record, name) for name in ("id", "status", "steps_done", "wall_seconds", "retries")}
        self.on_event({"event": "record", **about, "note": record.note})

    def on_progress(self, cohort: str, step: int) -> None:
        """Reports the step that a cohort has reached."""
        now = time.monotonic()
        if now - self.last.get(cohort, -PROGRESS_SECONDS) >= PROGRESS_SECONDS:
            self.last[cohort] = now
            self.on_event({"event": "progress", "cohort": cohort, "step": step})

    def on_table(self, table: Table) -> None:
        """Leaves out a table, which is for people."""

    def on_end(self, text: str, **about: Any) -> None:
        """Reports the end of the command: a sentence for people, and the rest for programs."""
        self.on_event({"event": "end", **about})


class TerminalReporter:
    """Prints one line per record to stdout, warnings to stderr and, on a terminal, progress bars.

    There is one bar for the whole command and one for each cohort in training. The methods are those of `JsonReporter`.

    Args:
        cohorts: All planned cohorts; the event ``begin`` lists those that will be trained.
    """

    def __init__(self, cohorts: Sequence[Cohort], bars: Progress):
        self.cohorts = {cohort.id: cohort for cohort in cohorts}
        self.bars, self.tasks = bars, dict[str, Any]()
        self.overall: OverallBar | None = None

    def on_event(self, event: Event) -> None:
        if event["event"] == "begin" and event["cohorts"]:
            self.overall = OverallBar(self.bars, [self.cohorts[name] for name in event["cohorts"]], event)
        warning = WARNINGS.get(event["event"])
        if warning is not None:
            where = event.get("cohort") or event.get("file")
            echo(f"wganbench: {where}: {warning.format_map(event)}", err=True)

    def on_message(self, text: str) -> None:
        echo(text)

    def on_record(self, record: Record) -> None:
        note = f"  {gist(record.note)}" if record.note else ""
        tries = f"  (retries: {record.retries})" if record.retries else ""
        echo(f"{record.id}  {record.status}  {record.wall_seconds:.1f} s{tries}{note}")
        if self.overall is not None:
            self.overall.on_record(record)

    def on_progress(self, cohort: str, step: int) -> None:
        steps = self.cohorts[cohort].runs[0].setting.steps
        if self.overall is not None:
            self.overall.on_progress(cohort, step)
        if cohort not in self.tasks and step < steps:
            self.tasks[cohort] = self.bars.add_task(cohort, total=steps)
        if cohort in self.tasks:
            self.bars.update(self.tasks[cohort], completed=step)
            if step >= steps:
                self.bars.remove_task(self.tasks.pop(cohort))

    def on_table(self, table: Table) -> None:
        print_tables(terminal(table))

    def on_end(self, text: str, **about: Any) -> None:
        echo(text)


Reporter = JsonReporter | TerminalReporter
"""The output of ``run`` while it trains."""


@contextmanager
def reporter(cohorts: Sequence[Cohort], *, as_json: bool) -> Iterator[Reporter]:
    """Yields the output of the command: JSON, or lines with progress bars on a terminal."""
    if as_json:
        yield JsonReporter()
        return
    with _progress(_Speed(), speed_estimate_period=SPEED_SECONDS) as bars:
        yield TerminalReporter(cohorts, bars)


WARNINGS = {
    "code changed": "{message}",
    "not used": "not used, as {name!r} is an installed module of that name; rename the file",
    "set aside": "damaged, so its run is trained again: {message}",
    "warning": "{message}",
    "out of memory": "the device had no memory for it beside others; it is tried again alone ({message})",
    "timed out": "ended after {seconds:g} s, at step {step}",
    "waiting": "waiting for {owner}, which is training it; 'wganbench status' shows how far it is",
}
"""The messages for the events that are printed as warnings; ``--log-json`` prints all events."""


class OverallBar:
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
        self.task = bars.add_task("", total=total, is_overall=True)
        self._update()

    def on_progress(self, cohort: str, step: int) -> None:
        if cohort in self.reached:
            self.reached[cohort] = max(self.reached[cohort], step)
            self._update()

    def on_record(self, record: Record) -> None:
        """Counts a recorded run; its cohort then counts as complete, even if it ended early."""
        self.n_recorded += 1
        for cohort, runs in self.runs.items():
            if runs <= set(record.cohort):
                self.reached[cohort] = self.steps[cohort]
        self._update()

    def _update(self) -> None:
        completed = sum(self.cost[name] * step for name, step in self.reached.items())
        description = f"{self.n_recorded:,} of {self.n_runs:,} runs recorded"
        self.bars.update(self.task, description=description, completed=completed)


def _costs(cohorts: Sequence[Cohort]) -> dict[str, float]:
    """Returns the operations of one step of each cohort, or its number of seeds if any operations are unknown."""
    flops = {cohort.id: step_flops(cohort.runs[0].setting) for cohort in cohorts}
    is_known = all(each for each in flops.values())
    return {cohort.id: len(cohort.runs) * ((flops[cohort.id] or 1.0) if is_known else 1.0) for cohort in cohorts}


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        is_shown = task.speed and not task.fields.get("is_overall")
        return Text(f"{task.speed:.0f} steps/s" if is_shown else "")
