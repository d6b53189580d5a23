"""The page of one experiment, ``EXPERIMENT/README.md`` in the results folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from wganbench.analysis.commands import portable_name, run_all_command
from wganbench.analysis.figures import Drawing
from wganbench.analysis.pages.claims import claims
from wganbench.analysis.pages.markdown import GUIDE, folded, titled
from wganbench.analysis.pages.measured import measured
from wganbench.analysis.profiles import ranked
from wganbench.analysis.results import Results
from wganbench.analysis.tables.measured import measured_table
from wganbench.analysis.tables.published import other_runs
from wganbench.analysis.tables.scoreboard import live, tally
from wganbench.analysis.tables.success import overridden_tables
from wganbench.analysis.tables.table import inline, link_text, paragraph, render
from wganbench.analysis.verdict import Verdict
from wganbench.records.record import Record
from wganbench.spec import Experiment

DEVIATIONS = 12
"""The most deviations that are not folded away."""
OTHER_RUNS = (
    "Runs that no spec loaded here plans, as `--set` makes them, or a spec that has changed since. They enter no "
    "claim, but for superseded ones that were judged on them, and are not pooled with any other."
)


def experiment_page(
    results: Results,
    verdicts: Sequence[Verdict],
    drawings: Sequence[Drawing],
    root: Path,
    others: Mapping[str, Record],
) -> Iterator[str]:
    """Yields the paragraphs of the page about one experiment.

    Args:
        root: The results folder, for what was measured on kept weights.
        others: The experiment's records that no experiment of the report plans, by run id.

    Raises:
        RecordError: If a file of what was measured afterwards is damaged.
    """
    experiment = results.experiment
    recorded = [profile for profile in ranked(experiment) if results.planned(profile)]
    judged = {verdict.claim.profile for verdict in live(verdicts)}
    yield f"# {experiment.name}: {inline(experiment.title)}"
    spec = f"Source: {inline(experiment.source)}. Spec: `{experiment.file}`, version {experiment.version}."
    yield " ".join(filter(None, [paragraph(experiment.question or ""), spec]))
    yield tally({experiment.name: verdicts}) if verdicts else ""
    yield "" if verdicts or recorded else "No runs are recorded."
    yield from _figures(drawings)
    yield from claims(results, verdicts)
    shown = [profile for profile in ranked(experiment) if profile in recorded or profile in judged]
    if shown:
        yield "## Published beside measured" if experiment.published else "## Measured"
        yield folded(" ".join(GUIDE), "How to read the tables")
        for profile in shown:
            parts = measured(results, profile)
            if profile in judged or not judged:
                yield f"### Profile `{profile}`"
                yield from parts
            else:
                text = "\n\n".join(part.strip("\n") for part in parts if part)
                yield folded(text, f"Profile <code>{profile}</code>, which no claim is judged at")
    own = [record for record in results.records.values() if record.experiment == experiment.name]
    afterwards = measured_table(own, root)
    if afterwards.rows:
        yield f"## {afterwards.title}"
        yield folded(render(afterwards, "markdown"), f"{len(afterwards.rows)} numbers")
    yield from _others(results, others)
    yield from _deviations(experiment.deviations)
    yield from _commands(experiment, shown)


def _figures(drawings: Iterable[Drawing]) -> Iterator[str]:
    undrawn = []
    for drawing in drawings:
        if not drawing.used:
            undrawn.append(drawing.figure.title or drawing.figure.kind)
            continue
        yield f"![{link_text(drawing.title)}](figures/{drawing.file})"
        moving = [f"[{variant}](figures/{file})" for variant, file in drawing.animations.items()]
        yield f"One after the other: {', '.join(moving)}." if moving else ""
    if undrawn:
        yield f"Not drawn, as there are no runs with the data: {'; '.join(map(inline, undrawn))}."


def _others(results: Results, others: Mapping[str, Record]) -> Iterator[str]:
    """Yields the experiment's runs that no spec plans, folded away; nothing if there are none."""
    found = other_runs([results.experiment], others)
    if found.rows:
        yield "## Other runs"
        yield OTHER_RUNS
        yield from map(titled, overridden_tables(results))
        yield folded(render(found, "markdown"), f"All of them: {len(found.rows)} rows")


def _deviations(deviations: Sequence[str]) -> Iterator[str]:
    if deviations:
        text = "\n".join(f"- {paragraph(deviation)}" for deviation in deviations)
        yield "## Deviations from the source"
        yield folded(text, f"{len(deviations)} deviations") if len(deviations) > DEVIATIONS else text


def _commands(experiment: Experiment, profiles: Sequence[str]) -> Iterator[str]:
    """Yields how to train the runs and to print what is here, and more."""
    yield "## To run it"
    name = portable_name(experiment)
    runs = [run_all_command(experiment, profile, name=name) for profile in profiles or ranked(experiment)[-1:]]
    explain = [f"wganbench explain {name}:{experiment.live_claims[0].id}"] if experiment.live_claims else []
    yield "\n".join(["```sh", *runs, f"wganbench report {name}", *explain, "```"])
    if explain:
        yield f"`wganbench run {name}:CLAIM` trains the runs that one claim is judged on, and no others."
