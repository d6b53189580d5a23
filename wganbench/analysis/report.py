"""Writes REPORT.md, its figures and ``verdicts.json`` from specs, records and measured speeds, deterministically."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wganbench.analysis.figures import Drawing, animate, draw, drawings_of, figures_of, left_over, save
from wganbench.analysis.finding import Finding
from wganbench.analysis.ledger import FILE, Ledger, digests_in, last, ledger_of, losses
from wganbench.analysis.page import render_page
from wganbench.analysis.results import Results, reported
from wganbench.analysis.tables.scoreboard import scoreboard_markdown
from wganbench.analysis.verdict import Verdict, judge
from wganbench.errors import RecordError
from wganbench.files import write_atomically
from wganbench.records import speeds
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import Experiment

BEGIN, END = "<!-- scoreboard:begin -->", "<!-- scoreboard:end -->"

Records = Mapping[str, Record]


@dataclass(frozen=True)
class Report:
    """The content of a report.

    Attributes:
        markdown: The text of ``REPORT.md``.
        scoreboard: The Markdown for a README beside the results folder.
        verdicts: The verdicts of each experiment, in the order of its claims.
        ledger: The ledger; it lacks the figures as long as they are not drawn.
        drawings: The figures that have something to draw.
        losses: The accepted findings on what the report drops or changes since the last one.
    """

    markdown: str
    scoreboard: str
    verdicts: Mapping[str, list[Verdict]]
    ledger: Ledger
    drawings: tuple[Drawing[Any], ...]
    losses: tuple[Finding, ...] = ()


def write_report(
    experiments: Sequence[Experiment],
    store: Store,
    out: Path,
    records: Records | None = None,
    *,
    only_figures: bool = False,
    accept: bool = False,
    on_figure: Callable[[int, int], None] = lambda drawn, figures: None,
) -> Report:
    """Writes ``REPORT.md``, ``verdicts.json`` and ``figures/`` into ``out``, and the README's scoreboard beside it.

    Figures of these experiments that are no longer part of the report are removed.

    Args:
        records: The records of ``store``, if they have been loaded already.
        only_figures: Whether to write only the figures and their digests and remove none, for a folder whose other
            files cover more experiments.
        accept: Whether the report may drop or change what the last one contained.
        on_figure: Called before the first figure and after each, with the number of figures drawn and their total.

    Raises:
        RecordError: If a record, an artefact or a file of measured speeds is damaged, or a file cannot be written. Also
            if there are losses that are not accepted, with one line for each; nothing is then written.
    """
    report = compose(experiments, store, store.load() if records is None else records, out)
    known, lost = last(out)
    if only_figures:
        lost = []
    elif known is not None:
        lost += losses(known, report.ledger, report.verdicts)
    if lost and not accept:
        remedy = f"{out}: nothing was written; 'wganbench report --accept' drops or changes what these lines say"
        raise RecordError("\n".join([*map(str, lost), remedy]))
    on_figure(0, len(report.drawings))
    for drawn, drawing in enumerate(report.drawings, start=1):
        save(draw(drawing, store), out / "figures" / drawing.file)
        for file, content in animate(drawing, store).items():
            write_atomically(out / "figures" / file, content, replace=True)
        on_figure(drawn, len(report.drawings))
    figures = {name: digests_in(out / "figures", files) for name, files in figures_of(report.drawings).items()}
    if only_figures:
        if known is not None:
            write_atomically(out / FILE, known.with_figures(figures).text().encode(), replace=True)
        return report
    for path in left_over([experiment.name for experiment in experiments], report.drawings, out / "figures"):
        with contextlib.suppress(OSError):  # 'check' reports files that remain
            path.unlink()
    write_atomically(out / "REPORT.md", report.markdown.encode(), replace=True)
    ledger = report.ledger.with_figures(figures)
    write_atomically(out / FILE, ledger.text().encode(), replace=True)
    readme = readme_of(out)
    if readme:
        write_atomically(readme, (with_block(readme, report.scoreboard) or "").encode(), replace=True)
    return dataclasses.replace(report, ledger=ledger, losses=tuple(lost))


def compose(experiments: Sequence[Experiment], store: Store, records: Records, out: Path) -> Report:
    """Composes the report's texts, without drawing or writing anything.

    Raises:
        RecordError: If a file of measured speeds, or of what was measured afterwards, is damaged.
    """
    records = reported(experiments, records)
    every = [Results(experiment, records) for experiment in experiments]
    verdicts = {results.experiment.name: judge(results) for results in every}
    drawings = {experiment.name: drawings_of(experiment, records) for experiment in experiments}
    board = scoreboard_markdown(experiments, verdicts, f"{out.resolve().name}/REPORT.md")
    shown = board if readme_of(out) else None
    return Report(
        markdown=render_page(
            every, records, verdicts, drawings, store.root, speeds.load(store.root), fingerprint(store, records)
        ),
        scoreboard=board,
        verdicts=verdicts,
        ledger=ledger_of(experiments, verdicts, store, records.values(), shown),
        drawings=tuple(drawing for some in drawings.values() for drawing in some if drawing.used),
    )


def fingerprint(store: Store, records: Records) -> str:
    """A digest of these records' bytes, twelve digits long, that changes even with a number that no table shows."""
    total, counted = hashlib.sha256(), {store.path(record) for record in records.values()}
    for path in (path for path in store.paths() if path in counted):
        total.update(f"{path.parent.name}/{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


def with_block(path: Path, block: str) -> str | None:
    """The text of a README with ``block`` between its markers; None if the file or its markers do not exist."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{block}{END}{after}" if begin and end else None


def readme_of(results: Path) -> Path | None:
    """The README beside a results folder, if the block in it is empty or links to this folder's report.

    A report on another folder of the same checkout, such as a user's own quick runs, thus leaves the README alone.
    """
    results = results.resolve()
    path = results.parent / "README.md"
    bare = with_block(path, "")
    if bare is None:
        return None
    text = path.read_text(encoding="utf-8")
    return path if text.replace("\n", "") == bare.replace("\n", "") or f"]({results.name}/REPORT.md)" in text else None
