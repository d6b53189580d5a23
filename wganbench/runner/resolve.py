"""Turns names into objects; this is the only place where a dotted path is imported."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from wganbench.errors import ExtensionError, first_line
from wganbench.files import WEIGHTS_VARIABLE
from wganbench.measures.scores.network_outputs import ScoreNetwork
from wganbench.measures.scores.protocol import path_of
from wganbench.rng import Streams
from wganbench.spec import Component, catalogue
from wganbench.training.method import Penalty, Projection

_MEASURED = (
    *("fake", "real", "data", "fixed", "critic", "network", "rng", "penalty_weight", "curves"),
    *("seen", "seen_real", "classify", "held_out", "real_labels", "fake_labels", "training_seconds"),
    *("recent_losses", "recent_cosines"),
)
KINDS = ("constraint", "objective", "network")
"""The kinds that `kind_of` distinguishes."""
INPUTS = {
    "measure": _MEASURED,
    "picture": _MEASURED,
    "score": ("folder", "weights"),
    "constraint": ("critic", "real", "fake", "rng"),
}
"""The inputs that an object of each kind may take by name; a constraint may instead take `PROJECTED`."""
PROJECTED = ["parameters"]
"""The inputs of a projection."""
N_GIVEN = {"network": 2, "optimizer": 1}
"""The number of positional arguments of kinds that take no inputs by name; 0 for kinds not listed."""
LOSS_INPUTS = {"critic_loss": ("real", "fake"), "generator_loss": ("fake", "real")}
"""The methods of an objective, with the scores that each may take by name."""
NEEDED_SCORES = {"critic_loss": ("real", "fake"), "generator_loss": ("fake",)}
"""The scores that each is given in this order if its parameters have other names."""


class Given(Protocol):
    """The inputs of measures and pictures, by name."""

    def __getitem__(self, name: str, /) -> Any: ...


def import_object(kind: str, name: str) -> Any:
    """Imports the object with a built-in or dotted name.

    Raises:
        ExtensionError: If it cannot be imported, with the reason.
    """
    return import_dotted(kind, catalogue.find(kind, name).path)


def import_dotted(kind: str, path: str) -> Any:
    """Imports the object at ``path``, a ``package.module:object``.

    Raises:
        ExtensionError: If it cannot be imported, with the reason.
    """
    module, _, attribute = path.partition(":")
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # a custom module may raise anything on import
        reason = first_line(error, with_type=True)
        mend = "it must be package.module:object, with the module beside the spec, in this folder or installed"
        if module.endswith(".py"):
            mend = f"did you mean {module.removesuffix('.py')}:{attribute}?"
        raise ExtensionError(f"{kind} {path!r}: does not import ({reason}); {mend}") from None
    if not hasattr(imported, attribute):
        own = [each for each, value in vars(imported).items() if getattr(value, "__module__", None) == module]
        raise ExtensionError(
            f"{kind} {path!r}: module {module!r} has no attribute {attribute!r}{catalogue.suggest(attribute, own)}"
        )
    return getattr(imported, attribute)


def factory(kind: str, component: Component) -> Callable[..., Any]:
    """Returns the class or function of ``component`` with its options bound; call it with the inputs of its kind."""
    return partial(_target(kind, component), **component.arguments)


def _target(kind: str, component: Component) -> Callable[..., Any]:
    target: object = import_object(kind, component.name)
    if not callable(target):
        raise ExtensionError(f"{kind} {component.name!r}: must be a class or function, got {type(target).__name__}")
    return target


def kind_of(name: str) -> str:
    """Returns the kind of an object by its name or, of a custom one, by what it is called with.

    Returns:
        ``"objective"``, ``"constraint"`` or ``"network"``.

    Raises:
        ExtensionError: If it cannot be imported, or is of none of these kinds.
    """
    for kind in KINDS:
        if name in catalogue.NAMES[kind]:
            return kind
    if not catalogue.is_dotted(name):
        known = catalogue.suggest(name, [each for kind in KINDS for each in catalogue.NAMES[kind]])
        raise ExtensionError(f"{name!r}: no built-in {' or '.join(KINDS)}, and not package.module:object{known}")
    target = import_dotted("object", name)
    if inspect.isclass(target):
        if any(hasattr(target, method) for method in LOSS_INPUTS):
            return "objective"
        if issubclass(target, nn.Module):
            return "network"
    elif callable(target):
        signature = _signature(target)
        taken = [each.name for each in (signature.parameters.values() if signature else ()) if each.kind in _POSITIONAL]
        if taken == PROJECTED or (taken and set(taken) <= set(INPUTS["constraint"])):
            return "constraint"
    raise ExtensionError(
        f"{name!r}: must be a class with critic_loss and generator_loss, a torch.nn.Module, a function of any of "
        f"{', '.join(INPUTS['constraint'])}, or one of {', '.join(PROJECTED)}; got {_shown(target)}"
    )


def _shown(target: Any) -> str:
    """Describes an object for messages: a function by its signature, anything else by its type."""
    signature = _signature(target) if callable(target) else None
    return f"{type(target).__name__} {signature}" if signature else f"a {type(target).__name__}"


def check_signature(kind: str, component: Component) -> None:
    """Imports a component, and checks that it accepts its inputs and options; no object is made except an objective.

    Raises:
        ExtensionError: If it does not accept them, with the file and line of its definition.
    """
    signature = _signature(_target(kind, component))
    if signature is None:
        return
    given = len(inputs_of(kind, component)) if kind in INPUTS else N_GIVEN.get(kind, 0)
    problem = _option_problem(signature, given, component.arguments)
    if problem is not None:
        raise ExtensionError(f"{described(kind, component)} {problem}")
    if kind == "objective":
        _check_losses(component)


def described(kind: str, component: Component) -> str:
    """Describes a component for messages: its kind, its name, and where its object is defined, if Python knows."""
    target = inspect.unwrap(import_object(kind, component.name))
    try:
        file, line = inspect.getsourcefile(target), inspect.getsourcelines(target)[1]
    except (TypeError, OSError):
        file = None
    return f"{kind} {component.name!r}" + (f" ({Path(file).name}:{line})" if file else "")


def _signature(target: Callable[..., Any]) -> inspect.Signature | None:
    """Returns the signature; None for code in C that does not declare one."""
    try:
        return inspect.signature(target)
    except ValueError:
        return None


def _option_problem(signature: inspect.Signature, given: int, options: Mapping[str, Any]) -> str | None:
    """Returns what is wrong with a call with ``given`` positional arguments and these options; None if nothing is."""
    parameters = list(signature.parameters.values())
    kinds = {parameter.kind for parameter in parameters}
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    by_name = [each for each in positional[given:] if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    by_name += [each for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    known = [each.name for each in by_name]
    for name in options:
        if name not in known and inspect.Parameter.VAR_KEYWORD not in kinds:
            near = catalogue.suggest(name, [each for each in known if each not in options])
            return f"takes no option {name!r}{near or '; it has none'}"
    for parameter in by_name:
        if parameter.default is inspect.Parameter.empty and parameter.name not in options:
            return f"needs the option {parameter.name!r}; set it beside the name"
    if len(positional) < given and inspect.Parameter.VAR_POSITIONAL not in kinds:
        return f"takes {signature}; it is called with {given} positional arguments"
    return None


def _check_losses(component: Component) -> None:
    try:
        objective = factory("objective", component)()
    except Exception as error:  # custom code may raise anything
        reason = first_line(error, with_type=True)
        raise ExtensionError(f"{described('objective', component)} cannot be made ({reason})") from None
    for method, inputs in NEEDED_SCORES.items():
        loss, call = getattr(objective, method, None), f"{method}({', '.join(inputs)})"
        if not callable(loss):
            raise ExtensionError(f"{described('objective', component)} has no {method}; must have {call}")
        signature = _signature(loss)
        try:
            if signature is not None:
                signature.bind(*scores_taken(loss, method))
        except TypeError:
            more = " or as generator_loss(fake, real)" if method == "generator_loss" else ""
            raise ExtensionError(
                f"{described('objective', component)} has {method}{signature}; it is called as {call}{more}"
            ) from None


def scores_taken(loss: Callable[..., Any], method: str) -> tuple[str, ...]:
    """Returns the scores that a loss is given, in the order of its parameters.

    They are those that its positional parameters name, which may be ``real`` and ``fake``. A loss whose parameters
    without a default have other names is given `NEEDED_SCORES`.
    """
    signature = _signature(loss)
    if signature is None:
        return NEEDED_SCORES[method]
    positional = [each for each in signature.parameters.values() if each.kind in _POSITIONAL]
    named = tuple(each.name for each in positional if each.name in LOSS_INPUTS[method])
    others = [each for each in positional if each.name not in named and each.default is inspect.Parameter.empty]
    first = tuple(each.name for each in positional[: len(named)])
    is_named = named == first and not others and {*NEEDED_SCORES[method]} <= {*named}
    return named if is_named else NEEDED_SCORES[method]


@dataclass
class NamedLosses:
    """An objective whose losses are given the scores that they name.

    Attributes:
        objective: The object that a spec names.
        taken: The scores that each of its losses takes, in the order of its parameters.
    """

    objective: Any
    taken: Mapping[str, tuple[str, ...]]

    @property
    def generator_reads_real(self) -> bool:
        """True if the generator's loss takes real scores."""
        return "real" in self.taken["generator_loss"]

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self._loss("critic_loss", real=real, fake=fake)

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return self._loss("generator_loss", fake=fake, real=real)

    def _loss(self, method: str, **scores: Tensor | None) -> Tensor:
        loss: Tensor = getattr(self.objective, method)(*(scores[name] for name in self.taken[method]))
        return loss


def objective(component: Component) -> NamedLosses:
    """Makes an objective."""
    made = factory("objective", component)()
    return NamedLosses(made, {method: scores_taken(getattr(made, method), method) for method in LOSS_INPUTS})


def inputs_of(kind: str, component: Component) -> list[str]:
    """Returns the names of the inputs that an object of a kind in `INPUTS` takes: its positional parameters."""
    parameters = inspect.signature(_target(kind, component)).parameters
    taken = [name for name, each in parameters.items() if each.kind in _POSITIONAL]
    if kind == "constraint" and taken == PROJECTED:
        return taken
    if not taken or not set(taken) <= set(INPUTS[kind]):
        raise ExtensionError(
            f"{kind} {component.name!r}: takes {', '.join(taken) or 'nothing'}; its positional parameters must be "
            f"among {', '.join(INPUTS[kind])}, its options keyword-only"
        )
    return taken


def _by_name(kind: str, component: Component) -> Callable[[Given], Any]:
    """Returns the object with its options bound, as a function of its inputs by name."""
    bound, taken = factory(kind, component), inputs_of(kind, component)
    return lambda given: bound(*(given[name] for name in taken))


def constraint(components: Sequence[Component]) -> tuple[Penalty | None, Projection | None]:
    """Returns the sum of all penalties and the composition of all projections, each None if there are none.

    A function of ``parameters`` is a projection.
    """
    projects = [inputs_of("constraint", each) == PROJECTED for each in components]
    pairs = list(zip(components, projects, strict=True))
    penalties = [_by_name("constraint", each) for each, projecting in pairs if not projecting]
    projections = [factory("constraint", each) for each, projecting in pairs if projecting]

    def penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, rng: Streams) -> Tensor:
        given = {"critic": critic, "real": real, "fake": fake, "rng": rng}
        first, *others = (each(given) for each in penalties)
        return sum(others, first)

    def projection(parameters: list[Tensor]) -> None:
        for project in projections:
            project(parameters)

    return penalty if penalties else None, projection if projections else None


def measure(component: Component) -> Callable[[Given], float]:
    """Returns a function that computes the measure from the inputs by name."""
    bound = _by_name("measure", component)
    return lambda given: float(bound(given))


def threaded_measure(component: Component) -> Callable[[Given], Callable[[], float]]:
    """Returns a function that reads the measure's inputs, and returns one that computes it in whatever thread."""
    bound, taken = factory("measure", component), inputs_of("measure", component)

    def read(given: Given) -> Callable[[], float]:
        inputs = [given[name].cpu() for name in taken]
        return lambda: float(bound(*inputs))

    return read


def picture(component: Component) -> Callable[[Given], NDArray[np.float64]]:
    """Returns a function that makes the picture, an array, from the inputs by name."""
    bound = _by_name("picture", component)
    return lambda given: np.asarray(bound(given), dtype=np.float64)


def score(component: Component) -> ScoreNetwork:
    """Makes the score network with its weights.

    Raises:
        DataError: If the weights cannot be obtained.
    """
    weights = os.environ.get(WEIGHTS_VARIABLE)
    folder = path_of(str(component.options.get("file"))).parent
    network: ScoreNetwork = _by_name("score", component)(
        {"folder": folder, "weights": Path(weights) if weights else None}
    )
    return network


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
