"""Tables as data, a row a dataclass, and how they are written: Markdown, CSV, JSON, or for the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import rich.table
from rich.text import Text

Format = Literal["markdown", "csv", "json"]

Scalar = str | int | float | None

NONE = "–"
"""What a cell without a number shows."""


class Row(Protocol):
    """One line of a table."""

    def cells(self) -> dict[str, str]:
        """What a reader sees, by column heading; a column that is empty in every row is not shown."""
        ...

    def data(self) -> dict[str, Scalar]:
        """The same unrounded and flat, by field, for CSV and JSON."""
        ...


@dataclass(frozen=True)
class Table:
    """Rows of one kind, and the lines that stand under them."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def join(title: str, tables: Iterable[Table]) -> Table:
    """The rows of several tables of one kind in one, as CSV and JSON want them; equal notes once."""
    tables = list(tables)
    notes = dict.fromkeys(note for table in tables for note in table.notes)
    return Table(title, tuple(row for table in tables for row in table.rows), tuple(notes))


def render(table: Table, form: Format) -> str:
    """The table as text that ends with a line break: Markdown or JSON with its notes, CSV without."""
    return {"markdown": _markdown, "csv": _csv, "json": _json}[form](table)


def shown_cells(table: Table) -> list[dict[str, str]]:
    """The cells of each row, without the columns in which all are empty."""
    rows = [row.cells() for row in table.rows]
    filled = {heading for row in rows for heading, cell in row.items() if cell}
    return [{heading: cell for heading, cell in row.items() if heading in filled} for row in rows]


def _markdown(table: Table) -> str:
    rows = shown_cells(table)
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)] if rows else []
    text = "".join(f"| {' | '.join(escape(cell) for cell in line)} |\n" for line in lines) or "No rows.\n"
    return text + "".join(f"\n{note}\n" for note in table.notes)


def escape(text: str) -> str:
    """``text`` for one cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def _csv(table: Table) -> str:
    rows, out = [row.data() for row in table.rows], io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _json(table: Table) -> str:
    rows = [{key: _finite(value) for key, value in row.data().items()} for row in table.rows]
    content = {"title": table.title, "rows": rows, "notes": list(table.notes)}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Scalar) -> Scalar:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def terminal(table: Table) -> rich.table.Table:
    """For a rich console: the title above, the notes below."""
    shown = rich.table.Table(
        title=Text(table.title),
        caption=Text("\n".join(table.notes)) if table.notes else None,
        caption_justify="left",
        title_justify="left",
        min_width=min(len(table.title), 80),  # title and notes are wrapped where the columns end
    )
    rows = shown_cells(table)
    for heading in rows[0] if rows else ["no rows"]:
        shown.add_column(heading, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell.replace("*", "")) for cell in row.values()))
    return shown
