"""A setting: everything that affects the numbers of a run except its seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticKnownError

from wganbench.errors import SpecError
from wganbench.networks import cost
from wganbench.networks.cost import Cost
from wganbench.spec import catalogue
from wganbench.spec.component import RECORDED, Component, Kind
from wganbench.spec.measure_use import READ_BY, MeasureUse, expand_use, scale_of
from wganbench.spec.strict import LATER, Model, digest, omitted_if, short, suggest

TRAINED = (
    "generator",
    "generator_optimizer",
    "latent_dim",
    "unroll",
    "generator_batch_size",
    "generator_average",
    "critic_warmup",
)
"""Fields that a trained generator needs or may have."""

LOSSES = ("critic_loss", "generator_loss")
"""Curves that every run has in addition to its measures."""

MAX_STEPS = 10**9
MAX_MEASURES = 64
MAX_POINTS = 2000
"""The most scheduled points of all measures of a setting together: a record of 64 KB holds no more."""

APART = ("clouds", "pictures", "band")
"""Fields that change none of a run's numbers, and are no part of its id."""

Undone = BeforeValidator(lambda value: None if value == "none" else value)
"""Marks a field that is not a component and may be ``"none"`` to undo an inherited value."""

Label = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.:-]{0,99}$")]


class Unrolling(Model):
    """The generator looks ``steps`` critic steps ahead; only ``second`` order differentiates through them."""

    steps: PositiveInt
    order: Literal["first", "second"]


class CriticWarmup(Model):
    """More critic steps before some generator steps, as in the authors' code for Arjovsky et al. (2017): 100, 25, 500.

    Attributes:
        steps: The number of critic steps before such a generator step, instead of n_critic.
        first: The number of generator steps at the beginning of a run that have them.
        every: After those, each generator step has them that comes after a multiple of this number of steps.
    """

    steps: PositiveInt
    first: PositiveInt
    every: PositiveInt


class AuxiliaryClassifier(Model):
    """Weights of the class-label cross-entropy: of real samples in the critic's loss, of fakes in the generator's."""

    critic: catalogue.NonNegativeFloat = 1.0
    generator: catalogue.NonNegativeFloat = 0.1


class Band(Model):
    """The band of a measure that should fall, such as the estimate; a run that leaves it is reported while it trains.

    Attributes:
        of: The label of the measure.
        regain: The share of its own fall that the measure may regain, as ``regained`` counts it.
        skip: The fraction of the run's steps that is left out at the beginning, while the critic has not settled.
    """

    of: str
    regain: Annotated[float, Field(gt=0, le=10)] = 0.5
    skip: Annotated[float, Field(ge=0, lt=1)] = 0.05


class Setting(Model):
    """Everything that affects the numbers of a run except the seed.

    Attributes:
        data: The data set.
        fixed_generator: A fixed map from real samples to fake ones that replaces the generator, so that only the
            critic is trained and a step consists of its n_critic steps. The fields generator, generator_optimizer,
            latent_dim, critic_warmup, unroll, generator_batch_size and generator_average, which the variant may
            inherit, are then None. "none" undoes an inherited one.
        generator: The network that maps latent vectors to samples.
        critic: The network that maps a sample to one real number; for the classifier objectives this is the
            discriminator's logit.
        objective: The losses that the critic and the generator minimise.
        auxiliary_classifier: The weights of the class cross-entropies in both losses. If set, a class-conditional pair
            is trained whose critic has a second output that predicts the class (AC-GAN), and both networks must have
            the data set's classes. "none" undoes an inherited one.
        constraint: The constraint that keeps the critic Lipschitz, or a list of several: their penalties add up, and
            their projections are applied one after the other. "none" undoes an inherited one.
        project: The time at which weights are clipped or rescaled: before or after each critic step.
        pack: The number of samples that the critic judges together, joined along their first axis (PacGAN); it divides
            the batch sizes. "none" undoes an inherited one.
        updates: The order of the updates within a step: ``alternating``, the critic's before the generator's;
            ``generator_first``; or ``simultaneous``, both from the same parameters, with n_critic = 1.
        n_critic: The number of critic steps before each generator step; ignored if unroll is set.
        critic_warmup: More critic steps before some generator steps; "none" undoes an inherited one.
        unroll: Train the generator against the critic as it will be some steps ahead; "none" undoes an inherited one.
        generator_optimizer: The generator's optimiser.
        critic_optimizer: The critic's optimiser.
        lr_decay: The decay of both learning rates. ``linear``: step t of T, counted from 1, uses (1 − (t − 1)/T) of
            each rate. "none" undoes an inherited one.
        generator_average: The decay of an exponential moving average of the generator's parameters, in (0, 1). All
            measured and plotted samples come from the average; training uses the generator itself. "none" undoes an
            inherited one.
        instance_noise: The standard deviation, in the data's unit, of the normal noise that training adds to all real
            and fake samples that the critic scores; measures and pictures have none. "none" undoes an inherited one.
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
        band: The band of a measure; a run that leaves it is reported while it trains, and ``run --keep-weights`` keeps
            its last weights inside. "none" undoes an inherited one.
    """

    data: Annotated[Component, Kind("data set")]
    fixed_generator: Annotated[Component | None, Kind("fixed generator", optional=True), LATER] = None
    generator: Annotated[Component | None, Kind("network", optional=True), Field(validate_default=True)] = None
    critic: Annotated[Component, Kind("network")]
    objective: Annotated[Component, Kind("objective")]
    constraint: Annotated[Component | list[Component] | None, Kind("constraint", optional=True, several=True)] = None
    project: Literal["before", "after"] = "after"
    pack: Annotated[Annotated[int, Field(ge=2)] | None, Undone, LATER] = None
    updates: Annotated[Literal["alternating", "generator_first", "simultaneous"], omitted_if("alternating")] = (
        "alternating"
    )
    n_critic: PositiveInt = 1
    critic_warmup: Annotated[CriticWarmup | None, Undone, LATER] = None
    unroll: Annotated[Unrolling | None, Undone] = None
    auxiliary_classifier: Annotated[AuxiliaryClassifier | None, Undone, LATER] = None
    generator_optimizer: Annotated[Component | None, Kind("optimizer", optional=True), Field(validate_default=True)] = (
        None
    )
    critic_optimizer: Annotated[Component, Kind("optimizer")]
    lr_decay: Annotated[Literal["linear"] | None, Undone, LATER] = None
    generator_average: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Undone, LATER] = None
    instance_noise: Annotated[Annotated[float, Field(gt=0)] | None, Undone, LATER] = None
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
    band: Annotated[Band | None, Undone, LATER] = None

    @model_validator(mode="before")
    @classmethod
    def _drop_training_of_fixed_generators(cls, fields: object, info: ValidationInfo) -> object:
        if info.context == RECORDED or not isinstance(fields, Mapping):
            return fields
        if fields.get("fixed_generator") in (None, "none", {"name": "none"}):
            return fields
        return {**fields, **dict.fromkeys(TRAINED)}

    @field_validator(*TRAINED[:3])
    @classmethod
    def _require_trained_generator(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.data.get("fixed_generator", ...) is None:
            raise PydanticKnownError("missing")
        return value

    @field_validator("pictures", mode="before")
    @classmethod
    def _name_pictures(cls, pictures: object, info: ValidationInfo) -> object:
        if info.context == RECORDED or not isinstance(pictures, Mapping):
            return pictures
        return {
            label: {"name": label, **picture} if isinstance(picture, Mapping) else picture
            for label, picture in pictures.items()
        }

    @field_validator("measures", mode="before")
    @classmethod
    def _expand_uses(cls, uses: object, info: ValidationInfo) -> object:
        """Turns ``label = { points, options of the measure … }`` into ``MeasureUse``; ``name`` may be omitted."""
        if info.context == RECORDED or not isinstance(uses, Mapping):
            return uses
        if len(uses) > MAX_MEASURES:
            raise ValueError(f"{len(uses):,} of them; a setting has at most {MAX_MEASURES}")
        return {label: expand_use(label, use) if isinstance(use, Mapping) else use for label, use in uses.items()}

    @model_validator(mode="after")
    def _check_together(self, info: ValidationInfo) -> Setting:
        if info.context == RECORDED:
            return self
        problems = [
            *self._check_networks(),
            *self._check_classes(),
            *self._check_measures(),
            *self._check_scores(),
            *self._check_texts(),
            *self._check_held_out(),
            *self._check_order(),
            *self._check_unrolling(),
        ]
        if problems:
            raise ValueError("\n".join(problems))
        points = sum(use.points for use in self.measures.values())
        if points > MAX_POINTS:
            raise ValueError(f"measures: {points:,} points together; a record holds at most {MAX_POINTS:,}")
        return self

    @property
    def mean_n_critic(self) -> float:
        """The number of critic steps per generator step, on average over a run."""
        warmup = self.critic_warmup
        if warmup is None:
            return self.n_critic
        first = min(warmup.first, self.steps)
        later = len(range(-(-first // warmup.every) * warmup.every, self.steps, warmup.every))
        return self.n_critic + (warmup.steps - self.n_critic) * (first + later) / self.steps

    @property
    def classes(self) -> int | None:
        """The number of classes of a class-conditional pair; None for any other pair."""
        if self.auxiliary_classifier is None or self.generator is None:
            return None
        classes: int = self.generator.options["classes"]
        return classes

    def components(self) -> Iterator[tuple[str, str, Component]]:
        """Yields the field, such as ``measures.drift``, the kind and the component of every named object."""
        for name, kind in NAMED:
            component = getattr(self, name)
            for each in component if isinstance(component, list) else [component]:
                if each is not None:
                    yield name, kind, each
        for label, use in self.measures.items():
            yield f"measures.{label}", "measure", use.measure
        for label, component in (self.pictures or {}).items():
            yield f"pictures.{label}", "picture", component

    @property
    def constraints(self) -> list[Component]:
        """The constraints on the critic, in the order of the spec."""
        if self.constraint is None:
            return []
        return [*self.constraint] if isinstance(self.constraint, list) else [self.constraint]

    @property
    def is_penalised(self) -> bool:
        """True if every step computes a gradient penalty, as far as this is known before the objects are built."""
        return self.n_penalised > 0

    @property
    def n_penalised(self) -> int:
        """The number of gradients of the critic that are penalised in every step, as far as this is known."""
        entries = [catalogue.find("constraint", each.name) for each in self.constraints]
        return sum(entry.n_gradients for entry in entries if entry.role == "penalty")

    def judged_shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape of what the critic judges: that of a sample, or of several that are packed."""
        return sample if self.pack is None else (self.pack * sample[0], *sample[1:])

    @property
    def seeks_the_distance(self) -> bool:
        """True if a critic is trained alone under the two-sided penalty: its optimal gap is at least the distance."""
        two_sided = [each.name for each in self.constraints] == ["gradient_penalty"]
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
        shapes = ((self.latent_dim or 0,), sample) if role == "generator" else (self.judged_shape(sample), ())
        return cost.of_network(network.name, network.arguments, *shapes)

    def _check_networks(self) -> Iterator[str]:
        """Checks that the networks fit the samples, as far as this is known before they are built."""
        networks = {"generator": self.generator, "critic": self.critic}
        for role, network in networks.items():
            try:
                if network is not None:
                    self._cost(role)
            except SpecError as error:
                yield f"{role}: {error}"
        parts = self.generator.options.get("norm_batches", 1) if self.generator and not self.generator.is_custom else 1
        for key in ("batch_size", "generator_batch_size"):
            n = getattr(self, key)
            if n is not None and n % parts:
                yield f"generator.norm_batches: must divide {key} ({n:,}), got {parts:,}"
            if n is not None and self.pack is not None and n % self.pack:
                yield f"pack: must divide {key} ({n:,}), got {self.pack:,}"
        built_in = not self.critic.is_custom and any(
            catalogue.find("constraint", each.name).role == "penalty" for each in self.constraints if not each.is_custom
        )
        if built_in and self.critic.options.get("norm") == "batch":
            yield "critic.norm: 'batch' mixes rows, and a penalty is about each row's own gradient; use 'layer'"

    def _check_classes(self) -> Iterator[str]:
        """Checks that both networks have the data set's classes, as far as this is known before it is loaded."""
        networks = {role: getattr(self, role) for role in ("generator", "critic")}
        options = {role: network.options.get("classes") for role, network in networks.items() if network is not None}
        if self.auxiliary_classifier is None:
            for role, classes in options.items():
                if classes is not None and not networks[role].is_custom:
                    yield f"{role}.classes: nothing trains them without auxiliary_classifier; set it, or leave them out"
            return
        if self.fixed_generator is not None:
            yield "auxiliary_classifier: needs a generator of classes, which a fixed one is not; use 'none'"
            return
        if self.pack is not None:
            yield "auxiliary_classifier: predicts the class of a sample, and pack joins samples; set one to 'none'"
        if self.unroll is not None and self.unroll.order == "second":
            yield "auxiliary_classifier: is not written for unroll of second order; use order = 'first'"
        data = catalogue.find("data set", self.data.name)
        if not self.data.is_custom and not data.is_images:
            yield f"auxiliary_classifier: needs images with labels, and {self.data.name!r} has none"
            return
        known = data.classes
        for role, classes in options.items():
            if type(classes) is not int or classes < 2:
                yield f"{role}.classes: must be set where there is an auxiliary_classifier, to those of the data set"
            elif known is not None and classes != known:
                yield f"{role}.classes: must be the {known:,} of {self.data.name}, got {classes:,}"
            elif known is None and classes != options["generator"]:
                yield f"{role}.classes: must be the generator's ({short(options['generator'])}), got {classes:,}"

    def _check_unrolling(self) -> Iterator[str]:
        if self.critic_warmup is not None and self.unroll is not None:
            yield "critic_warmup: goes with n_critic, which unroll replaces; set one of the two to 'none'"
        elif self.critic_warmup is not None and self.critic_warmup.steps <= self.n_critic:
            yield f"critic_warmup.steps: must be above n_critic ({self.n_critic:,}), got {self.critic_warmup.steps:,}"
        if self.updates != "alternating" and (self.unroll is not None or self.fixed_generator is not None):
            yield f"updates: {self.updates!r} is for critic and generator steps in turns, without unroll"
        elif self.updates == "simultaneous" and (self.n_critic > 1 or self.critic_warmup is not None):
            yield "updates: 'simultaneous' is one update of each network; use n_critic = 1 and no critic_warmup"
        if self.unroll is None or self.unroll.order != "second":
            return
        if self.critic.options.get("spectral_norm") and not self.critic.is_custom:
            yield "unroll: second order is written for a critic without spectral_norm"
        if self.critic_optimizer.name != "adam":
            yield f"unroll: second order is written for critic_optimizer 'adam', got {self.critic_optimizer.name!r}"
        elif self.critic_optimizer.options.get("weight_decay"):
            yield "unroll: second order is written for a critic_optimizer without weight_decay"

    def _check_measures(self) -> Iterator[str]:
        """Checks that the setting has what its measures read, as far as this is known before anything is built."""
        hidden = len(self.critic.options["hidden"]) if self.critic.name == "mlp" else math.inf
        for label, use in self.measures.items():
            entry = use.entry
            if hidden < entry.hidden_layers:
                yield f"measures.{label}: needs a critic of at least {entry.hidden_layers} hidden layers, got {hidden}"
            if use.measure.name == "exact_wasserstein" and use.measure.options["samples"] > self.measured_samples:
                bound = f"measured_samples ({self.measured_samples:,})"
                yield f"measures.{label}.samples: must be at most {bound}, got {use.measure.options['samples']:,}"
            if entry.classified and self.auxiliary_classifier is None:
                yield f"measures.{label}: reads the critic's classes, and the setting has no auxiliary_classifier"

    def _check_scores(self) -> Iterator[str]:
        """Checks that there is a score network, and a generator to score, where measures or pictures read them."""
        for place, kind, component in self.components():
            if not catalogue.find(kind, component.name).scored:
                continue
            if self.score is None:
                yield f"{place}: reads a score network, and the setting has none; set score"
            if self.fixed_generator is not None:
                yield f"{place}: scores what a generator makes, which a fixed generator is not; leave it out"

    def _check_texts(self) -> Iterator[str]:
        """Checks that the data set is a text where measures or pictures read one; a custom set may be one."""
        for place, kind, component in self.components():
            if catalogue.find(kind, component.name).of_text and self.data.name != "text" and not self.data.is_custom:
                yield f"{place}: {component.name!r} reads a text, and {self.data.name!r} is none"

    def _check_held_out(self) -> Iterator[str]:
        """Checks that a part of the images is held out where a measure reads it; a custom set may hold out its own."""
        for label, use in self.measures.items():
            if use.entry.of_held_out and not self.data.is_custom and self.data.options.get("held_out") is None:
                yield f"measures.{label}: reads images kept from training; set data.held_out, such as 0.1"

    def _check_order(self) -> Iterator[str]:
        """Checks that a measure that reads other curves comes after them in the spec, and that their units match."""
        before: dict[str, str] = dict.fromkeys(LOSSES, "")
        for label, use in self.measures.items():
            unit = scale_of(use).unit
            for option in use.entry.reads:
                of = use.measure.options[option]
                if use.measure.name == "remaining" and of in self.measures and self.measures[of].points == 1:
                    yield f"measures.{label}.{option}: {short(of)} is taken at the last step alone; give it 2 points"
                if of not in before:
                    known = suggest(of, before.keys() - {*LOSSES}) or "; it must come after the measures that it reads"
                    yield f"measures.{label}.{option}: no measure {short(of)} before it{known}"
                elif use.entry.alike and before[of] != unit:
                    yield f"measures.{label}.{option}: must be a measure in the unit {unit!r}, got {short(of)}"
            before[label] = unit
        if self.band is not None and self.band.of not in self.measures:
            yield f"band.of: no measure {short(self.band.of)}{suggest(self.band.of, self.measures)}"


NAMED = tuple(
    (name, mark.name)
    for name, field in Setting.model_fields.items()
    for mark in field.metadata
    if isinstance(mark, Kind)
)
"""The fields that hold components, each with their kind."""


def family(variant: str, setting: Setting) -> str:
    """Returns the setting id: the variant and ten digits of a hash over everything that affects its numbers.

    Values of None are omitted, so that an option added later does not change old ids if its default is None. What is
    kept only for figures and the keys that describe how custom measures are read are omitted too.
    """
    content = setting.model_dump(mode="json", exclude={*APART})
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
