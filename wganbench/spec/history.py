"""Checks of a claim's history: the spec versions in which it counted, and the claims that replaced it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wganbench.spec.claims import Claim
from wganbench.spec.strict import short, suggest


def about_history(claim: Claim, claims: Sequence[Claim], version: int) -> Iterator[str]:
    """Yields each mistake in a claim's history as ``place: what is wrong``.

    Args:
        claims: All claims of the spec.
        version: The version of the spec.
    """
    if claim.since > version:
        yield f"since: {claim.since}, and the spec is at version {version}; raise version"
    end = claim.superseded
    if end is None:
        return
    if not claim.since < end.version <= version:
        allowed = f"after the claim's {claim.since} and at most the spec's {version}"
        yield f"superseded.version: must be {allowed}, got {end.version}"
    known = {other.id: other for other in claims}
    for name in end.by:
        if name not in known:
            yield f"superseded.by: no claim {short(name)}{suggest(name, tuple(known))}"
        elif name == claim.id or not known[name].lived_in(end.version):
            yield f"superseded.by: {short(name)} is no claim of version {end.version}"
    for variant in end.judged_on:
        of_method = variant.partition("-")[2] in claim.methods()  # as in a012-wgan-gp
        if variant not in claim.variants() and not of_method:
            yield f"superseded.judged_on: the claim is not about {short(variant)}"
