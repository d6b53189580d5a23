"""The files that custom objects come from are found without importing any, and their changes are reported."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from tests.analysis.factory import GOOD, PROVENANCE, made, record
from wganbench.records import custom_code
from wganbench.records.custom_code import MAX_FILES, OTHERS, changes, changes_since, digests, shadowed
from wganbench.records.record import Provenance, checksum_of, read_text, write_text
from wganbench.runner.checkpoint import Identity
from wganbench.runner.provenance import loaded_code
from wganbench.spec.plan import Cohort, expand

CUSTOM = '[variants.mine]\nconstraint = { name = "mine:penalty", weight = 2.0 }\n'


def file_of(name: str) -> str:
    """``package__module`` is ``package/module.py``."""
    return name.replace("__", "/").replace("INIT", "__init__") + ".py"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Writes modules beside a spec, by their files' names, and gives the spec."""
    monkeypatch.chdir(tmp_path)

    def write(extra: str = CUSTOM, **files: str):
        for name, text in files.items():
            path = tmp_path / file_of(name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return made(tmp_path, extra)

    return write


def found(experiment, *folders, variant="mine"):
    return digests(experiment.setting(variant, "paper"), [str(folder) for folder in folders])


def test_the_file_of_an_object_and_what_it_imports_from_beside_it_are_found_and_not_imported(beside, tmp_path):
    files = {
        "mine": "import torch, near\nfrom package import inner\nraise SystemExit\n",
        "near": "def f():\n    import far.away\n",
        "far__away": "x = 1\n",
        "package__INIT": "",
        "package__inner": "from . import sibling\nfrom .other import thing\nimport mine\n",
        "package__sibling": "y = 1\n",
        "package__other": "thing = 2\n",
        "unused": "",
    }
    experiment = beside(**files)
    expected = {file_of(name): sha256(text) for name, text in files.items() if name != "unused"}
    assert found(experiment, tmp_path) == expected
    assert "mine" not in sys.modules


def test_built_in_objects_have_no_code_of_their_own(beside, tmp_path):
    assert found(beside(mine=""), tmp_path, variant="good") == {}


@pytest.mark.parametrize(
    ("extra", "file"),
    [
        ('[variants.mine.measures.a]\nname = "one:f"', "one.py"),
        ('[variants.mine.pictures.a]\nname = "one:f"', "one.py"),
        ('[variants.mine]\ndata = "one:f"', "one.py"),
        ('[variants.mine]\ncritic_optimizer = { name = "one:f", lr = 1 }', "one.py"),
        ('[variants.mine]\ngenerator = "one.two:f"', "one/two.py"),
    ],
)
def test_a_name_is_seen_wherever_it_stands(beside, tmp_path, extra, file):
    one = {"one": ""} if file == "one.py" else {"one__two": ""}
    assert list(found(beside(extra, **one), tmp_path)) == [file]


def test_an_installed_module_is_not_looked_for_beside_the_spec(beside, tmp_path):
    experiment = beside(CUSTOM.replace("mine:", "ot:"), ot="import random\n", random="")
    setting = experiment.setting("mine", "paper")
    assert digests(setting, [str(tmp_path)]) == {}
    assert shadowed(setting, [str(tmp_path)]) == {"ot:penalty": tmp_path / "ot.py"}
    assert shadowed(beside(mine="").setting("mine", "paper"), [str(tmp_path)]) == {}


def test_this_package_is_no_custom_code_though_it_may_lie_in_the_working_folder(beside, tmp_path):
    root = Path(custom_code.__file__).parents[1]
    experiment = beside(mine="from wganbench.networks.mlp import Mlp\n")
    assert list(found(experiment, tmp_path, root)) == ["mine.py"]


def test_the_first_folder_that_has_a_module_is_the_one(beside, tmp_path):
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "mine.py").write_text("import other\n")
    (tmp_path / "second" / "other.py").write_text("")
    experiment = beside(mine="import other\n\n")
    assert found(experiment, tmp_path, tmp_path / "second") == {
        "mine.py": sha256("import other\n\n"),
        "other.py": sha256(""),
    }


@pytest.mark.parametrize("text", ["def f(:\n", "\0", 'x = "\\d"\n', "from .... import x\n", "from . import *\n"])
def test_a_file_that_is_no_python_still_has_a_digest(beside, tmp_path, text):
    assert found(beside(mine=text), tmp_path) == {"mine.py": sha256(text)}


def test_of_very_many_files_a_record_names_some_and_sees_a_change_in_any(beside, tmp_path):
    names = [f"m{index:02}" for index in range(40)]
    experiment = beside(mine="import " + ", ".join(names), **dict.fromkeys(names, ""))
    before = found(experiment, tmp_path)
    assert list(before) == [*(f"m{index:02}.py" for index in range(MAX_FILES)), OTHERS]
    (tmp_path / "m39.py").write_text("x = 1\n")
    after = found(experiment, tmp_path)
    assert [file for file in before if before[file] != after[file]] == [OTHERS]


def test_a_process_keeps_to_the_code_that_it_has_loaded(beside, tmp_path):
    setting, folders = beside(mine="x = 1\n").setting("mine", "paper"), [str(tmp_path)]
    assert loaded_code(setting, folders) == {"mine.py": sha256("x = 1\n")}
    (tmp_path / "mine.py").write_text("x = 2\n")
    assert loaded_code(setting, folders) == {"mine.py": sha256("x = 1\n")}
    assert digests(setting, folders) == {"mine.py": sha256("x = 2\n")}


# ---- records ------------------------------------------------------------------------------------------------------


def of_mine(experiment, seed, **code):
    made_by = PROVENANCE.model_copy(update={"custom_code": {f"{name}.py": sha256(text) for name, text in code.items()}})
    return record(experiment, "mine", seed, {name: row[0] for name, row in GOOD.items()}, provenance=made_by)


def test_a_record_without_custom_code_is_what_it_was_before_that_was_kept(beside):
    experiment = beside(mine="")
    plain, own = of_mine(experiment, 0), of_mine(experiment, 0, mine="x")
    assert "custom_code" not in write_text(plain)
    assert read_text(write_text(own), "here") == own
    assert own.provenance.custom_code == {"mine.py": sha256("x")}
    assert checksum_of(own) != checksum_of(plain)
    with pytest.raises(ValueError, match="pattern"):
        Provenance.model_validate({**PROVENANCE.model_dump(), "custom_code": {"mine.py": "?"}})


def test_a_change_is_reported_with_the_number_of_runs_before_it(beside, tmp_path):
    experiment = beside(mine="import near\n", near="new")
    runs = [of_mine(experiment, seed, mine="import near\n", near="old") for seed in range(3)]
    runs += [of_mine(experiment, 3, mine="import near\n", near="new"), of_mine(experiment, 4)]
    (change,) = changes(runs, [str(tmp_path)])
    assert change.file == "near.py"
    assert change.text() == (
        "changed since 3 of these runs; --again trains again, protocol = 2 beside the object's name keeps both"
    )
    assert changes(runs[3:], [str(tmp_path)]) == []


def test_where_a_module_is_not_found_nothing_is_said(beside, tmp_path):
    experiment = beside(near="")
    assert changes([of_mine(experiment, 0, mine="old", near="old")], [str(tmp_path)]) == []


def test_what_a_raised_protocol_leaves_behind_has_not_changed(beside, tmp_path):
    before = beside(mine="new")
    runs = [of_mine(before, seed, mine="old") for seed in range(2)]
    assert [change.n_runs for change in changes_since(before, runs)] == [2]
    after = beside(CUSTOM.replace("weight", "protocol = 2, weight"), mine="new")
    assert changes_since(after, runs) == []


def test_other_code_is_another_checkpoint(beside):
    (run,) = expand(beside(mine=""), "paper", [0], ["mine"])
    own = [
        Identity.of(Cohort((run,)), PROVENANCE.model_copy(update={"custom_code": code}))
        for code in ({}, {"mine.py": "a"}, {"mine.py": "b"})
    ]
    assert len({str(identity.texts()) for identity in own}) == 3
    assert own[0] == Identity.of(Cohort((run,)), PROVENANCE)
    assert own[1].texts()["mine.py"] == '"a"'


def test_nothing_of_it_imports_torch():
    assert "torch" not in Path(custom_code.__file__).read_text()
