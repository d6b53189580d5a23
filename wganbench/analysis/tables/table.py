"""Tables as data, and their output as Markdown, CSV, JSON or in the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import rich.table
from rich.text import Text

from wganbench.spec import BREAKS, CONTROL

Format = Literal["markdown", "csv", "json"]

Scalar = str | int | float | None

NONE = "–"
"""The text of a cell without a number."""


class Markdown(str):
    """A cell whose links and line breaks are our own and stay as they are; any other may quote what others wrote."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        cells: The text of the cells by column heading; a column that is empty in every row is not shown, nor is a row
            without cells.
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
    """The cells of each row that has any, without the columns that are empty in every row."""
    rows = [row.cells for row in table.rows if row.cells]
    filled = {heading for row in rows for heading, cell in row.items() if cell}
    return [{heading: cell for heading, cell in row.items() if heading in filled} for row in rows]


def _markdown(table: Table) -> str:
    rows = shown_cells(table)
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)] if rows else []
    text = "".join(f"| {' | '.join(escape(cell) for cell in line)} |\n" for line in lines) or "No rows.\n"
    return text + "".join(f"\n{paragraph(note)}\n" for note in table.notes)


def escape(text: str) -> str:
    """Escapes ``text`` for one cell of a Markdown table."""
    return " ".join((text if isinstance(text, Markdown) else inline(text)).replace("|", "\\|").split())


HTML, ENTITY = re.compile(r"<(?=[A-Za-z/!?])"), re.compile(r"&(?=#?\w+;)")
LINK = re.compile(r"\](?=[(\[:])")
"""What ends the text of a link, an image or a definition of either; brackets around an interval do not."""
ESCAPED = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
BLOCK = re.compile(r"(?=[#>]|[-+*=](?:\s|$)|```|~~~|([-*_=])\s*\1\s*\1)|(?<=\d)(?=[.)]\s)")
"""Where a backslash keeps a line from beginning a heading, a quotation, a list, a rule or a block of code."""


def inline(text: str) -> str:
    """Returns Markdown for text that others may have written: one line without HTML, links and images.

    Emphasis and code stay, as specs have them. An entity in the text is shown as it was written.
    """
    return LINK.sub(r"]\\", _bracketed(text))


def _bracketed(text: str) -> str:
    """Returns Markdown for text whose brackets may still belong to links."""
    text = ESCAPED.sub(r"\\\\", CONTROL.sub("?", BREAKS.sub(" ", text)))
    return " ".join(HTML.sub("&lt;", ENTITY.sub("&amp;", text)).split())


def paragraph(text: str) -> str:
    """Returns Markdown for text with which a paragraph or an item of a list begins; see `inline`."""
    text = inline(text)
    first = BLOCK.search(text[:12])
    is_first = first is not None and not text[: first.start()].strip("0123456789")
    return f"{text[: first.start()]}\\{text[first.start() :]}" if first and is_first else text


def link_text(text: str) -> str:
    """Returns Markdown for the text of a link or an image, whose brackets are ours alone; see `inline`."""
    return _bracketed(text).replace("[", "\\[").replace("]", "\\]")


def printed(text: str) -> str:
    """Returns text for a terminal: characters that would control it, or that no file can hold, become ``?``."""
    return CONTROL.sub("?", text)


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
    rows = shown_cells(table)
    shown = rich.table.Table(
        title=Text(printed(table.title)),
        caption=Text(printed("\n".join(table.notes))) if table.notes else None,
        caption_justify="left",
        title_justify="left",
        # Title and notes are wrapped at the width of the columns.
        min_width=min(len(table.title), 80) if rows else 80,
    )
    for heading in rows[0] if rows else ["no rows"]:
        shown.add_column(Text(printed(heading)), overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printed(cell.replace("*", ""))) for cell in row.values()))
    return shown
