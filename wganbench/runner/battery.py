"""The runs by which ``wganbench judge`` compares a candidate with the methods that it replaces, and their folder.

A submission folder has a spec for each experiment, which extends the one that ships by the candidate's variants; the
source of the candidate beside them, so that the folder is complete; and ``results/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wganbench.errors import RecordError, SpecError
from wganbench.files import write_atomically
from wganbench.records.custom_code import sources
from wganbench.records.record import Record
from wganbench.runner.resolve import kind_of
from wganbench.spec import Experiment, available, catalogue, load, parse_seeds
from wganbench.spec.judged import Budget, JudgedRow
from wganbench.spec.judging import Candidate, name_in, rows_for, slug, spec_text
from wganbench.spec.strict import suggest


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
    """Returns the candidate that an objective, a constraint or a custom critic makes in the place of another one.

    Raises:
        ExtensionError: If ``name`` cannot be imported, or is of no kind that is known.
        SpecError: If it is a built-in network.
    """
    kind = kind_of(name)
    if kind == "network" and not catalogue.is_dotted(name):
        raise SpecError(f"{name}: a network, which a spec of your own compares; judged are methods and custom critics")
    return Candidate(slug(name), {"critic" if kind == "network" else kind: {"name": name, **options}})


def judged_experiments(
    budget: Budget, candidates: Sequence[Candidate], only: Sequence[str] = ()
) -> dict[str, tuple[Experiment, list[JudgedRow]]]:
    """Returns the experiments that candidates are judged on for a budget, each with its rows.

    Args:
        budget: The budget.
        candidates: The candidates.
        only: The names of the experiments to take; all by default.

    Raises:
        SpecError: If one of ``only`` has no row for the budget.
    """
    every = {name: load(name) for name in available() if not only or name in only}
    found = {name: (spec, rows_for(spec, budget, candidates)) for name, spec in every.items()}
    found = {name: (spec, rows) for name, (spec, rows) in found.items() if rows}
    for name in only:
        if name not in found:
            known = suggest(name, [each for each in available() if each != name and load(each).judge])
            raise SpecError(f"--experiment {name}: has no row for these candidates on the budget {budget}{known}")
    return found


@dataclass(frozen=True)
class Written:
    """The files of a submission folder that a training needs.

    Attributes:
        specs: The path of the spec of each experiment.
        files: The paths in the folder of all specs and sources.
    """

    specs: Mapping[str, Path]
    files: tuple[str, ...]


def write_specs(
    folder: Path,
    candidates: Sequence[Candidate],
    experiments: Mapping[str, tuple[Experiment, list[JudgedRow]]],
    code: Sequence[str],
) -> Written:
    """Writes a spec for each experiment, and the candidates' source beside them.

    Args:
        folder: The folder of the submission.
        candidates, experiments: What is compared.
        code: The folders in which the candidates' modules are looked for.

    Raises:
        RecordError: If a file cannot be written.
        SpecError: If a candidate does not fit into a variant.
    """
    paths, files = {}, {}
    for name, (spec, rows) in experiments.items():
        paths[name] = folder / f"{name}.toml"
        files[f"{name}.toml"] = spec_text(spec, rows, candidates).encode()
        _write(paths[name], files[f"{name}.toml"])
        here = load(paths[name])
        for row in rows:
            for candidate in candidates:
                setting = here.setting(name_in(candidate.name, row), next(iter(row.budgets.shares().values())).profile)
                for file, content in sources(setting, code).items():
                    _write(folder / file, content)
                    files[file] = content
    return Written(paths, tuple(files))


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
