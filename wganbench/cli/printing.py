"""Tables and progress bars in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


def plain() -> Console:
    """Returns a console for tables, as wide as the terminal, or 160 columns wide into a pipe."""
    return Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False)


def counted(n: int, noun: str) -> str:
    """Returns a number with its noun, such as ``"1 run"`` or ``"1,200 runs"``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def print_tables(tables: Iterable[Table]) -> None:
    console = plain()
    for each in tables:
        console.print(each)


def print_rows(rows: Sequence[Mapping[str, str]]) -> None:
    if rows:
        table = Table(*rows[0], box=None)
        for row in rows:
            table.add_row(*map(Text, row.values()))
        plain().print(table)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a progress bar on stderr if that is a terminal; yields a function ``(done, total)`` that updates it."""
    console, columns = Console(stderr=True), (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    ) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
