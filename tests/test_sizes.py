"""The sizes that keep the package readable, and the words that it avoids."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from wganbench.spec.catalogue import NAMES

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 500
MAX_PARAMETERS = 7

AVOIDED = re.compile(r"stranger|\bcards?\b|\btold\b|\banew\b", re.IGNORECASE)
"""Words for which there are plainer ones: custom, GPU, reported, again."""

CATALOGUE = {entry.path.replace(":", ".") for entries in NAMES.values() for entry in entries.values()}
"""The objects of the catalogue. Their keyword-only parameters are the fields of a TOML table, and not counted."""


def texts(*patterns: str) -> dict[str, str]:
    """The text of each file of the repository that matches one of ``patterns``, by its path."""
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


MODULES = texts("wganbench/**/*.py", "tools/*.py")


def functions(tree: ast.AST, name: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function and method in ``tree``, with its dotted name."""
    for node in ast.iter_child_nodes(tree):
        inner = f"{name}.{node.name}" if isinstance(node, ast.ClassDef | ast.FunctionDef) else name
        if isinstance(node, ast.FunctionDef):
            yield inner, node
        yield from functions(node, inner)


def parameters(name: str, function: ast.FunctionDef) -> list[str]:
    """The parameters that count: not ``self`` and ``cls``, and not the options of an object of the catalogue."""
    of = function.args
    options = [] if name.removesuffix(".__init__") in CATALOGUE else of.kwonlyargs
    return [each.arg for each in (*of.posonlyargs, *of.args, *options) if each.arg not in ("self", "cls")]


def test_modules_are_short():
    lengths = {path: len(text.splitlines()) for path, text in MODULES.items()}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_functions_take_few_parameters():
    found = {
        name: parameters(name, function)
        for path, text in MODULES.items()
        for name, function in functions(ast.parse(text), path.removesuffix(".py").replace("/", "."))
    }
    assert CATALOGUE & found.keys() and any(name.endswith("Mlp.__init__") for name in found)
    assert {name: taken for name, taken in found.items() if len(taken) > MAX_PARAMETERS} == {}


def test_what_counts_as_a_parameter():
    source = "class Mlp:\n    def __init__(self, a, /, b, *, c): pass\ndef g(a, *, b): pass"
    for module, taken in (("m", ["a", "b", "c"]), ("wganbench.networks.mlp", ["a", "b"])):
        found = {name: parameters(name, function) for name, function in functions(ast.parse(source), module)}
        assert found == {f"{module}.Mlp.__init__": taken, f"{module}.g": ["a", "b"]}


def test_prose_avoids_words_that_have_a_plainer_one():
    prose = texts("wganbench/**/*.py", "tools/*", "benchmarks/*.toml", "docs/**/*.md", "README.md", "CONTRIBUTING.md")
    lines = [(path, line) for path, text in prose.items() for line in text.splitlines()]
    assert [(path, line) for path, line in lines if AVOIDED.search(line)] == []
