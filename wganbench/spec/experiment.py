"""An experiment: what is trained, measured and claimed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain, product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveInt,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from wganbench.errors import SpecError
from wganbench.spec.architectures import Architectures, name_of
from wganbench.spec.catalogue.data import what_was_brought
from wganbench.spec.claims import Claim, check_digest, claim_key
from wganbench.spec.figures import AnyFigure, Figure
from wganbench.spec.judged import JudgedRow
from wganbench.spec.overrides import merge, nested, split
from wganbench.spec.seeds import LIST_SCHEMA, MAX_SEEDS, SeedList, check_list, parse_seeds
from wganbench.spec.setting import Setting, family
from wganbench.spec.strict import Model, Name, Table, Words, digest, limit_mistakes, mistakes, short, suggest
from wganbench.spec.tables import Ablations, Published, SuccessTable

MAX_SETTINGS = 2000
MAX_STACK = 256

Pair = tuple[str, str]
"""A variant and a profile."""

OF_PROFILE = ("says", "variants", "only")
"""Keys that a profile may have in addition to fields of the setting."""


def _check_seeds(seeds: int | str) -> int | str:
    if isinstance(seeds, str):
        return check_list(seeds, "a count without quotes, or a list")
    if not 0 < seeds <= MAX_SEEDS:
        raise ValueError(f"must be between 1 and {MAX_SEEDS:,}, got {seeds}")
    return seeds


Seeds = Annotated[
    int | str,
    AfterValidator(_check_seeds),
    WithJsonSchema({"anyOf": [{"type": "integer", "exclusiveMinimum": 0, "maximum": MAX_SEEDS}, LIST_SCHEMA]}),
]
"""A number of seeds, counted from 0, or a list such as ``"1024-1031"``."""


class Pilot(Model):
    """Runs that were seen before claims were stated, and that these claims are not judged on.

    Attributes:
        seeds: The seeds of the pilot, such as ``"0-7"``.
        before: The spec version whose claims were stated after the pilot, with margins that come from it.
    """

    seeds: SeedList
    before: PositiveInt


Pilots = Annotated[list[Pilot], BeforeValidator(lambda given: given if isinstance(given, list) else [given])]
"""Pilots; in a file also a single table."""


class Experiment(Model):
    """One figure or table of a paper. Made by ``load``.

    Attributes:
        name: The file name without its suffix.
        path: The path of the file.
        title: The title in the report.
        question: The question that the experiment answers, in one sentence.
        source: The paper, with the figure or table.
        version: The version of the spec, raised with every change to the claims; a restated claim stays, marked as
            superseded.
        extends: The name or path of a spec whose variants, profiles, measures, data, published numbers and figures
            this one inherits. Title, source, version, deviations and claims are not inherited.
        inherit_claims: Judge the claims of that spec too, together with this one's own in one Holm adjustment.
        stack: The number of seeds trained in lockstep.
        seeds: The seeds that run by default: a number of seeds, counted from 0, or a list such as ``"1024-1031"``.
            Claims that state no seeds are judged on exactly these, and have no verdict while one is missing.
        pilot: Runs that were seen before claims were stated: one pilot, or a list, such as of a second round of claims.
        deviations: The stated differences from the paper.
        profiles: The profiles, such as smoke, quick, reduced and paper, which change the settings to train for
            different lengths. A profile may also describe itself, list the variants it has if not all, and change
            single variants.
        architectures: Random architectures, which are variants in addition to those that are written out.
        variants: The settings that are compared, by name.
        claims: Checkable sentences, written before the runs.
        success_table: A table of how many random architectures score above each threshold.
        ablations: Variants that each differ from a baseline in one respect.
        published: Published numbers.
        figures: The figures of the report.
        judge: The variants whose method ``wganbench judge`` replaces by another one, and what is compared.
        defaults: The fields of the setting at the file's top level.
        overrides: The changes made by ``--set``, as path and value.
    """

    name: Name
    path: str
    title: Words
    question: Words | None = None
    source: Words
    version: PositiveInt
    extends: str | None = None
    inherit_claims: bool = False
    stack: Annotated[int, Field(gt=0, le=MAX_STACK)] = 8
    seeds: Seeds = 5
    pilot: Pilots = Field(default_factory=list)
    deviations: list[Words] = Field(default_factory=list)
    profiles: Annotated[dict[Name, Table], Field(min_length=1)]
    architectures: Architectures | None = None
    variants: Annotated[dict[Name, Table], Field(min_length=1)]
    claims: list[Claim] = Field(default_factory=list)
    success_table: SuccessTable | None = None
    ablations: Ablations | None = None
    published: list[Published] = Field(default_factory=list)
    figures: list[AnyFigure] = Field(default_factory=list)
    judge: list[JudgedRow] = Field(default_factory=list)
    defaults: Table
    overrides: list[tuple[str, Any]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check_size(self) -> Experiment:
        n_settings = sum(len(self.variants) if own is None else len(own) for own in map(_named, self.profiles.values()))
        if n_settings > MAX_SETTINGS:
            raise ValueError(f"{n_settings:,} variants times profiles; a spec has at most {MAX_SETTINGS:,}")
        return self

    @property
    def file(self) -> str:
        """The name of the file, as used in messages."""
        return Path(self.path).name

    @cached_property
    def planned_seeds(self) -> list[int]:
        """The seeds in ``seeds``, as a list of numbers."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else parse_seeds(self.seeds)

    def seeds_of(self, claim: Claim) -> frozenset[int]:
        """Returns the seeds that a claim is judged on: its own, or the spec's."""
        return frozenset(self.planned_seeds if claim.seeds is None else parse_seeds(claim.seeds))

    def digests_of(self, claim: Claim) -> dict[str, str]:
        """Returns what a run keeps of a claim: a digest of each check by its id, and one of all that they share.

        The last has the key of ``claim_key`` and covers the checks' ids, whether one of them suffices, and the seeds.
        With ``--set``, which may change the seeds for once, it is left out.
        """
        checks = {check.id: check_digest(check) for check in claim.checks}
        shared = digest([sorted(checks), claim.any, sorted(self.seeds_of(claim))])
        return checks if self.overrides else {**checks, claim_key(claim): shared}

    def judged_variants(self, claim: Claim) -> list[str]:
        """Returns the variants whose runs a claim is judged on, each once; of methods, those of every architecture."""
        under_methods = self.architectures_of(claim.profile, claim.methods()).values() if claim.methods() else ()
        return list(dict.fromkeys(chain(claim.variants(), *under_methods)))

    def seen_before(self, claim: Claim) -> list[int]:
        """Returns the seeds of all pilots that were seen before a claim was stated; none if there was no pilot."""
        return sorted({seed for each in self.pilot if claim.since >= each.before for seed in parse_seeds(each.seeds)})

    @property
    def live_claims(self) -> list[Claim]:
        """The claims that count, which are all except the superseded ones."""
        return [claim for claim in self.claims if claim.superseded is None]

    def says(self, profile: str) -> str:
        """Returns the spec's description of a profile, and the name of its data if the user may bring them.

        Raises:
            SpecError: If the profile is unknown.
        """
        says = str(self.profiles[self._known("profile", profile)].get("says", ""))
        settings = (self.valid_settings.get((variant, profile)) for variant in self.variants_of(profile))
        brought = dict.fromkeys(what_was_brought(each.data.name, each.data.options) for each in settings if each)
        return "; ".join(filter(None, [says, *brought]))

    def variants_of(self, profile: str) -> list[str]:
        """Returns the variants of a profile in the order of the spec: those that it names, or all.

        Raises:
            SpecError: If the profile is unknown.
        """
        named = _named(self.profiles[self._known("profile", profile)])
        return [variant for variant in self.variants if named is None or variant in named]

    def architectures_of(self, profile: str, methods: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Returns the random architectures that a profile has under all of ``methods``, with their variants in order.

        Raises:
            SpecError: If the profile is unknown.
        """
        own = set(self.variants_of(profile))
        places = range(self.architectures.n if self.architectures else 0)
        named = {name: tuple(f"{name}-{method}" for method in methods) for name in map(name_of, places)}
        return {name: variants for name, variants in named.items() if own.issuperset(variants)}

    def setting(self, variant: str, profile: str) -> Setting:
        """Returns the fully resolved setting of a variant under a profile.

        Raises:
            SpecError: If either is unknown, the profile does not have the variant, or the merged tables are not a
                valid setting.
        """
        if (variant, profile) in self.valid_settings:
            return self.valid_settings[variant, profile]
        for problem in self.check_variant(self._known("variant", variant), self._known("profile", profile)):
            raise SpecError(f"{self.file}: {problem}")
        raise SpecError(*self.wrong_settings)

    def family(self, variant: str, profile: str) -> str:
        """Returns the setting id of a variant under a profile; cached, since a report asks for each many times.

        Raises:
            SpecError: As ``setting`` does.
        """
        if (variant, profile) not in self._families:
            self._families[variant, profile] = family(variant, self.setting(variant, profile))
        return self._families[variant, profile]

    def drawn_in(self, figure: Figure) -> list[str]:
        """Returns the variants of a figure, each once: those that it names, or all."""
        return list(dict.fromkeys(figure.named_variants() or self.variants))

    def check_name(self, kind: Literal["variant", "profile"], name: str) -> list[str]:
        """Returns a message if the spec has no such variant or profile."""
        known = self.variants if kind == "variant" else self.profiles
        return [] if name in known else [f"no {kind} {short(name)}{suggest(name, known)}"]

    def check_variant(self, variant: str, profile: str) -> list[str]:
        """Returns a message if the spec has no such variant, or the profile does not have it."""
        known = self.variants_of(profile)
        if variant not in self.variants or variant in known:
            return self.check_name("variant", variant)
        return [f"profile {profile!r} has no variant {short(variant)}{suggest(variant, known)}"]

    def _known(self, kind: Literal["variant", "profile"], name: str) -> str:
        for problem in self.check_name(kind, name):
            raise SpecError(f"{self.file}: {problem}")
        return name

    # ---- settings ---------------------------------------------------------------------------------------------------

    @cached_property
    def _pairs(self) -> list[Pair]:
        """Every variant with every profile that has it, sorted by variant, then profile."""
        own = {profile: set(self.variants_of(profile)) for profile in self.profiles}
        return [pair for pair in product(self.variants, self.profiles) if pair[0] in own[pair[1]]]

    @cached_property
    def with_custom_measures(self) -> dict[str, Setting]:
        """The settings that have a custom measure, by setting id; their spec says how its numbers are read."""
        settings = {pair: self.setting(*pair) for pair in self._pairs}
        return {
            self.family(*pair): setting
            for pair, setting in settings.items()
            if any(use.measure.is_custom for use in setting.measures.values())
        }

    @cached_property
    def _families(self) -> dict[Pair, str]:
        """The cache of ``family``."""
        return {}

    @property
    def valid_settings(self) -> dict[Pair, Setting]:
        """The settings without mistakes."""
        return self._resolved[0]

    @property
    def wrong_settings(self) -> list[str]:
        """The mistakes in the other settings, one line for each."""
        return self._resolved[1]

    @cached_property
    def measured(self) -> dict[str, set[str]]:
        """The labels of the measures of each variant, under any profile."""
        labels: dict[str, set[str]] = {variant: set() for variant in self.variants}
        for (variant, _), setting in self.valid_settings.items():
            labels[variant] |= setting.measures.keys()
        return labels

    @cached_property
    def _resolved(self) -> tuple[dict[Pair, Setting], list[str]]:
        settings: dict[Pair, Setting] = {}
        found: dict[str, list[Pair]] = {}
        for pair in self._pairs:
            merged = self._merge(*pair)
            try:
                settings[pair] = Setting.model_validate(merged)
            except ValidationError as error:
                for text in mistakes(error, Setting, merged):
                    found.setdefault(text, []).append(pair)
        return settings, limit_mistakes(f"{self.where}{self._place(pairs)}, {text}" for text, pairs in found.items())

    def _merge(self, variant: str, profile: str) -> Table:
        """Merges top level, variant, profile, the profile's changes to this variant, and ``--set`` in order."""
        changes = {key: value for key, value in self.profiles[profile].items() if key not in OF_PROFILE}
        merged = merge(merge(self.defaults, self.variants[variant]), changes)
        merged = merge(merged, _only(self.profiles[profile]).get(variant, {}))
        for path, value in self.overrides:
            keys = split(path)
            if keys[:2] in (("variants", variant), ("profiles", profile)):
                keys = keys[2:]
            if keys[0] in Setting.model_fields:
                merged = merge(merged, nested(keys, value))
        return merged

    @property
    def where(self) -> str:
        """The name of the file with the ``--set`` changes, for the messages about mistakes."""
        return with_overrides(self.file, self.overrides)

    def _place(self, pairs: Sequence[Pair]) -> str:
        """Returns the place in the file of a mistake in these pairs: the widest part that has it throughout."""
        variants = list(dict.fromkeys(variant for variant, _ in pairs))
        profiles = list(dict.fromkeys(profile for _, profile in pairs))
        if len(pairs) == len(self._pairs):
            return ""
        if len(profiles) == 1 and len(variants) == len(self.variants_of(profiles[0])):
            return f", under profiles.{profiles[0]}"
        more = f" and {len(variants) - 1} more" if len(variants) > 1 else ""
        under = "" if len(profiles) == len(self.profiles) else f" under profiles.{profiles[0]}"
        return f", variants.{variants[0]}{more}{under}"


def _named(profile: Table) -> set[str] | None:
    """Returns the variants that a profile names; None if it names none or the field is malformed."""
    named = profile.get("variants")
    return {name for name in named if isinstance(name, str)} if isinstance(named, list) else None


def _only(profile: Table) -> Table:
    """Returns a profile's changes to single variants; malformed entries are dropped."""
    only = profile.get("only", {})
    tables = only if isinstance(only, Mapping) else {}
    return {variant: own for variant, own in tables.items() if isinstance(own, Mapping)}


def with_overrides(file: str, overrides: Iterable[tuple[str, object]]) -> str:
    """Returns the file name for messages, followed by the ``--set`` changes that may have caused the mistake."""
    changes = ", ".join(f"{path}={short(value)}" for path, value in overrides)
    return f"{file} with --set {changes}" if changes else file
