"""Texts that others wrote, in a page or a summary: they add no heading, list, link, image, HTML or further line."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from tests.analysis.factory import BAD, CLAIMS, FIGURES, GOOD, made, record
from wganbench.analysis.check import junit
from wganbench.analysis.figures import drawings_of
from wganbench.analysis.finding import Finding
from wganbench.analysis.pages.experiment import experiment_page
from wganbench.analysis.pages.markdown import page
from wganbench.analysis.pages.results import results_page
from wganbench.analysis.results import Results
from wganbench.analysis.tables.checked import summary
from wganbench.analysis.tables.table import Row, Table, inline, link_text, paragraph, render, terminal
from wganbench.analysis.verdict import judge
from wganbench.spec.coverage import load_coverage

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
HOSTILE = [
    "# a heading",
    "one\n\n## another\n\nline",
    "one\r# another",
    "one\u2028- another",
    "<script>alert(1)</script> & <img src=x onerror=alert(2)> <!-- hidden",
    "[here](javascript:alert(3)) ![seen](https://example.org/x.png)",
    "[here][1] [1]: https://example.org [^1]: note",
    "[1]: https://example.org",
    "\\[here](javascript:alert(3))",
    "[here\\](javascript:alert(3)) [a](b)",
    "```\nall that follows",
    "~~~ all that follows",
    "> quoted",
    "- item",
    "1. item",
    "---",
    "* * *",
    "===",
    "</details> a | b | c",
    "&lt;script&gt; &#60;b&#62;",
    "\x1b[31mred\x1b[0m \x9b2J",
    "|a|b|\n|-|-|",
]
HARMLESS = [
    "an interval [0.1, 2.5] at p < 0.05 & n > 3",
    "|f(x)| ≤ 1, *not* `clipped`",
    "f: R^2 → R, \\lambda = 10",
    "−3 to 4",
]
ALLOWED = {"paragraph_open", "paragraph_close", "inline"}
ALLOWED_INSIDE = {"text", "code_inline", "em_open", "em_close", "strong_open", "strong_close", "s_open", "s_close"}


def inside(text: str) -> list:
    return [child for token in MARKDOWN.parse(text) for child in token.children or ()]


@pytest.mark.parametrize("text", [*HOSTILE, *HARMLESS])
def test_a_text_stays_one_paragraph_of_plain_text(text):
    shown = paragraph(text)
    assert {token.type for token in MARKDOWN.parse(shown)} <= ALLOWED
    assert {token.type for token in inside(shown)} <= ALLOWED_INSIDE | {"text_special"}
    assert {token.type for token in MARKDOWN.parse(f"So {inline(text)}.")} <= ALLOWED


@pytest.mark.parametrize("text", HARMLESS)
def test_what_specs_say_stays_as_it_is(text):
    assert paragraph(text) == inline(text) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_reader_sees_what_was_written(text):
    seen = "".join(token.content for token in inside(f"So {inline(text)}"))
    for character in "[]()<>&;:\\/":
        assert seen.count(character) == text.count(character)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_in_a_link_or_a_cell_stays_in_it(text):
    (image,) = [token for token in inside(f"![{link_text(text)}](figures/a.png)") if token.type == "image"]
    assert image.attrs["src"] == "figures/a.png"
    table = Table(text, (Row({"a": text, "b": "next"}, {}),), (text,))
    tokens = MARKDOWN.parse(render(table, "markdown"))
    assert [token.type for token in tokens].count("td_open") == 2
    assert not {token.type for token in tokens} & {"heading_open", "html_block", "fence", "bullet_list_open", "hr"}
    assert not {child.type for token in tokens for child in token.children or ()} & {
        "link_open",
        "image",
        "html_inline",
    }


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> str:
    """The pages of an experiment and of a folder, with every hostile text wherever a spec or a record has one."""
    return "\n\n".join(pages(tmp_path_factory.mktemp("hostile"), " ".join(HOSTILE[4:7]), HOSTILE))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> str:
    return "\n\n".join(pages(tmp_path_factory.mktemp("plain"), "evil", ["evil"] * len(HOSTILE)))


def pages(folder: Path, evil: str, several: list[str]) -> list[str]:
    experiment = made(folder, CLAIMS + FIGURES)
    texts = {"title": evil, "question": several[0], "source": several[1], "deviations": several}
    claims = [one.model_copy(update={"says": f"{evil} {one.id}", "source": several[1]}) for one in experiment.claims]
    profiles = {name: {**profile, "says": several[10]} for name, profile in experiment.profiles.items()}
    figures = [figure.model_copy(update={"title": f"{evil} ]({several[0]}"}) for figure in experiment.figures]
    named = experiment.model_copy(update={**texts, "claims": claims, "profiles": profiles, "figures": figures})
    runs = [
        record(experiment, name, seed, {label: row[seed] for label, row in rows.items()})
        for name, rows in (("good", GOOD), ("bad", BAD))
        for seed in range(5)
    ]
    about = runs[0].provenance.model_copy(update={"device": several[4], "libraries": {several[5]: several[6]}})
    odd = runs[0].model_copy(update={"provenance": about})
    changed = runs[1].model_copy(update={"overrides": several, "id": runs[1].id.replace("-s1", "-s31"), "seed": 31})
    failed = record(experiment, "good", 8, {}, status="failed", note=several[0], steps_done=0)
    records = {each.id: each for each in (*runs[1:], odd, changed, failed)}
    results = Results(named, records)
    verdicts = judge(results)
    parts = experiment_page(results, verdicts, drawings_of(results), folder, {changed.id: changed})
    whole = results_page([results], records, {named.name: verdicts}, load_coverage(), has_speeds=False)
    return [page(parts, len(records)), page(whole, len(records))]


def kinds(text: str) -> dict[str, int]:
    tokens = [*MARKDOWN.parse(text), *inside(text)]
    return {kind: sum(token.type == kind for token in tokens) for kind in {token.type for token in tokens}}


def test_hostile_texts_add_nothing_to_the_pages_but_text(hostile, plain):
    found, expected = kinds(hostile), kinds(plain)
    for kind in {*found, *expected} - ALLOWED_INSIDE - {"text_special", "softbreak"}:
        assert found.get(kind, 0) <= expected.get(kind, 0), kind
    assert "\x1b" not in hostile and "\r" not in hostile and "\u2028" not in hostile
    assert [token.attrs["href"] for token in inside(hostile) if token.type == "link_open"] == [
        token.attrs["href"] for token in inside(plain) if token.type == "link_open"
    ]


@pytest.mark.parametrize("text", [*HOSTILE, "[/nope]", "[red]red[/red]"])
def test_a_terminal_shows_texts_without_their_codes(text):
    console = Console(width=200, force_terminal=False, record=True, file=io.StringIO())
    console.print(terminal(Table(text, (Row({f"heading {text}": text}, {}),), (text,))))
    shown = console.export_text()
    assert "\x1b" not in shown and "\x9b" not in shown
    assert ("[/nope]" in shown) == (text == "[/nope]")


def test_a_summary_for_github_and_junit_hold_hostile_findings_as_text():
    findings = [Finding("post hoc", text, f"`{text}`", text) for text in [*HOSTILE, "\ud800 and \udcff"]]
    text = summary("checked", findings, None, HOSTILE)
    found = kinds(text)
    assert found["tr_open"] == len(findings) + 1
    assert found["heading_open"] == 2
    assert "link_open" not in found and "image" not in found and "html_inline" not in found
    tree = ElementTree.fromstring(junit(findings, []).encode())
    assert len(tree.findall(".//testcase")) == len(findings)
