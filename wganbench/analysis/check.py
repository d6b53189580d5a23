"""The checks that CI runs on committed results: the records support the claims, and the report matches the records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from wganbench.analysis.figures import figures_of
from wganbench.analysis.finding import Finding
from wganbench.analysis.integrity import copied_runs, damaged_classifiers
from wganbench.analysis.judged import folder as submissions
from wganbench.analysis.ledger import CLASSIFIERS, FILE, SETTLED, Ledger, Section, digests_in, last, losses
from wganbench.analysis.pages.markdown import MAX_BYTES, PAGE
from wganbench.analysis.report import (
    FIGURES,
    KEPT,
    Records,
    Report,
    compose,
    inputs_of,
    left_over,
    readme_of,
    with_block,
)
from wganbench.analysis.results import Results
from wganbench.analysis.verdict import Verdict, without_runs
from wganbench.errors import RecordError, SpecError
from wganbench.reading import read_text
from wganbench.records import speeds
from wganbench.records.custom_code import changes_since
from wganbench.records.reference import committed_records
from wganbench.records.store import Store
from wganbench.records.submission import kept_in
from wganbench.records.submission import read as read_submission
from wganbench.spec import Experiment, listed

README = "../README.md"
"""The name in findings of the README beside the results folder."""
FILES = (PAGE, FILE, README, "figures", "artefacts")


def check(
    experiments: Sequence[Experiment],
    store: Store,
    records: Records | None = None,
    *,
    strict: bool = False,
    whole: bool = True,
) -> list[Finding]:
    """Returns everything that should make CI fail, without drawing or writing anything; empty if all is well.

    Args:
        records: The records of ``store``, if they have been loaded already.
        strict: Whether claims that are inconclusive or not run are findings too.
        whole: Whether the report covers just these experiments. If not, only its parts about them are checked.

    Raises:
        RecordError: If a record is damaged.
    """
    every = store.load() if records is None else records
    report = compose(experiments, store, every, store.root)
    names = {experiment.name for experiment in experiments}
    own = every if whole else {name: record for name, record in every.items() if record.experiment in names}
    known, found = last(store.root)
    ledger = _with_figures(report, known)
    if known is not None:
        found += losses(known if whole else known.restricted_to(names), ledger, report.verdicts)
    texts = _texts(report, ledger if known or not found else None, store.root, bool(found))
    return [
        *_claims(report, strict),
        *found,
        *_custom_code(experiments, own),
        *(texts if whole else _sections(experiments, report, ledger, known, store.root)),
        *_figures(report, known, store, whole=whole),
        *_artefacts(own, store),
        *copied_runs(own.values()),
        *((*_stray(report, known, every, store), *damaged_classifiers(store.root)) if whole else ()),
        *(_submissions(store.root, every) if whole else ()),
    ]


def _with_figures(report: Report, known: Ledger | None) -> Ledger:
    """The report's ledger with the digests that its figures had when they were last drawn."""
    sections = known.experiments if known else {}
    return report.ledger.with_figures(
        {
            name: {file: sections[name].figures.get(file, "") for file in files}
            for name, files in figures_of(report.drawings).items()
            if name in sections
        },
        {name: section.drawn for name, section in sections.items()},
    )


def cases(experiments: Sequence[Experiment]) -> list[tuple[str, str]]:
    """The experiment and subject of everything that ``check`` covers: each claim, and the files of ``FILES``."""
    claims = [(experiment.name, claim.id) for experiment in experiments for claim in experiment.claims]
    return [*claims, *(("", file) for file in FILES)]


def not_run(experiments: Sequence[Experiment], records: Records) -> dict[tuple[str, str], str]:
    """Describes what is missing for each claim that was not run, by experiment and claim id."""
    return {
        (experiment.name, claim): f"not run: {why}"
        for experiment in experiments
        for claim, why in without_runs(Results(experiment, records)).items()
    }


# ---- claims -------------------------------------------------------------------------------------------------------


def _claims(report: Report, strict: bool) -> Iterator[Finding]:
    for experiment, verdicts in report.verdicts.items():
        for verdict in verdicts:
            for name, text in _wrong(verdict, strict):
                yield Finding(name, experiment, verdict.claim.id, text)


def _wrong(verdict: Verdict, strict: bool) -> Iterator[tuple[str, str]]:
    claim, outcome = verdict.claim, verdict.outcome
    if verdict.post_hoc:
        yield (
            "post hoc",
            "the claim was written or changed after its runs; repeat them with --again, or change it back",
        )
    if claim.superseded:
        return
    if outcome == "contradicted" and not claim.known_contradiction:
        yield "contradicted", f"the records contradict that {claim.says}; a known_contradiction in the spec says why"
    if outcome not in ("contradicted", "not run") and claim.known_contradiction:
        yield "no known contradiction", f"listed as one ({claim.known_contradiction}), but is {outcome}"
    if strict and outcome not in SETTLED:
        yield outcome, verdict.why


def _custom_code(experiments: Sequence[Experiment], records: Records) -> Iterator[Finding]:
    for experiment in experiments:
        for change in changes_since(experiment, records.values()):
            again = f"'wganbench run {experiment.path} --again'"
            yield Finding("custom code", experiment.name, change.file, change.text(again))


def seed_notes(experiments: Iterable[Experiment], records: Records) -> Iterator[str]:
    """Yields a line for each variant that lacks seeds that its claims declare, or has ones that no claim declares.

    These are no findings: a claim with a missing seed has no verdict, and a seed that no claim declares enters none, so
    nobody can omit a run that disagrees, or add runs until one agrees. Variants without runs pass.
    """
    for experiment in experiments:
        results = Results(experiment, records)
        declared: dict[tuple[str, str], set[int]] = {}
        for claim in experiment.live_claims:
            for variant in experiment.judged_variants(claim):
                declared.setdefault((claim.profile, variant), set()).update(experiment.seeds_of(claim))
        for (profile, variant), wanted in sorted(declared.items()):
            seeds = {record.seed for record in results.of(variant, profile)}
            differences = {"lacks": wanted - seeds if seeds else set(), "has": seeds - wanted}
            wrong = " and ".join(f"{word} seeds {listed(some)}" for word, some in differences.items() if some)
            if wrong:
                yield f"{experiment.name}, {variant}: under profile {profile} it {wrong}, judged are {listed(wanted)}"


# ---- files --------------------------------------------------------------------------------------------------------


def _texts(report: Report, ledger: Ledger | None, root: Path, is_losing: bool) -> Iterator[Finding]:
    expected = {file: (root / file, text) for file, text in report.pages.items()}
    expected |= {FILE: (root / FILE, ledger.text())} if ledger else {}
    readme = readme_of(root)
    if readme:
        expected[README] = readme, with_block(readme, report.scoreboard) or ""
    remedy = "restore what is lost" if is_losing else f"run {_command(root)} and commit what it changes"
    for file, (path, text) in expected.items():
        difference = _difference(path, text)
        if difference:
            yield Finding("out of date", "", file, f"{difference}; {remedy}")


def _sections(
    experiments: Sequence[Experiment], report: Report, ledger: Ledger, known: Ledger | None, root: Path
) -> Iterator[Finding]:
    """Yields what is out of date about these experiments: their pages, and their parts of the ledger."""
    sections = known.experiments if known else {}
    for experiment in experiments:
        name = experiment.name
        found = {PAGE: _difference(root / name / PAGE, report.pages[f"{name}/{PAGE}"])}
        if sections.get(name) != ledger.experiments.get(name):
            found[FILE] = "says something else of it than the records"
        for file, difference in found.items():
            if difference:
                text = f"{difference}; run {_command(root)} and commit what it changes"
                yield Finding("out of date", name, file, text)


def _command(root: Path) -> str:
    """The command that writes the report again, whatever the default folder is."""
    return f"'wganbench report --results {root}'"


def _difference(path: Path, expected: str) -> str:
    """Describes where a file first differs from the expected text; empty if it does not."""
    if not path.is_file():
        return "missing"
    found = read_text(path, MAX_BYTES, errors=KEPT)
    if found == expected:
        return ""
    lines, wanted = found.splitlines(), expected.splitlines()
    pairs = enumerate(zip(lines, wanted, strict=False), start=1)
    number = next((number for number, (line, want) in pairs if line != want), min(len(lines), len(wanted)) + 1)
    return f"differs from what the records say, first in line {number}"


def _figures(report: Report, known: Ledger | None, store: Store, *, whole: bool) -> Iterator[Finding]:
    """Yields figures that are missing, were changed, show something else than the records, or are left over."""
    root, sections = store.root, known.experiments if known else {}
    inputs = inputs_of(report)
    for name, files in figures_of(report.drawings).items():
        there, section = digests_in(root / name / FIGURES, files), sections.get(name, Section())
        for file in files:
            subject, was = f"{FIGURES}/{file}", section.drawn.get(file)
            if file not in there:
                text = f"missing; run {_command(root)} and commit it"
                yield Finding("figure missing", name, subject, text)
            elif section.figures.get(file, there[file]) != there[file]:
                text = f"not what the last report drew; restore it, or run {_command(root)} and commit it"
                yield Finding("figure changed", name, subject, text)
            elif was is not None and was.data != inputs[name][file]:
                text = f"drawn from other records or settings; run {_command(root)} and commit it"
                yield Finding("figure out of date", name, subject, text)
    for path in left_over(report, known, root, whole=whole):
        text = f"in no report any more; run {_command(root)}, which removes it, and commit that"
        yield Finding("left over", "", path.relative_to(root).as_posix(), text)


def _artefacts(records: Records, store: Store) -> Iterator[Finding]:
    for record in records.values():
        for artefact in record.artefacts:
            try:
                store.artefact(record, artefact)
            except RecordError as error:
                yield Finding("artefact damaged", record.experiment, artefact.file, str(error))


def _submissions(root: Path, records: Records) -> Iterator[Finding]:
    """Yields what is wrong with the submissions that are kept beside the records."""
    for folder in kept_in(root):
        for file, text in submissions.check(folder, {**records, **_committed(folder)}):
            yield Finding("submission", "", (folder / file).relative_to(root).as_posix(), text)


def _committed(folder: Path) -> Records:
    """The committed records that a submission may have been compared with; none if its manifest cannot be read."""
    try:
        made = read_submission(folder)
    except (RecordError, SpecError):
        return {}
    return committed_records(made.experiments, on_cpu=made.device == "cpu")


def _stray(report: Report, known: Ledger | None, records: Records, store: Store) -> Iterator[Finding]:
    """Yields files that belong to no record and no report.

    Files of classifiers are checked through the ledger, leftover files by ``_figures``, those of submissions by
    ``_submissions``.
    """
    root, drawn = store.root, figures_of(report.drawings)
    for name, section in (known.experiments if known else {}).items():
        drawn.setdefault(name, []).extend(section.figures)
    ours = {f"{name}/{FIGURES}/{file}" for name, files in drawn.items() for file in files}
    ours |= {f"{name}/{PAGE}" for name in (known.experiments if known else ())}
    ours |= {*report.pages, FILE, *(path.relative_to(root).as_posix() for path in left_over(report, known, root))}
    inside = kept_in(root)
    for path in store.other_files(records.values()):
        if any(path.is_relative_to(each) for each in inside):
            continue
        name = path.relative_to(root).as_posix()
        folder = name.rpartition("/")[0]
        is_measured = folder == speeds.FOLDER and path.suffix == ".json"
        if folder != CLASSIFIERS and not is_measured and name not in (*ours, "index.html"):
            yield Finding("stray file", "", name, "of no record and no report; remove it, or move it elsewhere")


# ---- JUnit --------------------------------------------------------------------------------------------------------


def junit(
    findings: Sequence[Finding],
    checks_run: Sequence[tuple[str, str]],
    skipped: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """Returns the findings as JUnit XML: a case for each of ``checks_run``, failed if there is a finding about it.

    Args:
        checks_run: The result of ``cases``; a finding about anything else gets its own case.
        skipped: The result of ``not_run``, by experiment and subject; such a case is skipped if it has no finding.
    """
    skipped = skipped or {}
    subjects = list(dict.fromkeys([*checks_run, *((finding.experiment, finding.subject) for finding in findings)]))
    failed = {(finding.experiment, finding.subject) for finding in findings}
    suites = ElementTree.Element("testsuites")
    n_skipped = sum(subject in skipped and subject not in failed for subject in subjects)
    counts = {"name": "wganbench check", "tests": str(len(subjects)), "failures": str(len(failed)), "errors": "0"}
    suite = ElementTree.SubElement(suites, "testsuite", {**counts, "skipped": str(n_skipped)})
    for experiment, subject in subjects:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_printable(experiment or "results"), name=_printable(subject)
        )
        own = [finding for finding in findings if (finding.experiment, finding.subject) == (experiment, subject)]
        if own:
            message = "; ".join(finding.check for finding in own)
            failure = ElementTree.SubElement(case, "failure", message=message)
            failure.text = _printable("\n".join(str(finding) for finding in own))
        elif (experiment, subject) in skipped:
            ElementTree.SubElement(case, "skipped", message=_printable(skipped[experiment, subject]))
    ElementTree.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suites, encoding="unicode")}\n'


def _printable(text: str) -> str:
    """Replaces the control characters that XML does not allow."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)
