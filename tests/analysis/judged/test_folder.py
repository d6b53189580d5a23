"""The folder of a submission: what `judge` writes into it, and each change that a check names."""

import json
import re
import shutil

import pytest

from tests.analysis.judged.submitted import R1, apart, submit
from wganbench.analysis.judged import folder as folders
from wganbench.errors import RecordError
from wganbench.records import submission
from wganbench.records.record import read_text, write_text
from wganbench.records.submission import CONFORMANCE, FILE
from wganbench.spec import family

ROWS = [("exact_wasserstein", "better"), ("modes_covered", "open")]


def value(measure, side, seed):
    """Lower distances for the candidate by 0.5, and as many modes but for seed 3, which lacks five."""
    if measure == "modes_covered":
        return 3 if side == "mine" and seed == 3 else 8
    return apart(0.5)(measure, side, seed)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return submit(tmp_path_factory.mktemp("judged") / "sub", value)


@pytest.fixture
def copy(made, tmp_path):
    """A copy that a test may change: its folder, and what a check then finds."""
    place = tmp_path / "sub"
    shutil.copytree(made.folder, place)
    return place, lambda: found_in(place, made.reference)


def found_in(place, reference):
    """What a check finds, by file."""
    found = {}
    for file, text in folders.check(place, reference):
        found[file] = f"{found[file]}; {text}" if file in found else text
    return found


def test_an_unchanged_folder_has_no_finding(made):
    assert found_in(made.folder, made.reference) == {}


def test_the_tables_have_the_values_of_every_pair(made):
    content = json.loads((made.folder / "judge.json").read_text())
    assert [(row["measure"], row["judgement"]) for row in content["tables"][0]["rows"]] == ROWS
    distances, modes = content["pairs"]
    assert [pair["value_of_reference"] - pair["value"] for pair in distances["runs"]] == pytest.approx([0.5] * 8)
    assert [pair["value"] for pair in modes["runs"]] == [8, 8, 8, 3, 8, 8, 8, 8]
    assert all(pair["candidate"].startswith("mine-wgan-gp-") for pair in modes["runs"])


def test_the_manifest_names_what_it_was_compared_with(made):
    kept = submission.read(made.folder)
    assert kept.candidates == {"mine": R1}
    assert kept.reference.keys() == made.reference.keys()
    assert kept.files.keys() == {
        *("README.md", "judge.json", "conformance.json", "gaussians8.toml"),
        *("figures/differences.png", "figures/mine-gaussians8.png"),
    }


def test_the_page_in_markdown_leads_to_figures_and_answers(made):
    text = (made.folder / "README.md").read_text()
    assert {*re.findall(r"\((figures/.*?)\)", text)} == {"figures/differences.png", "figures/mine-gaussians8.png"}
    assert "**better**" in text and "1 warning, 1 pass, 1 not applicable" in text
    assert "gamma = 0.5" in text and "8 finished" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("README.md", "**better**", "**worse**", "not what submission.json says"),
        ("judge.json", "better", "worse", "not what submission.json says"),
        (CONFORMANCE, '"warning"', '"pass"', "not what submission.json says"),
        ("gaussians8.toml", "gamma = 0.5", "gamma = 0.6", "not the spec of these candidates"),
        (FILE, '"evening"', '"days"', "says something else than the records"),
        (FILE, '"version": 1', '"version": 2', "version: must be 1, got 2"),
        (FILE, '"judge.json"', '"../judge.json"', "must be a path inside the folder"),
        (FILE, "{", "", "not whole JSON"),
    ],
)
def test_a_changed_file_is_named(copy, file, old, new, said):
    place, problems = copy
    path = place / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    found = problems()
    assert any(said in text for text in found.values()), found


def test_tables_that_hide_a_run_are_named_even_with_a_new_digest(copy):
    """Whoever changes the table can change the manifest, too; the records cannot be changed."""
    place, problems = copy
    for file in ("README.md", "judge.json"):
        path = place / file
        path.write_text(path.read_text().replace("open", "equivalent"))
    kept = submission.read(place)
    submission.write(place, FILE, kept.model_copy(update={"files": submission.digests(place, kept.files)}))
    found = problems()
    assert found.keys() == {"README.md", "judge.json"}
    assert all("says something else than the records; 'wganbench judge --out" in text for text in found.values())


@pytest.mark.slow
def test_a_changed_record_is_named(copy):
    place, problems = copy
    path = next((place / "results").glob("*/mine-*-s3.json"))
    path.write_text(path.read_text().replace('"modes_covered": 3', '"modes_covered": 8'))
    file = path.relative_to(place).as_posix()
    assert "does not match its checksum" in problems()[file]


@pytest.mark.slow
def test_a_record_of_a_run_that_no_spec_plans_is_named(copy):
    place, problems = copy
    path = next((place / "results").glob("*/mine-*-s3.json"))
    record = read_text(path.read_text(), path.name)
    other = record.model_copy(update={"variant": "gan", "id": record.id.replace("mine-wgan-gp", "gan")})
    setting = other.setting.model_copy(update={"batch_size": 3})
    other = other.model_copy(update={"setting": setting, "id": f"{family('gan', setting)}-s3"})
    (path.parent / f"{other.id}.json").write_text(write_text(other))
    assert "a run that no spec of the submission plans" in problems()[f"results/gaussians8/{other.id}.json"]


@pytest.mark.slow
def test_another_number_of_the_reference_is_named(made):
    name, record = next(iter(made.reference.items()))
    changed = record.model_copy(update={"wall_seconds": 2.0})
    found = found_in(made.folder, {**made.reference, name: changed})
    assert found == {FILE: f"the run {name}, with which a candidate was compared, has other numbers here"}


@pytest.mark.slow
def test_files_that_do_not_belong_there_are_named(copy):
    place, problems = copy
    (place / "notes.txt").write_text("")
    (place / "results" / "gaussians8" / "notes.txt").write_text("")
    assert problems().keys() == {"notes.txt", "results/gaussians8/notes.txt"}


@pytest.mark.slow
def test_the_page_for_a_browser_is_no_part_of_the_manifest(copy):
    place, problems = copy
    (place / "index.html").unlink()
    assert problems() == {}


def test_a_folder_without_a_manifest_is_one_line(tmp_path):
    with pytest.raises(RecordError, match=r"submission.json: cannot be read .*; 'wganbench judge --out .*' makes"):
        submission.read(tmp_path)
