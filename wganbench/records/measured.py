"""Numbers measured on kept weights, after the training: in a file beside the record, never in it.

``results/EXPERIMENT/measured/RUN.json`` lists them. Each names the measure with its options, the weights that were
measured and the record that they belong to. Claims, tables and figures read records alone; a report lists these numbers
in a table of their own, as long as the record is the one that was measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import Field, ValidationError

from wganbench.errors import RecordError
from wganbench.files import write_atomically
from wganbench.reading import read_bytes
from wganbench.records.record import (
    MAX_BYTES,
    Number,
    Provenance,
    Record,
    Sha256,
    Step,
    TwiceError,
    checksum_of,
    content_checksum,
    parse_json,
)
from wganbench.records.store import MEASURED
from wganbench.spec import RECORDED, Component, Line, Model, mistakes


class Measured(Model):
    """One number, measured after the training.

    Attributes:
        label: The name under which it was measured; it also decides the random streams, as in training.
        measure: The measure with its options.
        samples: The number of generated samples that it saw, ``measured_samples`` of the setting.
        step: The step of the weights.
        weights: The SHA-256 of each file of weights that was used.
        record: The checksum of the record that names these weights.
        value: The number; None if it was not finite.
        score_protocol: The protocol of the score network; None if none was used.
        data_checksum: As in the record.
        provenance: The machine and the software that measured it.
    """

    label: Line
    measure: Component
    samples: int
    step: Step
    weights: list[Sha256]
    record: Sha256
    value: Number
    score_protocol: Line | None = None
    data_checksum: Line | None = None
    provenance: Provenance


class _File(Model):
    checksum: Sha256
    run: Line
    measured: list[Measured] = Field(default_factory=list)


def path_of(results: Path, record: Record) -> Path:
    """Returns the file with the numbers of a run."""
    return results / record.experiment / MEASURED / f"{record.id}.json"


def read(results: Path, record: Record) -> list[Measured]:
    """Returns the numbers of a run that were measured on this record's weights; none if there is no file.

    Raises:
        RecordError: If the file is damaged.
    """
    checksum = checksum_of(record) if record.weights else ""
    return [each for each in _read(path_of(results, record), record.id) if each.record == checksum]


def _read(path: Path, run_id: str) -> list[Measured]:
    try:
        content = read_bytes(path, MAX_BYTES)
        parse_json(content.decode())  # refuses a key that occurs twice, of which pydantic keeps the last
        file = _File.model_validate_json(content, context=RECORDED)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror}); remove it and measure again") from None
    except ValidationError as error:
        raise RecordError(f"{path}: {mistakes(error, _File)[0]}; remove it and measure again") from None
    except TwiceError as error:
        raise RecordError(f"{path}: the key {str(error)!r} occurs twice; remove it and measure again") from None
    except (ValueError, RecursionError):
        raise RecordError(f"{path}: not whole JSON; remove it and measure again") from None
    if file.run != run_id or file.checksum != _checksum(file):
        raise RecordError(f"{path}: does not match its checksum, or is of another run; remove it and measure again")
    return file.measured


def add(results: Path, record: Record, new: Measured) -> Path:
    """Adds a number to the file of its run, in place of an earlier one of the same measure and step; returns its path.

    Raises:
        RecordError: If the file is damaged or too large, or cannot be written.
    """
    path = path_of(results, record)
    kept = [each for each in read(results, record) if _key(each) != _key(new)]
    file = _File(checksum="0" * 64, run=record.id, measured=[*kept, new])
    text = json.dumps({**file.model_dump(mode="json"), "checksum": _checksum(file)}, indent=1) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise RecordError(f"{path}: more than {MAX_BYTES:,} bytes with one more number; remove it and measure again")
    write_atomically(path, text.encode(), replace=True)
    return path


def _key(measured: Measured) -> tuple[object, ...]:
    return measured.label, measured.measure.model_dump_json(), measured.step, measured.score_protocol


def _checksum(file: _File) -> str:
    return content_checksum(file.model_dump(mode="json", exclude={"checksum"}))


def damaged(results: Path, records: Iterable[Record]) -> Iterator[str]:
    """Yields a line for each file that is damaged."""
    for record in records:
        try:
            read(results, record)
        except RecordError as error:
            yield str(error)


def orphaned(results: Path, records: Iterable[Record]) -> Iterator[str]:
    """Yields a line for each file that belongs to no record, or to one that has been made again since."""
    by_path = {path_of(results, record): record for record in records}
    for path in sorted(results.glob(f"[!.]*/{MEASURED}/[!.]*.json")):
        record = by_path.get(path)
        if record is None:
            yield f"{path}: its run is not recorded; remove it"
        elif not _is_current(results, record):
            yield f"{path}: of an earlier record of its run; remove it, and measure again"


def _is_current(results: Path, record: Record) -> bool:
    try:
        return bool(read(results, record))
    except RecordError:
        return True  # it is listed as damaged
