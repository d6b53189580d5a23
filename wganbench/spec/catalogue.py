"""Every name that a spec may use, with its dotted path, its options and its protocol. Imports no torch.

A built-in name is an alias of ``package.module:object``. A custom object is named by its dotted path and handled the
same way, with its options taken as given. Nothing here imports a path: only ``wganbench.runner`` does.

``protocol`` counts the changes that alter an object's numbers. It is part of the id of every run that uses the object,
so records made before such a change stop counting; ``tests/runner/test_golden.py`` fails if numbers change without it.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")

NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Smoothing = Annotated[float, Field(ge=0, lt=1)]


class Options(BaseModel):
    """The base of option models: rejects unknown options and infinite or NaN values; types are checked strictly."""

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


class DimOptions(Options):
    dim: PositiveInt = 2


class GaussianOptions(Options):
    dim: PositiveInt = 1
    std: PositiveFloat = 1.0


class CircleOptions(Options):
    radius: PositiveFloat = 1.0


class IntervalOptions(Options):
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _is_not_empty(self) -> IntervalOptions:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        return self


FOLDER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


def _a_name(folder: str) -> str:
    if not re.match(FOLDER_NAME, folder):
        raise ValueError(
            f"must be the name of a folder in the data folder, of up to 64 letters, digits, dots, - and _, got "
            f"{folder!r}; --data-dir or WGANBENCH_DATA names the folder above it"
        )
    return folder


def _not_of_another(folder: str) -> str:
    """Rejects a folder named like another set, such as ``CIFAR-10``, or like a part of a set, such as ``train``."""
    taken = {re.sub("[^a-z0-9]", "", name) for name in (*NAMES["data set"], "train", "test", "decoded")}
    if re.sub("[^a-z0-9]", "", folder.lower()) in taken:
        raise ValueError(f"{folder!r} names something else; rename the folder, as its name is the set's")
    return folder


FolderName = Annotated[
    str, Field(json_schema_extra={"pattern": FOLDER_NAME}), AfterValidator(_a_name), AfterValidator(_not_of_another)
]
"""The name of a folder of images, which is also the set's name and part of a file name."""
Split = Literal["train", "test"]
Scaling = Literal["255", "256-dequantised", "unit"]


class FlippableOptions(Options):
    """``flips`` is omitted when false, so that ids and records made before the option existed stay valid."""

    flips: bool = False

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table: dict[str, Any] = serialize(self)
        return {key: value for key, value in table.items() if value or key != "flips"}


class ImageOptions(FlippableOptions):
    split: Split = "train"
    size: Annotated[int, Field(ge=1, le=32)] = 32
    scaling: Scaling = "255"


class MnistOptions(ImageOptions):
    size: Annotated[int, Field(ge=1, le=28)] = 28
    scaling: Scaling = "unit"


class ImageFolderOptions(FlippableOptions):
    folder: FolderName
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    split: Split = "train"
    size: PositiveInt | None = None
    channels: Literal[1, 3] = 3
    scaling: Scaling = "255"


Initialisation = Literal["normal", "uniform", "he_normal", "he_uniform", "glorot_uniform", "orthogonal"]


class MlpOptions(Options):
    hidden: list[PositiveInt]
    activation: Literal["relu", "leaky_relu", "tanh"] = "relu"
    leak: NonNegativeFloat = 0.2
    init: Initialisation = "he_normal"
    init_scale: PositiveFloat = 1.0
    last_init: Initialisation | None = None
    input_scale: PositiveFloat = 1.0
    summed_outputs: PositiveInt = 1


class DcganOptions(Options):
    filters: PositiveInt
    filters_divided_by: PositiveInt | None = None
    depth: Annotated[int, Field(ge=2, le=1000)] | None = None
    init_std: PositiveFloat | None = None


Nonlinearity = Literal["relu", "leaky_relu", "tanh", "softplus", "elu"]
Normalisation = Literal["batch", "layer", "none"]


class DcganGeneratorOptions(DcganOptions):
    activation: Nonlinearity = "relu"
    norm: Normalisation = "batch"
    unit_norm: bool = False
    output: Literal["tanh", "sigmoid"] = "tanh"


class DcganCriticOptions(DcganOptions):
    activation: Nonlinearity = "leaky_relu"
    norm: Normalisation = "none"


class ResnetOptions(Options):
    dim: PositiveInt = 128
    filters_divided_by: PositiveInt | None = None
    classes: Annotated[int, Field(ge=2)] | None = None


class ResnetGeneratorOptions(ResnetOptions):
    upsample: Literal["first", "second"] = "first"
    norm_batches: PositiveInt = 1


class ResnetCriticOptions(ResnetOptions):
    norm: Literal["layer", "none"] = "none"
    spectral_norm: bool = False


class ClipOptions(Options):
    clip_value: PositiveFloat


class PenaltyOptions(Options):
    penalty_weight: PositiveFloat = 10.0


class NoisedOptions(Options):
    std: PositiveFloat = 1.0
    independent: bool = False


class TranslatedOptions(Options):
    by: float
    independent: bool = False


class ScaledOptions(Options):
    factor: PositiveFloat
    independent: bool = False


class AdamOptions(Options):
    """``weight_decay`` times a parameter is added to its gradient: an L2 term, not the decoupled decay of AdamW."""

    lr: PositiveFloat
    betas: tuple[Smoothing, Smoothing] = (0.9, 0.999)
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Omits ``weight_decay`` when it is 0, so that ids and records made before the option existed stay valid."""
        table: dict[str, Any] = serialize(self)
        return {key: value for key, value in table.items() if value or key != "weight_decay"}


class RmspropOptions(Options):
    lr: PositiveFloat
    alpha: Smoothing = 0.99
    eps: PositiveFloat = 1e-8


class RmspropTfOptions(Options):
    lr: PositiveFloat
    decay: Smoothing = 0.9
    eps: PositiveFloat = 1e-10


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


class OfOptions(Options):
    of: str = "wasserstein_estimate"


class OfToOptions(Options):
    of: str
    to: str


class RankOptions(OfToOptions):
    skip: Annotated[float, Field(ge=0, lt=1)] = 0.2
    window: Annotated[int, Field(ge=1, le=100_001)] = 101


class OfBatchOptions(Options):
    of: Literal["real", "fake"] = "real"


class LateOptions(Options):
    of: str
    share: Fraction = 0.2


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


class SubsetScoreOptions(ScoreOptions):
    subsets: PositiveInt = 100
    subset_size: Annotated[int, Field(ge=2)] = 1000

    @model_validator(mode="after")
    def _fills_a_subset(self) -> SubsetScoreOptions:
        if self.subset_size > self.samples:
            raise ValueError(f"subset_size must be at most samples ({self.samples:,}), got {self.subset_size:,}")
        return self


@dataclass(frozen=True)
class Scale:
    """How the statistics, the tables and the plots read a measure's numbers.

    Attributes:
        higher_is_better: The better direction; None if neither direction is better.
        worst: The score assigned to a diverged run; infinite if the measure has no bound.
        worst_is_log_modes: True if the worst is log(number of modes) whenever the spec states that number.
        bounded: True for counts and shares, whose intervals cannot come from normal theory.
        unit: The unit, for the axis of a plot.
    """

    higher_is_better: bool | None
    worst: float
    bounded: bool
    unit: str
    worst_is_log_modes: bool = False


@dataclass(frozen=True)
class Entry:
    """One name: the path of its object, the options that it takes, and the version of its numbers.

    Attributes:
        scale: How the numbers of a measure are read.
        is_penalty: True if a constraint is a term of the critic loss that reads gradients, which adds to the cost of
            a step.
        hidden_layers: The smallest number of hidden layers that a critic must have for a measure to read it.
        closed_form: True if a measure needs data and a fixed generator whose distance has a formula.
        scored: True if a measure reads the outputs of the setting's score network on images.
        classified: True if a measure reads the outputs of the critic's auxiliary classifier on images.
        reads: The options of a measure that are labels of other measures, which must come before it.
        alike: True if the measures that it reads must have the same unit as itself.
        timed: True if a measure reads the clock, which all seeds that train together share.
    """

    path: str
    options: type[Options] = Options
    protocol: int = 1
    scale: Scale | None = field(default=None, compare=False)
    is_penalty: bool = field(default=False, compare=False)
    hidden_layers: int = field(default=0, compare=False)
    closed_form: bool = field(default=False, compare=False)
    scored: bool = field(default=False, compare=False)
    classified: bool = field(default=False, compare=False)
    reads: tuple[str, ...] = field(default=(), compare=False)
    alike: bool = field(default=False, compare=False)
    timed: bool = field(default=False, compare=False)


_SHARE = Scale(higher_is_better=True, worst=0.0, bounded=True, unit="share")
_DISTANCE = Scale(higher_is_better=False, worst=float("inf"), bounded=False, unit="distance")


def _count(unit: str) -> Scale:
    return Scale(higher_is_better=True, worst=0.0, bounded=True, unit=unit)


def _neutral(unit: str) -> Scale:
    """Returns the scale of an unbounded number for which neither direction is better."""
    return Scale(higher_is_better=None, worst=float("nan"), bounded=False, unit=unit)


_SCORE = Scale(higher_is_better=True, worst=1.0, bounded=False, unit="score")
_SIZE = Scale(higher_is_better=True, worst=0.0, bounded=False, unit="per unit moved")
_IMAGE_SETS = "wganbench.data.image_sets"
_TRANSPORT = "wganbench.measures.transport"
_LAYERS = "wganbench.measures.critic_layers"
_SURFACE = "wganbench.measures.critic_surface"
_COUPLING = "wganbench.measures.coupling"
_DIVERGENCE = "wganbench.measures.divergence"
_OVER_STEPS = "wganbench.measures.over_steps"
_SCORES = "wganbench.measures.image_scores"

CUSTOM = Scale(higher_is_better=None, worst=float("nan"), bounded=True, unit="")
"""The scale of a custom measure by default: no better direction, no worst value, no tests from normal theory."""

NAMES: dict[str, dict[str, Entry]] = {
    "data set": {
        "gaussian_ring": Entry("wganbench.data.toy:gaussian_ring", RingOptions),
        "gaussian_grid": Entry("wganbench.data.toy:gaussian_grid", GridOptions),
        "double_circle": Entry("wganbench.data.toy:double_circle", RingOptions),
        "swiss_roll": Entry("wganbench.data.toy:SwissRoll", SwissRollOptions),
        "point": Entry("wganbench.data.closed_form:Point", DimOptions),
        "gaussian": Entry("wganbench.data.closed_form:Gaussian", GaussianOptions),
        "circle": Entry("wganbench.data.closed_form:Circle", CircleOptions),
        "interval": Entry("wganbench.data.closed_form:Interval", IntervalOptions),
        "segment": Entry("wganbench.data.closed_form:Segment"),
        "shapes10": Entry(f"{_IMAGE_SETS}:shapes10", ImageOptions),
        "cifar10": Entry(f"{_IMAGE_SETS}:cifar10", ImageOptions),
        "mnist": Entry(f"{_IMAGE_SETS}:mnist", MnistOptions),
        "imagenet32": Entry(f"{_IMAGE_SETS}:imagenet32", ImageOptions),
        "image_folder": Entry(f"{_IMAGE_SETS}:image_folder", ImageFolderOptions, protocol=2),
    },
    "fixed generator": {
        "noised": Entry("wganbench.data.fixed_generators:Noised", NoisedOptions),
        "translated": Entry("wganbench.data.fixed_generators:Translated", TranslatedOptions),
        "scaled": Entry("wganbench.data.fixed_generators:Scaled", ScaledOptions),
    },
    "network": {
        "mlp": Entry("wganbench.networks.mlp:Mlp", MlpOptions),
        "dcgan_generator": Entry("wganbench.networks.dcgan:DcganGenerator", DcganGeneratorOptions),
        "dcgan_critic": Entry("wganbench.networks.dcgan:DcganCritic", DcganCriticOptions),
        "resnet_generator": Entry("wganbench.networks.resnet:ResnetGenerator", ResnetGeneratorOptions),
        "resnet_critic": Entry("wganbench.networks.resnet:ResnetCritic", ResnetCriticOptions),
    },
    "objective": {
        "minimax": Entry("wganbench.losses.objectives:Minimax"),
        "non_saturating": Entry("wganbench.losses.objectives:NonSaturating"),
        "least_squares": Entry("wganbench.losses.objectives:LeastSquares"),
        "wasserstein": Entry("wganbench.losses.objectives:Wasserstein"),
    },
    "constraint": {
        "clip": Entry("wganbench.losses.constraints:clip", ClipOptions),
        "rescale": Entry("wganbench.losses.constraints:rescale", ClipOptions),
        "gradient_penalty": Entry("wganbench.losses.constraints:gradient_penalty", PenaltyOptions, is_penalty=True),
        "one_sided_penalty": Entry("wganbench.losses.constraints:one_sided_penalty", PenaltyOptions, is_penalty=True),
        "one_sided_linear_penalty": Entry(
            "wganbench.losses.constraints:one_sided_linear_penalty", PenaltyOptions, is_penalty=True
        ),
    },
    "optimizer": {
        "adam": Entry("torch.optim:Adam", AdamOptions),
        "rmsprop": Entry("torch.optim:RMSprop", RmspropOptions),
        "rmsprop_tf": Entry("wganbench.training.rmsprop_tf:RmspropTf", RmspropTfOptions),
    },
    "score": {
        "classifier": Entry("wganbench.measures.scores.classifier:classifier", ClassifierOptions),
        "inception": Entry("wganbench.measures.scores.inception:inception"),
    },
    "picture": {
        "layer_norms": Entry("wganbench.measures.critic_layers:layer_norms"),
        "weight_histogram": Entry("wganbench.measures.critic_layers:weight_histogram", HistogramOptions),
        "critic_surface": Entry("wganbench.measures.critic_surface:critic_surface", SurfaceOptions),
    },
    "measure": {
        "modes_covered": Entry("wganbench.measures.modes:modes_covered", WithinOptions, scale=_count("modes")),
        "share_within": Entry("wganbench.measures.modes:share_within", WithinOptions, scale=_SHARE),
        "reverse_kl": Entry(
            "wganbench.measures.modes:reverse_kl",
            scale=Scale(False, worst=float("inf"), bounded=True, unit="nats", worst_is_log_modes=True),
        ),
        "sectors_occupied": Entry("wganbench.measures.modes:sectors_occupied", SectorOptions, scale=_count("sectors")),
        "least_sector_mass": Entry("wganbench.measures.modes:least_sector_mass", SectorMassOptions, scale=_SHARE),
        "kde_peaks": Entry("wganbench.measures.modes:kde_peaks", PeakOptions, scale=_count("peaks")),
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
        "class_accuracy": Entry(
            "wganbench.measures.critic:class_accuracy", OfBatchOptions, scale=_SHARE, classified=True
        ),
        "fixed_wasserstein": Entry(f"{_TRANSPORT}:fixed_wasserstein", RepeatedOptions, scale=_neutral("distance")),
        "fixed_wasserstein_error": Entry(
            f"{_TRANSPORT}:fixed_wasserstein_error", RepeatedOptions, scale=_neutral("distance")
        ),
        "gradient_slope": Entry(f"{_LAYERS}:gradient_slope", scale=_neutral("decades a layer"), hidden_layers=2),
        "gradient_spread": Entry(f"{_LAYERS}:gradient_spread", scale=_neutral("decades"), hidden_layers=2),
        "gradient_reach": Entry(f"{_LAYERS}:gradient_reach", scale=_neutral("decades"), hidden_layers=2),
        "zero_gradient_layers": Entry(
            f"{_LAYERS}:zero_gradient_layers", scale=Scale(False, float("nan"), True, "layers"), hidden_layers=2
        ),
        "edge_share": Entry(f"{_LAYERS}:edge_share", EdgeOptions, scale=Scale(False, 1.0, True, "share")),
        "weight_kurtosis": Entry(f"{_LAYERS}:weight_kurtosis", scale=_neutral("")),
        "segment_gradient_norm": Entry(f"{_SURFACE}:segment_gradient_norm", scale=_neutral("norm")),
        "quadratic_share": Entry(f"{_SURFACE}:quadratic_share", SurfaceOptions, scale=Scale(False, 1.0, True, "share")),
        "mode_maxima": Entry(f"{_SURFACE}:mode_maxima", MaximaOptions, scale=_count("modes")),
        "segment_norm_excess": Entry(f"{_COUPLING}:segment_norm_excess", scale=_neutral("norm")),
        "segment_cosine": Entry(f"{_COUPLING}:segment_cosine", scale=Scale(True, -1.0, True, "cosine")),
        "gap_over_distance": Entry(f"{_COUPLING}:gap_over_distance", scale=_neutral("ratio"), closed_form=True),
        "gap_law_ratio": Entry(f"{_COUPLING}:gap_law_ratio", scale=_neutral("ratio"), closed_form=True),
        "closed_form_distance": Entry(
            f"{_COUPLING}:closed_form_distance", scale=_neutral("distance"), closed_form=True
        ),
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
        "drift": Entry(
            f"{_OVER_STEPS}:drift", OfOptions, scale=Scale(False, float("inf"), False, "relative"), reads=("of",)
        ),
        "quotient": Entry(f"{_OVER_STEPS}:quotient", OfToOptions, scale=_neutral("ratio"), reads=("of", "to")),
        "rank_correlation": Entry(
            f"{_OVER_STEPS}:rank_correlation",
            RankOptions,
            protocol=2,
            scale=Scale(True, -1.0, True, "correlation"),
            reads=("of", "to"),
        ),
        "late_mean": Entry(f"{_OVER_STEPS}:late_mean", LateOptions, scale=_SCORE, reads=("of",), alike=True),
        "late_spread": Entry(
            f"{_OVER_STEPS}:late_spread",
            LateOptions,
            scale=Scale(False, float("inf"), False, "score"),
            reads=("of",),
            alike=True,
        ),
        "detrended_spread": Entry(
            f"{_OVER_STEPS}:detrended_spread",
            LateOptions,
            scale=Scale(False, float("inf"), False, "score"),
            reads=("of",),
            alike=True,
        ),
        "training_seconds": Entry(
            "wganbench.measures.over_steps:training_seconds", scale=Scale(False, float("inf"), False, "s"), timed=True
        ),
        "seconds_to": Entry(
            f"{_OVER_STEPS}:seconds_to",
            SecondsToOptions,
            scale=Scale(False, float("inf"), False, "s"),
            reads=("of", "by"),
            timed=True,
        ),
        "inception_score": Entry(f"{_SCORES}:inception_score", SplitScoreOptions, scale=_SCORE, scored=True),
        "inception_score_spread": Entry(
            f"{_SCORES}:inception_score_spread", SplitScoreOptions, scale=_neutral("score"), scored=True
        ),
        "real_inception_score": Entry(
            f"{_SCORES}:real_inception_score", SplitScoreOptions, scale=_neutral("score"), scored=True
        ),
        "frechet_distance": Entry(f"{_SCORES}:frechet_distance", ScoreOptions, scale=_DISTANCE, scored=True),
        "kernel_distance": Entry(f"{_SCORES}:kernel_distance", SubsetScoreOptions, scale=_DISTANCE, scored=True),
    },
}


def is_dotted(name: str) -> bool:
    """Returns whether ``name`` has the form ``package.module:object`` of a custom object."""
    return DOTTED.match(name) is not None


def find(kind: str, name: str) -> Entry:
    """Returns the entry of a built-in ``name``, or a new one for a dotted name, whose options are unknown.

    A custom constraint counts as a penalty, since it is not known what it does and a penalty costs more.

    Raises:
        ValueError: If the name is neither; the message suggests the nearest name.
    """
    table = NAMES[kind]
    if name in table:
        return table[name]
    if is_dotted(name):
        return Entry(name, scale=CUSTOM if kind == "measure" else None, is_penalty=kind == "constraint")
    module, dot, attribute = name.rpartition(".")
    if dot and is_dotted(f"{module}:{attribute}"):
        raise ValueError(f"unknown {kind} {name!r}; did you mean {f'{module}:{attribute}'!r}?")
    raise ValueError(f"unknown {kind} {name!r}{suggest(name, table)}")


def suggest(word: str, known: object) -> str:
    """Returns ``"; did you mean 'x'?"``, or a list of all known names if none is similar."""
    options = sorted(known)  # type: ignore[call-overload]
    near = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(options)}" if options else ""
