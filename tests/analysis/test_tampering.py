"""Ways to tamper with committed results, and that each is caught: by ``check``, or after a cover-up by ``--since``.

A cover-up writes new checksums and renews everything that is derived from the records, with ``report --accept``. What
``check`` then finds no more is marked ``only_git``: docs/reviewing.md names it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.analysis import factory
from tests.analysis.factory import BAD, CLAIMS, GOOD, PUBLISHED, made
from tests.records.speed_rows import row
from wganbench.analysis.ledger import digest_of
from wganbench.analysis.report import BEGIN, END, write_report
from wganbench.cli import cli
from wganbench.records import speeds
from wganbench.records.record import Artefact, Curve, Record, write_text
from wganbench.records.store import Store
from wganbench.spec import load

N = 6
SPEC = factory.SPEC.replace("seeds = 8", f"seeds = {N}")
THIRD = """
[[claims]]
id = "bad-is-close"
says = "bad comes within 1.0 of the data, too"
test = "t"
measure = "exact_wasserstein"
variant = "bad"
at_most = 1.0
known_contradiction = "it was trained for less"
"""
CLASSIFIER = f"classifiers/shapes10-16-{digest_of(b'weights')[:8]}.safetensors"
FIGURE = '[[figures]]\nid = "{}"\nkind = "curves"\nmeasures = ["{}"]\n'
FIGURES = {"sectors": "sectors_occupied", "distance": "exact_wasserstein"}


def git(folder: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "gc.auto=0")
    subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True)


def committed(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "as it should be")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A repository whose results are all as they should be, with everything but a figure."""
    folder = tmp_path_factory.mktemp("whole")
    store, experiment = Store(folder / "results"), made(folder, CLAIMS, THIRD, PUBLISHED, spec=SPEC)
    rng = np.random.default_rng(0)
    for each in factory.fill(store, experiment, n=N).values():
        curve = Curve(steps=[*range(30)], values=[round(float(value), 6) for value in rng.random(30)])
        store.path(each).write_text(write_text(each.model_copy(update={"curves": {"exact_wasserstein": curve}})))
    (store.root / CLASSIFIER).parent.mkdir()
    (store.root / CLASSIFIER).write_bytes(b"weights")
    speeds.keep(store.root, "cpu", "A machine", [row(experiment="made", profile="paper", variant="good")])
    (folder / "README.md").write_text(f"# made\n{BEGIN}\n{END}\n")
    write_report([experiment], store, store.root)
    committed(folder)
    return folder


class Folder:
    """A copy of the repository."""

    def __init__(self, folder: Path):
        self.folder, self.root, self.spec = folder, folder / "results", folder / "made.toml"
        self.store = Store(self.root)

    def record(self, variant: str, seed: int) -> Record:
        found = self.store.load().values()
        return next(each for each in found if (each.variant, each.seed) == (variant, seed))

    def path(self, variant: str, seed: int) -> Path:
        (found,) = self.root.glob(f"made/{variant}-*-s{seed}.json")
        return found

    def rewrite(self, variant: str, seed: int, **changes: Any) -> None:
        """Writes changed fields of a record, with the checksum that belongs to them."""
        one = self.record(variant, seed)
        self.store.path(one).write_text(write_text(one.model_copy(update=changes)))

    def replace(self, path: Path, old: str, new: str) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def page(self) -> Path:
        """The page of the report with the claims."""
        pages = (self.root / "made" / "README.md", self.root / "REPORT.md")
        return next(path for path in pages if path.is_file())

    def figures(self) -> list[Path]:
        """The figures of the report."""
        return sorted(path for path in self.root.rglob("*.png") if path.parent.name == "figures")

    def artefact(self) -> Path:
        return self.root / "made" / self.record("good", 0).artefacts[0].file

    def cover_up(self) -> None:
        write_report([load(self.spec)], self.store, self.root, accept=True)

    def check(self, *options: str) -> Result:
        return CliRunner().invoke(cli, ["check", str(self.spec), "--results", str(self.root), *options])


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


# ---- tamperings -----------------------------------------------------------------------------------------------------


def edit_a_measure(here: Folder) -> None:
    one = here.record("good", 1)
    here.rewrite("good", 1, measures={**one.measures, "exact_wasserstein": 0.1})


def edit_a_curve(here: Folder) -> None:
    curve = here.record("good", 1).curves["exact_wasserstein"]
    here.rewrite("good", 1, curves={"exact_wasserstein": curve.model_copy(update={"values": [0.1, *curve.values[1:]]})})


def edit_a_measure_under_the_old_checksum(here: Folder) -> None:
    here.replace(here.path("good", 1), '"exact_wasserstein": 0.32', '"exact_wasserstein": 0.12')


def swap_the_files_of_two_seeds(here: Folder) -> None:
    one, two = here.path("good", 1), here.path("good", 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def swap_the_numbers_of_two_seeds(here: Folder) -> None:
    one, two = here.record("good", 1), here.record("good", 2)
    here.rewrite("good", 1, measures=two.measures)
    here.rewrite("good", 2, measures=one.measures)


def delete_three_seeds(here: Folder) -> None:
    for seed in (3, 4, 5):
        here.path("good", seed).unlink()


def add_a_seed(here: Folder) -> None:
    (run,) = factory.records(load(here.spec), "good", {name: [values[0]] for name, values in GOOD.items()}, n=1)
    moved = run.model_copy(update={"seed": N, "id": f"{run.family}-s{N}"})
    here.store.write(moved)


def copy_the_numbers_of_a_seed(here: Folder) -> None:
    one = here.record("good", 1)
    here.store.write(one.model_copy(update={"seed": N, "id": f"{one.family}-s{N}"}))


def copy_a_file_under_another_seed(here: Folder) -> None:
    path = here.path("good", 1)
    shutil.copy(path, path.with_name(path.name.replace("-s1.", f"-s{N}.")))


def rename_a_record(here: Folder) -> None:
    path = here.path("good", 1)
    path.rename(path.with_name("good-0123456789-s1.json"))


def truncate_a_record(here: Folder) -> None:
    path = here.path("good", 1)
    path.write_bytes(path.read_bytes()[:-200])


def repeat_a_key_of_a_record(here: Folder) -> None:
    here.replace(here.path("good", 1), '"status"', '"status": "failed",\n"status"')


def rename_the_device(here: Folder) -> None:
    made_by = here.record("good", 1).provenance
    here.rewrite("good", 1, provenance=made_by.model_copy(update={"device": "NVIDIA H200"}))


def rename_a_version_under_the_old_checksum(here: Folder) -> None:
    here.replace(here.path("good", 1), "2.14.1", "2.15.0")


def hide_an_override(here: Folder) -> None:
    here.rewrite("good", 1, overrides=["note=1"])


def turn_a_run_into_a_diverged_one(here: Folder) -> None:
    here.rewrite("good", 1, status="diverged", note="not finite")


def loosen_a_margin(here: Folder) -> None:
    here.replace(here.spec, "at_most = 1.0", "at_most = 1.5")


def loosen_a_margin_in_the_records_too(here: Folder) -> None:
    loosen_a_margin(here)
    digests = dict(factory.record(load(here.spec), "good", 0, {}).claims)
    for seed in range(N):
        here.rewrite("good", seed, claims=digests)


def change_a_published_value(here: Folder) -> None:
    here.replace(here.spec, "value = 7.5", "value = 7.7")


def reword_a_claim(here: Folder) -> None:
    here.replace(here.spec, "over more sectors than bad", "over far more sectors than bad")


def turn_a_claim(here: Folder) -> None:
    here.replace(here.spec, 'better = "good"\nworse = "bad"', 'better = "bad"\nworse = "good"')


def judge_a_claim_at_another_profile(here: Folder) -> None:
    here.replace(here.spec, 'id = "good-is-close"', 'id = "good-is-close"\nprofile = "quick"')


def judge_a_claim_on_fewer_seeds(here: Folder) -> None:
    here.replace(here.spec, 'id = "good-is-close"', 'id = "good-is-close"\nseeds = "0-4"')


def delete_a_claim(here: Folder) -> None:
    here.replace(here.spec, THIRD, "")


def delete_the_reason_of_a_contradiction(here: Folder) -> None:
    here.replace(here.spec, 'known_contradiction = "it was trained for less"', "")


def delete_a_deviation(here: Folder) -> None:
    here.replace(here.spec, '["nothing is trained"]', "[]")


def edit_the_page(here: Folder) -> None:
    here.replace(here.page(), "**contradicted**", "**reproduced**")


def edit_the_readme(here: Folder) -> None:
    here.replace(here.folder / "README.md", "3 claims", "4 claims")


def take_the_markers_from_the_readme(here: Folder) -> None:
    here.replace(here.folder / "README.md", BEGIN, "")


def edit_the_verdicts(here: Folder) -> None:
    here.replace(here.root / "verdicts.json", '"contradicted"', '"reproduced"')


def delete_the_verdicts(here: Folder) -> None:
    (here.root / "verdicts.json").unlink()


def flip_a_bit_of_the_classifier(here: Folder) -> None:
    flip(here.root / CLASSIFIER)


def replace_the_classifier(here: Folder) -> None:
    (here.root / CLASSIFIER).unlink()
    name = CLASSIFIER.replace(digest_of(b"weights")[:8], digest_of(b"others")[:8])
    (here.root / name).write_bytes(b"others")


def flip_a_bit_of_an_artefact(here: Folder) -> None:
    flip(here.artefact())


def delete_an_artefact(here: Folder) -> None:
    here.artefact().unlink()


def replace_an_artefact(here: Folder) -> None:
    one, path = here.record("good", 0), here.artefact()
    path.write_bytes(path.read_bytes() + b"more")
    sha256 = Artefact.of(one.id, ".npz", path.read_bytes()).sha256
    here.rewrite("good", 0, artefacts=[Artefact(file=one.artefacts[0].file, sha256=sha256)])


def leave_a_file(here: Folder) -> None:
    (here.root / "made" / "notes.txt").write_text("mine")


def leave_a_file_among_the_classifiers(here: Folder) -> None:
    (here.root / "classifiers" / "weights.bin").write_bytes(b"mine")


def edit_a_speed_under_the_old_checksum(here: Folder) -> None:
    here.replace(speeds.path_of(here.root, "A machine"), '"rounds": ', '"rounds": 1')


def edit_a_speed(here: Folder) -> None:
    (device,) = speeds.load(here.root)
    faster = speeds.Spread(median=5000, low=4000, high=6000)
    speeds.keep(here.root, "cpu", "A machine", [device.rows[0].model_copy(update={"stack": faster})])


def repeat_a_key_of_the_speeds(here: Folder) -> None:
    here.replace(speeds.path_of(here.root, "A machine"), '"version": 1,', '"version": 1,\n  "version": 1,')


@dataclass(frozen=True)
class Tampering:
    """One way to tamper with results.

    Attributes:
        check: What ``check`` prints on it.
        since: What ``check --since`` prints on it after a cover-up; empty if the cover-up undoes the tampering, or
            cannot be made.
        only_git: Whether ``check`` alone finds nothing after the cover-up.
        weakens: Whether ``--since`` fails on it.
    """

    do: Callable[[Folder], None]
    check: str
    since: str = ""
    only_git: bool = False
    weakens: bool = True


TAMPERINGS = [
    Tampering(edit_a_measure, "record changed", "measures: exact_wasserstein was 0.32, now 0.1", only_git=True),
    Tampering(edit_a_curve, "record changed", "record changed: curves", only_git=True),
    Tampering(edit_a_measure_under_the_old_checksum, "does not match its checksum"),
    Tampering(swap_the_files_of_two_seeds, "holds the record of"),
    Tampering(swap_the_numbers_of_two_seeds, "record changed", "record changed: measures", only_git=True),
    Tampering(delete_three_seeds, "record lost", "record removed", only_git=True),
    Tampering(add_a_seed, "out of date", "records added: seeds 6", only_git=True, weakens=False),
    Tampering(copy_the_numbers_of_a_seed, "copied run", "records added: seeds 6", weakens=False),
    Tampering(copy_a_file_under_another_seed, "holds the record of"),
    Tampering(rename_a_record, "holds the record of"),
    Tampering(truncate_a_record, "not whole JSON"),
    Tampering(repeat_a_key_of_a_record, "the key 'status' occurs twice"),
    Tampering(rename_the_device, "record changed", "provenance: device was 'cpu'", only_git=True),
    Tampering(rename_a_version_under_the_old_checksum, "does not match its checksum"),
    Tampering(hide_an_override, "record changed", "record changed: overrides", only_git=True),
    Tampering(turn_a_run_into_a_diverged_one, "record changed", "status was 'finished', now 'diverged'", only_git=True),
    Tampering(loosen_a_margin, "post hoc", "margin loosened: at_most was 1.0, now 1.5"),
    Tampering(loosen_a_margin_in_the_records_too, "record changed", "margin loosened", only_git=True),
    Tampering(change_a_published_value, "out of date", "published value changed: value was 7.5", only_git=True),
    Tampering(reword_a_claim, "out of date", "claim reworded: was: good", only_git=True, weakens=False),
    Tampering(turn_a_claim, "verdict changed", "direction turned"),
    Tampering(judge_a_claim_at_another_profile, "verdict lost", "claim asks something else", only_git=True),
    Tampering(judge_a_claim_on_fewer_seeds, "post hoc", "seeds removed: 5 are declared no more"),
    Tampering(delete_a_claim, "verdict lost", "claim removed", only_git=True),
    Tampering(delete_the_reason_of_a_contradiction, "contradicted", "known contradiction", weakens=False),
    Tampering(delete_a_deviation, "deviation lost", "deviation removed: nothing is trained", only_git=True),
    Tampering(edit_the_page, "out of date"),
    Tampering(edit_the_readme, "README.md: out of date"),
    Tampering(take_the_markers_from_the_readme, "scoreboard lost", only_git=True),
    Tampering(edit_the_verdicts, "verdict changed"),
    Tampering(delete_the_verdicts, "verdicts.json: missing"),
    Tampering(flip_a_bit_of_the_classifier, "classifier damaged", "classifier changed"),
    Tampering(replace_the_classifier, "classifier lost", "classifier removed", only_git=True),
    Tampering(flip_a_bit_of_an_artefact, "artefact damaged"),
    Tampering(delete_an_artefact, "artefact damaged"),
    Tampering(replace_an_artefact, "record changed", "record changed: artefacts", only_git=True),
    Tampering(leave_a_file, "stray file"),
    Tampering(leave_a_file_among_the_classifiers, "stray file"),
    Tampering(edit_a_speed_under_the_old_checksum, "does not match its checksum"),
    Tampering(edit_a_speed, "out of date", "changed, though measured at the same time", only_git=True),
    Tampering(repeat_a_key_of_the_speeds, "the key 'version' occurs twice"),
]


@pytest.fixture
def here(whole, tmp_path) -> Folder:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return Folder(tmp_path)


def test_nothing_is_found_where_nothing_was_done(here):
    result = here.check("--since", "HEAD")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-2:][0] == "checked 3 claims of 1 experiment: 0 findings"
    assert result.output.splitlines()[-1].endswith(": 0 changes, none of which weaken the evidence")


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: each.do.__name__)
def test_tampering_is_caught(here, tampering):
    tampering.do(here)
    result = here.check()
    assert result.exit_code in (1, 2), result.output
    assert tampering.check in result.output
    if not tampering.since:
        return
    here.cover_up()
    result = here.check("--since", "HEAD")
    assert tampering.since in result.output
    assert (": 0 findings" in result.output) == tampering.only_git
    assert (result.exit_code != 0) == (tampering.weakens or not tampering.only_git), result.output


# ---- figures --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """Results with two figures."""
    folder = tmp_path_factory.mktemp("drawn")
    store = Store(folder / "results")
    experiment = made(folder, *(FIGURE.format(*names) for names in FIGURES.items()), spec=SPEC)
    for variant, values in (("good", GOOD), ("bad", BAD)):
        for each in factory.records(experiment, variant, values, n=1):
            store.write(each)
    write_report([experiment], store, store.root)
    return folder


def swap_two_figures(here: Folder) -> None:
    one, two, *_ = here.figures()
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def empty_a_figure(here: Folder) -> None:
    here.figures()[0].write_bytes(b"")


def flip_a_bit_of_a_figure(here: Folder) -> None:
    flip(here.figures()[0])


def delete_a_figure(here: Folder) -> None:
    here.figures()[0].unlink()


def leave_a_figure(here: Folder) -> None:
    path = here.figures()[0]
    shutil.copy(path, path.with_name("mine.png"))


@pytest.mark.parametrize("tamper", [swap_two_figures, empty_a_figure, flip_a_bit_of_a_figure, delete_a_figure])
def test_a_figure_that_is_not_what_was_drawn_is_caught(drawn, tmp_path, tamper):
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    here = Folder(tmp_path)
    assert here.check().exit_code == 0
    tamper(here)
    result = here.check()
    assert result.exit_code == 1
    assert "figure missing" in result.output if tamper is delete_a_figure else "figure changed" in result.output


def test_a_figure_of_no_report_is_caught(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    here = Folder(tmp_path)
    leave_a_figure(here)
    assert "stray file" in here.check().output


# ---- each is told apart ---------------------------------------------------------------------------------------------


def test_the_verdicts_and_records_of_the_revision_are_compared_by_content_not_by_place(here):
    """Line ends and the order of keys are no change of a record."""
    path = here.path("good", 1)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content, indent=1))
    result = here.check("--since", "HEAD")
    assert "written in another way, with the same content" in result.output
    assert "none of which weaken the evidence" in result.output
