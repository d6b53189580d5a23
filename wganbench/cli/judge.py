"""``wganbench judge``: a loss or constraint of one's own, asked questions first and then compared with others."""

from __future__ import annotations

import json
import platform
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from wganbench.analysis.estimate import about_hours, estimate, format_hours
from wganbench.cli.console import counted, print_rows, print_tables
from wganbench.cli.options import FOLDER, POSITIVE, Selection, component_options, data_dir, grouped
from wganbench.cli.plan import known_speed
from wganbench.cli.run import executed, train
from wganbench.errors import SpecError
from wganbench.reading import read_bytes
from wganbench.records import submission
from wganbench.records.submission import RESULTS, Conformance, Submission
from wganbench.runner.jobs.options import Execution
from wganbench.spec.judged import BUDGETS, Budget
from wganbench.spec.judging import METHOD, NETWORKS, Candidate, slug
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
    same references. The folder gets their specs, their source, the answers, the records, tables, figures and a page for
    a browser; the same command resumes. Without OBJECT, --out names such a folder, which is completed and made again.

    Exits with 1 if an answer is "fail", which means that results would be wrong; nothing is then trained.
    """
    if asked.settings and len(asked.names) != 1:
        raise SpecError(f"--set: is for a single object, got {len(asked.names)}; use --toml for several with options")
    work = _work(asked, battery)
    answers = _ask(work, as_json=as_json and conformance)
    if any(each.outcome == "fail" for asked_of in answers.objects for each in asked_of.answers):
        raise click.exceptions.Exit(1)
    if not conformance:
        code = _compare(work, answers, execution, max_hours, only_plan=battery.only_plan, as_json=as_json)
        if code:
            raise click.exceptions.Exit(code)


@dataclass(frozen=True)
class Work:
    """What is judged, and on what.

    Attributes:
        candidates: The candidates.
        budget: How much is trained.
        only: The experiments; all that the budget reaches if empty.
        out: The folder of the submission.
        code: The folders in which the candidates' modules are looked for, one after the other.
    """

    candidates: list[Candidate]
    budget: Budget
    only: tuple[str, ...]
    out: Path
    code: list[str]


def _work(asked: Asked, battery: Battery) -> Work:
    """Returns what is judged: the objects that are named, or else those of the folder."""
    from wganbench.runner.import_path import add_import_folders

    here = str(Path.cwd())
    if asked.names or asked.files:
        add_import_folders([here])
        candidates = _candidates(asked)
        out = battery.out or Path("runs", "judge", "-".join(each.name for each in candidates)[:60])
        return Work(candidates, battery.budget, battery.only, out, [here, str(out)])
    out = battery.out or Path()
    if battery.out is None or not (out / submission.FILE).is_file():
        where = "" if battery.out is None else f"; {out} has no {submission.FILE}"
        text = "judge: nothing to judge; name an object, such as gradient_penalty, or a file with --toml"
        raise SpecError(f"{text}{where}")
    kept = submission.read(out)
    code = [str(out), here]
    add_import_folders(code)
    return Work(kept.methods, kept.budget, tuple(kept.experiments), out, code)


def _candidates(asked: Asked) -> list[Candidate]:
    from wganbench.runner.battery import candidate_of

    options = component_options(asked.settings, "penalty_weight=1.0")
    found = [*(candidate_of(name, options) for name in asked.names), *map(_from_file, asked.files)]
    names = [candidate.name for candidate in found]
    if len(set(names)) < len(names):
        raise SpecError(f"judge: two candidates are called {max(names, key=names.count)!r}; rename one")
    return found


def _from_file(path: Path) -> Candidate:
    """Reads a candidate from the fields of a variant in a file."""
    try:
        table = tomllib.loads(read_bytes(path, MAX_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise SpecError(f"--toml {path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # also text that is not UTF-8
        raise SpecError(f"--toml {path}: not TOML: {error}") from None
    if not {*METHOD, *NETWORKS} & table.keys():
        fields = ", ".join([*METHOD, *NETWORKS])
        raise SpecError(f"--toml {path}: has none of {fields}; it must be the fields of a variant")
    return Candidate(slug(path.stem), table)


# ---- questions -------------------------------------------------------------------------------------------------------


def _ask(work: Work, *, as_json: bool) -> Conformance:
    """Asks all questions of the candidates' objects, and prints the answers."""
    from wganbench.runner.asking import ask_all  # imports torch

    answers = ask_all(work.candidates, work.budget, work.only)
    if as_json:
        found = [each.model_dump(mode="json") for each in answers.objects]
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return answers
    for asked in answers.objects:
        shown = [each for each in asked.answers if each.outcome != "not applicable"]
        print_rows([{"question": each.question, "answer": each.outcome, "found": each.text} for each in shown])
        click.echo(f"{asked.kind} {asked.object}: {asked.summary()}")
    return answers


# ---- training --------------------------------------------------------------------------------------------------------


def _compare(
    work: Work,
    answers: Conformance,
    execution: Execution,
    max_hours: float | None,
    *,
    only_plan: bool,
    as_json: bool,
) -> int:
    """Trains what is missing, writes the folder and prints the tables; returns the exit code."""
    from wganbench.records.reference import reference_records
    from wganbench.runner.battery import judged_experiments, parts, write_specs
    from wganbench.runner.loop import choose_device
    from wganbench.runner.provenance import versions

    out = work.out
    experiments = judged_experiments(work.budget, work.candidates, work.only)
    device: Literal["cpu", "cuda"] = "cpu" if choose_device(execution.device).type == "cpu" else "cuda"
    reference = reference_records(out / RESULTS, experiments, on_cpu=device == "cpu")
    with tempfile.TemporaryDirectory() as elsewhere:  # a plan alone leaves the folder as it is
        folder = Path(elsewhere) if only_plan else out
        written = write_specs(folder, work.candidates, experiments, work.code)
        todo = [
            Selection(str(part.path), part.profile, part.variants, (), (), part.seeds, results=out / RESULTS)
            for part in parts(written.specs, work.candidates, experiments, work.budget, reference)
        ]
        _print_plan(todo, execution)
    if only_plan:
        return 0
    begun = time.monotonic()
    for selection in todo:
        left = None if max_hours is None else max(max_hours - (time.monotonic() - begun) / 3600, 1e-3)
        code = train(selection, execution, max_hours=left)
        if code > 1:  # stopped; the same command resumes
            return code
    made = Submission(
        budget=work.budget,
        device=device,
        experiments=list(experiments),
        candidates={each.name: each.change for each in work.candidates},
        libraries={"python": platform.python_version(), **versions()},
        reference={},
        files={},
    )
    _write(out, made, answers, written.files, as_json=as_json)
    return 0


def _write(out: Path, made: Submission, answers: Conformance, given: Sequence[str], *, as_json: bool) -> None:
    """Writes tables, figures and pages into the folder, and prints the tables."""
    from wganbench.analysis.judged import folder, texts
    from wganbench.analysis.tables import table
    from wganbench.records.reference import reference_records

    records = reference_records(out / RESULTS, made.experiments, on_cpu=made.device == "cpu")
    judgement = folder.write(out, made, answers, records, given)
    if as_json:
        click.echo(texts.data(judgement), nl=False)
        return
    print_tables(*map(table.terminal, judgement.tables))
    click.echo(f"{out / folder.HTML}: tables and figures, for a browser; {out / texts.PAGE}: the same as Markdown")
    click.echo(f"'wganbench verify-submission {out}' checks the folder")


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
    click.echo(f"{about_hours(total)} of training left, without measures, one cohort at a time")
