"""The Python interface: its frames, figures and runs, and the examples in its documentation."""

from __future__ import annotations

import doctest
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import wganbench as wb
from tests.analysis.factory import BAD, CLAIMS, FIGURES, GOOD, made, record
from wganbench import api
from wganbench.errors import RecordError, SpecError
from wganbench.records.record import Curve
from wganbench.records.store import Store

ROOT = Path(__file__).resolve().parent.parent

SEVERAL = """
[[claims]]
id = "good-is-good"
says = "good is close to the data, and spreads over more sectors than bad"
source = "nobody 2017, table 2"
checks = [
  { id = "is-close", test = "t", measure = "exact_wasserstein", variant = "good", at_most = 1.0 },
  { id = "spreads", test = "permutation", measure = "sectors_occupied", better = "good", worse = "bad" },
]

[[claims]]
id = "bad-is-quick"
says = "bad is close after a tenth of the steps"
role = "secondary"
profile = "quick"
test = "t"
measure = "exact_wasserstein"
variant = "bad"
at_most = 1.0
"""


@pytest.fixture
def spec(tmp_path):
    return made(tmp_path, CLAIMS, SEVERAL, FIGURES)


@pytest.fixture
def folder(tmp_path, spec):
    """Eight runs of each variant at the profile ``paper``; the last one of bad diverged."""
    store = Store(tmp_path / "kept")
    for variant, values in (("good", GOOD), ("bad", BAD)):
        for seed in range(8):
            numbers = {name: some[seed] for name, some in values.items()}
            changes = {"status": "diverged", "note": "NaN", "steps_done": 40} if (variant, seed) == ("bad", 7) else {}
            store.write(record(spec, variant, seed, numbers, **changes))
    return tmp_path / "kept"


# ---- frames ---------------------------------------------------------------------------------------------------------


def test_experiments_and_an_experiment(tmp_path, spec):
    assert set(wb.experiments()) == {path.stem for path in (ROOT / "benchmarks").glob("*.toml")} - {"coverage"}
    assert wb.experiment("swissroll").name == "swissroll"
    assert wb.experiment(tmp_path / "made.toml") == spec


def test_a_row_of_records_is_a_run_with_its_measures(spec, folder):
    frame = wb.records(folder)
    assert list(frame.columns) == [*api.RUN_COLUMNS, *GOOD]
    assert len(frame) == 16
    (row,) = frame[(frame["variant"] == "bad") & (frame["seed"] == 7)].to_dict("records")
    setting = spec.family("bad", "paper")
    known = {"run": f"{setting}-s7", "setting": setting, "experiment": "made", "profile": "paper", "status": "diverged"}
    assert row.items() >= {**known, "steps_done": 40, "wall_seconds": 1.0, "device": "cpu", "overrides": ""}.items()
    assert frame[frame["variant"] == "good"].sort_values("seed")["exact_wasserstein"].tolist() == list(
        GOOD["exact_wasserstein"]
    )


def test_records_have_final_or_best_values_and_nan_for_none(tmp_path, spec):
    store = Store(tmp_path / "kept")
    store.write(record(spec, "good", 0, {"exact_wasserstein": None}, best={"exact_wasserstein": 0.25}))
    store.write(record(spec, "good", 1, {"sectors_occupied": 3}))
    final, best = (wb.records(tmp_path / "kept", statistic=each).set_index("seed") for each in ("final", "best"))
    np.testing.assert_equal(final["exact_wasserstein"].tolist(), [math.nan, math.nan])
    np.testing.assert_equal(final["sectors_occupied"].tolist(), [math.nan, 3.0])
    assert best.loc[0, "exact_wasserstein"] == 0.25


def test_a_row_of_curves_is_a_point(tmp_path, spec):
    curve = Curve(steps=[0, 10, 100], values=[2.0, None, 0.5])
    Store(tmp_path / "kept").write(record(spec, "good", 3, {}, curves={"exact_wasserstein": curve}))
    frame = wb.curves(tmp_path / "kept")
    assert list(frame.columns) == list(api.CURVE_COLUMNS)
    assert set(frame["run"]) == {f"{spec.family('good', 'paper')}-s3"}
    assert frame[["measure", "step"]].values.tolist() == [["exact_wasserstein", step] for step in (0, 10, 100)]
    np.testing.assert_equal(frame["value"].tolist(), [2.0, math.nan, 0.5])


def test_frames_of_one_experiment_hold_only_its_runs(tmp_path, spec, folder):
    other = made(tmp_path, name="other")
    Store(folder).write(record(other, "good", 99, {"sectors_occupied": 1}))
    assert set(wb.records(folder)["experiment"]) == {"made", "other"}
    assert wb.records(folder, "other")["seed"].tolist() == [99]
    assert set(wb.curves(folder, "other")["seed"]) == {99}


def test_an_empty_folder_gives_frames_without_rows(tmp_path):
    assert list(wb.records(tmp_path).columns) == list(api.RUN_COLUMNS)
    assert list(wb.curves(tmp_path).columns) == list(api.CURVE_COLUMNS)
    assert set(wb.verdicts("gaussians8", tmp_path)["verdict"]) == {"not run"}
    assert set(wb.checks("gaussians8", tmp_path)["n"]) == {0}
    assert wb.records(tmp_path, "gaussians8").empty


# ---- verdicts and checks --------------------------------------------------------------------------------------------


def test_a_row_of_verdicts_is_a_claim_with_p_values_adjusted_over_its_family(spec, folder):
    frame = wb.verdicts(spec, folder).set_index("claim")
    assert list(frame.reset_index().columns) == list(api.VERDICT_COLUMNS)
    assert list(frame.index) == ["good-beats-bad", "good-is-close", "good-is-good", "bad-is-quick"]
    assert frame["verdict"].tolist() == ["reproduced", "reproduced", "reproduced", "not run"]
    assert frame["n_checks"].tolist() == [1, 1, 2, 1]
    assert frame.loc["bad-is-quick", ["role", "profile", "p_for"]].tolist() == ["secondary", "quick", 1.0]
    assert set(frame["seeds"]) == {"0-7"}
    assert frame["source"].tolist() == ["nobody 2017, table 1"] * 2 + ["nobody 2017, table 2", "nobody 2017, table 1"]
    p = 1 / math.comb(16, 8)  # of the permutation test: no other division is as far apart
    assert frame.loc[["good-beats-bad", "good-is-good"], "p_for"].tolist() == pytest.approx([2 * p, 2 * p])


def test_a_row_of_verdicts_names_the_pilot_and_the_claims_that_ask_the_same_of_other_runs(tmp_path):
    frame = wb.verdicts("theorem2", tmp_path).set_index("claim")
    first, later = "divergence-takes-distance-along", "divergence-takes-distance-along-again"
    assert frame.loc[[first, later], "restated_as"].tolist() == [later, ""]
    assert frame.loc[[first, later], "pilot"].tolist() == ["0-3", "0-7, 1024-1031"]
    assert set(wb.verdicts("swissroll-sweep", tmp_path)["pilot"]) == {"", "0-9"}


def test_a_row_of_checks_has_the_unadjusted_evidence(spec, folder):
    frame = wb.checks(spec, folder)
    assert list(frame.columns) == list(api.CHECK_COLUMNS)
    frame = frame.set_index("check")
    assert frame["claim"].tolist() == [
        "good-beats-bad",
        "good-is-close",
        "good-is-good",
        "good-is-good",
        "bad-is-quick",
    ]
    assert frame["shows"].tolist() == ["holds"] * 4 + ["not run"]
    assert frame.loc["spreads", "p_for"] == pytest.approx(1 / math.comb(16, 8))
    diverged = np.array([*BAD["sectors_occupied"][:7], 0])  # no sectors, the worst number
    assert frame.loc["spreads", "estimate"] == pytest.approx(np.mean(GOOD["sectors_occupied"]) - diverged.mean())
    assert frame.loc["is-close", "low"] < np.mean(GOOD["exact_wasserstein"]) < frame.loc["is-close", "high"]
    assert frame["n"].tolist() == [8, 8, 8, 8, 0]
    assert math.isnan(frame.loc["bad-is-quick", "estimate"])


# ---- figures --------------------------------------------------------------------------------------------------------


def test_a_figure_by_its_position_or_title(tmp_path, spec, folder):
    figure = wb.figure(spec, 1, folder)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 2
    titled = made(tmp_path, FIGURES + 'title = "Sectors and distance"\n')
    by_title = wb.figure(titled, "Sectors and distance", folder)
    assert any("Sectors and distance" in text.get_text() for text in by_title.texts)


@pytest.mark.parametrize("which", [2, -1, "crowds", None, 0.5])
def test_a_figure_that_the_spec_does_not_have(spec, folder, which):
    with pytest.raises(SpecError, match=r"^made.toml: no figure .*; its figures are 0 'clouds', 1 'curves'$"):
        wb.figure(spec, which, folder)


def test_a_figure_with_nothing_to_draw(spec, folder):
    with pytest.raises(
        RecordError, match=r"^[^\n]*kept: no records that figure 0 of made, 'clouds', can be drawn[^\n]*$"
    ):
        wb.figure(spec, 0, folder)


# ---- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda folder: wb.records(folder / "absent"),
        lambda folder: wb.curves(folder / "absent"),
        lambda folder: wb.verdicts("gaussians8", folder / "absent"),
        lambda folder: wb.checks("gaussians8", folder / "absent"),
        lambda folder: wb.figure("gaussians8", 0, folder / "absent"),
    ],
)
def test_a_folder_that_does_not_exist_is_one_line(tmp_path, call):
    with pytest.raises(RecordError, match=r"^[^\n]*absent: no such folder; name one with records[^\n]*$"):
        call(tmp_path)


def test_a_misspelt_name_is_one_line(folder):
    with pytest.raises(SpecError, match=r"^[^\n]*did you mean 'gaussians8'[^\n]*$"):
        wb.experiment("gausians8")
    with pytest.raises(RecordError, match=r"^[^\n]*kept: no records of 'mad'; did you mean 'made'[?]$"):
        wb.records(folder, "mad")
    with pytest.raises(RecordError, match=r"^statistic 'mean': must be 'final' or 'best'$"):
        wb.records(folder, statistic="mean")
    with pytest.raises(SpecError, match=r"^seeds -1: must be a count of at least 1 or a list"):
        wb.run("gaussians8", seeds=-1, results=folder)


# ---- runs -----------------------------------------------------------------------------------------------------------


def test_run_trains_what_is_not_recorded_and_returns_what_was_asked_for(tmp_path):
    first = wb.run("gaussians8", profile="smoke", seeds=2, variants="gan", overrides="steps=2", results=tmp_path)
    rows = [["gan", seed, "smoke", "finished", 2, "steps=2"] for seed in (0, 1)]
    assert first[["variant", "seed", "profile", "status", "steps_done", "overrides"]].values.tolist() == rows
    again = wb.run("gaussians8", profile="smoke", seeds="1", variants=["gan"], overrides=["steps=2"], results=tmp_path)
    assert again["run"].tolist() == first["run"].tolist()[:1]
    assert again.equals(first[:1])
    assert len(wb.records(tmp_path)) == 2


# ---- the package ----------------------------------------------------------------------------------------------------


def test_only_run_loads_torch_and_importing_the_package_loads_nothing(tmp_path, spec, folder):
    script = f"""
import sys
import wganbench as wb
print("pydantic" in sys.modules, "pandas" in sys.modules)
wb.experiments()
for _ in range(2):  # importing the package wganbench.records must not hide the function
    wb.records({str(folder)!r}), wb.curves({str(folder)!r})
import wganbench.records.store
wb.records({str(folder)!r})
wb.verdicts({spec.path!r}, {str(folder)!r}), wb.checks({spec.path!r}, {str(folder)!r})
wb.figure({spec.path!r}, 1, {str(folder)!r})
print("torch" in sys.modules, *(name for name in dir(wb) if name in wb._INTERFACE))
"""
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False", "False", *sorted(wb._INTERFACE)]


def test_the_whole_interface_is_documented():
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `wb\.(\w+)\(", page, flags=re.MULTILINE)) == set(wb._INTERFACE)


# ---- examples -------------------------------------------------------------------------------------------------------


@pytest.fixture
def beside_results(tmp_path, monkeypatch):
    """A working folder with the committed records of ``swissroll``, which are few."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "swissroll").symlink_to(ROOT / "results" / "swissroll", target_is_directory=True)
    monkeypatch.chdir(tmp_path)


def play(test: doctest.DocTest) -> list[str]:
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return said


@pytest.mark.usefixtures("beside_results")
@pytest.mark.parametrize(
    "test", [each for each in doctest.DocTestFinder().find(api) if each.examples], ids=lambda test: test.name
)
def test_the_examples_of_a_docstring(test):
    assert play(test) == []


@pytest.mark.usefixtures("beside_results")
def test_the_examples_of_the_page():
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", page, flags=re.DOTALL))
    assert examples.count(">>>") >= 15
    assert play(doctest.DocTestParser().get_doctest(examples, {}, "docs/python.md", None, 0)) == []


@pytest.mark.slow
def test_the_notebook_on_the_committed_results(monkeypatch):
    monkeypatch.chdir(ROOT / "docs" / "examples")
    notebook = json.loads(Path("results.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            source = "".join(line for line in cell["source"] if not line.startswith("%"))
            exec(compile(source, cell["id"], "exec"), names)
    assert isinstance(names["figure"], Figure)
    assert names["adjusted"][names["CLAIM"]] == pytest.approx(names["verdict"]["p_for"])
