"""``wganbench report``: tables, verdicts and figures of what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from wganbench.commands.choice import covered
from wganbench.commands.options import results_folder
from wganbench.commands.printing import print_tables
from wganbench.errors import RecordError
from wganbench.record import Record
from wganbench.spec import Experiment
from wganbench.store import Store


@click.command()
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@results_folder
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
    from wganbench.analysis.comparison import compare
    from wganbench.analysis.overview import overview
    from wganbench.analysis.results import headline, results_table

    store = Store(results)
    specs = covered(experiments, results)
    records = store.load()
    if not records:
        raise RecordError(f"{results}: no records; 'wganbench run' makes them, --results names another folder")
    shown = [spec for spec in specs if not experiments or {spec.name, spec.path} & set(experiments)]
    made = reporting.write_report(specs, store, results, records)
    tables = []
    if against is None:
        tables.append(reporting.scoreboard({spec.name: made.verdicts[spec.name] for spec in shown}))
        old = (reporting.superseded(spec.name, made.verdicts[spec.name]) for spec in shown)
        tables += [each for each in old if each.rows]
    reference = Store(against).load() if against is not None else {}
    for spec in shown:
        profiles = _recorded_profiles(spec, records)
        for profile in profiles:
            if against is None:
                if form is None:
                    first = overview(spec, records, profile)
                else:
                    first = results_table(spec, records, profile, measures=headline(spec))
                tables += [first] if first.rows or spec.success_table is None else []
            else:
                tables.append(compare(spec, records, reference, profile))
        if against is None:
            tables += [each for profile in profiles for each in success.success_tables(spec, records, profile)]
            tables += success.overridden_tables(spec, records)
    if form is None:
        print_tables(table.terminal(each) for each in tables)
        click.echo(f"{results / 'REPORT.md'}: {reporting.tally(made.verdicts)}")
        return
    for each in tables:
        click.echo(table.render(each, form), nl=form != "markdown")


def _recorded_profiles(spec: Experiment, records: Mapping[str, Record]) -> list[str]:
    """The profiles under which a variant of the spec is recorded, in the spec's order."""
    families = {record.family for record in records.values()}
    return [
        profile
        for profile in spec.profiles
        if any(spec.family(variant, profile) in families for variant in spec.variants_of(profile))
    ]
