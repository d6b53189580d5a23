"""What an entry of the catalogue holds: a dotted path, the options of the object, and what is known of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")
"""The form ``package.module:object`` of the name of a custom object."""

NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Smoothing = Annotated[float, Field(ge=0, lt=1)]


class Options(BaseModel):
    """The base of option models: rejects unknown options and infinite or NaN values; types are checked strictly."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


@dataclass(frozen=True)
class Scale:
    """How the statistics, the tables and the plots read a measure's numbers.

    Attributes:
        higher_is_better: The better direction; None if neither direction is better.
        worst: The score assigned to a diverged run; infinite if the measure has no bound.
        bounded: True for counts and shares, whose intervals cannot come from normal theory.
        unit: The unit, for the axis of a plot.
        worst_is_log_modes: True if the worst is log(number of modes) whenever the spec states that number.
        of_labels: True for a score of the labels alone that a network gives to images, such as a count of them. Numbers
            by other classifiers are on the same scale, as far as these are accurate.
    """

    higher_is_better: bool | None
    worst: float
    bounded: bool
    unit: str
    worst_is_log_modes: bool = False
    of_labels: bool = False


@dataclass(frozen=True)
class Entry:
    """One name: the path of its object, the options that it takes, and the version of its numbers.

    Attributes:
        path: The object, as ``package.module:object``.
        protocol: The number of changes so far that altered the object's numbers, counted from 1. It is part of the id
            of every run that uses the object, so records made before such a change stop counting.
        is_images: True for a set of images, which have labels.
        channels: The channels of a set of images; None for other data, or if an option gives them.
        classes: The classes of a set of images; None if they depend on its files.
        role: What a constraint does: ``projection``, which changes the critic's parameters in place, or ``penalty``,
            a term of the critic loss that reads gradients and adds to the cost of a step.
        n_gradients: The number of gradients of the critic per pair of samples that a penalty reads.
        scale: How the numbers of a measure are read.
        hidden_layers: The smallest number of hidden layers that a critic must have for a measure to read it.
        closed_form: True if a measure needs data and a fixed generator whose distance has a formula.
        scored: True if a measure or a picture reads the outputs of the setting's score network on images.
        classified: True if a measure reads the outputs of the critic's auxiliary classifier on images.
        of_text: True if a measure or a picture needs a text as the data set.
        of_held_out: True if a measure needs images that are kept from training.
        reads: The options of a measure that are labels of other measures, which must come before it.
        alike: True if the measures that it reads must have the same unit as itself.
        timed: True if a measure reads the clock, which all seeds that train together share.
        threaded: True if a measure of samples alone computes long on the CPU, and lets other threads run meanwhile.
    """

    path: str
    options: type[Options] = Options
    protocol: int = 1
    is_images: bool = False
    channels: int | None = None
    classes: int | None = None
    role: Literal["penalty", "projection"] | None = None
    n_gradients: int = 1
    scale: Scale | None = None
    hidden_layers: int = 0
    closed_form: bool = False
    scored: bool = False
    classified: bool = False
    of_text: bool = False
    of_held_out: bool = False
    reads: tuple[str, ...] = ()
    alike: bool = False
    timed: bool = False
    threaded: bool = False


CUSTOM = Scale(higher_is_better=None, worst=float("nan"), bounded=True, unit="")
"""The scale of a custom measure by default: no better direction, no worst value, no tests from normal theory."""


@lru_cache(maxsize=1024)
def is_dotted(name: str) -> bool:
    """Returns whether ``name`` has the form ``package.module:object`` of a custom object."""
    return DOTTED.match(name) is not None
