import pytest

from wganbench.runner.evaluation import schedule, snapshots


@pytest.mark.parametrize("steps", [1, 3, 10, 1_500, 50_000])
@pytest.mark.parametrize("points", [1, 2, 3, 10, 20, 200])
def test_a_schedule_ends_on_the_last_step_and_keeps_to_its_size(steps, points):
    chosen = schedule(steps, points)
    assert len(chosen) <= points
    assert chosen == sorted(set(chosen))
    assert chosen[-1] == steps
    assert points == 1 or chosen[0] == 0


def test_half_of_a_schedule_is_regular_and_half_logarithmic():
    chosen = schedule(50_000, 100)
    regular = [round(k * 50_000 / 49) for k in range(50)]
    assert set(regular) <= set(chosen)
    assert sum(step < 1000 for step in chosen) >= 25  # most decades lie before the second regular point


@pytest.mark.parametrize("steps", [3, 40, 1_500, 100_000])
def test_an_even_schedule_is_all_regular_and_lies_in_one_of_ten_times_the_points(steps):
    few, many = (schedule(steps, points, even=True) for points in (20, 191))
    assert set(few) <= set(many)
    assert few == sorted({round(k * steps / 19) for k in range(20)})
    assert schedule(steps, 1, even=True) == [steps]


def test_moments_are_the_write_ups_epochs():
    assert snapshots(50_000, [0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0]) == [0, 500, 2500, 5000, 10_000, 25_000, 50_000]
    assert snapshots(3, [0.0, 0.01, 0.1, 1.0]) == [0, 3]
