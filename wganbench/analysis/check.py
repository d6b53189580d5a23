"""What CI asks of the committed results: that they say what the specs claim, and that the report says what they do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from wganbench.analysis.drawing import left_over
from wganbench.analysis.report import Records, Report, compose, readme_of, with_block
from wganbench.analysis.verdict import Verdict
from wganbench.errors import RecordError
from wganbench.spec import Experiment, claim_digest
from wganbench.store import Store

SETTLED = ("reproduced", "contradicted")
FILES = ("REPORT.md", "verdicts.json", "README.md", "figures", "artefacts")


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        check: What was asked, in two or three words.
        experiment: Empty where it is about a file of the whole folder.
        subject: A claim's id, or a file.
        text: One line, with the remedy where there is one.
    """

    check: str
    experiment: str
    subject: str
    text: str

    def __str__(self) -> str:
        about = " ".join(filter(None, (self.experiment, self.subject)))
        return " ".join(f"{about}: {self.check}: {self.text}".split())  # what a claim says may have several lines


def check(experiments: Sequence[Experiment], store: Store, *, strict: bool = False) -> list[Finding]:
    """Everything that CI should stop at; empty when all is well. Draws and writes nothing.

    Args:
        strict: Whether inconclusive claims, and ones not run, are findings too.

    Raises:
        RecordError: If a record is damaged.
    """
    records = store.load()
    report = compose(experiments, store, records, store.root)
    return [
        *_claims(report, strict),
        *_lost(report, store.root / "verdicts.json"),
        *_texts(report, store.root),
        *_figures(experiments, report, store.root),
        *_artefacts(records, store),
    ]


def cases(experiments: Sequence[Experiment]) -> list[tuple[str, str]]:
    """Experiment and subject of everything that ``check`` looks at: each claim, and the files of ``FILES``."""
    claims = [(experiment.name, claim.id) for experiment in experiments for claim in experiment.claims]
    return [*claims, *(("", file) for file in FILES)]


# ---- claims -------------------------------------------------------------------------------------------------------


def _claims(report: Report, strict: bool) -> Iterator[Finding]:
    for experiment, verdicts in report.verdicts.items():
        for verdict in verdicts:
            for name, text in _wrong(verdict, strict):
                yield Finding(name, experiment, verdict.claim.id, text)


def _wrong(verdict: Verdict, strict: bool) -> Iterator[tuple[str, str]]:
    claim, outcome = verdict.claim, verdict.outcome
    if verdict.post_hoc:
        yield "post hoc", "the claim was written or changed after its runs; run it anew with --again, or change it back"
    if claim.superseded:
        return
    if outcome == "contradicted" and not claim.known_contradiction:
        yield "contradicted", f"the records contradict that {claim.says}; a known_contradiction in the spec says why"
    if outcome != "contradicted" and claim.known_contradiction:
        yield "no known contradiction", f"listed as one ({claim.known_contradiction}), but is {outcome}"
    if strict and outcome not in SETTLED:
        yield outcome, verdict.why


def _lost(report: Report, path: Path) -> Iterator[Finding]:
    """Claims that the committed ``verdicts.json`` has a verdict for, and that have none or are not there any more.

    A superseded claim keeps whatever outcome it had.
    """
    known = _known(path)
    if known is None:
        yield Finding("unreadable", "", path.name, "not a report's verdicts; restore it, or run 'wganbench report'")
        return
    for experiment, verdicts in report.verdicts.items():
        now = {verdict.claim.id: verdict for verdict in verdicts}
        for claim, entry in known.get(experiment, {}).items():
            verdict = now.get(claim)
            if verdict and verdict.claim.superseded and verdict.outcome != entry["outcome"]:
                text = f"was {entry['outcome']}, now {verdict.outcome}; a superseded claim keeps its verdict"
                yield Finding("verdict changed", experiment, claim, f"{text}, and judged_on names its records")
            elif entry["outcome"] not in SETTLED:
                continue
            elif verdict is None:
                yield Finding("verdict lost", experiment, claim, f"was {entry['outcome']}, and the spec has it no more")
            elif verdict.outcome not in SETTLED:
                changed = "" if entry["digest"] == claim_digest(verdict.claim) else "; the claim was changed since"
                text = f"was {entry['outcome']}, now {verdict.outcome} ({verdict.why}){changed}"
                yield Finding("verdict lost", experiment, claim, text)


def _known(path: Path) -> dict[str, dict[str, dict[str, Any]]] | None:
    """What ``verdicts.json`` says; nothing where there is none, None where it is something else."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = [entry for claims in content.values() for entry in claims.values()]
        whole = all({"outcome", "digest"} <= set(entry) for entry in entries)
    except (ValueError, AttributeError, TypeError):
        return None
    return content if whole else None


# ---- files --------------------------------------------------------------------------------------------------------


def _texts(report: Report, root: Path) -> Iterator[Finding]:
    expected = {root / "REPORT.md": report.markdown, root / "verdicts.json": report.verdicts_json}
    readme = readme_of(root)
    if readme:
        expected[readme] = with_block(readme, report.scoreboard) or ""
    for path, text in expected.items():
        difference = _difference(path, text)
        if difference:
            remedy = "run 'wganbench report' and commit what it changes"
            yield Finding("out of date", "", path.name, f"{difference}; {remedy}")


def _difference(path: Path, expected: str) -> str:
    """Where a file first differs from what the records say; empty where it does not."""
    if not path.is_file():
        return "missing"
    found = path.read_text(encoding="utf-8", errors="replace")
    if found == expected:
        return ""
    lines, wanted = found.splitlines(), expected.splitlines()
    pairs = enumerate(zip(lines, wanted, strict=False), start=1)
    number = next((number for number, (line, want) in pairs if line != want), min(len(lines), len(wanted)) + 1)
    return f"differs from what the records say, first in line {number}"


def _figures(experiments: Sequence[Experiment], report: Report, root: Path) -> Iterator[Finding]:
    for drawing in report.drawings:
        for file in drawing.files:
            if not (root / "figures" / file).is_file():
                text = "missing; run 'wganbench report' and commit it"
                yield Finding("figure missing", drawing.experiment.name, f"figures/{file}", text)
    for path in left_over(experiments, report.drawings, root / "figures"):
        text = "in no report any more; run 'wganbench report', which removes it, and commit that"
        yield Finding("figure left over", "", f"figures/{path.name}", text)


def _artefacts(records: Records, store: Store) -> Iterator[Finding]:
    for record in records.values():
        for artefact in record.artefacts:
            try:
                store.artefact(record, artefact)
            except RecordError as error:
                yield Finding("artefact damaged", record.experiment, artefact.file, str(error))


# ---- JUnit --------------------------------------------------------------------------------------------------------


def junit(findings: Sequence[Finding], checks_run: Sequence[tuple[str, str]]) -> str:
    """The findings as JUnit XML: a case for each of ``checks_run``, failed where a finding is on it.

    Args:
        checks_run: What ``cases`` says; a finding on anything else gets a case of its own.
    """
    subjects = list(dict.fromkeys([*checks_run, *((finding.experiment, finding.subject) for finding in findings)]))
    failed = {(finding.experiment, finding.subject) for finding in findings}
    suites = ElementTree.Element("testsuites")
    counts = {"name": "wganbench check", "tests": str(len(subjects)), "failures": str(len(failed)), "errors": "0"}
    suite = ElementTree.SubElement(suites, "testsuite", counts)
    for experiment, subject in subjects:
        case = ElementTree.SubElement(suite, "testcase", classname=experiment or "results", name=_printable(subject))
        about = [finding for finding in findings if (finding.experiment, finding.subject) == (experiment, subject)]
        if about:
            message = "; ".join(finding.check for finding in about)
            failure = ElementTree.SubElement(case, "failure", message=message)
            failure.text = _printable("\n".join(str(finding) for finding in about))
    ElementTree.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suites, encoding="unicode")}\n'


def _printable(text: str) -> str:
    """Without the control characters that XML does not allow."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)
