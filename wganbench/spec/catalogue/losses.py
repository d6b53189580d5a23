"""Objectives, constraints and optimisers."""

from __future__ import annotations

from typing import Annotated

from pydantic import PositiveFloat

from wganbench.spec.catalogue.entry import Entry, NonNegativeFloat, Options, Smoothing
from wganbench.spec.strict import omitted_if


class ClipOptions(Options):
    clip_value: PositiveFloat


class PenaltyOptions(Options):
    penalty_weight: PositiveFloat = 10.0


class ZeroCentredOptions(Options):
    """``gamma`` is γ of γ/2 · E ‖∇D‖²: twice the factor of code that multiplies E ‖∇D‖² itself."""

    gamma: PositiveFloat = 10.0


class DraganOptions(PenaltyOptions):
    spread: PositiveFloat = 0.5


class AdamOptions(Options):
    """``weight_decay`` times a parameter is added to its gradient: an L2 term, not the decoupled decay of AdamW."""

    lr: PositiveFloat
    betas: tuple[Smoothing, Smoothing] = (0.9, 0.999)
    eps: PositiveFloat = 1e-8
    weight_decay: Annotated[NonNegativeFloat, omitted_if(0)] = 0.0


class SgdOptions(Options):
    lr: PositiveFloat


class RmspropOptions(Options):
    lr: PositiveFloat
    alpha: Smoothing = 0.99
    eps: PositiveFloat = 1e-8


class RmspropTfOptions(Options):
    lr: PositiveFloat
    decay: Smoothing = 0.9
    eps: PositiveFloat = 1e-10


_CONSTRAINTS = "wganbench.losses.constraints"

OBJECTIVES = {
    "minimax": Entry("wganbench.losses.objectives:Minimax"),
    "non_saturating": Entry("wganbench.losses.objectives:NonSaturating"),
    "least_squares": Entry("wganbench.losses.objectives:LeastSquares"),
    "wasserstein": Entry("wganbench.losses.objectives:Wasserstein"),
    "hinge": Entry("wganbench.losses.objectives:Hinge"),
    "relativistic_paired": Entry("wganbench.losses.objectives:RelativisticPaired"),
    "relativistic_average": Entry("wganbench.losses.objectives:RelativisticAverage"),
}

CONSTRAINTS = {
    "clip": Entry(f"{_CONSTRAINTS}:clip", ClipOptions, role="projection"),
    "rescale": Entry(f"{_CONSTRAINTS}:rescale", ClipOptions, role="projection"),
    "gradient_penalty": Entry(f"{_CONSTRAINTS}:gradient_penalty", PenaltyOptions, role="penalty"),
    "one_sided_penalty": Entry(f"{_CONSTRAINTS}:one_sided_penalty", PenaltyOptions, role="penalty"),
    "one_sided_linear_penalty": Entry(f"{_CONSTRAINTS}:one_sided_linear_penalty", PenaltyOptions, role="penalty"),
    "r1": Entry(f"{_CONSTRAINTS}:r1", ZeroCentredOptions, role="penalty"),
    "r2": Entry(f"{_CONSTRAINTS}:r2", ZeroCentredOptions, role="penalty"),
    "r1_r2": Entry(f"{_CONSTRAINTS}:r1_r2", ZeroCentredOptions, role="penalty", n_gradients=2),
    "zero_centred": Entry(f"{_CONSTRAINTS}:zero_centred", PenaltyOptions, role="penalty"),
    "dragan": Entry(f"{_CONSTRAINTS}:dragan", DraganOptions, role="penalty"),
}

OPTIMIZERS = {
    "adam": Entry("torch.optim:Adam", AdamOptions),
    "sgd": Entry("torch.optim:SGD", SgdOptions),
    "rmsprop": Entry("torch.optim:RMSprop", RmspropOptions),
    "rmsprop_tf": Entry("wganbench.training.rmsprop_tf:RmspropTf", RmspropTfOptions),
}
