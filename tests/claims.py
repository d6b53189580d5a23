"""What claims are about."""

from __future__ import annotations

from wganbench.spec import Check, Claim, Experiment


def read_by(experiment: Experiment, judged: Claim | Check) -> list[str]:
    """The variants that a claim or a check names, or those of its architectures with its methods."""
    chosen = experiment.architectures_of(judged.profile, judged.methods()).values() if judged.methods() else ()
    return [*judged.variants(), *(variant for variants in chosen for variant in variants)]
