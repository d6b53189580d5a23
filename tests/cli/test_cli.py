"""The command line as a user sees it: outputs, exit codes, and one line for each thing that is wrong."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.analysis import drawn
from tests.analysis.factory import made
from tests.analysis.test_verdict_architectures import PAIRED
from tests.analysis.test_verdict_architectures import SPEC as ARCHITECTURES
from tests.analysis.test_verdict_architectures import records as architecture_records
from wganbench.cli import cli
from wganbench.records.store import Store

TINY = """
version = 1
title = "tiny"
source = "a test"
steps = 3
batch_size = 8
latent_dim = 3
measured_samples = 60
data = "gaussian_ring"
objective = "wasserstein"
generator = { name = "mlp", hidden = [4] }
critic = { name = "mlp", hidden = [4] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
measures = { modes_covered = { points = 2 } }
[profiles.smoke]
says = "3 steps"
[profiles.quick]
says = "5 steps"
steps = 5
[variants.clip]
constraint = { name = "clip", clip_value = 0.1 }
[variants.gp]
constraint = "gradient_penalty"
[[claims]]
id = "gp-covers-more"
says = "the penalty covers more modes than clipping"
profile = "smoke"
test = "permutation"
measure = "modes_covered"
better = "gp"
worse = "clip"
"""


READERS = ("report", "check", "plan")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    Path("tiny.toml").write_text(TINY)
    return tmp_path


def wganbench(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def ok(*arguments: str) -> str:
    result = wganbench(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def wrong(*arguments: str) -> str:
    """What is printed where the input is wrong: exit 2, no traceback."""
    result = wganbench(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result.output


def test_of_random_architectures_each_is_explained_by_its_mean_over_seeds(tmp_path):
    experiment = made(tmp_path, PAIRED, spec=ARCHITECTURES)
    store = Store(tmp_path / "results")
    (store.root / "made").mkdir(parents=True)
    for record in architecture_records(experiment, gp=[[5.0, 7.0]] * 5, gan=[[2.0, 2.0]] * 5).values():
        store.write(record)
    lines = ok("explain", f"{tmp_path / 'made.toml'}:gp-is-better", "--results", str(store.root)).splitlines()
    assert "  gp: n = 5 architectures, each the mean over its seeds, with its first run" in lines
    (line,) = (line for line in lines if "a003-gp-" in line)
    assert line.split()[:3] == ["a003", "6", "finished"]


def test_run_records_reports_and_explains(here):
    printed = ok("run", "tiny.toml", "--profile", "smoke", "--seeds", "5")
    assert printed.startswith("profile smoke: 3 steps; this is not the paper's protocol")
    assert printed.count("finished") == 10
    assert len(Store("runs").load()) == 10
    assert "runs/README.md" in ok("report", "tiny.toml")
    assert "gp-covers-more" in ok("explain", "tiny.toml:gp-covers-more")
    assert "0 findings" in ok("check", "tiny.toml")
    rows = json.loads(ok("report", "tiny.toml", "--format", "json").split("\n}\n")[0] + "}")
    assert rows["title"] == "Scoreboard"


def test_run_says_that_its_seeds_enter_no_claim(here):
    said = "claims at profile smoke are judged on seeds 0-4 alone; these runs, of seeds 7, enter none"
    assert said in ok("run", "tiny.toml", "--profile", "smoke", "--seeds", "7-7").splitlines()
    assert "enter none" not in ok("run", "tiny.toml", "--profile", "smoke", "--seeds", "4-7")
    assert "enter none" not in ok("run", "tiny.toml", "--seeds", "7-7")  # quick, at which nothing is judged


def test_run_of_a_claim_trains_what_it_is_judged_on_and_points_to_its_verdict(here):
    planned = ok("plan", "tiny.toml:gp-covers-more").splitlines()
    assert any(line.startswith("10 runs of profile smoke") for line in planned)
    assert [line for line in planned if line.startswith("claim")] == [planned[-1]]
    printed = ok("run", "tiny.toml:gp-covers-more").splitlines()
    assert printed[-1] == "10 runs recorded in runs; 'wganbench explain tiny.toml:gp-covers-more' shows the verdict"
    explained = ok("explain", "tiny.toml:gp-covers-more").splitlines()
    assert "  trained by   wganbench run tiny.toml:gp-covers-more" in explained
    assert not any("incomplete" in line for line in explained)
    (cost,) = (line for line in explained if line.startswith("  cost "))
    assert cost.startswith("  cost         10 runs, ") and cost.endswith(" of wall time, with measures")


def test_open_claims_are_listed_with_what_they_lack_as_run_takes_them(here):
    lines = ok("list", "--open", "--results", "empty").splitlines()
    assert lines[0].split() == ["claim", "profile", "runs", "left", "time"]
    claims = [line.split()[0] for line in lines[1:-3]]
    assert "gaussians8:clip-ends-spread" in claims
    assert lines[-3] == (
        f"{len(claims)} of {len(claims)} claims lack runs in empty; 'wganbench run CLAIM' trains what is left"
    )
    assert lines[-2] == "0 claims that all of their runs leave inconclusive, asked only once"
    assert lines[-1].startswith("the time, without measures, is estimated by counting operations, at ")
    assert "48 runs of profile paper" in ok("plan", next(each for each in claims if "gan-ends-collapsed" in each))


def test_run_says_how_many_claims_its_seeds_do_not_enter(here):
    claim = TINY[TINY.index("[[claims]]") :].replace("gp-covers-more", "gp-covers-more-on-others")
    Path("two.toml").write_text(TINY + claim + 'seeds = "10-14"\n')
    said = (
        "claims at profile smoke that are judged on other seeds: 1 of 2; "
        "'wganbench run two.toml:CLAIM' trains those of one"
    )
    assert said in ok("run", "two.toml", "--profile", "smoke", "--seeds", "2").splitlines()
    assert "other seeds" not in ok("run", "two.toml", "--profile", "smoke", "--seeds", "0,10")
    assert "other seeds" not in ok("run", "two.toml:gp-covers-more-on-others")


def test_run_that_has_nothing_to_do_says_so_and_names_the_ways_out(here):
    ok("run", "tiny.toml", "--seeds", "1")
    printed = ok("run", "tiny.toml", "--seeds", "1").splitlines()[-1]
    assert printed == (
        "all 2 runs are recorded in runs; nothing trained. --results DIR records elsewhere, --again trains again"
    )
    before = {path: path.stat().st_mtime_ns for path in Store("runs").paths()}
    assert ok("run", "tiny.toml", "--seeds", "1", "--again").count("finished") == 2
    assert all(path.stat().st_mtime_ns > stamp for path, stamp in before.items())


def test_run_that_stops_before_it_recorded_anything_does_not_say_that_all_is_recorded(here):
    result = CliRunner().invoke(cli, ["run", "tiny.toml", "--seeds", "1", "--max-hours", "1e-9"])
    assert result.exit_code == 124
    assert result.stdout.splitlines()[-1] == "no run recorded in runs before it stopped"
    assert Store("runs").load() == {}


def test_the_default_seeds_are_the_specs(here):
    assert ok("run", "tiny.toml", "--variant", "clip").count("finished") == 5


def test_a_failed_run_exits_with_1_after_the_rest_is_done(here, monkeypatch):
    monkeypatch.syspath_prepend(str(here))
    Path("bad_penalty.py").write_text(
        "def penalty(critic, real):\n"
        "    if real.shape[1] == 8:  # in training, not in the checks before it\n"
        "        raise ArithmeticError('no such thing')\n"
        "    return critic(real).square().mean(1)\n"
    )
    Path("tiny.toml").write_text(TINY + '[variants.aa]\nconstraint = "bad_penalty:penalty"\n')
    result = wganbench("run", "tiny.toml", "--seeds", "1")
    assert result.exit_code == 1
    assert "1 of 3 runs failed" in result.output
    assert result.output.count("finished") == 2
    assert "ArithmeticError: no such thing" in result.output


def test_this_machine_stands_beside_the_reference(here, trained):
    shutil.copytree(trained, "mine")
    ok("run", "tiny.toml", "--profile", "smoke", "--seeds", "3", "--results", "mine")
    printed = ok("report", "tiny.toml", "--results", "mine", "--against", str(trained), "--format", "markdown")
    assert "this machine" in printed
    assert "reference" in printed
    assert "3 of 5" in printed
    assert "2 of 5" in printed


def test_plan_prints_runs_cost_and_what_can_be_settled(here):
    printed = ok("plan", "tiny.toml", "--profile", "smoke", "--seeds", "3", "--stack", "2")
    assert printed.count("0/3") == 2
    assert "6 runs of profile smoke (3 steps)" in printed
    assert "at 20 GFLOP/s, a guess; --calibrate measures" in printed
    assert "claim gp-covers-more: judged on 5 seeds, of which 3 are planned or recorded" in printed
    assert "can reach a verdict" in ok("plan", "tiny.toml", "--profile", "smoke", "--seeds", "5")


def test_an_override_is_part_of_the_id_and_shows_in_the_report(here):
    changes = ("--set", "variants.gp.latent_dim=7", "--set", "steps=3")
    changed = ("tiny.toml", "--profile", "smoke", "--seeds", "1", *changes)
    profile = "profile smoke but for variants.gp.latent_dim=7 and steps=3"
    assert ok("run", *changed).startswith(f"{profile}: 3 steps; this is not the paper's protocol")
    assert f"2 runs of {profile} (3 steps)" in ok("plan", *changed)
    printed = ok("report", "tiny.toml", "--format", "markdown")
    assert "variants.gp.latent_dim=7" in Path("runs/tiny/README.md").read_text()
    assert "0 of 5 runs" in Path("runs/tiny/README.md").read_text() or "not run" in printed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "gausians8"], "unknown experiment 'gausians8'; did you mean 'gaussians8'?"),
        (["run", "absent.toml"], "absent.toml: no such file"),
        (["run", "tiny.toml", "--variant", "clap"], "no variant 'clap'; did you mean 'clip'?"),
        (["run", "tiny.toml", "--profile", "smok"], "no profile 'smok'; did you mean 'smoke'?"),
        (["run", "tiny.toml", "--seeds", "0"], "--seeds 0: must be a count of at least 1"),
        (["run", "tiny.toml", "--seeds", "3-1"], "--seeds 3-1: must be a count of at least 1"),
        (["run", "tiny.toml", "--set", "stepz=4"], "unknown field 'stepz'; did you mean 'steps'?"),
        (["run", "tiny.toml", "--set", "objective=wasserstien"], "did you mean 'wasserstein'?"),
        (["run", "tiny.toml", "--device", "cuda"], "no CUDA device"),
        (["run", "tiny.toml", "--results", "tiny.toml/x"], "cannot be written"),
        (["run", "tiny.toml", "--set", "objective=nowhere.at.all:Thing"], "does not import"),
        (["explain", "gp-covers-mor"], "unknown claim"),
        (["explain", "tiny.toml:gp-covers-mor"], "did you mean 'gp-covers-more'?"),
        (["report", "tiny.toml", "--results", "empty"], "empty: no such folder"),
        (["merge", "absent"], "absent"),
    ],
)
def test_bad_input_is_one_line_with_the_place_and_the_remedy(here, arguments, says):
    if arguments[-1] == "cuda":
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a CUDA device here")
    assert says in wrong(*arguments)
    assert not list(here.glob("**/*.json"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the four records of two seeds."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.toml").write_text(TINY)
    spec, results = str(folder / "tiny.toml"), str(folder / "runs")
    ok("run", spec, "--profile", "smoke", "--seeds", "2", "--results", results)
    return folder / "runs"


@pytest.fixture
def damaged_record(here: Path, trained: Path, damage: str) -> Path:
    """One of four records, whose file is then as ``damage`` says."""
    shutil.copytree(trained, "runs")
    path = Store("runs").paths()[0]
    text = path.read_text()
    path.write_text(
        {"truncated": text[:500], "foreign": '{"a": 1}', "newer": text.replace('r": 1,', 'r": 99,', 1)}[damage]
    )
    return path


@pytest.mark.parametrize("damage", ["truncated", "foreign"])
def test_run_sets_a_damaged_record_aside_and_trains_it_again(damaged_record, damage):
    path = damaged_record
    whole = {other: other.read_bytes() for other in Store("runs").paths() if other != path}
    damaged = path.read_bytes()
    printed = ok("run", "tiny.toml", "--profile", "smoke", "--seeds", "2")
    aside = path.parent / "damaged" / path.name
    assert str(aside) in printed
    assert aside.read_bytes() == damaged
    assert len(Store("runs").load()) == 4
    assert {other: other.read_bytes() for other in whole} == whole


@pytest.mark.parametrize(
    ("command", "damage"),
    [("run", "newer"), *((name, damage) for name in READERS for damage in ("truncated", "foreign", "newer"))],
)
def test_a_bad_record_stops_every_command_that_may_not_move_it_and_costs_nothing(damaged_record, command, damage):
    path = damaged_record
    whole = {other: other.read_bytes() for other in Store("runs").paths() if other != path}
    damaged = path.read_bytes()
    printed = wrong(command, "tiny.toml")
    assert str(path) in printed
    assert len(printed.splitlines()) <= 2
    assert path.read_bytes() == damaged
    assert {other: other.read_bytes() for other in whole} == whole


def test_merge_takes_in_skips_and_refuses(here, trained):
    shutil.copytree(trained, "b")
    for path in Store("b").paths():
        if path.stem.endswith("-s1"):
            path.unlink()
    assert "2 records taken in, 2 were here, 0 refused" in ok("merge", str(trained), "--results", "b")
    assert "0 records taken in, 4 were here, 0 refused" in ok("merge", str(trained), "--results", "b")


# ---- random architectures -------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(here):
    """The three architectures of ``drawn.toml`` under its profile quick."""
    experiment, store = drawn.spec(here), Store("runs")
    found = drawn.runs(experiment, [(1.2, 7.1), (3.0, 5.0), (1.0, 1.0)], profile="quick", score_protocol=drawn.OTHER)
    store.prepare(["drawn"])
    for record in found:
        store.write(record)
    return found


def test_run_ends_with_the_success_table(recorded):
    printed = ok("run", "drawn.toml", "--profile", "quick")
    _, summary, table = printed.partition("all 6 runs are recorded in runs; nothing trained.")
    assert summary
    assert "drawn, quick: architectures that score above a threshold" in table
    assert [cell.strip() for cell in table.splitlines()[7].split("│")[1:6]] == ["2", "0", "1", "1", "1"]
    assert "Direction only: shapes10, classifier@shapes10-32-1a2b3c4d, 2,000 steps, not the paper's." in table
    as_json = ok("run", "drawn.toml", "--profile", "quick", "--log-json")
    assert all(json.loads(line) for line in as_json.splitlines())


def test_report_ends_with_the_success_table_in_every_format(recorded):
    printed = ok("report", "drawn.toml")
    assert "drawn, quick: architectures that score above a threshold" in printed
    assert "a000-gan" not in printed  # nobody reads the rows of hundreds of runs
    markdown = ok("report", "drawn.toml", "--format", "markdown")
    assert markdown.index("a000-gan") < markdown.index("| score above | only gan |")
    blocks = ok("report", "drawn.toml", "--format", "csv").strip().split("\n\n")
    rows = list(csv.DictReader(blocks[-1].splitlines()))
    assert [row["only_second"] for row in rows[:3]] == ["0", "1", "1"]
    last = ok("report", "drawn.toml", "--format", "json").strip().split("\n}\n")[-1]
    assert json.loads(last)["rows"][2]["threshold"] == 2.0
    text = Path("runs/drawn/README.md").read_text()
    assert "**drawn, quick: architectures that score above a threshold**" in text


def test_list_show_and_schema_print(here):
    assert "gaussians8" in ok("list")
    shown = json.loads(ok("show", "gaussians8", "--variant", "wgan-clip"))
    assert shown["variants"]["wgan-clip"]["constraint"]["options"] == {"clip_value": 0.01}
    assert json.loads(ok("schema"))["$schema"]


# ---- help -----------------------------------------------------------------------------------------------------------


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yields a command and all below it, each with its full name."""
    yield name, command
    if isinstance(command, click.Group):
        for below, each in command.commands.items():
            yield from commands(f"{name} {below}", each)


COMMANDS = dict(commands("wganbench", cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_short_help_of_at_most_45_characters(name):
    short = COMMANDS[name].short_help
    assert short
    assert len(short) <= 45


@pytest.mark.parametrize("name", [name for name, each in COMMANDS.items() if isinstance(each, click.Group)])
def test_the_help_of_a_group_cuts_no_command_off(name):
    listed = ok(*name.split()[1:], "--help").partition("\nCommands:\n")[2].splitlines()
    group = COMMANDS[name]
    assert isinstance(group, click.Group)
    assert dict(line.split(maxsplit=1) for line in listed) == {
        below: each.short_help for below, each in group.commands.items()
    }
    assert not any("…" in line or "..." in line for line in listed)
