"""Checks of an experiment as a whole: its profiles, claims, tables and figures against its variants and measures.

Each check yields one line for each mistake, ``place: what is wrong``, and nothing for a setting that is itself invalid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from wganbench.spec.claims import MAX_PRIMARY, NORMAL_THEORY, Check, Claim, Comparison, Counts, Equivalence
from wganbench.spec.experiment import Experiment
from wganbench.spec.figures import FactorsFigure, Figure, SuccessFigure
from wganbench.spec.judging import check_judged
from wganbench.spec.measure_use import GAPS, is_timed, scale_of
from wganbench.spec.seeds import listed
from wganbench.spec.setting import LOSSES, Setting
from wganbench.spec.strict import Table, limit_mistakes, short, short_name, suggest
from wganbench.spec.tables import Published


def find_mistakes(spec: Experiment) -> list[str]:
    """Returns every mistake in settings, profiles, claims, tables and figures, one line for each."""
    return limit_mistakes([*spec.wrong_settings, *(f"{spec.where}, {text}" for text in _check(spec))])


def _check(spec: Experiment) -> Iterator[str]:
    for profile, table in spec.profiles.items():
        yield from _prefixed(f"profiles.{profile}.", _check_profile(spec, profile, table))
    if spec.inherit_claims and spec.extends is None:
        yield "inherit_claims: there is nothing to inherit from; name a spec in extends, or leave it out"
    yield from _check_claims(spec)
    yield from _prefixed("success_table: ", _check_success_table(spec))
    yield from _prefixed("ablations: ", _check_ablations(spec))
    for row in spec.published:
        yield from _prefixed(f"published.{row.row or row.variant}: ", _check_published(row, spec))
    for name, uses in Counter(figure.id for figure in spec.figures).items():
        if uses > 1:
            yield f"figures.{name}: the id is used {uses} times; ids are unique among the figures of a spec"
    for figure in spec.figures:
        yield from _prefixed(f"figures.{figure.id}: ", _check_figure(figure, spec))
    for position, judged in enumerate(spec.judge):
        yield from _prefixed(f"judge.{position}: ", check_judged(judged, spec))


def _prefixed(place: str, lines: Iterable[str]) -> Iterator[str]:
    return (place + line for line in lines)


def _check_measured(spec: Experiment, labels: Sequence[str], variants: Collection[str]) -> Iterator[str]:
    """Yields a message for each label that none of ``variants`` measures, if any of their measures are known."""
    known = set().union(*(spec.measured[variant] for variant in variants if variant in spec.measured))
    for label in labels:
        if known and label not in known and label not in LOSSES:
            yield f"{short(label)} is not measured{suggest(label, known)}"


# ---- profiles -------------------------------------------------------------------------------------------------------


def _check_profile(spec: Experiment, profile: str, table: Table) -> Iterator[str]:
    if not isinstance(table.get("says", ""), str):
        yield f"says: must be a string, got {short(table['says'])}"
    named = table.get("variants", ["?"])
    if not isinstance(named, list) or not named or not all(isinstance(variant, str) for variant in named):
        yield f"variants: must be a list of names, got {short(named)}"
    elif "variants" in table:
        for variant in named:
            yield from _prefixed("variants: ", spec.check_name("variant", variant))
    only = table.get("only", {})
    if not isinstance(only, Mapping) or not all(isinstance(own, Mapping) for own in only.values()):
        yield f"only: must be a table of tables, one a variant, got {short(only)}"
    else:
        for variant in only:
            yield from _prefixed(f"only.{short_name(variant)}: ", spec.check_variant(variant, profile))


# ---- claims ---------------------------------------------------------------------------------------------------------


def _check_claims(spec: Experiment) -> Iterator[str]:
    ids = Counter(claim.id for claim in spec.claims)
    for name, uses in ids.items():
        if uses > 1:
            yield f"claims.{name}: the id is used {uses} times; ids are unique among the claims of a spec"
    places = {check.id: _place(claim, check) for claim in spec.claims for check in claim.checks}
    for pilot in spec.pilot:
        if pilot.before > spec.version:
            yield f"pilot: before = {pilot.before}, and the spec is at version {spec.version}; raise version"
    for name, uses in Counter(check.id for claim in spec.claims for check in claim.checks).items():
        if uses > max(1, ids[name]):
            yield f"{places[name]}: the id is used {uses} times; ids are unique among the checks of a spec"
    primary = Counter(claim.profile for claim in spec.live_claims if claim.role == "primary")
    for profile, n_claims in primary.items():
        if n_claims > MAX_PRIMARY:
            yield f"claims: {n_claims} primary claims at profile {profile!r}; at most {MAX_PRIMARY}"
    for claim in spec.claims:
        yield from _prefixed(f"claims.{claim.id}: ", _check_history(claim, spec))
        yield from _prefixed(f"claims.{claim.id}: ", _check_seeds(claim, spec))
        for check in claim.checks:
            yield from _prefixed(f"{_place(claim, check)}: ", _check_test(check, claim.judged_on(), spec))
            if claim.superseded is None and not spec.overrides:  # --set may make variants alike
                yield from _prefixed(f"{_place(claim, check)}: ", _check_twins(check, spec))


def _place(claim: Claim, check: Check) -> str:
    """Returns the place of a check in the file; a check with its claim's id is the claim itself."""
    return f"claims.{claim.id}" if check.id == claim.id else f"claims.{claim.id}.checks.{check.id}"


def _check_seeds(claim: Claim, spec: Experiment) -> Iterator[str]:
    """Checks that a claim that was stated after a pilot is not judged on its seeds."""
    if claim.superseded is None:
        both = spec.seeds_of(claim).intersection(spec.seen_before(claim))
        if both:
            yield f"seeds: {listed(both)} are of a pilot; a claim that was stated after it needs fresh ones"


def _check_history(claim: Claim, spec: Experiment) -> Iterator[str]:
    """Checks the spec versions in which a claim counted, and the claims that replaced it."""
    if claim.since > spec.version:
        yield f"since: {claim.since}, and the spec is at version {spec.version}; raise version"
    known = {other.id: other for other in spec.claims}
    for name in claim.restated_as:
        if name not in known:
            yield f"restated_as: no claim {short(name)}{suggest(name, known)}"
        elif name == claim.id or known[name].superseded:
            yield f"restated_as: {short(name)} is {'this claim' if name == claim.id else 'superseded'}; name another"
    end = claim.superseded
    if end is None:
        return
    if not claim.since < end.version <= spec.version:
        allowed = f"after the claim's {claim.since} and at most the spec's {spec.version}"
        yield f"superseded.version: must be {allowed}, got {end.version}"
    for name in end.by:
        if name not in known:
            yield f"superseded.by: no claim {short(name)}{suggest(name, known)}"
        elif name == claim.id or not known[name].lived_in(end.version):
            yield f"superseded.by: {short(name)} is no claim of version {end.version}"
    for variant in end.judged_on:
        of_method = variant.partition("-")[2] in claim.methods()  # as in a012-wgan-gp
        if variant not in claim.variants() and not of_method:
            yield f"superseded.judged_on: the claim is not about {short(variant)}"


def _check_test(check: Check, judged_on: Collection[str], spec: Experiment) -> Iterator[str]:
    """Checks that the variants or methods of a check exist and measure what it reads.

    Args:
        judged_on: Variants whose records a superseded claim names, which the spec need not have any more.
    """
    if check.methods():
        yield from _check_methods(spec, check.profile, check.methods(), check.measured())
        for gate in ("drift_at_most", "gap_at_least"):
            if getattr(check, gate) is not None:
                yield f"{gate}: a claim about architectures has none"
        return
    variants = [variant for variant in check.variants() if variant not in judged_on]
    unknown = spec.check_name("profile", check.profile)
    unknown += [text for variant in variants for text in spec.check_name("variant", variant)]
    unknown = unknown or [text for variant in variants for text in spec.check_variant(variant, check.profile)]
    yield from unknown
    if unknown:
        return
    settings = {variant: spec.valid_settings.get((variant, check.profile)) for variant in variants}
    for variant, setting in settings.items():
        if setting is not None:
            for label in check.measured():
                yield from _check_reading(check, label, variant, setting)
            if check.drift_at_most is not None and "drift" not in setting.measures:
                yield f"variant {variant!r} does not measure 'drift', which drift_at_most is about"
    if check.gap_at_least is not None:
        yield from _check_gaps(settings)


def _check_twins(check: Check, spec: Experiment) -> Iterator[str]:
    """Checks that no two variants of a check have the same setting."""
    settings = {variant: spec.valid_settings.get((variant, check.profile)) for variant in check.variants()}
    for one, other in combinations(settings, 2):
        if settings[one] is not None and settings[one] == settings[other]:
            same = f"{one!r} and {other!r} have the same setting under profile {check.profile!r}"
            yield f"{same}; compare two that differ"


def _check_reading(check: Check, label: str, variant: str, setting: Setting) -> Iterator[str]:
    if label not in setting.measures:
        yield f"variant {variant!r} does not measure {short(label)}{suggest(label, setting.measures)}"
        return
    scale = scale_of(setting.measures[label])
    if scale.bounded and check.test in NORMAL_THEORY:
        yield f"{label!r} is a count or bounded; use a permutation, sign or binomial test, not {check.test!r}"
    points, moments = setting.measures[label].points, len(check.at or ())
    if points < moments:  # of more points, two moments may still be nearest to the same one
        yield f"at: {moments} moments, but variant {variant!r} measures {label!r} at {points} points; raise points"
    if isinstance(check, Counts) and is_timed(setting.measures[label]):
        yield f"{label!r} reads the clock, which the seeds of a stack share, so no seed can be counted on it"
    paired = isinstance(check, Comparison | Equivalence) and check.test.startswith("paired")
    if paired and is_timed(setting.measures[label]):
        yield f"{label!r} reads the clock, which the seeds of a stack share, so seeds cannot be paired on it"
    if scale.higher_is_better is None and isinstance(check, Comparison):
        yield f"{label!r} is neither better high nor low, so nothing can be better on it"
    elif scale.higher_is_better is None and check.statistic == "best":
        yield f"{label!r} is neither better high nor low, so it has no best; use statistic = 'final'"


def _check_gaps(settings: Mapping[str, Setting | None]) -> Iterator[str]:
    """Yields the reasons why a check with ``gap_at_least`` has no gap to read."""
    alone = {variant: setting for variant, setting in settings.items() if setting and setting.seeks_the_distance}
    if not alone and all(settings.values()):
        yield "gap_at_least: no variant trains a critic alone under the two-sided penalty"
    for variant, setting in alone.items():
        if not setting.measures.keys() & set(GAPS):
            yield f"variant {variant!r} measures neither of {', '.join(GAPS)}, which gap_at_least is about"


# ---- tables -------------------------------------------------------------------------------------------------------


def _check_success_table(spec: Experiment) -> Iterator[str]:
    table = spec.success_table
    if table is not None:
        for profile in spec.profiles:
            if spec.architectures_of(profile, table.methods) or spec.architectures is None:
                yield from _check_methods(spec, profile, table.methods, (table.measure, table.real))


def _check_methods(spec: Experiment, profile: str, methods: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    """Yields the reasons why architectures cannot be judged by these measures under these methods."""
    known = tuple(spec.architectures.methods) if spec.architectures else ()
    unknown = spec.check_name("profile", profile)
    unknown += [f"no method {short(name)}{suggest(name, known)}" for name in methods if name not in known]
    yield from unknown
    if unknown:
        return
    chosen = spec.architectures_of(profile, methods)
    if not chosen:
        yield f"profile {profile!r} has no architecture with {' and '.join(map(short, methods))}"
    for variant in (variant for variants in chosen.values() for variant in variants):
        setting = spec.valid_settings.get((variant, profile))
        if setting is None or not setting.measures:
            continue
        missing = [label for label in labels if label not in setting.measures]
        if missing:
            near = suggest(missing[0], setting.measures)
            yield f"variant {variant!r} does not measure {short(missing[0])}{near}"
            return
        if scale_of(setting.measures[labels[0]]).higher_is_better is not True:
            yield f"{labels[0]!r} is not better the higher it is, so nothing succeeds by it"
            return


def _check_published(row: Published, spec: Experiment) -> Iterator[str]:
    if row.variant is not None:
        yield from spec.check_name("variant", row.variant)
    yield from _check_measured(spec, [row.measure], spec.variants if row.variant is None else [row.variant])


def _check_ablations(spec: Experiment) -> Iterator[str]:
    if spec.ablations is not None:
        for variant in (spec.ablations.baseline, *spec.ablations.factors):
            yield from spec.check_name("variant", variant)
            yield from _check_measured(spec, spec.ablations.measures, [variant])


# ---- figures --------------------------------------------------------------------------------------------------------


def _check_figure(figure: Figure, spec: Experiment) -> Iterator[str]:
    yield from spec.check_name("profile", figure.profile)
    drawn = [variant for variant in spec.drawn_in(figure) if variant in spec.variants]
    yield from _check_measured(spec, figure.measures_read(), drawn)
    if isinstance(figure, SuccessFigure | FactorsFigure) and spec.success_table is None:
        yield f"a figure of kind {figure.kind!r} draws the success table, and there is none"
    pairs = {variant: (variant, figure.profile) for variant in drawn}
    known = {name: spec.valid_settings[pair] for name, pair in pairs.items() if pair in spec.valid_settings}
    yield from figure.problems(tuple(spec.variants), known)
