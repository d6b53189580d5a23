"""``wganbench verify-submission``: trains runs of a submission again, before it is called verified."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from wganbench.cli.console import counted
from wganbench.cli.options import COUNT, data_dir
from wganbench.cli.run import executed
from wganbench.records.store import Store
from wganbench.runner.jobs.options import Execution


@click.command(name="verify-submission", short_help="Train runs of a submission again.")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--retrain", "n", type=COUNT, default=3, show_default=True, help="How many runs to train again.")
@click.option(
    "--seed", default=0, show_default=True, help="Seed of the draw of these runs; a submitter must not know it."
)
@data_dir
@executed
def verify_submission(folder: Path, n: int, seed: int, execution: Execution) -> None:
    """Check the folder of a submission that 'judge' has made, and train some of its runs again.

    This runs the code of the submission. Exits with 1 if a file is damaged, code has changed since the runs, or a run
    differs by more than seeds do when it is trained again.
    """
    from wganbench.records import verify
    from wganbench.records.custom_code import changes, import_folders
    from wganbench.runner.battery import RESULTS
    from wganbench.runner.retraining import retrain, submitted

    records = submitted(folder)
    problems = list(verify.verify(Store(folder / RESULTS)).damaged)
    for change in changes(records.values(), import_folders(str(folder / "spec.toml"))):
        problems.append(f"{folder / change.file}: changed since {counted(change.n_runs, 'run')}")
    outcomes: Counter[str] = Counter()
    for each in retrain(folder, records, n, seed, execution):
        outcomes[each.outcome] += 1
        click.echo(f"{each.record.id}: {each.outcome}")
        problems += each.problems
    for line in problems:
        click.echo(f"wganbench: {line}", err=True)
    found = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    click.echo(f"{counted(len(records), 'record')}, {counted(sum(outcomes.values()), 'run')} trained again: {found}")
    if problems:
        raise click.exceptions.Exit(1)
