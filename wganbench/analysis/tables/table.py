"""Tables as data, and their output as Markdown, CSV, JSON or in the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import rich.table
from rich.text import Text

Format = Literal["markdown", "csv", "json"]

Scalar = str | int | float | None

NONE = "–"
"""The text of a cell without a number."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        cells: The text of the cells by column heading; a column that is empty in every row is not shown.
        data: The same content by field, unrounded and flat, for CSV and JSON.
    """

    cells: Mapping[str, str]
    data: Mapping[str, Scalar]


@dataclass(frozen=True)
class Table:
    """Rows of one kind, and the notes under them."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def render(table: Table, form: Format) -> str:
    """Renders the table as text that ends with a line break: Markdown or JSON with its notes, CSV without."""
    return {"markdown": _markdown, "csv": _csv, "json": _json}[form](table)


def shown_cells(table: Table) -> list[dict[str, str]]:
    """The cells of each row, without the columns that are empty in every row."""
    filled = {heading for row in table.rows for heading, cell in row.cells.items() if cell}
    return [{heading: cell for heading, cell in row.cells.items() if heading in filled} for row in table.rows]


def _markdown(table: Table) -> str:
    rows = shown_cells(table)
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)] if rows else []
    text = "".join(f"| {' | '.join(escape(cell) for cell in line)} |\n" for line in lines) or "No rows.\n"
    return text + "".join(f"\n{note}\n" for note in table.notes)


def escape(text: str) -> str:
    """Escapes ``text`` for one cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def _csv(table: Table) -> str:
    rows, out = [row.data for row in table.rows], io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _json(table: Table) -> str:
    rows = [{key: _finite(value) for key, value in row.data.items()} for row in table.rows]
    content = {"title": table.title, "rows": rows, "notes": list(table.notes)}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Scalar) -> Scalar:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def terminal(table: Table) -> rich.table.Table:
    """Renders the table for a rich console, with the title above and the notes below."""
    shown = rich.table.Table(
        title=Text(table.title),
        caption=Text("\n".join(table.notes)) if table.notes else None,
        caption_justify="left",
        title_justify="left",
        min_width=min(len(table.title), 80),  # title and notes are wrapped at the width of the columns
    )
    rows = shown_cells(table)
    for heading in rows[0] if rows else ["no rows"]:
        shown.add_column(heading, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell.replace("*", "")) for cell in row.values()))
    return shown
