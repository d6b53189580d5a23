"""What claims are about."""

from __future__ import annotations

from wganbench.spec import Claim, Experiment


def read_by(experiment: Experiment, claim: Claim) -> list[str]:
    """The variants that a claim names, or those of its architectures with its methods."""
    chosen = experiment.architectures_of(claim.profile, claim.methods()).values() if claim.methods() else ()
    return [*claim.variants(), *(variant for variants in chosen for variant in variants)]
