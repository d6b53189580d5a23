"""Variants that a spec does not write out: random architectures, each combined with every method.

::

    [architectures]
    n = 200            # drawn from table 1 of Gulrajani et al.; the same seed gives the same draw on every machine
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
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from wganbench.errors import SpecError
from wganbench.spec.architectures import TABLE_1, Architecture, Space, draw, named, parts
from wganbench.spec.overrides import merge
from wganbench.spec.strict import Model, Name, Table, mistakes, short, suggest

Places = Annotated[int, Field(ge=1, le=1000)]
Values = Annotated[list[PositiveInt], Field(min_length=1, max_length=6)]
Nonlinearity = Literal["relu", "leaky_relu", "softplus", "tanh", "elu"]


def _has_a_table(method: Table) -> Table:
    if not isinstance(method.get("normalised", {}), dict):
        raise ValueError(f"normalised: must be a table, got {short(method['normalised'])}")
    return method


Method = Annotated[Table, AfterValidator(_has_a_table)]


class _Restricted(Model):
    nonlinearities: Annotated[list[Nonlinearity], Field(min_length=1)] | None = None
    depths: Values | None = None
    filters: Values | None = None

    def within(self, space: Space) -> Space:
        """Returns ``space`` with the values that are given here instead of its own."""
        said = self.model_dump(include={"nonlinearities", "depths", "filters"}, exclude_none=True)
        return replace(space, **said)


class Architectures(_Restricted):
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


class Fitting(_Restricted):
    """A selection of the drawn architectures for a profile.

    Attributes:
        n: The number of matching architectures to take, from the first; all by default.
        nonlinearities: The nonlinearities that match, for both generator and critic; any by default, as for depths and
            filters.
        depths: The numbers of layers with weights that match.
        filters: The numbers of channels that match, as drawn, before ``filters_divided_by`` applies.
        methods: The methods to combine them with; all by default.
    """

    n: Places | None = None
    methods: Annotated[list[Name], Field(min_length=1)] | None = None


class _OfProfile(Model):
    model_config = ConfigDict(extra="ignore")

    architectures: Fitting | None = None


class _OfSpec(Model):
    """The part of a spec that is read here; all other mistakes are reported when the experiment is built."""

    model_config = ConfigDict(extra="ignore")

    architectures: Architectures
    profiles: dict[str, _OfProfile] = Field(default_factory=dict)


def with_drawn(table: Table, where: str) -> Table:
    """Returns the table of a spec with its drawn variants written out, and with the variants that its profiles select.

    Args:
        where: The prefix of every message.

    Raises:
        SpecError: If the architectures cannot be drawn as specified; lists every mistake.
    """
    if "architectures" not in table:
        return table
    try:
        read = _OfSpec.model_validate(table)
        among = read.architectures
        drawn = named(draw(among.n, among.seed, among.within(TABLE_1)))
    except ValidationError as error:
        raise SpecError(*(f"{where}, {line}" for line in mistakes(error, _OfSpec, table))) from None
    except SpecError as error:
        raise SpecError(f"{where}, architectures.{error}") from None
    made = {
        f"{name}-{method}": reduce(merge, parts(architecture, fields))
        for name, architecture in drawn.items()
        for method, fields in among.methods.items()
    }
    written = table.get("variants", {})
    if not isinstance(written, dict):
        return table
    others = [name for name in written if name not in made]
    profiles = dict(table.get("profiles", {}))
    for name, own in read.profiles.items():
        if own.architectures is not None:
            strange = sorted(set(own.architectures.methods or ()) - among.methods.keys())
            if strange:
                known = suggest(strange[0], tuple(among.methods))
                raise SpecError(f"{where}, profiles.{name}.architectures.methods: no method {strange[0]!r}{known}")
            chosen = _fitting(own.architectures, drawn, among)
            if not chosen:
                raise SpecError(f"{where}, profiles.{name}.architectures: none of the {len(drawn)} drawn fits")
            rest = {key: value for key, value in profiles[name].items() if key != "architectures"}
            profiles[name] = {**rest, "variants": _joined(chosen, rest.get("variants", others))}
    return {**table, "variants": merge(made, written), "profiles": profiles}


def _fitting(fitting: Fitting, drawn: Mapping[str, Architecture], among: Architectures) -> list[str]:
    """Returns the names of the variants whose architectures match, in drawn order."""
    space = fitting.within(among.within(TABLE_1))
    chosen = [name for name, architecture in drawn.items() if architecture in space][: fitting.n]
    methods = [method for method in among.methods if fitting.methods is None or method in fitting.methods]
    return [f"{name}-{method}" for name in chosen for method in methods]


def _joined(chosen: list[str], others: object) -> object:
    return [*chosen, *others] if isinstance(others, list) else others
