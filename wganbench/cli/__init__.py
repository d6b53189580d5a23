"""The command line: its commands and its handling of errors."""

from __future__ import annotations

import sys
from typing import Any

import click

from wganbench.cli import (
    claims,
    compare,
    data,
    experiments,
    judge,
    measure,
    plan,
    report,
    results,
    run,
    sample,
    scores,
    speed,
    submission,
)
from wganbench.errors import WganbenchError


class _Commands(click.Group):
    """Prints an error that the user can fix, one line per mistake, and exits with 2; exits with 130 on Ctrl-C."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except WganbenchError as error:
            click.echo(f"wganbench: {error}".replace("\n", "\nwganbench: "), err=True)
            sys.exit(2)
        except (KeyboardInterrupt, click.Abort):
            click.echo("wganbench: interrupted; records and checkpoints are kept, the same command resumes", err=True)
            sys.exit(130)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    short_help="Reproduce claims of Wasserstein GAN papers.",
)
@click.version_option(package_name="wganbench")
def cli() -> None:
    """Reproduce the claims of the Wasserstein GAN papers: train, record, judge, report.

    EXP is an experiment's name ('wganbench list') or the path of a TOML file.
    """


for command in (
    *(experiments.list_, experiments.show, experiments.schema),
    *(plan.plan, run.run, sample.sample, measure.measure, speed.speed, judge.judge, submission.verify_submission),
    *(report.report, claims.check, compare.compare, claims.explain),
    *(results.status, results.merge, results.results_commands),
    *(data.data, scores.classifier, scores.inception),
):
    cli.add_command(command)


def main() -> None:
    """The entry point of the console script."""
    cli()
