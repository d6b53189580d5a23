"""``wganbench list``, ``show`` and ``schema``: list the experiments, show one resolved, and print the spec schema."""

from __future__ import annotations

import json

import click

from wganbench.cli.console import echo, print_rows
from wganbench.cli.options import Selection, selection_of_settings
from wganbench.spec import available, load


@click.command(name="list", short_help="List the experiments that ship.")
def list_() -> None:
    """List the experiments that ship with wganbench."""
    print_rows(
        [
            {
                "experiment": spec.name,
                "title": spec.title,
                "variants": str(len(spec.variants)),
                "profiles": ", ".join(spec.profiles),
                "claims": str(len(spec.live_claims)),
            }
            for spec in map(load, available())
        ]
    )


@click.command(short_help="Show an experiment with all defaults.")
@selection_of_settings
def show(selection: Selection) -> None:
    """Show the resolved EXPERIMENT as JSON: every variant with all defaults filled in."""
    spec, profile = selection.spec, selection.profile
    shown = {
        "title": spec.title,
        "source": spec.source,
        "profile": f"{profile}: {spec.says(profile)}",
        "deviations": spec.deviations,
        "claims": [claim.model_dump(mode="json", exclude_none=True) for claim in spec.claims],
        "variants": {run.variant: run.setting.model_dump(mode="json") for run in selection.runs},
    }
    echo(json.dumps(shown, indent=2, ensure_ascii=False))


@click.command(short_help="Print the JSON schema of a spec.")
def schema() -> None:
    """Print the JSON schema of a spec, for editors that complete and check TOML."""
    from wganbench.spec.json_schema import spec_schema

    echo(json.dumps(spec_schema(), indent=2))
