"""The profiles and records that a report includes, their order, and the profiles that can serve as a reference."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from wganbench.records.record import Record
from wganbench.spec import Experiment

SMOKE = "smoke"
"""The profile that only shows that an experiment runs."""

RANKED = ("paper", "reduced", "quick", "smoke")
"""The profiles from the longest to the shortest; others follow in the spec's order."""

STEPS = "steps-"
"""The prefix of a reduction that is named by its length, such as ``steps-20k``."""


def shown(experiment: Experiment) -> list[str]:
    """The experiment's profiles; ``smoke`` is included only if a claim is judged at it."""
    judged = {claim.profile for claim in experiment.claims}
    return [name for name in experiment.profiles if name != SMOKE or name in judged]


def reported(experiments: Collection[Experiment], records: Mapping[str, Record]) -> dict[str, Record]:
    """The records that a report includes: all but those of ``smoke`` where ``shown`` omits that profile.

    A run that another profile plans as well is included.
    """
    if all(record.profile != SMOKE for record in records.values()):
        return dict(records)
    judged = {each.name for each in experiments if SMOKE in shown(each)}
    pairs = ((each, name) for each in experiments for name in shown(each))
    families = {each.family(variant, name) for each, name in pairs for variant in each.variants_of(name)}
    return {
        name: record
        for name, record in records.items()
        if record.profile != SMOKE or record.experiment in judged or record.family in families
    }


def others(experiments: Collection[Experiment], records: Mapping[str, Record]) -> list[str]:
    """The names of other experiments with records that none of ``experiments`` has made or plans."""
    names = {experiment.name for experiment in experiments}
    pairs = ((each, profile) for each in experiments for profile in each.profiles)
    families = {each.family(variant, profile) for each, profile in pairs for variant in each.variants_of(profile)}
    found = reported(experiments, records).values()
    return sorted({each.experiment for each in found if each.experiment not in names and each.family not in families})


def ranked(experiment: Experiment) -> list[str]:
    """The profiles that a report includes, the longest first."""
    return sorted(shown(experiment), key=_rank)


def references(experiment: Experiment) -> list[str]:
    """The experiment's profiles that follow the paper's protocol or a reduction of it, the longest first."""
    return [name for name in ranked(experiment) if _rank(name) <= RANKED.index("reduced")]


def _rank(profile: str) -> int:
    known = "reduced" if profile.startswith(STEPS) else profile
    return RANKED.index(known) if known in RANKED else len(RANKED)
