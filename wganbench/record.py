"""Records: what a run leaves behind, one JSON file each, written atomically, read with their checksum.

``results/EXPERIMENT/RUN.json`` holds a record, ``results/EXPERIMENT/artefacts/RUN.npz`` what its figures need beyond
numbers, ``RUN.png`` beside it a grid of generated images where these are scored, ``RUN-grids.png`` smaller ones over
training. Every planned run ends in exactly one record, failures included; an interrupted run has none yet.
``results/EXPERIMENT/damaged/`` is where files go whose content is broken: they count no more and are never deleted.
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
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)

from wganbench import quarantine, written
from wganbench.errors import DamagedError, RecordError
from wganbench.plan import Run
from wganbench.spec import MAX_FLOAT, MAX_STEPS, RECORDED, RESERVED, Model, Name, Setting, Text, family, mistakes, short

SCHEMA = 1
MAX_BYTES = 64 * 1024

Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: dict[int, Migration] = {}
"""From schema number n to n + 1, for every n below ``SCHEMA``; a change of the schema adds one, with its test."""

Status = Literal["finished", "diverged", "failed"]


def _bounded(value: float | None) -> float | None:
    return value if value is None or abs(value) <= MAX_FLOAT else None


Number = Annotated[float | None, AfterValidator(_bounded)]
"""A measured number; None for one that is not finite (JSON has no NaN), whose reason the status or note gives, or that
is so large that statistics of it would not be.
"""
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Step = Annotated[int, Field(ge=0, le=MAX_STEPS)]


def _all_bounded(values: list[float | None]) -> list[float | None]:
    known = [0.0, *filter(None, values)]
    return values if -MAX_FLOAT <= min(known) and max(known) <= MAX_FLOAT else [_bounded(value) for value in values]


class Curve(Model):
    """A number over generator steps, one value a step; the values are as ``Number`` has them."""

    steps: list[Step]
    values: Annotated[list[float | None], AfterValidator(_all_bounded)]

    @model_validator(mode="after")
    def _is_paired(self) -> Curve:
        if len(self.steps) != len(self.values):
            raise ValueError(f"{len(self.steps)} steps with {len(self.values)} values")
        return self


_CURVES = TypeAdapter(dict[Text, Curve])


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
        precision: The least that matrix products of the training were in.
        convolutions: The least that its convolutions were in; TF32 is CUDA's alone.
        libraries: Versions by package name.
        started: UTC, ISO 8601, to the microsecond: what tells a run that was trained anew, with equal numbers, from the
            one before. To the second in older records.
        captured: Whether its steps, at the last attempt, were replayed as a CUDA graph.
    """

    device: Text
    threads: PositiveInt
    deterministic: bool
    commit: Text | None
    dirty: bool | None
    libraries: dict[Text, Text]
    started: Text
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    convolutions: Literal["float32", "tf32", "bfloat16"] = "float32"
    captured: bool = False

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is plain is left out, so that records made before it was told stay as they are."""
        content: dict[str, Any] = serialize(self)
        plain = {"precision": "float32", "convolutions": "float32", "captured": False}
        return {key: value for key, value in content.items() if plain.get(key, ...) != value}


class Record(Model):
    """What one run left behind.

    Attributes:
        status: ``diverged``: a loss or parameter stopped being finite; ``failed``: an exception, told in ``note``.
        note: One line on how it ended, or a traceback; None for a plain finish.
        steps_done: Generator steps taken before it ended.
        measures, best: Each measure's last value, and its best over its own schedule (None where it has no better).
        cohort: Ids of the runs trained together, itself included.
        score_protocol: Name and version of the score's protocol; None where no score network is used.
        data_checksum: SHA-256 of the decoded images and labels; None for points, which the setting defines.
        claims: Digest of each claim when the run was planned; a claim that differs later is marked post hoc.
        wall_seconds: Of the whole cohort, training and measures.
    """

    schema_number: int = SCHEMA
    id: str
    experiment: Name
    profile: Name
    variant: Name
    seed: Seed
    overrides: list[Text]
    setting: Setting
    status: Status
    note: str | None
    steps_done: Step
    measures: dict[Text, Number]
    best: dict[Text, Number]
    curves: dict[Text, Curve]
    cohort: list[Text]
    score_protocol: Text | None = None
    data_checksum: Text | None = None
    artefacts: list[Artefact] = Field(default_factory=list)
    claims: dict[Text, Text]
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


def checksum_of(record: Record) -> str:
    """What ``write_text`` states as the checksum of ``record``.

    The same whenever an unchanged file is read, for an older schema too, where it is that of the migrated content; and
    another once a run was trained anew, whose numbers may be equal but whose times are not. A field that is added
    without a new schema is left out where it has its default, as ``Provenance.precision`` is; else this would change.
    """
    return written.checksum_of(record.model_dump(mode="json"))


def write_text(record: Record) -> str:
    """The record as it lies on disk, with its checksum."""
    return written.text_of(record.model_dump(mode="json"))


SET_ASIDE = "'wganbench results verify --set-aside' moves it out of the way"


def _without_remedy(text: str) -> str:
    return text.partition(f"; {SET_ASIDE}")[0]


def read_text(text: str, where: str) -> Record:
    """Reads what ``write_text`` wrote, older schemas through their migrations.

    Raises:
        DamagedError: If it is no record, or not as it was written.
        RecordError: If it is as it was written, but by a version that wrote otherwise. Both name ``where``.
    """
    try:
        return _as_written(text) or _record_in(_json_in(text, where), where)
    except RecursionError:
        raise DamagedError(f"{where}: nested too deeply to be a record; {SET_ASIDE}") from None


def _as_written(text: str) -> Record | None:
    """The record of a text that is laid out as ``write_text`` does; None where anything is otherwise.

    It finds nothing that ``_record_in`` would not, but in a third of the time, and says nothing of what is wrong.
    """
    pieces = written.cut(text)
    if pieces is None:
        return None
    try:
        resolved, rest = _setting_in(pieces.setting), json.loads(pieces.rest)
        if not isinstance(rest, dict) or rest.get("schema_number") != SCHEMA:
            return None
        if rest.pop("checksum", None) != pieces.checksum(resolved.canonical, rest):
            return None
        content = {**rest, "setting": resolved.setting, "curves": _CURVES.validate_json(pieces.curves)}
        record = Record.model_validate(content, context=RECORDED)
    except ValueError:  # of JSON, of its letters, or of what it says
        return None
    return record if record.id == f"{_family_in(record.variant, pieces.setting)}-s{record.seed}" else None


def _json_in(text: str, where: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise DamagedError(f"{where}: not whole JSON; {SET_ASIDE}, 'wganbench run' makes it anew") from None


def _record_in(content: object, where: str) -> Record:
    if not isinstance(content, dict) or not {"checksum", "schema_number", "id", "setting"} <= content.keys():
        raise DamagedError(f"{where}: not a record of wganbench; {SET_ASIDE}")
    number = content["schema_number"]
    if type(number) is not int or number < 1:
        raise DamagedError(f"{where}: schema {short(number)} is none of wganbench's; {SET_ASIDE}")
    if number > SCHEMA:
        raise RecordError(f"{where}: schema {number}, this version reads up to {SCHEMA}; upgrade wganbench")
    stated = content.pop("checksum")
    if stated != written.checksum_of(content):
        raise DamagedError(f"{where}: content does not match its checksum {short(stated)}; {SET_ASIDE}, or restore it")
    for step in range(number, SCHEMA):
        content = MIGRATIONS[step](content)
    return _validated(content, where)


def _validated(content: dict[str, Any], where: str) -> Record:
    setting = json.dumps(content["setting"])
    try:
        content = {**content, "setting": _setting_in(setting).setting, "schema_number": SCHEMA}
    except ValidationError as error:
        raise RecordError(f"{where}, setting: {'; '.join(mistakes(error, Setting))}; move the file away") from None
    try:
        record = Record.model_validate(content, context=RECORDED)
    except ValidationError as error:
        raise RecordError(f"{where}: {'; '.join(mistakes(error, Record))}; move the file away") from None
    if record.id != f"{_family_in(record.variant, setting)}-s{record.seed}":
        raise RecordError(f"{where}: id {short(record.id)} is not that of its content; move the file away")
    return record


@dataclass(frozen=True)
class _Resolved:
    """A setting out of a record, and its canonical text."""

    setting: Setting
    canonical: str


@lru_cache(maxsize=1024)
def _setting_in(text: str) -> _Resolved:
    """Kept, since the runs of a variant have one setting and its checks take longer than all else of a record."""
    content = json.loads(text)
    setting = Setting.model_validate(content, context=RECORDED)
    return _Resolved(setting, written.canonical(content))


@lru_cache(maxsize=1024)
def _family_in(variant: str, setting: str) -> str:
    return family(variant, _setting_in(setting).setting)


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
        found = [path for path in self.root.glob("*/*.json") if path.parent.name != RESERVED]
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
                for leftover in leftovers(folder):
                    leftover.unlink(missing_ok=True)
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
            gc.freeze()
            gc.unfreeze()  # into the oldest generation at once, where the next collections do not look
            gc.enable()


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


def write_atomically(path: Path, content: bytes, *, replace: bool = False, durable: bool = True) -> bool:
    """Puts ``content`` at ``path`` whole or not at all; an existing file stays unless ``replace``.

    Args:
        durable: Whether it has to be whole after a power cut as well, which takes milliseconds.

    Returns:
        Whether it was written.

    Raises:
        RecordError: If the disk refuses.
    """
    # The process id is last, for _sweep. It says little where containers of one host name share a disk.
    temporary = path.parent / f".{path.name}.{platform.node()}.{secrets.token_hex(4)}.{os.getpid()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
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


def leftovers(folder: Path) -> list[Path]:
    """What writers of this machine that were killed in ``write_atomically`` have left half written in ``folder``."""
    found = sorted(folder.rglob(f".*.{glob.escape(platform.node())}.*"))
    processes = [(path, path.name.rpartition(".")[2]) for path in found]
    return [path for path, process in processes if re.fullmatch("[0-9]{1,9}", process) and not _is_alive(int(process))]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
