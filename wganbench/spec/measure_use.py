"""A measure as a setting uses it: when it is taken, and how its numbers are read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, model_validator

from wganbench.spec import catalogue
from wganbench.spec.component import RECORDED, Component, Kind
from wganbench.spec.strict import LATER, MAX_FLOAT, Model, Table, Text, omitted_if

GAPS = ("gap_over_exact", "gap_over_distance")
"""Labels of the measures that divide a critic's gap by the exact distance."""

SCHEDULED = ("points", "spacing")
"""Keys beside a measure's options that say when it is taken."""

READ_BY = ("better", "bounded", "worst", "unit")
"""Keys beside a custom measure that describe how its numbers are read."""


class MeasureUse(Model):
    """A measure, its schedule and, for a custom measure, how its numbers are read.

    The keys that describe how numbers are read do not change the numbers. They are therefore kept in records but are
    not part of a run's id, and may be added or corrected after the runs; reports read the records by the current spec.

    Attributes:
        points: The approximate number of scheduled steps, the first and the last included; 1 means the last step only.
        spacing: The spacing of the scheduled steps. ``mixed``: half of them are regular, half logarithmic; ``even``:
            all are regular.
        better: For a custom measure: the better direction, ``high`` or ``low``. Without it, no variant can be better
            on the measure.
        bounded: For a custom measure: whether it is a count, a share or otherwise bounded, so that its claims are
            judged by permutation, sign and binomial tests and not by t. True by default.
        worst: For a custom measure with ``better``: the score assigned to a diverged run; infinite by default.
        unit: For a custom measure: the unit, for tables and the axis of a plot.
    """

    measure: Annotated[Component, Kind("measure")]
    points: Annotated[int, Field(ge=1, le=1000)] = 100
    spacing: Annotated[Literal["mixed", "even"], omitted_if("mixed")] = "mixed"
    better: Annotated[Literal["high", "low"] | None, LATER] = None
    bounded: Annotated[bool | None, LATER] = None
    worst: Annotated[Annotated[float, Field(ge=-MAX_FLOAT, le=MAX_FLOAT)] | None, LATER] = None
    unit: Annotated[Annotated[Text, Field(max_length=40)] | None, LATER] = None

    @model_validator(mode="after")
    def _check_how_it_is_read(self, info: ValidationInfo) -> MeasureUse:
        given = [key for key in READ_BY if getattr(self, key) is not None]
        if info.context == RECORDED or not given:
            return self
        if not catalogue.is_dotted(self.measure.name):
            raise ValueError(f"{self.measure.name!r} is built in and has {given[0]!r} of its own; leave it out")
        if self.worst is not None and self.better is None:
            raise ValueError(f"worst = {self.worst:g} means nothing without better; set better to 'high' or 'low'")
        return self


def expand_use(label: str, use: Mapping[str, Any]) -> Table:
    """Returns the fields of a ``MeasureUse`` from ``label = { points, options of the measure … }`` in a file."""
    fields = {key: item for key, item in use.items() if key in (*SCHEDULED, *READ_BY)}
    return {"measure": {"name": label, **{key: item for key, item in use.items() if key not in fields}}, **fields}


def scale_of(use: MeasureUse, data: Component | None = None) -> catalogue.Scale:
    """Returns how the numbers of a measure are read; a name that has left the catalogue is read as a custom measure.

    Args:
        data: The setting's data set. If given, a ``worst`` that depends on the number of modes is computed for it: the
            reverse KL of samples that all lie at one of n equally weighted modes is log n, and no samples score more.
            If the spec does not state n, as for a custom data set, ``worst`` stays infinite.
    """
    entry = catalogue.NAMES["measure"].get(use.measure.name)
    if entry and entry.scale:
        if data is None or not entry.scale.worst_is_log_modes:
            return entry.scale
        modes = catalogue.n_modes(data.name, data.options)
        return replace(entry.scale, worst=math.log(modes)) if modes else entry.scale
    worst = {"high": -math.inf, "low": math.inf, None: catalogue.CUSTOM.worst}[use.better]
    return catalogue.Scale(
        higher_is_better=None if use.better is None else use.better == "high",
        worst=worst if use.worst is None else use.worst,
        bounded=catalogue.CUSTOM.bounded if use.bounded is None else use.bounded,
        unit=use.unit or catalogue.CUSTOM.unit,
    )


def is_timed(use: MeasureUse) -> bool:
    """Returns whether a measure reads the clock, which all seeds that train together share."""
    entry = catalogue.NAMES["measure"].get(use.measure.name)
    return entry is not None and entry.timed
