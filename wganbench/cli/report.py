"""``wganbench report``: makes tables, verdicts and figures from the records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from wganbench.cli.console import echo, print_tables, progress
from wganbench.cli.options import (
    REFERENCE,
    RUNS,
    choose_folder,
    covered,
    has_records,
    load_records,
    results_option,
    runs_or_results,
)
from wganbench.errors import RecordError
from wganbench.records.custom_code import changes_since
from wganbench.records.store import Store

if TYPE_CHECKING:
    from wganbench.analysis.results import Results
    from wganbench.analysis.tables.table import Table


@click.command(short_help="Write the tables, verdicts and figures.")
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@runs_or_results
@click.option(
    "--against",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help=(
        "Another results folder, printed as 'reference' beside 'this machine' (--results) "
        f"[default: {REFERENCE}, if {RUNS} is reported by default]."
    ),
)
@click.option("--format", "form", type=click.Choice(["markdown", "csv", "json"]), help="Print in this format.")
@click.option("--accept", is_flag=True, help="Drop or change settled verdicts and records of the last report.")
@click.option("--html", "as_html", is_flag=True, help="Also write index.html into the results folder, for a browser.")
@click.option("--self-contained", is_flag=True, help="With --html: put the figures into the page, to pass on one file.")
def report(
    experiments: tuple[str, ...],
    results: Path | None,
    against: Path | None,
    form: Literal["markdown", "csv", "json"] | None,
    accept: bool,
    as_html: bool,
    self_contained: bool,
) -> None:
    """Print the tables, and write README.md, EXP/README.md, EXP/figures/ and verdicts.json into the results folder.

    Without EXP, the report covers every experiment that ships, and of a single folder the scoreboard alone is printed,
    unless a format is asked for: the pages have the tables. With EXP it covers only these; if the folder has records
    of others too, only their own pages and figures are written. A figure is drawn only if its records, settings or
    tools have changed. Runs of profile smoke enter no report. If a settled verdict, a record, a classifier or a
    deviation of the last report would be dropped or changed, nothing is written and a line for each says so; --accept
    writes the report nevertheless.
    """
    if self_contained and not as_html:
        raise click.UsageError("--self-contained is about the page that --html writes; give both")
    from wganbench.analysis import report as reporting  # matplotlib and scipy take a second to import
    from wganbench.analysis.own_pictures import with_folders
    from wganbench.analysis.profiles import SMOKE
    from wganbench.analysis.results import Results, other_experiments, reported
    from wganbench.analysis.tables import scoreboard, table

    specs = covered(experiments)
    folder = choose_folder(results, [spec.name for spec in specs] if experiments else [], (RUNS, REFERENCE))
    records = reported(specs, load_records(folder))
    if not records:
        raise RecordError(f"{folder}: only records of profile {SMOKE}, which enter no report; run another profile")
    specs = with_folders(specs, records)
    apart = other_experiments(specs, records) if experiments else []
    with progress("figures") as on_figure:
        made = reporting.write_report(
            specs, Store(folder), folder, records, whole=not apart, accept=accept, on_figure=on_figure
        )
    for loss in made.losses:
        echo(f"wganbench: accepted: {loss}", err=True)
    for spec in specs:
        for change in changes_since(spec, records.values()):
            again = f"'wganbench run {spec.path} --again'"
            echo(f"wganbench: {spec.name}, {change.file}: {change.text(again)}", err=True)
    if against is None and results is None and folder == RUNS and has_records(REFERENCE):
        against = REFERENCE
    reference = load_records(against) if against is not None else {}
    if as_html:
        from wganbench.analysis.html import compared_with, write_html

        beside = None if against is None else compared_with(str(against), specs, records, reference)
        page = write_html(specs, Store(folder), records, made.verdicts, self_contained=self_contained, against=beside)
        echo(f"wganbench: {page}: {page.stat().st_size / 1000:,.0f} kB, to open in a browser", err=True)
    verdicts = made.verdicts
    if against is not None:
        verdicts = {name: [each for each in some if each.outcome != "not run"] for name, some in verdicts.items()}
    tables = [scoreboard.scoreboard(specs, verdicts)] if against is None or any(verdicts.values()) else []
    if experiments or form is not None or against is not None:
        old = (scoreboard.superseded(spec, verdicts[spec.name]) for spec in specs)
        tables += [each for each in old if each.rows]
        for spec in specs:
            tables += _tables(made.results[spec.name], Results(spec, reference), form)
    if form is not None:
        for each in tables:
            echo(table.render(each, form), nl=form != "markdown")
        return
    print_tables(*map(table.terminal, tables))
    if against is not None:
        echo(f"this machine: {folder}, reference: {against}")
    if apart:
        others_too = apart[0] if len(apart) == 1 else f"{len(apart)} other experiments"
        command = f"'wganbench report{results_option(folder)}'"
        for spec in specs:
            echo(f"{folder / spec.name / 'README.md'}: {scoreboard.tally({spec.name: made.verdicts[spec.name]})}")
        echo(f"{folder / 'README.md'} is not changed, as it also covers {others_too}; {command} renews it")
    else:
        echo(f"{folder / 'README.md'}: {scoreboard.tally(made.verdicts)}")


def _tables(results: Results, reference: Results, form: str | None) -> list[Table]:
    """Returns the tables of one experiment: its runs beside the reference's, or alone if the reference has none."""
    from wganbench.analysis.profiles import shown
    from wganbench.analysis.tables import success
    from wganbench.analysis.tables.against import compare
    from wganbench.analysis.tables.by_variant import overview
    from wganbench.analysis.tables.published import headline, other_runs_of, results_table

    spec = results.experiment
    profiles = [profile for profile in shown(spec) if results.planned(profile)]
    successes = [each for profile in profiles for each in success.success_tables(results, profile)]
    if any(reference.planned(profile) for profile in shown(spec)):
        return [*(compare(results, reference, profile) for profile in profiles), *successes]
    found = []
    for profile in profiles:
        numbers = results_table(results, profile, measures=headline(spec)) if form else None
        first = numbers or overview(results, profile)
        found += [first] if first.rows or spec.success_table is None else []
    others = other_runs_of(results)
    found += [others] if others.rows and spec.success_table is None else []
    return [*found, *successes, *success.overridden_tables(results)]
