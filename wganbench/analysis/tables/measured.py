"""A table of the numbers that were measured on kept weights, after the training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from wganbench.analysis.tables.cells import number
from wganbench.analysis.tables.table import Row, Scalar, Table
from wganbench.records.measured import Measured, read
from wganbench.records.record import Record

NOTE = "Measured on kept weights, without training again. No claim, no other table and no figure reads these numbers."


def measured_table(records: Iterable[Record], results: Path) -> Table:
    """Returns a row for each number that was measured on the weights of these records; there may be none.

    Raises:
        RecordError: If a file of such numbers is damaged.
    """
    rows = [_row(record, each) for record in _sorted(records) for each in read(results, record)]
    return Table("Measured afterwards", tuple(rows), (NOTE,))


def _sorted(records: Iterable[Record]) -> Sequence[Record]:
    return sorted(records, key=lambda record: (record.profile, record.variant, record.seed))


def _row(record: Record, found: Measured) -> Row:
    options = ", ".join(f"{key} = {value}" for key, value in found.measure.options.items())
    by = f" by {found.score_protocol}" if found.score_protocol else ""
    name = found.label if found.label == found.measure.name else f"{found.label} ({found.measure.name})"
    cells = {
        "variant": record.variant,
        "profile": record.profile,
        "seed": str(record.seed),
        "step": f"{found.step:,}",
        "measure": f"{name}{by}",
        "options": options,
        "value": number(found.value),
    }
    data: dict[str, Scalar] = {
        "experiment": record.experiment,
        "run": record.id,
        "measure": found.label,
        "step": found.step,
    }
    return Row(cells, {**data, "value": found.value, "score_protocol": found.score_protocol})
