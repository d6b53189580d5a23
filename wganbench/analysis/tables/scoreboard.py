"""The scoreboard: every claim with its verdict, its checks and superseded claims separately, and a tally."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from wganbench.analysis.evidence import Evidence
from wganbench.analysis.tables.cells import between, fields, limits, number, p_text
from wganbench.analysis.tables.table import NONE, Row, Scalar, Table
from wganbench.analysis.verdict import Outcome, Verdict
from wganbench.spec import Experiment

OUTCOMES: tuple[Outcome, ...] = ("reproduced", "contradicted", "inconclusive", "not run")
JUDGED = (
    "A claim is tested both ways: *reproduced* if all of its checks hold, *contradicted* if one of them fails, at a "
    "one-sided p ≤ 0.025, Holm-adjusted over the claims of the same experiment, profile and role that have runs; else "
    "*inconclusive*. Intervals are unadjusted, over runs, at 95 % unless they say otherwise. n counts runs, one number "
    "a variant, or architectures, one a method, and of seconds the stacks that trained together; a diverged run takes "
    "the measure's worst value."
)
PILOT = "*After a pilot*: stated after runs of other seeds; judged on fresh seeds alone."
POST_HOC = "*Post hoc*: the claim was written or changed after runs that it is judged on."


def live(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on all claims that are not superseded: primary ones first, else in the order of the spec."""
    found = [verdict for verdict in verdicts if verdict.claim.superseded is None]
    return sorted(found, key=lambda verdict: verdict.claim.role == "secondary")


def scoreboard(experiments: Sequence[Experiment], verdicts: Mapping[str, Sequence[Verdict]]) -> Table:
    """Returns all claims that are not superseded with their verdicts, by experiment and with primary ones first."""
    judged = [(experiment, verdict) for experiment in experiments for verdict in live(verdicts[experiment.name])]
    notes = [JUDGED] if judged else []
    notes += [POST_HOC] if any(verdict.post_hoc for _, verdict in judged) else []
    notes += [PILOT] if any(experiment.seen_before(verdict.claim) for experiment, verdict in judged) else []
    rows = tuple(Row(_cells(*each), _data(*each)) for each in judged)
    return Table("Scoreboard", rows, tuple(notes))


def superseded(experiment: Experiment, verdicts: Sequence[Verdict]) -> Table:
    """Returns an experiment's superseded claims, adjusted over the claims of the last version that had them."""
    rows = []
    for verdict in verdicts:
        end = verdict.claim.superseded
        if end is not None:
            cells = _cells(experiment, verdict)
            del cells["experiment"], cells["source"]
            end_cells = {
                "superseded in": f"version {end.version}: {end.reason}",
                "by": ", ".join(f"`{name}`" for name in end.by) or NONE,
            }
            rows.append(Row({"id": f"`{verdict.claim.id}`", **cells, **end_cells}, _data(experiment, verdict)))
    return Table("Superseded claims, with their verdicts", tuple(rows))


def checks(verdict: Verdict) -> Table:
    """Returns the checks of a claim, with what each shows."""
    rows = []
    for each in verdict.checks:
        cells = {
            "check": f"`{each.check.id}`",
            "test": each.check.test,
            "estimate [95 % interval]": estimate_text(each),
            "n": n_units_of(each),
            "p for": p_text(each.p_for) if not each.why else NONE,
            "p against": p_text(each.p_against) if not each.why else NONE,
            "shows": f"{verdict.outcome_of(each)}{f': {each.why}' if each.why and not each.missing else ''}",
        }
        data = {
            "check": each.check.id,
            **fields(each, "why", "estimate", "estimate_of", "n_diverged", "p_for", "p_against", "post_hoc"),
            **limits(each.interval),
        }
        rows.append(Row(cells, data))
    return Table(f"Checks of {verdict.claim.id}", tuple(rows))


def _cells(experiment: Experiment, verdict: Verdict) -> dict[str, str]:
    claim = verdict.claim
    return {
        "claim": claim.says,
        "source": claim.source or experiment.source,
        "experiment": experiment.name,
        "profile": claim.profile + (", secondary" if claim.role == "secondary" else ""),
        "verdict": outcome_text(experiment, verdict),
        "estimate [95 % interval]": summary_text(verdict),
        "n": n_units(verdict),
        "adjusted p": p_values(verdict),
    }


def outcome_text(experiment: Experiment, verdict: Verdict) -> str:
    """The outcome in bold, with what has to be known of it: known, post hoc, after a pilot."""
    known = " (known)" if verdict.outcome == "contradicted" and verdict.claim.known_contradiction else ""
    marks = ", *post hoc*" if verdict.post_hoc else ""
    marks += ", *after a pilot*" if experiment.seen_before(verdict.claim) else ""
    return f"**{verdict.outcome}**{known}{marks}"


def summary_text(verdict: Verdict) -> str:
    """The estimate of a claim with one check; of any other, how many of its checks hold."""
    n_checks = len(verdict.checks)
    if n_checks == 1:
        return estimate_text(verdict.deciding)
    n_holding = sum(verdict.outcome_of(each) == "holds" for each in verdict.checks)
    return NONE if verdict.outcome == "not run" else f"{n_holding} of {n_checks} checks hold"


def n_units(verdict: Verdict) -> str:
    """The numbers of runs or architectures that a claim is judged on, and how many diverged or have no number."""
    own, n_checks = n_units_of(verdict.deciding), len(verdict.checks)
    worst = f", {verdict.n_diverged} diverged" if verdict.n_diverged else ""
    worst += f", {verdict.n_undefined} without a number" if verdict.n_undefined else ""
    return (f"{n_checks} × ({own})" if n_checks > 1 else own) + worst


def n_units_of(evidence: Evidence) -> str:
    """The numbers of runs or architectures on each side of a check."""
    return " + ".join(str(len(units)) for units in evidence.units.values()) or "0"


def p_values(verdict: Verdict) -> str:
    """The p-value of the direction that was settled, or both p-values if neither was."""
    for_, against = p_text(verdict.adjusted_for), p_text(verdict.adjusted_against)
    texts = {"reproduced": f"{for_} for", "contradicted": f"{against} against", "not run": NONE}
    return texts.get(verdict.outcome, f"{for_} for, {against} against")


def _data(experiment: Experiment, verdict: Verdict) -> dict[str, Scalar]:
    deciding = verdict.deciding
    return {
        "experiment": experiment.name,
        "claim": verdict.claim.id,
        **fields(verdict.claim, "says", "profile", "role", "known_contradiction"),
        "source": verdict.claim.source or experiment.source,
        **fields(verdict, "outcome", "why", "p_for", "p_against", "adjusted_for", "adjusted_against"),
        **fields(verdict, "n_diverged", "post_hoc"),
        "n_checks": len(verdict.checks),
        "check": deciding.check.id,
        **fields(deciding, "estimate", "estimate_of"),
        **limits(deciding.interval),
        "method": deciding.interval.method if deciding.interval else None,
        "n": sum(map(len, deciding.units.values())),
    }


def estimate_text(evidence: Evidence) -> str:
    """Formats the estimate with its interval; a success rate in percent, and an interval of the median labelled so."""
    estimate, interval = evidence.estimate, evidence.interval
    if evidence.check.test == "binomial" and estimate is not None and interval:
        return f"{100 * estimate:.0f} % of runs [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"
    other = ", median in" if interval and interval.method.startswith("median") else ""
    return number(estimate) + other + between(interval)


def tally(verdicts: Mapping[str, Sequence[Verdict]]) -> str:
    """Counts the outcomes, such as ``"11 claims: 6 reproduced, 1 contradicted, 4 not run, and 2 superseded."``"""
    tallied: Counter[str] = Counter(verdict.outcome for some in verdicts.values() for verdict in live(some))
    found = ", ".join(f"{tallied[word]} {word}" for word in OUTCOMES if tallied[word])
    n_old = sum(len(some) - len(live(some)) for some in verdicts.values())
    old = f", and {n_old} superseded" if n_old else ""
    return f"{tallied.total()} claim{'' if tallied.total() == 1 else 's'}" + (f": {found}" if found else "") + f"{old}."


def counts(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """The number of claims with each outcome as cells of a table, without superseded ones."""
    found = Counter(verdict.outcome for verdict in live(verdicts))
    return {word: str(found[word] or NONE) for word in OUTCOMES}


def readme_block(verdicts: Mapping[str, Sequence[Verdict]], link: str) -> str:
    """The text between a README's markers: the tally, with a link to the results folder's own page."""
    return f"{tally(verdicts)}\n\n[Every claim, source by source]({link})\n"
