"""What runs were made with: the facts that all of them share, and a group for each difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wganbench.analysis.tables.table import NONE, Row, Table
from wganbench.records.record import Record, gist


@dataclass(frozen=True)
class MadeWith:
    """The provenance of some runs.

    Attributes:
        shared: The facts that all runs share, each with its name.
        groups: A row for each combination of the other facts, with its number of runs; no rows if there are none.
        failures: The id and the reason of each failed run.
    """

    shared: tuple[tuple[str, str], ...]
    groups: Table
    failures: tuple[tuple[str, str], ...]


def made_with(records: Iterable[Record], title: str) -> MadeWith:
    """Groups runs by what differs in how they were made."""
    records = sorted(records, key=lambda record: record.id)
    facts = [dict(_facts(record)) for record in records]
    names = list(dict.fromkeys(name for each in facts for name in each))
    values = {name: [each.get(name, NONE) for each in facts] for name in names}
    shared = tuple((name, found[0]) for name, found in values.items() if len(set(found)) == 1)
    differ = [name for name, found in values.items() if len(set(found)) > 1]
    counted = Counter(tuple(values[name][place] for name in differ) for place in range(len(records)))
    rows = []
    for group, n in counted.most_common() if differ else ():
        rows.append(Row({"runs": str(n), **dict(zip(differ, group, strict=True))}, {}))
    failed = [record for record in records if record.status == "failed"]
    failures = tuple((record.id, gist(record.note or "") or "no reason given") for record in failed)
    return MadeWith(shared, Table(title, tuple(rows)), failures)


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    made = record.provenance
    yield "status", record.status
    yield "device", made.device
    yield "threads", str(made.threads)
    yield "deterministic", _yes(made.deterministic)
    yield "precision", made.precision
    yield "convolutions", made.convolutions
    yield "CUDA graph", _yes(made.captured)
    yield "commit", (made.commit or NONE)[:10]
    yield "uncommitted changes", NONE if made.dirty is None else _yes(made.dirty)
    yield from sorted(made.libraries.items())
    if record.score_protocol:
        yield "scored by", record.score_protocol
    if made.custom_code:
        yield "custom code", ", ".join(f"{file} {digest[:8]}" for file, digest in sorted(made.custom_code.items()))


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
