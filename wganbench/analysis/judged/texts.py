"""The page and the data of a judgement, as they are written into the folder of a submission."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import tomli_w

from wganbench.analysis.judged.judgement import OVERVIEW, Judgement
from wganbench.analysis.judged.pairs import Settled
from wganbench.analysis.results import hours_of
from wganbench.analysis.tables import table
from wganbench.analysis.tables.table import Row, Table
from wganbench.records.record import Record, gist
from wganbench.records.submission import Conformance
from wganbench.spec.strict import Table as Fields

PAGE, TABLES = "README.md", "judge.json"
"""The names of the page and of the tables as data."""


# ---- data -----------------------------------------------------------------------------------------------------------


def data(judgement: Judgement) -> str:
    """Returns the tables and the values of all pairs as JSON; a diverged run without a finite value has null."""
    content = {
        "budget": judgement.submission.budget,
        "tables": [json.loads(table.render(each, "json")) for each in judgement.tables],
        "pairs": [_pairs(name, each) for name, some in judgement.settled.items() for each in some],
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _pairs(candidate: str, settled: Settled) -> Fields:
    pairs = settled.pairs
    values = zip(pairs.runs, pairs.candidate, pairs.reference, strict=True)
    return {
        "candidate": candidate,
        "experiment": pairs.experiment,
        "variant": pairs.variant,
        "measure": pairs.measure,
        "runs": [
            {"candidate": run, "value": _finite(mine), "reference": other, "value_of_reference": _finite(theirs)}
            for (run, other), mine, theirs in values
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# ---- tables beside that of the differences --------------------------------------------------------------------------


def questions_table(conformance: Conformance, *, whole: bool) -> Table:
    """Returns the answers about all objects.

    Args:
        whole: Whether answers are shown that found nothing, and questions that do not apply.
    """
    rows = [
        Row({"object": asked.object, "question": each.question, "answer": each.outcome, "found": each.text}, {})
        for asked in conformance.objects
        for each in asked.answers
        if (whole and each.outcome != "not applicable") or each.outcome in ("warning", "fail", "not reached")
    ]
    return Table("Questions about the objects", tuple(rows))


def trained_table(judgement: Judgement) -> Table:
    """Returns the cost of the submission: its runs by experiment and variant, with the steps and the time they took."""
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in judgement.own:
        groups.setdefault((record.experiment, record.profile, record.variant), []).append(record)
    rows = []
    for (experiment, profile, variant), records in sorted(groups.items()):
        states = {record.status: None for record in records}
        counts = [f"{sum(each.status == state for each in records)} {state}" for state in states]
        rows.append(
            Row(
                {
                    "experiment": f"{experiment}, {profile}",
                    "variant": variant,
                    "runs": ", ".join(counts),
                    "steps": f"{records[0].setting.steps:,}",
                    "minutes": f"{60 * hours_of(records):.1f}",
                },
                {},
            )
        )
    return Table("What was trained", tuple(rows), ("Minutes are of the wall clock, by cohort, with measures.",))


def lost_table(judgement: Judgement) -> Table:
    """Returns the runs that failed or diverged, each with its reason."""
    rows = [
        Row(
            {
                "experiment": f"{record.experiment}, {record.profile}",
                "run": record.id,
                "status": record.status,
                "step": f"{record.steps_done:,}",
                "why": gist(record.note or ""),
            },
            {},
        )
        for record in judgement.lost
    ]
    return Table("Runs that failed or diverged", tuple(rows))


# ---- the page -------------------------------------------------------------------------------------------------------


def page(judgement: Judgement, conformance: Conformance) -> str:
    """Returns the README of the folder."""
    return "\n\n".join(part.strip("\n") for part in _parts(judgement, conformance) if part) + "\n"


def _parts(judgement: Judgement, conformance: Conformance) -> Iterator[str]:
    submission = judgement.submission
    yield f"# {', '.join(submission.candidates)}: judged on the budget {submission.budget}"
    for method in submission.methods:
        yield f"`{method.name}` puts this into the place of other methods:"
        yield f"```toml\n{tomli_w.dumps(method.change).strip()}\n```"
    strips = judgement.strips
    if strips:
        yield f"![Differences in units of the margin, with their intervals]({OVERVIEW})"
    for name, each in zip(submission.candidates, judgement.tables, strict=True):
        yield f"## {each.title}"
        yield table.render(each, "markdown")
        for some in strips:
            if some.candidate == name:
                yield f"![{name} in {some.experiment}: both methods, seed by seed]({some.file})"
    yield "## Questions"
    yield "\n".join(f"- {each.kind} `{each.object}`: {each.summary()}" for each in conformance.objects)
    warned = questions_table(conformance, whole=False)
    if warned.rows:
        yield table.render(warned, "markdown")
    lost = lost_table(judgement)
    if lost.rows:
        yield f"## {lost.title}"
        yield table.render(lost, "markdown")
    trained = trained_table(judgement)
    yield f"## {trained.title}"
    yield table.render(trained, "markdown")
    yield "## To check it"
    yield "```sh\nwganbench verify-submission . --retrain 3\n```"
    yield (
        "checks every file against `submission.json`, asks the questions again, makes the tables again from the "
        "records, and trains three runs again. It executes the code in this folder."
    )
