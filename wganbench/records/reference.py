"""Finds the committed records: those of a clone, or an installed wheel's copies, which come without artefacts."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import available, short
from wganbench.spec.catalogue import suggest

NAME = "reference"
"""The name of the committed records where a command takes a results folder."""

RUN_FILE = re.compile(r".+-[0-9a-f]{10}-s[0-9]+\.json")
"""The pattern of a record's file name."""


@dataclass(frozen=True)
class Source:
    """A source of records to merge.

    Attributes:
        store: The store of a whole results folder, or of one experiment in it.
        has_artefacts: Whether the artefacts that the records name are stored beside them.
    """

    store: Store
    has_artefacts: bool = True


def reference_folder() -> Path:
    """Returns the folder of the committed records: ``results`` in a clone, or the copy inside an installed wheel.

    Raises:
        RecordError: If neither exists.
    """
    clone = Path(__file__).resolve().parents[2] / "results"
    # Check the wheel's own folder first: a "results" folder beside an installed package may belong to another package.
    for folder in (_shipped(), clone):
        if folder.is_dir():
            return folder
    raise RecordError(f"{clone}: no such folder, and the package ships no records; name a results folder")


def _shipped() -> Path:
    return Path(str(importlib.resources.files("wganbench") / "results"))


def source(text: str) -> Source:
    """Returns the records that ``text`` names.

    Args:
        text: A results folder, the folder of one experiment in it, ``reference``, or the name of a shipped experiment
            for its committed records. A folder takes precedence if the name is ambiguous.

    Raises:
        RecordError: If ``text`` is none of these.
    """
    folder = Path(text)
    if folder.is_dir():
        is_of_one = any(RUN_FILE.fullmatch(path.name) for path in folder.glob("*.json"))
        folder = folder if folder.name not in ("", "..") else folder.resolve()
        return Source(Store(folder.parent, experiment=folder.name) if is_of_one else Store(folder))
    if text != NAME and text not in available():
        known = suggest(text, (NAME, *available()))
        raise RecordError(f"{short(text)}: no such folder, and no experiment that ships{known}")
    root = reference_folder()
    return Source(Store(root, experiment=None if text == NAME else text), has_artefacts=root != _shipped())


def committed_records(experiments: Iterable[str], *, on_cpu: bool) -> dict[str, Record]:
    """Returns the committed records of some experiments and one kind of device, by run id."""
    root = reference_folder()
    every = (record for experiment in experiments for record in Store(root, experiment).load().values())
    return {record.id: record for record in every if (record.provenance.device == "cpu") == on_cpu}


def reference_records(results: Path, experiments: Iterable[str], *, on_cpu: bool) -> list[Record]:
    """Returns the committed records of some experiments and one kind of device, and those of the submission folder.

    A run that both have counts as it is in the submission folder.
    """
    own = Store(results).load() if results.is_dir() else {}
    return list({**committed_records(experiments, on_cpu=on_cpu), **own}.values())
