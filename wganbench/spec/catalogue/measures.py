"""Measures, pictures and score networks, with how the numbers of each measure are read."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from wganbench.spec.catalogue.data import MAX_NGRAM
from wganbench.spec.catalogue.entry import Entry, Fraction, NonNegativeFloat, Options, Scale, Smoothing


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


class HistogramOptions(Options):
    bins: PositiveInt = 100


class SurfaceOptions(Options):
    window: PositiveFloat = 2.0
    grid: Annotated[int, Field(ge=2, le=256)] = 64


class LineOptions(Options):
    low: float
    high: float
    grid: Annotated[int, Field(ge=2, le=1000)] = 200

    @model_validator(mode="after")
    def _check_order(self) -> LineOptions:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        return self


MAX_TRANSPORT_SAMPLES = 10_000
TRANSPORT_BYTES = 41
"""The bytes that exact transport needs for each pair of samples; ``measures.transport`` has both numbers too."""


def _transportable(samples: int) -> int:
    if samples > MAX_TRANSPORT_SAMPLES:
        needed, bound = (TRANSPORT_BYTES * n**2 / 2**30 for n in (samples, MAX_TRANSPORT_SAMPLES))
        raise ValueError(f"{samples:,} need {needed:.0f} GiB; at most {MAX_TRANSPORT_SAMPLES:,} ({bound:.0f} GiB)")
    return samples


Transportable = Annotated[PositiveInt, AfterValidator(_transportable)]


class TransportOptions(Options):
    samples: Transportable = 2500


class EvenOptions(Options):
    samples: Transportable = 1000


class RepeatedOptions(Options):
    samples: Transportable = 2000
    repeats: Annotated[int, Field(ge=2, le=100)] = 5


class EdgeOptions(Options):
    edge: Fraction = 0.95


class MaximaOptions(Options):
    reach: Fraction = 0.4
    rise: Smoothing = 0.05


class NgramOptions(Options):
    n: Annotated[int, Field(ge=1, le=MAX_NGRAM)] = 4


class LinesOptions(Options):
    lines: Annotated[int, Field(ge=1, le=64)] = 16


class OfOptions(Options):
    of: str = "wasserstein_estimate"


class OfMeasureOptions(Options):
    of: str


class OfToOptions(Options):
    of: str
    to: str


Window = Annotated[int, Field(ge=1, le=100_001)]


class RankOptions(OfToOptions):
    skip: Annotated[float, Field(ge=0, lt=1)] = 0.2
    window: Window = 101


class RiseOptions(OfToOptions):
    rise: PositiveFloat = 0.5


class WindowOptions(Options):
    window: Window = 101


class LossOptions(WindowOptions):
    of: Literal["critic_loss", "generator_loss"] = "critic_loss"


class OfBatchOptions(Options):
    of: Literal["real", "fake"] = "real"


class LateOptions(Options):
    of: str
    share: Fraction = 0.2


class TrendOptions(Options):
    of: str
    share: Fraction = 1.0


class BandOptions(Options):
    of: str
    factor: Annotated[float, Field(gt=1)] = 2.0


class FallOptions(Options):
    of: str
    skip: Annotated[float, Field(ge=0, lt=1)] = 0.05


class SecondsToOptions(Options):
    of: str
    level: float
    by: str = "training_seconds"


class ClassifierOptions(Options):
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*-[0-9]+-[0-9a-f]{8}$")]


class ScoreOptions(Options):
    samples: PositiveInt = 50_000


class SplitScoreOptions(ScoreOptions):
    splits: PositiveInt = 10

    @model_validator(mode="after")
    def _has_a_sample_a_split(self) -> SplitScoreOptions:
        if self.splits > self.samples:
            raise ValueError(f"splits must be at most samples ({self.samples:,}), got {self.splits:,}")
        return self


class FewScoreOptions(Options):
    samples: PositiveInt = 2000


class CoverageOptions(FewScoreOptions):
    share: Fraction = 0.25


class SubsetScoreOptions(ScoreOptions):
    subsets: PositiveInt = 100
    subset_size: Annotated[int, Field(ge=2)] = 1000

    @model_validator(mode="after")
    def _fills_a_subset(self) -> SubsetScoreOptions:
        if self.subset_size > self.samples:
            raise ValueError(f"subset_size must be at most samples ({self.samples:,}), got {self.subset_size:,}")
        return self


_INFINITE, _NONE = float("inf"), float("nan")
_SHARE = Scale(higher_is_better=True, worst=0.0, bounded=True, unit="share")
_LOW_SHARE = Scale(higher_is_better=False, worst=1.0, bounded=True, unit="share")
_NEUTRAL_SHARE = Scale(None, _NONE, bounded=True, unit="share")
_DISTANCE = Scale(higher_is_better=False, worst=_INFINITE, bounded=False, unit="distance")
_SCORE = Scale(higher_is_better=True, worst=1.0, bounded=False, unit="score")
_SPREAD = Scale(higher_is_better=False, worst=_INFINITE, bounded=False, unit="score")
_SECONDS = Scale(higher_is_better=False, worst=_INFINITE, bounded=False, unit="s")
_LABELLED = Scale(higher_is_better=True, worst=0.0, bounded=True, unit="classes", of_labels=True)
_LABEL_KL = Scale(False, worst=_INFINITE, bounded=True, unit="nats", worst_is_log_modes=True, of_labels=True)
_SIZE = Scale(higher_is_better=True, worst=0.0, bounded=False, unit="per unit moved")


def _count(unit: str) -> Scale:
    return Scale(higher_is_better=True, worst=0.0, bounded=True, unit=unit)


def _neutral(unit: str) -> Scale:
    """Returns the scale of an unbounded number for which neither direction is better."""
    return Scale(higher_is_better=None, worst=_NONE, bounded=False, unit=unit)


_MODES = "wganbench.measures.modes"
_TRANSPORT = "wganbench.measures.transport"
_CRITIC = "wganbench.measures.critic"
_LAYERS = "wganbench.measures.critic_layers"
_SURFACE = "wganbench.measures.critic_surface"
_COUPLING = "wganbench.measures.coupling"
_DIVERGENCE = "wganbench.measures.divergence"
_OVER_STEPS = "wganbench.measures.over_steps"
_TEXT = "wganbench.measures.text"
_DIRAC = "wganbench.measures.dirac"
_BAND = "wganbench.measures.band"
_RECENT = "wganbench.measures.recent_steps"
_SATURATION = "wganbench.measures.saturation"
_SCORES = "wganbench.measures.image_scores"

MEASURES = {
    "modes_covered": Entry(f"{_MODES}:modes_covered", WithinOptions, scale=_count("modes")),
    "share_within": Entry(f"{_MODES}:share_within", WithinOptions, scale=_SHARE),
    "reverse_kl": Entry(
        f"{_MODES}:reverse_kl", scale=Scale(False, worst=_INFINITE, bounded=True, unit="nats", worst_is_log_modes=True)
    ),
    "sectors_occupied": Entry(f"{_MODES}:sectors_occupied", SectorOptions, scale=_count("sectors")),
    "least_sector_mass": Entry(f"{_MODES}:least_sector_mass", SectorMassOptions, scale=_SHARE),
    "kde_peaks": Entry(f"{_MODES}:kde_peaks", PeakOptions, scale=_count("peaks")),
    "exact_wasserstein": Entry(f"{_TRANSPORT}:exact_wasserstein", TransportOptions, scale=_DISTANCE, threaded=True),
    "wasserstein_floor": Entry(f"{_TRANSPORT}:wasserstein_floor", TransportOptions, scale=_neutral("distance")),
    "wasserstein_estimate": Entry(f"{_CRITIC}:wasserstein_estimate", scale=_neutral("critic units")),
    "held_out_estimate": Entry(f"{_CRITIC}:held_out_estimate", scale=_neutral("critic units"), of_held_out=True),
    "class_accuracy": Entry(f"{_CRITIC}:class_accuracy", OfBatchOptions, scale=_SHARE, classified=True),
    "fixed_wasserstein": Entry(f"{_TRANSPORT}:fixed_wasserstein", RepeatedOptions, scale=_neutral("distance")),
    "fixed_wasserstein_error": Entry(
        f"{_TRANSPORT}:fixed_wasserstein_error", RepeatedOptions, scale=_neutral("distance")
    ),
    "gradient_slope": Entry(f"{_LAYERS}:gradient_slope", scale=_neutral("decades a layer"), hidden_layers=2),
    "gradient_spread": Entry(f"{_LAYERS}:gradient_spread", scale=_neutral("decades"), hidden_layers=2),
    "gradient_reach": Entry(f"{_LAYERS}:gradient_reach", scale=_neutral("decades"), hidden_layers=2),
    "zero_gradient_layers": Entry(
        f"{_LAYERS}:zero_gradient_layers", scale=Scale(False, _NONE, True, "layers"), hidden_layers=2
    ),
    "edge_share": Entry(f"{_LAYERS}:edge_share", EdgeOptions, scale=_LOW_SHARE),
    "weight_kurtosis": Entry(f"{_LAYERS}:weight_kurtosis", scale=_neutral("")),
    "segment_gradient_norm": Entry(f"{_SURFACE}:segment_gradient_norm", scale=_neutral("norm")),
    "quadratic_share": Entry(f"{_SURFACE}:quadratic_share", SurfaceOptions, scale=_LOW_SHARE),
    "mode_maxima": Entry(f"{_SURFACE}:mode_maxima", MaximaOptions, scale=_count("modes")),
    "segment_norm_excess": Entry(f"{_COUPLING}:segment_norm_excess", scale=_neutral("norm")),
    "segment_cosine": Entry(f"{_COUPLING}:segment_cosine", scale=Scale(True, -1.0, True, "cosine")),
    "gap_over_distance": Entry(f"{_COUPLING}:gap_over_distance", scale=_neutral("ratio"), closed_form=True),
    "gap_law_ratio": Entry(f"{_COUPLING}:gap_law_ratio", scale=_neutral("ratio"), closed_form=True),
    "closed_form_distance": Entry(f"{_COUPLING}:closed_form_distance", scale=_neutral("distance"), closed_form=True),
    "gradient_norm_law": Entry(f"{_COUPLING}:gradient_norm_law", scale=_neutral("norm"), closed_form=True),
    "wasserstein_law": Entry(f"{_COUPLING}:wasserstein_law", scale=_neutral("distance"), closed_form=True),
    "transport_distance": Entry(
        f"{_COUPLING}:transport_distance", EvenOptions, scale=_neutral("distance"), closed_form=True
    ),
    "transport_error": Entry(f"{_COUPLING}:transport_error", EvenOptions, scale=_DISTANCE, closed_form=True),
    "discrete_js": Entry(f"{_DIVERGENCE}:discrete_js", EvenOptions, scale=_neutral("nats"), closed_form=True),
    "discrete_tv": Entry(f"{_DIVERGENCE}:discrete_tv", EvenOptions, scale=_neutral("share"), closed_form=True),
    "missing_mass": Entry(f"{_DIVERGENCE}:missing_mass", EvenOptions, scale=_neutral("share"), closed_form=True),
    "js_bound": Entry(f"{_DIVERGENCE}:js_bound", scale=_neutral("nats")),
    "js_bound_gradient": Entry(f"{_DIVERGENCE}:js_bound_gradient", scale=_neutral("per unit moved")),
    "estimate_gradient": Entry(f"{_DIVERGENCE}:estimate_gradient", scale=_neutral("per unit moved")),
    "js_bound_gradient_size": Entry(f"{_DIVERGENCE}:js_bound_gradient_size", scale=_SIZE),
    "estimate_gradient_size": Entry(f"{_DIVERGENCE}:estimate_gradient_size", scale=_SIZE),
    "ngram_js": Entry(
        f"{_TEXT}:ngram_js", NgramOptions, scale=Scale(False, math.log(2), bounded=True, unit="nats"), of_text=True
    ),
    "ngram_floor": Entry(
        f"{_TEXT}:ngram_floor", NgramOptions, scale=Scale(None, _NONE, bounded=True, unit="nats"), of_text=True
    ),
    "remaining": Entry(
        f"{_OVER_STEPS}:remaining", OfMeasureOptions, scale=Scale(False, _INFINITE, False, "ratio"), reads=("of",)
    ),
    "generator_position": Entry(f"{_DIRAC}:generator_position", scale=_neutral("")),
    "critic_slope": Entry(f"{_DIRAC}:critic_slope", scale=_neutral("")),
    "equilibrium_distance": Entry(f"{_DIRAC}:equilibrium_distance", scale=_DISTANCE),
    "contraction": Entry(
        f"{_DIRAC}:contraction", OfMeasureOptions, scale=Scale(False, _INFINITE, False, "per step"), reads=("of",)
    ),
    "linear_share": Entry(f"{_SATURATION}:linear_share", scale=_NEUTRAL_SHARE),
    "fake_gradient_share": Entry(f"{_SATURATION}:fake_gradient_share", scale=_NEUTRAL_SHARE),
    "fake_slope_share": Entry(f"{_SATURATION}:fake_slope_share", scale=_NEUTRAL_SHARE),
    "loss_median": Entry(f"{_RECENT}:loss_median", LossOptions, scale=_neutral("loss")),
    "step_cosine": Entry(
        f"{_RECENT}:step_cosine", WindowOptions, scale=Scale(None, _NONE, bounded=True, unit="cosine")
    ),
    "negative_step_share": Entry(f"{_RECENT}:negative_step_share", WindowOptions, scale=_LOW_SHARE),
    "rise_contrast": Entry(f"{_OVER_STEPS}:rise_contrast", RiseOptions, scale=_neutral("share"), reads=("of", "to")),
    "drift": Entry(f"{_OVER_STEPS}:drift", OfOptions, scale=Scale(False, _INFINITE, False, "relative"), reads=("of",)),
    "quotient": Entry(f"{_OVER_STEPS}:quotient", OfToOptions, scale=_neutral("ratio"), reads=("of", "to")),
    "relative_error": Entry(
        f"{_OVER_STEPS}:relative_error",
        OfToOptions,
        scale=Scale(False, _INFINITE, False, "relative"),
        reads=("of", "to"),
    ),
    "rank_correlation": Entry(
        f"{_OVER_STEPS}:rank_correlation",
        RankOptions,
        protocol=2,
        scale=Scale(True, -1.0, True, "correlation"),
        reads=("of", "to"),
    ),
    "trend": Entry(
        f"{_OVER_STEPS}:trend", TrendOptions, scale=Scale(None, _NONE, bounded=True, unit="correlation"), reads=("of",)
    ),
    "late_mean": Entry(f"{_OVER_STEPS}:late_mean", LateOptions, scale=_SCORE, reads=("of",), alike=True),
    "late_spread": Entry(f"{_OVER_STEPS}:late_spread", LateOptions, scale=_SPREAD, reads=("of",), alike=True),
    "detrended_spread": Entry(f"{_OVER_STEPS}:detrended_spread", LateOptions, scale=_SPREAD, reads=("of",), alike=True),
    "regained": Entry(
        f"{_BAND}:regained", FallOptions, scale=Scale(False, _INFINITE, False, "share of the fall"), reads=("of",)
    ),
    "excess": Entry(
        f"{_BAND}:excess", OfMeasureOptions, scale=Scale(False, _INFINITE, False, "times the lowest"), reads=("of",)
    ),
    "share_outside": Entry(f"{_BAND}:share_outside", BandOptions, scale=_LOW_SHARE, reads=("of",)),
    "fall": Entry(f"{_BAND}:fall", FallOptions, scale=Scale(False, 1.0, True, "correlation"), reads=("of",)),
    "late_distance": Entry(f"{_OVER_STEPS}:late_distance", LateOptions, scale=_DISTANCE, reads=("of",), alike=True),
    "detrended_distance_spread": Entry(
        f"{_OVER_STEPS}:detrended_distance_spread", LateOptions, scale=_DISTANCE, reads=("of",), alike=True
    ),
    "training_seconds": Entry(f"{_OVER_STEPS}:training_seconds", scale=_SECONDS, timed=True),
    "seconds_to": Entry(f"{_OVER_STEPS}:seconds_to", SecondsToOptions, scale=_SECONDS, reads=("of", "by"), timed=True),
    "inception_score": Entry(f"{_SCORES}:inception_score", SplitScoreOptions, scale=_SCORE, scored=True),
    "inception_score_spread": Entry(
        f"{_SCORES}:inception_score_spread", SplitScoreOptions, scale=_neutral("score"), scored=True
    ),
    "real_inception_score": Entry(
        f"{_SCORES}:real_inception_score", SplitScoreOptions, scale=_neutral("score"), scored=True
    ),
    "frechet_distance": Entry(f"{_SCORES}:frechet_distance", ScoreOptions, scale=_DISTANCE, scored=True),
    "classes_covered": Entry(f"{_SCORES}:classes_covered", CoverageOptions, scale=_LABELLED, scored=True),
    "class_kl": Entry(f"{_SCORES}:class_kl", FewScoreOptions, scale=_LABEL_KL, scored=True),
    "class_kl_floor": Entry(f"{_SCORES}:class_kl_floor", FewScoreOptions, scale=_neutral("nats")),
    "mean_confidence": Entry(f"{_SCORES}:mean_confidence", FewScoreOptions, scale=_SHARE, scored=True),
    "kernel_distance": Entry(f"{_SCORES}:kernel_distance", SubsetScoreOptions, scale=_DISTANCE, scored=True),
}

PICTURES = {
    "layer_norms": Entry(f"{_LAYERS}:layer_norms"),
    "weight_histogram": Entry(f"{_LAYERS}:weight_histogram", HistogramOptions),
    "critic_surface": Entry(f"{_SURFACE}:critic_surface", SurfaceOptions),
    "text_lines": Entry(f"{_TEXT}:text_lines", LinesOptions, of_text=True),
    "class_shares": Entry(f"{_SCORES}:class_shares", FewScoreOptions, scored=True),
    "critic_line": Entry(f"{_SATURATION}:critic_line", LineOptions),
}

SCORES = {
    "classifier": Entry("wganbench.measures.scores.classifier:classifier", ClassifierOptions),
    "stacked_classifier": Entry("wganbench.measures.scores.stacked_classifier:stacked_classifier", ClassifierOptions),
    "inception": Entry("wganbench.measures.scores.inception:inception"),
}
