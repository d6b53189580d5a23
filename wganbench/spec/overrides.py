"""Merging of a spec's tables, and the paths by which ``--set`` refers to fields in them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from wganbench.errors import SpecError
from wganbench.spec.strict import BREAKS, Table, check_values, short


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """Merges ``over`` into a copy of ``under``, key by key, except that a table whose ``name`` changes is replaced.

    A bare name is short for a table with only that name.
    """
    merged = dict(under)
    for key, value in over.items():
        old, new = merged.get(key), value
        if isinstance(old, str) and isinstance(new, Mapping):
            old = {"name": old}
        elif isinstance(old, Mapping) and "name" in old and isinstance(new, str):
            new = {"name": new}
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            name = old.get("name", key)  # a measure without a name is named by its label
            merged[key] = merge(old, new) if new.get("name", name) == name else new
        else:
            merged[key] = value
    return merged


def parse_override(text: str) -> tuple[str, Any]:
    """Parses ``path.to.field=value`` into path and value; a value that is not valid TOML is taken as a string.

    Raises:
        SpecError: If the path or the ``=`` is missing, or the value is one that a spec cannot hold.
    """
    if BREAKS.search(text):
        raise SpecError(f"--set {short(text)}: must be one line; in TOML, \\n stands for a line break")
    path, equals, given = text.partition("=")
    path = path.strip()
    if not equals or not split(path):
        raise SpecError(f"--set {short(text)}: must be path.to.field=value, such as variants.gan.latent_dim=16")
    try:
        table = tomllib.loads(f"value = {given}")
    except (ValueError, RecursionError):
        table = {}
    value = table["value"] if len(table) == 1 else given.strip()
    for problem in check_values({path: value}):
        raise SpecError(f"--set {problem}")
    return path, value


def split(path: str) -> tuple[str, ...]:
    """Splits a dotted path, whose parts may be quoted as in TOML, into its keys; returns () for an invalid path."""
    try:
        node: Any = tomllib.loads(f"{path} = 0") if len(path) <= 500 else {}
    except ValueError:
        return ()
    keys: list[str] = []
    while isinstance(node, dict):
        if len(node) != 1:
            return ()
        ((key, node),) = node.items()
        keys.append(key)
    return tuple(keys)


def nested(keys: tuple[str, ...], value: object) -> Table:
    """Returns nested tables with ``value`` at ``keys``; needs at least one key."""
    first, *rest = keys
    return {first: nested(tuple(rest), value) if rest else value}
