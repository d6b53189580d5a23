"""Every name that a spec may use: its dotted path, its options and its protocol. Imports no torch.

A built-in name is an alias of ``package.module:object``; a stranger's object is named by its dotted path and goes the
same way, its options taken as they stand. Nothing here imports a path: ``wganbench.runner`` alone does.

``protocol`` counts the changes that alter an object's numbers. It enters the id of every run that uses the object, so
records made before such a change stop counting; ``tests/runner/test_golden.py`` fails when numbers move without a bump.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")

NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Smoothing = Annotated[float, Field(ge=0, lt=1)]


class Options(BaseModel):
    """Base of option models: unknown options are refused, values are not coerced across kinds."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RingOptions(Options):
    modes: PositiveInt = 8
    radius: PositiveFloat = 2.0
    std: PositiveFloat = 0.04
    start_degrees: float = -90.0


class GridOptions(Options):
    side: PositiveInt = 5
    spacing: PositiveFloat = 2.0
    std: PositiveFloat = 0.05


class SwissRollOptions(Options):
    noise: NonNegativeFloat = 0.25
    scale: PositiveFloat = 7.5


Initialisation = Literal["normal", "he_normal", "he_uniform", "glorot_uniform", "orthogonal"]


class MlpOptions(Options):
    hidden: list[PositiveInt]
    activation: Literal["relu", "leaky_relu", "tanh"] = "relu"
    leak: NonNegativeFloat = 0.2
    init: Initialisation = "he_normal"
    init_scale: PositiveFloat = 1.0
    last_init: Initialisation | None = None
    input_scale: PositiveFloat = 1.0
    summed_outputs: PositiveInt = 1


class ClipOptions(Options):
    clip_value: PositiveFloat


class PenaltyOptions(Options):
    penalty_weight: PositiveFloat = 10.0


class AdamOptions(Options):
    lr: PositiveFloat
    betas: tuple[Smoothing, Smoothing] = (0.9, 0.999)
    eps: PositiveFloat = 1e-8


class RmspropOptions(Options):
    lr: PositiveFloat
    alpha: Smoothing = 0.99
    eps: PositiveFloat = 1e-8


class WithinOptions(Options):
    within: PositiveFloat = 3.0


class SectorMassOptions(Options):
    sectors: PositiveInt = 8
    start_degrees: float = -90.0
    min_radius: NonNegativeFloat = 0.0


class SectorOptions(SectorMassOptions):
    share: Fraction = 0.25


class PeakOptions(Options):
    window: PositiveFloat = 4.0
    grid: PositiveInt = 128
    level: Fraction = 1 / 30


class TransportOptions(Options):
    samples: PositiveInt = 2500


@dataclass(frozen=True)
class Scale:
    """How a measure's numbers are read: by the statistics, the tables and the plots.

    Attributes:
        higher_is_better: None for a number that is neither.
        worst: What a diverged run is taken to have scored; infinite where the measure has no bound.
        bounded: Counts and shares, whose intervals no normal theory gives.
        unit: For the axis of a plot.
    """

    higher_is_better: bool | None
    worst: float
    bounded: bool
    unit: str


@dataclass(frozen=True)
class Entry:
    """One name: where its object is, what options it takes, which version of its numbers this is."""

    path: str
    options: type[Options] = Options
    protocol: int = 1
    scale: Scale | None = field(default=None, compare=False)


_SHARE = Scale(higher_is_better=True, worst=0.0, bounded=True, unit="share")
_DISTANCE = Scale(higher_is_better=False, worst=float("inf"), bounded=False, unit="distance")


def _count(unit: str) -> Scale:
    return Scale(higher_is_better=True, worst=0.0, bounded=True, unit=unit)


STRANGER = Scale(higher_is_better=None, worst=float("nan"), bounded=True, unit="")
"""How a measure named by a dotted path is read: no direction, no worst value, no normal theory."""

NAMES: dict[str, dict[str, Entry]] = {
    "data set": {
        "gaussian_ring": Entry("wganbench.data.toy:gaussian_ring", RingOptions),
        "gaussian_grid": Entry("wganbench.data.toy:gaussian_grid", GridOptions),
        "double_circle": Entry("wganbench.data.toy:double_circle", RingOptions),
        "swiss_roll": Entry("wganbench.data.toy:swiss_roll", SwissRollOptions),
    },
    "network": {"mlp": Entry("wganbench.networks.mlp:Mlp", MlpOptions)},
    "objective": {
        "minimax": Entry("wganbench.objectives:Minimax"),
        "non_saturating": Entry("wganbench.objectives:NonSaturating"),
        "least_squares": Entry("wganbench.objectives:LeastSquares"),
        "wasserstein": Entry("wganbench.objectives:Wasserstein"),
    },
    "constraint": {
        "clip": Entry("wganbench.lipschitz:clip", ClipOptions),
        "rescale": Entry("wganbench.lipschitz:rescale", ClipOptions),
        "gradient_penalty": Entry("wganbench.lipschitz:gradient_penalty", PenaltyOptions),
        "one_sided_penalty": Entry("wganbench.lipschitz:one_sided_penalty", PenaltyOptions),
        "one_sided_linear_penalty": Entry("wganbench.lipschitz:one_sided_linear_penalty", PenaltyOptions),
    },
    "optimizer": {
        "adam": Entry("torch.optim:Adam", AdamOptions),
        "rmsprop": Entry("torch.optim:RMSprop", RmspropOptions),
    },
    "measure": {
        "modes_covered": Entry("wganbench.measures.modes:modes_covered", WithinOptions, scale=_count("modes")),
        "share_within": Entry("wganbench.measures.modes:share_within", WithinOptions, scale=_SHARE),
        "reverse_kl": Entry(
            "wganbench.measures.modes:reverse_kl", scale=Scale(False, worst=float("inf"), bounded=True, unit="nats")
        ),
        "sectors_occupied": Entry(
            "wganbench.measures.sectors:sectors_occupied", SectorOptions, scale=_count("sectors")
        ),
        "least_sector_mass": Entry("wganbench.measures.sectors:least_sector_mass", SectorMassOptions, scale=_SHARE),
        "kde_peaks": Entry("wganbench.measures.density:kde_peaks", PeakOptions, scale=_count("peaks")),
        "exact_wasserstein": Entry("wganbench.measures.transport:exact_wasserstein", TransportOptions, scale=_DISTANCE),
        "wasserstein_floor": Entry(
            "wganbench.measures.transport:wasserstein_floor",
            TransportOptions,
            scale=Scale(None, worst=float("nan"), bounded=False, unit="distance"),
        ),
        "wasserstein_estimate": Entry(
            "wganbench.measures.critic:wasserstein_estimate",
            scale=Scale(None, worst=float("nan"), bounded=False, unit="critic units"),
        ),
    },
}


def is_dotted(name: str) -> bool:
    """Whether ``name`` has the form ``package.module:object`` of a stranger's object."""
    return DOTTED.match(name) is not None


def find(kind: str, name: str) -> Entry:
    """The entry of a built-in ``name``, or one made for a dotted name (whose options nobody here knows).

    Raises:
        ValueError: If it is neither, with the nearest name.
    """
    table = NAMES[kind]
    if name in table:
        return table[name]
    if is_dotted(name):
        return Entry(name, scale=STRANGER if kind == "measure" else None)
    raise ValueError(f"unknown {kind} {name!r}{suggest(name, table)}")


def suggest(word: str, known: object) -> str:
    """``"; did you mean 'x'?"``, or the list of what is known where nothing is near."""
    options = sorted(known)  # type: ignore[call-overload]
    near = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(options)}" if options else ""
