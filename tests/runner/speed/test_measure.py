"""How ways of training are timed in turns, and which stack is suggested."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from wganbench.errors import DataError, SpecError
from wganbench.records import rates
from wganbench.runner.speed import bench, stack_size
from wganbench.runner.speed import measure as speed
from wganbench.runner.speed.bench import Bench
from wganbench.runner.speed.measure import measure, take_turns
from wganbench.runner.speed.stack_size import Suggestion, Tried, grow
from wganbench.spec import load
from wganbench.spec.plan import expand, step_flops

CPU = torch.device("cpu")


class Ways:
    """Ways that take as long as they say; notes what it is asked for."""

    execution, memory_bytes = "eager", 1

    def __init__(self, **once):
        self.once, self.asked = once, []

    def rate(self, way, n):
        self.asked.append((way, n))
        return 1 / self.once[way]


def test_every_way_gets_an_equal_share_of_the_time_in_turns():
    ways = Ways(stack=0.01, plain=0.002)
    rounds = take_turns(ways, seconds=3.0)  # 0.1 s a way and round
    assert ways.asked == [("stack", 10), ("plain", 50)] * 15 or ways.asked == [("stack", 9), ("plain", 49)] * 15
    assert rounds == {"stack": [100.0] * 15, "plain": [500.0] * 15}


def test_a_slow_step_is_taken_three_times_in_each_way():
    ways = Ways(stack=10.0, plain=0.5)
    take_turns(ways, seconds=2.0)
    assert ways.asked == [("stack", 1), ("plain", 1)] * 3


def test_fewer_rounds_where_steps_are_slow():
    ways = Ways(stack=1.0, plain=1.0)
    take_turns(ways, seconds=12.0)
    assert len(ways.asked) == 2 * 6


def runs(path):
    return expand(load(str(path)), "smoke", [0])


def options(path, **changes):
    return {"seeds": 2, "jobs": 1, "threads": 1, "seconds": 0.01, "spec_path": str(path), **changes}


@pytest.fixture(autouse=True)
def small_matrices(monkeypatch):
    monkeypatch.setitem(bench.MATMUL_SIDE, "cpu", 32)


def test_a_measured_row_says_what_was_run(tiny):
    run = runs(tiny())[1]
    row = measure(run, CPU, target="a-name", **options(tiny()))
    assert (row.experiment, row.variant, row.profile, row.family) == ("tiny", "gp", "smoke", run.family)
    assert (row.seeds, row.jobs, row.threads, row.target) == (2, 1, 1, "a-name")
    assert (row.step_flops, row.precision, row.torch) == (step_flops(run.setting), "fp32", rates.torch_version())
    assert row.rounds >= 3 and row.memory_bytes > 2**20
    assert row.ratio is not None and row.one.median != row.stack.median


def test_the_ways_of_one_seed_and_of_several(tiny):
    setting = runs(tiny())[0].setting
    assert list(Bench(setting, [0], CPU).once) == ["stack", "plain", "matmul"]
    assert list(Bench(setting, [0, 1], CPU).once) == ["stack", "one", "plain", "matmul"]


def test_a_rate_is_steps_over_the_seconds_that_passed(tiny, monkeypatch):
    found = Bench(runs(tiny())[0].setting, [0], CPU)
    times = iter([10.0, 12.0])
    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    assert found.rate("plain", 5) == 2.5


def test_products_are_counted_with_their_sums():
    assert bench.product_flops(CPU) == 2 * 32**3


def test_without_a_plain_loop_the_rest_is_measured(tiny, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "free_one.py").write_text("def penalty(critic, real):\n    return 0 * critic(real).sum(1)\n")
    path = tiny('[variants.free]\nconstraint = "free_one:penalty"\n')
    row = measure(runs(path)[2], CPU, **options(path))
    assert (row.plain, row.ratio) == (None, None)
    assert row.stack.median > 0


def test_what_cannot_be_trained_is_one_line(tiny, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "bad_two.py").write_text("def penalty(critic):\n    raise ArithmeticError('no such\\nthing')\n")
    path = tiny('[variants.bad]\nconstraint = "bad_two:penalty"\n')
    for attempt in (
        lambda: measure(runs(path)[2], CPU, **options(path)),
        lambda: stack_size.suggest(runs(path)[2], CPU, 1, str(path)),
    ):
        with pytest.raises(SpecError) as error:
            attempt()
        told = "tiny, bad: cannot be trained here (ArithmeticError: no such); --variant names others"
        assert str(error.value) == told


@pytest.mark.slow
def test_several_jobs_take_the_same_steps_at_the_same_time(tiny):
    row = measure(runs(tiny())[1], CPU, **options(tiny(), jobs=2))
    assert (row.jobs, row.seeds) == (2, 2)
    assert row.ratio is not None and row.stack_steps > 0


@pytest.mark.slow
def test_what_goes_wrong_in_another_process_is_told_by_this_one(tiny, tmp_path):
    (tmp_path / "bad_three.py").write_text(
        "import os\nfrom wganbench.errors import DataError\n"
        "def penalty(critic):\n    raise ArithmeticError('no such\\nthing')\n"
        "def data(critic):\n    raise DataError('no data')\n"
        "def death(critic):\n    os._exit(1)\n"
    )
    names = ("penalty", "data", "death")
    path = tiny("".join(f'[variants.{name}]\nconstraint = "bad_three:{name}"\n' for name in names))
    told = {
        "penalty": (SpecError, r"cannot be trained here \(ArithmeticError: no such\); "),
        "data": (DataError, "^no data$"),
        "death": (SpecError, "a process died before it was done, perhaps for want of memory"),
    }
    for run in runs(path)[2:]:
        kind, line = told[run.variant]
        with pytest.raises(kind, match=line):
            measure(run, CPU, **options(path, jobs=2))


def test_jobs_that_all_answer_are_added_up():
    class Pipe:
        def __init__(self, answer):
            self.answer = answer

        def send(self, asked):
            assert asked == ("plain", 3)

        def recv(self):
            return self.answer

    several = object.__new__(speed._Several)
    several.pipes = [Pipe(2.0), Pipe(3.5)]
    assert several.rate("plain", 3) == 5.5


# ---- stacks -------------------------------------------------------------------------------------------------------


def grown(gains, *, bytes_a_seed=1, free=10**6, most=1024):
    """What is suggested where a stack of n gains ``gains[n]``; and the sizes that were tried."""
    tried = []

    def attempt(stack):
        tried.append(stack)
        return None if gains[stack] is None else Tried(stack, gains[stack], 10 * gains[stack], bytes_a_seed * stack)

    return grow(attempt, free, most), tried


@pytest.mark.parametrize(
    ("gains", "best", "last"),
    [
        ({1: 1, 2: 1.8, 4: 3.0, 8: 3.2, 16: 3.1}, 4, 16),  # 8 and 16 gain less than 10 %
        ({1: 1, 2: 0.9, 4: 0.95}, 1, 4),  # a wide network
        ({1: 1, 2: 0.9, 4: 1.5, 8: 2.8, 16: 2.9, 32: 2.9}, 8, 32),  # two lose, four gain
        ({1: 1, 2: 1.09, 4: 1.18, 8: 1.25, 16: 1.2}, 4, 16),  # little by little
    ],
)
def test_the_stack_doubles_until_two_sizes_gain_nothing(gains, best, last):
    found, tried = grown(gains)
    assert (found.best.stack, tried[-1]) == (best, last)


def test_a_stack_that_takes_half_of_the_free_memory_is_the_last():
    found, tried = grown({1: 1, 2: 2, 4: 4, 8: 8}, bytes_a_seed=10, free=100)
    assert (found.best.stack, tried) == (4, [1, 2, 4, 8])
    assert found.ended == "a stack of 8 takes too much of the memory that is free"


def test_a_stack_without_memory_is_not_suggested():
    found, _ = grown({1: 1, 2: 2, 4: None})
    assert (found.best.stack, found.ended) == (2, "a stack of 4 takes too much of the memory that is free")


def test_no_stack_is_larger_than_a_plan_takes():
    found, tried = grown({1: 1, 2: 2, 4: 4}, most=4)
    assert (found.best.stack, tried, found.ended) == (4, [1, 2, 4], "4 is the most that a plan takes")


def test_a_suggestion_is_a_line_with_the_options():
    found = grown({1: 1, 2: 1.8, 4: 1.7, 8: 1.9})[0]
    assert found.says("cuda", 16) == (
        "stack 2, 18 seed-steps/s, 1.80 × those of a stack of 1 (2: 1.80 ×, 4: 1.70 ×, 8: 1.90 ×); --stack 2; "
        "8 gains less than 10 % over it; the spec's stack is 16"
    )


def test_wide_networks_go_one_process_a_core(monkeypatch):
    monkeypatch.setattr(stack_size.os, "cpu_count", lambda: 6)
    found = grown({1: 1, 2: 0.9, 4: 0.95})[0]
    assert "one process a core, --stack 1 --jobs 6 --threads 1" in found.says("cpu", 1)
    assert "process" not in found.says("cuda", 1)


def test_stacks_of_a_setting_are_tried_for_a_moment(tiny, monkeypatch):
    monkeypatch.setattr(stack_size, "MAX_STACK", 2)
    monkeypatch.setattr(stack_size, "BLOCK_SECONDS", 0.001)
    monkeypatch.setattr(stack_size, "grow", lambda attempt, free: grow(attempt, free, 2))
    found = stack_size.suggest(runs(tiny())[0], CPU, 1, str(tiny()))
    assert isinstance(found, Suggestion)
    assert [each.stack for each in found.tried] == [1, 2]
    assert all(each.gain > 0 and each.seed_steps > 0 for each in found.tried)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_matrices_are_multiplied_in_the_precision_of_the_setting(monkeypatch, precision, dtype):
    monkeypatch.setitem(bench.MATMUL_SIDE, "cpu", 4)
    assert bench.product(CPU, precision)().dtype == dtype
