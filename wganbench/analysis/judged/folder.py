"""The folder of a submission: writes its tables, figures and pages, and checks all of it against its records.

Nothing is trained, and no custom object is imported.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from wganbench.analysis.html.judgement import page_of
from wganbench.analysis.integrity import copied_runs
from wganbench.analysis.judged import figures, texts
from wganbench.analysis.judged.judgement import Judgement, judgement_of
from wganbench.analysis.pages.markdown import MAX_BYTES as MAX_PAGE
from wganbench.errors import RecordError, SpecError
from wganbench.files import write_atomically
from wganbench.reading import read_text
from wganbench.records import submission as manifest
from wganbench.records.custom_code import changes
from wganbench.records.record import Record, checksum_of
from wganbench.records.store import Store
from wganbench.records.submission import CONFORMANCE, FILE, RESULTS, Conformance, Submission
from wganbench.spec import load
from wganbench.spec.judging import rows_for, spec_text
from wganbench.spec.loading import MAX_BYTES

HTML = "index.html"
"""The name of the page for a browser, which is made from the other files and not part of the manifest."""


def write(
    folder: Path, submission: Submission, conformance: Conformance, reference: Iterable[Record], given: Iterable[str]
) -> Judgement:
    """Writes everything but specs, sources and records into a folder, and returns the judgement.

    Args:
        folder: The folder, which has the specs, the sources and the records.
        submission: The manifest; what it lacks of reference and files is added.
        conformance: The answers about the candidates' objects.
        reference: The committed records.
        given: The paths in the folder of the specs and sources.

    Raises:
        RecordError: If a record is damaged, or a file cannot be written.
    """
    from wganbench.analysis.figures.style import png

    own = list(Store(folder / RESULTS).load().values())
    committed = {record.id: record for record in reference}
    judgement = judgement_of(folder, submission, own, committed.values())
    manifest.write(folder, CONFORMANCE, conformance)
    drawn = {file: png(figure) for file, figure in figures.draw(judgement)}
    made = {
        **drawn,
        texts.PAGE: texts.page(judgement, conformance).encode(),
        texts.TABLES: texts.data(judgement).encode(),
    }
    for file, content in made.items():
        write_atomically(folder / file, content, replace=True)
    used = sorted(judgement.runs_of_reference() - {record.id for record in own})
    added = {
        "reference": {name: checksum_of(committed[name]) for name in used},
        "files": manifest.digests(folder, [*given, *made, CONFORMANCE]),
    }
    judgement = dataclasses.replace(judgement, submission=submission.model_copy(update=added))
    manifest.write(folder, FILE, judgement.submission)
    page = page_of(judgement, conformance, drawn)
    write_atomically(folder / HTML, page.encode(), replace=True)
    return judgement


# ---- checks ---------------------------------------------------------------------------------------------------------


def check(folder: Path, reference: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Yields the path in the folder and what is wrong, for everything that is not as the manifest and the records say.

    Args:
        folder: The folder.
        reference: The committed records, by run id.
    """
    try:
        submission, conformance = manifest.read(folder), manifest.read_conformance(folder)
    except (RecordError, SpecError) as error:
        wrong = CONFORMANCE if str(error).startswith(str(folder / CONFORMANCE)) else FILE
        yield wrong, str(error).removeprefix(f"{folder / wrong}: ")
        return
    changed = manifest.changed(folder, submission.files)
    yield from ((file, f"missing, or not what {FILE} says; restore it") for file in changed)
    records, problems = Store(folder / RESULTS).scan()
    yield from ((problem.path.relative_to(folder).as_posix(), problem.text) for problem in problems)
    yield from _check_specs(folder, submission)
    yield from _check_records(folder, submission, records.values())
    yield from _check_reference(submission, reference)
    yield from _check_texts(folder, submission, conformance, records, reference)
    yield from _check_others(folder, submission, records.values())


def _check_others(folder: Path, submission: Submission, records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    """Yields the files that belong to no record, or are not in the manifest."""
    for path in Store(folder / RESULTS).other_files(records):
        yield path.relative_to(folder).as_posix(), "of no record; remove it"
    own = {*submission.files, FILE, HTML}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_file() and place.parts[0] != RESULTS and place.as_posix() not in own and not _is_hidden(place):
            yield place.as_posix(), f"not in {FILE}; remove it"


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in file.parts)


def _check_specs(folder: Path, submission: Submission) -> Iterator[tuple[str, str]]:
    """Yields the specs that are not those of the manifest's candidates, apart from their title."""
    for name in submission.experiments:
        file = f"{name}.toml"
        try:
            shipped = load(name)
            rows = rows_for(shipped, submission.budget, submission.methods)
            there = tomllib.loads(read_text(folder / file, MAX_BYTES))
        except (OSError, ValueError, RecordError, SpecError) as error:
            yield file, f"cannot be read: {error}"
            continue
        wanted = tomllib.loads(spec_text(shipped, rows, submission.methods))
        if {**there, "title": ""} != {**wanted, "title": ""}:
            yield file, "not the spec of these candidates on the experiment as it ships; judge them again"


def _check_records(folder: Path, submission: Submission, records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    """Yields the records of runs that no spec of the folder plans, of other code, and with copied numbers."""
    records = list(records)
    specs = {}
    for name in submission.experiments:
        try:
            specs[name] = load(folder / f"{name}.toml")
        except (RecordError, SpecError):  # has a line of its own
            return
    for record in records:
        spec = specs.get(record.experiment)
        is_planned = (
            spec is not None
            and record.profile in spec.profiles
            and record.variant in spec.variants_of(record.profile)
            and spec.family(record.variant, record.profile) == record.family
        )
        if not is_planned:
            yield _file_of(record), "a run that no spec of the submission plans; remove it"
    for change in changes(records, [str(folder)]):
        yield change.file, f"changed since {change.n_runs} of the runs"
    for finding in copied_runs(records):
        yield f"{RESULTS}/{finding.experiment}/{finding.subject}.json", finding.text


def _file_of(record: Record) -> str:
    return f"{RESULTS}/{record.experiment}/{record.id}.json"


def _check_reference(submission: Submission, reference: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    for name, checksum in submission.reference.items():
        record = reference.get(name)
        if record is None or checksum_of(record) != checksum:
            what = "is not among the records here" if record is None else "has other numbers here"
            yield FILE, f"the run {name}, with which a candidate was compared, {what}"


def _check_texts(
    folder: Path,
    submission: Submission,
    conformance: Conformance,
    records: Mapping[str, Record],
    reference: Mapping[str, Record],
) -> Iterator[tuple[str, str]]:
    """Yields the tables that say something else than the records, and figures that are missing."""
    try:
        judgement = judgement_of(folder, submission, list(records.values()), reference.values())
    except (RecordError, SpecError):  # a spec, which has a line of its own
        return
    remedy = f"'wganbench judge --out {folder}' writes it again"
    for file, text in ((texts.TABLES, texts.data(judgement)), (texts.PAGE, texts.page(judgement, conformance))):
        try:
            there = read_text(folder / file, MAX_PAGE, errors="replace")
        except OSError:
            there = ""
        if there != text:
            yield file, f"says something else than the records; {remedy}"
    yield from ((file, f"not drawn; {remedy}") for file in judgement.figures if file not in submission.files)
