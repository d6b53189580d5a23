"""What a worker on another machine gets beside its jobs: where data and weights lie."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from wganbench.data.locations import data_folder
from wganbench.files import DATA_VARIABLE, WEIGHTS_VARIABLE
from wganbench.records.store import Store
from wganbench.runner.executors import remote
from wganbench.runner.loop import Execution, run_all
from wganbench.spec import load
from wganbench.spec.plan import expand

NAMES = (DATA_VARIABLE, WEIGHTS_VARIABLE, "TORCH_HOME")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def seen_by_a_job(monkeypatch, passed):
    """The environment while a job is worked on, after which this process has its own again."""
    before, seen = dict(os.environ), []

    def work(path, results, stop, *, alone):
        seen.append({name: os.environ[name] for name in NAMES if name in os.environ})

    monkeypatch.setattr(remote, "work", work)
    remote.work_on(["a job", "another"], "results", "going", passed)
    assert dict(os.environ) == before
    assert seen[0] == seen[1]
    return seen[0]


def test_the_data_folder_is_passed_on_though_no_variable_names_it(monkeypatch):
    assert remote.environment() == {DATA_VARIABLE: str(data_folder())}
    assert data_folder().is_absolute()


def test_what_is_set_here_is_passed_on_with_whole_paths(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATA_VARIABLE, "data")
    monkeypatch.setenv(WEIGHTS_VARIABLE, "weights/inception.pth")
    monkeypatch.setenv("TORCH_HOME", "")
    assert remote.environment() == {
        DATA_VARIABLE: str(tmp_path / "data"),
        WEIGHTS_VARIABLE: str(tmp_path / "weights" / "inception.pth"),
    }


def test_a_worker_has_what_it_was_given_and_not_what_it_had(monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, "/the/workers/own")
    monkeypatch.setenv(WEIGHTS_VARIABLE, "/left/by/another.pth")
    passed = {DATA_VARIABLE: "/of/the/command", "TORCH_HOME": "/torch"}
    assert seen_by_a_job(monkeypatch, passed) == passed


def test_a_new_interpreter_with_another_environment_has_the_commands(monkeypatch, tmp_path):
    """As Ray and submitit carry it: pickled whole, into a process that knows neither package nor folder."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "images"))
    monkeypatch.setenv(WEIGHTS_VARIABLE, "inception.pth")
    out = tmp_path / "seen.txt"
    (tmp_path / "wganbench" / "runner" / "executors").mkdir(parents=True)
    for package in ("wganbench", "wganbench/runner", "wganbench/runner/executors"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "wganbench" / "runner" / "executors" / "remote.py").write_text(
        f"from pathlib import Path\ndef work_on(*got):\n    Path({str(out)!r}).write_text(repr((Path.cwd(), *got)))\n"
    )
    given = (str(tmp_path), str(tmp_path), ["a"], "results", "going", remote.environment())
    content = pytest.importorskip("cloudpickle").dumps((remote.entry_point(), given))
    script = "import pickle, sys; function, given = pickle.load(sys.stdin.buffer); function(*given)"
    plain = {key: value for key, value in os.environ.items() if key not in (*NAMES, "PYTHONPATH")}
    subprocess.run([sys.executable, "-c", script], input=content, check=True, env=plain, cwd="/", timeout=60)
    passed = {
        DATA_VARIABLE: str(tmp_path / "images"),
        WEIGHTS_VARIABLE: str(Path("inception.pth").absolute()),
    }
    assert out.read_text() == repr((tmp_path, ["a"], "results", "going", passed))


@pytest.mark.parametrize("is_root", [False, True])
def test_the_working_folder_comes_last_where_ray_has_put_it_first(tmp_path, is_root):
    root, folder, out = tmp_path / "root", tmp_path / "root" if is_root else tmp_path / "working", tmp_path / "seen.txt"
    executors = root / "wganbench" / "runner" / "executors"
    executors.mkdir(parents=True)
    folder.mkdir(exist_ok=True)
    for package in (root / "wganbench", root / "wganbench" / "runner", executors):
        (package / "__init__.py").touch()
    (executors / "remote.py").write_text(
        f"import colorsys, sys\ndef work_on(*got):\n    open({str(out)!r}, 'w').write(repr(sys.path))\n"
    )
    (folder / "colorsys.py").write_text("raise ArithmeticError\n")
    given = (str(root), str(folder), ["a"], "results", "going", {})
    content = pytest.importorskip("cloudpickle").dumps((remote.entry_point(), given))
    script = f"""
import pickle, sys
function, given = pickle.load(sys.stdin.buffer)
sys.path.insert(0, {str(folder)!r})
function(*given)
"""
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", script], input=content, check=True, env=plain, cwd="/", timeout=60)
    path = ast.literal_eval(out.read_text())
    assert "" not in path
    assert str(folder) not in path[:-1]
    assert path[-1] == str(root)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_images_of_the_commands_data_folder_are_found_by_a_cluster_that_was_there_before(tmp_path, monkeypatch):
    from wganbench.runner.executors.ray import QUIET

    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
        monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
        _picture_folder(tmp_path / "data" / "pictures")
        spec = load(str(_spec(tmp_path)))
        execution = Execution(executor="ray", address=cluster.address, device="cpu", threads=1, stack=1)
        (record,) = run_all(expand(spec, "quick", [0]), Store(tmp_path / "results"), execution)
        assert record.status == "finished", record.note
        assert record.data_checksum is not None
    finally:
        cluster.shutdown()


def _picture_folder(folder):
    from PIL import Image

    for place, shade in (("ape/0.png", 10), ("ape/1.png", 90), ("bee/0.png", 170), ("bee/1.png", 250)):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(folder / place)


def _spec(folder):
    path = folder / "images.toml"
    path.write_text("""
title = "Images"
source = "a test"
version = 1
data = { name = "image_folder", folder = "pictures", size = 4 }
fixed_generator = "noised"
critic = { name = "mlp", hidden = [4] }
objective = "wasserstein"
critic_optimizer = { name = "adam", lr = 1e-3 }
batch_size = 2
measured_samples = 2
steps = 2
measures = { wasserstein_estimate = { points = 1 } }
profiles = { quick = { } }
variants = { one = { } }
""")
    return path
