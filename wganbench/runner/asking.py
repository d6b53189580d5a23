"""Asks the questions about all objects of candidates, each custom network with the shapes of the experiments."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wganbench.records.submission import Answered, Asked, Conformance
from wganbench.runner.battery import judged_experiments
from wganbench.runner.preflight import rows_of
from wganbench.runner.questions import QUESTIONS, Answer, Shapes, ask, ask_network
from wganbench.runner.resolve import factory
from wganbench.spec import Component, Setting, load
from wganbench.spec.judged import Budget
from wganbench.spec.judging import METHOD, NETWORKS, Candidate, name_in, spec_text
from wganbench.spec.strict import Table


def ask_all(candidates: Sequence[Candidate], budget: Budget, only: Sequence[str] = ()) -> Conformance:
    """Returns the answers about the objectives, the constraints and the custom networks of candidates.

    Args:
        candidates: The candidates.
        budget: The budget, whose experiments give the shapes that a network is called with.
        only: The names of the experiments; all that the budget reaches by default.

    Raises:
        ExtensionError: If an object cannot be imported, or does not accept its options.
        SpecError: If a network does not fit into a variant.
    """
    found: dict[tuple[str, str], Asked] = {}
    for candidate in candidates:
        for name, options in objects(candidate.change):
            kind, answers = ask(name, options)
            found.setdefault((name, str(options)), _asked(name, kind, options, answers))
        if any(key in candidate.change for key in NETWORKS):
            for field, component, shapes in _networks(candidate, budget, only):
                kind = f"{field} for {_shape(shapes.input)}"
                if (kind, str(component)) not in found:
                    answers = ask_network(component, shapes)
                    made = _asked(component.name, kind, component.options, answers)
                    found[kind, str(component)] = made
    return Conformance(objects=list(found.values()))


def objects(change: Table) -> list[tuple[str, dict[str, Any]]]:
    """Returns the objective and the constraints of a candidate, each by its name with its options."""
    every = [each for key in METHOD for each in _listed(change.get(key))]
    tables = [{"name": each} if isinstance(each, str) else each for each in every if each not in (None, "none")]
    return [(str(each.get("name")), {key: each[key] for key in each if key != "name"}) for each in tables]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _shape(shape: Sequence[int]) -> str:
    return f"{'×'.join(map(str, shape))} number{'' if tuple(shape) == (1,) else 's'}"


def _asked(name: str, kind: str, options: Table, answers: Sequence[Answer]) -> Asked:
    texts = [
        Answered(question=QUESTIONS[each.check], check=each.check, outcome=each.outcome, text=each.text)
        for each in answers
    ]
    return Asked(object=name, kind=kind, options=dict(options), answers=texts)


def _networks(candidate: Candidate, budget: Budget, only: Sequence[str]) -> Iterator[tuple[str, Component, Shapes]]:
    """Yields the field, the component and the shapes of each custom network of a candidate in an experiment."""
    for name, (spec, rows) in judged_experiments(budget, [candidate], only).items():
        with tempfile.TemporaryDirectory() as place:
            path = Path(place, f"{name}.toml")
            path.write_text(spec_text(spec, rows, [candidate]), encoding="utf-8")
            extended = load(path)
        for row in rows:
            share = row.share(budget)
            assert share is not None
            setting = extended.setting(name_in(candidate.name, row), share.profile)
            for field in NETWORKS:
                component = getattr(setting, field)
                if component is not None and component.is_custom:
                    yield field, component, _shapes(field, setting)


def _shapes(field: str, setting: Setting) -> Shapes:
    sample = tuple(factory("data set", setting.data)().sample_shape)
    if field == "critic":
        return Shapes(tuple(setting.judged_shape(sample)), (), rows_of(setting))
    return Shapes((setting.latent_dim or 0,), sample, None)
