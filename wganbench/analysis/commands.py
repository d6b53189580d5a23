"""The commands that explain a claim and train its runs, as someone would type them."""

from __future__ import annotations

import shlex
from pathlib import Path

from wganbench.analysis.own_pictures import data_option
from wganbench.spec import Claim, Experiment, available


def explain_command(experiment: Experiment, claim: Claim, folder: Path) -> str:
    """Returns the command that explains the verdict on a claim by the records in ``folder``."""
    return shlex.join(["wganbench", "explain", f"{argument(experiment)}:{claim.id}", "--results", str(folder)])


def run_command(experiment: Experiment, claim: Claim) -> str:
    """Returns the command that trains a claim's runs into the user's own folder; empty if it no longer counts."""
    if claim.superseded:
        return ""
    words = ["wganbench", "run", f"{argument(experiment)}:{claim.id}"]
    return shlex.join([*words, *data_option(experiment, claim.profile)])


def run_all_command(experiment: Experiment, profile: str, *, name: str = "") -> str:
    """Returns the command that trains every run of a profile.

    Args:
        name: What to name the experiment by; by default its ``argument``.
    """
    words = ["wganbench", "run", name or argument(experiment), "--profile", profile]
    return shlex.join([*words, *data_option(experiment, profile)])


def argument(experiment: Experiment) -> str:
    """Returns what a command names an experiment by: the name of one that ships, or the path of its file."""
    return experiment.name if _is_shipped(experiment) else experiment.path


def portable_name(experiment: Experiment) -> str:
    """Returns the name on a page that is read elsewhere: that of an experiment that ships, or of its file alone."""
    return experiment.name if _is_shipped(experiment) else experiment.file


def _is_shipped(experiment: Experiment) -> bool:
    return available().get(experiment.name) == Path(experiment.path)
