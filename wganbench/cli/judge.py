"""``wganbench judge``: a loss or constraint of one's own, asked questions first and then compared with others."""

from __future__ import annotations

import dataclasses
import json
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from wganbench.analysis.estimate import estimate, format_hours
from wganbench.cli.console import counted, print_rows, print_tables
from wganbench.cli.options import FOLDER, POSITIVE, Selection, component_options, data_dir, grouped
from wganbench.cli.plan import known_speed
from wganbench.cli.run import executed, train
from wganbench.errors import SpecError
from wganbench.files import write_atomically
from wganbench.reading import read_bytes
from wganbench.records.record import Record
from wganbench.runner.jobs.options import Execution
from wganbench.spec import Experiment
from wganbench.spec.judged import BUDGETS, Budget
from wganbench.spec.loading import MAX_BYTES


@dataclass(frozen=True)
class Asked:
    """What is judged: names of objects, options of a single one, and files with a whole variant each."""

    names: tuple[str, ...]
    settings: tuple[str, ...]
    files: tuple[Path, ...]


_asked = grouped(
    "asked",
    Asked,
    click.argument("names", metavar="OBJECT...", nargs=-1),
    click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help="Set an option of it; repeatable."),
    click.option(
        "--toml",
        "files",
        type=click.Path(dir_okay=False, path_type=Path),
        multiple=True,
        help="A file with the fields of a variant, such as objective, constraint and critic_optimizer; repeatable.",
    ),
)


@dataclass(frozen=True)
class Battery:
    """How much is trained, on which experiments, and where it is kept."""

    budget: Budget
    only: tuple[str, ...]
    out: Path | None
    only_plan: bool


_battery = grouped(
    "battery",
    Battery,
    click.option("--budget", type=click.Choice(BUDGETS), default="minutes", show_default=True, help="How much to do."),
    click.option("--experiment", "only", multiple=True, metavar="EXP", help="Only this experiment; repeatable."),
    click.option("--out", type=FOLDER, metavar="DIR", help="Folder of a submission [default: runs/judge/NAME]."),
    click.option("--plan", "only_plan", is_flag=True, help="Print what would be trained and its hours, and stop."),
)


@click.command(short_help="Judge a loss or constraint of your own.")
@_asked
@click.option("--conformance", is_flag=True, help="Ask questions on small tensors alone; takes seconds.")
@_battery
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@data_dir
@executed
@click.option("--max-hours", type=POSITIVE, help="Save checkpoints and stop after this time, with exit code 124.")
def judge(
    asked: Asked, conformance: bool, battery: Battery, as_json: bool, execution: Execution, max_hours: float | None
) -> None:
    """Judge OBJECT: ask questions of it, train it in the place of other methods, and compare seed by seed.

    OBJECT is a built-in name, such as gradient_penalty, or package.module:object, with the module in this folder or
    installed: a class with critic_loss and generator_loss, a penalty or a projection. Several are compared with the
    same references. The folder gets their specs, their source, the records and the table; the same command resumes.

    Exits with 1 if an answer is "fail", which means that results would be wrong; nothing is then trained.
    """
    from wganbench.records.custom_code import import_folders
    from wganbench.runner.import_path import add_import_folders

    if not asked.names and not asked.files:
        raise SpecError("judge: nothing to judge; name an object, such as gradient_penalty, or a file with --toml")
    if asked.settings and len(asked.names) != 1:
        raise SpecError(f"--set: is for a single object, got {len(asked.names)}; use --toml for several with options")
    add_import_folders(import_folders("judge.toml"))
    options = component_options(asked.settings, "penalty_weight=1.0")
    objects = [(name, options) for name in asked.names]
    objects += [each for path in asked.files for each in _objects(_from_file(path).change)]
    has_failed = _ask(objects, as_json=as_json and conformance)
    if has_failed:
        raise click.exceptions.Exit(1)
    if not conformance:
        code = _compare(asked, options, battery, execution, max_hours, as_json=as_json)
        if code:
            raise click.exceptions.Exit(code)


# ---- questions -------------------------------------------------------------------------------------------------------


def _objects(change: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Returns the objective and the constraints of a variant, each by its name with its options."""
    every = [change.get("objective"), *_listed(change.get("constraint"))]
    tables = [{"name": each} if isinstance(each, str) else each for each in every if each not in (None, "none")]
    return [(str(each.get("name")), {key: each[key] for key in each if key != "name"}) for each in tables]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _ask(objects: Sequence[tuple[str, Mapping[str, Any]]], *, as_json: bool) -> bool:
    """Prints the answers about each object; returns whether one of them is a failure."""
    from wganbench.runner.questions import QUESTIONS, ask, summary  # imports torch

    every = {name: ask(name, dict(options)) for name, options in objects}
    if as_json:
        found = [
            {
                "object": name,
                "kind": kind,
                "answers": [{"question": QUESTIONS[each.check], **dataclasses.asdict(each)} for each in answers],
            }
            for name, (kind, answers) in every.items()
        ]
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    for name, (kind, answers) in every.items() if not as_json else ():
        shown = [each for each in answers if each.outcome != "not applicable"]
        print_rows([{"question": QUESTIONS[each.check], "answer": each.outcome, "found": each.text} for each in shown])
        click.echo(f"{kind} {name}: {', '.join(summary(answers))}")
    return any(each.outcome == "fail" for _, answers in every.values() for each in answers)


# ---- training --------------------------------------------------------------------------------------------------------


def _compare(
    asked: Asked,
    options: Mapping[str, Any],
    battery: Battery,
    execution: Execution,
    max_hours: float | None,
    *,
    as_json: bool,
) -> int:
    """Trains what is missing, prints the tables and keeps them in the folder; returns the exit code."""
    from wganbench.runner.battery import (
        RESULTS,
        candidate_of,
        judged_experiments,
        parts,
        reference_records,
        write_specs,
    )
    from wganbench.runner.loop import choose_device

    candidates = [candidate_of(name, options) for name in asked.names] + [_from_file(path) for path in asked.files]
    names = [candidate.name for candidate in candidates]
    if len(set(names)) < len(names):
        raise SpecError(f"judge: two candidates are called {max(names, key=names.count)!r}; rename one")
    out = battery.out or Path("runs", "judge", "-".join(names)[:60])
    experiments = judged_experiments(battery.budget, battery.only)
    on_cpu = choose_device(execution.device).type == "cpu"
    paths = write_specs(out, candidates, experiments)
    reference = reference_records(out / RESULTS, on_cpu=on_cpu)
    todo = [
        Selection(str(part.path), part.profile, part.variants, (), (), part.seeds, results=out / RESULTS)
        for part in parts(paths, candidates, experiments, battery.budget, reference)
    ]
    _print_plan(todo, execution)
    if battery.only_plan:
        return 0
    begun = time.monotonic()
    for selection in todo:
        left = None if max_hours is None else max(max_hours - (time.monotonic() - begun) / 3600, 1e-3)
        code = train(selection, execution, max_hours=left)
        if code > 1:  # stopped; the same command resumes
            return code
    specs = [spec for spec, _ in experiments.values()]
    _print_tables(out, names, battery.budget, specs, reference_records(out / RESULTS, on_cpu=on_cpu), as_json=as_json)
    return 0


def _from_file(path: Path) -> Any:
    """Reads a candidate from the fields of a variant in a file."""
    from wganbench.runner.battery import Candidate
    from wganbench.spec.judging import slug

    try:
        table = tomllib.loads(read_bytes(path, MAX_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise SpecError(f"--toml {path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # also text that is not UTF-8
        raise SpecError(f"--toml {path}: not TOML: {error}") from None
    if not {"objective", "constraint"} & table.keys():
        raise SpecError(f"--toml {path}: has neither objective nor constraint; it must be the fields of a variant")
    return Candidate(slug(path.stem), table)


def _print_plan(todo: Sequence[Selection], execution: Execution) -> None:
    """Prints what is left to train of each part, and its hours as ``plan`` estimates them."""
    threads, rows, total = execution.threads or 1, [], 0.0
    speed = known_speed("cuda" if execution.device == "cuda" else "cpu", threads)
    for selection in todo:
        done = {record.id for record in selection.store.load().values() if record.status != "failed"}
        left = [run for run in selection.runs if run.id not in done]
        hours = estimate(selection.cohorts, done, speed, execution.jobs or 1).hours_left
        total += hours or 0.0
        rows.append(
            {
                "experiment": Path(selection.experiment).stem,
                "profile": selection.profile,
                "variants": ", ".join(selection.variants),
                "seeds": selection.seeds or "",
                "left": counted(len(left), "run"),
                "time": "unknown" if hours is None else format_hours(hours),
            }
        )
    print_rows(rows)
    click.echo(f"about {format_hours(total)} of training left, without measures, one cohort at a time")


def _print_tables(
    out: Path,
    names: Sequence[str],
    budget: Budget,
    specs: Sequence[Experiment],
    records: Sequence[Record],
    *,
    as_json: bool,
) -> None:
    """Prints a table for each candidate, and writes all of them to ``README.md`` and ``judge.json`` in the folder."""
    from wganbench.analysis import judging
    from wganbench.analysis.tables import table
    from wganbench.runner.battery import RESULTS

    tables = []
    for name in names:
        pairs = [each for spec in specs for each in judging.pairs_of(name, spec, budget, records, records)]
        tables.append(judging.table(name, judging.judge(pairs)))
    text = "\n".join(f"## {each.title}\n\n{table.render(each, 'markdown')}" for each in tables)
    write_atomically(out / "README.md", f"# Judged on the budget {budget}\n\n{text}".encode(), replace=True)
    content = [json.loads(table.render(each, "json")) for each in tables]
    made = json.dumps({"budget": budget, "tables": content}, indent=2, ensure_ascii=False) + "\n"
    write_atomically(out / "judge.json", made.encode(), replace=True)
    if as_json:
        click.echo(made, nl=False)
    else:
        print_tables(*map(table.terminal, tables))
        click.echo(f"{out / 'README.md'}: the tables; {out / RESULTS}: the records")
