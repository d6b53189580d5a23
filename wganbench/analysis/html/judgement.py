"""The page of a judgement for a browser, which works offline and without a script."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import tomli_w

from wganbench.analysis.html.charts import Chart, Dot, Line, Plot, Strip, lay_out
from wganbench.analysis.html.provenance import MadeWith, made_with
from wganbench.analysis.html.render import render_template
from wganbench.analysis.judged import texts
from wganbench.analysis.judged.judgement import OVERVIEW, Judgement
from wganbench.analysis.judged.pairs import WORDS, Pairs, Settled
from wganbench.analysis.tables.cells import between, number
from wganbench.analysis.tables.table import Table
from wganbench.records.submission import Conformance


@dataclass(frozen=True)
class LinePart:
    """A line of the table with its runs: their values, and the differences of pairs."""

    title: str
    judgement: str
    values: Plot
    differences: Plot


@dataclass(frozen=True)
class CandidatePart:
    """A candidate.

    Attributes:
        fields: The fields of a variant that it replaces, as TOML.
    """

    name: str
    fields: str
    table: Table
    lines: tuple[LinePart, ...]


@dataclass(frozen=True)
class JudgementPage:
    """The whole page.

    Attributes:
        tally: The number of lines with each judgement that occurs.
        overview: The address of the figure of all differences; empty if there is none.
        in_words: What that figure shows.
        files: The path and the digest of each file of the folder.
    """

    names: tuple[str, ...]
    budget: str
    device: str
    n_records: int
    tally: tuple[tuple[str, int], ...]
    overview: str
    in_words: str
    candidates: tuple[CandidatePart, ...]
    lost: Table
    questions: Table
    trained: Table
    made_with: MadeWith
    files: tuple[tuple[str, str], ...]


def page_of(judgement: Judgement, conformance: Conformance, figures: Mapping[str, bytes]) -> str:
    """Returns the page as HTML.

    Args:
        judgement: The judgement.
        conformance: The answers about the candidates' objects.
        figures: The content of the figures, by their paths in the folder.
    """
    submission = judgement.submission
    words = Counter(each.judgement for some in judgement.settled.values() for each in some)
    content = figures.get(OVERVIEW)
    page = JudgementPage(
        names=tuple(submission.candidates),
        budget=submission.budget,
        device={"cpu": "a CPU", "cuda": "a GPU"}[submission.device],
        n_records=len(judgement.own),
        tally=tuple((word, words[word]) for word in WORDS if words[word]),
        overview="" if content is None else f"data:image/png;base64,{base64.b64encode(content).decode()}",
        in_words="; ".join(_in_words(judgement)),
        candidates=tuple(_candidates(judgement)),
        lost=texts.lost_table(judgement),
        questions=texts.questions_table(conformance, whole=True),
        trained=texts.trained_table(judgement),
        made_with=made_with(judgement.own, "Runs by how they were made"),
        files=tuple(submission.files.items()),
    )
    return render_template("judgement.html", has_script=False, page=page)


def _in_words(judgement: Judgement) -> Iterator[str]:
    for name, some in judgement.settled.items():
        for each in some:
            pairs = each.pairs
            difference = f"{number(each.difference)}{between(each.interval)}"
            where = f"{name}, {pairs.experiment}, {pairs.variant}, {pairs.measure}"
            yield f"{where}: {each.judgement}, difference {difference}, margin {number(pairs.counted.within)}"


def _candidates(judgement: Judgement) -> Iterator[CandidatePart]:
    for method, found in zip(judgement.submission.methods, judgement.tables, strict=True):
        lines = [_line(method.name, each) for each in judgement.settled[method.name] if each.pairs.runs]
        yield CandidatePart(method.name, tomli_w.dumps(method.change).strip(), found, tuple(lines))


def _line(candidate: str, settled: Settled) -> LinePart:
    pairs, within = settled.pairs, settled.pairs.counted.within
    target = pairs.counted.target
    values = Chart(
        f"{pairs.measure} of the runs",
        (
            Strip(candidate, tuple(_dots(pairs.candidate, pairs, 0))),
            Strip(pairs.variant, tuple(_dots(pairs.reference, pairs, 1))),
        ),
        () if target is None else (Line(target, "published", f"best value {number(target)}"),),
    )
    limits = (
        Line(-within, "bound", f"margin of {number(within)} on both sides"),
        Line(within, "bound", f"margin of {number(within)} on both sides"),
        Line(0.0, "zero", "no difference"),
    )
    strip = Strip(
        "pairs of runs of one seed",
        tuple(_dots(pairs.differences, pairs, 0)),
        settled.difference,
        settled.interval,
    )
    differences = Chart("Difference, to the right the candidate is better", (strip,), limits)
    where = f"{pairs.experiment}, {pairs.profile}, in the place of {pairs.variant}: {pairs.measure}"
    return LinePart(where, settled.judgement, lay_out(values), lay_out(differences))


def _dots(values: Sequence[float], pairs: Pairs, side: int) -> Iterator[Dot]:
    """Yields a dot for each pair; a difference of two infinite values has no place, and none."""
    for value, runs in zip(values, pairs.runs, strict=True):
        at_edge = 0 if math.isfinite(value) else 1 if value > 0 else -1
        if not math.isnan(value):
            yield Dot(value, at_edge, f"{runs[side]}: {number(value)}", runs[side])
