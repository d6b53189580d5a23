"""``wganbench compare``: two results folders, with both verdicts of each claim and a test of each measure."""

from __future__ import annotations

import json
from typing import Literal

import click

from wganbench.cli.console import echo, print_tables
from wganbench.cli.options import covered
from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.reference import NAME, source


@click.command(short_help="Compare two results folders, with tests.")
@click.argument("first")
@click.argument("second", default=NAME, metavar="[SECOND]")
@click.option("--spec", "specs", multiple=True, metavar="EXP", help="Only this experiment; repeatable [default: all].")
@click.option("--every-measure", is_flag=True, help="Compare also measures that no claim, table or figure uses.")
@click.option("--format", "form", type=click.Choice(["github", "markdown", "json"]), help="Print in this format.")
def compare(
    first: str,
    second: str,
    specs: tuple[str, ...],
    every_measure: bool,
    form: Literal["github", "markdown", "json"] | None,
) -> None:
    """Compare the records of FIRST with those of SECOND, or with the committed ones.

    FIRST and SECOND are results folders, folders of one experiment in them, names of experiments that ship (their
    committed records), or 'reference' (all committed records). Claims are printed with both verdicts, changed ones
    first. Each measure of each setting that both have is tested for a difference: in pairs of runs with a common seed,
    or else as two samples, with p-values adjusted by Holm's method and the smallest effect that could have been seen.
    """
    from wganbench.analysis import compare as comparing  # scipy takes a second to import
    from wganbench.analysis.own_pictures import with_folders
    from wganbench.analysis.tables import compared
    from wganbench.analysis.tables.table import render, terminal

    here, there = _records(first), _records(second)
    experiments = with_folders(covered(specs), {**there, **here})
    found = comparing.compare(experiments, here, there, every_measure=every_measure)
    if not (found.claims or found.measures or found.notes):
        text = "no runs of these experiments to compare; those of profile smoke are left out, --spec names another spec"
        raise RecordError(f"{first}: {text}")
    names = compared.sides(first, second)
    if form == "github":
        echo(compared.summary(found, names), nl=False)
        return
    measures = compared.measures_table(found, names, with_equal=form == "json")
    tables = [compared.claims_table(found, names), measures]
    if form == "json":
        content = {table.title.lower(): json.loads(render(table, "json")) for table in tables}
        echo(json.dumps({"first": first, "second": second, **content}, indent=2, ensure_ascii=False))
        return
    if form == "markdown":
        for table in tables:
            echo(f"**{table.title}**\n\n{render(table, 'markdown')}")
    else:
        print_tables(*map(terminal, tables))
    echo(compared.tally(found))


def _records(text: str) -> dict[str, Record]:
    records = source(text).store.load()
    if not records:
        raise RecordError(f"{text}: no records to compare; name a results folder that 'wganbench run' has filled")
    return records
