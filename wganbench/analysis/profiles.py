"""The profiles that a report includes, their order, and the profiles that can serve as a reference."""

from __future__ import annotations

from collections.abc import Iterable

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


def ranked(experiment: Experiment) -> list[str]:
    """The profiles that a report includes, the longest first."""
    return sorted(shown(experiment), key=_rank)


def references(experiment: Experiment) -> list[str]:
    """The experiment's profiles that follow the paper's protocol or a reduction of it, the longest first."""
    return [name for name in ranked(experiment) if _rank(name) <= RANKED.index("reduced")]


def _rank(profile: str) -> int:
    known = "reduced" if profile.startswith(STEPS) else profile
    return RANKED.index(known) if known in RANKED else len(RANKED)


def settings_of(experiment: Experiment, profiles: Iterable[str]) -> set[str]:
    """The setting ids of all variants under these profiles."""
    return {experiment.family(variant, name) for name in profiles for variant in experiment.variants_of(name)}
