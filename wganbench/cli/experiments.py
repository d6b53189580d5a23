"""``wganbench list``, ``show`` and ``schema``: list the experiments, show one resolved, and print the spec schema."""

from __future__ import annotations

import json

import click
from rich.table import Table

from wganbench.cli.choice import data_folders, load_chosen, only_variants, overridden
from wganbench.cli.printing import plain
from wganbench.spec import available, load
from wganbench.spec.plan import expand


@click.command(name="list", short_help="List the experiments that ship.")
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
            str(len(experiment.live_claims)),
        )
    plain().print(table)


@click.command(short_help="Show an experiment with all defaults.")
@click.argument("experiment")
@overridden
@data_folders
@click.option("--profile", default="paper", show_default=True)
@only_variants
def show(
    experiment: str, overrides: tuple[str, ...], data: tuple[str, ...], profile: str, variants: tuple[str, ...]
) -> None:
    """Show EXPERIMENT as it is resolved: every variant with all defaults filled in, as JSON."""
    spec, _ = load_chosen(experiment, overrides, data, profile, variants)
    shown = {
        "title": spec.title,
        "source": spec.source,
        "profile": f"{profile}: {spec.says(profile)}",
        "deviations": spec.deviations,
        "claims": [claim.model_dump(mode="json", exclude_none=True) for claim in spec.claims],
        "variants": {run.variant: run.setting.model_dump(mode="json") for run in expand(spec, profile, [0], variants)},
    }
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


@click.command(short_help="Print the JSON schema of a spec.")
def schema() -> None:
    """Print the JSON schema of a spec, for editors that complete and check TOML."""
    from wganbench.spec.json_schema import spec_schema

    click.echo(json.dumps(spec_schema(), indent=2))
