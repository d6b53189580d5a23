"""Networks, and the option that makes them thinner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, ValidationInfo

from wganbench.spec.catalogue.entry import Entry, NonNegativeFloat, Options
from wganbench.spec.strict import LATER, omitted_if

Initialisation = Literal["normal", "uniform", "he_normal", "he_uniform", "glorot_uniform", "orthogonal"]
Nonlinearity = Literal["relu", "leaky_relu", "tanh", "softplus", "elu"]
Normalisation = Literal["batch", "layer", "none"]
SpectralNorm = Annotated[bool, omitted_if(False)]


class MlpOptions(Options):
    hidden: list[PositiveInt]
    activation: Nonlinearity = "relu"
    leak: NonNegativeFloat = 0.2
    norm: Annotated[Normalisation, omitted_if("none")] = "none"
    output: Annotated[Literal["tanh", "sigmoid"] | None, LATER] = None
    init: Initialisation = "he_normal"
    init_scale: PositiveFloat = 1.0
    last_init: Initialisation | None = None
    input_scale: PositiveFloat = 1.0
    uniform_latent: Annotated[bool, omitted_if(False)] = False
    summed_outputs: PositiveInt = 1
    spectral_norm: SpectralNorm = False


class DiracOptions(Options):
    start: float = 1.0
    spread: NonNegativeFloat = 0.0


WIDTHS = ("filters", "dim")
"""The options that say how wide a network is."""


def _check_divisor(divisor: int | None, info: ValidationInfo) -> int | None:
    filters = info.data.get("filters", info.data.get("dim"))
    if filters is not None and filters % (divisor or 1):
        raise ValueError(f"must divide the {filters} filters, got {divisor}")
    return divisor


Divisor = Annotated[PositiveInt | None, AfterValidator(_check_divisor)]
"""Divides the width that stands before it, so that a profile can be thinner while the width is that of the paper."""


def divide_filters(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a network's options as its constructor takes them: with its width divided by ``filters_divided_by``."""
    divisor = options.get("filters_divided_by") or 1
    kept = {key: value for key, value in options.items() if key != "filters_divided_by"}
    return {key: value // divisor if key in WIDTHS else value for key, value in kept.items()}


class DcganOptions(Options):
    filters: PositiveInt
    filters_divided_by: Divisor = None
    depth: Annotated[int, Field(ge=2, le=1000)] | None = None
    init_std: PositiveFloat | None = None


class DcganGeneratorOptions(DcganOptions):
    constant: Annotated[bool, omitted_if(False)] = False
    activation: Nonlinearity = "relu"
    norm: Normalisation = "batch"
    unit_norm: bool = False
    output: Literal["tanh", "sigmoid"] = "tanh"


class DcganCriticOptions(DcganOptions):
    activation: Nonlinearity = "leaky_relu"
    norm: Normalisation = "none"
    spectral_norm: SpectralNorm = False


class ResnetOptions(Options):
    dim: PositiveInt = 128
    filters_divided_by: Divisor = None
    classes: Annotated[int, Field(ge=2)] | None = None


class ResnetGeneratorOptions(ResnetOptions):
    upsample: Literal["first", "second"] = "first"
    norm_batches: PositiveInt = 1


class ResnetCriticOptions(ResnetOptions):
    norm: Literal["layer", "none"] = "none"
    spectral_norm: bool = False


class TextOptions(Options):
    dim: PositiveInt = 512
    filters_divided_by: Divisor = None


class TextCriticOptions(TextOptions):
    spectral_norm: SpectralNorm = False


NETWORKS = {
    "mlp": Entry("wganbench.networks.mlp:Mlp", MlpOptions),
    "dcgan_generator": Entry("wganbench.networks.dcgan:DcganGenerator", DcganGeneratorOptions),
    "dcgan_critic": Entry("wganbench.networks.dcgan:DcganCritic", DcganCriticOptions),
    "resnet_generator": Entry("wganbench.networks.resnet:ResnetGenerator", ResnetGeneratorOptions),
    "resnet_critic": Entry("wganbench.networks.resnet:ResnetCritic", ResnetCriticOptions),
    "dirac_generator": Entry("wganbench.networks.dirac:DiracGenerator", DiracOptions),
    "dirac_critic": Entry("wganbench.networks.dirac:DiracCritic", DiracOptions),
    "text_generator": Entry("wganbench.networks.text_resnet:TextGenerator", TextOptions),
    "text_critic": Entry("wganbench.networks.text_resnet:TextCritic", TextCriticOptions),
}
