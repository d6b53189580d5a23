"""The random architectures of Gulrajani et al., table 1: variants that a spec does not write out.

::

    [architectures]
    n = 200            # drawn from table 1; the same seed gives the same draw on every machine and version
    seed = 0

    [architectures.methods.wgan-gp]      # fields of a setting; overridden by "normalised" for a normalised critic
    objective = "wasserstein"
    constraint = { name = "gradient_penalty", penalty_weight = 10.0 }
    normalised = { critic.norm = "layer", critic_optimizer.weight_decay = 1e-3 }

    [profiles.quick]
    architectures = { n = 20, depths = [4, 8, 12] }       # of the 200, the first 20 that match
    generator.filters_divided_by = 8                      # 32, 64, 128 become 4, 8, 16
    critic.filters_divided_by = 8

The variants are ``a000-wgan-gp``, ``a001-wgan-gp``, …: ``a017`` is place 17 of the drawn list, under every profile. An
entry of the same name in the file's ``variants`` overrides the drawn one; other variants of the file stay in every
profile. The seed of a run is the seed of its training; the seed of the draw is set in the spec.

The points of a space are sorted by a hash of seed and point, and the first n are drawn. Therefore no point is drawn
twice, a smaller draw is the start of a larger one, and a subspace keeps the order that its points have in the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from wganbench.errors import SpecError
from wganbench.spec.catalogue.networks import Nonlinearity
from wganbench.spec.overrides import merge
from wganbench.spec.strict import Model, Name, Table, mistakes, short, suggest


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


def sample_architectures(n: int, seed: int, space: Space = TABLE_1) -> list[Architecture]:
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


def name_of(place: int) -> str:
    """Returns the name of the architecture at a place in the drawn list, counted from 0: ``a000``, ``a001``, …."""
    return f"a{place:03}"


def make_variant(architecture: Architecture, method: Mapping[str, Any]) -> Table:
    """Returns the fields of an architecture's setting under a method (appendix B).

    Args:
        method: Fields of a setting, and a table ``normalised`` of fields that override them and the networks if the
            critic is normalised, such as the kind of normalisation and the weight decay.
    """
    fields = {key: value for key, value in method.items() if key != "normalised"}
    networks = {
        "generator": _make_network("dcgan_generator", architecture.generator, normalisation="batch"),
        "critic": _make_network("dcgan_critic", architecture.critic, normalisation="layer"),
    }
    over = method.get("normalised", {}) if architecture.critic.normalised else {}
    return merge(merge(fields, networks), over)


def _make_network(name: str, choice: Choice, *, normalisation: str) -> Table:
    norm = normalisation if choice.normalised else "none"
    sizes = {"depth": choice.depth, "filters": choice.filters}
    return {"name": name, **sizes, "activation": choice.nonlinearity, "norm": norm}


# ---- in a spec ------------------------------------------------------------------------------------------------------

Places = Annotated[int, Field(ge=1, le=1000)]
Values = Annotated[list[PositiveInt], Field(min_length=1, max_length=6)]


def _check_method(method: Table) -> Table:
    if not isinstance(method.get("normalised", {}), dict):
        raise ValueError(f"normalised: must be a table, got {short(method['normalised'])}")
    return method


Method = Annotated[Table, AfterValidator(_check_method)]


class _Restriction(Model):
    nonlinearities: Annotated[list[Nonlinearity], Field(min_length=1)] | None = None
    depths: Values | None = None
    filters: Values | None = None

    def restrict(self, space: Space) -> Space:
        """Returns ``space`` with the values that are given here instead of its own."""
        given = self.model_dump(include={"nonlinearities", "depths", "filters"}, exclude_none=True)
        return replace(space, **given)


class Architectures(_Restriction):
    """Random architectures, each of which makes one variant with every method.

    Attributes:
        n: The number of architectures that are drawn.
        seed: The seed of the draw.
        methods: The fields of a setting, by method; the table ``normalised`` overrides them if the critic is
            normalised.
        nonlinearities: The nonlinearities to draw from, for generator and critic separately; those of table 1 by
            default, as for depths and filters.
        depths: The numbers of layers with weights to draw from.
        filters: The numbers of channels to draw from, at the side of the images.
    """

    n: Places
    seed: NonNegativeInt = 0
    methods: Annotated[dict[Name, Method], Field(min_length=1)]


class Fitting(_Restriction):
    """A selection of the drawn architectures for a profile.

    Attributes:
        n: The number of matching architectures to take; all by default.
        skip: The number of matching architectures before the first that is taken, for fresh ones after a pilot.
        critic_depths: The numbers of layers with weights of the critic that match; any of ``depths`` by default.
        nonlinearities: The nonlinearities that match, for both generator and critic; any by default, as for depths and
            filters.
        depths: The numbers of layers with weights that match.
        filters: The numbers of channels that match, as drawn, before ``filters_divided_by`` applies.
        methods: The methods to combine them with; all by default.
    """

    n: Places | None = None
    skip: NonNegativeInt = 0
    critic_depths: Values | None = None
    methods: Annotated[list[Name], Field(min_length=1)] | None = None

    def places(self, drawn: Sequence[Architecture], space: Space) -> list[int]:
        """Returns the places of the drawn architectures that are taken out of a space."""
        fits = self.restrict(space)
        matching = [place for place, architecture in enumerate(drawn) if architecture in fits]
        if self.critic_depths is not None:
            matching = [place for place in matching if drawn[place].critic.depth in self.critic_depths]
        return matching[self.skip :][: self.n]


class _OfProfile(Model):
    model_config = ConfigDict(extra="ignore")

    architectures: Fitting | None = None


class _OfSpec(Model):
    """The part of a spec that is read here; all other mistakes are reported when the experiment is built."""

    model_config = ConfigDict(extra="ignore")

    architectures: Architectures
    profiles: dict[str, _OfProfile] = Field(default_factory=dict)


def add_architectures(table: Table, where: str) -> Table:
    """Returns the table of a spec with its random architectures written out, and the selections of its profiles.

    Args:
        where: The prefix of every message.

    Raises:
        SpecError: If the architectures cannot be drawn as specified; lists every mistake.
    """
    if "architectures" not in table:
        return table
    try:
        spec = _OfSpec.model_validate(table)
        among = spec.architectures
        drawn = sample_architectures(among.n, among.seed, among.restrict(TABLE_1))
    except ValidationError as error:
        raise SpecError(*(f"{where}, {line}" for line in mistakes(error, _OfSpec, table))) from None
    except SpecError as error:
        raise SpecError(f"{where}, architectures.{error}") from None
    made = {
        f"{name_of(place)}-{method}": make_variant(architecture, fields)
        for place, architecture in enumerate(drawn)
        for method, fields in among.methods.items()
    }
    written = table.get("variants", {})
    if not isinstance(written, dict):
        return table
    others = [name for name in written if name not in made]
    profiles = dict(table.get("profiles", {}))
    for profile, own in spec.profiles.items():
        if own.architectures is not None:
            selected = _select(own.architectures, drawn, among, f"{where}, profiles.{profile}.architectures")
            fields = {key: value for key, value in profiles[profile].items() if key != "architectures"}
            more = fields.get("variants", others)
            profiles[profile] = {**fields, "variants": [*selected, *more] if isinstance(more, list) else more}
    return {**table, "variants": merge(made, written), "profiles": profiles}


def _select(fitting: Fitting, drawn: Sequence[Architecture], among: Architectures, where: str) -> list[str]:
    """Returns the names of the variants whose architectures match, in drawn order."""
    methods = tuple(among.methods)
    for unknown in sorted(set(fitting.methods or ()).difference(methods)):
        raise SpecError(f"{where}.methods: no method {unknown!r}{suggest(unknown, methods)}")
    places = fitting.places(drawn, among.restrict(TABLE_1))
    if not places:
        raise SpecError(f"{where}: none of the {len(drawn)} drawn fits")
    chosen = [method for method in methods if fitting.methods is None or method in fitting.methods]
    return [f"{name_of(place)}-{method}" for place in places for method in chosen]
