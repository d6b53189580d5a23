"""The results folder: where records lie, how they are found, read and written.

``results/EXPERIMENT/RUN.json`` holds a record, ``results/EXPERIMENT/artefacts/RUN-HASH.npz`` what its figures need
beyond numbers, ``RUN-HASH.png`` beside it a grid of generated images where these are scored, ``RUN-HASH-grids.png``
smaller ones over training; names of older artefacts have no hash of the content. Every planned run ends in exactly one
record, failures included; an interrupted run has none yet.
``results/EXPERIMENT/damaged/`` is where files go whose content is broken: they count no more and are never deleted.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wganbench.errors import DamagedError, RecordError
from wganbench.files import leftovers, make_folder, write_atomically
from wganbench.records import quarantine, written
from wganbench.records.record import MAX_BYTES, SET_ASIDE, Artefact, Record, checksum_of, read_text, write_text
from wganbench.spec import RESERVED


@dataclass(frozen=True)
class Problem:
    """A file that is not a record in its place.

    Attributes:
        kind: ``damaged``: its content is broken; ``unreadable``: whole, as far as one can tell, but this version or
            this user cannot read it; ``misplaced``: a whole record that belongs, or is already, elsewhere.
        text: One line: the path, what is wrong, the remedy.
    """

    path: Path
    kind: Literal["damaged", "unreadable", "misplaced"]
    text: str


class Store:
    """A results folder.

    Args:
        root: Need not exist yet.
        experiment: The only one whose records are looked for; None for all.
    """

    def __init__(self, root: str | Path, experiment: str | None = None):
        self.root = Path(root)
        self.experiment = experiment

    def paths(self) -> list[Path]:
        """Every file that should be a record, sorted.

        Raises:
            RecordError: If there is something else than a folder in the folder's place.
        """
        if self.root.exists() and not self.root.is_dir():
            raise RecordError(f"{self.root}: cannot be written or read (not a folder); choose another with --results")
        found = [path for path in self.root.glob("*/*.json") if path.parent.name != RESERVED]
        found = [path for path in found if self.experiment in (None, path.parent.name)]
        return sorted(path for path in found if not path.name.startswith(".") and not path.parent.name.startswith("."))

    def find(self, experiment: str, run_id: str) -> Record | None:
        """The record of one run, without a look at any other; None if it has none.

        Raises:
            DamagedError: If its content is broken.
            RecordError: If it cannot be read otherwise, or is another run's.
        """
        path = self.root / experiment / f"{run_id}.json"
        record = _read_file(path)
        if record is not None and self.path(record) != path:
            raise RecordError(self._belongs_elsewhere(path, record))
        return record

    def load(self) -> dict[str, Record]:
        """All records by id.

        Raises:
            RecordError: With a line for each file that is no whole record in its place, and for a run recorded twice.
        """
        records, problems = self.scan()
        if problems:
            raise RecordError("\n".join(problem.text for problem in problems))
        return records

    def load_whole(self) -> tuple[dict[str, Record], list[tuple[Path, str]]]:
        """All whole records by id; damaged files are set aside, so that their runs count as not recorded.

        Returns:
            The records; and where each file that was set aside now lies, with the line that says what was wrong.

        Raises:
            RecordError: With a line for each other problem that ``load`` tells of; nothing is then set aside.
        """
        records, problems = self.scan()
        others = [problem.text for problem in problems if problem.kind != "damaged"]
        if others:
            raise RecordError("\n".join(others))
        moved = [(self.set_aside(problem.path, problem.text), _without_remedy(problem.text)) for problem in problems]
        return records, [(path, reason) for path, reason in moved if path is not None]

    def scan(self) -> tuple[dict[str, Record], list[Problem]]:
        """The records that can be read, by id, and each file that is not one of them."""
        with _without_collection():
            return self._scan()

    def _scan(self) -> tuple[dict[str, Record], list[Problem]]:
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
        """Moves a damaged record into ``damaged`` beside it, under a name of its own, with ``reason`` beside that.

        Args:
            reason: As ``DamagedError`` says it; the remedy in it, which this is, is left out.

        Returns:
            Where it lies now; None if another process moved it first, or has put a whole record there since.

        Raises:
            RecordError: If it is not damaged, but cannot be read, or cannot be moved; it is then where it was.
        """
        try:
            _read_file(path)
        except DamagedError:
            return quarantine.take(path, _without_remedy(reason))
        return None

    def checksum(self, record: Record) -> str:
        """The checksum that the record's file states; without a file, the one that it would state."""
        path = self.path(record)
        try:
            with path.open(encoding="utf-8") as file:
                start = file.read(100)
                return written.stated(start) or str(written.parse(start + file.read())["checksum"])
        except OSError:
            return checksum_of(record)

    def path(self, record: Record) -> Path:
        return self.root / record.experiment / f"{record.id}.json"

    def artefact(self, record: Record, artefact: Artefact) -> bytes:
        """The content of an artefact of ``record``.

        Raises:
            RecordError: If it is missing, or not what the record says.
        """
        places = self._places(record, artefact)
        found = [_content_of(place) for place in places]
        for content in found:
            if isinstance(content, bytes) and hashlib.sha256(content).hexdigest() == artefact.sha256:
                return content
        if isinstance(found[0], OSError):
            raise RecordError(f"{places[0]}: cannot be read ({found[0].strerror}); restore it or run {record.id} again")
        raise RecordError(f"{places[0]}: not what {record.id}.json says it is; restore it or run it again")

    def artefact_paths(self, record: Record) -> set[Path]:
        """Where the artefacts of ``record`` may lie."""
        return {place for artefact in record.artefacts for place in self._places(record, artefact)}

    def _places(self, record: Record, artefact: Artefact) -> list[Path]:
        """Where an artefact lies, and where that of an older record lies until ``keep`` has come to its end."""
        names = dict.fromkeys([artefact.file, artefact.hashed(record.id)])
        return [self.path(record).parent / name for name in names]

    def other_files(self, records: Iterable[Record]) -> list[Path]:
        """Every file that is neither hidden nor set aside, and neither of ``records`` nor an artefact of theirs."""
        own = {path for record in records for path in (self.path(record), *self.artefact_paths(record))}
        inside = ((path, path.relative_to(self.root).parts) for path in self.root.rglob("*"))
        seen = (path for path, parts in inside if parts[1:2] != (quarantine.DAMAGED,) and not _is_hidden(parts))
        return sorted(path for path in seen if path not in own and not path.is_dir())

    def prepare(self, experiments: Iterable[str]) -> None:
        """Makes the folders and shows that they can be written, before any training.

        Raises:
            RecordError: If not.
        """
        for experiment in experiments:
            folder = self.root / experiment
            try:
                make_folder(folder / "artefacts")
                with tempfile.TemporaryFile(dir=folder) as probe:
                    probe.write(b"x" * MAX_BYTES)
                for leftover in leftovers(folder):
                    leftover.unlink(missing_ok=True)
            except OSError as error:
                raise RecordError(
                    f"{folder}: cannot be written ({error.strerror}); choose another folder with --results"
                ) from None

    def keep(self, record: Record, contents: Mapping[str, bytes], *, replace: bool = False) -> bool:
        """Writes a record with its artefacts; one that is there already stays with its own, unless ``replace``.

        Whenever this is ended, the record that is there has its own artefacts: they are written first, under names that
        no other record has, and those of a record that was replaced are removed last.

        Args:
            contents: The artefacts by their names in the record.

        Returns:
            Whether it was written.

        Raises:
            RecordError: As ``write``.
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
        """Where the artefacts lie of the record that is in the place of ``record`` now."""
        try:
            found = self.find(record.experiment, record.id)
        except RecordError:
            return set()
        return {self.path(record).parent / artefact.file for artefact in found.artefacts} if found else set()

    def remove(self, record: Record) -> None:
        """Removes a record, and then its artefacts.

        Raises:
            RecordError: If the disk refuses; the record is then there.
        """
        path = self.path(record)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RecordError(f"{path}: cannot be removed ({error.strerror}); remove it by hand") from None
        _remove(self.artefact_paths(record))

    def write(self, record: Record, *, replace: bool = False) -> bool:
        """Writes a record; one that is there already stays, unless ``replace``.

        Returns:
            Whether it was written.

        Raises:
            RecordError: If it is too large, or the disk refuses; what was there before is whole.
        """
        text = write_text(record)
        path = self.path(record)
        if len(text.encode()) > MAX_BYTES:
            raise RecordError(f"{path}: {len(text.encode()):,} bytes; a record has at most {MAX_BYTES:,}: fewer points")
        return write_atomically(path, text.encode(), replace=replace)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Garbage collections over thousands of records that all stay alive take longer than reading them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.unfreeze()  # into the oldest generation at once, where the next collections do not look
            gc.enable()


def _is_hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def _content_of(path: Path) -> bytes | OSError:
    try:
        return path.read_bytes()
    except OSError as error:
        return error


def _rename(path: Path, target: Path) -> None:
    if path != target:
        try:
            path.replace(target)
        except OSError as error:
            raise RecordError(f"{target}: cannot be written ({error.strerror}); move {path.name} there") from None


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):  # 'results verify' names what stays
            path.unlink()


def _read_file(path: Path) -> Record | None:
    """The record in a file; None if there is no file, as when another process has just set it aside."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DamagedError(f"{path}: {size:,} bytes; a record has at most {MAX_BYTES:,}; {SET_ASIDE}")
        text = path.read_bytes().decode()
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return None
        raise RecordError(f"{path}: cannot be read ({error.strerror}); move it away") from None
    except UnicodeDecodeError:
        raise DamagedError(f"{path}: not a text file in UTF-8; {SET_ASIDE}") from None
    return read_text(text, str(path))


def _without_remedy(text: str) -> str:
    return text.partition(f"; {SET_ASIDE}")[0]
