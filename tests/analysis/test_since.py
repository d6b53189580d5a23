"""A results folder and its specs against an earlier commit of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from tests.analysis import factory
from tests.analysis.factory import CLAIMS, GOOD, made
from tests.records.speed_rows import row
from wganbench.analysis.finding import Change
from wganbench.analysis.report import write_report
from wganbench.analysis.since import Since, changes_since
from wganbench.cli import cli
from wganbench.records import speeds
from wganbench.records.store import Store
from wganbench.spec import load

SPEC = factory.SPEC.replace("seeds = 8", "seeds = 5")
OTHER = SPEC.replace("steps = 100", "steps = 101")


def git(folder: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "gc.auto=0")
    subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def store(tmp_path) -> Store:
    """Two experiments with runs of one variant, in a repository."""
    store = Store(tmp_path / "results")
    experiments = [made(tmp_path, CLAIMS, spec=SPEC), made(tmp_path, CLAIMS, name="other", spec=OTHER)]
    for experiment in experiments:
        for each in factory.records(experiment, "good", GOOD, n=5):
            store.write(each)
    speeds.keep(store.root, "cpu", "A machine", [row(), row("bad")])
    write_report(experiments, store, store.root)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    return store


def since(store: Store, *names: str, whole: bool = True) -> Since:
    experiments = [load(store.root.parent / f"{name}.toml") for name in names or ("made", "other")]
    return changes_since("HEAD", experiments, store.root, store.load(), whole=whole)


def found(store: Store, *names: str, whole: bool = True) -> set[tuple[str, str, str]]:
    return {(each.check, each.experiment, each.subject) for each in since(store, *names, whole=whole).changes}


def path_of(store: Store, experiment: str, seed: int) -> Path:
    (path,) = store.root.glob(f"{experiment}/good-*-s{seed}.json")
    return path


def test_without_a_change_there_is_none(store):
    assert since(store).changes == ()


def test_records_are_compared_with_those_of_the_commit(store):
    gone = path_of(store, "made", 0)
    gone.unlink()
    experiment = load(store.root.parent / "made.toml")
    for seed in (7, 8):
        store.write(factory.record(experiment, "good", seed, {name: row[0] for name, row in GOOD.items()}))
    changes = since(store).changes
    assert changes == (
        Change("record removed", "made", gone.stem, "restore it", weakens=True),
        Change("records added", "made", "good, paper", "seeds 7-8"),
    )
    assert found(store, "other", whole=False) == set()


def test_an_experiment_that_was_removed_or_added_is_named(store):
    folder = store.root.parent
    (folder / "other.toml").rename(folder / "newer.toml")
    changes = since(store, "made", "newer").changes
    assert [(each.check, each.experiment, each.weakens) for each in changes] == [
        ("experiment removed", "other", True),
        ("experiment added", "newer", False),
    ]


def test_other_toml_files_that_were_removed_are_no_experiments(store):
    folder = store.root.parent
    (folder / "settings.toml").write_text("[tool]\nx = 1\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "two")
    (folder / "settings.toml").unlink()
    assert since(store).changes == ()


def test_a_spec_of_the_commit_that_no_longer_loads_is_one_line_and_fails(store):
    path = store.root.parent / "made.toml"
    text = path.read_text()
    path.write_text(text.replace("objective", "objectif"))
    git(path.parent, "commit", "-qam", "two")
    path.write_text(text)
    (change,) = since(store).changes
    assert (change.check, change.experiment, change.weakens) == ("spec of the revision", "made", True)
    assert "\n" not in change.text
    assert "unknown field 'objectif'" in change.text
    path.write_text(text.partition('[[claims]]\nid = "good-is-close"')[0])
    lost = [(each.check, each.subject, each.text) for each in since(store).changes]
    assert ("claim removed", "good-is-close", "was reproduced") in lost, "which the ledger still shows"


def test_a_spec_outside_the_repository_is_named(store, tmp_path_factory):
    elsewhere = made(tmp_path_factory.mktemp("else"), CLAIMS, spec=SPEC)
    (change,) = changes_since("HEAD", [elsewhere], store.root, store.load(), whole=False).changes
    assert (change.check, change.subject, change.weakens) == ("not compared", "made.toml", False)


def test_verdicts_are_compared_by_the_two_ledgers(store):
    ledger = store.root / "verdicts.json"
    text = ledger.read_text()
    ledger.write_text(text.replace('"reproduced"', '"contradicted"', 1).replace('"not run"', '"inconclusive"', 1))
    changes = {(each.subject, each.text, each.weakens) for each in since(store).changes}
    assert changes == {
        ("good-is-close", "was reproduced, now contradicted", True),
        ("good-beats-bad", "was not run, now inconclusive", False),
    }
    ledger.unlink()
    (change,) = since(store).changes
    assert (change.check, change.text.partition(" ")[0]) == ("not compared", "the")
    assert "work tree has none" in change.text


def test_speeds_that_are_gone_weaken_and_those_measured_again_do_not(store):
    (device,) = speeds.load(store.root)
    path = speeds.path_of(store.root, "A machine")
    path.unlink()
    again = device.rows[0].model_copy(update={"when": "2027-01-01T00:00:00+00:00"})
    speeds.keep(store.root, "cpu", "A machine", [again])
    changes = {(each.check, each.text.partition(" ")[0], each.weakens) for each in since(store).changes}
    gone = next(each for each in device.rows if each.key != again.key)
    assert changes == {("speed removed", gone.variant, True), ("speed changed", again.variant, False)}


# ---- the command ----------------------------------------------------------------------------------------------------


def check(store: Store, *options: str) -> Result:
    specs = [str(store.root.parent / f"{name}.toml") for name in ("made", "other")]
    return CliRunner().invoke(cli, ["check", *specs, "--results", str(store.root), *options])


def loosened(store: Store) -> None:
    path = store.root.parent / "made.toml"
    path.write_text(path.read_text().replace("at_most = 1.0", "at_most = 1.5").replace("than bad", "than the bad one"))


def test_a_change_that_weakens_fails_the_command_and_the_others_are_listed(store):
    assert check(store, "--since", "HEAD").exit_code == 0
    loosened(store)
    result = check(store, "--since", "HEAD")
    assert result.exit_code == 1
    weak = "wganbench: since HEAD: made good-is-close: margin loosened: at_most was 1.0, now 1.5"
    assert weak in result.stderr.splitlines()
    assert "since HEAD: made good-beats-bad: claim reworded: was: good spreads over more sectors" in result.stdout
    assert result.stdout.splitlines()[-1].endswith(": 2 changes, 1 of which weakens the evidence")


def test_junit_fails_the_claims_that_were_weakened(store, tmp_path):
    loosened(store)
    check(store, "--since", "HEAD", "--junit", str(tmp_path / "junit.xml"))
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    failed = {(case.get("classname"), case.get("name")): case[0].get("message") for case in suite if len(case)}
    assert "margin loosened" in failed["made", "good-is-close"]


def test_the_summary_for_a_job_shows_what_weakens_and_folds_the_rest(store):
    loosened(store)
    text = check(store, "--since", "HEAD", "--format", "github").stdout
    shown, _, folded = text.partition("<details>")
    assert text.startswith("## wganbench check\n\nchecked 4 claims of 2 experiments: ")
    assert "### Findings\n\n| what | experiment | subject | text |" in shown
    assert "| margin loosened | made | `good-is-close` | at_most was 1.0, now 1.5 |" in shown
    assert "claim reworded" in folded and "claim reworded" not in shown
    assert text.count("<details>") == text.count("</details>")


def test_what_a_claim_says_is_no_markup_in_the_summary(store):
    path = store.root.parent / "made.toml"
    path.write_text(path.read_text().replace("than bad", "than bad</details><script>| x"))
    text = check(store, "--since", "HEAD", "--format", "github").stdout
    assert "than bad&lt;/details>&lt;script>\\| x" in text
    assert text.count("</details>") == text.count("<details>")


def test_the_summary_of_a_folder_without_findings_is_short(store):
    text = check(store, "--format", "github").stdout
    assert text == "## wganbench check\n\nchecked 4 claims of 2 experiments: 0 findings\n"


def test_a_revision_that_is_not_there_is_one_line(store):
    result = check(store, "--since", "nowhere")
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert result.output.startswith("wganbench: --since nowhere: no such revision in ")
