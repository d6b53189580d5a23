"""Merges the records of another results folder into ours, without losing any of ours."""

from __future__ import annotations

from typing import Literal

from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.store import Store

Preference = Literal["ours", "theirs"] | None


def merge_stores(
    ours: Store, theirs: Store, prefer: Preference = None, *, with_artefacts: bool = True
) -> tuple[int, int, list[str]]:
    """Copies another folder's records and artefacts into ours.

    A record with the same status, measures and curves as ours of the same run is skipped; one that differs is refused,
    unless ``prefer`` decides which to keep. If only one of the two runs failed, the other is kept, whichever side it is
    on. A refusal does not stop the merge of the other records.

    Args:
        with_artefacts: Whether their artefacts are stored beside their records. If not, the records are merged
            without artefacts, and no figures are drawn from these runs.

    Returns:
        The number of merged records, the number of skipped ones, and a line for each refusal and for each damaged file
        of theirs.

    Raises:
        RecordError: If one of our own records is damaged, or writing fails; none of our records is lost.
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
    """Decides which of two records of one run to keep; returns None if only a person can choose."""
    if (mine.status, mine.measures, mine.curves) == (other.status, other.measures, other.curves):
        return "ours"
    if (mine.status == "failed") != (other.status == "failed"):
        return "theirs" if mine.status == "failed" else "ours"
    return prefer
