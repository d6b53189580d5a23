"""What one changed factor costs: differences with known answers, in the spec, as a table and in the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.factory import SPEC, made, record
from wganbench.analysis.report import compose
from wganbench.analysis.results import Results
from wganbench.analysis.tables.ablation import ablation_tables
from wganbench.analysis.tables.table import render
from wganbench.errors import SpecError
from wganbench.records.store import Store

THIRD = "\n[variants.third]\nn_critic = 3\n"
ABLATIONS = """
[ablations]
baseline = "good"
factors = ["bad", "third"]
measures = ["exact_wasserstein"]
"""


@pytest.fixture
def experiment(tmp_path: Path):
    return made(tmp_path, THIRD, ABLATIONS)


def runs(experiment, variant, values, **changes):
    found = [
        record(experiment, variant, seed, {"exact_wasserstein": value}, **changes) for seed, value in values.items()
    ]
    return {each.id: each for each in found}


def rows(experiment, records, profile="paper"):
    return [row for each in ablation_tables(Results(experiment, records), profile) for row in each.rows]


def values(row, *names):
    return [row.data[name] for name in names]


BASE = {0: 1.0, 1: 2.0, 2: 4.0, 3: 8.0, 4: 16.0, 5: 32.0}


def test_common_seeds_are_compared_with_each_other_alone(experiment):
    changed = {seed: value + 0.5 for seed, value in BASE.items() if seed < 5} | {9: 1000.0}
    (row,) = rows(experiment, {**runs(experiment, "good", BASE), **runs(experiment, "bad", changed)})
    assert values(row, "changed", "baseline", "n", "baseline_n", "paired") == ["bad", "good", 5, 5, "true"]
    assert values(row, "mean", "baseline_mean", "difference") == pytest.approx([6.7, 6.2, 0.5])
    assert values(row, "low", "high") == pytest.approx([0.5, 0.5])  # unpaired it would be ±13


def test_without_common_seeds_the_interval_is_welchs(experiment):
    changed = {seed + 10: value for seed, value in BASE.items()}
    (row,) = rows(experiment, {**runs(experiment, "good", BASE), **runs(experiment, "bad", changed)})
    assert values(row, "difference", "paired", "n", "baseline_n") == [0.0, "false", 6, 6]
    assert "Welch" in row.data["method"]
    assert row.cells["n"] == "6 and 6, unpaired"


def test_a_diverged_run_counts_as_the_worst_and_a_failed_one_not_at_all(experiment):
    base = runs(experiment, "good", BASE)
    diverged = runs(experiment, "bad", {0: 1.0, 1: 1.0}) | runs(
        experiment, "bad", {2: None}, status="diverged", note="x"
    )
    (row,) = rows(experiment, base | diverged)
    assert values(row, "n", "baseline_n", "difference", "method") == [3, 3, float("inf"), None]
    failed = runs(experiment, "bad", {0: 3.0, 1: 4.0}) | runs(experiment, "bad", {2: None}, status="failed", note="x")
    (row,) = rows(experiment, base | failed)
    assert values(row, "n", "baseline_n", "difference") == [2, 2, 2.0]


def test_scores_of_two_networks_are_not_compared(experiment):
    base = runs(experiment, "good", BASE, score_protocol="one")
    assert rows(experiment, base | runs(experiment, "bad", BASE, score_protocol="one"))
    assert not rows(experiment, base | runs(experiment, "bad", BASE, score_protocol="other"))
    assert not rows(experiment, base)
    assert not rows(experiment, base, "quick")


def test_the_report_has_the_table_with_what_it_is_of(experiment, tmp_path):
    records = runs(experiment, "good", BASE) | runs(experiment, "bad", {seed: 2 * BASE[seed] for seed in BASE})
    (table,) = ablation_tables(Results(experiment, records), "paper")
    report = compose([experiment], Store(tmp_path / "results"), records, tmp_path).pages[f"{experiment.name}/README.md"]
    assert f"**{table.title}**" in report
    assert render(table, "markdown").strip() in report
    assert "| bad | 21 | 10.5 | +10.5 [" in report
    assert '"difference": 10.5' in render(table, "json")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (('"third"]', '"thrid"]'), "ablations: no variant 'thrid'; did you mean 'third'?"),
        (('"third"]', '"good"]'), "ablations: factors: must be variants beside the baseline, each once"),
        (('"third"]', '"bad"]'), "ablations: factors: must be variants beside the baseline, each once"),
        (
            ('["exact_w', '["exact_v'),
            "ablations: 'exact_vasserstein' is not measured; did you mean 'exact_wasserstein'",
        ),
        (('factors = ["bad", "third"]', "factors = []"), "ablations.factors: "),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path, change, line):
    with pytest.raises(SpecError) as caught:
        made(tmp_path, THIRD, ABLATIONS.replace(*change))
    assert f"made.toml, {line}" in str(caught.value)


def test_a_reduction_that_is_called_by_its_length_stands_before_the_shorter_profiles(tmp_path):
    from wganbench.analysis.profiles import ranked, references

    more = "[profiles.smoke]\nsteps = 3\n[profiles.other]\nsteps = 20\n[profiles.steps-50]\nsteps = 50\n"
    experiment = made(tmp_path, spec=SPEC.replace("[profiles.paper]", f"{more}[profiles.paper]"))
    assert ranked(experiment) == ["paper", "steps-50", "quick", "other"]
    assert references(experiment) == ["paper", "steps-50"]
