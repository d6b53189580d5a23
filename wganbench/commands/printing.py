"""Tables in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def plain() -> Console:
    """For tables: as wide as the terminal, or 160 columns into a pipe."""
    return Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False)


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
