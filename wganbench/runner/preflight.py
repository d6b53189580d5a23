"""What is looked at before any training: whether the objects of settings can be had, and serve each other."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from wganbench import names
from wganbench.data.images import Images
from wganbench.errors import SpecError
from wganbench.runner.resolve import constraint, factory, inputs_of, measure, picture, score
from wganbench.scores.seen import ScoreNetwork
from wganbench.spec import Setting

SEEN = ("seen", "seen_real")
"""What measures are given that read a score network."""


def import_all(settings: Iterable[Setting]) -> None:
    """Imports every name of the settings and checks that it takes what it will be given.

    Raises:
        ExtensionError: For the first that does not.
        DataError: If a score's weights or an image set cannot be had, or the images are none for the score network or
            have other classes than the networks.
        SpecError: If a measure reads what the fixed generator or the score network cannot tell, or there are too few
            images for a batch or a measure.
    """
    networks: dict[str, ScoreNetwork] = {}  # loading one takes a second, and many settings share it
    for setting in settings:
        for use in setting.measures.values():
            measure(use.measure)
        for component in (setting.pictures or {}).values():
            picture(component)
        factory("objective", setting.objective)()
        constraint(setting.constraint)
        for network in filter(None, (setting.generator, setting.critic)):
            factory("network", network)
        for optimizer in filter(None, (setting.generator_optimizer, setting.critic_optimizer)):
            factory("optimizer", optimizer)
        data = factory("data set", setting.data)()
        _check_fixed(setting, data)
        _check_images(setting, data)
        _check_classes(setting, data)
        _check_score(setting, data, networks)


def _check_fixed(setting: Setting, data: Any) -> None:
    """Makes the fixed generator, and sees that measures which read it can."""
    fixed = factory("fixed generator", setting.fixed_generator)() if setting.fixed_generator else None
    formula = getattr(fixed, "distance", None)  # a stranger's need not have one
    has_formula = formula is not None and not math.isnan(formula(data))
    for label, use in setting.measures.items():
        name = use.measure.name
        if fixed is None and not names.is_dotted(name) and "fixed" in inputs_of("measure", use.measure):
            raise SpecError(f"measures.{label}: reads a fixed generator, and the setting has none; set fixed_generator")
        if names.find("measure", name).closed_form and not has_formula:
            raise SpecError(
                f"measures.{label}: there is no formula for the distance from {setting.data.name!r} to "
                f"{setting.fixed_generator.name if setting.fixed_generator else None!r} of it; use fixed_wasserstein"
            )


def _check_images(setting: Setting, data: Any) -> None:
    if isinstance(data, Images) and setting.batch_size > len(data):
        n = f"{len(data):,} images of {data.name}"
        raise SpecError(f"batch_size: must be at most the {n}, got {setting.batch_size:,}")


def _check_classes(setting: Setting, data: Any) -> None:
    if setting.classes is None:
        return
    if not isinstance(data, Images):
        raise SpecError(f"auxiliary_classifier: needs images with labels, and {setting.data.name!r} has none")
    data.check_classes(setting.classes)


def _check_score(setting: Setting, data: Any, networks: dict[str, ScoreNetwork]) -> None:
    """Shows the score network an image, and sees that there are as many as measures compare with."""
    reading = {label: use for label, use in setting.measures.items() if {*inputs_of("measure", use.measure)} & {*SEEN}}
    if setting.score is None:
        for label in reading:
            raise SpecError(f"measures.{label}: reads a score network, and the setting has none; set score")
        return
    if not isinstance(data, Images):
        raise SpecError(f"score: is of images, and {setting.data.name!r} has none; leave it out")
    key = setting.score.model_dump_json()
    networks[key] = networks[key] if key in networks else score(setting.score)
    networks[key](data.pixels[:1])
    for label, use in reading.items():
        samples = use.measure.options.get("samples", 0)
        if "seen_real" in inputs_of("measure", use.measure) and samples > len(data):
            bound = f"the {len(data):,} images of {data.name}"
            raise SpecError(f"measures.{label}.samples: must be at most {bound}, got {samples:,}")
