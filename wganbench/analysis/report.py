"""Writes a report's pages, its figures and ``verdicts.json`` from specs, records and measured speeds.

It is deterministic, and draws no figure again whose data, settings and tools are those of the last report.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wganbench.analysis.figures import (
    Drawing,
    animate,
    data_digest,
    draw,
    drawings_of,
    figures_of,
    save,
    tools_digest,
)
from wganbench.analysis.finding import Finding
from wganbench.analysis.ledger import FILE, Drawn, Ledger, Section, digests_in, last, ledger_of, losses
from wganbench.analysis.pages.experiment import experiment_page
from wganbench.analysis.pages.markdown import PAGE, is_page, page
from wganbench.analysis.pages.results import results_page
from wganbench.analysis.pages.speed import speed_page
from wganbench.analysis.profiles import settings_of
from wganbench.analysis.results import Results, reported
from wganbench.analysis.tables.scoreboard import readme_block
from wganbench.analysis.verdict import Verdict, judge
from wganbench.errors import RecordError
from wganbench.files import write_atomically
from wganbench.records import speeds
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import Experiment, natural
from wganbench.spec.coverage import load_coverage

BEGIN, END = "<!-- scoreboard:begin -->", "<!-- scoreboard:end -->"
KEPT = "surrogateescape"
"""How the user's own README is read and written, so that bytes which are not UTF-8 stay as they are."""
FIGURES = "figures"
"""The folder of an experiment's figures, beside its records."""
FORMER = re.compile(r"REPORT\.md|figures/[a-z0-9_.-]+-[a-z]+-[a-z0-9_.-]+\.(png|gif)")
"""The files of reports that had one page and one folder of figures for all experiments."""

MANY, MOST_PROCESSES = 8, 8
"""The number of figures from which on several processes draw them, as each takes two seconds to start; and how many."""

Records = Mapping[str, Record]


@dataclass(frozen=True)
class Report:
    """The content of a report.

    Attributes:
        pages: The Markdown of each page, by its path in the results folder.
        scoreboard: The Markdown for a README beside the results folder.
        results: The results of each experiment, by its name.
        verdicts: The verdicts of each experiment, in the order of its claims.
        ledger: The ledger; it lacks the figures as long as they are not drawn.
        drawings: The figures that have something to draw.
        losses: The accepted findings on what the report drops or changes since the last one.
    """

    pages: Mapping[str, str]
    scoreboard: str
    results: Mapping[str, Results]
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
    whole: bool = True,
    accept: bool = False,
    on_figure: Callable[[int, int], None] = lambda drawn, figures: None,
) -> Report:
    """Writes pages, figures and ``verdicts.json`` into ``out``, and the scoreboard into the README beside it.

    Figures that the last report drew, and that are no longer part of it, are removed.

    Args:
        records: The records of ``store``, if they have been loaded already.
        whole: Whether the folder is about these experiments alone. If not, only their own pages, figures and parts of
            ``verdicts.json`` are written.
        accept: Whether the report may drop or change what the last one contained.
        on_figure: Called before the first figure that is drawn and after each, with the number of figures drawn and
            the number to draw.

    Raises:
        RecordError: If a record, an artefact or a file of measured speeds is damaged, or a file cannot be written. Also
            if there are losses that are not accepted, with one line for each; nothing is then written.
    """
    report = compose(experiments, store, store.load() if records is None else records, out)
    names = {experiment.name for experiment in experiments}
    known, lost = last(out)
    lost = lost if whole else []
    if known is not None:
        lost += losses(known if whole else known.restricted_to(names), report.ledger, report.verdicts)
    pages = {path: text for path, text in report.pages.items() if whole or path.partition("/")[0] in names}
    lost += _foreign(out, pages)
    if lost and not accept:
        remedy = f"{out}: nothing was written; 'wganbench report --accept' drops or changes what these lines say"
        raise RecordError("\n".join([*map(str, lost), remedy]))
    ledger = report.ledger.with_figures(*_draw(report, store, out, known, on_figure))
    for path in left_over(report, known, out, whole=whole):
        with contextlib.suppress(OSError):  # 'check' reports files that remain
            path.unlink()
    for file, text in pages.items():
        write_atomically(out / file, text.encode(), replace=True)
    if not whole and known is not None:
        ledger = known.with_sections_of(ledger.restricted_to(names))
    if whole or known is not None:
        write_atomically(out / FILE, ledger.text().encode(), replace=True)
    readme = readme_of(out) if whole else None
    if readme:
        write_atomically(readme, (with_block(readme, report.scoreboard) or "").encode(errors=KEPT), replace=True)
    return dataclasses.replace(report, ledger=ledger, losses=tuple(lost))


def compose(experiments: Sequence[Experiment], store: Store, records: Records, out: Path) -> Report:
    """Composes the report's texts, without drawing or writing anything; experiments come in the order of their names.

    Raises:
        RecordError: If a file of measured speeds, or of what was measured afterwards, is damaged.
    """
    experiments = sorted(experiments, key=lambda experiment: natural(experiment.name))
    records = reported(experiments, records)
    results = {experiment.name: Results(experiment, records) for experiment in experiments}
    verdicts = {name: judge(each) for name, each in results.items()}
    drawings = {name: drawings_of(each) for name, each in results.items()}
    board = readme_block(verdicts, f"{out.resolve().name}/{PAGE}")
    digests = file_digests(store, records)
    return Report(
        pages=_pages(experiments, results, records, verdicts, drawings, store.root, digests),
        scoreboard=board,
        results=results,
        verdicts=verdicts,
        ledger=ledger_of(experiments, verdicts, store, records.values(), board if readme_of(out) else None),
        drawings=tuple(drawing for some in drawings.values() for drawing in some if drawing.used),
    )


def _pages(
    experiments: Sequence[Experiment],
    results: Mapping[str, Results],
    records: Records,
    verdicts: Mapping[str, list[Verdict]],
    drawings: Mapping[str, Sequence[Drawing[Any]]],
    root: Path,
    digests: Mapping[str, str],
) -> dict[str, str]:
    """Returns the text of every page, by its path in the results folder."""
    devices = speeds.load(root)
    planned = {name for each in experiments for name in settings_of(each, each.profiles)}
    front = results_page([*results.values()], records, verdicts, load_coverage(), has_speeds=bool(devices))
    found = {PAGE: page(front, len(records), fingerprint(digests))}
    for name, each in results.items():
        own = {run for run, record in records.items() if record.experiment == name}
        others = {run: records[run] for run in own if records[run].family not in planned}
        parts = experiment_page(each, verdicts[name], drawings[name], root, others)
        mark = fingerprint({run: digest for run, digest in digests.items() if run in own})
        found[f"{name}/{PAGE}"] = page(parts, len(own), mark)
    if devices:
        rows = sum(len(device.rows) for device in devices)
        found[f"{speeds.FOLDER}/{PAGE}"] = page(speed_page(devices, experiments), rows)
    return found


def file_digests(store: Store, records: Records) -> dict[str, str]:
    """Returns the digest of each record's file, by run id, which changes even with a number that no table shows."""
    digests = {}
    for name, record in records.items():
        with contextlib.suppress(FileNotFoundError):  # records that were never written, as in a report of other folders
            digests[name] = hashlib.sha256(store.path(record).read_bytes()).hexdigest()
    return digests


def fingerprint(digests: Mapping[str, str]) -> str:
    """A digest of the digests of files, twelve digits long."""
    total = hashlib.sha256()
    for name, digest in sorted(digests.items()):
        total.update(f"{name}\0{digest}".encode())
    return total.hexdigest()[:12]


# ---- figures --------------------------------------------------------------------------------------------------------


def inputs_of(report: Report) -> dict[str, dict[str, str]]:
    """Returns the digest of what each figure is drawn from, by experiment and file name."""
    checksums = {
        run: digest for section in report.ledger.experiments.values() for run, digest in section.records.items()
    }
    found: dict[str, dict[str, str]] = {}
    for drawing in report.drawings:
        found.setdefault(drawing.experiment.name, {})[drawing.file] = data_digest(drawing, checksums)
    return found


def _draw(
    report: Report, store: Store, out: Path, known: Ledger | None, on_figure: Callable[[int, int], None]
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, Drawn]]]:
    """Draws the figures that are not in ``out`` yet, or were drawn from something else.

    Returns:
        The digests of the figures' files, and what they were drawn from, by experiment and file name.
    """
    drawn = {
        name: {file: Drawn(data=data, tools=tools_digest()) for file, data in some.items()}
        for name, some in inputs_of(report).items()
    }
    sections = known.experiments if known else {}
    waiting = [
        drawing
        for drawing in report.drawings
        if not _is_drawn(drawing, drawn, sections.get(drawing.experiment.name, Section()), out)
    ]
    on_figure(0, len(waiting))
    for done, _ in enumerate(_save_all(waiting, store, out), start=1):
        on_figure(done, len(waiting))
    files = figures_of(report.drawings)
    return {name: digests_in(out / name / FIGURES, some) for name, some in files.items()}, drawn


def _save_all(waiting: Sequence[Drawing[Any]], store: Store, out: Path) -> Iterator[None]:
    """Draws figures into ``out``, many of them in several processes; yields once a figure is done."""
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    if len(waiting) < MANY or processes == 1:
        for drawing in waiting:
            _save(drawing, store, out)
            yield
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for each in as_completed([pool.submit(_save, drawing, store, out) for drawing in waiting]):
            each.result()
            yield


def _save(drawing: Drawing[Any], store: Store, out: Path) -> None:
    folder = out / drawing.experiment.name / FIGURES
    save(draw(drawing, store), folder / drawing.file)
    for file, content in animate(drawing, store).items():
        write_atomically(folder / file, content, replace=True)


def _is_drawn(drawing: Drawing[Any], drawn: Mapping[str, Mapping[str, Drawn]], section: Section, out: Path) -> bool:
    """Returns whether the last report drew this figure from the same, and its files are as it left them."""
    name, file = drawing.experiment.name, drawing.file
    there = digests_in(out / name / FIGURES, drawing.files)
    same = {each: section.figures.get(each) for each in drawing.files}
    return section.drawn.get(file) == drawn[name][file] and there == same


def left_over(report: Report, known: Ledger | None, out: Path, *, whole: bool = True) -> list[Path]:
    """Returns the figures that the last report drew of these experiments and this one does not, if they are there.

    Args:
        whole: Whether the files of former reports, which had one page for all experiments, are left over too.
    """
    made = figures_of(report.drawings)
    sections = known.experiments if known else {}
    found = [
        out / name / FIGURES / file
        for name in report.verdicts
        for file in sections.get(name, Section()).figures
        if file not in made.get(name, ())
    ]
    if whole:
        former = [out / "REPORT.md", *(out / FIGURES).glob("*")]
        found += [path for path in former if FORMER.fullmatch(path.relative_to(out).as_posix())]
    return sorted(path for path in found if path.is_file())


# ---- pages ----------------------------------------------------------------------------------------------------------


def _foreign(out: Path, pages: Mapping[str, str]) -> Iterator[Finding]:
    """Yields the files in place of pages that no report has written."""
    for file in pages:
        if (out / file).is_file() and not is_page(out / file):
            yield Finding("not a page", "", file, "was not written by a report, which would replace it; move it away")


def with_block(path: Path, block: str) -> str | None:
    """The text of a README with ``block`` between its markers; None if the file or its markers do not exist."""
    text = path.read_text(encoding="utf-8", errors=KEPT) if path.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{block}{END}{after}" if begin and end else None


def readme_of(results: Path) -> Path | None:
    """The README beside a results folder, if the block in it is empty or links to this folder's page.

    A report on another folder of the same checkout, such as a user's own quick runs, thus leaves the README alone.
    """
    results = results.resolve()
    path = results.parent / "README.md"
    bare = with_block(path, "")
    if bare is None:
        return None
    text = path.read_text(encoding="utf-8", errors=KEPT)
    return path if text.replace("\n", "") == bare.replace("\n", "") or f"]({results.name}/{PAGE})" in text else None
