"""Surroundings that refuse or lack something: one line says so, where a traceback or a hang came before."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import click
import psutil
import pytest
from click.testing import CliRunner

from tests.runner.commands import is_there, until
from tests.runner.test_run_all import execute
from wganbench import cli as command
from wganbench.analysis import check, ledger, report
from wganbench.cli import cli, console
from wganbench.data.locations import data_folder
from wganbench.errors import DataError, SpecError
from wganbench.records.store import Store
from wganbench.runner.executors import ray, slurm
from wganbench.spec import load, strict


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def one_line(*arguments: object) -> str:
    code, _, err = invoke(*arguments)
    (line,) = err.splitlines()
    assert (code, line[:11]) == (2, "wganbench: "), err
    return line[11:]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A results folder with the records of a small experiment."""
    folder = tmp_path_factory.mktemp("recorded")
    from tests.runner.conftest import TINY

    (folder / "tiny.toml").write_text(TINY + '[profiles.quick]\nsays = "4 steps"\n')
    execute(folder / "tiny.toml", Store(folder / "results"), [0], ["gp"])
    return folder / "results"


# ---- folders --------------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(recorded, monkeypatch) -> str:
    """An experiment's folder that may not be listed; tests may run as root, whom no permission stops."""
    scandir = os.scandir

    def refuse(folder="."):
        if str(folder) == str(recorded / "tiny"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    return f"{recorded}/tiny: cannot be listed (Permission denied); choose another with --results"


@pytest.mark.parametrize(
    "arguments",
    [("results", "verify"), ("check",), ("report",), ("status",), ("report", "gaussians8"), ("merge", "reference")],
)
def test_a_folder_of_records_that_may_not_be_listed_is_a_problem_and_never_absent(recorded, locked, arguments):
    assert one_line(*arguments, "--results", recorded) == locked


def test_another_experiment_s_folder_that_may_not_be_listed_keeps_no_one_from_the_rest(recorded, locked):
    assert Store(recorded, "other").paths() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_a_folder_that_another_user_may_not_enter_is_a_problem(recorded, tmp_path):
    folder = tmp_path / "results" / "tiny"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("{}")
    for path in (folder.parent, *folder.parent.parents):
        if path.is_relative_to(tempfile.gettempdir()) and path != Path(tempfile.gettempdir()):
            path.chmod(0o755)
    reader, writer = os.pipe()
    folder.chmod(0o000)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            said = f"found {Store(tmp_path / 'results').paths()}"
        except Exception as error:
            said = str(error)
        os.write(writer, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 4000).decode().startswith(f"{folder}: cannot be listed (Permission denied)")
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    "arguments", [("results", "verify"), ("report",), ("check",), ("status",), ("run", "dirac-gan", "--seeds", "1")]
)
@pytest.mark.parametrize(
    ("name", "said"), [("x" * 300, "File name too long"), ("loop", "Too many levels of symbolic links")]
)
def test_a_results_folder_that_cannot_be_one(tmp_path, monkeypatch, arguments, name, said):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    assert f"({said})" in one_line(*arguments, "--results", name)


@pytest.mark.parametrize("arguments", [("status",), ("run", "dirac-gan", "--seeds", "1")])
def test_a_work_folder_that_only_another_user_may_enter(tmp_path, monkeypatch, arguments):
    """As a process sees it that is not root's: everything below the folder is refused."""
    work = tmp_path / ".work"
    (work / "leases").mkdir(parents=True)

    def refused(function):
        def call(path, *rest, **more):
            if not isinstance(path, int) and Path(os.fsdecode(path)).is_relative_to(work) and str(path) != str(work):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return function(path, *rest, **more)

        return call

    for owner, name in [(os, "open"), (os, "mkdir"), (os, "scandir"), (os, "stat"), (os, "listdir"), (io, "open")]:
        monkeypatch.setattr(owner, name, refused(getattr(owner, name)))
    line = one_line(*arguments, "--results", tmp_path)
    assert str(work) in line and "Permission denied" in line


def test_long_names_of_folders_to_merge_or_compare(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (("merge", "x" * 300), ("compare", "x" * 300, "x" * 300)):
        assert "File name too long" in one_line(*arguments)


def test_a_working_folder_that_was_removed(monkeypatch):
    def gone():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(Path, "cwd", gone)
    assert one_line("list") == "the working folder does not exist any more; change to another"


def test_no_home_folder(monkeypatch):
    def nobody(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for chosen in ("~nobody/x", ""):
        monkeypatch.setenv("WGANBENCH_DATA", chosen)
        with pytest.raises(
            DataError, match=r"^WGANBENCH_DATA: no home folder for '~.*'; give a path without '~', or set"
        ):
            data_folder()
    line = one_line("run", "table3", "--profile", "smoke", "--data", "cifar10=~nobody/x")
    assert line == "--data cifar10: no home folder for '~nobody/x'; give a path without '~'"


def test_no_temporary_folder(recorded, monkeypatch):
    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(check, "check", lambda *given, **options: [])
    line = one_line("check", "dirac-gan", "--since", "HEAD", "--results", "results")
    assert line.startswith("No usable temporary directory found in")
    assert line.endswith("; set TMPDIR to a folder that can be written")


def test_no_folder_for_matplotlib(recorded, monkeypatch):
    def none(*given, **options):
        raise OSError("Matplotlib requires access to a writable cache directory; set MPLCONFIGDIR")

    monkeypatch.setattr(report, "write_report", none)
    monkeypatch.setattr("wganbench.analysis.results.reported", lambda specs, records: records)
    assert "set MPLCONFIGDIR" in one_line("report", recorded.parent / "tiny.toml", "--results", recorded)


# ---- output ---------------------------------------------------------------------------------------------------------


def test_a_full_disk_behind_stdout(monkeypatch):
    def refuse(text, err=False, **options):
        if not err:
            raise OSError(errno.ENOSPC, "No space left on device")
        echo(text, err=True)

    echo = click.echo
    monkeypatch.setattr(click, "echo", refuse)
    line = one_line("show", "dirac-gan")
    assert line == "the output cannot be written (No space left on device); what is recorded is kept"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_lacks_characters_gets_question_marks(monkeypatch, encoding):
    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    command._open_streams()
    console.print_rows([{"σ": "μ ± 1 ↑", "file": "\udcff.json"}])
    console.echo("a path \udcff, ∇f")
    sys.stdout.flush()
    shown = held.getvalue().decode(encoding)
    assert "?.json" in shown and "a path ?, " in shown
    assert ("∇" in shown) == (encoding == "utf-8")


def test_closed_streams_lead_nowhere_and_no_file_takes_their_place(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    command._open_streams()
    console.echo("nobody reads this")
    for stream in (sys.stdout, sys.stderr):
        assert stream.name == os.devnull
        stream.close()


@pytest.mark.parametrize(("where", "shown"), [("true", "? ::error::forged\n  ? ##[group]x\n"), (None, None)])
def test_no_text_is_a_command_to_github(monkeypatch, capsys, where, shown):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    if where:
        monkeypatch.setenv("GITHUB_ACTIONS", where)
    text = "::error::forged\n  ##[group]x"
    console.echo(text)
    assert capsys.readouterr().out == (shown or f"{text}\n")


def test_an_error_about_a_hostile_name_does_not_control_the_terminal(tmp_path):
    line = one_line("results", "verify", "--results", tmp_path / "\x1b[31mred")
    assert line.startswith(f"{tmp_path}/?[31mred: no such folder")


def test_names_that_are_not_utf_8_are_listed_and_set_aside(recorded, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / os.fsdecode(b"\xff.json")).write_text("{}")
    code, out, _ = invoke("results", "verify", "--results", tmp_path)
    assert (code, f"damaged: {tmp_path}/tiny/?.json: not a record of wganbench" in out) == (1, True)
    assert invoke("results", "verify", "--results", tmp_path, "--set-aside")[0] == 0
    assert [path.name for path in (tmp_path / "tiny").glob("damaged/*.json")] == [os.fsdecode(b"\xff.json")]


# ---- files ----------------------------------------------------------------------------------------------------------


def test_a_readme_that_is_not_utf_8_keeps_its_bytes(tmp_path):
    around = b"caf\xe9 \xff\n"
    path = tmp_path / "README.md"
    path.write_bytes(around + f"{report.BEGIN}\n{report.END}\n".encode() + around)
    assert report.readme_of(tmp_path / "results") == path
    text = report.with_block(path, "new\n").encode(errors=report.KEPT)
    assert text == around + f"{report.BEGIN}\nnew\n{report.END}\n".encode() + around


@pytest.mark.parametrize("shape", ["list", "table", "inside", "names", "number", "surrogates"])
@pytest.mark.parametrize("depth", [100, 990, 5000, 100_000])
def test_verdicts_of_another_shape_are_a_finding(tmp_path, shape, depth):
    nested = "[" * depth + "]" * depth
    texts = {
        "list": nested,
        "table": '{"experiments": ' + '{"a":' * depth + "1" + "}" * depth + "}",
        "inside": f'{{"version": 2, "experiments": {{"a": {{"deviations": {nested}}}}}}}',
        "names": json.dumps({"version": 2, "experiments": {f"\x1b{n}": 3 for n in range(depth // 100)}}),
        "number": '{"version": 2, "experiments": ' + "9" * depth + "}",
        "surrogates": '{"version": 2, "experiments": {"\\ud800": {"records": {"\\ud800": "x"}}}}',
    }
    (tmp_path / ledger.FILE).write_text(texts[shape])
    known, findings = ledger.last(tmp_path)
    lost = list(ledger.losses(known, ledger.Ledger(), {})) if known else []
    assert len([*findings, *lost]) == 1
    assert check.junit([*findings, *lost], []).encode()


def test_of_hundreds_of_alike_names_few_are_compared(tmp_path, monkeypatch):
    from tests.runner.conftest import TINY

    names = [f"variant-of-a-very-long-name-that-is-like-the-others-{number:04}" for number in range(400)]
    wrong = ", ".join(f'"{name}x"' for name in names)
    text = (
        TINY + "".join(f"[variants.{name}]\n" for name in names) + f"[profiles.x]\nsays = 'x'\nvariants = [{wrong}]\n"
    )
    (tmp_path / "many.toml").write_text(text)
    compared, close = [], strict.difflib.get_close_matches
    monkeypatch.setattr(
        strict.difflib,
        "get_close_matches",
        lambda word, some, **how: compared.append(len(some)) or close(word, some, **how),
    )
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "many.toml")
    assert f"did you mean '{names[0]}'?" in str(caught.value)
    assert max(compared) <= 40


@pytest.mark.parametrize("word", ["critics-0250", "xritic-0250", "critic-0250x", "critic-025"])
def test_the_nearest_of_many_names_is_still_found(word):
    known = [f"critic-{number:04}" for number in range(300)]
    assert strict.suggest(word, known).startswith("; did you mean 'critic-025")


def test_of_hundreds_of_names_of_which_none_is_near_some_are_listed():
    said = strict.suggest("zzz", [f"critic-{n:03}" for n in range(600)])
    assert said.startswith("; known: critic-000, critic-001, ") and said.endswith(", critic-059 and 540 more")
    assert strict.suggest("zzz", ["a", "b"]) == "; known: a, b"


# ---- clusters -------------------------------------------------------------------------------------------------------


@contextmanager
def listener(answer: bytes | None):
    """An address where something answers once; None for silence."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        end = threading.Event()

        def serve():
            connection, _ = server.accept()
            with connection:
                if answer is not None:
                    connection.recv(1000)
                    connection.sendall(answer)
                else:
                    end.wait()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            end.set()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "it does not answer within"),
        (b"HTTP/1.1 400 Bad Request\r\n", "what listens there is no Ray"),
        (b"", "no Ray"),
    ],
)
def test_a_listener_that_is_no_ray_is_noticed_at_once(monkeypatch, answer, said):
    monkeypatch.setattr(ray, "KNOCK_SECONDS", 0.2)
    with listener(answer) as address, pytest.raises(OSError, match=said):
        ray._knock(address)


def test_a_server_of_ray_s_protocol_is_one():
    with listener(bytes([0, 0, 0, ray.SETTINGS, 0, 0, 0, 0, 0])) as address:
        ray._knock(address)


def test_a_submission_that_hangs_is_ended_with_what_it_has_started():
    with pytest.raises(TimeoutError, match=r"^sbatch gave no answer within 0\.5 s$"):
        slurm._within(0.5, lambda: subprocess.run(["sleep", "1000"], check=False))
    assert until(lambda: not any(is_there(child.pid) for child in psutil.Process().children()), seconds=30)
    assert slurm._within(60, lambda: 7) == 7
