"""The random architectures of Gulrajani et al., table 1: drawn from a seed, the same on every machine and version.

The points of a space are sorted by a hash of seed and point, and the first n are drawn. Therefore no point is drawn
twice, a smaller draw is the start of a larger one, and a subspace keeps the order that its points have in the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from wganbench.errors import SpecError

Table = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """The properties drawn for one network.

    Attributes:
        nonlinearity: The nonlinearity: ``relu``, ``leaky_relu``, ``tanh``, or ``softplus`` for softplus(2x + 2)/2 − 1.
        depth: The number of layers with weights.
        filters: The number of filters, with the meaning that it has in ``wganbench.networks.dcgan``.
        normalised: Whether the network is normalised; the method decides by which normalisation.
    """

    nonlinearity: str
    depth: int
    filters: int
    normalised: bool

    def __str__(self) -> str:
        return f"{self.nonlinearity}-{self.depth}-{self.filters}-{'norm' if self.normalised else 'none'}"


@dataclass(frozen=True)
class Architecture:
    """A generator and a critic."""

    generator: Choice
    critic: Choice

    def __str__(self) -> str:
        return f"{self.generator}/{self.critic}"


@dataclass(frozen=True)
class Space:
    """The values to draw from, independently for generator and critic; by default those of table 1, 9,216 points."""

    nonlinearities: Sequence[str] = ("relu", "leaky_relu", "softplus", "tanh")
    depths: Sequence[int] = (4, 8, 12, 20)
    filters: Sequence[int] = (32, 64, 128)
    normalised: Sequence[bool] = (True, False)

    def points(self) -> Iterator[Architecture]:
        """Yields each architecture of the space once, in an arbitrary order."""
        values = product(self.nonlinearities, self.depths, self.filters, self.normalised)
        choices = dict.fromkeys(Choice(*value) for value in values)
        return (Architecture(*pair) for pair in product(choices, choices))

    def __contains__(self, architecture: Architecture) -> bool:
        return all(
            choice.nonlinearity in self.nonlinearities
            and choice.depth in self.depths
            and choice.filters in self.filters
            and choice.normalised in self.normalised
            for choice in (architecture.generator, architecture.critic)
        )


TABLE_1 = Space()


def draw(n: int, seed: int, space: Space = TABLE_1) -> list[Architecture]:
    """Returns the first ``n`` architectures of the space in the order given by ``seed``, without repetition.

    Raises:
        SpecError: If the space has fewer than ``n``.
    """
    points = list(space.points())
    if not 0 <= n <= len(points):
        raise SpecError(f"n: must be at most {len(points):,}, the points of the space, got {n}")

    def place(architecture: Architecture) -> tuple[bytes, str]:
        text = f"{seed} {architecture}"
        return hashlib.blake2b(text.encode(), digest_size=16).digest(), text

    return sorted(points, key=place)[:n]


def named(drawn: Iterable[Architecture]) -> dict[str, Architecture]:
    """Returns the architectures by name, ``a000``, ``a001``, …, after their place in the drawn list."""
    return {f"a{place:03}": architecture for place, architecture in enumerate(drawn)}


def parts(architecture: Architecture, method: Mapping[str, Any]) -> list[Table]:
    """Returns the parts of an architecture's setting under a method, to be merged later over earlier (appendix B).

    Args:
        method: Fields of a setting, and a table ``normalised`` of fields that override them if the critic is
            normalised, such as the kind of normalisation and the weight decay.

    Returns:
        The method's fields; generator and critic; the method's overrides for a normalised critic, if it is one.
    """
    over = method.get("normalised", {}) if architecture.critic.normalised else {}
    networks = {
        "generator": _network("dcgan_generator", architecture.generator, normalisation="batch"),
        "critic": _network("dcgan_critic", architecture.critic, normalisation="layer"),
    }
    return [{key: value for key, value in method.items() if key != "normalised"}, networks, dict(over)]


def _network(name: str, choice: Choice, *, normalisation: str) -> Table:
    options = asdict(choice)
    options["activation"] = options.pop("nonlinearity")
    options["norm"] = normalisation if options.pop("normalised") else "none"
    return {"name": name, **options}
