"""The horizontal axis of a strip plot: where a number lies, in percent of the width, and which numbers are labelled."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.ticker import LogLocator, MaxNLocator

from wganbench.analysis.tables.cells import number

LEFT, RIGHT = 8.0, 92.0
"""The part of the width, in percent, that numbers take; runs without a number lie at the edges beside it."""
DECADES = 3.0
"""The span of positive numbers, in powers of ten, from which an axis is logarithmic."""
PADDING = 0.04
"""The space on either side of the outermost numbers, as a share of their span."""


@dataclass(frozen=True)
class Scale:
    """An axis from ``low`` to ``high``, which are logarithms to base 10 if ``is_log``."""

    low: float
    high: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Returns where a finite number lies, in percent of the width; what lies outside is moved to the end."""
        x = (math.log10(value) if value > 0 else -math.inf) if self.is_log else value
        share = min(max((x - self.low) / (self.high - self.low), 0.0), 1.0)
        return round(LEFT + share * (RIGHT - LEFT), 2)

    def ticks(self) -> list[tuple[float, str]]:
        """Returns the place and the text of each labelled number."""
        if self.is_log:
            found = LogLocator(numticks=6).tick_values(10**self.low, 10**self.high)
            inside = [float(each) for each in found if self.low <= math.log10(each) <= self.high]
        else:
            found = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
            inside = [float(each) for each in found if self.low <= each <= self.high]
        return [(self.place(each), number(each)) for each in inside]


def scale_for(values: Iterable[float]) -> Scale:
    """Returns an axis that shows these numbers; those that are not finite are left out."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if low > 0 and math.log10(high) - math.log10(low) >= DECADES:
        return _padded(math.log10(low), math.log10(high), is_log=True)
    return _padded(low, high)


def _padded(low: float, high: float, *, is_log: bool = False) -> Scale:
    span = (high - low) or abs(high) * 0.2 or 1.0
    return Scale(low - PADDING * span, high + PADDING * span, is_log)
