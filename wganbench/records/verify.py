"""Checks a results folder: lists its whole records, and every file that is damaged, orphaned or ignored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wganbench.errors import RecordError
from wganbench.files import leftovers
from wganbench.records import measured, speeds
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.records.weights import WeightsFolder


@dataclass
class Findings:
    """The findings in a results folder; each problem is a line with the path, what is wrong, and any remedy.

    Attributes:
        whole: The records that are whole and in their place.
        damaged: Records and measured speeds that cannot be read, artefacts that are missing or do not match their
            record, and weights that do not match it.
        orphaned: Artefacts and weights that no whole record names, and whole records that are misplaced or duplicates.
        set_aside: Damaged records that were set aside and are ignored.
        stale: Files left behind by processes that no longer exist.
    """

    whole: list[Path] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """True if nothing at all was found in the folder, whole or not."""
        return not (self.whole or self.damaged or self.orphaned or self.set_aside or self.stale)

    def lines(self) -> Iterator[str]:
        """Yields a line for each problem, prefixed by its kind, and finally the counts."""
        kinds = {
            "damaged": self.damaged,
            "orphaned": self.orphaned,
            "set aside": self.set_aside,
            "stale": self.stale,
        }
        yield from (f"{kind}: {line}" for kind, found in kinds.items() for line in found)
        yield ", ".join(
            [f"{len(self.whole)} records whole", *(f"{len(found)} {kind}" for kind, found in kinds.items())]
        )


def verify(store: Store, stale: Iterable[str] = ()) -> Findings:
    """Reads every record, every artefact and all measured speeds, without changing anything.

    Args:
        stale: A line for each file left behind by a process that no longer exists.

    Raises:
        RecordError: If the results folder does not exist.
    """
    records, problems = store.scan()
    if not store.root.exists():
        raise RecordError(f"{store.root}: no such folder; 'wganbench run' makes it, --results names another")
    weights = WeightsFolder(store.root)
    misplaced = [problem.text for problem in problems if problem.kind == "misplaced"]
    return Findings(
        whole=[store.path(record) for record in records.values()],
        damaged=[
            *(problem.text for problem in problems if problem.kind != "misplaced"),
            *_damaged_artefacts(store, records.values()),
            *weights.damaged(records.values()),
            *measured.damaged(store.root, records.values()),
            *speeds.scan(store.root)[1],
        ],
        orphaned=[
            *misplaced,
            *_orphaned_artefacts(store, records.values()),
            *weights.orphaned(records.values()),
            *measured.orphaned(store.root, records.values()),
        ],
        set_aside=[f"{path}: {reason}" for path, reason in store.held()],
        stale=[*_half_written(store.root), *stale],
    )


def set_aside(store: Store) -> None:
    """Sets aside every damaged record and leaves all other files alone.

    Raises:
        RecordError: If a record cannot be moved.
    """
    _, problems = store.scan()
    for problem in problems:
        if problem.kind == "damaged":
            store.set_aside(problem.path, problem.text)


def _damaged_artefacts(store: Store, records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        for artefact in record.artefacts:
            try:
                store.artefact(record, artefact)
            except RecordError as error:
                yield str(error)


def _orphaned_artefacts(store: Store, records: Iterable[Record]) -> Iterator[str]:
    named = {path for record in records for path in store.artefact_paths(record)}
    for path in sorted(store.root.glob("[!.]*/artefacts/[!.]*")):
        if path not in named:
            yield f"{path}: no whole record names it; remove it once its run is recorded"


def _half_written(root: Path) -> Iterator[str]:
    for path in leftovers(root):
        remover = "'wganbench speed'" if path.parent.name == speeds.FOLDER else "'wganbench run' of its experiment"
        yield f"{path}: half written by a process that is gone; {remover} removes it"
