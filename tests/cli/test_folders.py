"""Which folder of records a command takes, what it does where there is none, and what is about one experiment alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.analysis.factory import CLAIMS, FIGURES, GOOD, SPEC, cloud_record, fill, made, record, records
from wganbench.cli import cli
from wganbench.records.store import Store
from wganbench.runner.jobs.status import Status

OTHER = SPEC.replace("steps = 100", "steps = 101")
WITH_SMOKE = """
[profiles.smoke]
says = "2 steps"
steps = 2
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wganbench(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(cli, list(arguments), input=answer)


def ok(*arguments: str) -> str:
    result = wganbench(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def recorded(folder: str, *parts: str, n: int = 5, name: str = "made", spec: str = SPEC):
    """An experiment with runs of ``good`` in a folder; it has those of ``bad`` where ``n`` is 8."""
    spec = spec if n == 8 else spec.replace("seeds = 8", "seeds = 5")
    experiment, store = made(Path(), *parts, name=name, spec=spec), Store(folder)
    store.prepare([name])
    if n == 8:
        fill(store, experiment)
    else:
        for each in records(experiment, "good", GOOD, n=n):
            store.write(each)
    return experiment


def contents(folder: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


# ---- defaults -------------------------------------------------------------------------------------------------------


def test_one_s_own_runs_are_reported_beside_the_reference_which_stays_as_it_is(here):
    recorded("results", CLAIMS)
    before = contents("results")
    recorded("runs", CLAIMS, n=3)
    printed = ok("report", "made.toml")
    assert "made: this machine | reference" in printed
    assert "this machine: runs, reference: results\n" in printed
    assert printed.endswith("runs/README.md: 2 claims: 1 inconclusive, 1 not run.\n")
    assert contents("results") == before


def test_a_folder_that_was_named_is_reported_by_itself(here):
    recorded("results", CLAIMS)
    recorded("runs", CLAIMS, n=3)
    for folder in ("results", "runs"):
        printed = ok("report", "made.toml", "--results", folder)
        assert "reference" not in printed
        assert f"{folder}/README.md" in printed


def test_where_one_has_no_runs_of_it_the_reference_is_reported(here):
    recorded("results", CLAIMS)
    recorded("runs", name="other", spec=OTHER)
    assert "results/README.md: " in ok("report", "made.toml")


def test_own_runs_that_the_reference_has_none_of_are_reported_as_without_one(here):
    recorded("results", name="other", spec=OTHER)
    recorded("runs", CLAIMS)
    assert "made, paper: measured at the last step" in ok("report", "made.toml")


def test_check_takes_the_reference_or_one_s_own_runs_of_what_that_lacks(here):
    recorded("results", CLAIMS)
    ok("report", "made.toml", "--results", "results")
    recorded("runs", CLAIMS, n=3)
    assert "0 findings" in ok("check", "made.toml")
    recorded("runs", CLAIMS, name="other", spec=OTHER)
    result = wganbench("check", "other.toml")
    assert "'wganbench report --results runs'" in result.output


def test_a_claim_is_explained_by_one_s_own_runs_or_where_these_say_nothing_by_the_reference(here):
    recorded("results", CLAIMS, n=8)
    recorded("runs", CLAIMS, n=3)
    own, other = (ok("explain", f"made.toml:{claim}") for claim in ("good-is-close", "good-beats-bad"))
    assert "  records      runs\n" in own
    assert "  records      results\n" in other
    assert "reproduced" in other
    assert "  records      results\n" in ok("explain", "made.toml:good-is-close", "--results", "results")


def test_run_records_apart_from_the_reference_and_says_so(here):
    few = SPEC.partition("exact_wasserstein")[0] + SPEC[SPEC.index("[profiles.quick]") :]
    experiment = recorded("results", n=0, spec=few)
    Store("results").write(record(experiment, "good", 0, {}, profile="quick"))
    before = contents("results")
    command = ("run", "made.toml", "--profile", "quick", "--seeds", "1")
    said = (
        "recording in runs; the reference in results, which has 1 of these 2 runs, is not changed: 'wganbench report' "
        "shows both, --results results adds to it"
    )
    printed = ok(*command).splitlines()
    assert said in printed
    assert printed[-1] == "2 runs recorded in runs; 'wganbench report made.toml' shows the results"
    assert len(Store("runs").load()) == 2
    assert contents("results") == before
    assert "recording in" not in ok(*command, "--results", "results")


# ---- nothing there --------------------------------------------------------------------------------------------------

READERS = {
    "report": ["report", "made.toml"],
    "check": ["check", "made.toml"],
    "explain a claim": ["explain", "made.toml:good-is-close"],
    "explain a run": ["explain", "good-0123456789-s0"],
    "status": ["status"],
    "verify": ["results", "verify"],
    "remove": ["results", "remove", "made.toml", "--yes"],
}


@pytest.mark.parametrize("command", READERS.values(), ids=READERS)
@pytest.mark.parametrize("folder", ["absent", "empty"])
def test_a_folder_with_nothing_in_it_ends_in_one_line_and_2(here, command, folder):
    made(Path(), CLAIMS)
    Path("empty").mkdir()
    result = wganbench(*command, "--results", folder)
    assert result.exit_code == 2, result.output
    (line,) = result.output.splitlines()
    what = {"absent": "absent: no such folder; ", "empty": "empty: no records; "}[folder]
    assert line.startswith(f"wganbench: {what}")
    assert not Path("absent").exists()


@pytest.mark.parametrize("command", READERS.values(), ids=READERS)
def test_without_any_folder_a_command_ends_in_one_line_and_2(here, command):
    made(Path(), CLAIMS)
    result = wganbench(*command)
    assert result.exit_code == 2, result.output
    (line,) = result.output.splitlines()
    assert ": no such folder; 'wganbench run' makes" in line


def test_merge_of_a_folder_without_records_is_one_line(here):
    Path("empty").mkdir()
    result = wganbench("merge", "empty")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "empty: no records to take in" in result.stderr


# ---- one experiment alone -------------------------------------------------------------------------------------------


def test_a_report_of_one_experiment_writes_its_page_and_figures_and_leaves_what_is_about_all(here):
    recorded("runs", name="other", spec=OTHER)
    recorded("runs", CLAIMS, FIGURES, n=8)
    Path("runs/README.md").write_text("of both")
    *_, before, last = ok("report", "made.toml").splitlines()
    assert before == "runs/made/README.md: 2 claims: 2 reproduced."
    assert last == "runs/README.md is not changed, as it also covers other; 'wganbench report' renews it"
    assert Path("runs/README.md").read_text() == "of both"
    assert Path("runs/made/README.md").read_text().startswith("# made: ")
    assert not Path("runs/other/README.md").exists()
    assert not Path("runs/verdicts.json").exists()
    assert {path.name for path in Path("runs/made/figures").iterdir()} == {"clouds.png", "curves.png"}


def test_a_report_of_all_that_is_recorded_is_whole(here):
    recorded("runs", name="other", spec=OTHER)
    recorded("runs", CLAIMS)
    assert "runs/README.md: 2 claims" in ok("report", "made.toml", "other.toml")
    text = Path("runs/README.md").read_text()
    assert "[made](made/README.md)" in text
    assert "[other](other/README.md)" in text


def test_a_check_of_one_experiment_counts_its_claims_alone(here):
    recorded("results", CLAIMS, name="other", spec=OTHER)
    recorded("results", CLAIMS)
    ok("report", "made.toml", "other.toml")
    assert ok("check", "made.toml").startswith("checked 2 claims of 1 experiment: 0 findings")
    ok("check", "made.toml", "--junit", "out.xml")
    assert 'skipped="1"' in Path("out.xml").read_text()


# ---- smoke ----------------------------------------------------------------------------------------------------------


def test_smoke_never_enters_a_report(here):
    experiment = recorded("runs", CLAIMS, WITH_SMOKE)
    ok("report", "made.toml")
    before, store = contents("runs"), Store("runs")
    five = SPEC.replace("seeds = 8", "seeds = 5")
    smoked = made(Path(), CLAIMS, WITH_SMOKE, spec=five, overrides=["batch_size=5"])
    for each in (experiment, smoked):
        store.write(record(each, "good", 0, {"sectors_occupied": 3.0}, profile="smoke"))
    printed = ok("report", "made.toml")
    assert "smoke" not in printed
    assert {path: before[path] for path in before} == {path: path.read_bytes() for path in before}
    assert not any("smoke" in path.read_text() for path in Path("runs").rglob("README.md"))
    assert "0 findings" in ok("check", "made.toml", "--results", "runs")


def test_smoke_is_reported_where_a_claim_is_judged_at_it(here):
    claims = CLAIMS.replace('test = "t"', 'profile = "smoke"\ntest = "t"')
    experiment = made(Path(), claims, WITH_SMOKE)
    Store("runs").prepare(["made"])
    for each in records(experiment, "good", GOOD, profile="smoke", n=5):
        Store("runs").write(each)
    assert "made, smoke: measured at the last step" in ok("report", "made.toml")
    assert "### Profile `smoke`" in Path("runs/made/README.md").read_text()


def test_nothing_but_smoke_is_one_line(here):
    experiment = made(Path(), CLAIMS, WITH_SMOKE)
    Store("runs").prepare(["made"])
    Store("runs").write(record(experiment, "good", 0, {}, profile="smoke"))
    result = wganbench("report", "made.toml")
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert "only records of profile smoke, which enter no report" in result.output


# ---- explain RUN ----------------------------------------------------------------------------------------------------

TRACEBACK = """Traceback (most recent call last):
  File "mine.py", line 3, in penalty
    raise ArithmeticError("no \x1b[31msuch thing")
ArithmeticError: no \x1b[31msuch thing
"""


def test_a_failed_run_is_explained_with_its_whole_traceback(here):
    experiment = recorded("runs")
    failed = record(experiment, "bad", 3, {}, status="failed", note=TRACEBACK, steps_done=12)
    Store("runs").write(failed)
    lines = ok("explain", failed.id).splitlines()
    assert lines[:3] == [
        f"runs/made/{failed.id}.json",
        "made, bad, profile paper, seed 3",
        "  status       failed after 12 of 100 steps",
    ]
    assert "  note         ArithmeticError: no ?[31msuch thing" in lines
    assert '      File "mine.py", line 3, in penalty' in lines


def test_a_finished_run_is_explained_by_its_measures_and_how_it_was_made(here):
    experiment = recorded("results", n=0)
    run = record(
        experiment, "good", 0, {"sectors_occupied": 8.0, "exact_wasserstein": None}, best={"sectors_occupied": 9.0}
    )
    Store("results").write(run)
    printed = ok("explain", run.id)
    for line in (
        "  status       finished after 100 of 100 steps",
        "  seconds      1.0, of 1 run trained together",
        "  sectors_occupied  8  (best 9)",
        "  exact_wasserstein  none",
        "  made         2026-01-01T00:00:00+00:00, on cpu, 1 thread, deterministic, float32",
        "  with         torch 2.14.1",
        "  commit       0123456789abcdef",
        "  data         gaussian_ring",
    ):
        assert f"\n{line}\n" in printed
    assert "note" not in printed


def test_a_run_that_is_not_there_is_one_line_with_the_nearest(here):
    experiment = recorded("runs", n=1)
    near = record(experiment, "good", 0, {}).id
    result = wganbench("explain", near.replace("-s0", "-s1"))
    assert result.exit_code == 2
    assert result.output == f"wganbench: runs: no record of run '{near[:-1]}1'; did you mean '{near}'?\n"


# ---- remove ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(here):
    """Runs of two profiles, the first of a variant with an artefact, beside another experiment and a stray file."""
    experiment = recorded("runs", n=8)
    store = Store("runs")
    store.write(cloud_record(experiment, "good", store, profile="quick"))
    recorded("runs", name="other", spec=OTHER)
    Path("runs/made/artefacts/stray.npz").write_bytes(b"of nobody")
    return experiment


def test_what_would_be_removed_is_listed_and_stays(shelf):
    before = contents("runs")
    printed = ok("results", "remove", "made.toml", "--profile", "quick", "--dry-run").splitlines()
    assert len(printed) == 2
    assert printed[0].startswith("runs/made/good-")
    assert printed[0].endswith(".npz")
    assert printed[1] == "1 record and 1 other file would be removed; leave out --dry-run to remove them"
    assert contents("runs") == before


def test_only_the_records_that_were_asked_for_go_with_their_own_artefacts(shelf):
    before = contents("runs")
    ok("results", "remove", "made", "--profile", "paper", "--variant", "good", "--yes")
    gone = before.keys() - contents("runs").keys()
    assert sorted(path.suffix for path in gone) == [".json"] * 8 + [".npz"]
    assert all(path.name.startswith("good-") and "made" in path.parts for path in gone)
    left = Store("runs").load().values()
    assert {(each.variant, each.profile) for each in left if each.experiment == "made"} == {
        ("good", "quick"),
        ("bad", "paper"),
    }


def test_what_measure_found_is_listed_and_goes_with_its_run(shelf):
    listing = ("results", "remove", "made", "--profile", "paper", "--variant", "good", "--dry-run")
    first = Path(ok(*listing).splitlines()[0].split()[0])
    numbers = Path("runs/made/measured") / first.name
    numbers.parent.mkdir()
    numbers.write_text("{}")
    *lines, total = ok(*listing).splitlines()
    assert [line.startswith(f"{first}  ") for line in lines] == [
        line.endswith(", what 'measure' found of it") for line in lines
    ]
    assert total.startswith("8 records and 2 other files would be removed")
    ok("results", "remove", "made", "--profile", "paper", "--variant", "good", "--yes")
    assert not numbers.exists()


def test_without_an_answer_nothing_is_removed_and_the_message_says_so(shelf):
    before = contents("runs")
    result = wganbench("results", "remove", "made", answer="")
    assert result.exit_code == 2
    said = "wganbench: runs/made: no answer, so nothing is removed; --yes removes without asking\n"
    assert said in result.output
    assert contents("runs") == before


def test_it_asks_and_a_no_removes_nothing(shelf):
    before = contents("runs")
    result = wganbench("results", "remove", "made", answer="n\n")
    assert result.exit_code == 1
    assert result.output.endswith("nothing removed\n")
    assert contents("runs") == before
    assert wganbench("results", "remove", "made", answer="y\n").exit_code == 0
    assert {each.experiment for each in Store("runs").load().values()} == {"other"}


def test_what_is_being_trained_is_not_removed(shelf, monkeypatch):
    before = contents("runs")
    monkeypatch.setattr(Status, "is_idle", False)
    result = wganbench("results", "remove", "made", "--yes")
    assert result.exit_code == 2
    assert "runs/made: being trained; 'wganbench status' shows by what, stop it first" in result.output
    assert contents("runs") == before


def test_nothing_to_remove_is_one_line(shelf):
    result = wganbench("results", "remove", "made", "--profile", "smoke", "--yes")
    assert result.exit_code == 2
    assert result.output == "wganbench: runs/made: no records of profile smoke to remove\n"
