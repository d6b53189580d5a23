"""An experiment: what is trained, measured and claimed, and the checks that involve more than one field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveInt, ValidationError, WithJsonSchema, model_validator

from wganbench.errors import SpecError
from wganbench.spec import catalogue
from wganbench.spec.claims import (
    NORMAL_THEORY,
    Ablations,
    Claim,
    Comparison,
    Equivalence,
    Figure,
    Published,
    SuccessTable,
)
from wganbench.spec.drawn import Architectures
from wganbench.spec.history import about_history
from wganbench.spec.overrides import merge, nested, split
from wganbench.spec.seeds import MAX_SEEDS, parse_seeds
from wganbench.spec.setting import LOSSES, Component, Setting, about_gaps, family, is_timed, scale_of
from wganbench.spec.strict import Model, Name, Table, Words, limit_mistakes, mistakes, short, short_name, suggest

MAX_SETTINGS = 2000
MAX_USES = 8000
"""The most measures in all settings together."""
MAX_STACK = 256
PICTURED = ("layers", "histograms", "surfaces")
"""The kinds of figure that draw a picture."""

SAMPLED = ("success", "factors")
"""The kinds of figure that draw the architectures of the success table."""

Pair = tuple[str, str]
"""A variant and a profile."""

OF_PROFILE = ("says", "variants", "only")
"""Keys that a profile may have in addition to fields of the setting."""


def _checked_seeds(seeds: int | str) -> int | str:
    if isinstance(seeds, int) and not 0 < seeds <= MAX_SEEDS:
        raise ValueError(f"must be between 1 and {MAX_SEEDS:,}, got {seeds}")
    if isinstance(seeds, str):
        if not {",", "-"} & set(seeds):
            raise ValueError(f"must be a count without quotes, or a list such as '1024-1031', got {short(seeds)}")
        try:
            parse_seeds(seeds, "")
        except SpecError as error:
            raise ValueError(str(error).strip()) from None
    return seeds


Seeds = Annotated[
    int | str,
    AfterValidator(_checked_seeds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "exclusiveMinimum": 0, "maximum": MAX_SEEDS},
                {"type": "string", "pattern": "^[0-9]+[-,]"},
            ]
        }
    ),
]
"""A number of seeds, counted from 0, or a list such as ``"1024-1031"``."""


class Experiment(Model):
    """One figure or table of a paper. Made by ``load``.

    Attributes:
        name: The file name without its suffix.
        path: The path of the file.
        title: The title in the report.
        source: The paper, with the figure or table.
        version: The version of the spec, raised with every change to the claims; a restated claim stays, marked as
            superseded.
        extends: The name or path of a spec whose variants, profiles, measures, data, published numbers and figures
            this one inherits. Title, source, version, deviations and claims are not inherited.
        inherit_claims: Judge the claims of that spec too, together with this one's own in one Holm adjustment.
        stack: The number of seeds trained in lockstep.
        seeds: The seeds that run by default: a number of seeds, counted from 0, or a list such as ``"1024-1031"``. A
            list declares the seeds: claims are judged on exactly these, and have no verdict while one is missing.
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
        defaults: The fields of the setting at the file's top level.
        overrides: The changes made by ``--set``, as path and value.
    """

    name: Name
    path: str
    title: Words
    source: Words
    version: PositiveInt
    extends: str | None = None
    inherit_claims: bool = False
    stack: Annotated[int, Field(gt=0, le=MAX_STACK)] = 8
    seeds: Seeds = 5
    deviations: Annotated[list[Words], Field(max_length=200)] = Field(default_factory=list)
    profiles: Annotated[dict[Name, Table], Field(min_length=1)]
    architectures: Architectures | None = None
    variants: Annotated[dict[Name, Table], Field(min_length=1)]
    claims: Annotated[list[Claim], Field(max_length=200)] = Field(default_factory=list)
    success_table: SuccessTable | None = None
    ablations: Ablations | None = None
    published: Annotated[list[Published], Field(max_length=500)] = Field(default_factory=list)
    figures: Annotated[list[Figure], Field(max_length=100)] = Field(default_factory=list)
    defaults: Table
    overrides: list[tuple[str, Any]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_not_endless(self) -> Experiment:
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

    @property
    def declared_seeds(self) -> frozenset[int] | None:
        """The seeds that claims are judged on if the spec lists them; None if it gives only their number."""
        return None if isinstance(self.seeds, int) else frozenset(self.planned_seeds)

    @property
    def live_claims(self) -> list[Claim]:
        """The claims that count, which are all except the superseded ones."""
        return [claim for claim in self.claims if claim.superseded is None]

    def says(self, profile: str) -> str:
        """Returns the spec's description of a profile.

        Raises:
            SpecError: If the profile is unknown.
        """
        return str(self.profiles[self._known("profile", profile)].get("says", ""))

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
        named = {name: tuple(f"{name}-{method}" for method in methods) for name in (f"a{place:03}" for place in places)}
        return {name: variants for name, variants in named.items() if own.issuperset(variants)}

    def setting(self, variant: str, profile: str) -> Setting:
        """Returns the fully resolved setting of a variant under a profile.

        Raises:
            SpecError: If either is unknown, the profile does not have the variant, or the merged tables are not a
                valid setting.
        """
        settings, problems = self._resolved
        if (variant, profile) in settings:
            return settings[variant, profile]
        for problem in self._absent(self._known("variant", variant), self._known("profile", profile)):
            raise SpecError(f"{self.file}: {problem}")
        raise SpecError(*problems)

    def family(self, variant: str, profile: str) -> str:
        """Returns the setting id of a variant under a profile; cached, since a report asks for each many times.

        Raises:
            SpecError: As ``setting`` does.
        """
        if (variant, profile) not in self._families:
            self._families[variant, profile] = family(variant, self.setting(variant, profile))
        return self._families[variant, profile]

    def problems(self) -> list[str]:
        """Returns every mistake in settings, claims, published numbers and figures, one line for each."""
        settings, wrong_settings = self._resolved
        about = [f"{self._where}, {text}" for text in self._about_runs(settings)]
        return limit_mistakes([*wrong_settings, *about])

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
            if any(catalogue.is_dotted(use.measure.name) for use in setting.measures.values())
        }

    @cached_property
    def _families(self) -> dict[Pair, str]:
        """The cache of ``family``."""
        return {}

    @cached_property
    def _resolved(self) -> tuple[dict[Pair, Setting], list[str]]:
        """The valid settings, and the mistakes in the others."""
        settings: dict[Pair, Setting] = {}
        found: dict[str, list[Pair]] = {}
        n_uses = 0
        for pair in self._pairs:
            if n_uses > MAX_USES:
                many = f"{n_uses:,} and more in all variants and profiles; a spec has at most {MAX_USES:,}"
                return settings, [f"{self._where}, measures: {many}"]
            merged = self._merged(*pair)
            try:
                settings[pair] = Setting.model_validate(merged)
                n_uses += len(settings[pair].measures)
            except ValidationError as error:
                for text in mistakes(error, Setting, merged):
                    found.setdefault(text, []).append(pair)
        return settings, limit_mistakes(f"{self._where}{self._place(pairs)}, {text}" for text, pairs in found.items())

    def _merged(self, variant: str, profile: str) -> Table:
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
    def _where(self) -> str:
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

    # ---- checks of claims, figures and published numbers ------------------------------------------------------------

    def _about_runs(self, settings: Mapping[Pair, Setting]) -> Iterator[str]:
        for profile, table in self.profiles.items():
            if not isinstance(table.get("says", ""), str):
                yield f"profiles.{profile}.says: must be a string, got {short(table['says'])}"
            for text in self._about_variants_of(table):
                yield f"profiles.{profile}.variants: {text}"
            for text in self._about_only(profile, table):
                yield f"profiles.{profile}.only{text}"
        if self.inherit_claims and self.extends is None:
            yield "inherit_claims: there is nothing to inherit from; name a spec in extends, or leave it out"
        for name, uses in Counter(claim.id for claim in self.claims).items():
            if uses > 1:
                yield f"claims.{name}: the id is used {uses} times; ids are unique among the claims of a spec"
        for claim in self.claims:
            for text in chain(about_history(claim, self.claims, self.version), self._about_claim(claim, settings)):
                yield f"claims.{claim.id}: {text}"
        if self.success_table is not None:
            about = self.success_table
            for profile in self.profiles:
                if self.architectures_of(profile, about.methods) or self.architectures is None:
                    labels = (about.measure, about.real)
                    for text in self._about_architectures(profile, about.methods, labels, settings):
                        yield f"success_table: {text}"
        measured: dict[str, set[str]] = {variant: set() for variant in self.variants}
        for (variant, _), setting in settings.items():
            measured[variant] |= setting.measures.keys()
        for text in self._about_ablations(measured):
            yield f"ablations: {text}"
        for row in self.published:
            for text in self._about_published(row, measured):
                yield f"published.{row.row or row.variant}: {text}"
        for position, figure in enumerate(self.figures):
            for text in self._about_figure(figure, measured, settings):
                yield f"figures.{position}: {text}"

    def _about_variants_of(self, profile: Table) -> Iterator[str]:
        named = profile.get("variants", ["?"])
        if not isinstance(named, list) or not named or not all(isinstance(variant, str) for variant in named):
            yield f"must be a list of names, got {short(named)}"
        elif "variants" in profile:
            for variant in named:
                yield from self._unknown("variant", variant)

    def _about_only(self, profile: str, table: Table) -> Iterator[str]:
        only = table.get("only", {})
        if not isinstance(only, Mapping) or not all(isinstance(own, Mapping) for own in only.values()):
            yield f": must be a table of tables, one a variant, got {short(only)}"
            return
        for variant in only:
            for text in list(self._unknown("variant", variant)) or self._absent(variant, profile):
                yield f".{short_name(variant)}: {text}"

    def _absent(self, variant: str, profile: str) -> Iterator[str]:
        """Yields a message if a profile does not have a variant."""
        known = tuple(self.variants_of(profile))
        if variant not in known:
            yield f"profile {profile!r} has no variant {short(variant)}{suggest(variant, known)}"

    def _about_claim(self, claim: Claim, settings: Mapping[Pair, Setting]) -> Iterator[str]:
        if claim.methods():
            yield from self._about_architectures(claim.profile, claim.methods(), claim.measured(), settings)
            for gate in ("drift_at_most", "gap_at_least"):
                if getattr(claim, gate) is not None:
                    yield f"{gate}: a claim about architectures has none"
            return
        unknown = [*self._unknown("profile", claim.profile)]
        variants = [variant for variant in claim.variants() if variant not in claim.judged_on()]
        for variant in variants:
            unknown += self._unknown("variant", variant)
        if not unknown:
            unknown += [text for variant in variants for text in self._absent(variant, claim.profile)]
        yield from unknown
        for variant in variants:
            setting = settings.get((variant, claim.profile))
            if unknown or setting is None:
                continue
            for label in claim.measured():
                yield from self._about_reading(claim, label, variant, setting)
            if claim.drift_at_most is not None and "drift" not in setting.measures:
                yield f"variant {variant!r} does not measure 'drift', which drift_at_most is about"
        if claim.gap_at_least is not None and not unknown:
            yield from about_gaps({variant: settings.get((variant, claim.profile)) for variant in variants})

    def _about_architectures(
        self, profile: str, methods: Sequence[str], labels: Sequence[str], settings: Mapping[Pair, Setting]
    ) -> Iterator[str]:
        """Yields the reasons why architectures cannot be judged by these measures under these methods."""
        unknown = list(self._unknown("profile", profile))
        known = tuple(self.architectures.methods) if self.architectures else ()
        unknown += [f"no method {short(name)}{suggest(name, known)}" for name in methods if name not in known]
        yield from unknown
        if unknown:
            return
        chosen = self.architectures_of(profile, methods)
        if not chosen:
            yield f"profile {profile!r} has no architecture with {' and '.join(map(short, methods))}"
        for variant in (variant for variants in chosen.values() for variant in variants):
            measures = settings[variant, profile].measures if (variant, profile) in settings else {}
            missing = [label for label in labels if label not in measures]
            if measures and missing:
                near = suggest(missing[0], tuple(measures))
                yield f"variant {variant!r} does not measure {short(missing[0])}{near}"
                return
            if measures and scale_of(measures[labels[0]]).higher_is_better is not True:
                yield f"{labels[0]!r} is not better the higher it is, so nothing succeeds by it"
                return

    def _about_reading(self, claim: Claim, label: str, variant: str, setting: Setting) -> Iterator[str]:
        if label not in setting.measures:
            yield f"variant {variant!r} does not measure {short(label)}{suggest(label, tuple(setting.measures))}"
            return
        scale = scale_of(setting.measures[label])
        if scale.bounded and claim.test in NORMAL_THEORY:
            yield f"{label!r} is a count or bounded; use a permutation, sign or binomial test, not {claim.test!r}"
        if (
            isinstance(claim, Comparison | Equivalence)
            and claim.test.startswith("paired")
            and is_timed(setting.measures[label])
        ):
            yield f"{label!r} reads the clock, which the seeds of a stack share, so seeds cannot be paired on it"
        if scale.higher_is_better is None and isinstance(claim, Comparison):
            yield f"{label!r} is neither better high nor low, so nothing can be better on it"
        elif scale.higher_is_better is None and claim.statistic == "best":
            yield f"{label!r} is neither better high nor low, so it has no best; use statistic = 'final'"

    def _about_published(self, row: Published, measured: Mapping[str, set[str]]) -> Iterator[str]:
        variants = list(measured)
        if row.variant is not None:
            yield from self._unknown("variant", row.variant)
            variants = [row.variant]
        yield from _unmeasured([row.measure], measured, variants)

    def _about_ablations(self, measured: Mapping[str, set[str]]) -> Iterator[str]:
        if self.ablations is not None:
            every = (self.ablations.baseline, *self.ablations.factors)
            for variant in every:
                yield from self._unknown("variant", variant)
            for variant in (variant for variant in every if variant in measured):
                yield from _unmeasured(self.ablations.measures, measured, [variant])

    def _about_figure(
        self, figure: Figure, measured: Mapping[str, set[str]], settings: Mapping[Pair, Setting]
    ) -> Iterator[str]:
        yield from self._unknown("profile", figure.profile)
        for variant in figure.variants:
            yield from self._unknown("variant", variant)
        yield from self._about_groups(figure)
        drawn = [variant for variant in self.drawn_in(figure) if variant in self.variants]
        read = [*figure.measures, *filter(None, (*figure.laws, figure.against))]
        yield from _unmeasured(read, measured, drawn)
        known = {
            variant: settings[variant, figure.profile] for variant in drawn if (variant, figure.profile) in settings
        }
        if figure.kind in SAMPLED and self.success_table is None:
            yield f"a figure of kind {figure.kind!r} draws the success table, and there is none"
        if figure.kind == "grids":
            yield from _about_grids(known)
        if figure.kind in PICTURED:
            yield from _about_picture(figure.picture or "", known)
        if figure.kind == "points":
            for label in (*figure.measures, *figure.laws):
                if label in LOSSES:
                    yield f"{label!r} is a curve alone, and has no final value to draw as a point"
            wrong = [variant for variant, setting in known.items() if number_at(setting, figure.x or "") is None]
            if wrong:
                more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                yield f"x: {short(figure.x)} is no number in variant {wrong[0]!r}{more}"

    def _about_groups(self, figure: Figure) -> Iterator[str]:
        """Checks that ``variants`` and the groups agree; a variant in only one of them would silently not be drawn."""
        grouped = [variant for members in figure.groups.values() for variant in members]
        for name, members in figure.groups.items():
            for variant in members:
                unknown = list(self._unknown("variant", variant))
                for text in unknown:
                    yield f"groups.{short_name(name)}: {text}"
                if not unknown and figure.variants and variant not in figure.variants:
                    yield f"groups.{short_name(name)}: {variant!r} is not among the figure's variants"
        for variant in figure.variants:
            if grouped and variant not in grouped:
                yield f"groups: variant {short(variant)} is in none"

    def drawn_in(self, figure: Figure) -> list[str]:
        """Returns the variants of a figure: those that it names, those of its groups, or all."""
        grouped = [variant for members in figure.groups.values() for variant in members]
        return list(dict.fromkeys(figure.variants or grouped or self.variants))

    def _unknown(self, kind: Literal["variant", "profile"], name: str) -> Iterator[str]:
        known = self.variants if kind == "variant" else self.profiles
        if name not in known:
            yield f"no {kind} {short(name)}{suggest(name, tuple(known))}"

    def _known(self, kind: Literal["variant", "profile"], name: str) -> str:
        for problem in self._unknown(kind, name):
            raise SpecError(f"{self.file}: {problem}")
        return name


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


def _unmeasured(labels: Sequence[str], measured: Mapping[str, set[str]], variants: Sequence[str]) -> Iterator[str]:
    """Yields a message for each label that none of ``variants`` measures, if any of their measures are known."""
    known = set().union(*(measured.get(variant, ()) for variant in variants))
    for label in labels:
        if known and label not in known and label not in LOSSES:
            yield f"{short(label)} is not measured{suggest(label, tuple(sorted(known)))}"


def _about_picture(label: str, settings: Mapping[str, Setting]) -> Iterator[str]:
    """Yields a message for each variant that does not keep the picture ``label``."""
    for variant, setting in settings.items():
        pictures = tuple(setting.pictures or ())
        if label not in pictures:
            yield f"picture: variant {variant!r} keeps no {short(label)}{suggest(label, pictures)}"
        elif not setting.clouds:
            yield f"picture: variant {variant!r} keeps no {short(label)}, as its clouds name no moments"


def _about_grids(settings: Mapping[str, Setting]) -> Iterator[str]:
    """Yields a message for each variant that keeps no images, as far as this is known before it is trained."""
    for variant, setting in settings.items():
        shape = catalogue.sample_shape(setting.data.name, setting.data.options)
        if shape is not None and len(shape) != 3:
            yield f"a figure of kind 'grids' draws images, and {setting.data.name!r} of variant {variant!r} has none"
        elif setting.fixed_generator is not None:
            yield f"a figure of kind 'grids' draws what a generator makes, and variant {variant!r} trains none"
        elif not setting.clouds:
            yield f"variant {variant!r} keeps no images, as its clouds name no moments"


def number_at(setting: Setting, path: str) -> float | None:
    """Returns the number at a dotted path, such as ``"batch_size"``, ``"fixed_generator.by"``, ``"critic.hidden.0"``.

    Below a component, the keys are those of its options.

    Returns:
        The number; None if the path does not exist or its value is not a number.
    """
    node: object = setting
    for key in split(path) or ("",):
        if isinstance(node, Component):
            node = node.options
        if isinstance(node, Model):
            node = getattr(node, key, None) if key in type(node).model_fields else None
        elif isinstance(node, Mapping):
            node = node.get(key)
        elif isinstance(node, list | tuple) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    return node if isinstance(node, int | float) and not isinstance(node, bool) else None
