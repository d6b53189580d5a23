"""In what order a report shows the profiles of an experiment, and which of them a reference may stand on."""

from __future__ import annotations

from wganbench.spec import Experiment

RANKED = ("paper", "reduced", "quick", "smoke")
"""Profiles from the longest to the shortest; others follow in the spec's order."""

STEPS = "steps-"
"""What the name of a reduction begins with that is called by its length, such as ``steps-20k``."""


def ranked(experiment: Experiment) -> list[str]:
    """Its profiles, the longest first."""
    return sorted(experiment.profiles, key=_rank)


def references(experiment: Experiment) -> list[str]:
    """The paper's protocol and the reductions of it, those of a spec that it has, the longest first."""
    return [name for name in ranked(experiment) if _rank(name) <= RANKED.index("reduced")]


def _rank(profile: str) -> int:
    known = "reduced" if profile.startswith(STEPS) else profile
    return RANKED.index(known) if known in RANKED else len(RANKED)
