"""What ``run`` prints before, during and after training: the time, where it resumes, the bars, the measures."""

from __future__ import annotations

import io

import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.progress import Progress

from tests.analysis import factory
from tests.runner.jobs import made
from wganbench.analysis.tables.main_measures import MAX_VARIANTS, main_measures, shown_runs
from wganbench.analysis.tables.table import shown_cells
from wganbench.cli import cli
from wganbench.cli.console import TerminalReporter
from wganbench.cli.run import _beginning
from wganbench.records.store import Store
from wganbench.runner.jobs.options import Execution
from wganbench.spec.plan import cohorts, expand


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    return factory.made(tmp_path, factory.CLAIMS)


@pytest.fixture
def quick(tmp_path, spec):
    """A spec that is trained and measured within a moment."""
    text = factory.SPEC.partition("[measures]")[0] + "measured_samples = 20\nmeasures = { modes_covered = {} }\n"
    profiles = "[profiles.paper]\n[profiles.quick]\nsteps = 10\n[variants.good]\n[variants.bad]\nn_critic = 2\n"
    return factory.made(tmp_path, name="quick", spec=text + profiles)


@pytest.fixture
def planned(spec):
    """Two cohorts of good, with 2 seeds and 1, and two of bad."""
    return cohorts(expand(spec, "paper", range(3)), 2)


def event(chosen, steps=(), runs=6, left=6):
    reached = dict(zip([cohort.id for cohort in chosen], steps or [0] * len(chosen), strict=True))
    return {"event": "begin", "runs": runs, "left": left, "cohorts": reached}


# ---- before -----------------------------------------------------------------------------------------------------


def test_it_begins_with_what_is_left_and_how_long_that_takes(planned):
    (line,) = _beginning(event(planned), planned, Execution())
    assert line.startswith("6 runs to train in 4 cohorts: under 0.1 s of training")
    assert line.endswith(" of training, without measures (a guess until 'wganbench plan EXP --calibrate' measures)")
    (line,) = _beginning(event(planned[1:2], left=1), planned, Execution(executor="slurm"))
    assert (
        line
        == "5 of 6 runs are recorded; 1 run to train in 1 cohort: how long they take on other machines is not known"
    )
    assert list(_beginning(event([], left=0), planned, Execution())) == []


def test_it_says_when_it_goes_on_from_checkpoints_and_from_where(planned):
    _, line = _beginning(event(planned, (0, 20, 70, 0)), planned, Execution())
    assert line == "found checkpoints of 2 cohorts, the furthest at step 70 of 100"


def test_the_time_of_custom_networks_is_unknown(spec, tmp_path):
    custom = factory.made(tmp_path, overrides=["critic=a.b:c"])
    chosen = cohorts(expand(custom, "paper", [0]), 1)
    (line,) = _beginning(event(chosen, runs=2, left=2), chosen, Execution())
    assert line.endswith("the time is unknown, as the operations of custom networks are not counted")


def test_damaged_rates_do_not_keep_a_run_from_training(planned, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rates.json").write_text("{")
    (line,) = _beginning(event(planned), planned, Execution())
    assert "a guess" in line


def test_a_run_that_was_stopped_says_what_it_goes_on_with(quick, tmp_path):
    store = Store(tmp_path / "results")
    job = made.planned(store, made.cohort(quick, "good", [0, 1]))
    made.checkpoint(job.folder, 40)
    asked = ["run", quick.path, "--profile", "paper", "--seeds", "2", "--variant", "good", "--results", str(store.root)]
    lines = CliRunner().invoke(cli, asked).output.splitlines()
    assert lines[0].startswith("2 runs to train in 1 cohort: under 0.1 s of training")
    assert lines[1] == "found checkpoints of 1 cohort, the furthest at step 40 of 100"
    assert [line.split()[1] for line in lines if line.startswith("good-")] == ["finished"] * 2


# ---- during -----------------------------------------------------------------------------------------------------


@pytest.fixture
def bars(planned):
    out = io.StringIO()
    with Progress(console=Console(file=out, force_terminal=True, width=120), auto_refresh=False) as progress:
        yield TerminalReporter(planned, progress)


def overall(bars):
    task = bars.bars.tasks[0]
    return task.description, round(task.completed / task.total, 6)


def test_one_bar_stands_above_the_cohorts_and_counts_runs_and_work(bars, planned, spec):
    bars.on_event(event(planned[:2], (50, 0), left=3))
    assert overall(bars) == ("3 of 6 runs recorded", round(2 * 50 / 300, 6))
    bars.on_progress(planned[1].id, 10)
    assert [task.description for task in bars.bars.tasks] == ["3 of 6 runs recorded", planned[1].id]
    assert overall(bars)[1] == round((2 * 50 + 10) / 300, 6)
    runs = [run.id for run in planned[0].runs]
    bars.on_record(factory.record(spec, "good", 0, {}, cohort=runs, status="diverged", steps_done=60))
    assert overall(bars) == ("4 of 6 runs recorded", round((200 + 10) / 300, 6))
    bars.on_progress(planned[0].id, 60)
    assert overall(bars)[1] == round((200 + 10) / 300, 6), "a recorded run has no steps left"
    bars.on_progress(planned[1].id, 100)
    assert overall(bars)[1] == 1.0


def test_the_work_of_a_dearer_variant_weighs_more(bars, planned):
    bars.on_event(event([planned[0], planned[2]], left=4))  # bad takes two critic steps where good takes one
    bars.on_progress(planned[0].id, 100)
    assert 0 < overall(bars)[1] < 0.45


def test_where_all_is_recorded_there_is_no_bar(bars):
    bars.on_event(event([], left=0))
    assert bars.bars.tasks == []


# ---- after ------------------------------------------------------------------------------------------------------


def test_each_variant_ends_with_the_measures_that_claims_read(spec):
    found = [
        factory.record(spec, "good", 0, {"sectors_occupied": 8.0, "exact_wasserstein": 0.25}),
        factory.record(spec, "good", 1, {"sectors_occupied": 6.0, "exact_wasserstein": 0.75}),
        factory.record(spec, "good", 2, {}, status="diverged"),
        factory.record(spec, "bad", 0, {"sectors_occupied": 1.0, "exact_wasserstein": 2.0}),
        factory.record(spec, "bad", 1, {}, status="failed", note="no"),
    ]
    table = main_measures(spec, expand(spec, "paper", range(3)), found)
    assert shown_cells(table) == [
        {
            "variant": "good",
            "sectors_occupied": "4.67 ± 4.2",  # 8, 6, and the worst, 0
            "exact_wasserstein": "0.5 ± 0.35",  # the worst is infinite
            "n": "3, 1 diverged",
        },
        {"variant": "bad", "sectors_occupied": "1", "exact_wasserstein": "2", "n": "2, 1 failed"},
    ]
    assert table.title == "made, paper: mean ± standard deviation over seeds, at the last step"


def test_of_many_variants_the_first_are_shown(tmp_path):
    many = "".join(f"[variants.v{i:02}]\nn_critic = {i + 3}\n" for i in range(40))
    runs = expand(factory.made(tmp_path, many), "paper", range(2))
    shown = shown_runs(runs)
    assert len({run.variant for run in shown}) == MAX_VARIANTS
    assert shown == runs[: 2 * MAX_VARIANTS]


def test_run_prints_the_measures_before_its_last_line(quick, tmp_path):
    asked = ["run", quick.path, "--profile", "quick", "--seeds", "2", "--results", str(tmp_path / "results")]
    first, second = (CliRunner().invoke(cli, asked).output for _ in range(2))
    for output in (first, second):
        assert output.index("quick, quick: mean ± standard deviation") < output.rindex("runs")
    assert "4 runs to train" in first
    assert "to train" not in second
    assert "mean ±" not in CliRunner().invoke(cli, [*asked, "--log-json"]).output
