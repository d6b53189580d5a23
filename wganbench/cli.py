"""The command line: parse, delegate, print. Nothing here imports torch; ``run``, ``speed`` and others lead to it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import click
from rich.table import Table
from rich.text import Text

from wganbench import rates, score_commands, speed_command
from wganbench.console import plain, voice
from wganbench.environment import data_dir, inception_weights
from wganbench.errors import RecordError, SpecError, WganbenchError
from wganbench.estimate import Speed, estimate, representatives
from wganbench.merge import merge_stores
from wganbench.names import suggest
from wganbench.plan import Cohort, Run, cohorts, expand, parse_seeds
from wganbench.rates import DeviceChoice
from wganbench.record import Record, Store, write_atomically
from wganbench.spec import Experiment, available, load
from wganbench.work.execution import Execution, ExecutorName
from wganbench.work.status import status as look
from wganbench.work.stop import EXIT_CODES, Stop

if TYPE_CHECKING:
    from wganbench.analysis.verdict import Verdict

F = TypeVar("F", bound=Callable[..., Any])


class _Commands(click.Group):
    """Prints an error that the user can mend in one line each and exits with 2; Ctrl-C exits with 130."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except WganbenchError as error:
            click.echo(f"wganbench: {error}".replace("\n", "\nwganbench: "), err=True)
            sys.exit(2)
        except (KeyboardInterrupt, click.Abort):
            click.echo("wganbench: interrupted; what was recorded stays, the same command goes on from there", err=True)
            sys.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="wganbench")
def cli() -> None:
    """Reproduce the claims of the Wasserstein GAN papers: train, record, judge, report.

    EXP is an experiment's name ('wganbench list') or the path of a TOML file.
    """


def _results(default: str = "results") -> Callable[[F], F]:
    return click.option(
        "--results",
        type=click.Path(file_okay=False, path_type=Path),
        default=default,
        show_default=True,
        help="Folder of the records.",
    )


_data = click.option(
    "--data",
    multiple=True,
    metavar="NAME=FOLDER",
    help="Images of FOLDER in the place of the image set NAME, under the folder's name; repeatable.",
)


def _load(
    experiment: str, overrides: Sequence[str], data: Sequence[str], profile: str, variants: Sequence[str]
) -> tuple[Experiment, dict[str, Path]]:
    """The experiment, with the folders of ``--data`` in their places, and these by the name of the set."""
    spec = load(experiment, overrides)
    if not data:
        return spec, {}
    from wganbench import substitute  # numpy and Pillow, which all else does without

    folders = substitute.parse(data)
    return load(experiment, [*overrides, *substitute.overrides(spec, folders, profile, variants)]), folders


def _chosen(function: F) -> F:
    """The options that choose runs: profile, seeds, variants, overrides, stack."""
    for option in (
        click.option("--stack", type=click.IntRange(min=1), help="Seeds trained in lockstep [default: the spec's]."),
        click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a field; repeatable."),
        _data,
        click.option("--variant", "variants", multiple=True, help="Only this variant; repeatable."),
        click.option("--profile", default="quick", show_default=True, help="smoke, quick, reduced, paper, …"),
        click.option("--seeds", metavar="N|LIST", help="A count, or a list such as 0,3,7-9 [default: the spec's]."),
    ):
        function = option(function)
    return function


POSITIVE = click.FloatRange(min=0, min_open=True)
COUNT = click.IntRange(min=1)
SHOWN_VARIANTS = 20
"""Of a plan, unless all are asked for."""

_device = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
_threads = click.option("--threads", type=COUNT, default=1, show_default=True, help="CPU threads a cohort.")


def _executed(function: F) -> F:
    """The options that say how runs are executed: where, how many at a time, and what may go wrong."""
    executors = click.Choice(get_args(ExecutorName))
    for option in (
        click.option(
            "--checkpoint-every",
            "checkpoint_seconds",
            type=POSITIVE,
            default=60.0,
            metavar="SECONDS",
            show_default=True,
            help="Wall time between two checkpoints of a cohort.",
        ),
        click.option("--timeout", type=POSITIVE, metavar="MINUTES", help="Runs of a cohort that takes longer fail."),
        click.option(
            "--retries",
            type=click.IntRange(min=0),
            default=2,
            show_default=True,
            help="Further attempts at a cohort whose worker died, without a new checkpoint between.",
        ),
        click.option("--deterministic", is_flag=True, help="Hold torch to deterministic algorithms."),
        click.option("--no-capture", "capture", flag_value=False, default=True, help="On CUDA: no steps as one graph."),
        click.option(
            "--tensorboard",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Write event files for TensorBoard into DIR.",
        ),
        click.option("--slurm", multiple=True, metavar="KEY=VALUE", help="A parameter of submitit; repeatable."),
        click.option("--address", help="Of a Ray cluster, or auto [default: one is started here]."),
        click.option("--per-gpu", type=COUNT, default=1, show_default=True, help="Cohorts that share a card."),
        _threads,
        click.option("--jobs", type=COUNT, help="Cohorts at a time [default: by cores or cards; inline: 1]."),
        click.option("--executor", type=executors, help="[default: inline, with more than one job local]"),
        _device,
    ):
        function = option(function)
    return function


def _runs(experiment: Experiment, seeds: str | None, profile: str, variants: Sequence[str]) -> list[Run]:
    chosen = parse_seeds(seeds) if seeds is not None else list(range(experiment.seeds))
    return expand(experiment, profile, chosen, variants)


@cli.command(name="list")
def list_() -> None:
    """List the experiments that ship with wganbench."""
    table = Table("experiment", "title", "variants", "profiles", "claims", box=None)
    for name in available():
        experiment = load(name)
        table.add_row(
            name,
            experiment.title,
            str(len(experiment.variants)),
            ", ".join(experiment.profiles),
            str(len(experiment.claims)),
        )
    plain().print(table)


@cli.command()
@click.argument("experiment")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a field; repeatable.")
@_data
@click.option("--profile", default="paper", show_default=True)
@click.option("--variant", "variants", multiple=True, help="Only this variant; repeatable.")
def show(
    experiment: str, overrides: tuple[str, ...], data: tuple[str, ...], profile: str, variants: tuple[str, ...]
) -> None:
    """Show EXPERIMENT as it is resolved: every variant with all defaults filled in, as JSON."""
    spec, _ = _load(experiment, overrides, data, profile, variants)
    shown = {
        "title": spec.title,
        "source": spec.source,
        "profile": f"{profile}: {spec.says(profile)}",
        "deviations": spec.deviations,
        "claims": [claim.model_dump(mode="json", exclude_none=True) for claim in spec.claims],
        "variants": {run.variant: run.setting.model_dump(mode="json") for run in expand(spec, profile, [0], variants)},
    }
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


@cli.command()
@click.argument("experiment")
@_chosen
@_results()
@data_dir
@_device
@_threads
@click.option("--jobs", type=COUNT, default=1, show_default=True, help="Cohorts at a time, for the time in all.")
@click.option("--calibrate", "measure", is_flag=True, help="Measure the rates of this machine first, and keep them.")
@click.option("--all", "every", is_flag=True, help=f"List all variants, not only the first {SHOWN_VARIANTS}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with all variants.")
def plan(
    experiment: str,
    seeds: str | None,
    profile: str,
    variants: tuple[str, ...],
    overrides: tuple[str, ...],
    data: tuple[str, ...],
    stack: int | None,
    results: Path,
    device: DeviceChoice,
    threads: int,
    jobs: int,
    measure: bool,
    every: bool,
    as_json: bool,
) -> None:
    """Print what 'run' would do: runs, what is done, parameters, operations, hours, and which claims it can settle."""
    from wganbench.analysis.verdict import reachable
    from wganbench.data.shelf import data_folder  # numpy, which all else does without

    spec, _ = _load(experiment, overrides, data, profile, variants)
    runs = _runs(spec, seeds, profile, variants)
    planned = cohorts(runs, stack or spec.stack)
    file = data_folder() / rates.FILE
    if measure:
        device = _calibrate(planned, device, threads, spec.path, file)
    done = {name for name, record in Store(results).load().items() if record.status != "failed"}
    speed = Speed(rates.choose(rates.read(file), device, threads), device, threads)
    found = estimate(planned, done, speed, jobs)
    n_seeds = len({run.seed for run in runs})
    claims = [
        {"claim": claim.id, "profile": claim.profile, "reachable": can, "needed_seeds": needed}
        for claim, can, needed in reachable(spec, n_seeds)
    ]
    if as_json:
        about = {"experiment": spec.name, "profile": profile, "runs": len(runs), "seeds": n_seeds, "jobs": jobs}
        total = {"hours_left": found.hours_left, "wall_hours": found.wall_hours, "rates": speed.says()}
        rows = [asdict(row) for row in found.rows]
        click.echo(json.dumps({**about, **total, "variants": rows, "claims": claims}, indent=2))
        return
    shown = found.rows if every else found.rows[:SHOWN_VARIANTS]
    _print_rows([row.told() for row in shown])
    if len(shown) < len(found.rows):
        click.echo(f"… and {len(found.rows) - len(shown):,} more; --all lists them")
    click.echo(f"{len(runs):,} runs of profile {profile} ({spec.says(profile)})")
    for line in found.lines(speed, jobs):
        click.echo(line)
    for claim in claims:
        where = f"judged at profile {claim['profile']}"
        can = f"can reach a verdict with {n_seeds} seeds"
        needs = f"needs {claim['needed_seeds']} seeds, {n_seeds} planned"
        needs = "no number of seeds is enough for a verdict" if claim["needed_seeds"] is None else needs
        word = can if claim["reachable"] else needs
        click.echo(f"claim {claim['claim']} ({where}): {word}")


def _calibrate(planned: Sequence[Cohort], device: DeviceChoice, threads: int, spec: str, file: Path) -> DeviceChoice:
    """Measures on this machine, and keeps the rates in ``file``; the kind of device that it was."""
    rates.read(file)  # that a damaged one is told of at once
    chosen = representatives(planned)
    if not chosen:
        raise SpecError("--calibrate: no variant of known cost; it takes networks that wganbench has")
    from wganbench.runner import choose_device  # imports torch, which all else does without
    from wganbench.runner.calibrate import calibrate

    def tell(line: str) -> None:
        click.echo(line, err=True)

    found = calibrate(chosen, choose_device(device), threads, spec, tell)
    rates.keep(file, found)
    return found.device


@cli.command()
@click.argument("experiment")
@_chosen
@_results()
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
    spec, folders = _load(experiment, overrides, data, profile, variants)
    runs = _runs(spec, seeds, profile, variants)
    if folders:
        from wganbench import substitute

        substitute.prepare((run.setting.data for run in runs), folders)
    execution = _execution(stack=stack or spec.stack, **executed)
    stop = Stop(None if max_hours is None else max_hours * 3600)
    new: list[Record] = []
    with voice(runs, as_json=log_json) as out, stop.on_signals():
        if profile != "paper":
            out.say(f"profile {profile}: {spec.says(profile)}; this is not the paper's protocol")
        from wganbench.runner import run_all  # imports torch, which all else does without

        for record in run_all(
            runs,
            Store(results),
            spec.path,
            execution,
            again=again,
            keep_failed=keep_failed,
            stop=stop,
            report=out.report,
            tell=out.tell,
        ):
            new.append(record)
            out.record(record)
        failed = sum(record.status == "failed" for record in new)
        out.end(
            _summary(experiment, runs, new, results),
            recorded=len(new),
            failed=failed,
            planned=len(runs),
            stop=stop.reason,
        )
    if spec.success_table is not None and stop.reason is None and not log_json:
        from wganbench.analysis import success, table  # scipy takes a second to import

        found, _ = Store(results).scan()
        _print_tables(table.terminal(each) for each in success.success_tables(spec, found, profile))
    if stop.reason is not None:
        click.echo(f"wganbench: {stop.reason}; what was recorded stays, the same command goes on from there", err=True)
        sys.exit(EXIT_CODES[stop.reason])
    if failed:
        click.echo(f"wganbench: {failed} of {len(new)} runs failed; the tracebacks are in their records", err=True)
        sys.exit(1)


def _execution(executor: ExecutorName | None, slurm: Sequence[str], timeout: float | None, **rest: Any) -> Execution:
    """From the options of ``run``; more than one job is a reason to use processes."""
    named = executor or ("local" if (rest["jobs"] or 1) > 1 else "inline")
    asked = {}
    for text in slurm:
        key, equals, value = text.partition("=")
        if not (key.isidentifier() and equals and value):
            raise SpecError(f"--slurm {text!r}: must be KEY=VALUE, such as slurm_partition=gpu or timeout_min=120")
        asked[key] = int(value) if value.isdecimal() else value
    return Execution(executor=named, slurm=asked, timeout_seconds=None if timeout is None else timeout * 60, **rest)


def _summary(experiment: str, runs: Sequence[Run], new: Sequence[Record], results: Path) -> str:
    if new:
        return f"{len(new)} runs recorded in {results}; 'wganbench report {experiment} --results {results}' shows them"
    return (
        f"all {len(runs)} runs are recorded in {results}; nothing trained. "
        f"--results DIR records elsewhere, --again trains anew"
    )


def _covered(names: Sequence[str], results: Path) -> list[Experiment]:
    """What a report on ``results`` is about: the experiments named and those that have a folder there, else all."""
    recorded = {path.name for path in results.glob("*/") if path.is_dir()}
    shipped = [name for name in available() if not names or name in names or name in recorded]
    return [load(name) for name in dict.fromkeys([*shipped, *names])]


@cli.command()
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@_results()
@click.option(
    "--against",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Another results folder: print 'this machine' (--results) beside this 'reference'.",
)
@click.option("--format", "form", type=click.Choice(["markdown", "csv", "json"]), help="Print in this format.")
def report(
    experiments: tuple[str, ...], results: Path, against: Path | None, form: Literal["markdown", "csv", "json"] | None
) -> None:
    """Print the tables, and write REPORT.md, verdicts.json and figures/ into the results folder.

    Without EXP it is about every experiment that ships; with EXP about these, and any other recorded in the folder.
    """
    from wganbench.analysis import report as reporting  # matplotlib and scipy take a second to import
    from wganbench.analysis import success, table
    from wganbench.analysis.overview import overview

    store = Store(results)
    covered = _covered(experiments, results)
    records = store.load()
    if not records:
        raise RecordError(f"{results}: no records; 'wganbench run' makes them, --results names another folder")
    shown = [spec for spec in covered if not experiments or {spec.name, spec.path} & set(experiments)]
    made = reporting.write_report(covered, store, results, records)
    tables = []
    if against is None:
        tables.append(reporting.scoreboard({spec.name: made.verdicts[spec.name] for spec in shown}))
    reference = Store(against).load() if against is not None else {}
    for spec in shown:
        profiles = _recorded_profiles(spec, records)
        for profile in profiles:
            if against is None:
                if form is None:
                    first = overview(spec, records, profile)
                else:
                    first = table.results(spec, records, profile, measures=table.headline(spec))
                tables += [first] if first.rows or spec.success_table is None else []
            else:
                tables.append(table.compare(spec, records, reference, profile))
        if against is None:
            tables += [each for profile in profiles for each in success.success_tables(spec, records, profile)]
            tables += success.overridden_tables(spec, records)
    if form is None:
        _print_tables(table.terminal(each) for each in tables)
        click.echo(f"{results / 'REPORT.md'}: {reporting.tally(made.verdicts)}")
        return
    for each in tables:
        click.echo(table.render(each, form), nl=form != "markdown")


def _print_tables(tables: Iterable[Table]) -> None:
    console = plain()
    for each in tables:
        console.print(each)


def _recorded_profiles(spec: Experiment, records: Mapping[str, Record]) -> list[str]:
    """The profiles under which a variant of the spec is recorded, in the spec's order."""
    families = {record.family for record in records.values()}
    return [
        profile
        for profile in spec.profiles
        if any(spec.family(variant, profile) in families for variant in spec.variants_of(profile))
    ]


@cli.command()
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@_results()
@click.option("--strict", is_flag=True, help="Fail on inconclusive claims, and on ones not run, too.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JUnit XML.")
def check(experiments: tuple[str, ...], results: Path, strict: bool, junit: Path | None) -> None:
    """Compare records, claims and the committed report with each other; exit with 1 and a line for each finding."""
    from wganbench.analysis import check as checking

    covered = _covered(experiments, results)
    findings = checking.check(covered, Store(results), strict=strict)
    if junit is not None:
        write_atomically(junit, checking.junit(findings, checking.cases(covered)).encode(), replace=True)
    for finding in findings:
        click.echo(f"wganbench: {finding}", err=True)
    claims = sum(len(spec.claims) for spec in covered)
    click.echo(f"checked {claims} claims of {len(covered)} experiments: {len(findings)} findings")
    if findings:
        sys.exit(1)


@cli.command()
@click.argument("claim")
@_results()
def explain(claim: str, results: Path) -> None:
    """Explain the verdict on CLAIM: values, test, p-values, runs. CLAIM is an id, or EXP:ID, EXP as for 'run'."""
    from wganbench.analysis.verdict import judge

    where, colon, wanted = claim.rpartition(":")
    specs = [load(where)] if colon else [load(name) for name in available()]
    found = [(spec, one) for spec in specs for one in spec.claims if one.id == wanted]
    if not found:
        known = [one.id for spec in specs for one in spec.claims]
        raise SpecError(f"unknown claim {wanted!r}{suggest(wanted, known)}")
    records = Store(results).load()
    for spec, one in found:
        (verdict,) = (each for each in judge(spec, records) if each.claim.id == one.id)
        click.echo("\n".join(_explanation(spec, verdict)))


def _explanation(spec: Experiment, verdict: Verdict) -> Iterator[str]:
    claim = verdict.claim
    yield f"{spec.name}:{claim.id}"
    yield f"  claim        {claim.says}"
    yield f"  source       {spec.source}"
    yield f"  judged at    profile {claim.profile}: {spec.says(claim.profile)}"
    details = claim.model_dump(mode="json", exclude={"id", "says", "profile", "known_contradiction"}, exclude_none=True)
    yield f"  test         {', '.join(f'{key} = {value}' for key, value in details.items())}"
    sample = " architectures, each the mean over its seeds, beside it its first run" if claim.methods() else ""
    for side, units in verdict.units.items():
        yield f"  {side}: n = {len(units)}{sample}"
        for unit in units:
            which = f"a{unit.seed:03}" if claim.methods() else f"seed {unit.seed:<4}"
            yield f"    {which} {unit.value:<10.6g} {unit.status:<9} {unit.run_id}"
    if verdict.estimate is not None:
        interval = verdict.interval
        shown = f"  {interval.method}, unadjusted: [{interval.low:.4g}, {interval.high:.4g}]" if interval else ""
        yield f"  {verdict.estimate_of}: {verdict.estimate:.4g}{shown}"
    yield f"  p for        {verdict.p_for:.3g}, Holm-adjusted {verdict.adjusted_for:.3g}"
    yield f"  p against    {verdict.p_against:.3g}, Holm-adjusted {verdict.adjusted_against:.3g}"
    yield f"  diverged     {verdict.n_diverged}"
    mark = " (post hoc)" if verdict.post_hoc else ""
    yield f"  verdict      {verdict.outcome}{mark}" + (f": {verdict.why}" if verdict.why else "")
    if claim.known_contradiction:
        yield f"  known        {claim.known_contradiction}"


@cli.command()
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@_results()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(experiments: tuple[str, ...], results: Path, as_json: bool) -> None:
    """Say what 'run' is doing, from any terminal: runs done, failed, running and left, the time left, what stopped."""
    # A folder's name counts without its spec, which may have gone since.
    names = [name if (results / name).is_dir() else load(name).name for name in experiments]
    found = look(Store(results), names)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
        return
    if found.is_idle:
        click.echo(f"nothing is under way in {results}; {found.records:,} records")
    else:
        _print_rows([sweep.row() for sweep in found.sweeps])
        _print_rows([cohort.row() for cohort in found.cohorts])
    for line in (*found.stopped, *found.remarks):
        click.echo(line)


def _print_rows(rows: Sequence[Mapping[str, str]]) -> None:
    if rows:
        table = Table(*rows[0], box=None)
        for row in rows:
            table.add_row(*map(Text, row.values()))
        plain().print(table)


@cli.command()
@click.argument("directories", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@_results()
@click.option("--prefer", type=click.Choice(["ours", "theirs"]), help="Which record to keep where two differ.")
def merge(directories: tuple[Path, ...], results: Path, prefer: Literal["ours", "theirs"] | None) -> None:
    """Take in the records of other results folders.

    Records with equal measures and curves are skipped; others are refused unless --prefer says which to keep. The rest
    is merged all the same. Exits with 1 if anything was refused.
    """
    refused = False
    for directory in directories:
        taken, skipped, refusals = merge_stores(Store(results), Store(directory), prefer)
        click.echo(f"{directory}: {taken} records taken in, {skipped} were here, {len(refusals)} refused")
        for refusal in refusals:
            click.echo(f"wganbench: {refusal}", err=True)
        refused = refused or bool(refusals)
    if refused:
        sys.exit(1)


@cli.group(name="results")
def results_group() -> None:
    """Look after a results folder."""


@results_group.command(name="verify")
@_results()
@click.option("--set-aside", is_flag=True, help="Move damaged records to 'damaged' beside them; 'run' makes them anew.")
def verify_results(results: Path, set_aside: bool) -> None:
    """Say what is whole in the folder, damaged, orphaned, set aside or stale; exit with 1 if anything is damaged."""
    from wganbench import verify

    store = Store(results)
    if set_aside:
        verify.set_aside(store)
    findings = verify.verify(store)
    for line in findings.lines():
        click.echo(line)
    if findings.damaged:
        sys.exit(1)


@cli.group(name="data")
def data_group() -> None:
    """Look after the image sets.

    They lie in the data folder: --data-dir, else $WGANBENCH_DATA, else wganbench in the user's cache.
    """


@data_group.command(name="list")
@data_dir
def list_data() -> None:
    """List the image sets: what there is of each, where it lies or has to, and its checksum."""
    from wganbench.data.inventory import inventory

    table = Table("image set", "split", "images", "shape", "state", "SHA-256", "place", box=None)
    for held in inventory():
        place = click.format_filename(held.place)
        table.add_row(held.name, held.split, f"{held.images:,}", held.shape, held.state, held.checksum[:12], place)
    plain().print(table)


@data_group.command(name="fetch")
@click.argument("name")
@data_dir
def fetch_data(name: str) -> None:
    """Download the image set NAME, or draw it, and decode it into the data folder."""
    from wganbench.data.upkeep import fetch

    for line in fetch(name):
        click.echo(line)


@data_group.command(name="verify")
@click.argument("name", required=False)
@data_dir
def verify_data(name: str | None) -> None:
    """Hold the image set NAME, or all that are there, against their checksums; exit with 1 if one is damaged."""
    from wganbench.data.upkeep import verify as verify_images

    findings = list(verify_images(name))
    for finding in findings:
        click.echo(finding.text)
    whole = sum(finding.whole for finding in findings)
    click.echo(f"verified {len(findings)}: {whole} whole, {len(findings) - whole} damaged")
    if whole < len(findings):
        sys.exit(1)


@cli.command()
def schema() -> None:
    """Print the JSON schema of a spec, for editors that complete and check TOML."""
    from wganbench.schema import spec_schema

    click.echo(json.dumps(spec_schema(), indent=2))


cli.add_command(score_commands.classifier)
cli.add_command(score_commands.inception)
cli.add_command(speed_command.speed)


def main() -> None:
    """Entry point of the console script."""
    cli()
