"""The claims of an experiment as a part of its page: a line each, with checks and superseded claims folded away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wganbench.analysis.pages.markdown import folded
from wganbench.analysis.results import Results
from wganbench.analysis.tables.cells import p_text
from wganbench.analysis.tables.scoreboard import (
    JUDGED,
    checks,
    estimate_text,
    live,
    n_units,
    outcome_text,
    p_values,
    summary_text,
    superseded,
)
from wganbench.analysis.tables.table import inline, render
from wganbench.analysis.verdict import Verdict
from wganbench.spec import Experiment

FEW = 3
"""The most checks of which a claim's line gives each estimate."""


def claims(results: Results, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yields the paragraphs about an experiment's claims, primary ones first; none if it has none."""
    if not verdicts:
        return
    experiment = results.experiment
    ordered = live(verdicts)
    yield "## Claims"
    yield "\n".join(_line(experiment, verdict) + _restated(verdict, verdicts) for verdict in ordered)
    details = "\n\n".join(part for verdict in ordered for part in _details(results, verdict))
    yield folded(f"{JUDGED}\n\n{details}", "Sources, tests and checks of each claim")
    replaced = superseded(experiment, verdicts)
    n_old = f"{len(replaced.rows)} superseded claim{'' if len(replaced.rows) == 1 else 's'}"
    yield folded(render(replaced, "markdown"), f"{n_old}, with the verdicts they had") if replaced.rows else ""


def _line(experiment: Experiment, verdict: Verdict) -> str:
    """Says in one line how a claim ended."""
    claim = verdict.claim
    where = f"`{claim.id}`, profile `{claim.profile}`" + (", secondary" if claim.role == "secondary" else "")
    if verdict.outcome == "not run":
        found = verdict.checks[0].missing
    else:
        found = f"{_found(verdict)}; n = {n_units(verdict)}, adjusted p {p_values(verdict)}"
        found += f"; {verdict.why}" if any(each.why for each in verdict.checks) and verdict.why else ""
    found = inline(found[:1].upper() + found[1:])
    return f"- {outcome_text(experiment, verdict)}: {inline(claim.says)}. {found} ({where})."


def _found(verdict: Verdict) -> str:
    """Says what was estimated and how it came out; of more than ``FEW`` checks, how many hold."""
    each = verdict.checks
    if len(each) == 1:
        return f"{verdict.deciding.estimate_of}: {summary_text(verdict)}"
    if len(each) > FEW:
        return summary_text(verdict)
    return f"{summary_text(verdict)} ({'; '.join(f'{of.estimate_of}: {estimate_text(of)}' for of in each)})"


def _restated(verdict: Verdict, verdicts: Sequence[Verdict]) -> str:
    """Says as what a claim was restated, and how that ended; empty if it was not."""
    outcomes = {each.claim.id: each.outcome for each in verdicts}
    named = [f"`{name}` ({outcomes[name]})" for name in verdict.claim.restated_as]
    return f" Restated as {' and '.join(named)}." if named else ""


def _details(results: Results, verdict: Verdict) -> Iterator[str]:
    """Yields a claim's paragraph in full, and the table of its checks if it has several."""
    yield _describe(results, verdict)
    if len(verdict.checks) > 1:
        yield render(checks(verdict), "markdown").strip("\n")


def _describe(results: Results, verdict: Verdict) -> str:
    claim, only = verdict.claim, verdict.checks[0] if len(verdict.checks) == 1 else None
    what = f"{only.check.test} test" if only else f"{'one' if claim.any else 'all'} of {len(verdict.checks)} checks"
    parts = [f"**`{claim.id}`** ({claim.role}, profile `{claim.profile}`, {what}): **{verdict.outcome}**."]
    parts += [f"Source: {inline(claim.source)}."] if claim.source else []
    parts += filter(None, [results.about_pilot(claim)])
    parts += [inline(f"{verdict.why[0].upper()}{verdict.why[1:]}.")] if verdict.why else []
    if only is not None and only.estimate is not None:
        method = f" ({only.interval.method}, unadjusted)" if only.interval else ""
        parts.append(inline(f"{only.estimate_of[0].upper()}{only.estimate_of[1:]}: {estimate_text(only)}{method}."))
    if verdict.outcome != "not run":
        parts.append(
            f"p {p_text(verdict.p_for)} for and {p_text(verdict.p_against)} against, adjusted "
            f"{p_text(verdict.adjusted_for)} and {p_text(verdict.adjusted_against)}."
        )
    parts += [f"{verdict.n_diverged} diverged."] if verdict.n_diverged else []
    parts += [f"{verdict.n_undefined} finished without a number."] if verdict.n_undefined else []
    parts += ["*Post hoc*: written or changed after runs that it is judged on."] if verdict.post_hoc else []
    parts += [f"Known contradiction: {inline(claim.known_contradiction)}."] if claim.known_contradiction else []
    return " ".join(parts)
