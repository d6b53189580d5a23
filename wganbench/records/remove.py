"""Removes records of an experiment and their artefacts from a results folder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.store import Store


@dataclass(frozen=True)
class Removal:
    """A record to be removed.

    Attributes:
        path: The record's file.
        artefacts: The artefacts of the record that exist; no other record names them.
    """

    record: Record
    path: Path
    artefacts: tuple[Path, ...]


def removals(store: Store, experiment: str, profile: str | None, variants: Collection[str]) -> list[Removal]:
    """Lists the records of ``experiment`` to remove, without changing anything.

    Args:
        profile: The only profile whose records are listed; None for all.
        variants: The only variants whose records are listed; empty for all.

    Raises:
        RecordError: If a record of the experiment is damaged.
    """
    paths = [path for path in store.paths() if path.parent.name == experiment]
    found = [record for path in paths if (record := store.find(experiment, path.stem)) is not None]
    going = [
        record
        for record in found
        if (profile is None or record.profile == profile) and (not variants or record.variant in variants)
    ]
    return [_removal(store, record) for record in going]


def remove(found: Sequence[Removal]) -> None:
    """Deletes each record before its artefacts, so that the remaining records are whole at any moment.

    Raises:
        RecordError: If a file cannot be deleted; the files after it stay as they were.
    """
    for each in found:
        try:
            each.path.unlink(missing_ok=True)
            for path in each.artefacts:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise RecordError(f"{error.filename}: cannot be removed ({error.strerror}); the rest stays") from None


def _removal(store: Store, record: Record) -> Removal:
    path = store.path(record)
    own = [path.parent / artefact.file for artefact in record.artefacts]
    return Removal(record, path, tuple(file for file in own if file.is_file()))
