"""The page of a results folder: the scoreboard by source, every claim of the sources, and links."""

import re
from pathlib import Path

import pytest

from tests.analysis.factory import CLAIMS, FIGURES, SPEC, fill, made, record
from wganbench.analysis.pages.coverage import by_source, rows_by_source
from wganbench.analysis.report import compose
from wganbench.analysis.results import Results
from wganbench.analysis.verdict import judge
from wganbench.records.store import Store
from wganbench.spec.coverage import Coverage, Document, Row, load_coverage

COVERAGE = Coverage(
    version=1,
    documents=[Document(title="A paper", cited=["nobody 2017"]), Document(title="A write-up", cited=["somebody 2018"])],
    claims=[
        Row(number=1, source="nobody 2017, table 1", says="good | bad", judged_by=["made:good-beats-bad"]),
        Row(number=2, source="somebody 2018; nobody 2017", says="it works", reason="takes too long", out_of_reach=True),
        Row(number=3, source="logs", says="it is fast", reason="nobody has timed it"),
    ],
)


@pytest.fixture
def store(tmp_path: Path):
    return Store(tmp_path / "results")


@pytest.fixture
def judged(tmp_path, store):
    experiment = made(tmp_path, CLAIMS)
    found = fill(store, experiment)
    return [experiment], {"made": judge(Results(experiment, found))}


def test_each_document_has_its_claims_by_outcome_and_what_nothing_judges(judged):
    table = by_source(COVERAGE, *judged)
    cells = [[*row.cells.values()] for row in table.rows]
    assert cells == [
        ["A paper", "2", "–", "–", "–", "–", "–"],
        ["A write-up", "–", "–", "–", "–", "–", "1"],
        ["Other sources, and this suite's own questions", "–", "–", "–", "–", "1", "–"],
        ["**All**", "2", "–", "–", "–", "1", "1"],
    ]


def test_every_claim_of_the_sources_is_listed_once_with_what_judges_it(judged):
    paper, write_up, other = [*rows_by_source(COVERAGE, *judged)][1::2]
    link = "[made:good-beats-bad](made/README.md)"
    assert f"| 1 | good \\| bad | nobody 2017, table 1 | **reproduced** {link}, paper |" in paper
    assert "| 2 | it works | somebody 2018; nobody 2017 | *out of reach*: takes too long |" in write_up
    assert "| 3 | it is fast | logs | *no experiment yet*: nobody has timed it |" in other


def test_a_claim_of_the_sources_is_judged_by_the_restated_form_too(tmp_path, store):
    first, later = CLAIMS.split("[[claims]]")[1:]
    again = first.replace('"good-beats-bad"', '"again"').replace("good spreads", "once more, good spreads")
    first = first.replace("says =", 'restated_as = ["again"]\nsays =')
    experiment = made(tmp_path, *(f"[[claims]]{each}" for each in (first, later, again)))
    verdicts = {"made": judge(Results(experiment, fill(store, experiment)))}
    (row,) = [
        line for line in "\n".join(rows_by_source(COVERAGE, [experiment], verdicts)).splitlines() if "| 1 |" in line
    ]
    page = "(made/README.md), paper"
    said = f"**reproduced** [made:good-beats-bad]{page}<br>**reproduced** [made:again]{page}, restated"
    assert row == f"| 1 | good \\| bad | nobody 2017, table 1 | {said} |"


def test_a_report_of_a_few_experiments_lists_them_and_no_sources(tmp_path, store):
    experiment = made(tmp_path, CLAIMS, FIGURES, spec=SPEC.replace("source =", 'question = "Is it so?"\nsource ='))
    fill(store, experiment)
    text = compose([experiment], store, store.load(), store.root).pages["README.md"]
    assert "| [made](made/README.md) | Is it so? | 2 | – | – | – |" in text
    assert (
        "Runs: 16 on cpu, 16 s of wall time. Of the 2 claims that are settled, 2 are judged under the profile `paper`, "
        "at the length and size of the source where it states them, and 0 under another profile, which" in text
    )
    assert "## By source" not in text


BAD_TOO = """
[[claims]]
id = "bad-is-close"
says = "bad comes within 2.0 of the data"
test = "t"
measure = "exact_wasserstein"
variant = "bad"
at_most = 2.0
"""
RESTATED = """
[[claims]]
id = "good-is-very-close"
restated_as = ["good-is-close"]
says = "good comes within 0.31 of the data"
role = "secondary"
test = "t"
measure = "exact_wasserstein"
variant = "good"
at_most = 0.31
"""


def test_inconclusive_claims_that_are_settled_as_restated_are_counted(tmp_path, store):
    experiment = made(tmp_path, CLAIMS, RESTATED)
    fill(store, experiment)
    pages = compose([experiment], store, store.load(), store.root).pages
    assert "3 claims: 2 reproduced, 1 inconclusive." in pages["README.md"]
    settled = "Inconclusive claims that are settled as restated: 1 of 1."
    assert settled in pages["README.md"]
    (line,) = (line for line in pages["made/README.md"].splitlines() if line.startswith("- **inconclusive**"))
    assert line.endswith("secondary). Restated as `good-is-close` (reproduced).")
    open_too = made(
        tmp_path, CLAIMS, RESTATED.replace('["good-is-close"]', '["good-is-close", "bad-is-close"]'), BAD_TOO
    )
    pages = compose([open_too], store, store.load(), store.root).pages
    assert "settled as restated" not in pages["README.md"]


def test_runs_of_an_experiment_without_a_spec_have_a_place(tmp_path, store):
    experiment, gone = made(tmp_path, CLAIMS), made(tmp_path, CLAIMS, name="gone", spec=SPEC.replace("100", "101"))
    store.write(record(gone, "good", 0, {"exact_wasserstein": 0.125}))
    text = compose([experiment], store, store.load(), store.root).pages["README.md"]
    assert "0.125" in text.partition("## Other runs")[2]


# ---- the committed pages --------------------------------------------------------------------------------------------

RESULTS = Path(__file__).parents[3] / "results"


def test_the_committed_page_lists_every_claim_of_the_sources_once():
    text = (RESULTS / "README.md").read_text(encoding="utf-8").partition("claims of the sources")[2]
    numbers = [int(line.split("|")[1]) for line in text.splitlines() if re.match(r"\| [0-9]+ \|", line)]
    assert sorted(numbers) == [*range(1, len(load_coverage().claims) + 1)]


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/README.md")), ids=lambda path: path.parent.name)
def test_a_committed_page_can_be_read_through(path):
    depth, shown = 0, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        depth += line.startswith("<details>")
        shown += depth == 0
        depth -= line == "</details>"
    assert depth == 0
    assert shown <= 150
