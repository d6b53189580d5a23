"""The package as it is installed: its command, what it ships, and that reading results needs no torch.

Started as a script, this file plays the commands in a process that refuses torch, and prints what became of each.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import wganbench
from wganbench.cli import cli
from wganbench.records.record import Curve, Provenance, record_of
from wganbench.records.store import Store
from wganbench.spec import Experiment, load
from wganbench.spec.plan import expand

ROOT = Path(__file__).resolve().parent.parent
RESULTS, OTHERS = "results", "others"

WITHOUT_TORCH: dict[str, list[str]] = {
    "list": ["list"],
    "show": ["show", "gaussians8"],
    "plan": ["plan", "gaussians8", "--results", RESULTS],
    "schema": ["schema"],
    "merge": ["merge", OTHERS, "--results", RESULTS],
    "report": ["report", "elu", "--html", "--results", RESULTS],
    "results": ["results", "verify", "--results", RESULTS],
    "explain": ["explain", "gan-collapses", "--results", RESULTS],
    "check": ["check", "gaussians8", "--results", RESULTS, "--since", "HEAD"],
    "compare": ["compare", OTHERS, RESULTS, "--spec", "gaussians8"],
    "data": ["data", "list"],
    "classifier": ["classifier", "list"],
    "status": ["status", "gaussians8", "--results", RESULTS],
}
HELP = {"--help": ["--help"], **{f"{name} --help": [name, "--help"] for name in cli.commands}}
TRAINS = {
    "run": ["run", "gaussians8", "--profile", "smoke", "--seeds", "1", "--results", OTHERS],
    "inception": ["inception", "verify"],
    "judge": ["judge", "gradient_penalty", "--conformance"],
    "verify-submission": ["verify-submission", OTHERS],
    "speed": ["speed", "gaussians8", "--profile", "smoke", "--results", OTHERS],
}
OF_WEIGHTS = {"sample", "measure"}
"""Commands that need a trained network; tests/runner/test_kept_weights.py runs them."""
PLAYED = {**HELP, **WITHOUT_TORCH, **TRAINS}


# ---- the process that refuses torch ---------------------------------------------------------------------------------


class RefuseTorch(MetaPathFinder):
    """Finds no torch, and keeps what was asked for: a library may try it and go on without."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        if name.partition(".")[0] in ("torch", "torchvision"):
            self.asked.append(name)
            raise ImportError(f"{name} is refused here")


def play(commands: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Each command's exit code, the end of what it printed, the exception it let through, the torch it asked for."""
    assert "torch" not in sys.modules
    torch = RefuseTorch()
    sys.meta_path.insert(0, torch)
    outcomes = {}
    for name, arguments in commands.items():
        torch.asked.clear()
        result = CliRunner().invoke(cli, arguments)
        leaked = None if isinstance(result.exception, SystemExit | None) else repr(result.exception)
        said = result.output[-2000:]
        outcomes[name] = {"exit_code": result.exit_code, "said": said, "leaked": leaked, "torch": [*torch.asked]}
    return outcomes


@pytest.mark.parametrize(("given", "kept"), [(None, "1"), ("0", "0")])
def test_torch_is_imported_with_its_own_compiler_off_unless_the_user_wants_it(given, kept):
    """Its switch is read while torch is imported, so it has to be set by then; importing anything sets it."""
    program = "import os, sys, wganbench\nprint('torch' in sys.modules, os.environ['TORCH_DISABLE_NATIVE_JIT'])"
    own = {name: value for name, value in os.environ.items() if name != "TORCH_DISABLE_NATIVE_JIT"}
    own |= {} if given is None else {"TORCH_DISABLE_NATIVE_JIT": given}
    ended = subprocess.run([sys.executable, "-c", program], env=own, cwd=ROOT, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == (f"False {kept}\n", "")


def test_the_tests_have_set_it_before_one_of_them_imports_torch():
    program = "import os, runpy, sys\nrunpy.run_path('tests/conftest.py')\n"
    program += "print('torch' in sys.modules, 'TORCH_DISABLE_NATIVE_JIT' in os.environ)"
    own = {name: value for name, value in os.environ.items() if name != "TORCH_DISABLE_NATIVE_JIT"}
    ended = subprocess.run([sys.executable, "-c", program], env=own, cwd=ROOT, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("False True\n", "")


def write_records(experiment: Experiment, profile: str, folder: Path, n_seeds: int) -> None:
    """Records of runs that never were, with a number for every measure and a short curve of it."""
    made_by = Provenance(
        device="cpu",
        threads=1,
        deterministic=False,
        commit=None,
        dirty=None,
        libraries={},
        started="2000-01-01T00:00:00",
    )
    for position, run in enumerate(expand(experiment, profile, range(n_seeds))):
        numbers = dict.fromkeys(run.setting.measures, position * 7 % 9 / 10)
        curves = {label: Curve(steps=[0, run.setting.steps], values=[0.0, value]) for label, value in numbers.items()}
        record = record_of(
            run,
            status="finished",
            note=None,
            steps_done=run.setting.steps,
            measures=numbers,
            best=numbers,
            curves=curves,
            cohort=[run.id],
            provenance=made_by,
            wall_seconds=1.0,
        )
        Store(folder).write(record)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("commands")
    write_records(load("gaussians8"), "paper", folder / RESULTS, n_seeds=5)
    write_records(load("elu"), "paper", folder / RESULTS, n_seeds=1)
    write_records(load("gaussians8"), "quick", folder / OTHERS, n_seeds=1)
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "records"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=folder, check=True)
    command = [sys.executable, str(Path(__file__).resolve())]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    played = subprocess.run(command, cwd=folder, env=here, capture_output=True, text=True, check=False)
    assert played.returncode == 0, played.stderr
    return json.loads(played.stdout)


@pytest.mark.parametrize("command", [*HELP, *WITHOUT_TORCH])
def test_a_command_that_does_not_train_never_asks_for_torch(outcomes, command):
    outcome = outcomes[command]
    assert outcome["torch"] == []
    assert outcome["leaked"] is None
    assert outcome["exit_code"] in ((0, 1) if command == "check" else (0,)), outcome["said"]
    assert outcome["said"].strip()


@pytest.mark.parametrize("command", TRAINS)
def test_a_command_that_computes_asks_for_torch_so_the_others_would_have_been_seen(outcomes, command):
    assert outcomes[command]["torch"] != []


def test_no_command_is_left_out():
    assert cli.commands.keys() == {*WITHOUT_TORCH, *TRAINS, *OF_WEIGHTS}


# ---- what is installed ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_installed_version_is_that_of_the_project(project):
    assert metadata.version("wganbench") == project["version"]
    assert project["version"] in CliRunner().invoke(cli, ["--version"]).output


def test_the_package_says_its_version_and_loads_nothing_for_it():
    script = "import sys, wganbench; print(wganbench.__version__, 'torch' in sys.modules, 'numpy' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert said == [metadata.version("wganbench"), "False", "False"]
    with pytest.raises(AttributeError, match=r"^module 'wganbench' has no attribute '__vesion__'$"):
        _ = wganbench.__vesion__


def test_the_systems_that_it_was_tested_on_are_named_and_no_other(project):
    assert [each for each in project["classifiers"] if each.startswith("Operating System")] == [
        "Operating System :: POSIX :: Linux"
    ]
    assert "macOS and Windows are untested" in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def test_the_console_script_is_the_command_line():
    (script,) = metadata.entry_points(group="console_scripts", name="wganbench")
    assert script.value == "wganbench.cli:main"


def test_every_dependency_has_an_upper_bound_and_a_pin(project):
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    wanted = sum(project["optional-dependencies"].values(), start=project["dependencies"])
    assert [each for each in wanted if "<" not in each] == []
    assert {each.partition(">")[0].lower() for each in wanted} <= pinned


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hatchling.build import build_wheel

    built, unpacked = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("unpacked")
    with contextlib.chdir(ROOT):
        wheel = build_wheel(str(built))
    with zipfile.ZipFile(built / wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


def test_a_wheel_holds_the_package_benchmarks_classifiers_and_records_and_nothing_else(unpacked_wheel):
    held = {path.relative_to(unpacked_wheel).as_posix() for path in unpacked_wheel.rglob("*") if path.is_file()}
    source = {path.relative_to(ROOT).as_posix() for path in (ROOT / "wganbench").rglob("*.py")}
    source.add("wganbench/data/texts/sonnets.txt")
    source |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "wganbench/analysis/html/templates").iterdir()}
    specs = {f"wganbench/benchmarks/{path.name}" for path in (ROOT / "benchmarks").glob("*.toml")}
    scored = {f"wganbench/classifiers/{path.name}" for path in (ROOT / "results" / "classifiers").iterdir()}
    inside = {name for name in held if ".dist-info/" not in name and not name.endswith("py.typed")}
    recorded = {f"wganbench/{path.relative_to(ROOT).as_posix()}" for path in Store(ROOT / "results").paths()}
    assert inside == source | specs | scored | recorded


def test_the_package_of_a_wheel_finds_its_benchmarks(unpacked_wheel):
    script = "import wganbench.spec as spec; print(spec.__file__, *spec.available())"
    said = subprocess.run(
        [sys.executable, "-c", script],
        cwd=unpacked_wheel,
        env={**os.environ, "PYTHONPATH": str(unpacked_wheel)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert Path(said[0]).is_relative_to(unpacked_wheel)
    assert sorted(said[1:]) == sorted({path.stem for path in (ROOT / "benchmarks").glob("*.toml")} - {"coverage"})


def test_the_committed_records_are_to_be_had_from_a_wheel_anywhere_without_their_artefacts(unpacked_wheel, tmp_path):
    said = subprocess.run(
        [sys.executable, "-m", "wganbench", "merge", "elu", "--results", "mine"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked_wheel)},
        capture_output=True,
        text=True,
        check=True,
    )
    taken, ours = Store(tmp_path / "mine").load(), Store(ROOT / "results", "elu").load()
    assert said.stdout == f"elu: {len(ours)} records taken in, 0 were here, 0 refused\n"
    assert any(record.artefacts for record in ours.values())
    assert taken == {name: record.model_copy(update={"artefacts": []}) for name, record in ours.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(play(PLAYED)))
