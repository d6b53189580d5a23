"""Moves broken files out of the way, under unique names and with the reason beside each; they are never deleted.

``FOLDER/damaged/NAME`` is the file that was at ``FOLDER/NAME``, ``NAME.2`` the second broken file from there, and
``NAME.why`` a line that describes what was wrong. Files in a ``damaged`` folder are ignored by everything else.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from wganbench.errors import RecordError

DAMAGED = "damaged"


def take(path: Path, reason: str) -> Path | None:
    """Moves ``path`` into the ``damaged`` folder beside it.

    Returns:
        The new path; None if the file was gone, as when two processes take the same file and the other was first.

    Raises:
        RecordError: If the file cannot be moved; it then stays where it was.
    """
    try:
        target = _reserve(path.parent / DAMAGED, path.name)
        try:
            _why(target).write_text(" ".join(reason.split()) + "\n", encoding="utf-8")
            path.rename(target)
        except BaseException:
            _why(target).unlink()
            raise
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(
            f"{path}: cannot be set aside ({error.strerror}); move it to the folder {DAMAGED} beside it"
        ) from None
    return target


def _reserve(folder: Path, name: str) -> Path:
    """Reserves a free name in ``folder`` by creating its ``.why`` file, in which only one process can succeed."""
    folder.mkdir(exist_ok=True)
    for number in itertools.count(1):
        target = folder / (name if number == 1 else f"{name}.{number}")
        try:
            _why(target).touch(exist_ok=False)
        except FileExistsError:
            continue
        if not target.exists():  # else rename would overwrite it
            return target
    raise AssertionError("there is always a next number")


def _why(path: Path) -> Path:
    return path.with_name(f"{path.name}.why")


def held(root: Path) -> list[tuple[Path, str]]:
    """Returns every file in the ``damaged`` folders of a results folder, sorted, with the reason it was moved."""
    found = sorted(path for path in root.glob(f"[!.]*/{DAMAGED}/*") if path.suffix != ".why" and path.is_file())
    return [(path, _reason(path)) for path in found]


def _reason(path: Path) -> str:
    try:
        return _why(path).read_text(encoding="utf-8").strip() or "no reason was kept"
    except (OSError, UnicodeDecodeError):
        return "no reason was kept"
