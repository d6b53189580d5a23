"""Keeps the weights of trained networks beside the records, in ``.weights`` of the results folder.

``.weights/EXPERIMENT/RUN-HASH-NETWORK.safetensors`` holds the weights of one network, where HASH is the first eight
digits of the SHA-256 that the run's record states. The folder is hidden from git: a record is whole without its
weights, which only ``wganbench sample`` and ``wganbench measure`` read.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from wganbench.errors import RecordError
from wganbench.files import write_atomically
from wganbench.reading import read_bytes
from wganbench.records.record import KeptWeights, Record

FOLDER = ".weights"
SUFFIX = ".safetensors"
MAX_BYTES = 2**32
"""The largest file of weights that is read: a network of a thousand million parameters."""


def file_name(run_id: str, kept: KeptWeights) -> str:
    """Returns the name of the file with these weights of a run."""
    return f"{run_id}-{kept.sha256[:8]}-{kept.network}{SUFFIX}"


class WeightsFolder:
    """The weights of a results folder.

    Args:
        results: The results folder.
    """

    def __init__(self, results: Path):
        self.root = results / FOLDER

    def path(self, record: Record, kept: KeptWeights) -> Path:
        return self.root / record.experiment / file_name(record.id, kept)

    def keep(self, record: Record, contents: Mapping[str, bytes]) -> None:
        """Writes the files that a record names, before the record itself is written.

        Args:
            contents: The content of each file by its SHA-256.

        Raises:
            RecordError: If a file cannot be written.
        """
        if record.weights:
            write_atomically(self.root / ".gitignore", b"*\n")
        for kept in record.weights:
            write_atomically(self.path(record, kept), contents[kept.sha256], replace=True)

    def read(self, record: Record, kept: KeptWeights) -> bytes:
        """Returns the content of a file that a record names.

        Raises:
            RecordError: If the file is missing, or does not match the record's SHA-256.
        """
        path = self.path(record, kept)
        try:
            content = read(path)
        except FileNotFoundError:
            where = "they stay on the machine that trained the run: copy the file from there"
            raise RecordError(f"{path}: no such weights; {where}, or {again(record)}") from None
        if hashlib.sha256(content).hexdigest() != kept.sha256:
            raise RecordError(f"{path}: does not match {record.id}.json; restore it, or {again(record)}")
        return content

    def tidy(self, record: Record) -> None:
        """Removes the weights of the record's run that the record does not name, as those of a replaced record."""
        named = {self.path(record, kept) for kept in record.weights}
        for path in (self.root / record.experiment).glob(f"{record.id}-*{SUFFIX}"):
            if path not in named:
                _remove(path)

    def remove(self, record: Record) -> None:
        """Removes the weights that a record names."""
        for kept in record.weights:
            _remove(self.path(record, kept))

    def damaged(self, records: Iterable[Record]) -> Iterator[str]:
        """Yields a line for each file that is here and does not match the record that names it."""
        for record in records:
            for kept in record.weights:
                if self.path(record, kept).exists():
                    try:
                        self.read(record, kept)
                    except RecordError as error:
                        yield str(error)

    def orphaned(self, records: Iterable[Record]) -> Iterator[str]:
        """Yields a line for each file that none of the records names."""
        named = {self.path(record, kept) for record in records for kept in record.weights}
        for path in sorted(self.root.glob(f"*/[!.]*{SUFFIX}")):
            if path not in named:
                yield f"{path}: no whole record names it; remove it once its run is recorded"


def again(record: Record) -> str:
    """Returns the command that trains a run again and keeps its weights, as the end of a message."""
    return f"train it again: 'wganbench run {record.experiment} … --keep-weights --again'"


def read(path: Path) -> bytes:
    """Returns the content of a file of weights.

    Raises:
        FileNotFoundError: If there is no such file.
        RecordError: If it cannot be read, or is too large to be one.
    """
    try:
        return read_bytes(path, MAX_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # 'results verify' lists the files that stay
        path.unlink()
