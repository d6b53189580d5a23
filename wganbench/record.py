"""Records: what a run leaves behind, one JSON file each, written atomically, read with their checksum.

``results/EXPERIMENT/RUN.json`` holds a record, ``results/EXPERIMENT/artefacts/RUN.npz`` what its figures need beyond
numbers. Every planned run ends in exactly one record, failures included; an interrupted run has none yet.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import glob
import hashlib
import json
import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, ValidationError, model_validator

from wganbench.errors import RecordError
from wganbench.plan import Run, family
from wganbench.spec import RECORDED, Model, Name, Setting, mistakes, short

SCHEMA = 1
MAX_BYTES = 64 * 1024

Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: dict[int, Migration] = {}
"""From schema number n to n + 1, for every n below ``SCHEMA``; a change of the schema adds one, with its test."""

Status = Literal["finished", "diverged", "failed"]
Number = float | None
"""A measured number; None for one that is not finite (JSON has no NaN), whose reason the status or note gives."""


class Curve(Model):
    """A number over generator steps, one value a step."""

    steps: list[NonNegativeInt]
    values: list[Number]

    @model_validator(mode="after")
    def _is_paired(self) -> Curve:
        if len(self.steps) != len(self.values):
            raise ValueError(f"{len(self.steps)} steps with {len(self.values)} values")
        return self


class Artefact(Model):
    """A file beside the record: its name, relative to the record's folder, and its SHA-256.

    The name leads into ``artefacts`` and nowhere else, since ``merge`` writes what another machine's record names.
    """

    file: Annotated[str, Field(pattern=r"^artefacts/[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Provenance(Model):
    """Where and with what a run was trained.

    Attributes:
        device: ``"cpu"`` or the card's name.
        threads: CPU threads that torch used.
        deterministic: Whether torch was held to deterministic algorithms.
        commit: Of wganbench's checkout; None for an installed package.
        dirty: Whether that checkout had uncommitted changes; None where there is none.
        libraries: Versions by package name.
        started: UTC, ISO 8601, to the second.
    """

    device: str
    threads: PositiveInt
    deterministic: bool
    commit: str | None
    dirty: bool | None
    libraries: dict[str, str]
    started: str


class Record(Model):
    """What one run left behind.

    Attributes:
        status: ``diverged``: a loss or parameter stopped being finite; ``failed``: an exception, told in ``note``.
        note: One line on how it ended, or a traceback; None for a plain finish.
        steps_done: Generator steps taken before it ended.
        measures, best: Each measure's last value, and its best over its own schedule (None where it has no better).
        cohort: Ids of the runs trained together, itself included.
        score_protocol: Name and version of the score's protocol; None where no score network is used.
        data_checksum: SHA-256 of the data set's files; None for one that is drawn, which its setting defines.
        claims: Digest of each claim when the run was planned; a claim that differs later is marked post hoc.
        wall_seconds: Of the whole cohort, training and measures.
    """

    schema_number: int = SCHEMA
    id: str
    experiment: Name
    profile: Name
    variant: Name
    seed: NonNegativeInt
    overrides: list[str]
    setting: Setting
    status: Status
    note: str | None
    steps_done: NonNegativeInt
    measures: dict[str, Number]
    best: dict[str, Number]
    curves: dict[str, Curve]
    cohort: list[str]
    score_protocol: str | None = None
    data_checksum: str | None = None
    artefacts: list[Artefact] = Field(default_factory=list)
    claims: dict[str, str]
    retries: NonNegativeInt = 0
    provenance: Provenance
    wall_seconds: NonNegativeFloat

    @property
    def family(self) -> str:
        """The id without the seed."""
        return self.id.rsplit("-s", 1)[0]


def record_of(run: Run, **outcome: Any) -> Record:
    """A record of ``run`` with its ``outcome``: the fields that training decides."""
    return Record(
        id=run.id,
        experiment=run.experiment,
        profile=run.profile,
        variant=run.variant,
        seed=run.seed,
        overrides=list(run.overrides),
        setting=run.setting,
        claims=dict(run.claims),
        **outcome,
    )


def write_text(record: Record) -> str:
    """The record as it lies on disk: JSON, a field a line, curves on one line each, with its content checksum."""
    content = record.model_dump(mode="json")
    content = {"checksum": _checksum(content), **content}
    lines = []
    for key, value in content.items():
        if key == "curves":
            rows = ",\n".join(f"    {json.dumps(name)}: {json.dumps(curve)}" for name, curve in value.items())
            lines.append(f'  "curves": {{\n{rows}\n  }}' if value else '  "curves": {}')
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_text(text: str, where: str) -> Record:
    """Reads what ``write_text`` wrote, older schemas through their migrations.

    Raises:
        RecordError: If it is no record, damaged, or of a newer schema; names ``where``.
    """
    try:
        return _record_in(_json_in(text, where), where)
    except RecursionError:
        raise RecordError(f"{where}: nested too deeply to be a record; move the file away") from None


def _json_in(text: str, where: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise RecordError(f"{where}: not whole JSON; move the file away, 'wganbench run' makes it anew") from None


def _record_in(content: object, where: str) -> Record:
    if not isinstance(content, dict) or not {"checksum", "schema_number", "id", "setting"} <= content.keys():
        raise RecordError(f"{where}: not a record of wganbench; move the file out of the results folder")
    number = content["schema_number"]
    if type(number) is not int or number < 1:
        raise RecordError(f"{where}: schema {short(number)} is none of wganbench's; move the file away")
    if number > SCHEMA:
        raise RecordError(f"{where}: schema {number}, this version reads up to {SCHEMA}; upgrade wganbench")
    stated = content.pop("checksum")
    if stated != _checksum(content):
        raise RecordError(f"{where}: content does not match its checksum {short(stated)}; restore the file")
    for step in range(number, SCHEMA):
        content = MIGRATIONS[step](content)
    setting = json.dumps(content["setting"])
    try:
        content["setting"] = _setting_in(setting)
    except ValidationError as error:
        raise RecordError(f"{where}, setting: {'; '.join(mistakes(error, Setting))}; move the file away") from None
    try:
        record = Record.model_validate({**content, "schema_number": SCHEMA})
    except ValidationError as error:
        raise RecordError(f"{where}: {'; '.join(mistakes(error, Record))}; move the file away") from None
    if record.id != f"{_family_in(record.variant, setting)}-s{record.seed}":
        raise RecordError(f"{where}: id {short(record.id)} is not that of its content; move the file away")
    return record


@lru_cache(maxsize=1024)
def _setting_in(text: str) -> Setting:
    """Kept, since the runs of a variant have one setting and its checks take longer than all else of a record."""
    return Setting.model_validate(json.loads(text), context=RECORDED)


@lru_cache(maxsize=1024)
def _family_in(variant: str, setting: str) -> str:
    return family(variant, _setting_in(setting))


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """A results folder.

    Args:
        root: Need not exist yet.
    """

    def __init__(self, root: str | Path):
        self.root = Path(root)

    def paths(self) -> list[Path]:
        """Every file that should be a record, sorted.

        Raises:
            RecordError: If there is something else than a folder in the folder's place.
        """
        if self.root.exists() and not self.root.is_dir():
            raise RecordError(f"{self.root}: cannot be written or read (not a folder); choose another with --results")
        found = self.root.glob("*/*.json")
        return sorted(path for path in found if not path.name.startswith(".") and not path.parent.name.startswith("."))

    def load(self) -> dict[str, Record]:
        """All records by id.

        Raises:
            RecordError: With a line for each file that is no whole record in its place, and for a run recorded twice.
        """
        records, problems = self.scan()
        if problems:
            raise RecordError("\n".join(problems))
        return records

    def scan(self) -> tuple[dict[str, Record], list[str]]:
        """The records that can be read, by id, and a line for each file that is not one of them."""
        with _without_collection():
            return self._scan()

    def _scan(self) -> tuple[dict[str, Record], list[str]]:
        records: dict[str, Record] = {}
        problems = []
        for path in self.paths():
            try:
                record = _read_file(path)
            except RecordError as error:
                problems.append(str(error))
                continue
            if path != self.path(record):
                problems.append(f"{path}: holds the record of {self.path(record)}; move the file there")
            elif record.id in records:
                other = self.path(records[record.id])
                problems.append(f"{path}: the same run is recorded in {other}; keep one of them")
            else:
                records[record.id] = record
        return records, problems

    def path(self, record: Record) -> Path:
        return self.root / record.experiment / f"{record.id}.json"

    def artefact(self, record: Record, artefact: Artefact) -> bytes:
        """The content of an artefact of ``record``.

        Raises:
            RecordError: If it is missing, or not what the record says.
        """
        path = self.path(record).parent / artefact.file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RecordError(
                f"{path}: cannot be read ({error.strerror}); restore it or run {record.id} again"
            ) from None
        if hashlib.sha256(content).hexdigest() != artefact.sha256:
            raise RecordError(f"{path}: not what {record.id}.json says it is; restore it or run it again")
        return content

    def prepare(self, experiments: Iterable[str]) -> None:
        """Makes the folders and shows that they can be written, before any training.

        Raises:
            RecordError: If not.
        """
        for experiment in experiments:
            folder = self.root / experiment
            try:
                (folder / "artefacts").mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder) as probe:
                    probe.write(b"x" * MAX_BYTES)
                _sweep(folder)
            except OSError as error:
                raise RecordError(
                    f"{folder}: cannot be written ({error.strerror}); choose another folder with --results"
                ) from None

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
            gc.enable()


def _read_file(path: Path) -> Record:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise RecordError(f"{path}: {size:,} bytes; a record has at most {MAX_BYTES:,}; move the file away")
        text = path.read_bytes().decode()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror}); move it away") from None
    except UnicodeDecodeError:
        raise RecordError(f"{path}: not a text file in UTF-8; move the file away") from None
    return read_text(text, str(path))


def write_atomically(path: Path, content: bytes, *, replace: bool = False) -> bool:
    """Puts ``content`` at ``path`` whole or not at all; an existing file stays unless ``replace``.

    Returns:
        Whether it was written.

    Raises:
        RecordError: If the disk refuses.
    """
    temporary = path.parent / f".{path.name}.{platform.node()}.{os.getpid()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return _put(temporary, path, replace)
    except OSError as error:
        raise RecordError(f"{path}: cannot be written ({error.strerror}); free the disk or use --results") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _put(temporary: Path, path: Path, replace: bool) -> bool:
    if not replace:
        try:
            os.link(temporary, path)  # unlike rename, refuses to take the place of a file that another writer made
            return True
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise
        if path.exists():  # on a disk without hard links, such as a FAT stick, a look has to do
            return False
    temporary.replace(path)
    return True


def _sweep(folder: Path) -> None:
    """Removes what writers of this machine that were killed in ``write_atomically`` have left half written."""
    for temporary in folder.rglob(f".*.{glob.escape(platform.node())}.*"):
        process = temporary.name.rpartition(".")[2]
        if re.fullmatch("[0-9]{1,9}", process) and not _is_alive(int(process)):
            temporary.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


Preference = Literal["ours", "theirs"] | None


def merge_stores(ours: Store, theirs: Store, prefer: Preference = None) -> tuple[int, int, list[str]]:
    """Takes in another folder's records and artefacts.

    A record with the same measures and curves as one that is here is skipped; one that differs is refused, unless
    ``prefer`` says which to keep. A failed run gives way to one that did not fail, on whichever side it is. The rest is
    merged all the same.

    Returns:
        How many were taken in, how many were skipped, and a line for each refusal, damaged files of theirs included.

    Raises:
        RecordError: If one of our own records is damaged, or the disk refuses; nothing that was here is lost.
    """
    here = ours.load()
    there, refusals = theirs.scan()
    taken = skipped = 0
    for record in there.values():
        mine = here.get(record.id)
        kept = None if mine is None else _kept(mine, record, prefer)
        if kept == "ours":
            skipped += 1
            continue
        if mine is not None and kept is None:
            refusals.append(
                f"{ours.path(mine)} and {theirs.path(record)} differ; choose with --prefer ours or --prefer theirs"
            )
            continue
        try:
            artefacts = {artefact.file: theirs.artefact(record, artefact) for artefact in record.artefacts}
        except RecordError as error:
            refusals.append(f"{error}; its record is left out")
            continue
        for file, content in artefacts.items():
            write_atomically(ours.path(record).parent / file, content, replace=True)
        ours.write(record, replace=True)
        if mine is not None and ours.path(mine) != ours.path(record):
            ours.path(mine).unlink()
        taken += 1
    return taken, skipped, refusals


def _kept(mine: Record, other: Record, prefer: Preference) -> Preference:
    """Which of two records of one run is to stay; None where only a person can say."""
    if (mine.status, mine.measures, mine.curves) == (other.status, other.measures, other.curves):
        return "ours"
    if (mine.status == "failed") != (other.status == "failed"):
        return "theirs" if mine.status == "failed" else "ours"
    return prefer
