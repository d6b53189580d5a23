"""``wganbench run``: trains, measures and records."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast, get_args

import click

from wganbench.analysis.estimate import Speed, estimate, format_hours
from wganbench.analysis.tables.main_measures import main_measures, shown_runs
from wganbench.cli.choice import chosen, has_records, load_chosen, runs_of
from wganbench.cli.console import Voice, voice
from wganbench.cli.options import (
    COUNT,
    POSITIVE,
    REFERENCE,
    RUNS,
    cpu_threads,
    data_dir,
    device_kind,
    inception_weights,
    results_folder,
    results_option,
    together,
)
from wganbench.cli.printing import counted, print_tables
from wganbench.errors import DataError, RecordError, SpecError
from wganbench.records import rates
from wganbench.records.custom_code import changes, custom_names, import_folders
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.runner.jobs.job import Event
from wganbench.runner.jobs.options import Execution, ExecutorName
from wganbench.runner.jobs.stop import EXIT_CODES, Stop
from wganbench.spec import Experiment
from wganbench.spec.plan import Cohort, Run, cohorts

_executed = together(
    device_kind,
    click.option(
        "--executor", type=click.Choice(get_args(ExecutorName)), help="[default: inline, with more than one job local]"
    ),
    click.option("--jobs", type=COUNT, help="Cohorts at a time [default: by cores or cards; inline: 1]."),
    cpu_threads,
    click.option("--per-gpu", type=COUNT, default=1, show_default=True, help="Cohorts that share a card."),
    click.option("--address", help="Of a Ray cluster, or auto [default: one is started here]."),
    click.option("--slurm", multiple=True, metavar="KEY=VALUE", help="A parameter of submitit; repeatable."),
    click.option(
        "--tensorboard",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Write event files for TensorBoard into DIR.",
    ),
    click.option("--no-capture", "capture", flag_value=False, default=True, help="On CUDA: no steps as one graph."),
    click.option("--deterministic", is_flag=True, help="Hold torch to deterministic algorithms."),
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        default=2,
        show_default=True,
        help="Further attempts at a cohort whose worker died, without a new checkpoint between.",
    ),
    click.option("--timeout", type=POSITIVE, metavar="MINUTES", help="Runs of a cohort that takes longer fail."),
    click.option(
        "--checkpoint-every",
        "checkpoint_seconds",
        type=POSITIVE,
        default=60.0,
        metavar="SECONDS",
        show_default=True,
        help="Wall time between two checkpoints of a cohort.",
    ),
)
"""The options for the execution of runs: where, how many at a time, and how failures are handled."""


@click.command(short_help="Train, measure and record an experiment.")
@click.argument("experiment")
@chosen
@results_folder
@data_dir
@inception_weights
@_executed
@click.option("--again", is_flag=True, help="Train and record anew what is recorded.")
@click.option("--keep-failed", is_flag=True, help="Leave failed runs as they are.")
@click.option("--max-hours", type=POSITIVE, help="Leave checkpoints and stop after so long, with exit code 124.")
@click.option("--log-json", is_flag=True, help="Print every event as a line of JSON.")
def run(
    experiment: str,
    seeds: str | None,
    profile: str,
    variants: tuple[str, ...],
    overrides: tuple[str, ...],
    data: tuple[str, ...],
    stack: int | None,
    results: Path,
    again: bool,
    keep_failed: bool,
    max_hours: float | None,
    log_json: bool,
    **executed: Any,
) -> None:
    """Run every variant of EXPERIMENT once per seed, and record each outcome.

    Finished and diverged runs are skipped, failed ones run again. Ctrl-C and SIGTERM leave checkpoints; the same
    command goes on from there, as do others on the same results folder. Exits with 1 if a run failed.
    """
    spec, folders = load_chosen(experiment, overrides, data, profile, variants)
    runs = runs_of(spec, seeds, profile, variants)
    if folders:
        from wganbench.spec import substitute

        substitute.prepare((run.setting.data for run in runs), folders)
    execution = _execution(stack=stack or spec.stack, **executed)
    stop = Stop(None if max_hours is None else max_hours * 3600)
    new: list[Record] = []
    planned, says = cohorts(runs, execution.stack), spec.says(profile)

    def tell(event: Event) -> None:
        if event["event"] == "begin":
            for line in _beginning(event, planned, execution):
                out.say(line)
        out.tell(event)

    with voice(planned, as_json=log_json) as out, stop.on_signals():
        if profile != "paper":
            out.say(f"profile {profile}: {says}; this is not the paper's protocol" if says else f"profile {profile}")
        about = _reference(runs, results)
        if about:
            out.say(about)
        if not again:
            _tell_of_changes(runs, Store(results), spec.path, out)
        from wganbench.runner.loop import run_all  # imports torch, which nothing else here needs

        for record in run_all(
            runs,
            Store(results),
            spec.path,
            execution,
            again=again,
            keep_failed=keep_failed,
            stop=stop,
            report=out.report,
            tell=tell,
        ):
            new.append(record)
            out.record(record)
        failed = sum(record.status == "failed" for record in new)
        if spec.success_table is None and not log_json:
            _show_measures(spec, runs, Store(results), out)
        out.end(
            _summary(experiment, runs, new, results, stop),
            recorded=len(new),
            failed=failed,
            planned=len(runs),
            stop=stop.reason,
        )
    if spec.success_table is not None and stop.reason is None and not log_json:
        from wganbench.analysis.results import Results
        from wganbench.analysis.tables import success, table  # scipy takes a second to import

        found, _ = Store(results).scan()
        print_tables(table.terminal(each) for each in success.success_tables(Results(spec, found), profile))
    if stop.reason is not None:
        click.echo(f"wganbench: {stop.reason}; what was recorded stays, the same command goes on from there", err=True)
        sys.exit(EXIT_CODES[stop.reason])
    if failed:
        click.echo(f"wganbench: {failed} of {len(new)} runs failed; the tracebacks are in their records", err=True)
        sys.exit(1)


def _tell_of_changes(runs: Sequence[Run], store: Store, spec_path: str, out: Voice) -> None:
    """Reports custom code that has changed since runs were recorded; those runs are not trained again for that."""
    if not any(custom_names(setting) for setting in {run.family: run.setting for run in runs}.values()):
        return
    found, _ = store.scan()
    recorded = [found[run.id] for run in runs if run.id in found]
    for change in changes(recorded, import_folders(spec_path)):
        out.tell({"event": "code changed", "file": change.file, "message": change.text()})


def _beginning(event: Event, planned: Sequence[Cohort], execution: Execution) -> Iterator[str]:
    """Yields lines on what will be trained, about how long it takes and where it resumes; none if all is recorded."""
    left = [cohort for cohort in planned if cohort.id in event["cohorts"]]
    if not left:
        return
    n_recorded = event["runs"] - event["left"]
    recorded = f"{n_recorded:,} of {event['runs']:,} runs are recorded; " if n_recorded else ""
    todo = f"{counted(event['left'], 'run')} to train in {counted(len(left), 'cohort')}"
    yield f"{recorded}{todo}: {_time(left, execution)}"
    resumed = {cohort.id: event["cohorts"][cohort.id] for cohort in left if event["cohorts"][cohort.id]}
    if resumed:
        furthest = max(left, key=lambda cohort: event["cohorts"][cohort.id] / cohort.runs[0].setting.steps)
        step, steps = resumed[furthest.id], furthest.runs[0].setting.steps
        yield f"{counted(len(resumed), 'cohort')} resumed from a checkpoint, the furthest at step {step:,} of {steps:,}"


def _time(left: Sequence[Cohort], execution: Execution) -> str:
    """Returns the time as ``plan`` estimates it, in words; for other machines it is unknown."""
    if execution.executor not in ("inline", "local"):
        return "how long they take on other machines is not known"
    threads = execution.threads or 1
    jobs = 1 if execution.executor == "inline" else execution.jobs or max(1, (os.cpu_count() or 1) // threads)
    device = cast(rates.DeviceChoice, execution.device)
    speed = Speed(_measured(device, threads), device, threads)
    hours = estimate(left, (), speed, jobs).wall_hours
    if hours is None:
        return "the time is unknown, as the operations of custom networks are not counted"
    basis = "by rates measured here" if speed.measured else "a guess until 'wganbench plan EXP --calibrate' measures"
    return f"about {format_hours(hours)} of training, without measures ({basis})"


def _measured(device: rates.DeviceChoice, threads: int) -> rates.Measured | None:
    """Returns the measured rates of the device; None also if the file is damaged, since training can go on without."""
    from wganbench.data.locations import data_folder  # imports numpy, which the help does not need

    try:
        return rates.choose(rates.read(data_folder() / rates.FILE), device, threads)
    except DataError:
        return None


def _show_measures(spec: Experiment, runs: Sequence[Run], store: Store, out: Voice) -> None:
    """Shows the main measures of all recorded runs, including those recorded earlier."""
    found = []
    for run in shown_runs(runs):
        with contextlib.suppress(RecordError):
            found += [record for record in [store.find(run.experiment, run.id)] if record is not None]
    if found:
        out.show(main_measures(spec, runs, found))


def _execution(executor: ExecutorName | None, slurm: Sequence[str], timeout: float | None, **rest: Any) -> Execution:
    """Builds the execution from the options of ``run``; more than one job selects local processes by default."""
    named = executor or ("local" if (rest["jobs"] or 1) > 1 else "inline")
    asked = {}
    for text in slurm:
        key, equals, value = text.partition("=")
        if not (key.isidentifier() and equals and value):
            raise SpecError(f"--slurm {text!r}: must be KEY=VALUE, such as slurm_partition=gpu or timeout_min=120")
        asked[key] = int(value) if value.isdecimal() else value
    return Execution(executor=named, slurm=asked, timeout_seconds=None if timeout is None else timeout * 60, **rest)


def _reference(runs: Sequence[Run], results: Path) -> str:
    """Returns a note on the committed records, which the run leaves unchanged; empty if it does not apply."""
    if results != RUNS or not has_records(REFERENCE):
        return ""
    recorded = {path.stem for path in Store(REFERENCE).paths()}
    there = sum(run.id in recorded for run in runs)
    return (
        f"recording in {RUNS}; the reference in {REFERENCE}, which has {there} of these {len(runs)} runs, stays as it "
        f"is: 'wganbench report' shows both, --results {REFERENCE} adds to it"
    )


def _summary(experiment: str, runs: Sequence[Run], new: Sequence[Record], results: Path, stop: Stop) -> str:
    if new:
        command = f"'wganbench report {experiment}{results_option(results)}'"
        return f"{len(new)} runs recorded in {results}; {command} shows them"
    if stop.reason is not None:
        return f"no run recorded in {results} before it stopped"
    return (
        f"all {len(runs)} runs are recorded in {results}; nothing trained. "
        f"--results DIR records elsewhere, --again trains anew"
    )
