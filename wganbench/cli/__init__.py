"""The command line: its commands and its handling of errors."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
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
from wganbench.cli.console import echo
from wganbench.errors import WganbenchError, first_line


class _Commands(click.Group):
    """Prints an error that the user can fix, one line per mistake, and exits with 2; exits with 130 on Ctrl-C."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().main(*arguments, **options)
        except OSError as error:  # from click's own output, too, such as the help
            _print_error(_refusal(error))
            sys.exit(2)

    def invoke(self, context: click.Context) -> Any:
        try:
            Path.cwd()  # torch ends the process where there is none
            return super().invoke(context)
        except WganbenchError as error:
            _print_error(str(error))
            sys.exit(2)
        except (KeyboardInterrupt, click.Abort):
            _print_error("interrupted; records and checkpoints are kept, the same command resumes")
            sys.exit(130)


def _print_error(text: str) -> None:
    with contextlib.suppress(OSError):  # there is nowhere else to say it
        echo("\n".join(f"wganbench: {line}" for line in text.splitlines()), err=True)


def _refusal(error: OSError) -> str:
    """Describes in one line what the system refused, of which nothing else has said more."""
    try:
        Path.cwd()
    except OSError:
        return "the working folder does not exist any more; change to another"
    what = error.strerror or first_line(error)
    if "temporary directory" in what:
        return f"{what}; set TMPDIR to a folder that can be written"
    if error.filename is None:
        return f"the output cannot be written ({what}); what is recorded is kept"
    remedy = REMEDIES.get(error.errno or 0, "the file or its disk refuses it")
    return f"{os.fsdecode(error.filename)}: {what}; {remedy}"


REMEDIES = {
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EACCES: "change its permissions",
    errno.ENOSPC: "free it",
}
"""What helps, by the error number."""


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
    _open_streams()
    cli()


def _open_streams() -> None:
    """Makes output safe to write: closed streams lead nowhere, and characters that a terminal lacks are replaced.

    While one of the first three file descriptors is closed, the next file that is opened, such as a record, would get
    what is printed.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name, errors in (("stdout", "replace"), ("stderr", "backslashreplace")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # for the whole process
        getattr(sys, name).reconfigure(errors=errors)
