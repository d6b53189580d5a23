"""``wganbench verify-submission``: checks a submission and trains some of its runs again."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from wganbench.cli.console import counted
from wganbench.cli.options import data_dir
from wganbench.cli.run import executed
from wganbench.records import submission
from wganbench.records.submission import CONFORMANCE, Conformance, Submission
from wganbench.runner.jobs.options import Execution


@click.command(name="verify-submission", short_help="Check a submission and retrain some runs.")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option(
    "--retrain", "n", type=click.IntRange(min=0), default=3, show_default=True, help="How many runs to train again."
)
@click.option(
    "--seed", default=0, show_default=True, help="Seed of the draw of these runs; a submitter must not know it."
)
@data_dir
@executed
def verify_submission(folder: Path, n: int, seed: int, execution: Execution) -> None:
    """Check the folder of a submission that 'judge' has made, and train some of its runs again.

    This runs the code of the submission. Exits with 1 if a file is damaged or was changed, a question gets another
    answer, a table says something else than the records, or a run differs by more than seeds do when it is trained
    again.
    """
    from wganbench.analysis.judged import folder as checking
    from wganbench.records.reference import reference_records
    from wganbench.runner.import_path import add_import_folders
    from wganbench.runner.retraining import retrain, submitted

    records = submitted(folder)
    made, answers = submission.read(folder), submission.read_conformance(folder)
    reference = reference_records(folder / submission.RESULTS, made.experiments, on_cpu=made.device == "cpu")
    by_id = {record.id: record for record in reference}
    problems = [f"{folder / file}: {text}" for file, text in checking.check(folder, by_id)]
    add_import_folders([str(folder)])
    problems += [f"{folder / CONFORMANCE}: {text}" for text in _asked_again(made, answers)]
    for line in _versions(made):
        click.echo(line)
    outcomes: Counter[str] = Counter()
    for each in retrain(folder, records, n, seed, execution):
        outcomes[each.outcome] += 1
        click.echo(f"{each.record.id}: {each.outcome}")
        problems += each.problems
    for line in problems:
        click.echo(f"wganbench: {line}", err=True)
    found = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    again = f", {counted(sum(outcomes.values()), 'run')} trained again: {found}" if outcomes else ""
    click.echo(f"{counted(len(records), 'record')}{again}, {counted(len(problems), 'problem')}")
    if problems:
        raise click.exceptions.Exit(1)


def _asked_again(made: Submission, answers: Conformance) -> Iterator[str]:
    """Asks the questions about the candidates' objects again; yields each answer that is another one."""
    from wganbench.runner.asking import ask_all

    there = {(each.kind, each.object, str(each.options)): each for each in answers.objects}
    here = {
        (each.kind, each.object, str(each.options)): each
        for each in ask_all(made.methods, made.budget, made.experiments).objects
    }
    for key in sorted(there.keys() ^ here.keys()):
        yield f"the {key[0]} {key[1]} is {'not asked about' if key in here else 'of no candidate'}"
    for key in sorted(here.keys() & there.keys()):
        was = {each.check: each.outcome for each in there[key].answers}
        for each in here[key].answers:
            if was.get(each.check) != each.outcome:
                yield f"{key[1]}, {each.question}: {was.get(each.check, 'no answer')} there, {each.outcome} here"


def _versions(made: Submission) -> Iterator[str]:
    """Yields the packages of which another version is installed here."""
    from wganbench.runner.provenance import versions

    here = {"python": platform.python_version(), **versions()}
    for name in sorted(here.keys() | made.libraries.keys()):
        if here.get(name) != made.libraries.get(name):
            yield f"{name}: {made.libraries.get(name, 'none')} there, {here.get(name, 'none')} here"
