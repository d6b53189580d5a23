"""What the last report knew: no tampering goes unseen by 'check', and no report afterwards takes it for what is so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.analysis import factory
from tests.analysis.factory import CLAIMS, FIGURES, GOOD, fill, made, record
from wganbench.analysis.check import check, seed_notes
from wganbench.analysis.ledger import Judged, digest_of, read
from wganbench.analysis.report import BEGIN, END, write_report
from wganbench.cli import cli
from wganbench.errors import RecordError
from wganbench.records.record import Record, checksum_of, write_text
from wganbench.records.store import Store
from wganbench.spec import Experiment, claim_digest

SPEC = factory.SPEC.replace("seeds = 8", "seeds = 5")
CONTRADICTED = CLAIMS.replace("at_most = 1.0", 'at_most = 0.01\nknown_contradiction = "the paper trained longer"')
CLASSIFIER = f"shapes10-16-{digest_of(b'weights')[:8]}.safetensors"
WITHOUT_LAST_CLAIM = CONTRADICTED.split('[[claims]]\nid = "good-is-close"')[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Results that are all as they should be, with one claim reproduced and one contradicted; drawn once."""
    folder = tmp_path_factory.mktemp("whole")
    store = Store(folder / "results")
    experiment = made(folder, CONTRADICTED, spec=SPEC)
    fill(store, experiment, n=5)
    (store.root / "classifiers").mkdir()
    (store.root / "classifiers" / CLASSIFIER).write_bytes(b"weights")
    (folder / "README.md").write_text(f"# made\n{BEGIN}\n{END}\n")
    write_report([experiment], store, store.root)
    return folder


@pytest.fixture
def store(whole, tmp_path) -> Store:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return Store(tmp_path / "results")


@pytest.fixture
def experiment(store) -> Experiment:
    return spec_with(store)


@pytest.fixture
def drawn(store) -> Experiment:
    """The experiment with a figure, which is drawn."""
    experiment = spec_with(store, CONTRADICTED, '[[figures]]\nkind = "curves"\nmeasures = ["sectors_occupied"]\n')
    write_report([experiment], store, store.root)
    return experiment


def spec_with(store: Store, *parts: str, spec: str = SPEC) -> Experiment:
    return made(store.root.parent, *(parts or (CONTRADICTED,)), spec=spec)


def found(experiment: Experiment, store: Store) -> set[tuple[str, str, str]]:
    return {(finding.check, finding.experiment, finding.subject) for finding in check([experiment], store)}


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(experiment: Experiment, store: Store) -> list[str]:
    """What a report says that would drop or change something, and so writes nothing; without the last line."""
    before = files(store.root.parent)
    with pytest.raises(RecordError) as caught:
        write_report([experiment], store, store.root)
    assert files(store.root.parent) == before
    *lines, last = str(caught.value).splitlines()
    assert last.endswith("nothing was written; 'wganbench report --accept' drops or changes what these lines say")
    return lines


def record_at(store: Store, variant: str, seed: int) -> Record:
    return next(each for each in store.load().values() if (each.variant, each.seed) == (variant, seed))


# ---- what is in it --------------------------------------------------------------------------------------------------


def test_the_ledger_has_every_verdict_and_digests_of_all_that_the_report_is_made_from_and_wrote(experiment, store):
    text = (store.root / "verdicts.json").read_text()
    ledger = read(store.root / "verdicts.json")
    assert ledger is not None
    assert json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n" == text == ledger.text()
    assert ledger.version == 2
    assert ledger.classifiers == {CLASSIFIER: digest_of(b"weights")}
    (section,) = ledger.experiments.values()
    by_id = {claim.id: claim_digest(claim) for claim in experiment.claims}
    assert section.claims == {
        "good-beats-bad": Judged(outcome="reproduced", digest=by_id["good-beats-bad"]),
        "good-is-close": Judged(outcome="contradicted", digest=by_id["good-is-close"]),
    }
    assert section.deviations == [digest_of(b"nothing is trained")]
    assert section.records == {name: checksum_of(each)[:16] for name, each in store.load().items()}
    assert section.figures == {}
    block = (store.root.parent / "README.md").read_text().partition(f"{BEGIN}\n")[2].partition(END)[0]
    assert ledger.readme == digest_of(block.encode())
    assert digest_of(b"abc") == "ba7816bf8f01cfea"


def test_without_a_readme_there_is_no_digest_of_its_scoreboard(experiment, store):
    (store.root.parent / "README.md").unlink()
    write_report([experiment], store, store.root, accept=True)
    ledger = read(store.root / "verdicts.json")
    assert ledger is not None
    assert ledger.readme is None
    assert check([experiment], store) == []


def test_records_of_specs_that_are_not_there_are_in_it_too(experiment, store):
    other = record_at(store, "good", 0).model_copy(update={"experiment": "old", "artefacts": []})
    store.path(record_at(store, "good", 0)).unlink()
    store.write(other)
    write_report([experiment], store, store.root, accept=True)
    ledger = read(store.root / "verdicts.json")
    assert ledger is not None
    assert ledger.experiments["old"].records == {other.id: checksum_of(other)[:16]}


def test_a_report_of_figures_alone_changes_their_digests_alone(experiment, store):
    drawn = spec_with(store, CONTRADICTED, FIGURES)
    write_report([drawn], store, store.root)
    before = read(store.root / "verdicts.json")
    assert before is not None
    figures = before.experiments["made"].figures
    assert figures
    path = store.root / "verdicts.json"
    path.write_text(path.read_text().replace(next(iter(figures.values())), "0" * 16))
    write_report([drawn], store, store.root, only_figures=True)
    assert read(path) == before


def test_a_report_that_drops_an_experiment_has_to_be_accepted(store):
    write_report([spec_with(store)], store, store.root)
    other = made(store.root.parent, name="other", spec=SPEC)
    for claim in ("good-beats-bad: verdict lost: was reproduced", "good-is-close: verdict lost: was contradicted"):
        assert f"made {claim}, and the spec has it no more" in refused(other, store)


# ---- tampering ------------------------------------------------------------------------------------------------------


def delete_three_seeds(store: Store) -> None:
    for seed in (2, 3, 4):
        store.path(record_at(store, "bad", seed)).unlink()


def swap_numbers(store: Store) -> None:
    one, two = record_at(store, "good", 1), record_at(store, "good", 2)
    for each, other in ((one, two), (two, one)):
        store.path(each).write_text(write_text(each.model_copy(update={"measures": other.measures})))


def edit_a_number(store: Store) -> None:
    one = record_at(store, "good", 1)
    store.path(one).write_text(write_text(one.model_copy(update={"measures": {**one.measures, "x": 0.2}})))


def lost(what: str, store: Store, *runs: tuple[str, int]) -> set[tuple[str, str, str]]:
    family = {each.variant: each.family for each in store.load().values()}
    return {(f"record {what}", "made", f"{family[variant]}-s{seed}") for variant, seed in runs}


@pytest.mark.parametrize(
    ("tamper", "what", "runs"),
    [
        (delete_three_seeds, "lost", [("bad", 2), ("bad", 3), ("bad", 4)]),
        (swap_numbers, "changed", [("good", 1), ("good", 2)]),
        (edit_a_number, "changed", [("good", 1)]),
    ],
)
def test_records_that_are_deleted_swapped_or_edited_with_new_checksums_are_findings_that_no_report_cures(
    experiment, store, tamper: Callable[[Store], None], what, runs
):
    expected = lost(what, store, *runs)
    tamper(store)
    assert expected <= found(experiment, store)
    lines = refused(experiment, store)
    assert {f"made {run}: record {what}: {what} since the last report; restore it" for _, _, run in expected} <= {
        *lines
    }
    report = write_report([experiment], store, store.root, accept=True)
    assert expected <= {(loss.check, loss.experiment, loss.subject) for loss in report.losses}
    assert not expected & found(experiment, store)


def test_a_finding_on_records_that_were_lost_does_not_send_to_the_report(experiment, store):
    delete_three_seeds(store)
    (finding,) = (each for each in check([experiment], store) if each.subject == "REPORT.md")
    assert finding.text.endswith("; restore what is lost")


def test_a_new_record_is_no_loss(experiment, store):
    extra = record(experiment, "good", 0, {name: row[0] for name, row in GOOD.items()}, profile="quick")
    store.write(extra)
    assert found(experiment, store) == {("out of date", "", "REPORT.md"), ("out of date", "", "verdicts.json")}
    assert write_report([experiment], store, store.root).losses == ()
    assert found(experiment, store) == set()


def test_a_contradicted_claim_that_was_deleted_stays_a_finding_until_it_is_accepted(store):
    fewer = spec_with(store, WITHOUT_LAST_CLAIM)
    expected = ("verdict lost", "made", "good-is-close")
    assert expected in found(fewer, store)
    assert refused(fewer, store) == ["made good-is-close: verdict lost: was contradicted, and the spec has it no more"]
    assert expected in found(fewer, store)
    (loss,) = write_report([fewer], store, store.root, accept=True).losses
    assert (loss.check, loss.experiment, loss.subject) == expected
    assert found(fewer, store) == set()


def test_a_contradicted_claim_that_was_turned_until_it_holds_is_a_loss(store):
    turned = spec_with(store, CLAIMS)
    line = "made good-is-close: verdict changed: was contradicted, now reproduced; the claim was changed since"
    assert refused(turned, store) == [line]
    assert ("verdict changed", "made", "good-is-close") in found(turned, store)


def test_a_check_that_no_longer_shows_what_it_did_is_a_loss_though_its_claim_stays_contradicted(store):
    several = CONTRADICTED.replace(
        "at_most = 0.01",
        'checks = [{ id = "within-2", at_most = 2.0 }, { id = "within-0.01", at_most = 0.01 }]',
    )
    write_report([spec_with(store, several)], store, store.root, accept=True)
    turned = spec_with(store, several.replace("at_most = 2.0", "at_most = 0.02"))
    assert ("check changed", "made", "within-2") in found(turned, store)
    assert refused(turned, store) == ["made within-2: check changed: showed that it holds, now fails"]
    dropped = spec_with(store, several.replace('{ id = "within-2", at_most = 2.0 }, ', ""))
    assert refused(dropped, store) == ["made within-2: check lost: showed that it holds, now the spec has it no more"]


@pytest.mark.parametrize("deviations", ["[]", '["nothing much is trained"]'])
def test_a_deviation_that_was_removed_or_reworded_is_a_loss(store, deviations):
    changed = spec_with(store, spec=SPEC.replace('["nothing is trained"]', deviations))
    assert ("deviation lost", "made", "deviations") in found(changed, store)
    line = "made deviations: deviation lost: 1 of 1 removed or reworded since the last report; restore them"
    assert line in refused(changed, store)


def test_a_deviation_more_is_no_loss(store):
    more = spec_with(store, CONTRADICTED, spec=SPEC.replace('trained"]', 'trained", "nor is"]'))
    assert write_report([more], store, store.root).losses == ()


# ---- seeds ----------------------------------------------------------------------------------------------------------


def about_seeds(experiment: Experiment, store: Store) -> list[str]:
    return list(seed_notes([experiment], store.load()))


def test_a_seed_that_was_invented_is_noted_after_a_report_as_well(experiment, store):
    store.write(record(experiment, "bad", 5, record_at(store, "bad", 4).measures))
    write_report([experiment], store, store.root)
    text = "made, bad: under profile paper it has seeds 5, judged are 0-4"
    assert about_seeds(experiment, store) == [text]


def test_seeds_that_lack_are_noted_though_their_loss_was_accepted(experiment, store):
    for seed in (0, 2, 3, 4):
        store.remove(record_at(store, "good", seed))
    store.write(record(experiment, "good", 11, GOOD_NUMBERS))
    write_report([experiment], store, store.root, accept=True)
    text = "made, good: under profile paper it lacks seeds 0, 2-4 and has seeds 11, judged are 0-4"
    assert about_seeds(experiment, store) == [text]


GOOD_NUMBERS = {name: row[0] for name, row in GOOD.items()}


def test_variants_without_runs_profiles_that_no_claim_is_judged_at_and_old_settings_have_any_seeds(experiment, store):
    for each in [each for each in store.load().values() if each.variant == "good"]:
        store.remove(each)
    store.write(record(experiment, "bad", 3, GOOD_NUMBERS, profile="quick"))
    older = spec_with(store, spec=SPEC.replace("batch_size = 4", "batch_size = 8"))
    store.write(record(older, "bad", 99, GOOD_NUMBERS))
    assert about_seeds(spec_with(store), store) == []


# ---- files ----------------------------------------------------------------------------------------------------------

FIGURE = "figures/made-curves-paper.png"


@pytest.mark.parametrize(
    "content", [lambda old: b"", lambda old: old[:-9] + bytes([old[-9] ^ 1]) + old[-8:], lambda old: b"another picture"]
)
def test_a_figure_that_was_emptied_flipped_or_replaced_is_a_finding_and_drawn_again(drawn, store, content):
    path = store.root / FIGURE
    whole = path.read_bytes()
    path.write_bytes(content(whole))
    assert found(drawn, store) == {("figure changed", "made", FIGURE)}
    assert write_report([drawn], store, store.root).losses == ()
    assert path.read_bytes() == whole
    assert found(drawn, store) == set()


def test_a_figure_has_its_digest_and_is_a_finding_without_it(drawn, store):
    path = store.root / "verdicts.json"
    content = json.loads(path.read_text())
    figures = content["experiments"]["made"]["figures"]
    assert figures == {Path(FIGURE).name: digest_of((store.root / FIGURE).read_bytes())}
    figures.clear()
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    (store.root / FIGURE).write_bytes(b"another picture")
    assert found(drawn, store) == {("out of date", "", "verdicts.json")}


@pytest.mark.parametrize(("content", "what"), [(None, "lost"), (b"", "changed"), (b"weightz", "changed")])
def test_a_classifier_that_was_deleted_emptied_or_flipped_is_a_loss(experiment, store, content, what):
    path = store.root / "classifiers" / CLASSIFIER
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert (f"classifier {what}", "", f"classifiers/{CLASSIFIER}") in found(experiment, store)
    line = f"classifiers/{CLASSIFIER}: classifier {what}: {what} since the last report; restore it"
    assert refused(experiment, store) == [line]


def test_another_classifier_is_out_of_date_until_the_next_report(experiment, store):
    (store.root / "classifiers" / CLASSIFIER.replace("16", "32")).write_bytes(b"weights")
    assert found(experiment, store) == {("out of date", "", "verdicts.json")}
    write_report([experiment], store, store.root)
    assert found(experiment, store) == set()


@pytest.mark.parametrize("marker", [BEGIN, END, "](results/REPORT.md)"])
def test_a_readme_whose_markers_or_link_were_removed_and_whose_table_was_forged_is_a_loss(experiment, store, marker):
    path = store.root.parent / "README.md"
    path.write_text(path.read_text().replace(marker, "").replace("| 1 |", "| 2 |"))
    assert ("scoreboard lost", "", "README.md") in found(experiment, store)
    (line,) = refused(experiment, store)
    assert line.startswith("README.md: scoreboard lost: no longer shows the scoreboard, with its link to the report,")


STRAYS = (
    *("notes.txt", "made/notes.txt", "made/artefacts/x.npz", "figures/x.png", "figures/deep/x.png", "speed/x.txt"),
    "REPORT (copy).md",
)


def test_files_of_no_record_and_no_report_are_findings_but_hidden_ones_and_what_was_set_aside(experiment, store):
    for name in (*STRAYS, ".gitattributes", ".work/x/y.txt", "made/.x.json.host.1", "made/damaged/x.json.why"):
        (store.root / name).parent.mkdir(parents=True, exist_ok=True)
        (store.root / name).write_bytes(b"stray")
    assert found(experiment, store) == {("stray file", "", name) for name in STRAYS}


def test_an_artefact_that_lies_where_a_killed_merge_left_it_is_no_stray_file(experiment, store):
    one = next(each for each in store.load().values() if each.artefacts)
    folder = store.path(one).parent
    (folder / one.artefacts[0].file).rename(folder / one.artefacts[0].hashed(one.id))
    assert found(experiment, store) == set()


# ---- the command ----------------------------------------------------------------------------------------------------


def test_the_command_refuses_with_a_line_each_and_prints_what_was_accepted(store):
    fewer = spec_with(store, WITHOUT_LAST_CLAIM)
    options = ["report", fewer.path, "--results", str(store.root)]
    line = "made good-is-close: verdict lost: was contradicted, and the spec has it no more"
    result = CliRunner().invoke(cli, options)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == f"wganbench: {line}"
    result = CliRunner().invoke(cli, [*options, "--accept"])
    assert result.exit_code == 0
    assert f"wganbench: accepted: {line}" in result.stderr.splitlines()
