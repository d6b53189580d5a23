"""The matrix of a spec: axes that its variants, claims and figures range over.

::

    [matrix]
    weight = [0.1, 1.0, 10.0]                        # a list of values, named by their text: 0.1, 1 and 10
    theta = { m050 = -0.5, p050 = 0.5 }              # values with names of their own
    apart = { of = "coupling", without = ["points"] }     # some of another axis's entries; or only = […]
    exclude = [{ coupling = "points", weight = 0.1 }]

    [matrix.coupling.circles]                        # a table of settings with a name
    says = "two circles"
    data = { name = "circle", radius = 1.0 }

    [variants."{coupling}-{weight}"]                 # one variant for each coupling and weight
    constraint = { name = "gradient_penalty", penalty_weight = "{weight}" }

A key with placeholders is repeated for each combination of their entries, in the order of the axes in the key; inside
its table the axes are bound to that combination. An entry of a list is repeated likewise: a text for the placeholders
in it, a table, such as a claim, for those in its texts (those in lists inside it repeat the entries of these lists). A
variant has the settings of every entry in its name, and its own over these. An axis that nothing names, or an exclusion
that leaves out nothing, is a mistake.

What a placeholder stands for:

``{axis}`` within a text
    The entry's name.
``{axis}`` alone
    The value, of the type that it has in the matrix; of a table its name.
``{axis.says}``
    The entry in prose: ``says`` of a table, the value's text, or else the name.
``{axis.field}``
    A field of a table, alone with its type.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wganbench.errors import SpecError
from wganbench.spec.overrides import merge
from wganbench.spec.strict import Table, join, limit_mistakes, short, short_name, suggest

MAX_CELLS = 10_000
"""The most variants, and the most entries that one key or list entry may be repeated for."""

MAX_VALUES = 200_000
"""The most tables, lists and values of an expanded spec, where a text counts once more for each 100 characters."""

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_.]*))?\}")
AXIS = re.compile(r"[a-z][a-z0-9_]*")
NAME = re.compile(r"[a-z0-9-][a-z0-9_.-]*")


@dataclass(frozen=True)
class Entry:
    """One entry of an axis.

    Attributes:
        name: The name that stands in the names of variants and claims.
        value: A number, a string or a truth value, or a table of settings.
    """

    name: str
    value: Any

    @property
    def settings(self) -> Table:
        """The settings of every variant with this entry; empty for a plain value."""
        return {key: item for key, item in self.value.items() if key != "says"} if isinstance(self.value, dict) else {}

    def look_up(self, path: str | None, *, alone: bool) -> Any:
        """Returns what a placeholder stands for; raises KeyError for a field that the entry does not have."""
        if path is None:
            return self.value if alone and not isinstance(self.value, dict) else self.name
        if path == "says":
            return self.value.get("says", self.name) if isinstance(self.value, dict) else as_text(self.value)
        node = self.value
        for key in path.split("."):
            if not isinstance(node, dict):
                raise KeyError(path)
            node = node[key]
        return node


def as_text(value: object) -> str:
    """Returns a value as it stands in a name: ``0.1``, ``10`` for 10.0, ``1e-05``, ``true``, a string as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def expand(table: Table, where: str) -> Table:
    """Returns a spec without its ``matrix``, in whose place the variants, claims and figures are written out.

    Args:
        table: The content of the file; returned as it is if it has no matrix.
        where: The name of the file, for messages.

    Raises:
        SpecError: If the matrix or a placeholder is wrong; one line for each mistake.
    """
    if "matrix" not in table:
        return table
    problems: list[str] = []
    axes, excluded = _read(table["matrix"], problems)
    expansion = _Expansion(axes, excluded, problems)
    if not problems:
        expansion.check_size(table.get("variants"))
    rest = {key: item for key, item in table.items() if key != "matrix"}
    expanded = {} if problems else expansion.fill(rest, {}, ())
    if not problems:
        problems += [*_unused(table["matrix"], rest), *expansion.unmatched()]
    if expansion.n_values > MAX_VALUES:
        problems = [f"matrix: the spec expands to more than {MAX_VALUES:,} values"]
    if problems:
        raise SpecError(*limit_mistakes(f"{where}, {problem}" for problem in problems))
    return expanded


def _unused(matrix: Table, rest: Table) -> Iterator[str]:
    """Yields a mistake for each axis that the rest of the spec does not name, and of which no other axis is a part."""
    parts = [axis for axis in matrix.values() if _is_part(axis)]
    named = {"exclude", *_all_axes(rest), *(part["of"] for part in parts)}
    for axis in (axis for axis in matrix if axis not in named):
        yield f"matrix.{axis}: nothing names {{{axis}}}; a field of the spec stands above [matrix]"


def _all_axes(node: object) -> Iterator[str]:
    """Yields the axes that keys and texts name, at any depth."""
    if isinstance(node, str):
        yield from _axes_in(node)
    elif isinstance(node, dict):
        for key, item in node.items():
            yield from _axes_in(key)
            yield from _all_axes(item)
    elif isinstance(node, list):
        for item in node:
            yield from _all_axes(item)


def _read(matrix: object, problems: list[str]) -> tuple[dict[str, list[Entry]], list[dict[str, str]]]:
    """Reads the axes and the excluded cells, each a map from axis to entry name; adds the mistakes to ``problems``."""
    if not isinstance(matrix, dict):
        problems.append(f"matrix: must be a table of axes, got {short(matrix)}")
        return {}, []
    named = {axis: entries for axis, entries in matrix.items() if axis != "exclude"}
    given = {axis: entries for axis, entries in named.items() if AXIS.fullmatch(axis)}
    rule = "matrix: an axis is named by lower-case letters, digits and '_'"
    problems += [f"{rule}, got {short(axis)}" for axis in named if axis not in given]
    axes = {axis: list(_entries(axis, some, problems)) for axis, some in given.items() if not _is_part(some)}
    for axis, part in given.items():
        if _is_part(part):
            axes[axis] = _part(axis, part, axes, problems)
    excluded = []
    cells = matrix.get("exclude", [])
    if not isinstance(cells, list):
        problems.append(f"matrix.exclude: must be a list of tables, got {short(cells)}")
        cells = []
    for cell in cells:
        if not isinstance(cell, dict) or not cell:
            problems.append(f"matrix.exclude: must be a table of axes and entries, got {short(cell)}")
            continue
        places = {axis: f"matrix.exclude.{short_name(axis)}" for axis in cell}
        excluded.append({axis: _entry_name(axis, entry, axes, problems, places[axis]) for axis, entry in cell.items()})
    return axes, excluded


def _entries(axis: str, given: object, problems: list[str]) -> Iterator[Entry]:
    if not isinstance(given, list | dict) or not given:
        problems.append(f"matrix.{axis}: must be a list or a table of entries, at least one, got {short(given)}")
    else:
        named = given.items() if isinstance(given, dict) else ((as_text(value), value) for value in given)
        seen: set[str] = set()
        for name, value in named:
            if isinstance(value, list) or (isinstance(value, dict) and isinstance(given, list)):
                problems.append(f"matrix.{axis}: an entry must be a value or a table with a name, got {short(value)}")
            elif not NAME.fullmatch(name) or name in seen:
                twice = "is there twice" if name in seen else "must have lower-case letters, digits, '-', '_' and '.'"
                problems.append(f"matrix.{axis}: the name {short(name)} of an entry {twice}")
            else:
                yield Entry(name, value)
            seen.add(name)


def _is_part(given: object) -> bool:
    return isinstance(given, dict) and isinstance(given.get("of"), str)


def _part(axis: str, given: Table, axes: Mapping[str, Sequence[Entry]], problems: list[str]) -> list[Entry]:
    """Reads an axis that has some of another axis's entries, in that axis's order."""
    whole, names = given["of"], given.get("only", given.get("without"))
    if whole not in axes:
        problems.append(f"matrix.{axis}.of: no axis {short(whole)}{suggest(whole, tuple(axes))}")
    elif given.keys() - {"of"} not in ({"only"}, {"without"}) or not isinstance(names, list) or not names:
        problems.append(f"matrix.{axis}: beside 'of' must be a list of entries, either 'only' or 'without'")
    else:
        place = f"matrix.{axis}.{'only' if 'only' in given else 'without'}"
        chosen = {_entry_name(whole, name, axes, problems, place) for name in names}
        found = [entry for entry in axes[whole] if (entry.name in chosen) == ("only" in given)]
        if not found:
            problems.append(f"matrix.{axis}: no entry of {whole!r} is left")
        return found
    return []


def _entry_name(axis: str, given: object, axes: Mapping[str, Sequence[Entry]], problems: list[str], place: str) -> str:
    """Returns the name of an entry that is given by its name or its value."""
    if axis not in axes:
        problems.append(f"{place}: no axis {short(axis)}{suggest(axis, tuple(axes))}")
        return ""
    name = as_text(given)
    names = tuple(entry.name for entry in axes[axis])
    if name not in names:
        problems.append(f"{place}: no entry {short(given)}{suggest(name, names)}")
    return name


@dataclass
class _Expansion:
    axes: Mapping[str, Sequence[Entry]]
    excluded: Sequence[Mapping[str, str]]
    problems: list[str] = field(default_factory=list)
    n_values: int = 0
    matched: set[int] = field(default_factory=set)
    """The places in ``excluded`` of those that left out a cell."""

    def unmatched(self) -> Iterator[str]:
        """Yields a mistake for each exclusion that left out nothing."""
        for place, cell in enumerate(self.excluded):
            if place not in self.matched:
                named = ", ".join(f"{axis} = {short(entry)}" for axis, entry in cell.items())
                yield f"matrix.exclude: no variant, claim or figure has {named}"

    def check_size(self, variants: object) -> None:
        """Adds a mistake if the spec would have too many variants."""
        named = variants if isinstance(variants, dict) else {}
        n_variants = sum(self._n_cells([axis for axis in _axes_in(key) if axis in self.axes]) for key in named)
        if n_variants > MAX_CELLS:
            self.problems.append(f"variants: {n_variants:,} variants; at most {MAX_CELLS:,}")

    def _n_cells(self, axes: Sequence[str]) -> int:
        return math.prod(len(self.axes[axis]) for axis in axes)

    def fill(self, node: Any, bound: Mapping[str, Entry], place: tuple[str, ...]) -> Any:
        """Returns ``node`` with its keys and list entries repeated and its placeholders replaced."""
        self.n_values += 1
        if isinstance(node, str):
            return self._text(node, bound, place)
        if isinstance(node, dict):
            return self._table(node, bound, place)
        if isinstance(node, list):
            cells = (
                (item, cell) for item in node for cell in self._cells(_direct_axes(item), bound, _into(place, item))
            )
            return [self.fill(item, cell, _into(place, item)) for item, cell in cells]
        return node

    def _table(self, table: Table, bound: Mapping[str, Entry], place: tuple[str, ...]) -> Table:
        filled: Table = {}
        for key, item in table.items():
            own = _axes_in(key)
            for cell in self._cells(own, bound, (*place, short_name(key))):
                name = str(self._text(key, cell, place, alone=False))
                if name in filled:
                    self.problems.append(join(place, f"two cells are named {short(name)}; each needs its own name"))
                content = self.fill(item, cell, (*place, short_name(key)))
                if place == ("variants",) and isinstance(content, dict):
                    for axis in reversed([axis for axis in own if axis in cell]):
                        content = merge(cell[axis].settings, content)
                    self.n_values += len(content)
                filled[name] = content
        return filled

    def _cells(
        self, axes: Sequence[str], bound: Mapping[str, Entry], place: tuple[str, ...]
    ) -> Iterator[dict[str, Entry]]:
        """Yields ``bound`` with each combination of the entries of those axes that it lacks."""
        free = [axis for axis in axes if axis not in bound and axis in self.axes]
        n_cells = self._n_cells(free)
        if n_cells > MAX_CELLS:
            self.problems.append(join(place, f"{n_cells:,} cells; at most {MAX_CELLS:,}"))
            return
        for entries in itertools.product(*(self.axes[axis] for axis in free)):
            cell = {**bound, **dict(zip(free, entries, strict=True))}
            if self.n_values > MAX_VALUES:
                return
            left_out = {place for place, excluded in enumerate(self.excluded) if self._is_in(cell, excluded)}
            self.matched |= left_out
            if not left_out:
                yield cell

    def _is_in(self, cell: Mapping[str, Entry], excluded: Mapping[str, str]) -> bool:
        return all(axis in cell and cell[axis].name == name for axis, name in excluded.items())

    def _text(self, text: str, bound: Mapping[str, Entry], place: tuple[str, ...], *, alone: bool = True) -> Any:
        """Returns a text with its placeholders replaced, or the value itself if it is one placeholder ``alone``."""
        whole = PLACEHOLDER.fullmatch(text) if alone else None
        if whole is not None:
            return self._value(whole, bound, place, alone=True)
        filled = PLACEHOLDER.sub(lambda found: as_text(self._value(found, bound, place, alone=False)), text)
        self.n_values += len(filled) // 100
        return filled

    def _value(self, found: re.Match[str], bound: Mapping[str, Entry], place: tuple[str, ...], *, alone: bool) -> Any:
        axis, path = found.groups()
        if axis not in self.axes:
            self.problems.append(join(place, f"{found[0]}: no axis {short(axis)}{suggest(axis, tuple(self.axes))}"))
        elif axis not in bound:
            what = f"'{{{axis}}}' is not in the key of this table or in this entry of a list, so it has no value here"
            self.problems.append(join(place, f"{found[0]}: {what}"))
        else:
            try:
                value = bound[axis].look_up(path, alone=alone)
            except KeyError:
                self.problems.append(join(place, f"{found[0]}: entry {short(bound[axis].name)} has no such field"))
            else:
                if alone or not isinstance(value, list | dict):
                    return value
                self.problems.append(join(place, f"{found[0]}: cannot stand within a text, got {short(value)}"))
        return found[0]


def _axes_in(text: str) -> list[str]:
    return list(dict.fromkeys(found[1] for found in PLACEHOLDER.finditer(text)))


def _direct_axes(node: object) -> list[str]:
    """Returns the axes that an entry of a list is repeated for.

    These are the axes in a text. Of a table they are those in its texts, without texts in lists, and without axes that
    a key above the text names.
    """
    if isinstance(node, str):
        return _axes_in(node)
    if isinstance(node, dict):
        inside = {key: (set(_axes_in(key)), _direct_axes(item)) for key, item in node.items()}
        return list(dict.fromkeys(axis for own, axes in inside.values() for axis in axes if axis not in own))
    return []


def _into(place: tuple[str, ...], item: object) -> tuple[str, ...]:
    """Returns the place of a list's entry, which a claim's id names."""
    named = item.get("id") if isinstance(item, dict) else None
    return (*place, short_name(named)) if isinstance(named, str) else place
