"""Records of runs, stored as JSON with a checksum of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from wganbench.errors import DamagedError, RecordError
from wganbench.spec import (
    BREAKS,
    CONTROL,
    MAX_FLOAT,
    MAX_STEPS,
    RECORDED,
    Line,
    Model,
    Name,
    Setting,
    family,
    mistakes,
    short,
)
from wganbench.spec.plan import Run
from wganbench.spec.strict import omitted_if

SCHEMA = 1
MAX_BYTES = 64 * 1024
MAX_LISTED = 3
"""The largest number of mistakes of a record that its line names."""

Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: dict[int, Migration] = {}
"""Migrations from schema n to n + 1, for every n below ``SCHEMA``; a schema change adds a migration and its test."""

Status = Literal["finished", "diverged", "failed"]
Precision = Literal["float32", "tf32", "bfloat16"]


def _bounded(value: float | None) -> float | None:
    return value if value is None or abs(value) <= MAX_FLOAT else None


Number = Annotated[float | None, AfterValidator(_bounded)]
"""A measured number. It is None if it was not finite, which JSON cannot hold and the status or note explains, or so
large that statistics of it would not be finite.
"""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Step = Annotated[int, Field(ge=0, le=MAX_STEPS)]


def _all_bounded(values: list[float | None]) -> list[float | None]:
    known = [0.0, *filter(None, values)]  # a check of the whole list takes a fraction of one of each value
    return values if -MAX_FLOAT <= min(known) and max(known) <= MAX_FLOAT else [_bounded(value) for value in values]


class Curve(Model):
    """A number measured over generator steps, with one value per listed step; values follow the rules of ``Number``."""

    steps: list[Step]
    values: Annotated[list[float | None], AfterValidator(_all_bounded)]

    @model_validator(mode="after")
    def _is_paired(self) -> Curve:
        if len(self.steps) != len(self.values):
            raise ValueError(f"{len(self.steps)} steps with {len(self.values)} values")
        return self


ENDINGS = (".npz", ".png", "-grids.png")
"""The endings that an artefact's name may have."""


class Artefact(Model):
    """A file beside the record: its name, relative to the record's folder, and its SHA-256.

    The name is ``artefacts/RUN-HASH`` plus one of ``ENDINGS``, where the hash is the first eight digits of the SHA-256;
    older records have ``artefacts/RUN`` plus the ending. Since ``merge`` writes the files that another machine's record
    names, the name must lie inside ``artefacts``, and no two records may share a file.
    """

    file: Annotated[str, Field(pattern=r"^artefacts/[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    sha256: Sha256

    @classmethod
    def of(cls, run_id: str, ending: str, content: bytes) -> Artefact:
        """Creates the artefact of a run from its content."""
        sha256 = hashlib.sha256(content).hexdigest()
        return cls(file=_stem(run_id, sha256) + ending, sha256=sha256)

    def hashed(self, run_id: str) -> str:
        """Returns the name with the hash, under which the artefact of an older record is first written."""
        stem = _stem(run_id, self.sha256)
        return self.file if self.file.startswith(stem) else stem + self.file.removeprefix(f"artefacts/{run_id}")


def _stem(run_id: str, sha256: str) -> str:
    return f"artefacts/{run_id}-{sha256[:8]}"


class KeptWeights(Model):
    """The weights of one network after ``step``: the SHA-256 of a file that ``wganbench.records.weights`` keeps.

    The file stays on the machine that trained the run. In the record of a run whose weights were not kept, there is
    nothing about weights.
    """

    network: Literal["generator", "critic"]
    step: Step
    sha256: Sha256


class Provenance(Model):
    """The device, software and options that a run was trained with.

    Attributes:
        device: ``"cpu"``, or the name of the GPU.
        threads: The number of CPU threads that torch used.
        deterministic: Whether torch was restricted to deterministic algorithms.
        commit: The commit of wganbench's checkout; None for an installed package.
        dirty: Whether that checkout had uncommitted changes; None if there is no checkout.
        precision: The lowest precision of the training's matrix products.
        convolutions: The lowest precision of its convolutions; TF32 occurs on CUDA only.
        libraries: The version of each package, by its name.
        started: The start time, UTC, ISO 8601, to the microsecond, which distinguishes a run that was trained again
            with equal numbers from the earlier one. Older records have it to the second.
        captured: Whether the steps of the last attempt were replayed as a CUDA graph.
        custom_code: The SHA-256 of each source file of the setting's custom objects, by its path beside the spec or in
            the working folder; empty if there are none, and in older records.
    """

    device: Line
    threads: PositiveInt
    deterministic: bool
    commit: Line | None
    dirty: bool | None
    libraries: dict[Line, Line]
    started: Line
    precision: Annotated[Precision, omitted_if("float32")] = "float32"
    convolutions: Annotated[Precision, omitted_if("float32")] = "float32"
    captured: Annotated[bool, omitted_if(False)] = False
    custom_code: Annotated[dict[Line, Sha256], omitted_if({})] = Field(default_factory=dict)


class Record(Model):
    """The results of one run, with its setting and provenance.

    Attributes:
        status: ``diverged`` if a loss or parameter stopped being finite, ``failed`` if there was an exception, which
            ``note`` describes, else ``finished``.
        note: One line on how the run ended, or for a failed run a traceback; None if it simply finished.
        steps_done: The number of generator steps taken before the run ended.
        measures, best: The last value of each measure, and the best one over the measure's own schedule (None if
            neither direction is better).
        cohort: The ids of the runs trained together, including this one.
        score_protocol: The name and version of the score's protocol; None if no score network is used.
        data_checksum: The SHA-256 of the decoded images and labels; None for points, which the setting defines.
        weights: The weights that were kept: those after the last step, and those after the last step at which the
            setting's ``band`` was kept, if that was earlier.
        claims: A digest of each claim when the run was planned; a claim that differs later is marked post hoc.
        wall_seconds: The wall time of the whole cohort, for training and measures.
    """

    schema_number: int = SCHEMA
    id: str
    experiment: Name
    profile: Name
    variant: Name
    seed: Seed
    overrides: list[Line]
    setting: Setting
    status: Status
    note: str | None
    steps_done: Step
    measures: dict[Line, Number]
    best: dict[Line, Number]
    curves: dict[Line, Curve]
    cohort: list[Line]
    score_protocol: Line | None = None
    data_checksum: Line | None = None
    artefacts: list[Artefact] = Field(default_factory=list)
    weights: Annotated[list[KeptWeights], omitted_if([])] = Field(default_factory=list)
    claims: dict[Line, Line]
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

    @model_validator(mode="after")
    def _has_a_note_that_can_be_printed(self) -> Record:
        note = self.note or ""
        if CONTROL.search(note):
            raise ValueError(f"note: must have no control characters, got {short(note)}")
        if self.status != "failed" and BREAKS.search(note):
            raise ValueError(f"note: must be one line unless the run failed, got {short(note)}")
        return self

    @property
    def family(self) -> str:
        """The setting id: the run's id without the seed."""
        return self.id.rsplit("-s", 1)[0]


def record_of(run: Run, **outcome: Any) -> Record:
    """Creates the record of ``run`` from its ``outcome``, the fields that are known only after training.

    A note, which may come from custom code, loses the characters that a record must not have.
    """
    note = CONTROL.sub("?", outcome.pop("note", None) or "")
    if outcome["status"] != "failed":
        note = BREAKS.sub(" ", note)
    return Record(
        note=note or None,
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
    """Computes the checksum that ``write_text`` writes into the text of ``record``.

    It is the same each time an unchanged file is read; for an older schema it is the checksum of the migrated content.
    It differs once a run is trained again, since the times differ even if the numbers do not. A field that is added
    without a new schema must be omitted at its default, as ``Provenance.precision`` is, or the checksum would change.
    """
    return content_checksum(record.model_dump(mode="json"))


def content_checksum(content: Mapping[str, Any]) -> str:
    """Computes the SHA-256 of ``content`` as JSON with sorted keys and no spaces."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_text(record: Record) -> str:
    """Returns the text of the record's file, which includes the checksum: JSON with one field per line."""
    content = record.model_dump(mode="json")
    fields = {"checksum": content_checksum(content), **content}.items()
    return "{\n" + ",\n".join(f'"{key}": {json.dumps(value, allow_nan=False)}' for key, value in fields) + "\n}\n"


def gist(note: str) -> str:
    """Returns the line of a note that says the most: of a traceback, the first line of the exception's message.

    CUDA's messages end with lines of general advice, and a crash with lines of its traceback.
    """
    lines = note.strip().splitlines() or [""]
    frames = [i for i, line in enumerate(lines) if line.startswith('  File "')]
    behind = lines[frames[-1] :] if frames else []
    return next((line for line in behind if line.strip() and not line.startswith(" ")), lines[0]).strip()


def remedy(file: str | Path) -> str:
    """Returns the remedy for a damaged record: the command that sets it aside, with the results folder it is in."""
    return f"'wganbench results verify --results {Path(file).parent.parent} --set-aside' moves it out of the way"


class TwiceError(ValueError):
    """Raised for a key that occurs twice in one table, where JSON would silently drop the first value."""


def parse_json(text: str) -> Any:
    """Parses JSON.

    Raises:
        TwiceError: If a key occurs twice in one table.
        ValueError: If the text is not JSON.
    """
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise TwiceError(next(key for key in keys if keys.count(key) > 1))
    return content


def read_text(text: str, where: str) -> Record:
    """Reads a record from the text that ``write_text`` returned; older schemas are migrated.

    Args:
        where: The name of the file for error messages.

    Raises:
        DamagedError: If the text is not a record, or was changed since it was written.
        RecordError: If the text is unchanged, but a version with other rules wrote it.
    """
    try:
        content = parse_json(text)
    except TwiceError as error:
        raise DamagedError(f"{where}: the key {short(str(error))} occurs twice in one table; {remedy(where)}") from None
    except ValueError:
        raise DamagedError(f"{where}: not whole JSON; {remedy(where)}, 'wganbench run' trains its run again") from None
    except RecursionError:
        raise DamagedError(f"{where}: nested too deeply to be a record; {remedy(where)}") from None
    if not isinstance(content, dict) or not {"checksum", "schema_number", "id", "setting"} <= content.keys():
        raise DamagedError(f"{where}: not a record of wganbench; {remedy(where)}")
    number = content["schema_number"]
    if type(number) is not int or number < 1:
        raise DamagedError(f"{where}: unknown schema {short(number)}; {remedy(where)}")
    if number > SCHEMA:
        raise RecordError(f"{where}: schema {number}, this version reads up to {SCHEMA}; upgrade wganbench")
    stated = content.pop("checksum")
    if stated != content_checksum(content):
        what = f"content does not match its checksum {short(stated)}"
        raise DamagedError(f"{where}: {what}; {remedy(where)}, or restore it")
    for step in range(number, SCHEMA):
        content = MIGRATIONS[step](content)
    return _validated(content, where)


def _validated(content: dict[str, Any], where: str) -> Record:
    text = json.dumps(content["setting"])
    try:
        content = {**content, "setting": _setting_in(text), "schema_number": SCHEMA}
    except ValidationError as error:
        raise RecordError(f"{where}, setting: {_joined(mistakes(error, Setting))}; move the file away") from None
    try:
        record = Record.model_validate(content, context=RECORDED)
    except ValidationError as error:
        raise RecordError(f"{where}: {_joined(mistakes(error, Record))}; move the file away") from None
    if record.id != f"{_family_in(record.variant, text)}-s{record.seed}":
        raise RecordError(f"{where}: id {short(record.id)} is not that of its content; move the file away")
    return record


def _joined(found: Sequence[str]) -> str:
    """Returns the first mistakes of a record in one line."""
    return "; ".join([*found[:MAX_LISTED], *(["and more"] if len(found) > MAX_LISTED else [])])


@lru_cache(maxsize=1024)
def _setting_in(text: str) -> Setting:
    """Parses a setting; cached, as a variant's runs share one and its checks take longer than the rest of a record."""
    return Setting.model_validate(json.loads(text), context=RECORDED)


@lru_cache(maxsize=1024)
def _family_in(variant: str, setting: str) -> str:
    return family(variant, _setting_in(setting))
