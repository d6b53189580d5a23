"""Records: what a run leaves behind, one JSON file each, written atomically, read with their checksum.

``results/EXPERIMENT/RUN.json`` holds a record, ``results/EXPERIMENT/artefacts/RUN.npz`` what its figures need beyond
numbers. Every planned run ends in exactly one record, failures included; an interrupted run has none yet.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from wganbench.errors import RecordError
from wganbench.plan import Run, family
from wganbench.spec import Setting, mistakes

SCHEMA = 1
MAX_BYTES = 64 * 1024

Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: dict[int, Migration] = {}
"""From schema number n to n + 1, for every n below ``SCHEMA``; a change of the schema adds one, with its test."""

Status = Literal["finished", "diverged", "failed"]
Number = float | None
"""A measured number; None for one that is not finite (JSON has no NaN), whose reason the status or note gives."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Curve(_Model):
    """A number over generator steps."""

    steps: list[int]
    values: list[Number]


class Artefact(_Model):
    """A file beside the record: its name, relative to the record's folder, and its SHA-256."""

    file: str
    sha256: str


class Provenance(_Model):
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


class Record(_Model):
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
    experiment: str
    profile: str
    variant: str
    seed: int
    overrides: list[str]
    setting: Setting
    status: Status
    note: str | None
    steps_done: int
    measures: dict[str, Number]
    best: dict[str, Number]
    curves: dict[str, Curve]
    cohort: list[str]
    score_protocol: str | None = None
    data_checksum: str | None = None
    artefacts: list[Artefact] = []
    claims: dict[str, str]
    retries: int = 0
    provenance: Provenance
    wall_seconds: float

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
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_text(text: str, where: str) -> Record:
    """Reads what ``write_text`` wrote, older schemas through their migrations.

    Raises:
        RecordError: If it is no record, damaged, or of a newer schema; names ``where``.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise RecordError(f"{where}: not whole JSON; move the file away, 'wganbench run' makes it anew") from None
    number = content.get("schema_number") if isinstance(content, dict) else None
    if not isinstance(number, int) or not {"checksum", "id", "setting"} <= set(content):
        raise RecordError(f"{where}: not a record of wganbench; move the file out of the results folder")
    if number > SCHEMA:
        raise RecordError(f"{where}: schema {number}, this version reads up to {SCHEMA}; upgrade wganbench")
    stated = content.pop("checksum")
    if stated != _checksum(content):
        raise RecordError(f"{where}: content does not match its checksum {stated}; restore the file or move it away")
    for step in range(number, SCHEMA):
        content = MIGRATIONS[step](content)
    try:
        record = Record.model_validate({**content, "schema_number": SCHEMA})
    except ValidationError as error:
        raise RecordError(f"{where}: {'; '.join(mistakes(error, Record))}") from None
    if record.id != f"{family(record.variant, record.setting)}-s{record.seed}":
        raise RecordError(f"{where}: id {record.id!r} is not that of its content; move the file away")
    return record


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
        """Every file that should be a record, sorted."""
        return sorted(path for path in self.root.glob("*/*.json") if not path.name.startswith("."))

    def load(self) -> dict[str, Record]:
        """All records by id.

        Raises:
            RecordError: With a line for each file that is no whole record, and for a run recorded twice.
        """
        records: dict[str, Record] = {}
        found: dict[str, Path] = {}
        problems = []
        for path in self.paths():
            try:
                record = read_text(path.read_text(encoding="utf-8"), str(path))
            except RecordError as error:
                problems.append(str(error))
                continue
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{path}: cannot be read ({error}); move the file away")
                continue
            if path.stem != record.id:
                problems.append(f"{path}: holds the record of {record.id}; give the file that name")
            elif record.id in records:
                problems.append(f"{path}: the same run is recorded in {found[record.id]}; keep one of them")
            else:
                records[record.id], found[record.id] = record, path
        if problems:
            raise RecordError("\n".join(problems))
        return records

    def path(self, record: Record) -> Path:
        return self.root / record.experiment / f"{record.id}.json"

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


def write_atomically(path: Path, content: bytes, *, replace: bool = False) -> bool:
    """Puts ``content`` at ``path`` whole or not at all; an existing file stays unless ``replace``.

    Raises:
        RecordError: If the disk refuses.
    """
    temporary = path.parent / f".{path.name}.{platform.node()}.{os.getpid()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(temporary, path)
            return True
        try:
            os.link(temporary, path)  # unlike rename, refuses to take the place of a file that another writer made
        except FileExistsError:
            return False
        return True
    except OSError as error:
        raise RecordError(f"{path}: cannot be written ({error.strerror}); free the disk or use --results") from None
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Removes what writers of this machine that were killed in ``write_atomically`` have left half written."""
    for temporary in folder.rglob(f".*.{platform.node()}.*"):
        process = temporary.name.rpartition(".")[2]
        if process.isdigit() and not _is_alive(int(process)):
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
    ``prefer`` says which to keep. A run that failed here gives way to one that did not. The rest is merged all the same.

    Returns:
        How many were taken in, how many were skipped, and a line for each refusal.
    """
    here = ours.load()
    taken, skipped, refusals = 0, 0, []
    for record in theirs.load().values():
        mine = here.get(record.id)
        if mine is not None:
            same = (mine.status, mine.measures, mine.curves) == (record.status, record.measures, record.curves)
            retried = mine.status == "failed" and record.status != "failed"
            if same or prefer == "ours":
                skipped += 1
                continue
            if prefer != "theirs" and not retried:
                refusals.append(
                    f"{ours.path(mine)} and {theirs.path(record)} differ; choose with --prefer ours or --prefer theirs"
                )
                continue
            ours.path(mine).unlink()
        for artefact in record.artefacts:
            source = theirs.path(record).parent / artefact.file
            content = source.read_bytes() if source.is_file() else b""
            if hashlib.sha256(content).hexdigest() != artefact.sha256:
                refusals.append(f"{source}: missing or not what {theirs.path(record).name} says; its record is left out")
                break
            write_atomically(ours.path(record).parent / artefact.file, content, replace=True)
        else:
            ours.write(record, replace=True)
            taken += 1
    return taken, skipped, refusals
