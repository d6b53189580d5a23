import math
from pathlib import Path

import numpy as np
import pytest

from tests.analysis import factory
from wganbench.analysis.results import COLUMNS, Scores, Summary, frame, pools, scores_of, summarise
from wganbench.spec.catalogue import Scale

COUNT = Scale(higher_is_better=True, worst=0.0, bounded=True, unit="sectors")
DISTANCE = Scale(higher_is_better=False, worst=math.inf, bounded=False, unit="distance")


@pytest.fixture
def experiment(tmp_path: Path):
    return factory.made(tmp_path)


def _runs(experiment, values, statuses=None, statistic="final", **changes):
    """The scores on one measure, a seed a value."""
    found = [
        factory.record(experiment, "good", seed, {"sectors_occupied": value}, status=status, **changes)
        for seed, (value, status) in enumerate(zip(values, statuses or ["finished"] * len(values), strict=True))
    ]
    return scores_of([found], statistic)[0]["sectors_occupied"]


def test_frame_has_a_row_a_run_and_measure(experiment):
    one = factory.record(experiment, "good", 3, {"sectors_occupied": 8.0}, best={"sectors_occupied": 9.0})
    two = factory.record(experiment, "bad", 0, {"exact_wasserstein": None}, status="diverged")

    table = frame([one, two])

    assert list(table.columns) == list(COLUMNS)
    assert list(table["id"]) == [one.id] * 3 + [two.id] * 3
    assert list(table["measure"]) == ["sectors_occupied", "exact_wasserstein", "wasserstein_floor"] * 2
    first = table.iloc[0]
    assert (first["variant"], first["seed"], first["final"], first["best"]) == ("good", 3, 8.0, 9.0)
    assert table["final"].notna().sum() == 1
    assert set(table["status"]) == {"finished", "diverged"}


def test_scores_of_groups_are_those_of_their_own_runs_in_their_order(experiment):
    def group(variant, *values):
        return [factory.record(experiment, variant, seed, {"sectors_occupied": v}) for seed, v in enumerate(values)]

    split = group("good", 1.0, 2.0, 3.0)
    found = scores_of([split[2:], [], group("bad", 4.0, None), split[:2]])

    values = [each["sectors_occupied"].values.tolist() if each else None for each in found]
    assert values[:2] + values[3:] == [[3.0], None, [1.0, 2.0]]
    assert values[2][0] == 4.0 and math.isnan(values[2][1])
    assert set(found[0]) == set(split[0].setting.measures)


def test_scores_tell_how_each_run_ended(experiment):
    assert _runs(experiment, [1.0, 2.0], ["failed", "diverged"]).status.tolist() == ["failed", "diverged"]


def test_frame_of_nothing_has_its_columns(experiment):
    assert list(frame([]).columns) == list(COLUMNS)
    assert len(frame([])) == 0


def test_frame_names_overrides(tmp_path):
    changed = factory.made(tmp_path, overrides=["batch_size=7", "variants.good.n_critic=3"])
    record = factory.record(changed, "good", 0, {})
    assert frame([record])["overrides"].iloc[0] == "batch_size=7; variants.good.n_critic=3"


def test_runs_of_different_score_protocols_are_never_pooled(experiment):
    def scored(seed, protocol, status="finished"):
        return factory.record(experiment, "good", seed, {}, score_protocol=protocol, status=status)

    old, new, other = scored(0, "tf-1"), scored(1, "torch-1"), scored(2, "tf-1")
    failed = scored(3, None, "failed")

    (found,) = pools([new, failed, other, old]).values()

    assert [[record.seed for record in pool] for pool in found] == [[0, 2, 3], [1]]


def test_runs_that_differ_in_setting_are_in_families_of_their_own(experiment):
    records = [
        factory.record(experiment, variant, 0, {}, profile=p) for variant in ("good", "bad") for p in ("quick", "paper")
    ]
    assert len(pools(records)) == 4


def test_unbounded_measures_have_a_mean_with_student_s_interval(experiment):
    summary = summarise(_runs(experiment, [1.0, 2.0, 3.0]), DISTANCE, n_planned=5)

    half = 4.302652729911275 / math.sqrt(3)  # t of two degrees of freedom at 97.5 %, times the standard error
    assert summary.mean == 2.0
    assert summary.interval is not None
    assert (summary.interval.low, summary.interval.high) == pytest.approx((2 - half, 2 + half))
    assert (summary.median, summary.median_interval) == (None, None)
    assert (summary.n, summary.n_runs, summary.n_planned) == (3, 3, 5)


def test_counts_have_a_median_between_order_statistics(experiment):
    summary = summarise(_runs(experiment, [1.0, 1.0, 8.0, 8.0, 8.0]), COUNT)

    assert (summary.mean, summary.median, summary.interval) == (5.2, 8.0, None)
    assert summary.median_interval is not None
    assert (summary.median_interval.low, summary.median_interval.high) == (1.0, 8.0)
    assert summary.median_interval.level == pytest.approx(1 - 2 / 2**5)


@pytest.mark.parametrize(
    ("scale", "mean", "n"), [(COUNT, 4.0, 2), (DISTANCE, 8.0, 1)], ids=["worst is 0", "worst is infinite"]
)
def test_a_diverged_run_counts_as_the_worst_where_there_is_one(experiment, scale, mean, n):
    runs = _runs(experiment, [8.0, 5.0], ["finished", "diverged"])  # 5.0 was measured before it diverged

    summary = summarise(runs, scale)

    assert (summary.mean, summary.n, summary.n_runs, summary.n_diverged) == (mean, n, 2, 1)


def test_a_finished_run_without_a_finite_value_counts_as_the_worst(experiment):
    assert summarise(_runs(experiment, [8.0, None]), COUNT).mean == 4.0


def test_a_failed_run_has_no_value_but_is_counted(experiment):
    summary = summarise(_runs(experiment, [8.0, 2.0], ["finished", "failed"]), COUNT)
    assert (summary.mean, summary.n, summary.n_runs, summary.n_failed) == (8.0, 1, 2, 1)


def test_final_and_best_are_not_mixed(experiment):
    best = {"sectors_occupied": 6.0}
    assert summarise(_runs(experiment, [1.0, 3.0], best=best), COUNT).mean == 2.0
    assert summarise(_runs(experiment, [1.0, 3.0], statistic="best", best=best), COUNT).mean == 6.0


@pytest.mark.parametrize("scale", [COUNT, DISTANCE])
def test_no_runs_make_an_empty_summary(scale):
    assert summarise(Scores(np.array([]), np.array([])), scale, n_planned=5) == Summary(n_planned=5)


def test_one_run_has_no_interval(experiment):
    summary = summarise(_runs(experiment, [3.0]), DISTANCE)
    assert (summary.mean, summary.interval) == (3.0, None)
    assert np.isfinite(summarise(_runs(experiment, [3.0]), COUNT).median or math.nan)
