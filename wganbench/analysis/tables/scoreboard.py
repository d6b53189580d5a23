"""The scoreboard: every claim with its verdict, superseded claims separately, and a tally by experiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wganbench.analysis.tables.cells import between, fields, limits, number
from wganbench.analysis.tables.table import NONE, Scalar, Table, render
from wganbench.analysis.verdict import Outcome, Verdict
from wganbench.spec import Experiment


@dataclass(frozen=True)
class Judged:
    """A claim and its verdict, as a row."""

    experiment: str
    verdict: Verdict

    def cells(self) -> dict[str, str]:
        verdict, claim = self.verdict, self.verdict.claim
        known = " (known)" if verdict.outcome == "contradicted" and claim.known_contradiction else ""
        return {
            "claim": claim.says,
            "experiment": self.experiment,
            "profile": claim.profile,
            "verdict": f"**{verdict.outcome}**{known}" + (", *post hoc*" if verdict.post_hoc else ""),
            "estimate [95 % interval]": estimate_text(verdict),
            "n": self._runs(),
            "adjusted p": self._p_values(),
        }

    def _runs(self) -> str:
        """The number of runs of each variant, such as ``"8 + 8, 1 diverged"``."""
        runs = " + ".join(str(len(units)) for units in self.verdict.units.values()) or "0"
        return runs + (f", {self.verdict.n_diverged} diverged" if self.verdict.n_diverged else "")

    def _p_values(self) -> str:
        """The p-value of the direction that was settled, or both p-values if neither was."""
        for_, against = p_text(self.verdict.adjusted_for), p_text(self.verdict.adjusted_against)
        texts = {"reproduced": f"{for_} for", "contradicted": f"{against} against", "not run": NONE}
        return texts.get(self.verdict.outcome, f"{for_} for, {against} against")

    def data(self) -> dict[str, Scalar]:
        verdict, claim = self.verdict, self.verdict.claim
        return {
            "experiment": self.experiment,
            "claim": claim.id,
            **fields(claim, "says", "profile", "known_contradiction"),
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


def p_text(p: float) -> str:
    """Formats a p-value with two significant digits."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


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
    rows = [Judged(experiment, verdict) for experiment, some in verdicts.items() for verdict in live(some)]
    notes = [JUDGED] if rows else []
    notes += [POST_HOC] if any(row.verdict.post_hoc for row in rows) else []
    return Table("Scoreboard", tuple(rows), tuple(notes))


@dataclass(frozen=True)
class Replaced(Judged):
    """A superseded claim and the verdict that it keeps, as a row."""

    def cells(self) -> dict[str, str]:
        end = self.verdict.claim.superseded
        by = ", ".join(f"`{name}`" for name in end.by) if end else ""
        reason = f"version {end.version}: {end.reason}" if end else ""
        kept = {key: cell for key, cell in super().cells().items() if key != "experiment"}
        return {"id": f"`{self.verdict.claim.id}`", **kept, "superseded in": reason, "by": by or NONE}


def superseded(experiment: str, verdicts: Sequence[Verdict]) -> Table:
    """Returns an experiment's superseded claims, adjusted over the claims of the last version that had them."""
    rows = tuple(Replaced(experiment, verdict) for verdict in verdicts if verdict.claim.superseded)
    return Table("Superseded claims, with the verdicts that they keep", rows)


@dataclass(frozen=True)
class Tally:
    """An experiment and the outcomes of its claims, as a row."""

    experiment: Experiment
    verdicts: Sequence[Verdict]
    report: str

    def cells(self) -> dict[str, str]:
        counts, about = Counter(verdict.outcome for verdict in live(self.verdicts)), self.experiment
        return {
            "experiment": f"[{about.name}]({self.report}#{anchor(heading(about))})",
            "what it is": about.title,
            **{word: str(counts[word]) if counts[word] else NONE for word in OUTCOMES},
        }

    def data(self) -> dict[str, Scalar]:
        counts = Counter(verdict.outcome for verdict in live(self.verdicts))
        return {"experiment": self.experiment.name, **{word: counts[word] for word in OUTCOMES}}


OUTCOMES: tuple[Outcome, ...] = ("reproduced", "contradicted", "inconclusive", "not run")


def tally(verdicts: Mapping[str, Sequence[Verdict]]) -> str:
    """Counts the outcomes, such as ``"11 claims: 6 reproduced, 1 contradicted, 4 not run, and 2 superseded."``"""
    counts: Counter[str] = Counter(verdict.outcome for some in verdicts.values() for verdict in live(some))
    found = ", ".join(f"{counts[word]} {word}" for word in OUTCOMES if counts[word])
    n_old = sum(len(some) - len(live(some)) for some in verdicts.values())
    old = f", and {n_old} superseded" if n_old else ""
    return f"{counts.total()} claim{'' if counts.total() == 1 else 's'}" + (f": {found}" if found else "") + f"{old}."


def scoreboard_markdown(
    experiments: Sequence[Experiment], verdicts: Mapping[str, Sequence[Verdict]], report: str
) -> str:
    """The text between a README's markers: the tally, and a row for each experiment with a link into ``report``."""
    rows = tuple(Tally(experiment, verdicts[experiment.name], report) for experiment in experiments)
    board = render(Table("Scoreboard", rows, (JUDGED.partition(" Intervals")[0],)), "markdown")
    return f"{tally(verdicts)}\n\n{board}\n[Every claim with its numbers, tables and figures]({report})\n"


def heading(experiment: Experiment) -> str:
    """The heading of the report's section about an experiment."""
    return f"{experiment.name}: {experiment.title}"


def anchor(heading: str) -> str:
    """The anchor of a Markdown heading: its words in lower case, with a dash for each space."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in "-_ ")
    return kept.replace(" ", "-")
