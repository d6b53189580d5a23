"""The committed records: those of a clone, or the copies that an installed wheel has, which come without artefacts."""

from __future__ import annotations

import importlib.resources
import re
from dataclasses import dataclass
from pathlib import Path

from wganbench.errors import RecordError
from wganbench.records.store import Store
from wganbench.spec import available, short
from wganbench.spec.catalogue import suggest

NAME = "reference"
"""What the committed records are called where a folder could stand."""

RUN_FILE = re.compile(r".+-[0-9a-f]{10}-s[0-9]+\.json")
"""Name of a record's file."""


@dataclass(frozen=True)
class Source:
    """Records to take in.

    Attributes:
        store: Of a whole results folder, or of one experiment in it.
        has_artefacts: Whether the files that the records name lie beside them.
    """

    store: Store
    has_artefacts: bool = True


def reference_folder() -> Path:
    """The folder of the committed records: ``results`` in a clone, in an installed wheel what it brings.

    Raises:
        RecordError: If there is neither.
    """
    clone = Path(__file__).resolve().parents[2] / "results"
    # A wheel's own folder first: beside an installed package, another one's "results" may lie.
    for folder in (_shipped(), clone):
        if folder.is_dir():
            return folder
    raise RecordError(f"{clone}: no such folder, and the package brings no records; name a results folder")


def _shipped() -> Path:
    return Path(str(importlib.resources.files("wganbench") / "results"))


def source(text: str) -> Source:
    """The records that ``text`` names.

    Args:
        text: A results folder; the folder of one experiment in it; ``reference``; or an experiment that ships, for its
            committed records. A folder comes first, where something else has the same name.

    Raises:
        RecordError: If it is none of these.
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
