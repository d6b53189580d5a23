"""Puts the folders of custom objects last on the import path, in this process and in those that it starts.

A file beside a spec must not replace an installed package: an ``ot.py`` there would be imported instead of POT.
Packages that are optional are imported by `import_extra`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from wganbench.errors import ExtensionError

SAFE_PATH = "PYTHONSAFEPATH"
"""The variable which, set to 1, stops ``python -c`` and ``python -m`` from searching the working folder first."""


def add_import_folders(folders: Iterable[str]) -> None:
    """Moves or adds these folders to the end of ``sys.path``, after all installed packages."""
    last = list(dict.fromkeys(folders))
    moved = {"", *map(os.path.realpath, last)}
    sys.path[:] = [place for place in sys.path if place and os.path.realpath(place) not in moved] + last


@contextmanager
def safe_path() -> Iterator[None]:
    """Keeps the working folder off the path of every Python process started within the context."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


def import_extra(module: str, option: str, extra: str) -> Any:
    """Imports a module of a package that is installed with an extra of this one.

    Raises:
        ExtensionError: If it is not installed; the message names the ``option`` that needs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExtensionError(f"{option}: {error}; pip install 'wganbench[{extra}]'") from None
