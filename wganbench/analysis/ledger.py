"""The ledger ``verdicts.json``: every verdict of the last report, with digests of its inputs and of what it wrote.

The next report may add to it. If that would drop or change settled verdicts, records, classifiers, deviations or the
README's scoreboard, these are losses, which the user has to accept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from wganbench.analysis.finding import Finding
from wganbench.analysis.pages.markdown import PAGE, is_page
from wganbench.analysis.verdict import Outcome, Verdict
from wganbench.errors import RecordError
from wganbench.reading import read_bytes, read_text
from wganbench.records.record import Record, TwiceError, parse_json
from wganbench.records.store import Store
from wganbench.spec import Experiment, Model, claim_digest, mistakes

FILE = "verdicts.json"
CLASSIFIERS = "classifiers"
SETTLED = ("reproduced", "contradicted")
DIGITS = 16
MAX_BYTES = 2**27
"""The largest ledger, figure or classifier that is read."""


class Judged(Model):
    """The outcome of a claim, and the digest of the claim at that time.

    Attributes:
        checks: What each of the claim's listed checks shows, by its id, which the claim's outcome does not tell.
    """

    outcome: Outcome
    digest: str
    checks: dict[str, str] = Field(default_factory=dict)


class Drawn(Model):
    """What a figure was drawn from, so that the same is not drawn again.

    Attributes:
        data: The digest of its records and settings.
        tools: The digest of the code and the versions of the libraries that drew it.
    """

    data: str
    tools: str


class Section(Model):
    """The ledger's entries for one experiment.

    Attributes:
        claims: The outcome of each claim, by claim id.
        deviations: The digest of each deviation.
        drawn: What each of its figures was drawn from, by file name.
        figures: The digests of the files of its figures, by file name.
        records: The first digits of the checksum that each record states, by run id.
    """

    claims: dict[str, Judged] = Field(default_factory=dict)
    deviations: list[str] = Field(default_factory=list)
    drawn: dict[str, Drawn] = Field(default_factory=dict)
    figures: dict[str, str] = Field(default_factory=dict)
    records: dict[str, str] = Field(default_factory=dict)


class Ledger(Model):
    """The content of ``verdicts.json``.

    Attributes:
        version: The version of this layout.
        readme: The digest of the scoreboard in the README beside the folder; None if no README shows it.
        classifiers: The digests of the classifier files, by file name.
        experiments: The sections of all experiments with a spec or records, by name.
    """

    version: Literal[2] = 2
    readme: str | None = None
    classifiers: dict[str, str] = Field(default_factory=dict)
    experiments: dict[str, Section] = Field(default_factory=dict)

    def text(self) -> str:
        """The file's content: JSON with sorted keys, one entry per line."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"

    def with_figures(
        self, figures: Mapping[str, Mapping[str, str]], drawn: Mapping[str, Mapping[str, Drawn]]
    ) -> Ledger:
        """Returns a copy with the digests of figures, and what they were drawn from, by experiment and file."""
        sections = {
            name: section.model_copy(
                update={"figures": dict(figures.get(name, {})), "drawn": dict(drawn.get(name, {}))}
            )
            for name, section in self.experiments.items()
        }
        return self.model_copy(update={"experiments": sections})

    def with_sections_of(self, other: Ledger) -> Ledger:
        """Returns a copy with the sections of another ledger in place of its own on the same experiments."""
        return self.model_copy(update={"experiments": {**self.experiments, **other.experiments}})

    def restricted_to(self, names: Collection[str]) -> Ledger:
        """Returns the part about these experiments, without classifiers and README."""
        return Ledger(experiments={name: each for name, each in self.experiments.items() if name in names})


def digest_of(content: bytes) -> str:
    """The first digits of the SHA-256 of a file or text."""
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def digests_in(folder: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """The digests of a folder's files that are not hidden, or of those of ``names`` that exist, by file name.

    Raises:
        RecordError: If one of them cannot be read.
    """
    paths = [folder / name for name in names] if names is not None else sorted(folder.glob("[!.]*"))
    return {path.name: digest_of(_content(path)) for path in paths if path.is_file()}


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror}); restore it or remove it") from None


def ledger_of(
    experiments: Sequence[Experiment],
    verdicts: Mapping[str, Sequence[Verdict]],
    store: Store,
    records: Iterable[Record],
    scoreboard: str | None,
) -> Ledger:
    """Returns the ledger of these specs and records, without figures.

    Args:
        records: Records of ``store``.
        scoreboard: The scoreboard for the README beside the folder; None if no README shows it.
    """
    checksums: dict[str, dict[str, str]] = {}
    for record in records:
        checksums.setdefault(record.experiment, {})[record.id] = store.checksum(record)[:DIGITS]
    sections = {name: Section(records=found) for name, found in checksums.items()}
    for experiment in experiments:
        judged = {verdict.claim.id: _judged(verdict) for verdict in verdicts[experiment.name]}
        deviations = [digest_of(deviation.encode()) for deviation in experiment.deviations]
        found = checksums.get(experiment.name, {})
        sections[experiment.name] = Section(claims=judged, deviations=deviations, records=found)
    return Ledger(
        readme=None if scoreboard is None else digest_of(scoreboard.encode()),
        classifiers=digests_in(store.root / CLASSIFIERS),
        experiments=sections,
    )


def _judged(verdict: Verdict) -> Judged:
    own = verdict.claim.id
    shown = {each.check.id: verdict.outcome_of(each) for each in verdict.checks if each.check.id != own}
    return Judged(outcome=verdict.outcome, digest=claim_digest(verdict.claim), checks=shown)


def read(path: Path) -> Ledger | None:
    """Reads the ledger in a file; None if the file does not exist.

    Raises:
        RecordError: If the file cannot be read, is not a ledger, or is one of another version of wganbench.
    """
    try:
        content = parse_json(read_text(path, MAX_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror}); restore it") from None
    except TwiceError as error:
        raise RecordError(f"{path}: the key {str(error)!r} occurs twice in one table; restore it") from None
    except (ValueError, RecursionError):
        raise RecordError(f"{path}: not a report's verdicts; restore it") from None
    if not isinstance(content, dict) or "experiments" not in content:
        raise RecordError(f"{path}: not a report's verdicts, or of an older version of wganbench; restore it")
    try:
        return Ledger.model_validate(content)
    except ValidationError as error:
        raise RecordError(f"{path}: {mistakes(error, Ledger)[0]}; restore it") from None


def last(folder: Path) -> tuple[Ledger | None, list[Finding]]:
    """Reads the ledger of the last report in a folder.

    Returns:
        The ledger, or None if there is none; and a finding if it is unreadable, or missing beside a report.
    """
    accept = "or 'wganbench report --accept' writes a new one"
    try:
        known = read(folder / FILE)
    except RecordError as error:
        return None, [Finding("unreadable", "", FILE, f"{error}, {accept}")]
    if known is None and is_page(folder / PAGE):
        return None, [Finding("missing", "", FILE, f"not beside the report's README.md; restore it, {accept}")]
    return known, []


# ---- losses ---------------------------------------------------------------------------------------------------------


def losses(known: Ledger, now: Ledger, verdicts: Mapping[str, Sequence[Verdict]]) -> Iterator[Finding]:
    """Yields what the last report contained and the next one would drop or change."""
    for name, before in sorted(known.experiments.items()):
        after = now.experiments.get(name, Section())
        yield from _verdicts(name, before.claims, after.claims, verdicts.get(name, ()))
        for run, what in _missing(before.records, after.records):
            yield Finding(f"record {what}", name, run, f"{what} since the last report; restore it")
        gone = set(before.deviations) - set(after.deviations)
        if gone:
            text = f"{len(gone)} of {len(before.deviations)} removed or reworded since the last report; restore them"
            yield Finding("deviation lost", name, "deviations", text)
    for file, what in _missing(known.classifiers, now.classifiers):
        text = f"{what} since the last report; restore it"
        yield Finding(f"classifier {what}", "", f"{CLASSIFIERS}/{file}", text)
    if known.readme is not None and now.readme is None:
        text = "no longer shows the scoreboard, with its link to the report, between its markers; put it back"
        yield Finding("scoreboard lost", "", "README.md", text)


def _verdicts(
    experiment: str, before: Mapping[str, Judged], after: Mapping[str, Judged], verdicts: Sequence[Verdict]
) -> Iterator[Finding]:
    """Yields settled verdicts and checks that are gone or have changed, and superseded claims that lost theirs."""
    whys = {verdict.claim.id: verdict.why for verdict in verdicts}
    superseded = {verdict.claim.id for verdict in verdicts if verdict.claim.superseded}
    shown = {check: shows for judged in after.values() for check, shows in judged.checks.items()}
    for claim, was in before.items():
        now = after.get(claim)
        for check, shows in was.checks.items():
            if shows in ("holds", "fails") and shown.get(check) != shows:
                text = f"showed that it {shows}, now {shown.get(check, 'the spec has it no more')}"
                yield Finding("check changed" if check in shown else "check lost", experiment, check, text)
        if now is not None and now.outcome == was.outcome:
            continue
        if claim in superseded and now is not None:
            text = f"was {was.outcome}, now {now.outcome}; a superseded claim keeps its verdict"
            yield Finding("verdict changed", experiment, claim, f"{text}, and judged_on names its records")
        elif was.outcome not in SETTLED:
            continue
        elif now is None:
            yield Finding("verdict lost", experiment, claim, f"was {was.outcome}, and the spec has it no more")
        else:
            why = f" ({whys[claim]})" if whys.get(claim) else ""
            changed = "" if was.digest == now.digest else "; the claim was changed since"
            what = "changed" if now.outcome in SETTLED else "lost"
            yield Finding(f"verdict {what}", experiment, claim, f"was {was.outcome}, now {now.outcome}{why}{changed}")


def _missing(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields the names that are ``lost``, and those whose digest has ``changed``."""
    for name, digest in sorted(before.items()):
        if after.get(name) != digest:
            yield name, "changed" if name in after else "lost"
