"""Variants that a spec does not write out: random architectures, each under each of its methods.

::

    [architectures]
    n = 200            # drawn from table 1 of Gulrajani et al.; the same for the same seed, everywhere
    seed = 0

    [architectures.methods.wgan-gp]      # fields of a setting, and what is over them where the critic is normalised
    objective = "wasserstein"
    constraint = { name = "gradient_penalty", penalty_weight = 10.0 }
    normalised = { critic.norm = "layer", critic_optimizer.weight_decay = 1e-3 }

    [profiles.quick]
    architectures = { n = 20, depths = [4, 8, 12] }       # the first 20 of the 200 that fit
    generator.filters_divided_by = 8                      # 32, 64, 128 become 4, 8, 16
    critic.filters_divided_by = 8

The variants are ``a000-wgan-gp``, ``a001-wgan-gp``, …: ``a017`` is place 17 of the drawn list, under every profile.
What the file has in ``variants`` of the same name goes over them; its other variants stay in every profile. A seed of a
run is a seed of its training; that of the draw is the spec's.
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
        """``space`` with the values that are said here in the place of its own."""
        said = self.model_dump(include={"nonlinearities", "depths", "filters"}, exclude_none=True)
        return replace(space, **said)


class Architectures(_Restricted):
    """Random architectures, of which each makes a variant with each method.

    Attributes:
        n: How many are drawn.
        seed: Of the draw.
        methods: By name, fields of a setting; ``normalised`` has those that go over them where the critic is
            normalised.
        nonlinearities: Of generator and critic each; those of table 1 where it does not say, as for the next two.
        depths: Layers with weights.
        filters: Channels at the side of the images.
    """

    n: Places
    seed: NonNegativeInt = 0
    methods: Annotated[dict[Name, Method], Field(min_length=1)]


class Fitting(_Restricted):
    """Which of the drawn architectures a profile has.

    Attributes:
        n: The first so many of those that fit; all, where it does not say.
        nonlinearities: Those that fit, of generator and critic both; any where it does not say, as for the next two.
        depths: Layers with weights.
        filters: As they were drawn, not as they are divided.
        methods: With which of the methods; all, where it does not say.
    """

    n: Places | None = None
    methods: Annotated[list[Name], Field(min_length=1)] | None = None


class _OfProfile(Model):
    model_config = ConfigDict(extra="ignore")

    architectures: Fitting | None = None


class _OfSpec(Model):
    """What is read of a spec here; all else is told when the experiment is made."""

    model_config = ConfigDict(extra="ignore")

    architectures: Architectures
    profiles: dict[str, _OfProfile] = Field(default_factory=dict)


def with_drawn(table: Table, where: str) -> Table:
    """The table of a spec with its drawn variants written out, and in its profiles which variants they have.

    Args:
        where: What mistakes are told with.

    Raises:
        SpecError: With every mistake of what is drawn.
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
    """Names of the variants of those that fit, in their order."""
    space = fitting.within(among.within(TABLE_1))
    chosen = [name for name, architecture in drawn.items() if architecture in space][: fitting.n]
    methods = [method for method in among.methods if fitting.methods is None or method in fitting.methods]
    return [f"{name}-{method}" for name in chosen for method in methods]


def _joined(chosen: list[str], others: object) -> object:
    return [*chosen, *others] if isinstance(others, list) else others
