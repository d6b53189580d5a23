"""``wganbench run``: trains, measures and records."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast, get_args

import click

from wganbench.analysis.estimate import Speed, about_hours, estimate
from wganbench.analysis.tables.main_measures import main_measures, shown_runs
from wganbench.cli.console import Reporter, counted, echo, print_tables, reporter
from wganbench.cli.options import (
    COUNT,
    FOLDER,
    POSITIVE,
    REFERENCE,
    RUNS,
    Selection,
    cpu_threads,
    data_dir,
    device_kind,
    grouped,
    has_records,
    inception_weights,
    results_option,
    selection,
)
from wganbench.cli.plan import known_speed
from wganbench.errors import DataError, RecordError, SpecError
from wganbench.records.custom_code import changes, custom_names, import_folders
from wganbench.records.rates import DeviceChoice
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.runner.jobs.job import Event
from wganbench.runner.jobs.options import Execution, ExecutorName
from wganbench.runner.jobs.stop import EXIT_CODES, Stop
from wganbench.spec import listed
from wganbench.spec.plan import Cohort


def _parse_slurm(context: click.Context, option: click.Parameter, texts: Sequence[str]) -> dict[str, str | int]:
    parameters: dict[str, str | int] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key.isidentifier() and equals and value):
            raise SpecError(f"--slurm {text!r}: must be KEY=VALUE, such as slurm_partition=gpu or timeout_min=120")
        parameters[key] = int(value) if value.isdecimal() else value
    return parameters


def _execution(executor: ExecutorName | None, jobs: int | None, **others: Any) -> Execution:
    """Makes the options of the execution; more than one job selects local processes by default."""
    return Execution(executor=executor or ("local" if (jobs or 1) > 1 else "inline"), jobs=jobs, **others)


executed = grouped(
    "execution",
    _execution,
    device_kind,
    click.option(
        "--executor", type=click.Choice(get_args(ExecutorName)), help="[default: inline; local with more than one job]"
    ),
    click.option("--jobs", type=COUNT, help="Cohorts at a time [default: by cores or GPUs; inline: 1]."),
    cpu_threads,
    click.option("--per-gpu", type=COUNT, default=1, show_default=True, help="Cohorts that share a GPU."),
    click.option("--address", help="Address of a Ray cluster, or auto [default: start one here]."),
    click.option(
        "--slurm", multiple=True, metavar="KEY=VALUE", callback=_parse_slurm, help="Parameter of submitit; repeatable."
    ),
    click.option("--tensorboard", type=FOLDER, metavar="DIR", help="Write event files for TensorBoard into DIR."),
    click.option("--keep-weights", is_flag=True, help="Keep the trained networks, for 'sample' and 'measure'."),
    click.option("--no-capture", "capture", flag_value=False, default=True, help="Replay no CUDA graphs of steps."),
    click.option("--deterministic", is_flag=True, help="Use only torch's deterministic algorithms."),
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        default=2,
        show_default=True,
        help="Further attempts at a cohort whose worker died without a new checkpoint.",
    ),
    click.option(
        "--timeout",
        "timeout_seconds",
        type=POSITIVE,
        metavar="MINUTES",
        callback=lambda context, option, minutes: None if minutes is None else minutes * 60,
        help="Fail the runs of a cohort that takes longer.",
    ),
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
"""Adds the options for the execution of runs: where, how many at a time, and how failures are handled."""


@click.command(short_help="Train, measure and record an experiment.")
@selection
@data_dir
@inception_weights
@executed
@click.option("--again", is_flag=True, help="Train and record again what is recorded.")
@click.option("--keep-failed", is_flag=True, help="Leave failed runs as they are.")
@click.option("--max-hours", type=POSITIVE, help="Save checkpoints and stop after this time, with exit code 124.")
@click.option("--log-json", is_flag=True, help="Print every event as a line of JSON.")
def run(
    selection: Selection,
    execution: Execution,
    again: bool,
    keep_failed: bool,
    max_hours: float | None,
    log_json: bool,
) -> None:
    """Run every variant of EXPERIMENT once per seed, and record each outcome.

    With EXP:CLAIM as EXPERIMENT, run what this claim is judged on: its variants and seeds, at its profile.

    Finished and diverged runs are skipped, failed ones run again. Ctrl-C and SIGTERM save checkpoints; the same command
    resumes from there, and so do other commands on the same results folder. Exits with 1 if a run failed.
    """
    code = train(selection, execution, again=again, keep_failed=keep_failed, max_hours=max_hours, log_json=log_json)
    if code:
        sys.exit(code)


def train(
    selection: Selection,
    execution: Execution,
    *,
    again: bool = False,
    keep_failed: bool = False,
    max_hours: float | None = None,
    log_json: bool = False,
) -> int:
    """Trains, measures and records what is selected; prints what happens, and returns the exit code of ``run``.

    Raises:
        WganbenchError: If the runs cannot be trained as specified, or a record cannot be written.
    """
    spec, runs, store = selection.spec, selection.runs, selection.store
    if selection.folders:
        from wganbench.spec import substitute

        for line in substitute.prepare((run.setting.data for run in runs), selection.folders):
            echo(line, err=True)
    execution = replace(execution, stack=selection.stack or spec.stack)
    stop = Stop(None if max_hours is None else max_hours * 3600)
    new: list[Record] = []

    def on_event(event: Event) -> None:
        if event["event"] == "begin":
            for line in _beginning(event, selection.cohorts, execution):
                out.on_message(line)
        out.on_event(event)

    with reporter(selection.cohorts, as_json=log_json) as out, stop.on_signals():
        for line in _introduction(selection):
            out.on_message(line)
        if not again:
            _report_changed_code(selection, out)
        from wganbench.runner.loop import run_all  # imports torch, which nothing else here needs

        for record in run_all(
            runs,
            store,
            execution,
            redo="all" if again else "none" if keep_failed else "failed",
            stop=stop,
            on_event=on_event,
            on_progress=out.on_progress,
        ):
            new.append(record)
            out.on_record(record)
        if execution.keep_weights:
            _report_missing_weights(selection, out)
        failed = sum(record.status == "failed" for record in new)
        if spec.success_table is None and not log_json:
            _show_measures(selection, out)
        text = _outcome(selection, new, stop)
        out.on_end(text, recorded=len(new), failed=failed, planned=len(runs), stop=stop.reason)
    if spec.success_table is not None and stop.reason is None and not log_json:
        from wganbench.analysis.results import Results
        from wganbench.analysis.tables import success, table  # scipy takes a second to import

        tables = success.success_tables(Results(spec, store.scan()[0]), selection.profile)
        print_tables(*map(table.terminal, tables))
    if stop.reason is not None:
        echo(f"wganbench: {stop.reason}; records and checkpoints are kept, the same command resumes", err=True)
        return EXIT_CODES[stop.reason]
    if failed:
        echo(f"wganbench: {failed} of {len(new)} runs failed; the tracebacks are in their records", err=True)
        return 1
    return 0


def _introduction(selection: Selection) -> Iterator[str]:
    """Yields lines on the profile, and on the committed records, which the command leaves unchanged."""
    described, says = selection.described, selection.spec.says(selection.profile)
    if described != "profile paper":
        yield f"{described}: {says}; this is not the paper's protocol" if says else described
    spec, seeds = selection.spec, {run.seed for run in selection.runs}
    declared = [spec.seeds_of(each) for each in spec.live_claims if each.profile == selection.profile]
    n_others = sum(map(seeds.isdisjoint, declared))
    if n_others == len(declared) > 0:
        judged = f"claims at profile {selection.profile} are judged on seeds {listed(set().union(*declared))} alone"
        yield f"{judged}; these runs, of seeds {listed(seeds)}, enter none"
    elif n_others and selection.claim is None:
        others = f"claims at profile {selection.profile} that are judged on other seeds: {n_others} of {len(declared)}"
        yield f"{others}; 'wganbench run {selection.experiment}:CLAIM' trains those of one"
    if selection.results == RUNS and has_records(REFERENCE):
        recorded = {path.stem for path in Store(REFERENCE).paths()}
        n_there = sum(run.id in recorded for run in selection.runs)
        yield (
            f"recording in {RUNS}; the reference in {REFERENCE}, which has {n_there} of these "
            f"{counted(len(selection.runs), 'run')}, is not changed: 'wganbench report' shows both, --results "
            f"{REFERENCE} adds to it"
        )


def _report_changed_code(selection: Selection, out: Reporter) -> None:
    """Reports custom code that has changed since runs were recorded; those runs are not trained again for that."""
    settings = {run.family: run.setting for run in selection.runs}
    if any(map(custom_names, settings.values())):
        found, _ = selection.store.scan()
        recorded = [found[run.id] for run in selection.runs if run.id in found]
        for change in changes(recorded, import_folders(selection.spec.path)):
            out.on_event({"event": "code changed", "file": change.file, "message": change.text()})


def _report_missing_weights(selection: Selection, out: Reporter) -> None:
    """Reports runs that were recorded before, without their weights, and so are not trained again for them."""
    recorded = (selection.store.find(run.experiment, run.id) for run in selection.runs)
    without = sum(record is not None and record.status == "finished" and not record.weights for record in recorded)
    if without:
        out.on_message(f"{counted(without, 'run')} recorded without weights; --again trains them again and keeps these")


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
        yield f"found checkpoints of {counted(len(resumed), 'cohort')}, the furthest at step {step:,} of {steps:,}"


def _time(left: Sequence[Cohort], execution: Execution) -> str:
    """Returns the time as ``plan`` estimates it, in words; for other machines it is unknown."""
    if execution.executor not in ("inline", "local"):
        return "how long they take on other machines is not known"
    threads, device = execution.threads or 1, cast(DeviceChoice, execution.device)
    jobs = 1 if execution.executor == "inline" else execution.jobs or max(1, (os.cpu_count() or 1) // threads)
    try:
        speed = known_speed(device, threads)
    except DataError:  # damaged rates need not keep anything from being trained
        speed = Speed(None, device, threads)
    hours = estimate(left, (), speed, jobs).wall_hours
    if hours is None:
        return "the time is unknown, as the operations of custom networks are not counted"
    basis = "by rates measured here" if speed.measured else "a guess until 'wganbench plan EXP --calibrate' measures"
    return f"{about_hours(hours)} of training, without measures ({basis})"


def _show_measures(selection: Selection, out: Reporter) -> None:
    """Shows the main measures of all recorded runs, including those recorded earlier."""
    found = []
    for run in shown_runs(selection.runs):
        with contextlib.suppress(RecordError):
            found += [record for record in [selection.store.find(run.experiment, run.id)] if record is not None]
    if found:
        out.on_table(main_measures(selection.spec, selection.runs, found))


def _outcome(selection: Selection, new: Sequence[Record], stop: Stop) -> str:
    results = selection.results
    if new:
        command = f"report {selection.experiment}" if selection.claim is None else f"explain {selection.anchor}"
        shown = "results" if selection.claim is None else "verdict"
        recorded = f"{counted(len(new), 'run')} recorded in {results}"
        return f"{recorded}; 'wganbench {command}{results_option(results)}' shows the {shown}"
    if stop.reason is not None:
        return f"no run recorded in {results} before it stopped"
    return (
        f"all {len(selection.runs)} runs are recorded in {results}; nothing trained. "
        f"--results DIR records elsewhere, --again trains again"
    )
