"""Removing records of an experiment from a results folder, with their artefacts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.store import Store


@dataclass(frozen=True)
class Removal:
    """A record that is to go.

    Attributes:
        path: Of its file.
        artefacts: Its files that are there; no other record names them.
    """

    record: Record
    path: Path
    artefacts: tuple[Path, ...]


def removals(store: Store, experiment: str, profile: str | None, variants: Collection[str]) -> list[Removal]:
    """The records of ``experiment``, of one profile and of some variants where these are named; changes nothing.

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
    """Deletes each record, then its artefacts, so that what stays is whole at any moment.

    Raises:
        RecordError: If the disk refuses; what is not removed stays as it was.
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
