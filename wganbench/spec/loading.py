"""Loading of experiments: finds and reads spec files, merges them over the specs that they extend, and checks them."""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from wganbench.errors import SpecError
from wganbench.reading import TooLargeError, read_bytes
from wganbench.spec.architectures import add_architectures
from wganbench.spec.checks import find_mistakes
from wganbench.spec.experiment import Experiment, with_overrides
from wganbench.spec.matrix import expand
from wganbench.spec.overrides import merge, nested, parse_override, split
from wganbench.spec.setting import Setting
from wganbench.spec.strict import Table, check_values, limit_mistakes, mistakes, short, suggest

MAX_BYTES = 200_000

RESERVED = "speed"
"""A name that no experiment may have, since a results folder keeps measured speeds in a folder of this name."""

ABOUT = frozenset(Experiment.model_fields) - {"name", "path", "defaults", "overrides"}
"""Top-level keys that describe the experiment; all others are defaults of the setting."""

KNOWN = frozenset({*ABOUT, *Setting.model_fields})
"""All top-level keys."""

OWN = frozenset({"title", "question", "source", "version", "deviations", "claims", "inherit_claims", "pilot", "judge"})
"""Keys that a spec does not inherit from the one that it extends: its description, and what is to be judged."""

_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){16}""")
"""A key of more than 16 parts: the time that tomllib takes grows with the square of their number."""


NOT_TRAINED = frozenset({"measures", "measured_samples", "pictures", "clouds", "band"})
"""Fields of the setting that say what is measured and kept, and not how networks are trained."""

COVERAGE = "coverage"
"""The name of the file beside the specs that says which claims of the sources they judge."""


def available() -> dict[str, Path]:
    """Returns the specs that ship with wganbench, by name, in a clone or an installed wheel."""
    paths = sorted(specs_folder().glob("*.toml"), key=lambda path: natural(path.stem))
    return {path.stem: path for path in paths if path.stem != COVERAGE}


def natural(name: str) -> list[str | int]:
    """Returns what names are sorted by, so that numbers in them sort by value: gaussians8 before gaussians25."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", name)]


def specs_folder() -> Path:
    """Returns the folder of the specs that ship with wganbench."""
    wheel = Path(str(importlib.resources.files("wganbench") / "benchmarks"))
    # Look inside the wheel first: another package may have installed a folder "benchmarks" beside this one.
    return wheel if wheel.is_dir() else Path(__file__).resolve().parents[2] / "benchmarks"


def load(experiment: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Reads, merges and checks a spec; imports none of the objects that it names.

    Args:
        experiment: A name from ``available()``, or the path of a TOML file.
        overrides: Changes of the form ``"path.to.field=value"`` with a TOML value; a value that is not valid TOML is
            taken as a string.

    Raises:
        SpecError: If the spec is wrong; lists every mistake of the file, one per line.
    """
    path = _locate(str(experiment))
    table = _read_extended(path, ())
    changes = [parse_override(text) for text in overrides]
    of_the_draw = [change for change in changes if split(change[0])[0] == "architectures"]
    for dotted, value in of_the_draw:
        table = _apply_override(table, dotted, value)
    table = add_architectures(table, with_overrides(path.name, of_the_draw))
    for dotted, value in (change for change in changes if change not in of_the_draw):
        table = _apply_override(table, dotted, value)
    return _make(path, table, changes)


def _make(path: Path, table: Table, overrides: Sequence[tuple[str, Any]]) -> Experiment:
    own = {key: value for key, value in table.items() if key in ABOUT}
    if isinstance(own.get("figures"), list):
        own["figures"] = [_named(figure, place) for place, figure in enumerate(own["figures"], start=1)]
    defaults = {key: value for key, value in table.items() if key not in ABOUT}
    found = [f"unknown field {short(key)}{suggest(key, KNOWN)}" for key in defaults if key not in Setting.model_fields]
    defaults = {key: value for key, value in defaults.items() if key in Setting.model_fields}
    raw = {**own, "name": path.stem, "path": str(path), "defaults": defaults, "overrides": list(overrides)}
    try:
        made = Experiment.model_validate(raw)
    except ValidationError as error:
        found += mistakes(error, Experiment, raw)
        problems = _find_other_mistakes(raw)
    else:
        problems = find_mistakes(made)
        if not found and not problems:
            return made
    where = with_overrides(path.name, overrides)
    raise SpecError(*limit_mistakes([*(f"{where}, {text}" for text in found), *problems]))


def _named(figure: object, place: int) -> object:
    """Returns a figure with a name: its own, or one by its place in the spec."""
    return {"id": f"figure-{place}", **figure} if isinstance(figure, dict) else figure


def _find_other_mistakes(raw: Table) -> list[str]:
    """Returns the other mistakes of a spec that failed validation, so that all are reported together."""
    kept = {key: raw[key] for key in ("name", "path", "profiles", "variants", "defaults", "overrides") if key in raw}
    try:
        bare = Experiment.model_validate({"title": "?", "source": "?", "version": 1, **kept})
    except ValidationError:
        return []
    return find_mistakes(bare)


# ---- files ----------------------------------------------------------------------------------------------------------


def _locate(experiment: str, beside: Path = Path()) -> Path:
    """Returns the file that a name or path refers to; relative paths start at ``beside``."""
    if not experiment.endswith(".toml") and PurePath(experiment).name == experiment:
        specs = available()
        if experiment not in specs:
            raise SpecError(f"unknown experiment {short(experiment)}{suggest(experiment, specs)}")
        return specs[experiment]
    path = beside / experiment
    try:
        if path.is_file():
            _check_name(path)
            return path
        problem = "not a file" if path.exists() else "no such file"
    except (OSError, ValueError):  # such as a name that is too long, or a folder without permission
        problem = "no such file"
    raise SpecError(f"{experiment}: {problem}; 'wganbench list' names the experiments that ship")


def _check_name(path: Path) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", path.stem):
        raise SpecError(
            f"{short(path.name)}: rename the file; its name is the experiment's, of at most 64 lower-case letters, "
            f"digits, '-', '_' and '.'"
        )
    if path.stem == RESERVED:
        raise SpecError(f"{path.name}: rename the file; measured speeds lie in the folder that its records would")


def _read_extended(path: Path, below: tuple[Path, ...]) -> Table:
    """Reads a file and merges it over the specs that it extends; ``below`` lists the files that led here."""
    if path.resolve() in below:
        chain = " → ".join(step.name for step in (*below, path))
        raise SpecError(f"{below[0].name}, extends: circular ({chain}); it must end at a spec that extends none")
    table = _read(path)
    parent = table.get("extends")
    if parent is None:
        return table
    if not isinstance(parent, str):
        raise SpecError(f"{path.name}, extends: must be the name or path of a spec, got {short(parent)}")
    try:
        file = _locate(parent, path.parent)
    except SpecError as error:
        raise SpecError(f"{path.name}, extends: {error}") from None
    inherited = _drop_history(_read_extended(file, (*below, path.resolve())))
    taken = {key: value for key, value in inherited.items() if key not in OWN}
    if table.get("inherit_claims") is True:
        taken["claims"] = inherited.get("claims", [])
    joined = {
        key: [*taken.get(key, []), *table.get(key, [])]
        for key in ("claims", "published", "figures")
        if isinstance(table.get(key, []), list) and isinstance(taken.get(key, []), list)
    }
    named = {"title": f"{path.stem}, extending {file.stem}", "source": path.name, "version": 1}
    return {**named, **merge(_say_what_changes(taken, table, file.stem), table), **joined}


def _say_what_changes(inherited: Table, own: Table, parent: str) -> Table:
    """Returns what is inherited with profiles that say what the extension changes in them, as their text may be false.

    A profile that the extension describes itself is left out, and so is what does not affect training.
    """
    profiles = inherited.get("profiles")
    if not isinstance(profiles, dict):
        return inherited
    described = dict(profiles)
    for name, profile in profiles.items():
        mine = _table_at(own, "profiles", name)
        changed = sorted((own.keys() | mine.keys()) & Setting.model_fields.keys() - NOT_TRAINED)
        if changed and "says" not in mine and isinstance(profile, dict) and isinstance(profile.get("says"), str):
            described[name] = {**profile, "says": f"as in {parent} but for {' and '.join(changed)}: {profile['says']}"}
    return {**inherited, "profiles": described}


def _table_at(table: Table, *keys: str) -> Table:
    """Returns the table at ``keys``; an empty one if there is none."""
    for key in keys:
        found = table.get(key)
        table = found if isinstance(found, dict) else {}
    return table


def _drop_history(table: Table) -> Table:
    """Returns a spec as another one inherits it: its live claims, each with its source and without its ``since``."""
    claims = table.get("claims")
    if not isinstance(claims, list) or not all(isinstance(claim, dict) for claim in claims):
        return table
    live = [claim for claim in claims if "superseded" not in claim]
    source = {"source": table["source"]} if "source" in table else {}
    return {**table, "claims": [{**source, **{key: claim[key] for key in claim if key != "since"}} for claim in live]}


def _read(path: Path) -> Table:
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8-sig")
        if _LONG_KEY.search(text):
            raise SpecError(f"{path.name}: nested too deeply to be a spec")
        table = tomllib.loads(text)
    except TooLargeError as error:
        raise SpecError(f"{path.name}: {error.size}; a spec has at most {MAX_BYTES:,}") from None
    except OSError as error:
        raise SpecError(f"{path.name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path.name}: not a text file in UTF-8; a spec is TOML") from None
    except RecursionError:
        raise SpecError(f"{path.name}: nested too deeply to be a spec") from None
    except ValueError as error:  # a TOMLDecodeError, or an integer with thousands of digits
        raise SpecError(f"{path.name}: not TOML: {error}") from None
    if not table:
        raise SpecError(f"{path.name}: empty; a spec has at least title, source, version, data and variants")
    problems = limit_mistakes(f"{path.name}, {problem}" for problem in check_values(table))
    if problems:
        raise SpecError(*problems)
    return expand(table, path.name)


# ---- --set ----------------------------------------------------------------------------------------------------------


def _apply_override(table: Table, path: str, value: object) -> Table:
    """Returns ``table`` with ``value`` at ``path``, which must lead to a field of the experiment or of a setting."""
    first, *rest = keys = split(path)
    if first in ("variants", "profiles"):
        named = table.get(first)
        known = tuple(named) if isinstance(named, dict) else ()
        if not rest or rest[0] not in known:
            what = f"no {first.removesuffix('s')} {rest[0]!r}" if rest else f"must be {first}.NAME.FIELD"
            raise SpecError(f"--set {path}: {what}{suggest(rest[0] if rest else '', known)}")
        if len(rest) < 2:
            raise SpecError(f"--set {path}: must be {path}.FIELD, such as {path}.steps")
        _check_field(path, rest[1], Setting.model_fields)
    else:
        _check_field(path, first, KNOWN - {"extends"})
    return merge(table, nested(keys, value))


def _check_field(path: str, field: str, known: Collection[str]) -> None:
    if field not in known:
        raise SpecError(f"--set {path}: unknown field {field!r}{suggest(field, known)}")
