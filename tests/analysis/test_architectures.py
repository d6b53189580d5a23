"""Which architectures a success table is of, and the score that each of them has."""

from itertools import pairwise

import pytest

from tests.analysis import drawn
from tests.analysis.drawn import OTHER, PAPER, THRESHOLDS, run, runs
from wganbench.analysis.architectures import largest, samples_of


@pytest.fixture
def experiment(tmp_path):
    return drawn.spec(tmp_path)


def scores(sample):
    return {each.name: each.scores for each in sample.architectures}


def test_an_architecture_has_a_score_with_each_method(experiment):
    (sample,) = samples_of(experiment, runs(experiment, [(2.0, 7.0), (3.0, 5.0)]), "paper")
    assert scores(sample) == {"a000": (2.0, 7.0), "a001": (3.0, 5.0)}
    assert sample.scores.tolist() == [[2.0, 7.0], [3.0, 5.0]]
    generators = [setting.generator for setting in sample.architectures[0].settings]
    assert generators[0] == generators[1] == experiment.setting("a000-gan", "paper").generator
    assert (sample.protocol, sample.checksum, sample.is_one_of) == (PAPER, "d" * 64, 1)


def test_a_score_is_the_mean_over_the_seeds_that_both_methods_have(experiment):
    found = [run(experiment, "a000-gan", score, seed) for seed, score in enumerate([1.0, 2.0, 6.0])]
    found += [run(experiment, "a000-wgan-gp", score, seed) for seed, score in ((1, 4.0), (2, 5.0), (3, 9.0))]
    (sample,) = samples_of(experiment, found, "paper")
    assert scores(sample) == {"a000": (4.0, 4.5)}
    assert sample.architectures[0].n_seeds == 2


@pytest.mark.parametrize(("score", "changes"), [(None, {}), (5.0, {"status": "diverged"})], ids=["NaN", "diverged"])
def test_a_run_without_a_finite_score_counts_as_the_worst(experiment, score, changes):
    found = [run(experiment, "a000-gan", score, **changes), run(experiment, "a000-gan", 4.0, 1)]
    found += [run(experiment, "a000-wgan-gp", 8.0, seed) for seed in (0, 1)]
    (sample,) = samples_of(experiment, found, "paper")
    assert scores(sample) == {"a000": ((1.0 + 4.0) / 2, 8.0)}


def test_an_architecture_with_a_failed_run_or_without_a_common_seed_is_left_out_and_counted(experiment):
    found = runs(experiment, [(2.0, 7.0), (3.0, 5.0)])
    found += [run(experiment, "a001-gan", None, 1, status="failed", score_protocol=None, data_checksum=None)]
    found += [
        run(experiment, "a002-gan", 2.0),
        run(experiment, "a003-gan", 2.0, 0),
        run(experiment, "a003-wgan-gp", 2.0, 1),
    ]
    (sample,) = samples_of(experiment, found, "paper")
    assert list(scores(sample)) == ["a000"]
    assert (sample.n_failed, sample.n_waiting) == (1, 2)


@pytest.mark.parametrize("other", [{"score_protocol": OTHER}, {"data_checksum": "e" * 64}], ids=["score", "data"])
def test_other_scores_or_other_data_are_another_sample(experiment, other):
    found = runs(experiment, [(2.0, 7.0), (3.0, 5.0)])
    found += [run(experiment, f"a002-{method}", 4.0, **other) for method in ("gan", "wgan-gp")]
    found += [run(experiment, "a003-gan", 4.0), run(experiment, "a003-wgan-gp", 4.0, **other)]
    found += [
        run(experiment, "a004-gan", None, status="diverged", **other),
        run(experiment, "a004-wgan-gp", 4.0, **other),
    ]
    samples = samples_of(experiment, found, "paper")
    assert sorted(list(scores(sample)) for sample in samples) == [["a000", "a001"], ["a002", "a004"]]
    assert [sample.n_waiting for sample in samples] == [1, 1]
    assert {sample.is_one_of for sample in samples} == {2}
    found += [run(experiment, f"a005-{method}", 4.0) for method in ("gan", "wgan-gp")]
    assert list(scores(largest(samples_of(experiment, found, "paper")))) == ["a000", "a001", "a005"]


def test_runs_that_all_diverged_are_a_sample_too(experiment):
    found = runs(experiment, [(None, None)] * 2, status="diverged", score_protocol=None)
    (sample,) = samples_of(experiment, found, "paper")
    assert scores(sample) == {"a000": (1.0, 1.0), "a001": (1.0, 1.0)}


def test_without_a_table_runs_or_both_methods_there_is_no_sample(tmp_path, experiment):
    assert samples_of(experiment, [], "paper") == []
    (sample,) = samples_of(experiment, [run(experiment, "a000-gan", 4.0)], "paper")
    assert (sample.n, sample.n_waiting, largest([sample])) == (0, 1, None)
    plain = drawn.SPEC[: drawn.SPEC.index("[success_table]")] + drawn.SPEC[drawn.SPEC.index("[profiles.quick]") :]
    without = drawn.made(tmp_path, name="plain", spec=plain)
    assert samples_of(without, runs(experiment, [(2.0, 7.0)]), "paper") == []


# ---- thresholds, and whether it is the paper's ----------------------------------------------------------------------


def test_the_thresholds_of_the_published_score_are_the_table_s(experiment):
    (sample,) = samples_of(experiment, runs(experiment, [(2.0, 7.0)]), "paper")
    assert sample.thresholds == THRESHOLDS
    assert sample.is_the_papers


def test_those_of_another_score_are_as_many_from_1_to_what_the_real_data_score(experiment):
    found = runs(experiment, [(2.0, 7.0), (3.0, None)], profile="quick", score_protocol=OTHER)
    for record, real in zip(found, (6.0, 8.0, None, 7.0), strict=True):
        record.measures["real_inception_score"] = real
    (sample,) = samples_of(experiment, found, "quick")
    assert sample.real == 7.0
    steps = sample.thresholds
    assert (len(steps), steps[0], steps[-1]) == (17, 1.0, 7.0)
    assert [b - a for a, b in pairwise(steps)] == pytest.approx([6 / 16] * 16)
    assert not sample.is_the_papers
    assert sample.unlike_the_paper == f"direction only: shapes10, {OTHER}, 2,000 steps, not the paper's"


@pytest.mark.parametrize("real", [None, 1.0, 0.5])
def test_there_are_none_without_a_score_of_the_real_data_above_1(experiment, real):
    found = runs(experiment, [(2.0, 7.0)], profile="quick")
    for record in found:
        record.measures["real_inception_score"] = real
    (sample,) = samples_of(experiment, found, "quick")
    assert sample.thresholds == []


def test_changed_settings_or_an_uncalibrated_score_are_not_the_paper_s(tmp_path, experiment):
    changed = drawn.spec(tmp_path, overrides=["steps=3000"])
    (sample,) = samples_of(changed, runs(changed, [(2.0, 7.0)]), "paper")
    assert sample.thresholds == THRESHOLDS
    assert not sample.is_the_papers
    assert sample.unlike_the_paper == f"direction only: imagenet32, {PAPER}, 3,000 steps, not the paper's"
    found = runs(experiment, [(2.0, 7.0)], score_protocol="inception@1a2b3c4d-uncalibrated")
    assert not samples_of(experiment, found, "paper")[0].is_the_papers


def test_images_that_stand_in_are_called_as_their_folder(tmp_path):
    data = f'data = {{ name = "image_folder", folder = "tiny", digest = "{"0" * 64}", size = 32, channels = 3 }}'
    experiment = drawn.made(
        tmp_path, name="drawn", spec=drawn.SPEC.replace('data = { name = "imagenet32", size = 32 }', data)
    )
    (sample,) = samples_of(experiment, runs(experiment, [(2.0, 7.0)], score_protocol=OTHER), "paper")
    assert sample.unlike_the_paper.startswith("direction only: tiny, ")
