"""A setting: everything that affects the numbers of a run except its seed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from wganbench.errors import SpecError
from wganbench.networks import cost
from wganbench.networks.cost import Cost
from wganbench.spec import catalogue
from wganbench.spec.strict import (
    MAX_FLOAT,
    Model,
    Table,
    Text,
    digest,
    mistakes,
    odd_values,
    omitted_if,
    short,
    suggest,
)

RECORDED = {"recorded": True}
"""Validation context for a setting read from a record: it was resolved against the catalogue when it was made."""

TRAINED = ("generator", "generator_optimizer", "latent_dim", "unroll", "generator_batch_size", "generator_average")
"""Fields that a trained generator needs or may have."""

READ_BY = ("better", "bounded", "worst", "unit")
"""Keys beside a custom measure that describe how its numbers are read."""

LOSSES = ("critic_loss", "generator_loss")
"""Curves that every run has in addition to its measures."""

MAX_STEPS = 10**9
MAX_MEASURES = 64
MAX_POINTS = 2000
"""The most scheduled points of all measures of a setting together: a record of 64 KB holds no more."""


class Component(Model):
    """A named object and its options, with all defaults filled in; in TOML, a bare name or a table with ``name``."""

    name: str
    protocol: PositiveInt
    options: Table

    @field_validator("options")
    @classmethod
    def _can_be_written(cls, options: Table) -> Table:
        problems = list(odd_values(options))
        if problems:
            raise ValueError("\n".join(problems))
        return options

    @property
    def arguments(self) -> Table:
        """The options as keyword arguments of the object; a built-in network gets its filters divided."""
        return self.options if catalogue.is_dotted(self.name) else catalogue.divide_filters(self.options)

    @classmethod
    def resolve(cls, kind: str, value: object) -> Component:
        """Checks a spec's name and options against the catalogue.

        Raises:
            ValueError: If the name or an option is wrong; lists every mistake, one per line, with the nearest name.
        """
        table = {"name": value} if isinstance(value, str) else value
        if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
            raise ValueError(f"must be the {kind}'s name, or a table with one, got {short(value)}")
        name = table["name"]
        if len(name) > 200:
            raise ValueError(f"unknown {kind} {short(name)}")
        entry = catalogue.find(kind, name)
        options = {key: item for key, item in table.items() if key != "name"}
        try:
            if catalogue.is_dotted(name):
                return cls(name=name, protocol=options.pop("protocol", 1), options=options)
            # Validate via JSON: strict mode then rejects "5" and true as numbers but still accepts a list as a tuple.
            checked = entry.options.model_validate_json(json.dumps(options), strict=True)
        except ValidationError as error:
            raise ValueError("\n".join(mistakes(error, cls if catalogue.is_dotted(name) else entry.options))) from None
        return cls(name=name, protocol=entry.protocol, options=checked.model_dump(mode="json"))


@dataclass(frozen=True)
class Kind:
    """Marks a field as a component of this kind; an ``optional`` one may be ``"none"`` to undo an inherited value."""

    name: str
    optional: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._resolve, handler(source))

    def _resolve(self, value: object, info: ValidationInfo) -> object:
        if isinstance(value, Component) or info.context == RECORDED:
            return value
        if self.optional and value in (None, "none", {"name": "none"}):
            return None
        return Component.resolve(self.name, value)


Undone = BeforeValidator(lambda value: None if value == "none" else value)
"""Marks a field that is not a component and may be ``"none"`` to undo an inherited value."""

LATER = omitted_if(None)
"""Marks a field that was added after the first records."""

Label = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.:-]{0,99}$")]


class Unrolling(Model):
    """The generator looks ``steps`` critic steps ahead; only ``second`` order differentiates through them."""

    steps: PositiveInt
    order: Literal["first", "second"]


class AuxiliaryClassifier(Model):
    """Weights of the class-label cross-entropy: of real samples in the critic's loss, of fakes in the generator's."""

    critic: catalogue.NonNegativeFloat = 1.0
    generator: catalogue.NonNegativeFloat = 0.1


class MeasureUse(Model):
    """A measure, its schedule and, for a custom measure, how its numbers are read.

    The keys that describe how numbers are read do not change the numbers. They are therefore kept in records but are
    not part of a run's id, and may be added or corrected after the runs; reports read the records by the current spec.

    Attributes:
        points: The approximate number of scheduled steps, the first and the last included; 1 means the last step only.
        spacing: The spacing of the scheduled steps. ``mixed``: half of them are regular, half logarithmic; ``even``:
            all are regular.
        better: For a custom measure: the better direction, ``high`` or ``low``. Without it, no variant can be better
            on the measure.
        bounded: For a custom measure: whether it is a count, a share or otherwise bounded, so that its claims are
            judged by permutation, sign and binomial tests and not by t. True by default.
        worst: For a custom measure with ``better``: the score assigned to a diverged run; infinite by default.
        unit: For a custom measure: the unit, for tables and the axis of a plot.
    """

    measure: Annotated[Component, Kind("measure")]
    points: Annotated[int, Field(ge=1, le=1000)] = 100
    spacing: Annotated[Literal["mixed", "even"], omitted_if("mixed")] = "mixed"
    better: Annotated[Literal["high", "low"] | None, LATER] = None
    bounded: Annotated[bool | None, LATER] = None
    worst: Annotated[Annotated[float, Field(ge=-MAX_FLOAT, le=MAX_FLOAT)] | None, LATER] = None
    unit: Annotated[Annotated[Text, Field(max_length=40)] | None, LATER] = None

    @model_validator(mode="after")
    def _check_how_it_is_read(self, info: ValidationInfo) -> MeasureUse:
        given = [key for key in READ_BY if getattr(self, key) is not None]
        if info.context == RECORDED or not given:
            return self
        if not catalogue.is_dotted(self.measure.name):
            raise ValueError(f"{self.measure.name!r} is built in and has {given[0]!r} of its own; leave it out")
        if self.worst is not None and self.better is None:
            raise ValueError(f"worst = {self.worst:g} means nothing without better; set better to 'high' or 'low'")
        return self


GAPS = ("gap_over_exact", "gap_over_distance")
"""Labels of the measures that divide a critic's gap by the exact distance."""

SCHEDULED = ("points", "spacing")
"""Keys beside a measure's options that say when it is taken."""


class Setting(Model):
    """Everything that affects the numbers of a run except the seed.

    Attributes:
        data: The data set.
        fixed_generator: A fixed map from real samples to fake ones that replaces the generator, so that only the
            critic is trained and a step consists of its n_critic steps. The fields generator, generator_optimizer,
            latent_dim, unroll, generator_batch_size and generator_average, which the variant may inherit, are then
            None. "none" undoes an inherited one.
        generator: The network that maps latent vectors to samples.
        critic: The network that maps a sample to one real number; for the classifier objectives this is the
            discriminator's logit.
        objective: The losses that the critic and the generator minimise.
        auxiliary_classifier: The weights of the class cross-entropies in both losses. If set, a class-conditional pair
            is trained whose critic has a second output that predicts the class (AC-GAN), and both networks must have
            the data set's classes. "none" undoes an inherited one.
        constraint: The constraint that keeps the critic Lipschitz; "none" undoes an inherited one.
        project: The time at which weights are clipped or rescaled: before or after each critic step.
        n_critic: The number of critic steps before each generator step; ignored if unroll is set.
        unroll: Train the generator against the critic as it will be some steps ahead; "none" undoes an inherited one.
        generator_optimizer: The generator's optimiser.
        critic_optimizer: The critic's optimiser.
        lr_decay: The decay of both learning rates. ``linear``: step t of T, counted from 1, uses (1 − (t − 1)/T) of
            each rate. "none" undoes an inherited one.
        generator_average: The decay of an exponential moving average of the generator's parameters, in (0, 1). All
            measured and plotted samples come from the average; training uses the generator itself. "none" undoes an
            inherited one.
        latent_dim: The length of the latent vector.
        batch_size: The number of real samples, and of fake samples, in a step.
        generator_batch_size: The number of samples in the generator's own step, if it differs from batch_size.
        steps: The number of generator steps of a run.
        precision: The precision of training: ``fp32``; ``tf32``, used for multiplications and convolutions on CUDA; or
            ``bf16``, used for calls of the networks. Losses, norms, means, optimisers and all measures use fp32 in
            every case.
        measured_samples: The number of generated samples that the measures see.
        score: The network that image scores come from; "none" undoes an inherited one.
        measures: The measures, by label; a label is a measure's name, or any word if ``name`` is given beside it.
        clouds: The times, as fractions of the steps, at which a variant's first seed keeps its samples for a figure;
            for images, a grid made from the same latent vectors each time.
        pictures: The arrays that every seed keeps for a figure at those times, by label; labels work as in measures.
    """

    data: Annotated[Component, Kind("data set")]
    fixed_generator: Annotated[Component | None, Kind("fixed generator", optional=True), LATER] = None
    generator: Annotated[Component | None, Kind("network", optional=True), Field(validate_default=True)] = None
    critic: Annotated[Component, Kind("network")]
    objective: Annotated[Component, Kind("objective")]
    constraint: Annotated[Component | None, Kind("constraint", optional=True)] = None
    project: Literal["before", "after"] = "after"
    n_critic: PositiveInt = 1
    unroll: Annotated[Unrolling | None, Undone] = None
    auxiliary_classifier: Annotated[AuxiliaryClassifier | None, Undone, LATER] = None
    generator_optimizer: Annotated[Component | None, Kind("optimizer", optional=True), Field(validate_default=True)] = (
        None
    )
    critic_optimizer: Annotated[Component, Kind("optimizer")]
    lr_decay: Annotated[Literal["linear"] | None, Undone, LATER] = None
    generator_average: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Undone, LATER] = None
    latent_dim: Annotated[PositiveInt | None, Field(validate_default=True)] = None
    batch_size: PositiveInt
    generator_batch_size: Annotated[PositiveInt | None, LATER] = None
    steps: Annotated[int, Field(gt=0, le=MAX_STEPS)]
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    measured_samples: PositiveInt = 2500
    score: Annotated[Component | None, Kind("score", optional=True), LATER] = None
    measures: dict[Label, MeasureUse]
    clouds: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(max_length=16)] = Field(default_factory=list)
    pictures: Annotated[dict[Label, Annotated[Component, Kind("picture")]] | None, LATER, Field(max_length=16)] = None

    @model_validator(mode="before")
    @classmethod
    def _fixed_generators_are_not_trained(cls, fields: object, info: ValidationInfo) -> object:
        if info.context == RECORDED or not isinstance(fields, Mapping):
            return fields
        if fields.get("fixed_generator") in (None, "none", {"name": "none"}):
            return fields
        return {**fields, **dict.fromkeys(TRAINED)}

    @field_validator(*TRAINED[:3])
    @classmethod
    def _a_generator_that_is_trained_is_given(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.data.get("fixed_generator", ...) is None:
            raise PydanticKnownError("missing")
        return value

    @field_validator("pictures", mode="before")
    @classmethod
    def _pictures_are_named_by_their_labels(cls, pictures: object, info: ValidationInfo) -> object:
        if info.context == RECORDED or not isinstance(pictures, Mapping):
            return pictures
        return {
            label: {"name": label, **about} if isinstance(about, Mapping) else about
            for label, about in pictures.items()
        }

    @field_validator("measures", mode="before")
    @classmethod
    def _labels_are_names(cls, uses: object, info: ValidationInfo) -> object:
        """Turns ``label = { points, options of the measure … }`` into ``MeasureUse``; ``name`` may be omitted."""
        if info.context == RECORDED or not isinstance(uses, Mapping):
            return uses
        if len(uses) > MAX_MEASURES:
            raise ValueError(f"{len(uses):,} of them; a setting has at most {MAX_MEASURES}")
        return {label: _with_name(label, use) if isinstance(use, Mapping) else use for label, use in uses.items()}

    @model_validator(mode="after")
    def _check_together(self, info: ValidationInfo) -> Setting:
        if info.context == RECORDED:
            return self
        problems = [
            *self._about_the_networks(),
            *self._about_the_critic(),
            *self._about_the_classes(),
            *self._about_the_samples(),
            *self._about_what_is_read(),
            *self._about_unrolling(),
        ]
        if problems:
            raise ValueError("\n".join(problems))
        points = sum(use.points for use in self.measures.values())
        if points > MAX_POINTS:
            raise ValueError(f"measures: {points:,} points together; a record holds at most {MAX_POINTS:,}")
        return self

    @property
    def classes(self) -> int | None:
        """The number of classes of a class-conditional pair; None for any other pair."""
        if self.auxiliary_classifier is None or self.generator is None:
            return None
        classes: int = self.generator.options["classes"]
        return classes

    def components(self) -> Iterator[tuple[str, str, Component]]:
        """Yields the field, such as ``measures.drift``, the kind and the component of every named object."""
        for field, about in type(self).model_fields.items():
            component = getattr(self, field)
            for kind in (mark for mark in about.metadata if isinstance(mark, Kind)):
                if component is not None:
                    yield field, kind.name, component
        for label, use in self.measures.items():
            yield f"measures.{label}", "measure", use.measure
        for label, component in (self.pictures or {}).items():
            yield f"pictures.{label}", "picture", component

    @property
    def is_penalised(self) -> bool:
        """True if every step computes a gradient penalty, as far as this is known before the objects are built."""
        return self.constraint is not None and catalogue.find("constraint", self.constraint.name).role == "penalty"

    @property
    def seeks_the_distance(self) -> bool:
        """True if a critic is trained alone under the two-sided penalty: its optimal gap is at least the distance."""
        two_sided = self.constraint is not None and self.constraint.name == "gradient_penalty"
        return two_sided and self.fixed_generator is not None and self.objective.name == "wasserstein"

    def costs(self) -> dict[str, Cost] | None:
        """Returns the cost of the critic and of the generator if one is trained; None if a cost is unknown.

        The cost of a custom network is unknown, and so is any cost if the spec does not give the shape of the samples.

        Raises:
            SpecError: If a network does not fit the samples; a validated setting never raises it.
        """
        found = {role: self._cost(role) for role in ("generator", "critic") if getattr(self, role) is not None}
        known = {role: one for role, one in found.items() if one is not None}
        return known if len(known) == len(found) else None

    def _cost(self, role: str) -> Cost | None:
        network: Component = getattr(self, role)
        sample = catalogue.sample_shape(self.data.name, self.data.options)
        if sample is None:
            return None
        shapes = ((self.latent_dim or 0,), sample) if role == "generator" else (sample, ())
        return cost.of_network(network.name, network.arguments, *shapes)

    def _about_the_networks(self) -> Iterator[str]:
        """Checks that the networks fit the samples, as far as this is known before they are built."""
        for role in ("generator", "critic"):
            try:
                if getattr(self, role) is not None:
                    self._cost(role)
            except SpecError as error:
                option = str(error).partition(":")[0]
                yield f"{role}.{error}" if option in getattr(self, role).options else f"{role}: {error}"
        ours = self.generator if self.generator and not catalogue.is_dotted(self.generator.name) else None
        parts = ours.options.get("norm_batches", 1) if ours else 1
        for key in ("batch_size", "generator_batch_size"):
            n = getattr(self, key)
            if n is not None and n % parts:
                yield f"generator.norm_batches: must divide {key} ({n:,}), got {parts:,}"
        penalised = self.constraint is not None and not catalogue.is_dotted(self.constraint.name) and self.is_penalised
        if penalised and self.critic.options.get("norm") == "batch" and not catalogue.is_dotted(self.critic.name):
            yield "critic.norm: 'batch' mixes rows, and a penalty is about each row's own gradient; use 'layer'"

    def _about_the_classes(self) -> Iterator[str]:
        """Checks that both networks have the data set's classes, as far as this is known before it is loaded."""
        networks = {role: getattr(self, role) for role in ("generator", "critic")}
        options = {role: network.options.get("classes") for role, network in networks.items() if network is not None}
        if self.auxiliary_classifier is None:
            for role, classes in options.items():
                if classes is not None and not catalogue.is_dotted(networks[role].name):
                    yield f"{role}.classes: nothing trains them without auxiliary_classifier; set it, or leave them out"
            return
        if self.fixed_generator is not None:
            yield "auxiliary_classifier: needs a generator of classes, which a fixed one is not; use 'none'"
            return
        if self.unroll is not None and self.unroll.order == "second":
            yield "auxiliary_classifier: is not written for unroll of second order; use order = 'first'"
        if not catalogue.is_dotted(self.data.name) and not catalogue.find("data set", self.data.name).is_images:
            yield f"auxiliary_classifier: needs images with labels, and {self.data.name!r} has none"
            return
        known = catalogue.find("data set", self.data.name).classes
        for role, classes in options.items():
            if type(classes) is not int or classes < 2:
                yield f"{role}.classes: must be set where there is an auxiliary_classifier, to those of the data set"
            elif known is not None and classes != known:
                yield f"{role}.classes: must be the {known:,} of {self.data.name}, got {classes:,}"
            elif known is None and classes != options["generator"]:
                yield f"{role}.classes: must be the generator's ({short(options['generator'])}), got {classes:,}"

    def _about_unrolling(self) -> Iterator[str]:
        if self.unroll is None or self.unroll.order != "second":
            return
        if self.critic_optimizer.name != "adam":
            yield f"unroll: second order is written for critic_optimizer 'adam', got {self.critic_optimizer.name!r}"
        elif self.critic_optimizer.options.get("weight_decay"):
            yield "unroll: second order is written for a critic_optimizer without weight_decay"

    def _about_the_critic(self) -> Iterator[str]:
        """Checks that the critic has the layers that a measure reads, as far as this is known before it is built."""
        if self.critic.name != "mlp":
            return
        hidden = len(self.critic.options["hidden"])
        for label, use in self.measures.items():
            needed = catalogue.find("measure", use.measure.name).hidden_layers
            if hidden < needed:
                yield f"measures.{label}: needs a critic of at least {needed} hidden layers, got {hidden}"

    def _about_what_is_read(self) -> Iterator[str]:
        """Checks that a measure that reads other curves comes after them in the spec, and that their units match."""
        before: list[str] = []
        for label, use in self.measures.items():
            entry = catalogue.find("measure", use.measure.name)
            for option in entry.reads:
                of = use.measure.options[option]
                unit = scale_of(self.measures[of]).unit if of in before else ""
                if of not in before and of not in LOSSES:
                    known = suggest(of, tuple(before)) or "; it must stand behind what it reads"
                    yield f"measures.{label}.{option}: no measure {short(of)} before it{known}"
                elif entry.alike and entry.scale and unit != entry.scale.unit:
                    yield f"measures.{label}.{option}: {short(of)} is no {entry.scale.unit}, which it must be"
            before.append(label)

    def _about_the_samples(self) -> Iterator[str]:
        for label, use in self.measures.items():
            samples = use.measure.options.get("samples", 0)
            if use.measure.name == "exact_wasserstein" and samples > self.measured_samples:
                bound = f"measured_samples ({self.measured_samples:,})"
                yield f"measures.{label}.samples: must be at most {bound}, got {samples:,}"
            if catalogue.find("measure", use.measure.name).classified and self.auxiliary_classifier is None:
                yield f"measures.{label}: reads the critic's classes, and the setting has no auxiliary_classifier"
            if catalogue.find("measure", use.measure.name).scored:
                yield from self._about_the_score(label)

    def _about_the_score(self, label: str) -> Iterator[str]:
        if self.score is None:
            yield f"measures.{label}: reads a score network, and the setting has none; set score"
        if self.fixed_generator is not None:
            yield f"measures.{label}: scores what a generator makes, which a fixed generator is not; leave it out"


def _with_name(label: str, use: Mapping[str, Any]) -> Table:
    about = {key: item for key, item in use.items() if key in (*SCHEDULED, *READ_BY)}
    return {"measure": {"name": label, **{key: item for key, item in use.items() if key not in about}}, **about}


def about_gaps(settings: Mapping[str, Setting | None]) -> Iterator[str]:
    """Yields the reasons why a claim with ``gap_at_least`` has no gap to read.

    Args:
        settings: The settings of the claim's variants; None for one that cannot be resolved.
    """
    alone = {variant: setting for variant, setting in settings.items() if setting and setting.seeks_the_distance}
    if not alone and all(settings.values()):
        yield "gap_at_least: no variant trains a critic alone under the two-sided penalty"
    for variant, setting in alone.items():
        if not setting.measures.keys() & set(GAPS):
            yield f"variant {variant!r} measures neither of {', '.join(GAPS)}, which gap_at_least is about"


def scale_of(use: MeasureUse, data: Component | None = None) -> catalogue.Scale:
    """Returns how the numbers of a measure are read; a name that has left the catalogue is read as a custom measure.

    Args:
        data: The setting's data set. If given, a ``worst`` that depends on the number of modes is computed for it: the
            reverse KL of samples that all lie at one of n equally weighted modes is log n, and no samples score more.
            If the spec does not state n, as for a custom data set, ``worst`` stays infinite.
    """
    entry = catalogue.NAMES["measure"].get(use.measure.name)
    if entry and entry.scale:
        modes = (
            catalogue.n_modes(data.name, data.options) if data is not None and entry.scale.worst_is_log_modes else None
        )
        return entry.scale if modes is None else replace(entry.scale, worst=math.log(modes))
    custom = catalogue.CUSTOM
    if use.better is not None:
        high = use.better == "high"
        worst = use.worst if use.worst is not None else -math.inf if high else math.inf
        custom = replace(custom, higher_is_better=high, worst=worst)
    return replace(
        custom,
        bounded=custom.bounded if use.bounded is None else use.bounded,
        unit=custom.unit if use.unit is None else use.unit,
    )


def is_timed(use: MeasureUse) -> bool:
    """Returns whether a measure reads the clock, which all seeds that train together share."""
    entry = catalogue.NAMES["measure"].get(use.measure.name)
    return entry is not None and entry.timed


def family(variant: str, setting: Setting) -> str:
    """Returns the setting id: the variant and ten digits of a hash over everything that affects its numbers.

    Values of None are omitted, so that an option added later does not change old ids if its default is None. What is
    kept only for figures and the keys that describe how custom measures are read are omitted too.
    """
    content = setting.model_dump(mode="json", exclude={"clouds", "pictures"})
    content["measures"] = {
        label: {key: item for key, item in use.items() if key not in READ_BY}
        for label, use in content["measures"].items()
    }
    return f"{variant}-{digest(_without_none(content))}"


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value
