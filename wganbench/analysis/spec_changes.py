"""The differences between two versions of a spec, and which of them weaken its evidence.

A change weakens the evidence if it makes a claim easier to hold, lets a claim ask something else under the same id, or
changes what it is judged on: a restated claim is to get a new id. What a change of a number means depends on its field:
a smaller margin, lower bound or rate is easier to exceed, a larger tolerance or upper bound easier to meet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from wganbench.analysis.finding import Change
from wganbench.analysis.profiles import settings_of
from wganbench.spec import (
    Check,
    Claim,
    Criterion,
    Experiment,
    Level,
    Published,
    Setting,
    Success,
    listed,
    scale_of,
    short,
)
from wganbench.spec.catalogue import Scale

EASIER_IF_SMALLER = ("margin", "at_least", "rate", "gap_at_least")
"""Fields of a check that it is easier to exceed the smaller they are; without the last one, it is not asked at all."""
EASIER_IF_LARGER = ("at_most", "within", "drift_at_most")
"""Fields of a check that it is easier to keep within the larger they are; likewise for the last one."""
NAMED = 6
"""The most variants that a line names."""

Difference = tuple[str, bool]
"""A description of one difference, and whether it weakens the evidence."""


def spec_changes(
    before: Experiment, after: Experiment, judged: Collection[str], recorded: Counter[str]
) -> Iterator[Change]:
    """Yields every difference between two versions of a spec that a reviewer has to see.

    Args:
        judged: The ids of the claims that had runs before.
        recorded: The number of records by setting id, before.
    """
    old, new = ({claim.id: claim for claim in each.claims} for each in (before, after))
    name = after.name
    for claim in before.claims:
        if claim.id not in new:
            yield Change("claim removed", name, claim.id, f"was: {claim.says}", weakens=True)
            continue
        for what, (text, weakens) in _claim_changes(before, after, claim, new[claim.id], claim.id in judged):
            yield Change(what, name, claim.id, text, weakens)
    for claim in after.claims:
        if claim.id not in old:
            yield Change("claim added", name, claim.id, f"{claim.says} ({claim.role}, profile {claim.profile})")
    for what, subject, (text, weakens) in _other_changes(before, after):
        yield Change(what, name, subject, text, weakens)
    yield from _setting_changes(before, after, recorded)
    yield from _scale_changes(before, after)


# ---- claims ---------------------------------------------------------------------------------------------------------


def _claim_changes(
    before: Experiment, after: Experiment, old: Claim, new: Claim, is_judged: bool
) -> Iterator[tuple[str, Difference]]:
    if old.says != new.says:
        yield "claim reworded", (f"was: {old.says}; now: {new.says}", False)
    if (old.source or before.source) != (new.source or after.source):
        yield "source changed", (f"was {old.source or before.source}; now {new.source or after.source}", False)
    if old.role != new.role:
        yield "role changed", (f"was {old.role}, now {new.role}", new.role == "secondary")
    if old.any != new.any:
        yield ("margin loosened" if new.any else "margin tightened"), (_from_to("any", old.any, new.any), new.any)
    if old.known_contradiction != new.known_contradiction:
        text = _from_to("known_contradiction", old.known_contradiction, new.known_contradiction)
        yield "known contradiction", (text, False)
    yield from _history(before, after, old, new)
    gone, more = (
        first - second
        for first, second in (
            (before.seeds_of(old), after.seeds_of(new)),
            (after.seeds_of(new), before.seeds_of(old)),
        )
    )
    if gone:
        yield "seeds removed", (f"{listed(gone)} are declared no more", True)
    if more:
        yield "seeds added", (f"{listed(more)} are declared too{', after the claim had runs' * is_judged}", is_judged)
    yield from _checks(old, new)


def _history(before: Experiment, after: Experiment, old: Claim, new: Claim) -> Iterator[tuple[str, Difference]]:
    """Yields changes in how the claim stands to earlier versions of the spec."""
    if hidden := sorted({*before.seen_before(old)} - {*after.seen_before(new)}):
        yield "pilot hidden", (f"was marked as stated after a pilot of seeds {listed(hidden)}, and is no more", True)
    elif old.since != new.since:
        yield "since changed", (_from_to("since", old.since, new.since), False)
    if old.restated_as != new.restated_as:
        yield "claim restated", (_from_to("restated_as", old.restated_as, new.restated_as), False)
    if old.superseded is None and new.superseded is not None:
        yield "claim superseded", (new.superseded.reason, False)
    elif old.superseded is not None and new.superseded is None:
        yield "claim counts again", (f"was superseded: {old.superseded.reason}", False)
    elif old.judged_on() != new.judged_on():
        yield "judged on other records", (_from_to("judged_on", old.judged_on(), new.judged_on()), True)


def _checks(old: Claim, new: Claim) -> Iterator[tuple[str, Difference]]:
    before, after = ({check.id: check for check in claim.checks} for claim in (old, new))
    for name in before.keys() - after.keys():
        yield "check removed", (name, True)
    for name in after.keys() - before.keys():
        yield "check added", (name, new.any)
    for name, check in before.items():
        if name in after:
            where = f"{name}: " if len(before) > 1 else ""
            for what, (text, weakens) in _check_changes(check, after[name]):
                yield what, (where + text, weakens)


def _check_changes(old: Check, new: Check) -> Iterator[tuple[str, Difference]]:
    if old.test != new.test:
        yield "test changed", (_from_to("test", old.test, new.test), True)
    fields = [name for name in type(old).model_fields if name in type(new).model_fields]
    settled = {"id", "test"}
    if isinstance(old, Level) and isinstance(new, Level) and _side(old) != _side(new):
        yield "direction turned", (f"was {_bound(old)}, now {_bound(new)}", True)
        settled |= {"at_least", "at_most"}
    sides = [(getattr(check, "better", ""), getattr(check, "worse", "")) for check in (old, new)]
    if sides[0] != sides[1] and sides[0] == sides[1][::-1]:
        yield "direction turned", (f"better was {sides[0][0]!r}, now {sides[1][0]!r}, and worse the other", True)
        settled |= {"better", "worse"}
    for name in fields:
        first, second = getattr(old, name), getattr(new, name)
        if first == second or name in settled:
            continue
        if name == "criteria" and isinstance(old, Success) and isinstance(new, Success):
            yield from _criteria(old.criteria, new.criteria)
        elif name in (*EASIER_IF_SMALLER, *EASIER_IF_LARGER):
            yield _moved(name, first, second)
        else:
            what = "published value changed" if name in ("equals", "published") else "claim asks something else"
            yield what, (_from_to(name, first, second), True)


def _criteria(old: Sequence[Criterion], new: Sequence[Criterion]) -> Iterator[tuple[str, Difference]]:
    before, after = ({(each.measure, _side(each)): each for each in some} for some in (old, new))
    for key in before.keys() - after.keys():
        yield "margin loosened", (f"no criterion {_bound(before[key])} of {key[0]} any more", True)
    for key in after.keys() - before.keys():
        yield "margin tightened", (f"a criterion more: {key[0]} {_bound(after[key])}", False)
    for key in before.keys() & after.keys():
        name = key[1]
        first, second = getattr(before[key], name), getattr(after[key], name)
        if first != second:
            what, (text, weakens) = _moved(name, first, second)
            yield what, (f"{key[0]}: {text}", weakens)


def _moved(name: str, old: float | None, new: float | None) -> tuple[str, Difference]:
    """Describes the change of a number that makes a check easier or harder; None asks nothing."""
    if old is not None and new is not None:
        is_easier = new < old if name in EASIER_IF_SMALLER else new > old
    else:
        is_easier = new is None
    return f"margin {'loosened' if is_easier else 'tightened'}", (_from_to(name, old, new), is_easier)


def _side(bound: Level | Criterion) -> str:
    return "at_least" if bound.at_least is not None else "at_most"


def _bound(bound: Level | Criterion) -> str:
    return f"{_side(bound)} {getattr(bound, _side(bound)):g}"


def _from_to(name: str, old: Any, new: Any) -> str:
    first, second = ("nothing" if each is None else short(each) for each in (old, new))
    return f"{name} was {first}, now {second}"


# ---- everything else ------------------------------------------------------------------------------------------------


def _other_changes(before: Experiment, after: Experiment) -> Iterator[tuple[str, str, Difference]]:
    for text in _lost(before.deviations, after.deviations):
        yield "deviation removed", "deviations", (text, True)
    for text in _lost(after.deviations, before.deviations):
        yield "deviation added", "deviations", (text, False)
    yield from _published(before.published, after.published)
    old, new = before.success_table, after.success_table
    if old is not None and (new is None or old.published != new.published):
        yield "published value changed", "success_table", ("its published counts were changed or removed", True)
    for pilot in before.pilot:
        if pilot not in after.pilot:
            text = f"seeds {pilot.seeds}, before version {pilot.before}, are no pilot any more"
            yield "pilot removed", "pilot", (text, True)
    if before.source != after.source:
        yield "source changed", "source", (_from_to("source", before.source, after.source), False)


def _lost(some: Iterable[str], others: Collection[str]) -> list[str]:
    return [text for text in some if text not in others]


def _published(old: Sequence[Published], new: Sequence[Published]) -> Iterator[tuple[str, str, Difference]]:
    def key(row: Published) -> tuple[str, ...]:
        return row.variant or "", row.row or "", row.measure, row.source

    before, after = ({key(row): row for row in some} for some in (old, new))
    for each, row in before.items():
        subject = f"{row.variant or row.row}, {row.measure}"
        if each not in after:
            yield "published value removed", subject, (f"was {row.value:g}, by {row.source}", True)
        else:
            for name in ("value", "spread", "spread_over", "configuration"):
                first, second = getattr(row, name), getattr(after[each], name)
                if first != second:
                    yield "published value changed", subject, (_from_to(name, first, second), True)
    for each, row in after.items():
        if each not in before:
            text = f"{row.value:g}, by {row.source}"
            yield "published value added", f"{row.variant or row.row}, {row.measure}", (text, False)


def _setting_changes(before: Experiment, after: Experiment, recorded: Counter[str]) -> Iterator[Change]:
    """Yields one line for each profile with settings that were changed or removed, with the records left behind."""
    planned = settings_of(after, after.profiles) | {
        name for claim in after.claims for name in claim.judged_on().values()
    }
    for profile in before.profiles:
        changed = [
            (variant, before.family(variant, profile))
            for variant in before.variants_of(profile)
            if before.family(variant, profile) not in planned
        ]
        if changed:
            n_records = sum(recorded[name] for _, name in changed)
            more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
            variants = ", ".join(variant for variant, _ in changed[:NAMED]) + more
            left = f"; {n_records} records count for no claim any more" if n_records else "; none was recorded"
            text = f"{variants}: other settings, or none any more{left}"
            yield Change("setting changed", after.name, f"profile {profile}", text, n_records > 0)


def _scale_changes(before: Experiment, after: Experiment) -> Iterator[Change]:
    """Yields custom measures whose numbers are read in another way, which is not part of a setting's id."""
    old, new = ({name: _scales(each) for name, each in one.with_custom_measures.items()} for one in (before, after))
    for name in old.keys() & new.keys():
        for label, scale in old[name].items():
            if new[name].get(label, scale) != scale:
                text = f"{name}: was {scale}, now {new[name][label]}"
                yield Change("measure read in another way", after.name, label, text, weakens=True)


def _scales(setting: Setting) -> dict[str, Scale]:
    return {label: scale_of(use) for label, use in setting.measures.items() if use.measure.is_custom}
