"""Taking in the records of another results folder, without losing any of ours."""

from __future__ import annotations

from typing import Literal

from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.store import Store

Preference = Literal["ours", "theirs"] | None


def merge_stores(
    ours: Store, theirs: Store, prefer: Preference = None, *, with_artefacts: bool = True
) -> tuple[int, int, list[str]]:
    """Takes in another folder's records and artefacts.

    A record with the same measures and curves as one that is here is skipped; one that differs is refused, unless
    ``prefer`` says which to keep. A failed run gives way to one that did not fail, on whichever side it is. The rest is
    merged all the same.

    Args:
        with_artefacts: Whether theirs lie beside their records; else the records are taken in without them, and no
            figure is drawn of these runs.

    Returns:
        How many were taken in, how many were skipped, and a line for each refusal, damaged files of theirs included.

    Raises:
        RecordError: If one of our own records is damaged, or the disk refuses; nothing that was here is lost.
    """
    here = ours.load()
    there, problems = theirs.scan()
    if not with_artefacts:
        there = {name: record.model_copy(update={"artefacts": []}) for name, record in there.items()}
    refusals = [problem.text for problem in problems]
    taken = skipped = 0
    for record in there.values():
        mine = here.get(record.id)
        kept = None if mine is None else _kept(mine, record, prefer)
        if kept == "ours":
            skipped += 1
            continue
        if mine is not None and kept is None:
            refusals.append(
                f"{ours.path(mine)} and {theirs.path(record)} differ; choose with --prefer ours or --prefer theirs"
            )
            continue
        try:
            artefacts = {artefact.file: theirs.artefact(record, artefact) for artefact in record.artefacts}
        except RecordError as error:
            refusals.append(f"{error}; its record is left out")
            continue
        ours.keep(record, artefacts, replace=True)
        if mine is not None and ours.path(mine) != ours.path(record):
            ours.remove(mine)
        taken += 1
    return taken, skipped, refusals


def _kept(mine: Record, other: Record, prefer: Preference) -> Preference:
    """Which of two records of one run is to stay; None where only a person can say."""
    if (mine.status, mine.measures, mine.curves) == (other.status, other.measures, other.curves):
        return "ours"
    if (mine.status == "failed") != (other.status == "failed"):
        return "theirs" if mine.status == "failed" else "ours"
    return prefer
