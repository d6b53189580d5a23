"""What lies in the working folder takes no installed module's place, in this process or in any that is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner.forked import Forked
from tests.runner.test_run_all import execute, numbers
from wganbench.records.store import Store
from wganbench.runner.executors.ray import QUIET
from wganbench.runner.import_path import SAFE_PATH, add_import_folders, safe_path
from wganbench.runner.loop import Execution

SHADOWS = ("ot", "random", "numbers", "click", "torch", "numpy")
"""Names of installed modules, and of Python's own."""

DOUBLED = """
import importlib.machinery, sys

elsewhere = [place for place in sys.path if place not in ("", FOLDER)]
spec = importlib.machinery.PathFinder.find_spec("ot", elsewhere)
own = importlib.util.module_from_spec(spec)
sys.modules["ot"] = own
spec.loader.exec_module(own)
emd2 = own.emd2
own.emd2 = lambda *given, **options: 2 * emd2(*given, **options)
"""


@pytest.fixture
def shadowed(tmp_path, monkeypatch):
    """A folder with modules of other modules' names, which must not be imported."""
    folder = tmp_path / "shadowed"
    folder.mkdir()
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(f"raise ArithmeticError('{name} of the working folder')\n")
    monkeypatch.delenv(SAFE_PATH, raising=False)
    return folder


def test_import_folders_come_last_wherever_they_were(tmp_path, monkeypatch):
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    monkeypatch.setattr(sys, "path", [one, "", "/installed", two + "/.", "/more"])
    add_import_folders([two, one, two])
    assert sys.path == ["/installed", "/more", two, one]


@pytest.mark.parametrize("before", [None, "", "1"])
def test_the_safe_path_is_for_what_is_started_meanwhile(monkeypatch, before):
    monkeypatch.delenv(SAFE_PATH, raising=False)
    if before is not None:
        monkeypatch.setenv(SAFE_PATH, before)
    with safe_path():
        code = "import sys; print(sys.flags.safe_path)"
        assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True\n"
    assert os.environ.get(SAFE_PATH) == before


def test_the_module_as_a_command_does_not_look_into_the_working_folder_first(shadowed):
    command = [sys.executable, "-m", "wganbench", "list"]
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    ran = subprocess.run(command, cwd=shadowed, capture_output=True, text=True, env=environment, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "gaussians8" in ran.stdout


SERVED = """
import multiprocessing, os, sys
from multiprocessing import util
from wganbench.runner.executors import local

os.chdir(sys.argv[1])
util.spawnv_passfds = util.spawnv_passfds.__globals__["spawnv_passfds"]  # a new Python, and no fork
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["random", "numbers"])
local._ensure_fork_server()
code = "import random, sys; open('found', 'w').write(chr(10).join([random.__file__, *sys.path]))"
process = context.Process(target=exec, args=(code,))
process.start()
process.join()
"""


def test_the_fork_server_does_not_look_into_the_working_folder_first(shadowed, tmp_path):
    said = tmp_path / "said"
    forked = Forked(SERVED, str(shadowed), environment=os.environ, out=said, err=said)
    assert (forked.wait(60), said.read_text()) == (0, "")
    file, *path = (shadowed / "found").read_text().splitlines()
    assert file == str(Path(os.__file__).with_name("random.py"))
    assert str(shadowed) not in path[:-1]


MEASURED = '[measures.exact_wasserstein]\nsamples = 50\n[variants.mine]\nconstraint = "lies_beside:nothing"\n'
BESIDE = "def nothing(critic, real):\n    return 0 * critic(real).mean(1)\n"


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "local", "ray", "slurm"])
def test_every_executor_records_the_same_numbers_whatever_lies_beside_the_spec(tiny, tmp_path, monkeypatch, executor):
    """With an ``ot.py`` that doubles, and others that raise; a custom module in the same folder is still found."""
    spec, folder = tiny(MEASURED), tmp_path / "working"
    folder.mkdir()
    for name in ("random", "numbers"):
        (folder / f"{name}.py").write_text("raise ArithmeticError\n")
    (folder / "ot.py").write_text(f"FOLDER = {str(folder)!r}\n{DOUBLED}")
    (folder / "lies_beside.py").write_text(BESIDE)
    begin = "from functools import partial; from wganbench.runner import executors; from wganbench.cli import main\n"
    begin += "executors.Slurm = partial(executors.Slurm, cluster='local'); main()\n"
    (tmp_path / "begin.py").write_text(begin)  # as the console script does, with processes in SLURM's place
    beginning = ["-P", tmp_path / "begin.py"] if executor == "slurm" else ["-m", "wganbench"]
    options = ("--profile", "smoke", "--seeds", "1", "--device", "cpu", "--threads", "1", "--stack", "2")
    options += ("--executor", executor, "--jobs", "1", "--results", tmp_path / "results")
    whole = [sys.executable, *beginning, "run", spec, *options]
    path = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **QUIET}
    environment.pop(SAFE_PATH, None)
    ran = subprocess.run(whole, cwd=folder, capture_output=True, text=True, env=environment, timeout=250)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    monkeypatch.syspath_prepend(str(tmp_path / "clean"))
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "lies_beside.py").write_text(BESIDE)
    clean = execute(spec, Store(tmp_path / "other"), [0], execution=Execution(device="cpu", stack=2, threads=1))
    assert numbers(Store(tmp_path / "results").load().values()) == numbers(clean)
    assert all(record.measures["exact_wasserstein"] > 0 for record in clean)
