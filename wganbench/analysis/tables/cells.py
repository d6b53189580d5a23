"""The text of table cells: numbers, intervals, summaries, measures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wganbench.analysis.results import Best, Summary
from wganbench.analysis.stats import Interval
from wganbench.analysis.tables.table import NONE, Scalar
from wganbench.spec import Published
from wganbench.spec.catalogue import Scale

BEST = "best (at step)"
"""The heading of the column of best values."""


def number(value: float | None) -> str:
    """Formats a number with three significant digits; whole numbers and those from 1,000 on without decimals."""
    if value is None:
        return NONE
    if not math.isfinite(value):
        return str(value)
    whole = abs(value) >= 1000 or value == round(value)
    return f"{value:,.0f}" if whole else f"{value:.3g}"


def between(interval: Interval | None) -> str:
    """Formats an interval as ``" [low, high]"``, with its level if that is not 95 %; empty for None."""
    if interval is None:
        return ""
    level = "" if math.isclose(interval.level, 0.95, abs_tol=5e-4) else f" at {100 * interval.level:.3g} %"
    return f" [{number(interval.low)}, {number(interval.high)}]{level}"


def p_text(p: float) -> str:
    """Formats a p-value with two significant digits."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def runs_text(summary: Summary) -> str:
    """Describes the number of runs, as ``"8"``, ``"0 of 5 runs"`` or ``"8, 1 diverged, statistics over 7"``.

    It is ``NONE`` if no runs are planned or recorded.
    """
    if not summary.n_planned and not summary.n_runs:
        return NONE
    missing = summary.n_runs < summary.n_planned
    parts = [f"{summary.n_runs} of {summary.n_planned} runs" if missing else str(summary.n_runs)]
    parts += [f"{summary.n_diverged} diverged"] if summary.n_diverged else []
    parts += [f"{summary.n_undefined} without a number"] if summary.n_undefined else []
    parts += [f"{summary.n_failed} failed"] if summary.n_failed else []
    parts += [f"statistics over {summary.n}"] if summary.n < summary.n_runs else []
    return ", ".join(parts)


def best_text(found: Best | None) -> str:
    """Formats the best value and its steps, as ``"7.86 (100,000)"`` or ``"7.86 (80,000–100,000)"``; empty for None."""
    if found is None:
        return ""
    until = f"–{found.last:,}" if found.last > found.first else ""
    return f"{number(found.value)} ({found.first:,}{until})"


def summary_text(summary: Summary) -> str:
    """Formats a whole summary for one cell."""
    if summary.mean is None:
        return runs_text(summary)
    median = "" if summary.median is None else f", median {number(summary.median)}{between(summary.median_interval)}"
    return f"{number(summary.mean)}{between(summary.interval)}{median} (n = {runs_text(summary)})"


def describe(measure: str, scale: Scale, protocol: str | None = None) -> str:
    """Describes a measure by its name, better direction and unit, and for a score also by its protocol."""
    unit = f" ({scale.unit})" if scale.unit and scale.unit not in measure else ""
    return f"{measure}{arrow(scale)}{unit}" + (f" by {protocol}" if protocol else "")


def arrow(scale: Scale) -> str:
    """The arrow for the better direction, to append to a name."""
    return {True: " ↑", False: " ↓", None: ""}[scale.higher_is_better]


def fields(of: object, *names: str, prefix: str = "") -> dict[str, Scalar]:
    """The named attributes of an object, for ``Row.data``."""
    return {f"{prefix}{name}": getattr(of, name) for name in names}


def limits(interval: Interval | None, prefix: str = "") -> dict[str, Scalar]:
    """The limits and level of an interval, for ``Row.data``."""
    names = ("low", "high", "level")
    return fields(interval, *names, prefix=prefix) if interval else dict.fromkeys([prefix + name for name in names])


def summary_data(summary: Summary | None, prefix: str = "") -> dict[str, Scalar]:
    """A whole summary, flattened for ``Row.data``."""
    summary = summary or Summary()
    counts = ("n", "n_runs", "n_planned", "n_diverged", "n_undefined", "n_failed")
    return {
        **fields(summary, *counts, "mean", prefix=prefix),
        **limits(summary.interval, f"{prefix}mean_"),
        **fields(summary, "median", prefix=prefix),
        **limits(summary.median_interval, f"{prefix}median_"),
    }


def best_data(found: Best | None, prefix: str = "") -> dict[str, Scalar]:
    """The best value and its first and last step, for ``Row.data``."""
    names = {"best": "value", "best_first_step": "first", "best_last_step": "last"}
    return {f"{prefix}{name}": getattr(found, attribute) if found else None for name, attribute in names.items()}


def published_data(rows: Sequence[Published]) -> dict[str, Scalar]:
    """Published values of one variant and measure, for ``Row.data``."""
    return {
        "published": rows[0].value if rows else None,
        "published_spread": rows[0].spread if rows else None,
        "published_spread_over": rows[0].spread_over if rows else None,
        "source": "; ".join(row.source for row in rows) or None,
        "configuration": "; ".join(row.configuration for row in rows if row.configuration) or None,
    }
