"""Every claim of the sources is judged by a claim of a spec, or has a reason why it is not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.shipped import shipped
from wganbench.errors import SpecError
from wganbench.spec import available
from wganbench.spec.coverage import load_coverage

PATH = Path(__file__).parents[2] / "benchmarks" / "coverage.toml"
ROWS = tomllib.loads(PATH.read_text(encoding="utf-8"))["claims"]
N_CLAIMS = 64
OF_LATER_PAPERS = {"dirac-gan", "stacked-mnist"}
"""Experiments of papers that the sources do not know."""


@pytest.fixture(scope="module")
def stated() -> set[str]:
    return {f"{name}:{claim.id}" for name in available() for claim in shipped(name).live_claims}


def test_it_is_no_experiment():
    assert "coverage" not in available()


def test_every_claim_of_the_sources_is_there_once_and_in_order():
    assert [row["number"] for row in ROWS] == [*range(1, N_CLAIMS + 1)]
    assert len({row["says"] for row in ROWS}) == N_CLAIMS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["number"]))
def test_a_row_names_claims_that_count_or_a_reason(row, stated):
    assert row.keys() <= {"number", "source", "says", "judged_by", "reason", "out_of_reach"}
    assert ("judged_by" in row) != ("reason" in row)
    assert set(row.get("judged_by", ())) <= stated, "a claim that is not stated, or no longer counts"
    assert row.get("judged_by", ["?"]) and len(row.get("reason", 30 * " ")) >= 30
    assert "reason" in row or "out_of_reach" not in row


def test_every_experiment_judges_a_claim_of_the_sources():
    judging = {name.partition(":")[0] for row in ROWS for name in row.get("judged_by", ())}
    assert judging == {*available()} - OF_LATER_PAPERS


def test_every_claim_names_a_document_or_is_of_another_source():
    coverage = load_coverage()
    assert len(coverage.documents) == 7  # two papers and five write-ups
    others = [row.number for row in coverage.claims if coverage.document_of(row.source) is None]
    assert others == [7, 64]  # a paper on unrolled GANs, and logs of public runs
    first = coverage.document_of("musyoku 2017; Arjovsky et al. 2017, § 4.3")
    assert first is not None and first.title.startswith("musyoku")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("[[claims]]\nnumber = 17\n", "[[claims]]\nnumber = 18\n", "claims: number 18 where 17 should be; they count"),
        ('judged_by = ["gaussians8:rescale-spreads-over-training"]', "", "needs either judged_by, or a reason"),
        (
            "\nout_of_reach = true",
            "\nout_of_reech = true",
            "unknown field 'out_of_reech'; did you mean 'out_of_reach'?",
        ),
        ("version = 1", "version = ", "coverage.toml: not TOML: "),
    ],
)
def test_a_mistake_in_the_file_is_one_line(tmp_path, old, new, line):
    path, text = tmp_path / "coverage.toml", PATH.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_coverage(path)
    assert line in str(caught.value)


def test_a_missing_number_is_a_mistake(tmp_path):
    parts = PATH.read_text(encoding="utf-8").split("[[claims]]")
    path = tmp_path / "coverage.toml"
    path.write_text("[[claims]]".join(parts[:17] + parts[18:]), encoding="utf-8")
    with pytest.raises(SpecError, match="number 18 where 17 should be"):
        load_coverage(path)
