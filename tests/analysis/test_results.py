import math
from pathlib import Path

import numpy as np
import pytest

from tests.analysis import factory
from wganbench.analysis.results import Results, Summary, by_setting, hours_of, mean_at, pools, summarise, value_or_worst
from wganbench.records.record import Curve

COUNT = "sectors_occupied"
"""Bounded; the worst is 0."""
DISTANCE = "exact_wasserstein"
"""Unbounded; the worst is infinite."""


@pytest.fixture
def experiment(tmp_path: Path):
    return factory.made(tmp_path)


def summary(experiment, values, statuses=None, *, measure=COUNT, statistic="final", **changes):
    """The summary of one measure, a seed a value."""
    found = [
        factory.record(experiment, "good", seed, {measure: value}, status=status, **changes)
        for seed, (value, status) in enumerate(zip(values, statuses or ["finished"] * len(values), strict=True))
    ]
    return summarise(found, measure, statistic, n_planned=5)


def test_runs_of_different_score_protocols_are_never_pooled(experiment):
    def scored(seed, protocol, status="finished"):
        return factory.record(experiment, "good", seed, {}, score_protocol=protocol, status=status)

    old, new, other = scored(0, "tf-1"), scored(1, "torch-1"), scored(2, "tf-1")
    failed = scored(3, None, "failed")

    assert [[record.seed for record in pool] for pool in pools([old, new, other, failed])] == [[0, 2, 3], [1]]
    assert pools([failed]) == [[failed]]
    assert pools([]) == []


def test_runs_that_differ_in_setting_are_in_families_of_their_own(experiment):
    records = [
        factory.record(experiment, variant, 0, {}, profile=p) for variant in ("good", "bad") for p in ("quick", "paper")
    ]
    assert len(by_setting(records)) == 4


def test_the_time_of_a_cohort_is_shared_by_its_runs(experiment):
    alone = factory.record(experiment, "good", 0, {COUNT: 1.0}, wall_seconds=1800.0)
    ids = [f"{alone.family}-s{seed}" for seed in (1, 2, 3)]
    together = [
        factory.record(experiment, "good", seed, {COUNT: 1.0}, wall_seconds=5400.0, cohort=ids) for seed in (1, 2, 3)
    ]
    assert hours_of([alone]) == 0.5
    assert hours_of(together) == 1.5
    assert hours_of([alone, *together[:2]]) == 1.5
    assert hours_of([]) == 0


def test_unbounded_measures_have_a_mean_with_student_s_interval(experiment):
    found = summary(experiment, [1.0, 2.0, 3.0], measure=DISTANCE)

    half = 4.302652729911275 / math.sqrt(3)  # t of two degrees of freedom at 97.5 %, times the standard error
    assert found.mean == 2.0
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((2 - half, 2 + half))
    assert (found.median, found.median_interval) == (None, None)
    assert (found.n, found.n_runs, found.n_planned) == (3, 3, 5)


def test_counts_have_a_median_between_order_statistics(experiment):
    found = summary(experiment, [1.0, 1.0, 8.0, 8.0, 8.0])

    assert (found.mean, found.median, found.interval) == (5.2, 8.0, None)
    assert found.median_interval is not None
    assert (found.median_interval.low, found.median_interval.high) == (1.0, 8.0)
    assert found.median_interval.level == pytest.approx(1 - 2 / 2**5)


@pytest.mark.parametrize(
    ("measure", "mean", "n"), [(COUNT, 4.0, 2), (DISTANCE, 8.0, 1)], ids=["worst is 0", "worst is infinite"]
)
def test_a_diverged_run_counts_as_the_worst_where_there_is_one(experiment, measure, mean, n):
    found = summary(experiment, [8.0, 5.0], ["finished", "diverged"], measure=measure)  # 5.0 before it diverged

    assert (found.mean, found.n, found.n_runs, found.n_diverged) == (mean, n, 2, 1)


def test_a_finished_run_without_a_finite_value_counts_as_the_worst(experiment):
    assert summary(experiment, [8.0, None]).mean == 4.0


def test_a_failed_run_has_no_value_but_is_counted(experiment):
    found = summary(experiment, [8.0, 2.0], ["finished", "failed"])
    assert (found.mean, found.n, found.n_runs, found.n_failed) == (8.0, 1, 2, 1)


def test_final_and_best_are_not_mixed(experiment):
    best = {"sectors_occupied": 6.0}
    assert summary(experiment, [1.0, 3.0], best=best).mean == 2.0
    assert summary(experiment, [1.0, 3.0], statistic="best", best=best).mean == 6.0


@pytest.mark.parametrize(
    ("at", "mean"),
    [
        ([1.0], 8.0),
        ([0.0, 0.1, 1.0], 11 / 3),
        ([0.04], 1.0),  # nearer to step 0 than to step 10
        ([0.3], 2.0),  # as near to step 10 as to step 50: the earlier counts
        ([0.31], None),  # step 50 has no finite value
        ([0.1, 0.6], None),
    ],
)
def test_the_mean_is_of_the_values_at_the_steps_nearest_to_the_moments(at, mean):
    assert mean_at(Curve(steps=[0, 10, 50, 100], values=[1.0, 2.0, None, 8.0]), at) == mean


@pytest.mark.parametrize(("status", "value"), [("finished", 5.0), ("diverged", 0.0)])
def test_a_mean_over_moments_counts_as_the_worst_where_the_run_diverged(experiment, status, value):
    curves = {COUNT: Curve(steps=[0, 100], values=[2.0, 8.0])}
    record = factory.record(experiment, "good", 0, {COUNT: 8.0}, status=status, curves=curves)
    assert value_or_worst(record, COUNT, "mean", [0.0, 1.0]) == value


def test_no_runs_make_an_empty_summary():
    assert summarise([], COUNT, n_planned=5) == Summary(n_planned=5)


def test_one_run_has_no_interval(experiment):
    found = summary(experiment, [3.0], measure=DISTANCE)
    assert (found.mean, found.interval) == (3.0, None)
    assert np.isfinite(summary(experiment, [3.0]).median or math.nan)


def test_results_are_found_by_variant_and_profile_whichever_experiment_made_them(tmp_path, experiment):
    other = factory.made(tmp_path, name="other")
    quick = factory.record(experiment, "good", 0, {}, profile="quick")
    late, early, foreign = (factory.record(e, "good", s, {}) for e, s in ((experiment, 4), (experiment, 1), (other, 2)))
    changed = factory.record(factory.made(tmp_path, overrides=["batch_size=7"]), "good", 3, {})
    results = Results(experiment, {each.id: each for each in (quick, late, early, foreign, changed)})
    assert results.of("good", "paper") == results.planned("paper") == [early, foreign, late]
    assert results.planned("quick") == [quick]
    assert results.of("bad", "paper") == []
