"""The runs by which ``wganbench judge`` compares a candidate with the methods that it replaces, and their folder.

A submission folder has a spec for each experiment, which extends the one that ships by the candidate's variants; the
source of the candidate beside them, so that the folder is complete; and ``results/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from wganbench.errors import RecordError, SpecError
from wganbench.files import write_atomically
from wganbench.records.custom_code import import_folders, sources
from wganbench.records.record import Record
from wganbench.records.reference import reference_folder
from wganbench.records.store import Store
from wganbench.runner.resolve import kind_of
from wganbench.spec import Experiment, available, load, parse_seeds
from wganbench.spec.judged import Budget, JudgedRow
from wganbench.spec.judging import name_in, slug, spec_of
from wganbench.spec.strict import Table, suggest

RESULTS = "results"
"""The folder of the records in a submission folder."""


@dataclass(frozen=True)
class Candidate:
    """A method that is judged.

    Attributes:
        name: What its variants' names begin with.
        change: The fields of a setting that it replaces, such as ``constraint``.
    """

    name: str
    change: Table


@dataclass(frozen=True)
class Part:
    """What is trained of one experiment under one profile, with the same seeds.

    Attributes:
        path: The spec in the submission folder.
        profile, seeds: The profile, and the seeds as a list in text.
        variants: The candidates' variants, and those that they replace where the reference lacks a run.
    """

    path: Path
    profile: str
    seeds: str
    variants: tuple[str, ...]


def candidate_of(name: str, options: Mapping[str, Any]) -> Candidate:
    """Returns the candidate that an objective or a constraint makes in the place of another one.

    Raises:
        ExtensionError: If ``name`` cannot be imported, or is of no kind that is known.
        SpecError: If it is a network, which changes more than a method.
    """
    kind = kind_of(name)
    if kind not in ("objective", "constraint"):
        raise SpecError(f"{name}: a {kind}, which a spec of your own compares; judged are objectives and constraints")
    return Candidate(slug(name), {kind: {"name": name, **options}})


def judged_experiments(budget: Budget, only: Sequence[str] = ()) -> dict[str, tuple[Experiment, list[JudgedRow]]]:
    """Returns the experiments that are judged on for a budget, each with its rows.

    Args:
        budget: The budget.
        only: The names of the experiments to take; all by default.

    Raises:
        SpecError: If one of ``only`` has no row for the budget.
    """
    every = {name: load(name) for name in available() if not only or name in only}
    found = {name: (spec, [row for row in spec.judge if row.share(budget)]) for name, spec in every.items()}
    found = {name: (spec, rows) for name, (spec, rows) in found.items() if rows}
    for name in only:
        if name not in found:
            known = suggest(name, [each for each in available() if load(each).judge])
            raise SpecError(f"--experiment {name}: has no row that the budget {budget} reaches{known}")
    return found


def write_specs(
    folder: Path, candidates: Sequence[Candidate], experiments: Mapping[str, tuple[Experiment, list[JudgedRow]]]
) -> dict[str, Path]:
    """Writes a spec for each experiment, and the candidates' source beside them; returns the paths by experiment.

    Raises:
        RecordError: If a file cannot be written.
        SpecError: If a candidate does not fit into a variant.
    """
    paths = {}
    for name, (spec, rows) in experiments.items():
        table: Table = {}
        for candidate in candidates:
            made = spec_of(spec, rows, candidate.name, candidate.change)
            table = _joined(table, made)
        paths[name] = folder / f"{name}.toml"
        _write(paths[name], tomli_w.dumps(table).encode())
        here = load(paths[name])
        for row in rows:
            for candidate in candidates:
                setting = here.setting(name_in(candidate.name, row), next(iter(row.budgets.shares().values())).profile)
                for file, content in sources(setting, import_folders("judge.toml")).items():
                    _write(folder / file, content)
    return paths


def _joined(table: Table, other: Table) -> Table:
    """Adds the variants of another candidate, which are in other tables and at the end of the same lists."""
    joined = dict(table)
    for key, value in other.items():
        old = joined.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            joined[key] = _joined(old, value)
        elif isinstance(old, list):
            joined[key] = [*old, *(each for each in value if each not in old)]
        else:
            joined[key] = value
    return joined


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, replace=True)
    except OSError as error:
        raise RecordError(f"{path}: cannot be written: {error.strerror}") from None


def parts(
    paths: Mapping[str, Path],
    candidates: Sequence[Candidate],
    experiments: Mapping[str, tuple[Experiment, list[JudgedRow]]],
    budget: Budget,
    reference: Sequence[Record],
) -> Iterator[Part]:
    """Yields what has to be trained, in the order of the experiments and their rows."""
    recorded = {record.id for record in reference if record.status != "failed"}
    for name, (spec, rows) in experiments.items():
        wanted: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            share = row.share(budget)
            assert share is not None
            own = [name_in(candidate.name, row) for candidate in candidates]
            family = spec.family(row.variant, share.profile)
            lacks = any(f"{family}-s{seed}" not in recorded for seed in parse_seeds(share.seeds))
            wanted.setdefault((share.profile, share.seeds), []).extend([*([row.variant] if lacks else []), *own])
        for (profile, seeds), variants in wanted.items():
            yield Part(paths[name], profile, seeds, tuple(dict.fromkeys(variants)))


def reference_records(results: Path, *, on_cpu: bool) -> list[Record]:
    """Returns the committed records of one kind of device, and those of the submission folder.

    A run that both have counts as it is in the submission folder.
    """
    own = Store(results).load() if results.is_dir() else {}
    shipped = {
        name: record
        for name, record in Store(reference_folder()).load().items()
        if (record.provenance.device == "cpu") == on_cpu
    }
    return list({**shipped, **own}.values())
