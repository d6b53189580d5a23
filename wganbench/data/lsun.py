"""LSUN as it is published, unpacked into a folder of pictures.

Yu et al. 2015 publish each category as one LMDB database. A key has 40 hexadecimal digits, and its value is the content
of a picture's file. Keys say nothing of the pictures, so the first ones are a fair sample of all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import lmdb

from wganbench.data.pictures import LMDB
from wganbench.errors import DataError, first_line
from wganbench.files import replacing
from wganbench.reading import open_file


def unpack(
    database: Path,
    folder: Path,
    *,
    limit: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, int]:
    """Writes the pictures of a database into a folder, as they are; files that are there are kept.

    Args:
        database: The folder with LSUN's ``data.mdb``, such as ``bedroom_train_lmdb``.
        folder: The folder to write to; created if missing. A picture is ``KEY[:2]/KEY.webp`` or, as the first releases
            had it, ``KEY[:2]/KEY.jpg``.
        limit: The number of pictures to unpack, in order of their keys; None for all.
        on_progress: Called with the number of pictures done and that of all, after each picture.

    Returns:
        The number of pictures, and how many of them were there already.

    Raises:
        DataError: If there is no such database, it is damaged or has other keys, or a file cannot be written.
    """
    kept = 0
    with _opened(database) as transaction:
        entries = transaction.stat()["entries"]
        total = min(limit or entries, entries)
        for done, (key, content) in enumerate(islice(transaction.cursor(), limit), 1):
            name = _file_name(key, content, database)
            path = folder / name[:2] / name
            if path.is_file():
                kept += 1
            else:
                _write(path, content)
            on_progress(done, total)
    return total, kept


@contextmanager
def _opened(database: Path) -> Iterator[lmdb.Transaction[bytes]]:
    """Opens a database for reading, after a check that its file has all pages: a missing one would kill the process."""
    path = database / LMDB
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); must be a database as LSUN publishes it") from None
    try:
        with lmdb.open(str(database), readonly=True, lock=False, create=False) as environment:
            whole = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
            if size < whole:
                raise DataError(f"{path}: {size:,} bytes of {whole:,}; download and unzip it again")
            with environment.begin() as transaction:
                yield transaction
    except lmdb.Error as error:
        raise DataError(f"{path}: no whole database ({first_line(error)}); download and unzip it again") from None


def _file_name(key: bytes, content: bytes, database: Path) -> str:
    if not key.isalnum():
        raise DataError(f"{database}: key {key[:40]!r}: must have letters and digits alone, as LSUN's")
    return f"{key.decode('ascii')}.{'webp' if content.startswith(b'RIFF') else 'jpg'}"


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); free the disk, then try again") from None
