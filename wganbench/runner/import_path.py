"""Where modules are looked for: the folders of custom objects come last, in this process and in those that it starts.

What lies beside a spec must not take the place of an installed package: an ``ot.py`` there would be imported for POT.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

SAFE_PATH = "PYTHONSAFEPATH"
"""Set to 1, it keeps a new Python from looking into the working folder first, as ``-c`` and ``-m`` do."""


def add_import_folders(folders: Iterable[str]) -> None:
    """Makes modules in these folders importable, after all that is installed, wherever the folders stood before."""
    last = list(dict.fromkeys(folders))
    moved = {"", *map(os.path.realpath, last)}
    sys.path[:] = [place for place in sys.path if place and os.path.realpath(place) not in moved] + last


@contextmanager
def safe_path() -> Iterator[None]:
    """Has every Python that is started meanwhile keep the working folder out of its path."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before
