import re
from pathlib import Path

import pytest

from tests.analysis.factory import BAD, CLAIMS, FIGURES, GOOD, PUBLISHED, fill, made, records
from wganbench.analysis import report
from wganbench.analysis.check import check
from wganbench.analysis.figures.selection import KINDS
from wganbench.analysis.report import BEGIN, END, write_report
from wganbench.records.store import Store


@pytest.fixture
def store(tmp_path: Path):
    return Store(tmp_path / "results")


@pytest.fixture
def experiment(tmp_path: Path):
    return made(tmp_path, CLAIMS, PUBLISHED, FIGURES)


def text_of(experiment, store):
    """The page of an experiment, without drawing."""
    return report.compose([experiment], store, store.load(), store.root).pages["made/README.md"]


def test_the_same_records_give_the_same_bytes(experiment, store, tmp_path):
    fill(store, experiment)
    other = tmp_path / "elsewhere" / "results"

    write_report([experiment], store, store.root)
    write_report([experiment], store, other)

    files = ["README.md", "made/README.md", "verdicts.json", "made/figures/clouds.png", "made/figures/curves.png"]
    for file in files:
        assert (store.root / file).read_bytes() == (other / file).read_bytes()
    text = "".join(path.read_text() for path in other.rglob("README.md"))
    assert str(tmp_path) not in text
    assert not re.search(r"\d{4}-\d{2}-\d{2}|\d:\d\d", text)


def test_every_figure_is_told_with_how_many_there_are(experiment, store):
    fill(store, experiment)
    told = []
    made_of = report.write_report([experiment], store, store.root, on_figure=lambda *counts: told.append(counts))
    n = len(made_of.drawings)
    assert n > 0
    assert told == [(drawn, n) for drawn in range(n + 1)]


def test_only_figures_that_changed_are_drawn_again(experiment, store, monkeypatch):
    fill(store, experiment)
    first = write_report([experiment], store, store.root)
    drawn = []
    kinds = {kind: module.draw for kind, module in KINDS.items()}
    for kind, module in KINDS.items():
        monkeypatch.setattr(module, "draw", lambda *args, kind=kind: (drawn.append(kind), kinds[kind](*args))[1])
    told = []
    second = write_report([experiment], store, store.root, on_figure=lambda *counts: told.append(counts))
    assert (drawn, told) == ([], [(0, 0)])
    assert second.ledger == first.ledger

    (store.root / "made" / "figures" / "clouds.png").write_bytes(b"")
    write_report([experiment], store, store.root)
    assert drawn == ["clouds"]

    for each in records(experiment, "good", {**GOOD, "exact_wasserstein": (0.5,) * 8}):
        store.write(each.model_copy(update={"artefacts": store.load()[each.id].artefacts}), replace=True)
    write_report([experiment], store, store.root, accept=True)
    assert drawn == ["clouds", "clouds", "curves"]  # the digest is of whole records


def test_other_tools_draw_every_figure_again(experiment, store, monkeypatch):
    fill(store, experiment)
    write_report([experiment], store, store.root)
    monkeypatch.setattr(report, "tools_digest", lambda: "another Matplotlib")
    told = []
    write_report([experiment], store, store.root, on_figure=lambda *counts: told.append(counts))
    assert told[-1] == (2, 2)
    monkeypatch.undo()
    assert check([experiment], store) == []  # whose tools are those of another machine


def test_the_order_in_which_experiments_are_named_changes_nothing(tmp_path, store):
    named = [made(tmp_path, CLAIMS, name=name) for name in ("ring10", "ring9", "made")]
    fill(store, named[2])
    texts = [report.compose(some, store, store.load(), store.root).pages for some in (named, named[::-1])]
    assert texts[0] == texts[1]
    listed = re.findall(r"^\| \[(\w+)\]", texts[0]["README.md"], flags=re.MULTILINE)
    assert listed == ["made", "ring9", "ring10"]


def test_overridden_runs_appear_apart_and_enter_no_claim(tmp_path, experiment, store):
    fill(store, experiment)
    before = report.compose([experiment], store, store.load(), store.root)
    changed = made(tmp_path, CLAIMS, PUBLISHED, FIGURES, overrides=["variants.good.n_critic=9"])
    for each in records(changed, "good", BAD, n=2):
        store.write(each)

    after = report.compose([experiment], store, store.load(), store.root)

    section = after.pages["made/README.md"].split("## Other runs")[1]
    assert "good at paper with variants.good.n_critic=9" in section
    assert after.verdicts == before.verdicts
    assert "## Other runs" not in before.pages["made/README.md"]


def test_any_byte_of_any_record_shows_in_the_fingerprint(experiment, store):
    found = fill(store, experiment)
    before = report.fingerprint(report.file_digests(store, found))
    path = store.path(next(iter(found.values())))
    path.write_text(path.read_text().replace('"wall_seconds": 1.0', '"wall_seconds": 2.0'))
    assert report.fingerprint(report.file_digests(store, found)) != before


# ---- the README beside the results folder ---------------------------------------------------------------------------


def readme(store, block="\n"):
    path = store.root.parent / "README.md"
    path.write_text(f"# before\n{BEGIN}{block}{END}\nafter\n", encoding="utf-8")
    return path


def test_the_scoreboard_goes_between_the_markers_of_the_readme(tmp_path, store):
    experiment = made(tmp_path, CLAIMS)
    fill(store, experiment)
    path = readme(store)

    found = write_report([experiment], store, store.root)

    text = path.read_text(encoding="utf-8")
    assert text == f"# before\n{BEGIN}\n{found.scoreboard}{END}\nafter\n"
    assert "2 claims: 2 reproduced." in text
    assert "](results/README.md)" in text


def test_a_readme_that_shows_another_results_folder_is_left_alone(tmp_path, store):
    experiment = made(tmp_path, CLAIMS)
    fill(store, experiment)
    path = readme(store, "\n[Tables](committed/README.md)\n")
    before = path.read_text()
    write_report([experiment], store, store.root)
    assert path.read_text() == before


def test_a_readme_without_markers_is_left_alone(tmp_path):
    assert report.readme_of(tmp_path / "results") is None
    (tmp_path / "README.md").write_text("# no markers\n")
    assert report.readme_of(tmp_path / "results") is None
