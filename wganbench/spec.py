"""Specs: TOML in, a frozen ``Experiment`` out, with all mistakes of a file reported together.

A spec's top level holds what describes the experiment (title, source, variants, profiles, claims, …) and, beside it,
any field of ``Setting``: the defaults of every variant. A variant's setting is made by merging, later over earlier:

    top level  <  variants.NAME  <  profiles.PROFILE  <  --set

Tables merge key by key, except that a table whose ``name`` changes is replaced.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from wganbench import names
from wganbench.errors import SpecError

MAX_BYTES = 1_000_000
Table = dict[str, Any]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Component(Model):
    """A named object and its options, all defaults filled in; in TOML a bare name or a table with ``name``."""

    name: str
    protocol: PositiveInt
    options: dict[str, Any]

    @classmethod
    def resolve(cls, kind: str, value: object) -> Component:
        """Checks ``value`` against the table of names.

        Raises:
            ValueError: With what is wrong and the nearest right name.
        """
        table = {"name": value} if isinstance(value, str) else value
        if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
            raise ValueError(f"a {kind} is a name or a table with a name, got {_short(value)}")
        if set(table) == {"name", "protocol", "options"} and isinstance(table["options"], Mapping):
            return cls.model_validate(dict(table))  # as a record holds it
        entry = names.find(kind, table["name"])
        given = {key: item for key, item in table.items() if key != "name"}
        if names.is_dotted(table["name"]):
            protocol = given.pop("protocol", 1)
            return cls.model_validate({"name": table["name"], "protocol": protocol, "options": given})
        try:
            options = entry.options.model_validate(given)
        except ValidationError as error:
            raise ValueError("; ".join(mistakes(error, entry.options))) from None
        return cls(name=table["name"], protocol=entry.protocol, options=options.model_dump(mode="json"))


class Unrolling(Model):
    steps: PositiveInt
    order: Literal["first", "second"]


class MeasureUse(Model):
    """A measure at about ``points`` scheduled steps, with the first and the last among them; 1 is the last alone."""

    measure: Component
    points: Annotated[int, Field(ge=1, le=1000)] = 100


class Setting(Model):
    """All that affects the numbers of a run, but for the seed."""

    data: Component
    generator: Component
    critic: Component
    objective: Component
    constraint: Component | None = None
    project: Literal["before", "after"] = "after"
    n_critic: PositiveInt = 1
    unroll: Unrolling | None = None
    generator_optimizer: Component
    critic_optimizer: Component
    latent_dim: PositiveInt
    batch_size: PositiveInt
    steps: PositiveInt
    precision: Literal["fp32"] = "fp32"
    measured_samples: PositiveInt = 2500
    measures: dict[str, MeasureUse]
    clouds: list[Annotated[float, Field(ge=0, le=1)]] = []

    @model_validator(mode="before")
    @classmethod
    def _resolve_names(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        problems, resolved = [], dict(table)
        for field, kind in _COMPONENTS.items():
            if field not in table or table[field] is None or (field == "constraint" and table[field] == "none"):
                resolved.pop(field, None)
                continue
            try:
                resolved[field] = Component.resolve(kind, table[field])
            except ValueError as error:
                problems.append(f"{field}: {error}")
        measures = table.get("measures", {})
        if isinstance(measures, dict):
            resolved["measures"] = {}
            for label, value in measures.items():
                try:
                    resolved["measures"][label] = _measure_use(label, value)
                except ValueError as error:
                    problems.append(f"measures.{label}: {error}")
        if problems:
            raise ValueError("\n".join(problems))
        return resolved

    @model_validator(mode="after")
    def _check_together(self) -> Setting:
        if self.unroll and self.unroll.order == "second" and self.critic_optimizer.name != "adam":
            raise ValueError(
                f"unroll: second order is written for critic_optimizer 'adam', got {self.critic_optimizer.name!r}"
            )
        return self


_COMPONENTS = {
    "data": "data set",
    "generator": "network",
    "critic": "network",
    "objective": "objective",
    "constraint": "constraint",
    "generator_optimizer": "optimizer",
    "critic_optimizer": "optimizer",
}


def _measure_use(label: str, value: object) -> MeasureUse:
    if isinstance(value, MeasureUse):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"a measure is a table such as {{ points = 100 }}, got {_short(value)}")
    if "measure" in value:
        return MeasureUse.model_validate(dict(value))  # as a record holds it
    table = dict(value)
    points = table.pop("points", MeasureUse.model_fields["points"].default)
    component = Component.resolve("measure", {"name": label, **table})
    try:
        return MeasureUse(measure=component, points=points)
    except ValidationError as error:
        raise ValueError("; ".join(mistakes(error, MeasureUse))) from None


Statistic = Literal["final", "best"]


class _Claim(Model):
    """What all claims have in common.

    Attributes:
        id: Unique in the spec.
        says: The checkable sentence.
        profile: Where it is judged; records of no other profile enter.
        statistic: The measure's last value, or the best over its schedule.
        known_contradiction: Why a contradicted verdict is no surprise; the check passes over it, the report shows it.
    """

    id: Name
    says: Annotated[str, Field(min_length=1)]
    profile: str = "paper"
    statistic: Statistic = "final"
    known_contradiction: str | None = None

    def variants(self) -> tuple[str, ...]:
        raise NotImplementedError

    def measured(self) -> tuple[str, ...]:
        """Names of the measures that it reads."""
        raise NotImplementedError


class Comparison(_Claim):
    """``better`` scores better than ``worse`` on ``measure`` by more than ``margin``, in the measure's own direction.

    ``permutation``: exact two-sample test of the difference of means; ``paired``: exact sign-flip test of the
    differences by seed; ``welch``: for unbounded continuous measures alone.
    """

    test: Literal["permutation", "paired", "welch"]
    measure: str
    better: str
    worse: str
    margin: Annotated[float, Field(ge=0)] = 0.0

    def variants(self) -> tuple[str, ...]:
        return (self.better, self.worse)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


class Level(_Claim):
    """The mean of ``measure`` lies above ``at_least``, or below ``at_most``.

    ``sign-flip``: exact, for counts and bounded measures; ``t``: for unbounded continuous measures alone.
    """

    test: Literal["sign-flip", "t"]
    measure: str
    variant: str
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Level:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs one of at_least, at_most")
        return self

    def variants(self) -> tuple[str, ...]:
        return (self.variant,)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


class Criterion(Model):
    """A bound, inclusive, that one run meets or not."""

    measure: str
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Criterion:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs one of at_least, at_most")
        return self


class Success(_Claim):
    """More than ``rate`` of the runs meet all ``criteria``; exact binomial test. A diverged run meets none."""

    test: Literal["binomial"]
    variant: str
    criteria: Annotated[list[Criterion], Field(min_length=1)]
    rate: Annotated[float, Field(gt=0, lt=1)] = 0.5

    def variants(self) -> tuple[str, ...]:
        return (self.variant,)

    def measured(self) -> tuple[str, ...]:
        return tuple(criterion.measure for criterion in self.criteria)


class Equality(_Claim):
    """The mean of ``measure`` lies within ``within`` of ``equals``; two one-sided t tests."""

    test: Literal["tost"]
    measure: str
    variant: str
    equals: float
    within: PositiveFloat

    def variants(self) -> tuple[str, ...]:
        return (self.variant,)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


Claim = Annotated[Comparison | Level | Success | Equality, Field(discriminator="test")]


class Published(Model):
    """A published number, beside a measured one where ``variant`` is given, else as context without a verdict.

    Attributes:
        row: What the source calls the method.
        spread_over: What the ± is over, such as ``"10 runs"``; required with ``spread``.
        configuration: How the source's set-up differs, where it does.
    """

    measure: str
    value: float
    source: str
    row: str | None = None
    variant: str | None = None
    spread: PositiveFloat | None = None
    spread_over: str | None = None
    configuration: str | None = None

    @model_validator(mode="after")
    def _spread_is_over_something(self) -> Published:
        if (self.spread is None) != (self.spread_over is None):
            raise ValueError("spread and spread_over go together: every ± says what it is over")
        if self.variant is None and self.row is None:
            raise ValueError("needs variant (beside a measured row) or row (context)")
        return self


class Figure(Model):
    """A figure of the report: ``clouds`` (methods × moments) or ``curves`` (measures over steps)."""

    kind: Literal["clouds", "curves"]
    profile: str = "paper"
    variants: list[str] = []
    measures: list[str] = []
    window: PositiveFloat = 4.0
    title: str | None = None


class Experiment(Model):
    """One figure or table of a paper: what is trained, measured and claimed. Made by ``load``."""

    name: Name
    path: str
    title: str
    source: str
    version: PositiveInt
    extends: str | None = None
    stack: PositiveInt = 8
    seeds: PositiveInt = 5
    deviations: list[str] = []
    profiles: dict[Name, Table]
    variants: dict[Name, Table]
    claims: list[Claim] = []
    published: list[Published] = []
    figures: list[Figure] = []
    defaults: Table
    overrides: list[tuple[str, Any]] = []

    @field_validator("profiles", "variants")
    @classmethod
    def _not_empty(cls, tables: dict[str, Table]) -> dict[str, Table]:
        if not tables:
            raise ValueError("needs at least one")
        return tables

    @property
    def file(self) -> str:
        """Name of the file, as messages say it."""
        return Path(self.path).name

    def says(self, profile: str) -> str:
        """What the profile is, in the spec's words."""
        return str(self.profiles[profile].get("says", ""))

    def setting(self, variant: str, profile: str) -> Setting:
        """Everything of a variant under a profile, resolved.

        Raises:
            SpecError: If either is unknown or the merged tables make no setting.
        """
        return self._settings[self._known(variant, "variant"), self._known(profile, "profile")]

    def _known(self, name: str, kind: str) -> str:
        table = self.variants if kind == "variant" else self.profiles
        if name not in table:
            raise SpecError(f"{self.file}: no {kind} {name!r}{names.suggest(name, table)}")
        return name

    @cached_property
    def _settings(self) -> dict[tuple[str, str], Setting]:
        settings, found = {}, {}
        for variant, table in self.variants.items():
            for profile, changes in self.profiles.items():
                merged = merge(merge(self.defaults, table), {k: v for k, v in changes.items() if k != "says"})
                for path, value in self.overrides:
                    field = path.removeprefix(f"variants.{variant}.")
                    if field.split(".")[0] in Setting.model_fields:
                        merged = merge(merged, _nested(field, value))
                try:
                    settings[variant, profile] = Setting.model_validate(merged)
                except ValidationError as error:
                    for text in mistakes(error, Setting):
                        found.setdefault(text, []).append((variant, profile))
        if found:
            raise SpecError(*(f"{self.file}{self._place(places)}, {text}" for text, places in found.items()))
        return settings

    def _place(self, places: Sequence[tuple[str, str]]) -> str:
        """Where in the file a mistake of these (variant, profile) pairs is: the widest part that has it throughout."""
        if len(places) == len(self.variants) * len(self.profiles):
            return ""
        variants = {variant for variant, _ in places}
        whole = len(variants) == 1 and len(places) == len(self.profiles)
        variant, profile = places[0]
        if len(variants) == len(self.variants):
            return f", profiles.{profile}"
        return f", variants.{variant}" if whole else f", variants.{variant} under profiles.{profile}"

    def check(self) -> Experiment:
        """Checks what one field alone cannot show; returns itself.

        Raises:
            SpecError: With every mistake found.
        """
        settings, problems = self._settings, []
        for position, claim in enumerate(self.claims):
            where = f"{self.file}, claims.{claim.id}"
            if claim.id in [earlier.id for earlier in self.claims[:position]]:
                problems.append(f"{where}: the id is used twice; ids are unique in a spec and what it extends")
            if claim.profile not in self.profiles:
                problems.append(f"{where}: no profile {claim.profile!r}{names.suggest(claim.profile, self.profiles)}")
                continue
            problems += [f"{where}: {text}" for text in self._claim_mistakes(claim, settings)]
        for row in self.published:
            if row.variant is not None and row.variant not in self.variants:
                problems.append(
                    f"{self.file}, published: no variant {row.variant!r}{names.suggest(row.variant, self.variants)}"
                )
        for figure in self.figures:
            for variant in figure.variants:
                if variant not in self.variants:
                    problems.append(
                        f"{self.file}, figures: no variant {variant!r}{names.suggest(variant, self.variants)}"
                    )
            if figure.profile not in self.profiles:
                problems.append(
                    f"{self.file}, figures: no profile {figure.profile!r}{names.suggest(figure.profile, self.profiles)}"
                )
        if problems:
            raise SpecError(*problems)
        return self

    def _claim_mistakes(self, claim: Claim, settings: Mapping[tuple[str, str], Setting]) -> Iterator[str]:
        for variant in claim.variants():
            if variant not in self.variants:
                yield f"no variant {variant!r}{names.suggest(variant, self.variants)}"
                continue
            measures = settings[variant, claim.profile].measures
            for label in claim.measured():
                if label not in measures:
                    yield f"variant {variant!r} does not measure {label!r}{names.suggest(label, measures)}"
                    continue
                scale = scale_of(measures[label])
                if scale.bounded and claim.test in ("t", "welch"):
                    yield f"{label!r} is a count or bounded; use a permutation or sign-flip test, not {claim.test!r}"
                if scale.higher_is_better is None and isinstance(claim, Comparison):
                    yield f"{label!r} is neither better high nor low, so nothing can be better on it"


def scale_of(use: MeasureUse) -> names.Scale:
    """How the numbers of a measure are read."""
    return names.find("measure", use.measure.name).scale or names.STRANGER


def digest(content: object) -> str:
    """Ten hexadecimal digits that stand for JSON-like ``content``, the same on every machine and version."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def claim_digest(claim: Claim) -> str:
    """Stands for what decides the verdict: the wording and a known contradiction's reason may change freely."""
    return digest(claim.model_dump(mode="json", exclude={"says", "known_contradiction"}))


# ---- reading files ----------------------------------------------------------------------------------------------


def available() -> dict[str, Path]:
    """Specs that ship with wganbench, by name, in a clone or an installed wheel."""
    return {path.stem: path for path in sorted(_folder().glob("*.toml"))}


def _folder() -> Path:
    clone = Path(__file__).resolve().parent.parent / "benchmarks"
    if clone.is_dir():
        return clone
    return Path(str(importlib.resources.files("wganbench") / "benchmarks"))


def load(experiment: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Reads, merges and checks a spec.

    Args:
        experiment: A name out of ``available()``, or a path to a TOML file.
        overrides: ``"path.to.field=value"`` with a TOML value; a word that is no TOML value is taken as a string.

    Raises:
        SpecError: With every mistake of the file, one a line.
    """
    path = _locate(str(experiment))
    table = _read_extended(path, ())
    changes = [_parse_override(text) for text in overrides]
    for dotted, value in changes:
        table = _override(table, dotted, value)
    fields = set(Experiment.model_fields) - {"name", "path", "defaults", "overrides"}
    about = {key: value for key, value in table.items() if key in fields}
    defaults = {key: value for key, value in table.items() if key not in fields}
    unknown = [
        f"{path.name}: unknown field {key!r}{names.suggest(key, {*fields, *Setting.model_fields})}"
        for key in defaults
        if key not in Setting.model_fields
    ]
    raw = {**about, "name": path.stem, "path": str(path), "defaults": defaults, "overrides": changes}
    try:
        made = Experiment.model_validate(raw)
    except ValidationError as error:
        raise SpecError(*unknown, *(f"{path.name}, {text}" for text in mistakes(error, Experiment))) from None
    if unknown:
        raise SpecError(*unknown)
    return made.check()


def _locate(experiment: str) -> Path:
    if experiment.endswith(".toml") or "/" in experiment:
        path = Path(experiment)
        if not path.is_file():
            raise SpecError(f"{experiment}: no such file; 'wganbench list' names the experiments that ship")
        return path
    specs = available()
    if experiment not in specs:
        raise SpecError(f"unknown experiment {experiment!r}{names.suggest(experiment, specs)}")
    return specs[experiment]


def _read_extended(path: Path, below: tuple[Path, ...]) -> Table:
    if path.resolve() in below:
        chain = " → ".join(step.name for step in (*below, path))
        raise SpecError(f"{path.name}, extends: circular ({chain}); a spec cannot extend itself")
    table = _read(path)
    parent = table.get("extends")
    if parent is None:
        return table
    if not isinstance(parent, str):
        raise SpecError(f"{path.name}, extends: must be the name or path of a spec, got {_short(parent)}")
    if parent.endswith(".toml") and not Path(parent).is_absolute():
        parent = str(path.parent / parent)
    inherited = _read_extended(_locate(parent), (*below, path.resolve()))
    joined = {
        key: [*inherited.get(key, []), *table.get(key, [])]
        for key in ("claims", "published", "deviations", "figures")
        if isinstance(table.get(key, []), list) and isinstance(inherited.get(key, []), list)
    }
    return {**merge(inherited, table), **joined}


def _read(path: Path) -> Table:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SpecError(f"{path.name}: {size:,} bytes; a spec has at most {MAX_BYTES:,}")
        text = path.read_bytes().decode("utf-8")
        table = tomllib.loads(text)
    except UnicodeDecodeError:
        raise SpecError(f"{path.name}: not a text file in UTF-8; a spec is TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path.name}: not TOML: {error}") from None
    except RecursionError:
        raise SpecError(f"{path.name}: nested too deeply to be a spec") from None
    except OSError as error:
        raise SpecError(f"{path.name}: cannot be read: {error.strerror}") from None
    if not table:
        raise SpecError(f"{path.name}: empty; a spec has at least title, source, version, data and variants")
    return table


def _parse_override(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path or not all(part.strip() for part in path.split(".")):
        raise SpecError(f"--set {text}: must be path.to.field=value, such as variants.gan.latent_dim=16")
    try:
        return path, tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return path, value.strip()


def _override(table: Table, path: str, value: object) -> Table:
    first, *rest = path.split(".")
    known = {*Experiment.model_fields, *Setting.model_fields} - {"name", "path", "defaults", "overrides", "extends"}
    if first not in known:
        raise SpecError(f"--set {path}: unknown field {first!r}{names.suggest(first, known)}")
    if first in ("variants", "profiles"):
        if len(rest) < 2 or rest[0] not in table.get(first, {}):
            given = rest[0] if rest else ""
            raise SpecError(f"--set {path}: no such field in {first}{names.suggest(given, table.get(first, {}))}")
        if rest[1] not in Setting.model_fields:
            raise SpecError(f"--set {path}: unknown field {rest[1]!r}{names.suggest(rest[1], Setting.model_fields)}")
    return merge(table, _nested(path, value))


def _nested(path: str, value: object) -> Table:
    for part in reversed(path.split(".")):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """``over`` on top of ``under``: tables key by key, except that one whose ``name`` changes is replaced."""
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, str) and isinstance(value, Mapping) and "name" not in value:
            old = {"name": old}
        renamed = isinstance(old, Mapping) and isinstance(value, Mapping) and "name" in value
        if renamed and isinstance(old, Mapping) and value["name"] != old.get("name"):
            merged[key] = value
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


# ---- telling mistakes -------------------------------------------------------------------------------------------


def mistakes(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """What pydantic found, each as ``place: what is wrong; what would be right`` in one line."""
    lines = []
    for item in error.errors(include_url=False):
        place = [str(part) for part in item["loc"]]
        if item["type"] == "value_error":
            text = str(item["ctx"]["error"]) if "ctx" in item else item["msg"]
            lines += [": ".join(filter(None, [".".join(place), line])) for line in text.splitlines()]
            continue
        if item["type"] == "extra_forbidden":
            owner, what = ".".join(place[:-1]), place[-1]
            known = _fields_near(model, item["loc"][:-1])
            lines.append(": ".join(filter(None, [owner, f"unknown field {what!r}{names.suggest(what, known)}"])))
            continue
        message = item["msg"][0].lower() + item["msg"][1:]
        value = "" if item["type"] == "missing" else f", got {_short(item['input'])}"
        lines.append(f"{'.'.join(place)}: {message}{value}")
    return _once(lines)


def _fields_near(model: type[BaseModel], place: Iterable[str | int]) -> list[str]:
    """Names of the fields at ``place`` inside ``model``, as far as its schema tells."""
    schema = TypeAdapter(model).json_schema()
    node: Any = schema
    for part in [None, *place]:
        if part is not None:
            node = node.get("items", {}) if isinstance(part, int) else _step(node, part)
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return list(node.get("properties", {}))


def _step(node: Any, part: str) -> Any:
    mapping = node.get("discriminator", {}).get("mapping", {})
    if part in mapping:
        return {"$ref": mapping[part]}
    return node.get("properties", {}).get(part, {})


def _once(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
