"""Trains some runs of a submission again, and compares them with their records."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.records.submission import RESULTS
from wganbench.runner.jobs.options import Execution
from wganbench.runner.loop import run_all
from wganbench.spec import MAX_STACK, load
from wganbench.spec.plan import Run, expand

SPREADS = 3.0
"""By how many standard deviations over seeds a measure may differ where bits do: other versions or processors round
otherwise, and a training carries that on."""

Outcome = Literal["equal", "close", "apart"]


@dataclass(frozen=True)
class Retrained:
    """A record of a submission, and its run trained again.

    Attributes:
        record, again: Both records.
        outcome: ``equal`` to the last bit in every measure, ``close`` within `SPREADS`, or ``apart``.
        problems: The measures that are apart, a line for each.
    """

    record: Record
    again: Record
    outcome: Outcome
    problems: tuple[str, ...]


def submitted(folder: Path) -> dict[str, Record]:
    """Returns the records of a submission by run id.

    Raises:
        RecordError: If the folder has no records, or one is damaged.
    """
    results = folder / RESULTS
    found = Store(results).load() if results.is_dir() else {}
    if not found:
        raise RecordError(f"{folder}: no records in {RESULTS}; 'wganbench judge --out {folder}' makes a submission")
    return found


def retrain(
    folder: Path, records: Mapping[str, Record], n: int, seed: int, execution: Execution
) -> Iterator[Retrained]:
    """Trains the cohorts of ``n`` runs again, drawn at random, and yields these runs with what was found.

    A cohort is trained whole, as the last bits of its numbers depend on how many seeds are stacked.

    Args:
        folder: The submission.
        records: Its records.
        n: The number of runs; all if there are fewer.
        seed: The seed of the draw.
        execution: How to train; threads and stack are those of the record.

    Raises:
        RecordError: If the submission's specs do not plan a run that it has a record of.
    """
    names = sorted(name for name, record in records.items() if record.status != "failed")
    for name in sorted(random.Random(seed).sample(names, min(n, len(names)))):
        record = records[name]
        how = replace(execution, stack=MAX_STACK, threads=record.provenance.threads)
        with tempfile.TemporaryDirectory() as place:
            every = {made.id: made for made in run_all(_cohort_of(folder, record), Store(Path(place)), how)}
        yield compared(record, every[name], records.values())


def _cohort_of(folder: Path, record: Record) -> list[Run]:
    """Returns the runs that were trained together with a record's, as the submission's own spec plans them."""
    spec = load(folder / f"{record.experiment}.toml")
    runs: list[Run] = []
    if record.profile in spec.profiles and record.variant in spec.variants_of(record.profile):
        seeds = sorted(int(name.rpartition("-s")[2]) for name in record.cohort)
        runs = expand(spec, record.profile, seeds, [record.variant])
    if record.id not in {run.id for run in runs}:
        raise RecordError(f"{folder / spec.file}: does not plan {record.id}, of which the submission has a record")
    return runs


def compared(record: Record, again: Record, records: Iterable[Record]) -> Retrained:
    """Compares a record with its run trained again.

    Args:
        record, again: Both records.
        records: All records of the submission; those of the same setting tell how far seeds are apart.
    """
    others = [each for each in records if each.family == record.family and each.status == "finished"]
    if (record.status, record.measures) == (again.status, again.measures):
        return Retrained(record, again, "equal", ())
    problems = tuple(_apart(record, again, others))
    return Retrained(record, again, "apart" if problems else "close", problems)


def _apart(record: Record, again: Record, others: list[Record]) -> Iterator[str]:
    if record.status != again.status:
        yield f"{record.id}: {record.status} in the record, {again.status} if trained again"
        return
    for label, value in record.measures.items():
        other = again.measures.get(label)
        if value is None or other is None:
            if value is not other:
                yield f"{record.id}, {label}: {value} in the record, {other} if trained again"
            continue
        known = [found for each in others if (found := each.measures.get(label)) is not None]
        spread = statistics.stdev(known) if len(known) > 1 else 0.0
        if abs(value - other) > SPREADS * spread:
            yield (
                f"{record.id}, {label}: {value:.6g} in the record, {other:.6g} if trained again; seeds are "
                f"{spread:.2g} apart, and {SPREADS:g} times that is the most"
            )
