"""Checks of the rows on which a method of one's own is judged, and the specs that put it into their place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from wganbench.spec.experiment import Experiment
from wganbench.spec.judged import BUDGETS, JudgedRow
from wganbench.spec.measure_use import scale_of
from wganbench.spec.overrides import merge
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


def _check_measures(row: JudgedRow, setting: Setting) -> Iterator[str]:
    for label, counted in row.measures.items():
        if label not in setting.measures:
            yield f"measures: {short(label)} is not measured{suggest(label, setting.measures)}"
        elif counted.target is None and scale_of(setting.measures[label]).higher_is_better is None:
            yield f"measures.{label}: neither direction is better; give the best value as target, beside within"


# ---- the spec of a candidate -----------------------------------------------------------------------------------------


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
    method = {key: value for key, value in change.items() if key in ("objective", "constraint")}
    variants: Table = {name_in(candidate, row): merge(spec.variants[row.variant], change) for row in rows}
    profiles: Table = {}
    for name, profile in spec.profiles.items():
        own: Table = {}
        named: Any = profile.get("variants")
        of_profile = [row for row in rows if named is None or row.variant in named]
        if named is not None and of_profile:
            own["variants"] = [*named, *(name_in(candidate, row) for row in of_profile)]
        only = {
            name_in(candidate, row): merge(profile["only"][row.variant], method)
            for row in of_profile
            if row.variant in profile.get("only", {})
        }
        if only:
            own["only"] = only
        if own:
            profiles[name] = own
    title = f"{candidate} in the place of other methods: {spec.title}"
    found: Table = {"version": 1, "extends": spec.name, "title": title, "source": "a method that is judged"}
    return {**found, "variants": variants, **({"profiles": profiles} if profiles else {})}
