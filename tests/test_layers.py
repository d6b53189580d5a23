"""Who may import whom, read from the source: imports inside functions and for type checking count as well."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from wganbench.runner.provenance import NOT_TRAINED_WITH

PACKAGE = Path(__file__).resolve().parent.parent / "wganbench"

LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "reading": set(),
    "archives": set(),
    "rng": {"errors"},
    "networks": {"errors"},
    "data": {"errors", "files", "reading", "archives"},
    "losses": {"errors", "networks", "rng"},
    "measures": {"errors", "files", "reading", "data", "rng"},
    "training": {"errors", "losses", "networks", "data", "rng"},
    "spec": {"errors", "files", "reading", "networks", "data"},
    "records": {"errors", "files", "reading", "spec"},
    "runner": {
        *("errors", "files", "reading", "records", "spec"),
        *("training", "losses", "networks", "measures", "data", "rng"),
    },
    "analysis": {"errors", "files", "reading", "archives", "records", "spec", "measures"},
    "cli": {"errors", "files", "reading", "records", "spec", "runner", "analysis", "data", "measures"},
    "__main__": {"cli"},
    "api": {"errors", "records", "spec", "runner", "analysis"},
    "": {"api"},
}
"""What each part of the package may import, beside itself; a new part takes its place here first."""

UPWARDS = {("wganbench.records", "wganbench.api")}
"""Imports against the layers: ``wganbench.records`` is a package, and a function of the interface."""

ONLY = {
    ("spec", "networks"): ("layout", "cost"),
    ("analysis", "measures"): ("scores.protocol",),
    ("cli", "measures"): ("scores.protocol",),
}
"""Of some parts, the modules that others may import: those that load no torch."""

WITHOUT_TORCH = (
    *("errors", "files", "reading", "archives", "spec", "records", "analysis", "cli", "__main__", "api"),
    "runner.jobs",
    *("networks.layout", "networks.cost", "measures.scores.protocol"),
)
"""Parts and modules that never import torch at their top or inside a function."""

LOADS_TORCH = {"torch", "torchvision", "torch_fidelity", "ot"}  # ot looks for torch when it is imported


@dataclass(frozen=True)
class Import:
    """One name that a module imports, such as ``wganbench.spec.load``, and whether importing the module does so."""

    name: str
    at_once: bool


parse = functools.cache(ast.parse)


@functools.cache
def imports(source: str) -> list[Import]:
    """Everything that ``source`` imports, wherever it stands."""
    found: list[Import] = []

    def walk(node: ast.AST, at_once: bool) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            at_once = False
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            at_once = False
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, at_once) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            found.extend(Import(f"{node.module}.{alias.name}", at_once) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            walk(child, at_once)

    walk(parse(source), at_once=True)
    return found


def top(name: str) -> str:
    return name.partition(".")[0]


def part(name: str) -> str:
    """``wganbench.data.toy`` belongs to ``data``; the package itself is ``""``."""
    return (*name.split("."), "")[1]


def modules() -> dict[str, Path]:
    paths = {path.relative_to(PACKAGE.parent).with_suffix(""): path for path in sorted(PACKAGE.rglob("*.py"))}
    return {".".join(parts.parts).removesuffix(".__init__"): path for parts, path in paths.items()}


MODULES = modules()
COMMAND_LINE = {name for name in MODULES if part(name) == "cli"}
SOURCES = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}


def test_imports_are_found_wherever_they_stand():
    source = """
import os, torch.nn as nn
from wganbench import spec
if TYPE_CHECKING:
    from wganbench.spec.plan import Run
else:
    import json
class A:
    import re
    def f(self):
        import ot
"""
    at_once = ["os", "torch.nn", "wganbench.spec", "re"]
    later = ["wganbench.spec.plan.Run", "json", "ot"]
    assert {*imports(source)} == {*(Import(n, True) for n in at_once), *(Import(n, False) for n in later)}


def test_every_part_has_its_place():
    assert {part(name) for name in MODULES} <= LAYERS.keys()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_its_own_part_and_those_below_alone(module):
    own = part(module)
    allowed = {own, *LAYERS.get(own, set())}
    ours = [found.name for found in imports(SOURCES[module]) if top(found.name) == "wganbench"]
    assert [name for name in ours if part(name) not in allowed and (module, name) not in UPWARDS] == []


def within(module: str, places: tuple[str, ...]) -> bool:
    """Whether a module, named below the package, is one of these places or lies in one."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


def below(name: str) -> str:
    return name.removeprefix("wganbench").removeprefix(".")


@pytest.mark.parametrize("module", MODULES)
def test_a_part_opens_some_modules_only_to_some_others(module):
    for (own, other), open_ in ONLY.items():
        if part(module) == own:
            found = [each.name for each in imports(SOURCES[module]) if part(each.name) == other]
            assert [name for name in found if not within(name.split(".", 2)[2], open_)] == []


@pytest.mark.parametrize("module", [name for name in MODULES if within(below(name) or "errors", WITHOUT_TORCH)])
def test_what_does_not_train_never_imports_torch(module):
    assert [found.name for found in imports(SOURCES[module]) if top(found.name) in LOADS_TORCH] == []


@pytest.mark.parametrize("module", sorted({*COMMAND_LINE, "wganbench.api"}))
def test_an_interface_imports_the_runner_and_the_data_only_inside_a_function(module):
    at_once = [found.name for found in imports(SOURCES[module]) if found.at_once]
    for own, light in (("data", "data.locations"), ("runner", "runner.jobs")):  # these load neither numpy nor torch
        assert all(within(below(name), (light,)) for name in at_once if part(name) == own)


@pytest.mark.parametrize("module", MODULES)
def test_only_the_runner_makes_an_object_of_a_name(module):
    names = {node.attr for node in ast.walk(parse(SOURCES[module])) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(parse(SOURCES[module])) if isinstance(node, ast.Name)}
    names |= {found.name.rpartition(".")[2] for found in imports(SOURCES[module])}
    assert part(module) == "runner" or not names & {"import_module", "__import__", "resolve_name", "run_path"}


TELLING = {"wganbench.runner.worker"}
"""Catches our errors to write them into a job's log, from which the command raises them."""


@pytest.mark.parametrize("module", [name for name in MODULES if name not in COMMAND_LINE])
def test_only_the_command_line_prints_exits_and_swallows_our_errors(module):
    tree = parse(SOURCES[module])
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    caught = {
        name.id if isinstance(name, ast.Name) else name.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        for name in ast.walk(node.type)
        if isinstance(name, ast.Name | ast.Attribute)
    }
    assert not called & {"print", "exit", "quit", "sys.exit", "os._exit"}
    assert "WganbenchError" not in caught or module in TELLING
    assert not any(top(found.name) == "click" for found in imports(SOURCES[module]))


def test_no_training_imports_what_a_checkpoint_does_not_depend_on():
    left_out = {name.removesuffix(".py") for name in NOT_TRAINED_WITH}
    assert left_out <= set(LAYERS)
    assert not [part for part, below in LAYERS.items() if part not in {*left_out, ""} and below & left_out]


def test_no_module_imports_itself_by_way_of_others():
    graph = {
        module: {
            found.name if found.name in MODULES else found.name.rpartition(".")[0]
            for found in imports(source)
            if top(found.name) == "wganbench"
        }
        for module, source in SOURCES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))
