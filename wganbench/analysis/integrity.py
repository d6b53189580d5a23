"""Checks of single files and records that need no report: classifiers against their names, and copied runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from wganbench.analysis.finding import Finding
from wganbench.analysis.ledger import CLASSIFIERS
from wganbench.measures.scores.protocol import ENDING, MAX_BYTES, NAME
from wganbench.reading import read_bytes
from wganbench.records.record import Record
from wganbench.spec import is_timed

FEWEST_NUMBERS = 20
"""The fewest different numbers of a run that no other run has by chance."""


def damaged_classifiers(root: Path) -> Iterator[Finding]:
    """Yields each file among the classifiers whose name does not end in the first digits of its own SHA-256."""
    for path in sorted((root / CLASSIFIERS).glob("[!.]*")):
        name = f"{CLASSIFIERS}/{path.name}"
        if not path.is_file() or path.suffix != ENDING or not NAME.fullmatch(path.stem):
            text = f"a classifier is named DATA-SIZE-HASH{ENDING}; remove it, or move it elsewhere"
            yield Finding("stray file", "", name, text)
            continue
        try:
            digest = hashlib.sha256(read_bytes(path, MAX_BYTES)).hexdigest()[:8]
        except OSError as error:
            yield Finding("classifier damaged", "", name, f"cannot be read ({error.strerror}); restore it")
            continue
        if not path.stem.endswith(f"-{digest}"):
            yield Finding("classifier damaged", "", name, f"its SHA-256 begins with {digest}; restore it")


def copied_runs(records: Iterable[Record]) -> Iterator[Finding]:
    """Yields each run of a setting whose numbers are all equal to those of another seed.

    Two seeds do not agree in as many different numbers by chance, and a claim counts each as an independent run.
    """
    first: dict[tuple[object, ...], Record] = {}
    for record in sorted(records, key=lambda record: (record.family, record.seed)):
        numbers = _numbers(record)
        if len({number for _, values in numbers for number in values}) < FEWEST_NUMBERS:
            continue
        other = first.setdefault((record.family, numbers), record)
        if other.seed != record.seed:
            text = (
                f"all its numbers are those of seed {other.seed}: a copy, or a setting on which the seed has no effect"
            )
            yield Finding("copied run", record.experiment, record.id, text)


def _numbers(record: Record) -> tuple[tuple[str, tuple[float | None, ...]], ...]:
    """The values of each measure of a run, with its curve; without those that read the clock."""
    timed = {label for label, use in record.setting.measures.items() if is_timed(use)}
    curves = {label: tuple(curve.values) for label, curve in record.curves.items()}
    values = {label: (*curves.get(label, ()), value) for label, value in record.measures.items() if label not in timed}
    return tuple(sorted(values.items()))
