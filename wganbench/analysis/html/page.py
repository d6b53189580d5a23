"""All that the page shows, gathered from specs, records, verdicts and figures; nothing here knows of HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wganbench.analysis.commands import run_all_command
from wganbench.analysis.compare import compare
from wganbench.analysis.figures import Drawing
from wganbench.analysis.html.claims import ClaimPart, claim_part
from wganbench.analysis.html.figures import Link, Picture, pictures
from wganbench.analysis.html.provenance import MadeWith, made_with
from wganbench.analysis.power import simulate
from wganbench.analysis.profiles import ranked
from wganbench.analysis.results import Results
from wganbench.analysis.tables import compared
from wganbench.analysis.tables.ablation import ablation_tables
from wganbench.analysis.tables.by_variant import by_variant, with_numbers
from wganbench.analysis.tables.measured import measured_table
from wganbench.analysis.tables.published import headline, other_runs_of, results_table
from wganbench.analysis.tables.scoreboard import OUTCOMES, live, tally
from wganbench.analysis.tables.success import overridden_tables, success_tables
from wganbench.analysis.tables.table import Table
from wganbench.analysis.verdict import Verdict
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import Experiment

Cell = str | float | None

LEADING = ("run", "profile", "variant", "seed", "status", "steps", "overrides")
"""The columns of the downloaded runs, before the measures."""


@dataclass(frozen=True)
class Filter:
    """A group of buttons: the name in the page's address, and each choice with its number of claims."""

    name: str
    title: str
    choices: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ProfilePart:
    """An experiment's runs under one profile."""

    name: str
    says: str
    tables: tuple[Table, ...]
    made_with: MadeWith
    run: str


@dataclass(frozen=True)
class ExperimentPart:
    """An experiment.

    Attributes:
        outcomes: The number of claims with each outcome that occurs.
        undrawn: The figures that no run has the data for.
        others: The tables that enter no claim: runs with changed settings, and measures taken afterwards.
    """

    name: str
    title: str
    question: str
    source: str
    file: str
    version: int
    outcomes: tuple[tuple[str, int], ...]
    claims: tuple[ClaimPart, ...]
    superseded: tuple[ClaimPart, ...]
    pictures: tuple[Picture, ...]
    undrawn: tuple[str, ...]
    profiles: tuple[ProfilePart, ...]
    others: tuple[Table, ...]
    deviations: tuple[str, ...]
    n_runs: int


@dataclass(frozen=True)
class Against:
    """The records of another folder, compared with those of the page.

    Attributes:
        name: The other folder.
        tally: How many verdicts and measures differ, in a sentence.
        tables: Claims with both verdicts, changed ones first, and the tests of measures.
    """

    name: str
    tally: str
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Page:
    """The whole page.

    Attributes:
        against: The comparison with another folder; None without one.
        runs: For each experiment with records, the columns and the rows of its runs, for the download.
    """

    folder: str
    n_records: int
    fingerprint: str
    tally: str
    against: Against | None
    filters: tuple[Filter, ...]
    experiments: tuple[ExperimentPart, ...]
    runs: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Cell]]]]

    @property
    def claims(self) -> list[ClaimPart]:
        """All claims that are not superseded."""
        return [claim for experiment in self.experiments for claim in experiment.claims]


def gather(
    every: Sequence[Results],
    verdicts: Mapping[str, Sequence[Verdict]],
    drawings: Mapping[str, Sequence[Drawing[Any]]],
    store: Store,
    fingerprint: str,
    link: Link,
    against: Against | None = None,
) -> Page:
    """Gathers the page.

    Args:
        every: The results of each experiment, all on the same records.
        verdicts, drawings: The verdicts and figures of each experiment, by its name.
        fingerprint: A digest of the records.
        link: Makes the address of a file.
        against: The comparison with another folder, if there is one.

    Raises:
        RecordError: If the images of a run, or numbers that were measured afterwards, are missing or damaged.
    """
    records = every[0].records if every else {}
    own: dict[str, list[Record]] = {}
    for record in records.values():
        own.setdefault(record.experiment, []).append(record)
    parts = [
        _experiment(results, verdicts[name], drawings[name], own.get(name, ()), (store, link))
        for results in every
        for name in [results.experiment.name]
    ]
    return Page(
        folder=store.root.resolve().name,
        n_records=len(records),
        fingerprint=fingerprint,
        tally=tally(verdicts),
        against=against,
        filters=tuple(_filters([claim for part in parts for claim in part.claims])),
        experiments=tuple(parts),
        runs={part.name: _runs(own[part.name]) for part in parts if part.name in own},
    )


def compared_with(
    name: str, experiments: Sequence[Experiment], here: Mapping[str, Record], there: Mapping[str, Record]
) -> Against:
    """Compares the page's records with those of another folder, as ``wganbench compare`` does.

    Args:
        name: The other folder.
        here, there: The records of the page and of the other folder, by run id.
    """
    found = compare(experiments, here, there)
    names = compared.sides("here", name)
    tables = [compared.claims_table(found, names), compared.measures_table(found, names)]
    return Against(name, compared.tally(found), tuple(table for table in tables if table.rows))


def _filters(claims: Sequence[ClaimPart]) -> Iterator[Filter]:
    outcomes = Counter(claim.outcome for claim in claims)
    yield Filter("verdict", "Verdict", tuple((word, outcomes[word]) for word in OUTCOMES if outcomes[word]))
    documents = Counter(document for claim in claims for document in claim.documents)
    yield Filter("source", "Source", tuple(documents.most_common()))
    for name in ("experiment", "profile", "role"):
        yield Filter(name, name.capitalize(), tuple(Counter(getattr(claim, name) for claim in claims).items()))


def _experiment(
    results: Results,
    verdicts: Sequence[Verdict],
    drawings: Sequence[Drawing[Any]],
    own: Iterable[Record],
    files: tuple[Store, Link],
) -> ExperimentPart:
    experiment, (store, link) = results.experiment, files
    profiles = dict.fromkeys(verdict.claim.profile for verdict in live(verdicts))
    powers = {name: power for profile in profiles for name, power in simulate(results, profile).items()}
    records = {record.id: record for some in results.by_setting.values() for record in some}

    def part(verdict: Verdict) -> ClaimPart:
        return claim_part(results, verdict, records, powers.get(verdict.claim.id), store.root)

    claims = tuple(map(part, live(verdicts)))
    superseded = tuple(part(verdict) for verdict in verdicts if verdict.claim.superseded)
    counts = Counter(claim.outcome for claim in claims)
    own = list(own)
    others = [*overridden_tables(results), other_runs_of(results), measured_table(own, store.root)]
    return ExperimentPart(
        name=experiment.name,
        title=experiment.title,
        question=experiment.question or "",
        source=experiment.source,
        file=experiment.file,
        version=experiment.version,
        outcomes=tuple((word, counts[word]) for word in OUTCOMES if counts[word]),
        claims=claims,
        superseded=superseded,
        pictures=tuple(pictures(drawings, store, link)),
        undrawn=tuple(each.figure.title or each.figure.kind for each in drawings if not each.used),
        profiles=tuple(_profile(results, name) for name in ranked(experiment) if results.planned(name)),
        others=tuple(table for table in others if table.rows),
        deviations=tuple(experiment.deviations),
        n_runs=len(own),
    )


def _profile(results: Results, profile: str) -> ProfilePart:
    experiment = results.experiment
    tables = [*success_tables(results, profile), *_measured(results, profile), *ablation_tables(results, profile)]
    made = made_with(results.planned(profile), f"{experiment.name}, {profile}: runs by how they were made")
    run = run_all_command(experiment, profile)
    return ProfilePart(profile, experiment.says(profile), tuple(table for table in tables if table.rows), made, run)


def _measured(results: Results, profile: str) -> Iterator[Table]:
    """Yields the table of the main measures and, if there are any, that of the others."""
    first, every = headline(results.experiment), results_table(results, profile)
    rows = with_numbers(every)
    if results.experiment.published:
        main = tuple(row for row in rows if row.data["measure"] in first)
        yield Table(every.title, main, every.notes)
    else:
        yield by_variant(results, profile)
    yield Table(f"{every.title}, other measures", tuple(row for row in rows if row.data["measure"] not in first))


def _runs(records: Sequence[Record]) -> tuple[list[str], list[list[Cell]]]:
    """Returns the columns and the rows of an experiment's runs."""
    measures = list(dict.fromkeys(measure for record in records for measure in record.measures))
    rows = []
    for record in sorted(records, key=lambda record: (record.profile, record.variant, record.seed)):
        leading = (record.id, record.profile, record.variant, record.seed, record.status, record.steps_done)
        rows.append([*leading, " ".join(record.overrides), *(record.measures.get(measure) for measure in measures)])
    return [*LEADING, *measures], rows
