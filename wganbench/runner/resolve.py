"""From names to objects: the only place where a dotted path is imported."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wganbench import names, variables
from wganbench.errors import ExtensionError
from wganbench.protocols import path_of
from wganbench.scores.seen import ScoreNetwork
from wganbench.spec import Component

MEASURE_INPUTS = (
    *("fake", "real", "data", "fixed", "critic", "network", "rng", "penalty_weight", "curves"),
    *("seen", "seen_real", "classify", "real_labels", "fake_labels", "training_seconds"),
)
SCORE_INPUTS = ("folder", "weights")
PENALTY_INPUTS = ("critic", "real", "fake", "rng")
PROJECTION_INPUTS = ("parameters",)


def import_object(kind: str, name: str) -> Any:
    """The object behind a built-in or dotted name.

    Raises:
        ExtensionError: If it does not import, with the reason.
    """
    path = names.find(kind, name).path
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a stranger's module may raise anything while it is imported
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ExtensionError(
            f"{kind} {path!r}: does not import ({reason}); it must be package.module:object, "
            f"with the module beside the spec, in this folder or installed"
        ) from None


def factory(kind: str, component: Component) -> Callable[..., Any]:
    """The class or function behind ``component`` with its options bound; called with what the kind is given."""
    target = import_object(kind, component.name)
    if not callable(target):
        raise ExtensionError(f"{kind} {component.name!r}: must be a class or function, got {type(target).__name__}")
    return partial(target, **component.options)


def constraint(component: Component | None) -> tuple[Callable[..., Any] | None, Callable[..., Any] | None]:
    """(penalty, projection), of which at most one is not None: what takes ``parameters`` is a projection."""
    if component is None:
        return None, None
    bound = factory("constraint", component)
    parameters = _positional(bound.func)  # type: ignore[attr-defined]
    if parameters == list(PROJECTION_INPUTS):
        return None, bound
    taken = _inputs("constraint", component, bound.func, PENALTY_INPUTS)  # type: ignore[attr-defined]

    def penalty(critic: Any, real: Any, fake: Any, rng: Any) -> Any:
        given = {"critic": critic, "real": real, "fake": fake, "rng": rng}
        return bound(*(given[name] for name in taken))

    return penalty, None


def measure(component: Component) -> Callable[[Mapping[str, Any]], float]:
    """A function from the inputs by name to the number."""
    bound, taken = _observing("measure", component)
    return lambda given: float(bound(*(given[name] for name in taken)))


def score(component: Component) -> ScoreNetwork:
    """The network that scores come from, with its weights.

    Raises:
        DataError: If these cannot be had.
    """
    bound = factory("score", component)
    weights = os.environ.get(variables.INCEPTION_WEIGHTS)
    given = {
        "folder": path_of(str(component.options.get("file"))).parent,
        "weights": Path(weights) if weights else None,
    }
    taken = _inputs("score", component, bound.func, SCORE_INPUTS)  # type: ignore[attr-defined]
    network: ScoreNetwork = bound(*(given[name] for name in taken))
    return network


def picture(component: Component) -> Callable[[Mapping[str, Any]], NDArray[np.float64]]:
    """A function from the inputs by name to the array."""
    bound, taken = _observing("picture", component)
    return lambda given: np.asarray(bound(*(given[name] for name in taken)), dtype=np.float64)


def inputs_of(kind: str, component: Component) -> list[str]:
    """What a measure or picture asks to be given, by name."""
    return _observing(kind, component)[1]


def _observing(kind: str, component: Component) -> tuple[Callable[..., Any], list[str]]:
    bound = factory(kind, component)
    return bound, _inputs(kind, component, bound.func, MEASURE_INPUTS)  # type: ignore[attr-defined]


def _inputs(kind: str, component: Component, function: Callable[..., Any], known: Collection[str]) -> list[str]:
    taken = _positional(function)
    strange = [name for name in taken if name not in known]
    if strange or not taken:
        raise ExtensionError(
            f"{kind} {component.name!r}: takes {', '.join(taken) or 'nothing'}; its positional parameters must be "
            f"among {', '.join(known)}, its options keyword-only"
        )
    return taken


def _positional(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, parameter in inspect.signature(function).parameters.items() if parameter.kind in kinds]
