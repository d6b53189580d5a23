"""How the ways of training are timed in turns, and the row that comes out."""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from types import SimpleNamespace

import pytest
import torch

from wganbench.errors import DataError, ExtensionError, SpecError
from wganbench.records import rates
from wganbench.records.speeds import Timing
from wganbench.runner.speed import bench
from wganbench.runner.speed import measure as speed
from wganbench.runner.speed.bench import Bench
from wganbench.runner.speed.measure import measure, take_turns
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


def measured(path, index, **timing):
    """The row of one variant, by its place in the spec, with two stacked seeds and hardly any time."""
    return measure(runs(path)[index], load(str(path)), CPU, Timing(seeds=2, seconds=0.01, **timing))


@pytest.fixture(autouse=True)
def small_matrices(monkeypatch):
    monkeypatch.setitem(bench.MATMUL_SIDE, "cpu", 32)


def test_a_measured_row_says_what_was_run(tiny):
    run = runs(tiny())[1]
    row = measured(tiny(), 1)
    assert (row.experiment, row.variant, row.profile, row.family) == ("tiny", "gp", "smoke", run.family)
    assert (row.seeds, row.jobs, row.threads, row.target) == (2, 1, 1, None)
    assert (row.step_flops, row.precision, row.torch) == (step_flops(run.setting), "fp32", rates.torch_version())
    assert row.rounds >= 3 and row.memory_bytes > 2**20
    assert row.ratio is not None and row.one.median != row.stack.median


def test_a_row_leaves_the_warm_up_of_the_critic_out(tiny):
    path = tiny("[variants.warm]\ncritic_warmup = { steps = 100, first = 2, every = 50 }\n")
    setting, row = runs(path)[2].setting, measured(path, 2)
    assert row.variant == "warm"
    assert row.step_flops == step_flops(setting.model_copy(update={"critic_warmup": None})) < step_flops(setting)


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
    row = measured(path, 2)
    assert (row.plain, row.ratio) == (None, None)
    assert row.stack.median > 0


PEER = """
import torch

DISTRIBUTION = "torch"
calls = []

def step(setting, device):
    calls.append((setting.batch_size, device.type))
    return lambda: calls.append(torch.get_float32_matmul_precision())

def refuses(setting, device):
    raise ArithmeticError("no such\\nwidth")

def breaks(setting, device):
    return lambda: 1 / 0
"""


@pytest.fixture
def peers(tmp_path, monkeypatch):
    """Writes a module of peers, and gives its name, which no other test uses."""
    monkeypatch.syspath_prepend(str(tmp_path))
    n_written = itertools.count()

    def write(text=PEER):
        name = f"peers{next(n_written)}_{re.sub('[^a-z0-9]', '_', tmp_path.name)}"
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return name

    return write


def test_a_peer_is_timed_in_each_round_and_named_with_its_version(tiny, peers):
    name = peers()
    row = measured(tiny(), 0, peer=f"{name}:step")
    assert (row.peer.function, row.peer.package) == (f"{name}:step", "torch")
    assert row.peer.version.partition("+")[0] == torch.__version__.partition("+")[0]
    assert row.peer.rate.median > row.stack.median, "it does nothing"
    assert row.peer.ratio.median < 1
    first, *others = sys.modules[name].calls
    assert first == (8, "cpu")
    assert len(others) > row.rounds and set(others) == {"highest"}
    assert measured(tiny(), 0).peer is None


@pytest.mark.parametrize(
    ("function", "line"),
    [
        ("refuses", "fails (ArithmeticError: no such)"),
        ("breaks", "fails (ZeroDivisionError: division by zero)"),
        ("steps", "module '{name}' has no attribute 'steps'; did you mean 'step'?"),
    ],
)
def test_a_peer_that_does_not_step_is_one_line(tiny, peers, function, line):
    name = peers()
    with pytest.raises(ExtensionError) as error:
        measured(tiny(), 0, peer=f"{name}:{function}")
    assert str(error.value) == f"peer '{name}:{function}': {line.format(name=name)}"


def test_a_peer_without_an_installed_distribution_is_refused_before_anything_is_timed(tiny, peers):
    for given, line in (
        ("", "{name} must name the distribution that it measures, DISTRIBUTION = …"),
        ("DISTRIBUTION = 'no-such-gan'", "its distribution 'no-such-gan' is not installed"),
    ):
        name = peers(f"{given}\ndef step(setting, device):\n    raise AssertionError\n")
        with pytest.raises(ExtensionError) as error:
            measured(tiny(), 0, peer=f"{name}:step")
        assert str(error.value) == f"peer '{name}:step': {line.format(name=name)}"


def test_what_cannot_be_trained_is_one_line(tiny, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "bad_two.py").write_text("def penalty(critic):\n    raise ArithmeticError('no such\\nthing')\n")
    path = tiny('[variants.bad]\nconstraint = "bad_two:penalty"\n')
    with pytest.raises(SpecError) as error:
        measured(path, 2)
    line = "tiny, bad: cannot be trained here (ArithmeticError: no such); --variant selects others"
    assert str(error.value) == line


@pytest.mark.slow
def test_several_jobs_take_the_same_steps_at_the_same_time(tiny, peers):
    row = measured(tiny(), 1, jobs=2, peer=f"{peers()}:step")
    assert (row.jobs, row.seeds) == (2, 2)
    assert row.peer is not None and row.peer.rate.median > row.stack.median
    assert row.ratio is not None and row.stack_steps > 0


@pytest.mark.slow
def test_an_error_in_another_process_is_raised_by_this_one(tiny, tmp_path):
    (tmp_path / "bad_three.py").write_text(
        "import os\nfrom wganbench.errors import DataError\n"
        "def penalty(critic):\n    raise ArithmeticError('no such\\nthing')\n"
        "def data(critic):\n    raise DataError('no data')\n"
        "def death(critic):\n    os._exit(1)\n"
    )
    names = ("penalty", "data", "death")
    path = tiny("".join(f'[variants.{name}]\nconstraint = "bad_three:{name}"\n' for name in names))
    expected = {
        "penalty": (SpecError, r"cannot be trained here \(ArithmeticError: no such\); "),
        "data": (DataError, "^no data$"),
        "death": (SpecError, "a process died before it was done, perhaps for lack of memory"),
    }
    for index, (kind, line) in enumerate(expected.values(), start=2):
        with pytest.raises(kind, match=line):
            measured(path, index, jobs=2)


def test_jobs_that_all_answer_are_added_up():
    class Pipe:
        def __init__(self, answer):
            self.answer = answer

        def send(self, asked):
            assert asked == ("plain", 3)

        def recv(self):
            return self.answer

    several = object.__new__(speed._Jobs)
    several.pipes = [Pipe(2.0), Pipe(3.5)]
    assert several.rate("plain", 3) == 5.5


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_matrices_are_multiplied_in_the_precision_of_the_setting(monkeypatch, precision, dtype):
    monkeypatch.setitem(bench.MATMUL_SIDE, "cpu", 4)
    assert bench.product(CPU, precision)().dtype == dtype
