"""Every claim of the sources is judged by a claim of a spec, or has a reason why it is not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from wganbench.spec import available, load

PATH = Path(__file__).parents[2] / "benchmarks" / "coverage.toml"
ROWS = tomllib.loads(PATH.read_text(encoding="utf-8"))["claims"]
N_CLAIMS = 64
OF_LATER_PAPERS = {"dirac-gan"}
"""Experiments of papers that the sources do not know."""


@pytest.fixture(scope="module")
def stated() -> set[str]:
    return {f"{name}:{claim.id}" for name in available() for claim in load(name).live_claims}


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
