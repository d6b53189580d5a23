"""Calibration: what is timed, and how plans use the measured rates."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner

from wganbench.analysis.estimate import representatives
from wganbench.cli import cli
from wganbench.errors import SpecError
from wganbench.records import rates
from wganbench.runner import build
from wganbench.runner.speed import bench
from wganbench.runner.speed import calibrate as calibration
from wganbench.runner.speed.calibrate import calibrate, seconds_per_step
from wganbench.spec import load
from wganbench.spec.plan import cohorts, expand, step_flops
from wganbench.training.cuda_graph import NotCapturedError
from wganbench.training.gan_trainer import GanTrainer


class Clock:
    """Time that passes by steps alone; a step takes effect on the device only when it is waited for."""

    def __init__(self, seconds):
        self.now, self.given, self.seconds, self.steps = 0.0, 0, iter(seconds), 0

    def step(self):
        self.steps += 1
        self.given += 1

    def wait(self, device):
        while self.given:
            self.now += next(self.seconds)
            self.given -= 1


@pytest.mark.parametrize(
    ("seconds", "expected", "steps"),
    [
        ([100.0, 1.0, 3.0, 1.0, 50.0, 2.0, 2.5], 2.5, 7),  # the first, one, and five: their median
        ([100.0, 6.0], 6.0, 2),  # one is enough
        ([9.0] + [0.05] * 21, 0.05, 22),  # five times 0.2 s
    ],
)
def test_a_step_is_timed_after_the_first_as_a_median_of_blocks(monkeypatch, seconds, expected, steps):
    clock = Clock(seconds)
    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(bench, "wait_for", clock.wait)
    assert seconds_per_step(clock.step, torch.device("cpu")) == pytest.approx(expected)
    assert clock.steps == steps
    assert next(clock.seconds, None) is None


def planned(path, seeds=3):
    return cohorts(expand(load(str(path)), "smoke", range(seeds)), 2)


def test_a_rate_is_the_operations_of_the_cohort_over_the_time_of_its_step(tiny, monkeypatch):
    monkeypatch.setattr(calibration, "seconds_per_step", lambda step, device: step() or 0.5)
    chosen, lines, threads = representatives(planned(tiny())), [], torch.get_num_threads()
    found = calibrate(chosen, torch.device("cpu"), 1, str(tiny()), lines.append)
    flops = [2 * step_flops(cohort.runs[0].setting) for cohort in chosen]
    assert [point.kind for point in found.points] == ["mlp", "mlp, penalised"]
    assert [(point.flops, point.rate) for point in found.points] == [(f, f / 0.5) for f in flops]
    assert found.key == ("cpu", rates.processor_name(), rates.torch_version(), 1)
    assert [line.partition(":")[0] for line in lines] == ["clip", "gp"]
    assert torch.get_num_threads() == threads


def test_steps_are_timed_and_counted_without_a_warm_up_of_the_critic(tiny, monkeypatch):
    """The first steps alone are timed: with 100 critic steps each, a plan would take all steps to be as slow."""
    warm = planned(tiny("[variants.warm]\ncritic_warmup = { steps = 100, first = 2, every = 50 }\n"))
    (cohort,) = (each for each in warm if each.runs[0].variant == "warm" and each.seeds == (0, 1))
    critic_steps = []
    monkeypatch.setattr(GanTrainer, "_critic_step", lambda self, *batch: critic_steps.append(self.steps_done))
    monkeypatch.setattr(calibration, "seconds_per_step", lambda step, device: step() or 0.5)
    found = calibrate([cohort], torch.device("cpu"), 1, str(tiny()))
    setting = cohort.runs[0].setting
    once = step_flops(setting.model_copy(update={"critic_warmup": None}))
    assert len(critic_steps) == setting.n_critic
    assert found.points[0].flops == 2 * once < 2 * step_flops(setting)


@pytest.mark.parametrize("refused", [False, True])
def test_on_cuda_the_steps_that_are_timed_are_those_that_run_takes(tiny, monkeypatch, refused):
    """Captured ones, or eager ones with a line that says why; with names instead of steps, as there is no GPU."""

    def capture(trainer):
        if refused:
            raise NotCapturedError("it has a reason")
        return "captured"

    timed, lines, cuda = [], [], torch.device("cuda")
    trainer = SimpleNamespace(device=cuda, step="eager")
    monkeypatch.setattr(bench, "make_trainer", lambda setting, seeds, device: trainer)
    monkeypatch.setattr(build, "capture", capture)
    monkeypatch.setattr(calibration, "seconds_per_step", lambda step, device: timed.append(step) or 0.5)
    monkeypatch.setattr(calibration, "device_name", lambda device: "a GPU")
    found = calibrate(representatives(planned(tiny()))[:1], cuda, 1, str(tiny()), lines.append)
    assert timed == ["eager" if refused else "captured"]
    assert (found.device, found.name) == ("cuda", "a GPU")
    reasons = [line for line in lines if "GFLOP" not in line]
    assert reasons == ["clip: steps are launched operation by operation: it has a reason"] * refused


def test_a_variant_that_cannot_be_trained_here_is_an_error_in_one_line(tiny, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "bad_one.py").write_text("def penalty(critic):\n    raise ArithmeticError('no such\\nthing')\n")
    path = tiny('[variants.bad]\nconstraint = "bad_one:penalty"\n')
    bad = [cohort for cohort in planned(path) if cohort.runs[0].variant == "bad"]
    with pytest.raises(SpecError, match=r"^tiny, bad: cannot be trained here \(ArithmeticError: no such\); ") as e:
        calibrate(bad[:1], torch.device("cpu"), 1, str(path))
    assert "\n" not in str(e.value)


def test_plan_measures_keeps_and_uses_the_rates(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(calibration, "BLOCK_SECONDS", 0.01)
    arguments = ["plan", str(tiny()), "--profile", "smoke", "--seeds", "2", "--results", str(tmp_path / "results")]
    began = time.perf_counter()
    result = CliRunner().invoke(cli, [*arguments, "--device", "cpu", "--calibrate", "--json"])
    took = time.perf_counter() - began
    assert result.exit_code == 0, result.output
    assert result.stderr.count("GFLOP/s") == 2
    printed = json.loads(result.stdout)
    (kept,) = rates.read(tmp_path / "data" / "rates.json")
    steps = printed["variants"][0]["steps"]
    for row, kind in zip(printed["variants"], ("mlp", "mlp, penalised"), strict=True):
        rate = kept.rate(kind, 2 * row["step_flops"])
        assert row["measured"]
        assert row["hours"] * 3600 == pytest.approx(2 * row["step_flops"] * steps / rate)
        assert 0 < row["hours"] * 3600 < took
    assert f"by rates measured on {rates.processor_name()}" in printed["rates"]
    assert "by rates measured on" in CliRunner().invoke(cli, arguments).output
    assert not list(tmp_path.glob("results/*"))


def test_where_no_cost_is_known_nothing_is_measured(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    arguments = ["plan", str(tiny()), "--profile", "smoke", "--set", "critic=free_net:Net", "--calibrate"]
    (tmp_path / "free_net.py").write_text("def Net(input_shape, output_shape): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert result.output.startswith("wganbench: --calibrate: no variant of known cost")


def test_damaged_rates_are_reported_before_anything_is_measured(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(calibration, "calibrate", None)
    (tmp_path / "rates.json").write_text("{}")
    result = CliRunner().invoke(cli, ["plan", str(tiny()), "--profile", "smoke", "--calibrate"])
    assert result.exit_code == 2
    assert result.output.startswith(f"wganbench: {tmp_path / 'rates.json'}: ")
    assert result.output.count("\n") == 1
