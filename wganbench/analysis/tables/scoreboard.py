"""The scoreboard: every claim with its verdict, superseded claims separately, and a tally by experiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from wganbench.analysis.tables.cells import between, fields, limits, number, p_text
from wganbench.analysis.tables.table import NONE, Row, Scalar, Table, render
from wganbench.analysis.verdict import Outcome, Verdict
from wganbench.spec import Experiment

OUTCOMES: tuple[Outcome, ...] = ("reproduced", "contradicted", "inconclusive", "not run")
JUDGED = (
    "A claim is tested both ways: *reproduced* or *contradicted* at a one-sided p ≤ 0.025, Holm-adjusted over its "
    "experiment's claims, else *inconclusive*. Intervals are unadjusted, over runs, at 95 % unless they say otherwise. "
    "n counts runs, one number a variant, or architectures, one a method, and of seconds the stacks that trained "
    "together; a diverged run takes the measure's worst value."
)
POST_HOC = "*Post hoc*: the claim was written or changed after runs that it is judged on."


def live(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on all claims that are not superseded."""
    return [verdict for verdict in verdicts if verdict.claim.superseded is None]


def scoreboard(verdicts: Mapping[str, Sequence[Verdict]]) -> Table:
    """Returns all claims that are not superseded with their verdicts, by experiment, in the order of the specs."""
    judged = [(experiment, verdict) for experiment, some in verdicts.items() for verdict in live(some)]
    notes = [JUDGED] if judged else []
    notes += [POST_HOC] if any(verdict.post_hoc for _, verdict in judged) else []
    rows = tuple(Row(_cells(*each), _data(*each)) for each in judged)
    return Table("Scoreboard", rows, tuple(notes))


def superseded(experiment: str, verdicts: Sequence[Verdict]) -> Table:
    """Returns an experiment's superseded claims, adjusted over the claims of the last version that had them."""
    rows = []
    for verdict in verdicts:
        end = verdict.claim.superseded
        if end is not None:
            cells = {key: cell for key, cell in _cells(experiment, verdict).items() if key != "experiment"}
            end_cells = {
                "superseded in": f"version {end.version}: {end.reason}",
                "by": ", ".join(f"`{name}`" for name in end.by) or NONE,
            }
            rows.append(Row({"id": f"`{verdict.claim.id}`", **cells, **end_cells}, _data(experiment, verdict)))
    return Table("Superseded claims, with the verdicts that they keep", tuple(rows))


def _cells(experiment: str, verdict: Verdict) -> dict[str, str]:
    claim = verdict.claim
    known = " (known)" if verdict.outcome == "contradicted" and claim.known_contradiction else ""
    n_units = " + ".join(str(len(units)) for units in verdict.units.values()) or "0"
    return {
        "claim": claim.says,
        "experiment": experiment,
        "profile": claim.profile,
        "verdict": f"**{verdict.outcome}**{known}" + (", *post hoc*" if verdict.post_hoc else ""),
        "estimate [95 % interval]": estimate_text(verdict),
        "n": n_units + (f", {verdict.n_diverged} diverged" if verdict.n_diverged else ""),
        "adjusted p": _p_values(verdict),
    }


def _p_values(verdict: Verdict) -> str:
    """The p-value of the direction that was settled, or both p-values if neither was."""
    for_, against = p_text(verdict.adjusted_for), p_text(verdict.adjusted_against)
    texts = {"reproduced": f"{for_} for", "contradicted": f"{against} against", "not run": NONE}
    return texts.get(verdict.outcome, f"{for_} for, {against} against")


def _data(experiment: str, verdict: Verdict) -> dict[str, Scalar]:
    return {
        "experiment": experiment,
        "claim": verdict.claim.id,
        **fields(verdict.claim, "says", "profile", "known_contradiction"),
        **fields(verdict, "outcome", "why", "estimate", "estimate_of"),
        **limits(verdict.interval),
        "method": verdict.interval.method if verdict.interval else None,
        "n": sum(map(len, verdict.units.values())),
        **fields(verdict, "n_diverged", "p_for", "p_against", "adjusted_for", "adjusted_against", "post_hoc"),
    }


def estimate_text(verdict: Verdict) -> str:
    """Formats the estimate with its interval; a success rate in percent, and an interval of the median labelled so."""
    estimate, interval = verdict.estimate, verdict.interval
    if verdict.claim.test == "binomial" and estimate is not None and interval:
        return f"{100 * estimate:.0f} % of runs [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"
    other = ", median in" if interval and interval.method.startswith("median") else ""
    return number(estimate) + other + between(interval)


def tally(verdicts: Mapping[str, Sequence[Verdict]]) -> str:
    """Counts the outcomes, such as ``"11 claims: 6 reproduced, 1 contradicted, 4 not run, and 2 superseded."``"""
    counts: Counter[str] = Counter(verdict.outcome for some in verdicts.values() for verdict in live(some))
    found = ", ".join(f"{counts[word]} {word}" for word in OUTCOMES if counts[word])
    n_old = sum(len(some) - len(live(some)) for some in verdicts.values())
    old = f", and {n_old} superseded" if n_old else ""
    return f"{counts.total()} claims" + (f": {found}" if found else "") + f"{old}."


def scoreboard_markdown(
    experiments: Sequence[Experiment], verdicts: Mapping[str, Sequence[Verdict]], report: str
) -> str:
    """The text between a README's markers: the tally, and a row for each experiment with a link into ``report``."""
    rows = []
    for experiment in experiments:
        counts = Counter(verdict.outcome for verdict in live(verdicts[experiment.name]))
        cells: dict[str, str] = {
            "experiment": f"[{experiment.name}]({report}#{anchor(heading(experiment))})",
            "what it is": experiment.title,
        }
        cells |= {word: str(counts[word] or NONE) for word in OUTCOMES}
        rows.append(Row(cells, {}))
    board = render(Table("Scoreboard", tuple(rows), (JUDGED.partition(" Intervals")[0],)), "markdown")
    return f"{tally(verdicts)}\n\n{board}\n[Every claim with its numbers, tables and figures]({report})\n"


def heading(experiment: Experiment) -> str:
    """The heading of the report's section about an experiment."""
    return f"{experiment.name}: {experiment.title}"


def anchor(heading: str) -> str:
    """The anchor of a Markdown heading: its words in lower case, with a dash for each space."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in "-_ ")
    return kept.replace(" ", "-")
