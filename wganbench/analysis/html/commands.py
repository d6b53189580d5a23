"""The commands that explain a claim and train its runs again, as someone would type them."""

from __future__ import annotations

import shlex
from pathlib import Path

from wganbench.analysis.own_pictures import data_option
from wganbench.spec import Claim, Experiment, available, listed

NAMED = 12
"""The most variants that a command names; a claim on more trains every variant of its profile."""


def explain_command(experiment: Experiment, claim: Claim, folder: Path) -> str:
    """Returns the command that explains the verdict on a claim by the records in ``folder``."""
    return shlex.join(["wganbench", "explain", f"{argument(experiment)}:{claim.id}", "--results", str(folder)])


def run_command(experiment: Experiment, claim: Claim) -> str:
    """Returns the command that trains a claim's runs into the user's own folder; empty if the spec has them no more."""
    if not set(claim.variants()) <= set(experiment.variants_of(claim.profile)) or claim.judged_on():
        return ""
    named = claim.variants() if len(claim.variants()) <= NAMED else ()
    words = ["wganbench", "run", argument(experiment), "--profile", claim.profile]
    words += [word for variant in named for word in ("--variant", variant)]
    words += data_option(experiment, claim.profile)
    return shlex.join([*words, "--seeds", _seeds(experiment.seeds_of(claim))])


def run_all_command(experiment: Experiment, profile: str) -> str:
    """Returns the command that trains every run of a profile."""
    words = ["wganbench", "run", argument(experiment), "--profile", profile]
    return shlex.join([*words, *data_option(experiment, profile)])


def argument(experiment: Experiment) -> str:
    """Returns what a command names an experiment by: the name of one that ships, or the path of its file."""
    shipped = available().get(experiment.name)
    return experiment.name if shipped == Path(experiment.path) else experiment.path


def _seeds(seeds: frozenset[int]) -> str:
    """Returns the seeds as a list; a single one as a range, since a number alone would be a count."""
    text = listed(seeds).replace(" ", "")
    return text if "," in text or "-" in text else f"{text}-{text}"
