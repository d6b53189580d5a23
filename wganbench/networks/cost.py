"""The cost of a network in closed form: its parameters and its multiplications per sample. Imports no torch.

It is counted from the network's layout; a custom network has none, and its cost is unknown.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from wganbench.networks.layout import LAYOUTS, gated

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
    """Returns the cost of a network with these arguments of its constructor; None for a custom network.

    Args:
        name: The name of the network in specs.
        options: The keyword arguments; those at their defaults may be missing.

    Raises:
        SpecError: If there is no such network for these shapes.
    """
    return _counted(name, json.dumps(dict(options)), tuple(input_shape), tuple(output_shape))


@lru_cache(maxsize=4096)
def _counted(name: str, options: str, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> Cost | None:
    """Counts the cost from the options as JSON; cached, as a spec has the same networks under every profile."""
    arrange = LAYOUTS.get(name)
    if arrange is None:
        return None
    given = {"input_shape": input_shape, "output_shape": output_shape, **json.loads(options)}
    taken = {key: given[key] for key in inspect.signature(arrange).parameters if key in given}
    layers = list(arrange(**taken))
    if given.get("activation") == "gated":
        layers = gated(layers)
    return Cost(sum(layer.parameters for layer in layers), sum(layer.multiply_adds for layer in layers))


def is_piecewise_linear(name: str, options: Options) -> bool:
    """Returns whether the input gradient of a network is constant around almost every input; False for a custom one.

    If so, the double backward of a penalty does not have to go back through the forward pass.
    """
    kinked = name in ("resnet_critic", "bottleneck_critic", "text_critic") or options.get("activation") in (
        "relu",
        "leaky_relu",
    )
    return name in LAYOUTS and kinked and options.get("norm", "none") == "none"
