"""The cost of a network in closed form: its parameters and its multiplications per sample. Imports no torch.

Every network in ``wganbench.spec.catalogue`` has an entry in ``_COUNTED``; the cost of a custom one is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from wganbench.networks import layout
from wganbench.networks.layout import Layer

Options = Mapping[str, Any]
Shape = Sequence[int]


@dataclass(frozen=True)
class Cost:
    """The cost of one network.

    Attributes:
        parameters: Number of trained parameters.
        multiply_adds: Multiplications by a weight in the forward pass of one sample; nonlinearities and normalisation
            are not counted.
    """

    parameters: int
    multiply_adds: int

    @property
    def flops(self) -> int:
        """Floating-point operations in the forward pass of one sample: two per multiply-add."""
        return 2 * self.multiply_adds


def of_network(name: str, options: Options, input_shape: Shape, output_shape: Shape) -> Cost | None:
    """Returns the cost of a network, given its name in specs and all of its options; None for a custom network.

    Raises:
        SpecError: If there is no such network for these shapes.
    """
    count = _COUNTED.get(name)
    return count(options, input_shape, output_shape) if count else None


def is_piecewise_linear(name: str, options: Options) -> bool:
    """Returns whether the input gradient of a network is constant around almost every input; False for a custom one.

    If so, the double backward of a penalty does not have to go back through the forward pass.
    """
    kinked = name == "resnet_critic" or options.get("activation") in ("relu", "leaky_relu")
    return name in _COUNTED and kinked and options.get("norm", "none") == "none"


def sample_shape(name: str, options: Options) -> tuple[int, ...] | None:
    """The shape of a data set's samples, if the spec determines it; None for a custom set or if only the data can."""
    if is_image_set(name):
        channels, side = _CHANNELS.get(name, options.get("channels")), options.get("size")
        return (channels, side, side) if channels and side else None
    if ":" in name:
        return None
    return (options.get("dim", _DIMENSIONS.get(name, 2)),)


def is_image_set(name: str) -> bool:
    """Returns whether this is one of the package's image data sets, which have labels."""
    return name in _CHANNELS or name == "image_folder"


def n_classes(name: str) -> int | None:
    """The number of classes of a data set; None if its name does not determine it."""
    return _CLASSES.get(name)


def n_modes(name: str, options: Options) -> int | None:
    """The number of equally weighted modes of a data set, if the spec states it; None for a custom set or no modes."""
    modes: int | None = None
    if name in ("gaussian_ring", "double_circle"):
        modes = options.get("modes")
    elif name == "gaussian_grid" and "side" in options:
        modes = options["side"] ** 2
    return modes


_CHANNELS = {"shapes10": 3, "cifar10": 3, "imagenet32": 3, "mnist": 1}
_CLASSES = {"shapes10": 10, "cifar10": 10, "imagenet32": 1000, "mnist": 10}
_DIMENSIONS = {"interval": 1}


def _summed(layers: Iterable[Layer]) -> Cost:
    listed = list(layers)
    return Cost(sum(layer.parameters for layer in listed), sum(layer.multiply_adds for layer in listed))


def _mlp(options: Options, input_shape: Shape, output_shape: Shape) -> Cost:
    outputs, units = math.prod(output_shape), options["summed_outputs"]
    widths = [math.prod(input_shape), *options["hidden"], outputs]
    hidden = sum((a + 1) * b for a, b in pairwise(widths[:-1]))
    # The weights of summed units are added up before they are applied to the input.
    return Cost(hidden + (widths[-2] + 1) * outputs * units, sum(a * b for a, b in pairwise(widths)))


def _dcgan_generator(options: Options, input_shape: Shape, output_shape: Shape) -> Cost:
    shape = {key: options[key] for key in ("filters", "filters_divided_by", "depth", "norm", "unit_norm")}
    return _summed(layout.dcgan_generator(math.prod(input_shape), output_shape, **shape))


def _dcgan_critic(options: Options, input_shape: Shape, output_shape: Shape) -> Cost:
    shape = {key: options[key] for key in ("filters", "filters_divided_by", "depth", "norm")}
    return _summed(layout.dcgan_critic(input_shape, **shape))


def _resnet_generator(options: Options, input_shape: Shape, output_shape: Shape) -> Cost:
    shape = {key: options[key] for key in ("dim", "filters_divided_by", "upsample", "classes")}
    return _summed(layout.resnet_generator(math.prod(input_shape), output_shape, **shape).layers)


def _resnet_critic(options: Options, input_shape: Shape, output_shape: Shape) -> Cost:
    shape = {key: options[key] for key in ("dim", "filters_divided_by", "norm", "classes")}
    return _summed(layout.resnet_critic(input_shape, **shape).layers)


_COUNTED: dict[str, Callable[[Options, Shape, Shape], Cost]] = {
    "mlp": _mlp,
    "dcgan_generator": _dcgan_generator,
    "dcgan_critic": _dcgan_critic,
    "resnet_generator": _resnet_generator,
    "resnet_critic": _resnet_critic,
}
