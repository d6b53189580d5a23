"""Checks before any training that the objects of settings can be made, fit together, and conform."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as field_of
from functools import partial
from pathlib import Path
from typing import Any

import torch

from wganbench.data.contract import NEEDED, check_toy_data_set
from wganbench.data.images import Images
from wganbench.errors import ExtensionError, SpecError
from wganbench.measures.scores.network_outputs import ScoreNetwork
from wganbench.records.custom_code import import_folders
from wganbench.runner import conformance
from wganbench.runner.build import make_trainer
from wganbench.runner.evaluation import Evaluator
from wganbench.runner.findings import Add, Finding, collect
from wganbench.runner.import_path import add_import_folders
from wganbench.runner.resolve import (
    check_signature,
    constraint,
    described,
    factory,
    inputs_of,
    measure,
    objective,
    picture,
    score,
)
from wganbench.runner.trace import Trace
from wganbench.spec import Component, Setting, catalogue
from wganbench.spec.plan import Run

SCORED = ("seen", "seen_real")
"""The inputs of measures that read a score network."""
UNTRIED = {*SCORED, "curves", "classify", "held_out", "real_labels", "fake_labels"}
"""The inputs that do not exist before the training or take too long to make."""

MEANS_OF_SCORES = ("wasserstein_estimate", "held_out_estimate")
"""The measures that read a critic's mean scores alone."""

Warn = Callable[[str, str], None]
"""Called with a place in the spec and the possible problem there."""


@dataclass
class _Use:
    """A custom component with the variants that use it in one field; ``run`` is of the first variant."""

    field: str
    kind: str
    component: Component
    run: Run
    variants: list[str] = field_of(default_factory=list)

    @property
    def place(self) -> str:
        """The spec's file and the field, for messages."""
        more = len(self.variants) - 1
        field = f" and {more} more, {self.field}" if more else f".{self.field}"
        return f"{Path(self.run.spec_path).name}, variants.{self.variants[0]}{field}"


def check(runs: Sequence[Run], warn: Warn = lambda place, text: None, *, device: torch.device | None = None) -> None:
    """Checks everything about the settings of ``runs`` that can be checked before training.

    Args:
        runs: The runs to check.
        warn: Called for what may be intended, but is more likely a mistake.
        device: The device to call custom objects on: that of the training if it is in this process. None if the
            training may be on another device; the objects are then called on the CPU, and failed calls are warnings.

    Raises:
        DataError: If a score's weights or an image set cannot be obtained, or the images do not suit the score network
            or have other classes than the networks.
        ExtensionError: If custom objects cannot be imported, do not accept their inputs, or would make numbers wrong;
            one line per object, however many variants and seeds use it.
        SpecError: If a measure needs more than the fixed generator or the score network provides, or there are too few
            images for a batch or a measure.
    """
    check_signatures(runs)
    uses = _custom(runs, _context)
    _check_conformance([use for use in uses if use.kind == "data set"], warn, device)
    _check_together({run.family: run.setting for run in runs}.values())
    _check_conformance([use for use in uses if use.kind != "data set"], warn, device)


def check_signatures(runs: Iterable[Run]) -> None:
    """Imports every custom object, and checks that it accepts its inputs and options.

    Raises:
        ExtensionError: If any object does not; one line per object, however many variants and seeds use it.
    """
    problems = []
    for use in _custom(runs, lambda kind, setting: ()):
        add_import_folders(import_folders(use.run.spec_path))
        try:
            check_signature(use.kind, use.component)
        except ExtensionError as error:
            problems.append(f"{use.place}: {error}")
    if problems:
        raise ExtensionError("\n".join(problems))


Context = Callable[[str, Setting], tuple[object, ...]]


def _custom(runs: Iterable[Run], context: Context) -> list[_Use]:
    """Returns the custom components of ``runs``, each once for all settings with the same ``context``."""
    found: dict[tuple[object, ...], _Use] = {}
    for run in {run.family: run for run in runs}.values():
        for place, kind, component in run.setting.components():
            if catalogue.is_dotted(component.name):
                key = (place, component.model_dump_json(), *context(kind, run.setting))
                use = found.setdefault(key, _Use(place, kind, component, run))
                use.variants += [run.variant] if run.variant not in use.variants else []
    return list(found.values())


def _context(kind: str, setting: Setting) -> tuple[object, ...]:
    """Returns what the checks of a component depend on apart from the component."""
    if kind == "data set":
        return tuple(_needs(setting))
    if kind in ("constraint", "fixed generator", "network"):
        return (setting.data.model_dump_json(), setting.latent_dim, rows_of(setting))
    return ()


def _needs(setting: Setting) -> list[str]:
    """Returns what measures and pictures need from a data set beyond its samples."""
    used = [component.name for _, kind, component in setting.components() if kind in ("measure", "picture")]
    return sorted({need for name in used for need in NEEDED.get(name, ())})


def rows_of(setting: Setting) -> str | None:
    """Returns how to treat a critic that mixes rows: an error with a built-in penalty, a warning with a custom one."""
    penalties = [each for each in setting.constraints if constraint([each])[0] is not None]
    if not penalties:
        return None
    return "warning" if all(each.is_custom for each in penalties) else "error"


def _check_conformance(uses: Sequence[_Use], warn: Warn, device: torch.device | None) -> None:
    problems = []
    for use in uses:
        for finding in collect(partial(_add_findings, use, device or torch.device("cpu"))):
            line = f" ({finding.line})" if finding.line else ""
            text = f"{described(use.kind, use.component)} {finding.text}{line}"
            if finding.is_error and (device is not None or finding.check != "call"):
                problems.append(f"{use.place}: {text}")
            else:
                warn(use.place, text)
    if problems:
        raise ExtensionError("\n".join(problems))


def _add_findings(use: _Use, device: torch.device, add: Add) -> None:
    for finding in _findings(use, device):
        add(finding)


def _findings(use: _Use, device: torch.device) -> list[Finding]:
    component, setting = use.component, use.run.setting
    if use.kind in ("optimizer", "score", "picture"):
        return []
    if use.kind == "objective":
        losses = objective(component)
        return conformance.check_objective(losses, device, reads_real=losses.generator_reads_real)
    data = factory("data set", setting.data)()
    is_images, shape = isinstance(data, Images), tuple(data.sample_shape) if use.kind != "data set" else ()
    if use.kind == "data set" and not is_images:
        return [Finding("call", f"will not do: {text}") for text in check_toy_data_set(data, _needs(setting))]
    if use.kind == "constraint":
        penalty, projection = constraint([component])
        if penalty is not None:
            return conformance.check_penalty(penalty, setting.judged_shape(shape), device)
        assert projection is not None
        return conformance.check_projection(projection, device)
    if use.kind == "fixed generator":
        return conformance.check_fixed_generator(factory(use.kind, component)(), shape, device)
    if use.kind == "network" and setting.classes is None:  # with classes it is called in another way
        make = factory(use.kind, component)
        is_critic = use.field == "critic"
        shapes = (setting.judged_shape(shape), ()) if is_critic else ((setting.latent_dim or 0,), shape)
        rows = rows_of(setting) if is_critic else None
        return conformance.check_network(lambda: make(*shapes), *shapes, rows=rows, device=device)
    if use.kind == "measure" and not is_images and not UNTRIED & {*inputs_of(use.kind, component)}:
        _measure_once(use, device)
    return []


def _measure_once(use: _Use, device: torch.device) -> None:
    """Takes a measure of untrained networks, since in training it may first be due at the last step."""
    label = use.field.partition(".")[2]
    alone = {"measures": {label: use.run.setting.measures[label]}, "pictures": None, "score": None}
    setting = use.run.setting.model_copy(update=alone)
    Evaluator(setting, [0], device, [Trace()]).evaluate(make_trainer(setting, [0], device), setting.steps)


def _check_together(settings: Iterable[Setting]) -> None:
    """Imports every name of the settings and checks that the objects fit together; raises the first problem."""
    networks: dict[str, ScoreNetwork] = {}  # loading one takes a second, and many settings share one
    for setting in settings:
        for use in setting.measures.values():
            measure(use.measure)
        for component in (setting.pictures or {}).values():
            picture(component)
        reads_real = objective(setting.objective).generator_reads_real
        constraint(setting.constraints)
        _check_packed_measures(setting)
        for network in filter(None, (setting.generator, setting.critic)):
            factory("network", network)
        for optimizer in filter(None, (setting.generator_optimizer, setting.critic_optimizer)):
            factory("optimizer", optimizer)
        data = factory("data set", setting.data)()
        _check_fixed(setting, data)
        _check_images(setting, data, reads_real=reads_real)
        _check_classes(setting, data)
        _check_score(setting, data, networks)


def _check_fixed(setting: Setting, data: Any) -> None:
    """Makes the fixed generator, and checks that it provides what the measures read from it."""
    fixed = factory("fixed generator", setting.fixed_generator)() if setting.fixed_generator else None
    formula = getattr(fixed, "distance", None)  # a custom one need not have it
    has_formula = formula is not None and not math.isnan(formula(data))
    for label, use in setting.measures.items():
        name = use.measure.name
        if fixed is None and not catalogue.is_dotted(name) and "fixed" in inputs_of("measure", use.measure):
            raise SpecError(f"measures.{label}: reads a fixed generator, and the setting has none; set fixed_generator")
        if catalogue.find("measure", name).closed_form and not has_formula:
            raise SpecError(
                f"measures.{label}: there is no formula for the distance from {setting.data.name!r} to "
                f"{setting.fixed_generator.name if setting.fixed_generator else None!r} of it; use fixed_wasserstein"
            )


def _check_images(setting: Setting, data: Any, *, reads_real: bool) -> None:
    """Checks that there are as many images as in a batch of real ones, which the generator's step may have too."""
    sizes = {"batch_size": setting.batch_size}
    if reads_real and setting.generator_batch_size is not None:
        sizes["generator_batch_size"] = setting.generator_batch_size
    for name, size in sizes.items():
        if isinstance(data, Images) and size > len(data):
            raise SpecError(f"{name}: must be at most the {len(data):,} images of {data.name}, got {size:,}")


def _check_packed_measures(setting: Setting) -> None:
    """Checks that nothing reads a packed critic sample by sample; a mean of its scores is as meaningful as any."""
    if setting.pack is None:
        return
    for place, kind, component in setting.components():
        if kind not in ("measure", "picture") or component.name in MEANS_OF_SCORES:
            continue
        if {"critic", "network"} & {*inputs_of(kind, component)}:
            raise SpecError(f"{place}: reads the score of a sample, and pack = {setting.pack} joins samples")


def _check_classes(setting: Setting, data: Any) -> None:
    if setting.classes is None:
        return
    if not isinstance(data, Images):
        raise SpecError(f"auxiliary_classifier: needs images with labels, and {setting.data.name!r} has none")
    data.check_classes(setting.classes)


def _check_score(setting: Setting, data: Any, networks: dict[str, ScoreNetwork]) -> None:
    """Calls the score network on one image, and checks that there are as many images as measures compare with."""
    reading = {
        label: use for label, use in setting.measures.items() if {*inputs_of("measure", use.measure)} & {*SCORED}
    }
    if setting.score is None:
        for label in reading:
            raise SpecError(f"measures.{label}: reads a score network, and the setting has none; set score")
        return
    if not isinstance(data, Images):
        raise SpecError(f"score: needs images, and {setting.data.name!r} has none; leave it out")
    key = setting.score.model_dump_json()
    networks[key] = networks[key] if key in networks else score(setting.score)
    networks[key](data.pixels[:1])
    for label, use in reading.items():
        samples = use.measure.options.get("samples", 0)
        if "seen_real" in inputs_of("measure", use.measure) and samples > len(data):
            bound = f"the {len(data):,} images of {data.name}"
            raise SpecError(f"measures.{label}.samples: must be at most {bound}, got {samples:,}")
