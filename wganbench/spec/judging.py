"""Checks of the rows on which a method of one's own is judged, and the specs that put it into their place."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomli_w

from wganbench.spec.experiment import Experiment
from wganbench.spec.judged import BUDGETS, Budget, JudgedRow, Share
from wganbench.spec.measure_use import scale_of
from wganbench.spec.overrides import merge
from wganbench.spec.seeds import parse_seeds
from wganbench.spec.setting import Setting
from wganbench.spec.strict import Table, short, suggest


def check_judged(row: JudgedRow, spec: Experiment) -> Iterator[str]:
    """Yields what is wrong with a row: an unknown variant, profile or measure, or a measure without a direction."""
    if row.variant not in spec.variants:
        yield f"variant: {spec.check_name('variant', row.variant)[0]}"
        return
    if not row.budgets.shares():
        yield f"budgets: must have a share of {', '.join(BUDGETS[:-1])} or {BUDGETS[-1]}, or all of them"
    for budget, share in row.budgets.shares().items():
        problems = spec.check_name("profile", share.profile) or spec.check_variant(row.variant, share.profile)
        yield from (f"budgets.{budget}.profile: {problem}" for problem in problems)
        setting = spec.valid_settings.get((row.variant, share.profile))
        if setting is not None:
            yield from _check_measures(row, setting)
        yield from _check_power(budget, share, spec)


def _check_measures(row: JudgedRow, setting: Setting) -> Iterator[str]:
    for label, counted in row.measures.items():
        if label not in setting.measures:
            yield f"measures: {short(label)} is not measured{suggest(label, setting.measures)}"
        elif counted.target is None and scale_of(setting.measures[label]).higher_is_better is None:
            yield f"measures.{label}: neither direction is better; give the best value as target, beside within"


LEVEL = 0.025
"""The one-sided level at which a line is judged, Holm-adjusted over the lines of an experiment."""
METHOD, NETWORKS = ("objective", "constraint"), ("critic", "generator")
"""The fields of a variant that make a method, and those that name networks."""
UNIQUE = {"dirac_critic"}
"""The critics whose own parameter the measures of their experiments read, so that no other takes their place."""


def _check_power(budget: Budget, share: Share, spec: Experiment) -> Iterator[str]:
    """Yields a budget whose seeds can settle no line, whatever the numbers: n pairs have a p-value of 2⁻ⁿ at best."""
    n_seeds = len(parse_seeds(share.seeds))
    n_lines = sum(len(row.measures) for row in spec.judge if row.share(budget))
    fewest = math.ceil(math.log2(n_lines / LEVEL)) if n_lines else 0
    if n_seeds < fewest:
        yield f"budgets.{budget}.seeds: must be at least {fewest} to settle one of {n_lines} lines, got {n_seeds}"


# ---- the spec of a candidate -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """A method that is judged.

    Attributes:
        name: What its variants' names begin with.
        change: The fields of a setting that it replaces, such as ``constraint``.
    """

    name: str
    change: Table


def rows_for(spec: Experiment, budget: Budget, candidates: Collection[Candidate]) -> list[JudgedRow]:
    """Returns the rows of an experiment that a budget reaches, and on which each of these candidates can be judged."""
    reached = [(row, share) for row in spec.judge if (share := row.share(budget)) is not None]
    settings = [(row, spec.setting(row.variant, share.profile)) for row, share in reached]
    return [row for row, setting in settings if all(_fits(each, row, setting) for each in candidates)]


def _fits(candidate: Candidate, row: JudgedRow, setting: Setting) -> bool:
    """Returns whether a row's measures mean something for a candidate in the place of the row's method."""
    if "critic" in candidate.change and setting.critic.name in UNIQUE:
        return False
    return not row.same_objective or _name(candidate.change.get("objective")) in (None, setting.objective.name)


def slug(name: str) -> str:
    """Returns a name for variants from that of an object: ``mine:zero_penalty`` gives ``mine-zero_penalty``."""
    text = re.sub(r"[^a-z0-9_.-]+", "-", name.lower()).strip("-._")
    return text[:40] or "candidate"


def name_in(candidate: str, row: JudgedRow) -> str:
    """Returns the name of the variant that has the candidate's method in the place of the row's."""
    return f"{candidate}-{row.variant}"[:64]


def spec_of(spec: Experiment, rows: Collection[JudgedRow], candidate: str, change: Table) -> Table:
    """Returns a spec, as the content of a TOML file, that extends another by variants with a candidate's method.

    Args:
        spec: An experiment that ships.
        rows: Its rows that are judged.
        candidate: The name of the candidate, as ``slug`` returns it.
        change: The fields of a setting that make the method: ``objective``, ``constraint`` and others.
    """
    method = {key: value for key, value in change.items() if key in METHOD}
    networks = {row.variant: _other_networks(merge(spec.defaults, spec.variants[row.variant]), change) for row in rows}
    variants: Table = {}
    for row in rows:
        kept = {key: value for key, value in change.items() if key not in networks[row.variant]}
        variants[name_in(candidate, row)] = merge(spec.variants[row.variant], kept)
    profiles: Table = {}
    for name, profile in spec.profiles.items():
        own: Table = {}
        named: Any = profile.get("variants")
        of_profile = [row for row in rows if named is None or row.variant in named]
        if named is not None and of_profile:
            own["variants"] = [*named, *(name_in(candidate, row) for row in of_profile)]
        only = {}
        for row in of_profile:
            before = profile.get("only", {}).get(row.variant)
            only[name_in(candidate, row)] = {**(merge(before, method) if before else {}), **networks[row.variant]}
        only = {variant: table for variant, table in only.items() if table}
        if only:
            own["only"] = only
        if own:
            profiles[name] = own
    title = f"{candidate} in the place of other methods: {spec.title}"
    found: Table = {"version": 1, "extends": spec.name, "title": title, "source": "a method that is judged"}
    return {**found, "variants": variants, **({"profiles": profiles} if profiles else {})}


def _other_networks(before: Table, change: Table) -> Table:
    """Returns the networks of a candidate that have another name than those that they replace.

    A profile reduces the networks that it knows, as by ``critic.hidden``. Another network must not get that option, so
    it comes last, where its name replaces the whole table.
    """

    changed = {key: change[key] for key in NETWORKS if key in change}
    return {key: value for key, value in changed.items() if _name(value) not in (None, _name(before.get(key)))}


def _name(value: Any) -> Any:
    """Returns the name of a part of a setting, which is given alone or in a table with options."""
    return value.get("name") if isinstance(value, Mapping) else value


def spec_text(spec: Experiment, rows: Collection[JudgedRow], candidates: Sequence[Candidate]) -> str:
    """Returns the TOML of the spec that has the variants of all candidates; see `spec_of`."""
    table: Table = {}
    for candidate in candidates:
        table = _joined(table, spec_of(spec, rows, candidate.name, candidate.change))
    return tomli_w.dumps(table)


def _joined(table: Table, other: Table) -> Table:
    """Adds the variants of another candidate, which are in other tables and at the end of the same lists."""
    joined = dict(table)
    for key, value in other.items():
        old = joined.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            joined[key] = _joined(old, value)
        elif isinstance(old, list):
            joined[key] = [*old, *(each for each in value if each not in old)]
        else:
            joined[key] = value
    return joined
