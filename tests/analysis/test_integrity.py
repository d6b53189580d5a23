"""Copied runs, and classifiers whose content does not fit their name."""

from __future__ import annotations

import pytest

from tests.analysis import factory
from tests.analysis.factory import GOOD, PROVENANCE, made
from wganbench.analysis.integrity import FEWEST_NUMBERS, copied_runs, damaged_classifiers
from wganbench.analysis.ledger import digest_of
from wganbench.records.record import Curve

SPEC = factory.SPEC.replace("[measures]", "[measures]\ntraining_seconds = {}")


@pytest.fixture
def experiment(tmp_path):
    return made(tmp_path, spec=SPEC)


def run(experiment, variant, seed, *, n=FEWEST_NUMBERS, seconds=1.0):
    """A run with ``n`` different numbers, the same for every seed, and its own seconds."""
    values = {name: row[0] for name, row in GOOD.items()}
    curve = Curve(steps=[*range(n - 3)], values=[100.0 + step for step in range(n - 3)])
    one = factory.record(experiment, variant, seed, {**values, "training_seconds": seconds}, provenance=PROVENANCE)
    clock = Curve(steps=[0, 1], values=[0.0, seconds])
    return one.model_copy(update={"curves": {"exact_wasserstein": curve, "training_seconds": clock}})


def test_a_run_with_the_numbers_of_another_seed_is_a_finding_though_its_seconds_are_its_own(experiment):
    runs = [run(experiment, "good", seed, seconds=seed + 1.0) for seed in (3, 1, 7)]
    found = [*copied_runs(runs)]
    assert [finding.subject for finding in found] == [runs[0].id, runs[2].id]
    assert all("are those of seed 1: a copy" in finding.text for finding in found)


def test_one_other_number_makes_another_run(experiment):
    one, two = run(experiment, "good", 1), run(experiment, "good", 2)
    other = two.model_copy(update={"measures": {**two.measures, "exact_wasserstein": 0.31}})
    assert [*copied_runs([one, other])] == []


def test_other_settings_and_runs_with_few_numbers_may_agree(experiment):
    assert [*copied_runs([run(experiment, "good", 1), run(experiment, "bad", 2)])] == []
    assert [*copied_runs([run(experiment, "good", seed, n=FEWEST_NUMBERS - 1) for seed in (1, 2)])] == []


def test_a_classifier_is_named_by_its_content(tmp_path):
    folder = tmp_path / "classifiers"
    folder.mkdir()
    right = f"shapes10-16-{digest_of(b'weights')[:8]}.safetensors"
    wrong, strays = "shapes10-32-01234567.safetensors", ("notes.txt", "weights.safetensors")
    for name in (right, wrong, *strays, ".hidden"):
        (folder / name).write_bytes(b"weights")
    assert {(finding.check, finding.subject) for finding in damaged_classifiers(tmp_path)} == {
        ("classifier damaged", f"classifiers/{wrong}"),
        *(("stray file", f"classifiers/{name}") for name in strays),
    }
    assert [*damaged_classifiers(tmp_path / "nowhere")] == []
