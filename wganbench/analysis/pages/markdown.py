"""Parts that several pages have: folded text, tables with a title, a page's last line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wganbench.analysis.tables.notes import INTERVALS, TROUBLED
from wganbench.analysis.tables.table import Table, inline, render
from wganbench.reading import read_text

PAGE = "README.md"
"""The file name of every page, which GitHub shows when its folder is opened."""
MAX_BYTES = 2**26
"""The largest page that is read."""
FOLDED_FROM = 16
"""The number of rows from which a table is folded away, so that the page can be read through."""
MADE_BY = "Made by `wganbench report`"
"""The first words of the last paragraph of every page."""

GUIDE = (INTERVALS, TROUBLED)
"""The notes that a page states once for all of its tables."""


def page(parts: Iterable[str], n: int, fingerprint: str = "") -> str:
    """Joins the paragraphs of a page, without empty ones, and adds the line that says what it was made from.

    Args:
        n: The number of records; without a fingerprint, of measured rows.
    """
    what = f"{n:,} records (fingerprint `{fingerprint}`)" if fingerprint else f"{n:,} measured rows"
    made = f"{MADE_BY} from {what}; do not edit it: `wganbench check` compares it with them."
    return "\n\n".join(part.strip("\n") for part in (*parts, "---", made) if part.strip("\n")) + "\n"


def is_page(path: Path) -> bool:
    """Returns whether a file exists and was written by a report, as far as its words tell."""
    return path.is_file() and f"\n{MADE_BY}" in read_text(path, MAX_BYTES, errors="replace")


def folded(text: str, summary: str) -> str:
    """Folds Markdown away under one line; empty if there is no text."""
    return f"<details><summary>{summary}</summary>\n\n{text.strip(chr(10))}\n\n</details>" if text else ""


def folded_table(found: Table, summary: str, *, rows: int = FOLDED_FROM) -> str:
    """Renders a table, folded away under ``summary`` if it has at least ``rows`` rows."""
    text = render(found, "markdown")
    return folded(text, summary) if len(found.rows) >= rows else text


def titled(found: Table) -> str:
    """Renders a table under its title in bold."""
    return f"**{inline(found.title)}**\n\n{render(found, 'markdown')}"


def without_guide(found: Table) -> tuple[str, ...]:
    """The table's notes without those that the page states once for all tables."""
    return tuple(note for note in found.notes if note not in GUIDE)
