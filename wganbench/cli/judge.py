"""``wganbench judge``: asks of an objective, a constraint or a critic what tables of results depend on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import click

from wganbench.cli.console import print_rows
from wganbench.cli.options import component_options


@click.command(short_help="Judge a loss, constraint or critic.")
@click.argument("name", metavar="OBJECT")
@click.option("--conformance", is_flag=True, required=True, help="Ask on small tensors alone; takes seconds.")
@click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help="Set an option of it; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the answers as JSON.")
def judge(name: str, conformance: bool, settings: Sequence[str], as_json: bool) -> None:
    """Call OBJECT on small tensors, and answer for each question whether it passes.

    OBJECT is a built-in name, such as gradient_penalty, or package.module:object, with the module in this folder or
    installed: a class with critic_loss and generator_loss, a penalty or a projection, or a torch.nn.Module as a critic.
    Exits with 1 if an answer is "fail", which means that results would be wrong; a warning names what may be meant.
    """
    from wganbench.records.custom_code import import_folders
    from wganbench.runner.import_path import add_import_folders
    from wganbench.runner.questions import QUESTIONS, ask, summary  # imports torch

    add_import_folders(import_folders("."))
    kind, answers = ask(name, component_options(settings, "penalty_weight=1.0"))
    if as_json:
        rows = [{"question": QUESTIONS[answer.check], **dataclasses.asdict(answer)} for answer in answers]
        click.echo(json.dumps({"object": name, "kind": kind, "answers": rows}, indent=2, ensure_ascii=False))
    else:
        print_rows(
            [
                {"question": QUESTIONS[answer.check], "answer": answer.outcome, "found": answer.text}
                for answer in answers
                if answer.outcome != "not applicable"
            ]
        )
        click.echo(f"{kind} {name}: {', '.join(summary(answers))}")
    if any(answer.outcome == "fail" for answer in answers):
        raise click.exceptions.Exit(1)
