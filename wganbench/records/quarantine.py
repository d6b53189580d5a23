"""Where broken files go: out of the way, under names of their own, never deleted, with the reason beside each.

``FOLDER/damaged/NAME`` is what lay at ``FOLDER/NAME``, ``NAME.2`` what was broken there a second time, and
``NAME.why`` one line on what was wrong. Nothing in such a folder counts.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from wganbench.errors import RecordError

DAMAGED = "damaged"


def take(path: Path, reason: str) -> Path | None:
    """Moves ``path`` into the ``damaged`` folder beside it.

    Returns:
        Where it lies now; None if it was gone: of two processes that take one file, one has it.

    Raises:
        RecordError: If the disk refuses; it is then where it was.
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
    """A free name in ``folder``. Its ``.why`` file is made here, which only one process can do, so the name is ours."""
    folder.mkdir(exist_ok=True)
    for number in itertools.count(1):
        target = folder / (name if number == 1 else f"{name}.{number}")
        try:
            _why(target).touch(exist_ok=False)
        except FileExistsError:
            continue
        if not target.exists():  # rename would take its place
            return target
    raise AssertionError("there is always a next number")


def _why(path: Path) -> Path:
    return path.with_name(f"{path.name}.why")


def held(root: Path) -> list[tuple[Path, str]]:
    """Each file of the ``damaged`` folders of a results folder, sorted, and what was wrong with it."""
    found = sorted(path for path in root.glob(f"[!.]*/{DAMAGED}/*") if path.suffix != ".why" and path.is_file())
    return [(path, _reason(path)) for path in found]


def _reason(path: Path) -> str:
    try:
        return _why(path).read_text(encoding="utf-8").strip() or "no reason was kept"
    except (OSError, UnicodeDecodeError):
        return "no reason was kept"
