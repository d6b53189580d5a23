"""Finds, reads and writes the records of a results folder.

``results/EXPERIMENT/RUN.json`` holds a record, and ``results/EXPERIMENT/artefacts/RUN-HASH.npz`` the arrays that its
figures need. If generated images are scored, ``RUN-HASH.png`` beside it holds a grid of them, and
``RUN-HASH-grids.png`` smaller grids over training. The names of older artefacts have no hash of the content. Every
planned run ends in exactly one record, even if it fails; an interrupted run has none yet.

Files with broken content are moved to ``results/EXPERIMENT/damaged/``, where they are ignored and never deleted.
``damaged/NAME`` is the file that was at ``NAME``, ``damaged/NAME.2`` the second broken file from there, and
``damaged/NAME.why`` a line that describes what was wrong.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import itertools
import json
import os
import re
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wganbench.errors import DamagedError, RecordError
from wganbench.files import leftovers, make_folder, write_atomically
from wganbench.reading import TooLargeError, read_bytes, read_text
from wganbench.records.record import MAX_BYTES, Artefact, Record, checksum_of, remedy, write_text
from wganbench.records.record import read_text as record_in
from wganbench.spec import CONTROL, RESERVED

DAMAGED = "damaged"
"""The name of the folders for files that were set aside."""
MAX_ARTEFACT = 2**27
"""The largest file of an artefact in bytes."""
MEASURED = "measured"
"""The name of the folders for what was measured after the training, see ``wganbench.records.measured``."""


STATED, STATED_WITHIN = re.compile(r'\{\s*"checksum":\s*"([0-9a-f]{64})"'), 120
"""How a record's file begins, and the most characters that this takes: a report asks for thousands of checksums."""


@dataclass(frozen=True)
class Problem:
    """A file that should be a record but is not one, or is in the wrong place.

    Attributes:
        kind: ``damaged`` if the content is broken; ``unreadable`` if it seems whole, but this version or this user
            cannot read it; ``misplaced`` if it is a whole record that belongs, or already exists, elsewhere.
        text: One line with the path, the problem and the remedy.
    """

    path: Path
    kind: Literal["damaged", "unreadable", "misplaced"]
    text: str


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Pauses the search for garbage, which would look through all records read so far again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Store:
    """A results folder.

    Args:
        root: The folder, which need not exist yet.
        experiment: The only experiment whose records are listed; None for all.
    """

    def __init__(self, root: str | Path, experiment: str | None = None):
        self.root = Path(root)
        self.experiment = experiment

    def paths(self) -> list[Path]:
        """Returns every file that should be a record, sorted.

        Raises:
            RecordError: If the results folder is not a folder, or may not be listed, or a folder in it may not, with a
                line for each: records that nobody sees are not absent.
        """
        found, problems = [], []
        for name in _names(self.root):
            if name.startswith(".") or name == RESERVED or self.experiment not in (None, name):
                continue
            folder = self.root / name
            try:
                found += [folder / file for file in (_names(folder) if _is_folder(folder) else ())]
            except RecordError as error:
                problems.append(str(error))
        if problems:
            raise RecordError("\n".join(problems))
        return sorted(path for path in found if path.name.endswith(".json") and not path.name.startswith("."))

    def find(self, experiment: str, run_id: str) -> Record | None:
        """Returns the record of one run, without reading any other file; None if there is none.

        Raises:
            DamagedError: If its content is broken.
            RecordError: If it cannot be read for another reason, or is the record of another run.
        """
        path = self.root / experiment / f"{run_id}.json"
        record = _read_file(path)
        if record is not None and self.path(record) != path:
            raise RecordError(self._belongs_elsewhere(path, record))
        return record

    def select(self, experiment: str, profile: str | None, variants: Collection[str]) -> list[Record]:
        """Returns the records of an experiment, without reading any other file.

        Args:
            profile: The only profile whose records are returned; None for all.
            variants: The only variants whose records are returned; empty for all.

        Raises:
            RecordError: If a record of the experiment is damaged.
        """
        found = [self.find(experiment, path.stem) for path in self.paths() if path.parent.name == experiment]
        return [
            record
            for record in found
            if record is not None and profile in (None, record.profile) and (not variants or record.variant in variants)
        ]

    def load(self) -> dict[str, Record]:
        """Returns all records by id.

        Raises:
            RecordError: If any file is not a whole record in its place, or a run is recorded twice, with a line for
                each.
        """
        records, problems = self.scan()
        if problems:
            raise RecordError("\n".join(problem.text for problem in problems))
        return records

    def load_whole(self) -> tuple[dict[str, Record], list[tuple[Path, str]]]:
        """Returns all whole records by id; damaged files are set aside, so that their runs count as not recorded.

        Returns:
            The records, and for each file that was set aside its new path and a line that describes what was wrong.

        Raises:
            RecordError: If there are other problems, with a line for each as from ``load``; nothing is then set aside.
        """
        records, problems = self.scan()
        others = [problem.text for problem in problems if problem.kind != "damaged"]
        if others:
            raise RecordError("\n".join(others))
        moved = [(self.set_aside(problem.path, problem.text), _without_remedy(problem.text)) for problem in problems]
        return records, [(path, reason) for path, reason in moved if path is not None]

    @_no_collection()
    def scan(self) -> tuple[dict[str, Record], list[Problem]]:
        """Returns the records that can be read, by id, and a problem for each other file."""
        records: dict[str, Record] = {}
        problems = []
        for path in self.paths():
            try:
                record = _read_file(path)
            except RecordError as error:
                kind: Literal["damaged", "unreadable"] = "damaged" if isinstance(error, DamagedError) else "unreadable"
                problems.append(Problem(path, kind, str(error)))
                continue
            if record is None:
                continue
            if path != self.path(record):
                problems.append(Problem(path, "misplaced", self._belongs_elsewhere(path, record)))
            elif record.id in records:
                other = self.path(records[record.id])
                text = f"{path}: the same run is recorded in {other}; keep one of them"
                problems.append(Problem(path, "misplaced", text))
            else:
                records[record.id] = record
        return records, problems

    def _belongs_elsewhere(self, path: Path, record: Record) -> str:
        return f"{path}: holds the record of {self.path(record)}; move the file there"

    def set_aside(self, path: Path, reason: str) -> Path | None:
        """Moves a damaged record into the ``damaged`` folder beside it, under a unique name, with ``reason`` beside it.

        Args:
            reason: The text of the ``DamagedError``; its remedy, which is to call this, is left out.

        Returns:
            The new path; None if another process moved the file first, or has since put a whole record in its place.

        Raises:
            RecordError: If the file cannot be read, without being damaged, or cannot be moved; it then stays in place.
        """
        try:
            _read_file(path)
        except DamagedError:
            return _set_aside(path, _without_remedy(reason))
        return None

    def held(self) -> list[tuple[Path, str]]:
        """Returns every file that was set aside, sorted, with the reason."""
        found = sorted(
            path for path in self.root.glob(f"[!.]*/{DAMAGED}/*") if path.suffix != ".why" and path.is_file()
        )
        return [(path, _reason(path)) for path in found]

    def checksum(self, record: Record) -> str:
        """Returns the checksum stated in the record's file, or if there is no file, the one that it would state."""
        try:
            with self.path(record).open(encoding="utf-8") as file:
                head = STATED.match(file.read(STATED_WITHIN))
                return head[1] if head else str(json.loads(self.path(record).read_text(encoding="utf-8"))["checksum"])
        except OSError:
            return checksum_of(record)

    def path(self, record: Record) -> Path:
        return self.root / record.experiment / f"{record.id}.json"

    def artefact(self, record: Record, artefact: Artefact) -> bytes:
        """Returns the content of an artefact of ``record``.

        Raises:
            RecordError: If it is missing, or does not match the record's SHA-256.
        """
        mistakes = []
        for path in self._places(record, artefact):
            try:
                content = read_bytes(path, MAX_ARTEFACT)
            except OSError as error:
                mistakes.append(f"{path}: cannot be read ({error.strerror}); restore it or run {record.id} again")
                continue
            if hashlib.sha256(content).hexdigest() == artefact.sha256:
                return content
            mistakes.append(f"{path}: does not match {record.id}.json; restore it or run it again")
        raise RecordError(mistakes[0])

    def artefact_paths(self, record: Record) -> set[Path]:
        """Returns the paths that the artefacts of ``record`` may have."""
        return {place for artefact in record.artefacts for place in self._places(record, artefact)}

    def _places(self, record: Record, artefact: Artefact) -> list[Path]:
        """Returns an artefact's path, and the path that an older record's artefact has until ``keep`` is finished."""
        names = dict.fromkeys([artefact.file, artefact.hashed(record.id)])
        return [self.path(record).parent / name for name in names]

    def other_files(self, records: Iterable[Record]) -> list[Path]:
        """Returns every file that is not hidden, not set aside, and does not belong to one of ``records``."""
        own = {path for record in records for path in (self.path(record), *self.artefact_paths(record))}
        own |= {self.path(record).parent / MEASURED / f"{record.id}.json" for record in records}
        inside = ((path, path.relative_to(self.root).parts) for path in self.root.rglob("*"))
        seen = (path for path, parts in inside if DAMAGED not in parts[1:2] and not any(p[0] == "." for p in parts))
        return sorted(path for path in seen if path not in own and not path.is_dir())

    def prepare(self, experiments: Iterable[str]) -> None:
        """Creates the folders of ``experiments`` and checks that they can be written, before any training.

        Raises:
            RecordError: If a folder cannot be written.
        """
        for experiment in experiments:
            folder = self.root / experiment
            try:
                make_folder(folder / "artefacts")
                with tempfile.TemporaryFile(dir=folder) as probe:
                    probe.write(b"x" * MAX_BYTES)
                _remove(leftovers(folder))
            except OSError as error:
                raise RecordError(
                    f"{folder}: cannot be written ({error.strerror}); choose another folder with --results"
                ) from None

    def keep(self, record: Record, contents: Mapping[str, bytes], *, replace: bool = False) -> bool:
        """Writes a record with its artefacts; an existing record and its artefacts stay, unless ``replace``.

        If the process dies at any point, the record on disk still has its artefacts: new ones are written first, under
        names that no other record has, and those of a replaced record are removed last.

        Args:
            contents: The content of each artefact, by its name in the record.

        Returns:
            Whether the record was written.

        Raises:
            RecordError: As for ``write``.
        """
        folder = self.path(record).parent
        before = self._artefacts_there(record)
        hashed = {folder / artefact.hashed(record.id): artefact.file for artefact in record.artefacts}
        for path, name in hashed.items():
            write_atomically(path, contents[name], replace=True)
        is_written = self.write(record, replace=replace)
        if is_written:
            for path, name in hashed.items():
                _rename(path, folder / name)
        _remove((before | hashed.keys()) - self._artefacts_there(record))
        return is_written

    def _artefacts_there(self, record: Record) -> set[Path]:
        """Returns the paths of the artefacts of the record that is now stored under the id of ``record``."""
        try:
            found = self.find(record.experiment, record.id)
        except RecordError:
            return set()
        return {self.path(record).parent / artefact.file for artefact in found.artefacts} if found else set()

    def remove(self, record: Record) -> None:
        """Removes a record and then its artefacts.

        Raises:
            RecordError: If the record cannot be removed; it then stays.
        """
        path = self.path(record)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RecordError(f"{path}: cannot be removed ({error.strerror}); remove it by hand") from None
        _remove(self.artefact_paths(record))

    def write(self, record: Record, *, replace: bool = False) -> bool:
        """Writes a record; an existing record stays, unless ``replace``.

        Returns:
            Whether the record was written.

        Raises:
            RecordError: If the record is too large or cannot be written; an existing record is left intact.
        """
        text = write_text(record)
        path = self.path(record)
        if len(text.encode()) > MAX_BYTES:
            raise RecordError(
                f"{path}: {len(text.encode()):,} bytes; a record has at most {MAX_BYTES:,}; measure at fewer points"
            )
        return write_atomically(path, text.encode(), replace=replace)


def _names(folder: Path) -> list[str]:
    """Returns the names in a folder; none if it does not exist.

    Raises:
        RecordError: If it is not a folder or may not be listed.
    """
    try:
        with os.scandir(folder) as found:
            return [entry.name for entry in found]
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        what = "cannot be written or read (not a folder)"
    except OSError as error:
        what = f"cannot be listed ({error.strerror})"
    raise RecordError(f"{folder}: {what}; choose another with --results")


def _is_folder(path: Path) -> bool:
    """Returns whether a path is a folder, or nobody may say what it is."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _set_aside(path: Path, reason: str) -> Path | None:
    """Moves a file into the ``damaged`` folder beside it, under a unique name.

    Returns:
        The new path; None if the file was gone, as when two processes take the same file and the other was first.

    Raises:
        RecordError: If the file cannot be moved; it then stays where it was.
    """
    try:
        target = _reserve(path.parent / DAMAGED, path.name)
        try:
            _why(target).write_text(CONTROL.sub("?", " ".join(reason.split())) + "\n", encoding="utf-8")
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


def _reason(path: Path) -> str:
    try:
        return read_text(_why(path), MAX_BYTES).strip() or "no reason was kept"
    except (OSError, UnicodeDecodeError):
        return "no reason was kept"


def _rename(path: Path, target: Path) -> None:
    if path != target:
        try:
            path.replace(target)
        except OSError as error:
            raise RecordError(f"{target}: cannot be written ({error.strerror}); move {path.name} there") from None


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):  # 'results verify' lists the files that stay
            path.unlink()


def _read_file(path: Path) -> Record | None:
    """Reads the record in a file; returns None if there is no file, as when another process has just set it aside."""
    try:
        text = read_bytes(path, MAX_BYTES).decode()
    except TooLargeError as error:
        raise DamagedError(f"{path}: {error.size}; a record has at most {MAX_BYTES:,}; {remedy(path)}") from None
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return None
        raise RecordError(f"{path}: cannot be read ({error.strerror}); move it away") from None
    except UnicodeDecodeError:
        raise DamagedError(f"{path}: not a text file in UTF-8; {remedy(path)}") from None
    return record_in(text, str(path))


def _without_remedy(text: str) -> str:
    return text.partition("; 'wganbench results verify ")[0]
