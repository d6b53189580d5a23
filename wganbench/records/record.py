"""Records: what a run leaves behind, as JSON with a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
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

from wganbench.errors import DamagedError, RecordError
from wganbench.records import written
from wganbench.spec import MAX_FLOAT, MAX_STEPS, RECORDED, Model, Name, Setting, Text, family, mistakes, short
from wganbench.spec.plan import Run

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
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
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


ENDINGS = (".npz", ".png", "-grids.png")
"""How the names of artefacts end."""


class Artefact(Model):
    """A file beside the record: its name, relative to the record's folder, and its SHA-256.

    The name is ``artefacts/RUN-HASH`` with one of ``ENDINGS``, where the hash is the first eight digits of the SHA-256;
    in older records ``artefacts/RUN`` with the ending. So it leads into ``artefacts`` and nowhere else, and no two
    records name one file, since ``merge`` writes what another machine's record names.
    """

    file: Annotated[str, Field(pattern=r"^artefacts/[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    sha256: Sha256

    @classmethod
    def of(cls, run_id: str, ending: str, content: bytes) -> Artefact:
        """The artefact of a run with this content."""
        sha256 = hashlib.sha256(content).hexdigest()
        return cls(file=_stem(run_id, sha256) + ending, sha256=sha256)

    def hashed(self, run_id: str) -> str:
        """The name with the hash in it, which an older record's artefact has while it is put in its place."""
        stem = _stem(run_id, self.sha256)
        return self.file if self.file.startswith(stem) else stem + self.file.removeprefix(f"artefacts/{run_id}")


def _stem(run_id: str, sha256: str) -> str:
    return f"artefacts/{run_id}-{sha256[:8]}"


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
        custom_code: SHA-256 of each source file of the setting's custom objects, by its path beside the spec or in the
            working folder; empty where there is none, and in older records.
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
    custom_code: dict[Text, Sha256] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is plain is left out, so that records made before it was told stay as they are."""
        content: dict[str, Any] = serialize(self)
        plain = {"precision": "float32", "convolutions": "float32", "captured": False, "custom_code": {}}
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

    @model_validator(mode="after")
    def _names_its_own_artefacts(self) -> Record:
        for artefact in self.artefacts:
            stem = _stem(self.id, artefact.sha256)
            if artefact.file not in {start + ending for start in (f"artefacts/{self.id}", stem) for ending in ENDINGS}:
                right = f"{stem!r} with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
                raise ValueError(f"artefacts: must be named {right}, got {short(artefact.file)}")
        return self

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
        resolved, rest = _setting_in(pieces.setting), written.parse(pieces.rest)
        if not isinstance(rest, dict) or rest.get("schema_number") != SCHEMA:
            return None
        if rest.pop("checksum", None) != pieces.checksum(resolved.canonical, rest):
            return None
        curves = _CURVES.validate_json(pieces.curves)
        if not pieces.has_each_curve_once(len(curves)):
            return None
        content = {**rest, "setting": resolved.setting, "curves": curves}
        record = Record.model_validate(content, context=RECORDED)
    except ValueError:  # of JSON, of its letters, or of what it says
        return None
    return record if record.id == f"{_family_in(record.variant, pieces.setting)}-s{record.seed}" else None


def _json_in(text: str, where: str) -> object:
    try:
        return written.parse(text)
    except written.TwiceError as error:
        raise DamagedError(f"{where}: the key {short(str(error))} stands twice in one table; {SET_ASIDE}") from None
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
    content = written.parse(text)
    setting = Setting.model_validate(content, context=RECORDED)
    return _Resolved(setting, written.canonical(content))


@lru_cache(maxsize=1024)
def _family_in(variant: str, setting: str) -> str:
    return family(variant, _setting_in(setting).setting)
