"""Tables of a comparison of two results folders, and its summary for a job or a pull request."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wganbench.analysis.compare import FOUND, Compared, Comparison, Pair
from wganbench.analysis.difference import Difference
from wganbench.analysis.tables.cells import between, describe, fields, limits, number, p_text, summary_data
from wganbench.analysis.tables.scoreboard import estimate_text
from wganbench.analysis.tables.table import NONE, Row, Table, inline, render
from wganbench.analysis.verdict import Verdict

TESTED = (
    "Difference: the mean of the first minus that of the second, with its unadjusted 95 % interval; a diverged run "
    "counts as the measure's worst value, and where that is infinite the two means are over the other runs. Runs with "
    "a common seed are compared in pairs if there are enough. p is two-sided; adjusted by Holm over all comparisons of "
    "the same experiment and profile, a difference is found at p ≤ 0.05. Smallest visible: the true difference that "
    "would have been found with 80 % chance if it were the only one; *none* if so few runs cannot show any. Measures "
    "that are equal run for run are left out."
)

Sides = tuple[str, str]
"""The names of the two folders, as column headings."""


def sides(first: str, second: str) -> Sides:
    """Returns the names of the two folders, made different if they are the same."""
    return (first, second) if first != second else (f"{first} (first)", f"{second} (second)")


def claims_table(comparison: Comparison, names: Sides, *, changed: bool | None = None) -> Table:
    """Returns the claims with both verdicts.

    Args:
        changed: Whether to list only changed verdicts, or only the others; None for all.
    """
    chosen = [pair for pair in comparison.claims if changed is None or pair.is_changed == changed]
    return Table("Claims", tuple(_claim(pair, names) for pair in chosen))


def _claim(pair: Pair, names: Sides) -> Row:
    claim = pair.here.claim
    cells = {
        "claim": f"{pair.experiment}:{claim.id}",
        "says": claim.says if pair.is_changed else "",
        "profile": claim.profile,
        **dict(zip(names, map(_verdict, (pair.here, pair.there)), strict=True)),
        "": "**changed**" if pair.is_changed else "",
    }
    data = {
        "experiment": pair.experiment,
        "claim": claim.id,
        **fields(claim, "says", "profile", "role"),
        "is_changed": pair.is_changed,
        **_verdict_data(pair.here, "here_"),
        **_verdict_data(pair.there, "there_"),
    }
    return Row(cells, data)


def _verdict(verdict: Verdict) -> str:
    estimate = estimate_text(verdict.deciding) if len(verdict.checks) == 1 else NONE
    return f"{verdict.outcome}" + (f", {estimate}" if estimate != NONE else "")


def _verdict_data(verdict: Verdict, prefix: str) -> dict[str, str | int | float | None]:
    return {
        **fields(verdict, "outcome", "why", "adjusted_for", "adjusted_against", prefix=prefix),
        **fields(verdict.deciding, "estimate", prefix=prefix),
    }


def measures_table(
    comparison: Comparison, names: Sides, *, found: bool | None = None, with_equal: bool = False
) -> Table:
    """Returns the comparisons of measures, with the notes on all of them.

    Args:
        found: Whether to list only differences that were found, or only the others; None for all.
        with_equal: Whether to list also measures that are equal run for run.
    """
    every = [item for item in comparison.measures if with_equal or item.outcome != "equal"]
    chosen = [item for item in every if found is None or (item.outcome in FOUND) == found]
    notes = (TESTED, *comparison.notes) if found is not True else ()
    return Table("Measures", tuple(_measure(item, names) for item in chosen), notes)


def _measure(item: Compared, names: Sides) -> Row:
    difference = item.difference
    is_tested = bool(difference.test) and not difference.is_equal
    cells = {
        "experiment": item.experiment,
        "profile": item.profile,
        "variant": item.variant,
        "measure": describe(item.measure, item.scale, item.protocol),
        **dict(zip(names, (number(item.here.mean), number(item.there.mean)), strict=True)),
        "difference": number(difference.estimate) + between(difference.interval),
        "n": _n_units(difference),
        "p": p_text(difference.p) if is_tested else NONE,
        "adjusted p": p_text(item.adjusted) if is_tested else NONE,
        "smallest visible": "none" if item.detectable == math.inf else number(item.detectable),
        "first is": _outcome(item),
    }
    data = {
        **fields(item, "experiment", "profile", "variant", "setting_id", "measure", "protocol", "outcome", "why"),
        "unit": item.scale.unit,
        "higher_is_better": item.scale.higher_is_better,
        **summary_data(item.here, "here_"),
        **summary_data(item.there, "there_"),
        **fields(difference, "test", "is_paired", "estimate", "p"),
        "n_here": difference.n[0],
        "n_there": difference.n[1],
        **limits(difference.interval, "estimate_"),
        "adjusted_p": item.adjusted,
        "detectable": item.detectable,
        "can_be_found": is_tested and item.detectable != math.inf,
    }
    return Row(cells, data)


def _n_units(difference: Difference) -> str:
    if difference.is_paired:
        return f"{difference.n[0]} pairs"
    return " + ".join(map(str, difference.n))


def _outcome(item: Compared) -> str:
    if item.why:
        return f"not compared: {item.why}"
    return f"**{item.outcome}**" if item.outcome in FOUND else item.outcome


def tally(comparison: Comparison) -> str:
    """Counts what changed, as ``"1 of 12 verdicts changed; 2 of 30 comparisons show a difference."``"""
    n_changed = sum(pair.is_changed for pair in comparison.claims)
    tested = [item for item in comparison.measures if item.outcome != "not compared"]
    n_found = sum(item.outcome in FOUND for item in tested)
    n_equal = sum(item.outcome == "equal" for item in tested)
    equal = f", {n_equal} {'is' if n_equal == 1 else 'are'} equal run for run" if n_equal else ""
    apart = len(comparison.measures) - len(tested)
    rest = f"; {apart} could not be compared" if apart else ""
    return (
        f"{n_changed} of {len(comparison.claims)} verdicts changed; {n_found} of {len(tested)} comparisons of measures "
        f"show a difference{equal}{rest}."
    )


def summary(comparison: Comparison, names: Sides) -> str:
    """Returns the comparison as GitHub's Markdown: changes in sight, everything else folded away."""
    parts = [f"## {inline(names[0])} compared with {inline(names[1])}", tally(comparison)]
    parts += _part("Changed verdicts", claims_table(comparison, names, changed=True))
    parts += _part("Differences", measures_table(comparison, names, found=True))
    parts += _folded("Other claims", claims_table(comparison, names, changed=False))
    parts += _folded("Other comparisons, and notes", measures_table(comparison, names, found=False))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _part(heading: str, table: Table) -> Sequence[str]:
    return (f"### {heading}", render(table, "markdown")) if table.rows else ()


def _folded(heading: str, table: Table) -> Sequence[str]:
    if not table.rows and not table.notes:
        return ()
    return (f"<details><summary>{heading} ({len(table.rows)})</summary>\n\n{render(table, 'markdown')}\n</details>",)
