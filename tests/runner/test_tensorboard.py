"""The event files for TensorBoard, read back with the library's own messages and checksums."""

from __future__ import annotations

import math
import struct
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import masked_crc32c

from tests.runner.test_grids import imaged  # noqa: F401  # a fixture
from tests.runner.test_run_all import execute, numbers
from wganbench.cli import cli
from wganbench.errors import ExtensionError, RecordError
from wganbench.records.store import Store
from wganbench.runner.checkpoint import Checkpoints
from wganbench.runner.evaluation import Trace
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution
from wganbench.runner.tensorboard import GRID, EventFiles


def events(folder: Path) -> list[Event]:
    """What is in the one file of a run: of each event its length and checksum, itself and its checksum."""
    (path,) = folder.iterdir()
    content, found = path.read_bytes(), []
    while content:
        length, of_length = struct.unpack("<QI", content[:12])
        body, (of_body,) = content[12 : 12 + length], struct.unpack("<I", content[12 + length : 16 + length])
        assert (masked_crc32c(content[:8]), masked_crc32c(body)) == (of_length, of_body)
        found.append(Event.FromString(body))
        content = content[16 + length :]
    return found


def values(folder: Path) -> list[tuple[str, int, float]]:
    """Tag, step and number of each point, in their order."""
    found = [(value, event.step) for event in events(folder) for value in event.summary.value]
    return [(value.tag, step, value.simple_value) for value, step in found if value.HasField("simple_value")]


def curves(record) -> Counter:
    """What the record has, as ``values`` would read it."""
    return Counter(
        (label, step, struct.unpack("f", struct.pack("f", value))[0])
        for label, curve in record.curves.items()
        for step, value in zip(curve.steps, curve.values, strict=True)
    )


def logged(folder, **about):
    return Execution(**{"device": "cpu", "stack": 2, "checkpoint_seconds": 0.0, "tensorboard": folder, **about})


def test_every_curve_of_every_run_is_in_a_folder_of_its_own(tiny, tmp_path):
    board = tmp_path / "new" / "board"
    records = execute(tiny(), Store(tmp_path / "results"), seeds=[3, 5, 7], execution=logged(board))
    assert {path.name for path in board.iterdir()} == {record.id for record in records}
    for record in records:
        assert Counter(values(board / record.id)) == curves(record)
        assert {tag for tag, _, _ in values(board / record.id)} == {*record.measures, "critic_loss", "generator_loss"}
        first, second = events(board / record.id)[:2]
        assert first.file_version == "brain.Event:2"
        assert (second.session_log.status, second.step) == (SessionLog.START, 0)


def test_event_files_change_no_record(tiny, tmp_path):
    plain = execute(tiny(), Store(tmp_path / "a"), seeds=[3, 5])
    written = execute(tiny(), Store(tmp_path / "b"), seeds=[3, 5], execution=logged(tmp_path / "board"))
    assert numbers(plain) == numbers(written)


def test_what_is_trained_again_is_written_anew(tiny, tmp_path):
    for _ in range(2):
        execute(tiny(), Store(tmp_path / "results"), [0], ["gp"], logged(tmp_path / "board"), redo="all")
    (record,) = Store(tmp_path / "results").load().values()
    assert Counter(values(tmp_path / "board" / record.id)) == curves(record)


def test_gone_on_with_no_step_stands_there_twice(tiny, tmp_path, monkeypatch):
    stop, store, execution = Stop(), Store(tmp_path / "results"), logged(tmp_path / "board")
    save = Checkpoints.save

    def saved(self, checkpoint):
        if checkpoint.step == 2:
            save(self, checkpoint)
            stop.ask("interrupted")  # the third step is done as well, and lost

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", saved)
        assert execute(tiny(), store, [0, 1], ["gp"], execution, stop=stop) == []
    (folder, _) = (tmp_path / "board").iterdir()
    assert {step for _, step, _ in values(folder)} == {0, 1, 2, 3}
    told = []
    for record in execute(tiny(), store, [0, 1], ["gp"], execution, on_event=told.append):
        assert Counter(values(tmp_path / "board" / record.id)) == curves(record)
    assert [event["step"] for event in told if event["event"] == "start"] == [2]


def test_the_grid_of_the_last_step_is_there_as_an_image(imaged, tmp_path):  # noqa: F811
    store = Store(tmp_path / "results")
    (record,) = execute(imaged, store, [0], ["gp"], logged(tmp_path / "board"))
    (found,) = [
        (event.step, value)
        for event in events(tmp_path / "board" / record.id)
        for value in event.summary.value
        if value.HasField("image")
    ]
    step, value = found
    side = 8 * 18 - 2
    assert (step, value.tag, value.image.height, value.image.width) == (3, GRID, side, side)
    assert value.image.colorspace == 3
    assert value.image.encoded_image_string == store.artefact(record, record.artefacts[0])


def test_points_are_written_once_and_what_is_not_finite_as_nan(tmp_path):
    files, trace = EventFiles(tmp_path, ["run"], pytest.fail), Trace()
    trace.add("a", 0, 1.5)
    files.add([trace], {})
    trace.add("a", 10, math.inf)
    trace.add("b", 10, 2.0)
    files.add([trace], {})
    files.add([trace], {})
    files.close()
    (first, second, third) = values(tmp_path / "run")
    assert [first, third] == [("a", 0, 1.5), ("b", 10, 2.0)]
    assert second[:2] == ("a", 10) and math.isnan(second[2])


def test_what_is_written_can_be_read_before_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("wganbench.runner.tensorboard.FLUSH_SECONDS", 0.0)
    files, trace = EventFiles(tmp_path, ["run"], pytest.fail), Trace()
    trace.add("a", 0, 1.5)
    files.add([trace], {})
    assert values(tmp_path / "run") == [("a", 0, 1.5)]
    files.close()


# ---- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["write_event", "close"])
def test_a_disk_that_refuses_costs_a_line_and_no_record(tiny, tmp_path, monkeypatch, which):
    plain = execute(tiny(), Store(tmp_path / "a"), [0, 1], ["gp"])
    real, calls, told = getattr(EventsWriter, which), [], []

    def refuse(self, *about):
        calls.append(about)
        if which == "close":
            real(self)
        if which == "close" or len(calls) > 9:
            raise OSError(28, "No space left on device")
        return real(self, *about)

    monkeypatch.setattr(EventsWriter, which, refuse)
    board = tmp_path / "board"
    records = execute(tiny(), Store(tmp_path / "b"), [0, 1], ["gp"], logged(board), on_event=told.append)
    assert numbers(records) == numbers(plain)
    (warning,) = [event["message"] for event in told if event["event"] == "warning"]
    assert warning == f"nothing more is written for TensorBoard into {board}: [Errno 28] No space left on device"


def test_a_folder_that_goes_away_costs_a_line_and_no_record(tiny, tmp_path, monkeypatch):
    board, told = tmp_path / "board", []

    def gone(folder):
        folder.write_text("a file has its name")

    monkeypatch.setattr("wganbench.runner.loop.prepare", gone)
    records = execute(tiny(), Store(tmp_path / "results"), [0], execution=logged(board), on_event=told.append)
    assert [record.status for record in records] == ["finished"] * 2
    warnings = [event["message"] for event in told if event["event"] == "warning"]
    assert len(warnings) == 2  # a line a cohort
    assert all("nothing more is written for TensorBoard" in line and "Not a directory" in line for line in warnings)


def test_without_the_package_nothing_is_trained_and_a_line_says_what_to_install(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    options = ["--profile", "smoke", "--device", "cpu", "--results", str(tmp_path / "results")]
    result = CliRunner().invoke(cli, ["run", str(tiny()), *options, "--tensorboard", str(tmp_path / "board")])
    (line,) = result.output.splitlines()[1:]  # the first says what the profile is
    assert result.exit_code == 2
    assert line.startswith("wganbench: --tensorboard: ")
    assert line.endswith("; pip install 'wganbench[tensorboard]'")
    assert not Store(tmp_path / "results").paths() and not (tmp_path / "board").exists()
    with pytest.raises(ExtensionError):
        execute(tiny(), Store(tmp_path / "results"), execution=logged(tmp_path / "board"))


def test_a_folder_that_cannot_be_made_is_told_before_any_training(tiny, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"file/board: cannot be written \(Not a directory\); name another with --t"):
        execute(tiny(), Store(tmp_path / "results"), execution=logged(tmp_path / "file" / "board"))
    assert not Store(tmp_path / "results").paths()


@pytest.mark.slow
def test_processes_of_their_own_write_where_the_command_says(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    execution = logged(Path("board"), executor="local", jobs=1)
    for record in execute(tiny(), Store(tmp_path / "results"), [0, 1], ["gp"], execution):
        assert Counter(values(tmp_path / "board" / record.id)) == curves(record)
