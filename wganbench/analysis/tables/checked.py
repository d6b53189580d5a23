"""The findings of a check and the changes since a revision, as a summary for a job or a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from wganbench.analysis.finding import Finding
from wganbench.analysis.since import Since
from wganbench.analysis.tables.table import Row, Table, paragraph, render


def summary(covers: str, findings: Sequence[Finding], since: Since | None, notes: Sequence[str]) -> str:
    """Returns GitHub's Markdown: findings and weakening changes in sight, other changes and notes folded away.

    Args:
        covers: One line on what was checked.
        since: The changes since a revision; None if none was asked for.
        notes: Lines that are no findings.
    """
    parts = ["## wganbench check", covers]
    parts += ["### Findings", _table(findings)] if findings else []
    if since is not None:
        parts.append(tally(since))
        parts += ["### Changes that weaken the evidence", _table(since.weakening)] if since.weakening else []
        others = [change for change in since.changes if not change.weakens]
        parts += [_folded("Other changes", len(others), _table(others))] if others else []
    parts += [_folded("Notes", len(notes), "\n".join(f"- {paragraph(note)}" for note in notes))] if notes else []
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def tally(since: Since) -> str:
    """Counts the changes, as ``"since 0123456789: 12 changes, 1 of which weakens the evidence"``."""
    n, weak = len(since.changes), len(since.weakening)
    verb = "weakens" if weak == 1 else "weaken"
    return f"since {since.revision}: {n} change{'' if n == 1 else 's'}, {weak or 'none'} of which {verb} the evidence"


def _table(findings: Sequence[Finding]) -> str:
    rows = [
        {
            "what": finding.check,
            "experiment": finding.experiment,
            "subject": f"`{finding.subject.replace('`', '´')}`",
            "text": finding.text,
        }
        for finding in findings
    ]
    return render(Table("", tuple(Row(row, {}) for row in rows)), "markdown")


def _folded(heading: str, n: int, text: str) -> str:
    return f"<details><summary>{heading} ({n})</summary>\n\n{text}\n\n</details>"
