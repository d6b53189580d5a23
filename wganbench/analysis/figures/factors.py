"""Groups a sample of random architectures by factor, such as depth or normalisation, to compare their scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wganbench.analysis import stats
from wganbench.analysis.architectures import Sample, Trained
from wganbench.spec import Component, Setting

FACTORS = ("depth", "normalisation", "nonlinearity", "filters")
ROLES = ("generator", "critic")
ORDER = ("without", "with", "relu", "leaky_relu", "softplus", "tanh")
"""The order of values that are not numbers; others follow by name."""


@dataclass(frozen=True)
class Level:
    """The architectures with one value of a factor.

    Attributes:
        scores: The scores, shape ``(architectures, 2)``, with one column per method.
        intervals: The interval of the mean with each method; None for fewer than two architectures.
    """

    value: str
    scores: stats.Array
    intervals: tuple[stats.Interval | None, stats.Interval | None]


@dataclass(frozen=True)
class Factor:
    """A design choice for one network, with the architectures at each of its values."""

    name: str
    role: str
    levels: tuple[Level, ...]


def factors_of(sample: Sample) -> list[Factor]:
    """Returns each factor for generator and critic, without those that no network of the sample has."""
    found = []
    for name in FACTORS:
        for role in ROLES:
            by_value: dict[str | int, list[Trained]] = {}
            for each in sample.architectures:
                value = chosen(each.settings[0], role, name)
                if value is not None:
                    by_value.setdefault(value, []).append(each)
            if by_value:
                found.append(
                    Factor(name, role, tuple(_level(key, by_value[key]) for key in sorted(by_value, key=_place)))
                )
    return found


def chosen(setting: Setting, role: str, factor: str) -> str | int | None:
    """The value of a factor in the network of that role; None if it has none.

    Filters are counted as in the network, after any division. Normalisation is only ``with`` or ``without``, as each
    method has its own kind.
    """
    network: Component | None = getattr(setting, role)
    options = network.options if network is not None else {}
    value: object = None
    if factor == "depth":
        value = options.get("depth")
    elif factor == "nonlinearity":
        value = options.get("activation")
    elif factor == "normalisation" and "norm" in options:
        value = "without" if options["norm"] == "none" else "with"
    elif factor == "filters" and isinstance(options.get("filters"), int):
        value = options["filters"] // (options.get("filters_divided_by") or 1)
    return value if isinstance(value, str | int) else None


def _place(value: str | int) -> tuple[int, str]:
    if isinstance(value, int):
        return value, ""
    return ORDER.index(value) if value in ORDER else len(ORDER), value


def _level(value: str | int, architectures: list[Trained]) -> Level:
    scores = np.array([each.scores for each in architectures], dtype=np.float64)
    return Level(str(value), scores, (stats.student_interval(scores[:, 0]), stats.student_interval(scores[:, 1])))
