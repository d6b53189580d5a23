"""Parameters, operations and hours of a plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.records.test_rates import measured
from wganbench.analysis.estimate import Speed, about_hours, estimate, format_hours, kind, representatives, wall
from wganbench.cli import cli
from wganbench.cli.plan import SHOWN_VARIANTS
from wganbench.records import rates
from wganbench.spec import load
from wganbench.spec.plan import CPU_CORE_FLOPS, cohorts, expand, step_flops

IMAGES = """
version = 1
title = "images"
source = "a test"
data = { name = "cifar10", size = 32 }
latent_dim = 128
batch_size = 64
steps = 100
stack = 2
objective = "wasserstein"
generator = { name = "dcgan_generator", filters = 128, unit_norm = true }
critic = { name = "dcgan_critic", filters = 128 }
generator_optimizer = { name = "adam", lr = 1e-4 }
critic_optimizer = { name = "adam", lr = 1e-4 }
measures = { wasserstein_estimate = {} }
profiles = { quick = {} }
[variants.dcgan]
"""
GENERATOR, CRITIC = 5_179_907, 4_114_689  # see test_cost
SMALL = "[variants.small]\ngenerator.filters = 8\ncritic.filters = 8\n"
FIXED = "[variants.fixed]\nfixed_generator = 'noised'\n"
STRANGE = "[variants.strange]\ncritic = 'a.b:c'\n"
PENALISED = "[variants.penalised]\nconstraint = 'gradient_penalty'\n"
LINE = "[variants.line]\ngenerator = { name = 'mlp', hidden = [4] }\ncritic = { name = 'mlp', hidden = [4] }\n"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Cohorts of the spec above with more variants behind it; it is here, as images.toml, without rates."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))

    def make(extra="", seeds=3):
        Path("images.toml").write_text(IMAGES + extra)
        return cohorts(expand(load("images.toml"), "quick", range(seeds)), 2)

    return make


def guessed(device="cpu", threads=1):
    return Speed(None, device, threads)


def test_a_row_has_the_known_numbers_of_parameters_and_the_operations_of_one_seed(made):
    (row,) = estimate(made(), (), guessed()).rows
    flops = step_flops(load("images.toml").setting("dcgan", "quick"))
    assert (row.variant, row.generator, row.critic, row.step_flops) == ("dcgan", GENERATOR, CRITIC, flops)
    assert (row.seeds, row.cohorts, row.steps, row.done) == (3, 2, 100, 0)
    assert row.hours == row.hours_left == pytest.approx(3 * 100 * flops / CPU_CORE_FLOPS / 3600)
    assert not row.measured


@pytest.mark.parametrize(("extra", "generator", "critic"), [(FIXED, None, CRITIC), (STRANGE, None, None)])
def test_what_is_not_there_or_a_strangers_has_no_numbers(made, extra, generator, critic):
    row = estimate(made(extra), (), guessed()).rows[1]
    assert (row.generator, row.critic, row.hours is None) == (generator, critic, critic is None)


def test_a_cohort_trains_whole_unless_all_of_it_is_done(made):
    pair, single = planned = made()
    both, alone = (len(cohort.runs) for cohort in (pair, single))
    whole = estimate(planned, (), guessed()).hours_left
    for done, left in (([pair.runs[0]], 3), (pair.runs, alone), (single.runs, both), (pair.runs + single.runs, 0)):
        found = estimate(planned, {run.id for run in done}, guessed())
        assert found.hours_left == pytest.approx(whole * left / 3)
        assert found.rows[0].hours == pytest.approx(whole)
        assert found.rows[0].done == len(done)


def test_the_rate_is_that_of_the_whole_cohorts_step(made):
    (row,) = estimate(made(), (), guessed()).rows
    points = [(row.step_flops, 1e9), (2 * row.step_flops, 3e9)]
    found = estimate(made(), (), Speed(measured(points, kind="dcgan_critic"), "cpu", 1)).rows[0]
    pair, single = 100 * 2 * row.step_flops / 3e9, 100 * row.step_flops / 1e9
    assert found.measured
    assert found.hours == pytest.approx((pair + single) / 3600)


def test_a_kind_that_was_not_measured_is_guessed_and_said_to_be(made):
    speed = Speed(measured([(1e9, 1e9)], kind="dcgan_critic"), "cpu", 2)
    found = estimate(made(LINE + STRANGE), (), speed)
    flops = found.rows[1].step_flops
    assert [row.measured for row in found.rows] == [True, False, False]
    assert found.rows[1].hours == pytest.approx(3 * 100 * flops / (2 * CPU_CORE_FLOPS) / 3600)
    lines = list(found.lines(speed, 1))
    assert lines[1].endswith("by rates measured on a CPU (torch 2.0, 1 thread, 2000-01-01)")
    assert lines[2] == "1 variants of kinds not measured: at 40 GFLOP/s, a guess; --calibrate measures them"
    assert lines[3] == "1 variants of unknown cost are not in it"


@pytest.mark.parametrize(
    ("hours", "jobs", "expected"),
    [([], 2, 0), ([3, 1, 2], 1, 6), ([1, 1, 1, 3], 2, 3), ([2, 2, 2], 2, 4), ([5, 1], 9, 5), ([3, 3, 2, 2, 2], 2, 7)],
)
def test_the_dearest_first_on_so_many_workers(hours, jobs, expected):
    assert wall(hours, jobs) == expected


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (0, "0 s"),
        (1e-9, "under 0.1 s"),
        (1 / 3600, "1 s"),
        (0.5, "30 min"),
        (1.25, "1.2 h"),
        (99.6, "100 h"),
        (12345.6, "12,346 h"),
    ],
)
def test_a_time_is_told_in_its_unit(hours, told):
    assert format_hours(hours) == told


def test_each_kind_is_represented_by_its_cheapest_median_and_dearest(made):
    sizes = {"a": 64, "b": 4, "c": 16, "d": 32, "e": 8}  # and dcgan of 128
    more = "".join(f"[variants.{name}]\ncritic.filters = {size}\n" for name, size in sizes.items())
    found = representatives(made(more + LINE + PENALISED + STRANGE))
    assert [cohort.runs[0].variant for cohort in found] == ["b", "c", "dcgan", "line", "penalised"]
    assert [len(cohort.runs) for cohort in found] == [2] * 5, "the first cohort is a whole one"
    assert representatives(made(STRANGE)[2:]) == []


CUSTOM = "[variants.custom]\nconstraint = 'mine:zero_centred'\n"
CLIPPED = "[variants.clipped]\nconstraint = { name = 'clip', clip_value = 0.1 }\n"


def test_a_custom_constraint_costs_what_a_gradient_penalty_does_whatever_its_name(made):
    plain, penalised, custom, clipped = estimate(made(PENALISED + CUSTOM + CLIPPED), (), guessed()).rows
    assert custom.step_flops == penalised.step_flops > plain.step_flops == clipped.step_flops
    named = load("images.toml", ["variants.custom.constraint.name='mine:weight_penalty_off'"])
    assert [kind(named.setting(variant, "quick")) for variant in ("custom", "clipped")] == [
        "dcgan_critic, penalised",
        "dcgan_critic",
    ]


def test_a_time_that_nobody_knows_is_unknown_and_not_nought(made):
    strange = made(STRANGE)[2:]
    found = estimate(strange, (), guessed())
    assert (found.hours_left, found.wall_hours) == (None, None)
    assert list(found.lines(guessed(), 2)) == [
        "time left: unknown, since only the operations of wganbench's own networks and data are counted"
    ]
    assert found.rows[0].as_row()["time"] == "unknown"
    done = {run.id for cohort in strange for run in cohort.runs}
    known_is_done = estimate(made(STRANGE), {run.id for cohort in made()[:2] for run in cohort.runs}, guessed())
    assert known_is_done.hours_left is None
    assert list(estimate(strange, done, guessed()).lines(guessed(), 1)) == [
        "all of it is recorded; nothing is left to train"
    ]


# ---- the command ----------------------------------------------------------------------------------------------------

MANY = "".join(f"[variants.v{i:02}]\ncritic.filters = {i + 1}\n" for i in range(40))


def plan(*arguments, code=0):
    result = CliRunner().invoke(cli, ["plan", "images.toml", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_many_variants_are_cut_with_a_line_that_says_so(made):
    made(MANY)
    printed = plan()
    assert len([line for line in printed.splitlines() if "0/5" in line]) == SHOWN_VARIANTS == 20
    assert "… and 21 more; --all lists them" in printed
    assert len([line for line in plan("--all").splitlines() if "0/5" in line]) == 41
    assert "more; --all" not in plan("--all")
    assert f"{GENERATOR:,}" in printed
    assert f"{CRITIC:,}" in printed


def test_json_has_all_variants_and_the_totals(made):
    made(MANY)
    told = json.loads(plan("--json", "--jobs", "2", "--seeds", "1"))
    assert len(told["variants"]) == told["runs"] == 41
    assert told["variants"][0]["critic"] == CRITIC
    assert told["hours_left"] == pytest.approx(sum(row["hours"] for row in told["variants"]))
    assert told["hours_left"] / 2 <= told["wall_hours"] < told["hours_left"]


def test_the_rates_of_the_data_folder_are_used_and_named(made, tmp_path):
    made(SMALL)
    points = [(1e6, 1e9), (1e12, 1e9)]
    for about in ({}, {"device": "cuda", "name": "a card"}):
        rates.keep(tmp_path / "data" / "rates.json", measured(points, kind="dcgan_critic", **about))
    assert "by rates measured on a card (" in plan()
    assert "by rates measured on a CPU (" in plan("--device", "cpu")
    assert "at 40 GFLOP/s, a guess" in plan("--device", "cpu", "--threads", "2")
    told = json.loads(plan("--json", "--seeds", "1"))["variants"]
    assert [row["hours"] * 3600 for row in told] == pytest.approx([100 * row["step_flops"] / 1e9 for row in told])
    elsewhere = plan("--data-dir", str(tmp_path / "elsewhere"))
    assert "a guess" in elsewhere


def test_damaged_rates_are_one_line_and_no_traceback(made, tmp_path):
    made()
    path = tmp_path / "data" / "rates.json"
    path.parent.mkdir()
    path.write_text('{"version": 1, "measured": [')
    printed = plan(code=2)
    assert printed == f"wganbench: {path}: not whole JSON; delete it, 'wganbench plan EXP --calibrate' measures again\n"


def test_rates_of_one_precision_are_not_taken_for_those_of_another():
    kinds = [kind(load("swissroll", [f"precision='{each}'"]).setting("wgan-gp", "smoke")) for each in ("fp32", "tf32")]
    assert kinds == ["mlp, penalised", "mlp, penalised, tf32"]


@pytest.mark.parametrize(("hours", "told"), [(2.0, "about 2 h"), (0.5, "about 30 min"), (1e-9, "under 0.1 s")])
def test_estimated_hours_are_about_so_many(hours, told):
    assert about_hours(hours) == told
