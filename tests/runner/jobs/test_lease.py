"""Leases: one holder at a time, whoever dies, gives back, forgets or comes late; and which process is an owner."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.runner.jobs.made import ELSEWHERE, dead, lease, past, reused
from wganbench.errors import RecordError
from wganbench.records.store import Store
from wganbench.runner.jobs import lease as module
from wganbench.runner.jobs.job import WorkFolder
from wganbench.runner.jobs.lease import LAPSE_SECONDS, Lease, Leases, Owner, _born, myself, owner_in


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def leases(store) -> Leases:
    return WorkFolder(store).leases


def files(leases: Leases) -> list[str]:
    return sorted(path.name for path in leases.folder.iterdir())


# ---- one after the other ------------------------------------------------------------------------------------------


def test_a_lease_is_taken_once(leases):
    assert leases.holder("a") is None
    assert leases.held() == {}
    assert leases.take(["a"]) is not None
    assert leases.holder("a") == myself()
    assert leases.held() == {"a": myself()}
    assert leases.take(["a"]) is None
    assert leases.stale() == []
    assert files(leases) == ["a.1"]


def test_a_lease_given_back_can_be_taken_again_and_is_not_stale(leases):
    leases.take(["a"]).release()
    assert leases.holder("a") is None
    assert leases.held() == {}
    assert leases.stale() == []
    assert leases.take(["a"]) is not None
    assert files(leases) == ["a.2"]


def test_a_lease_forgotten_leaves_nothing_and_can_be_taken_again(leases):
    held = leases.take(["a", "b"])
    held.forget()
    assert files(leases) == []
    held.release()
    assert files(leases) == []
    assert leases.take(["a"]) is not None
    assert files(leases) == ["a.1"]


def test_giving_back_what_was_forgotten_takes_it_from_nobody(leases, store):
    held = leases.take(["a"])
    held.forget()
    lease(store, "a", ELSEWHERE)
    held.release()
    held.forget()
    assert leases.holder("a") == ELSEWHERE
    assert held.beat() is False


def test_several_are_taken_all_or_none(leases):
    first = leases.take(["b"])
    assert leases.take(["c", "b", "a"]) is None
    assert leases.held() == {"b": myself()}
    first.release()
    assert leases.take(["c", "b", "a"]) is not None
    assert leases.held().keys() == {"a", "b", "c"}


@pytest.mark.parametrize("error", [RecordError("the disk is full"), KeyboardInterrupt()])
def test_what_was_taken_before_the_disk_refuses_or_ctrl_c_is_given_back(leases, monkeypatch, error):
    write = module.write_atomically

    def fail_at_second(path, content, **options):
        if path.name == "b.1":
            raise error
        return write(path, content, **options)

    monkeypatch.setattr(module, "write_atomically", fail_at_second)
    with pytest.raises(type(error)):
        leases.take(["a", "b"])
    assert leases.held() == {}


def test_names_with_dots_and_numbers_are_kept_apart(leases):
    names = ["wgan-0123456789-s1", "wgan-0123456789-s10", "wgan.v2-0123456789-s1", "wgan-0123456789-s1.5"]
    for name in names:
        assert leases.take([name]) is not None
    assert leases.held().keys() == set(names)
    assert all(leases.take([name]) is None for name in names)


def test_numbers_are_compared_as_numbers(leases, store):
    lease(store, "a", dead(), number=9)
    lease(store, "a", ELSEWHERE, number=10)
    assert leases.holder("a") == ELSEWHERE
    assert leases.take(["a"]) is None


def test_a_disk_that_refuses_is_an_error(tmp_path):
    (tmp_path / "leases").write_text("in the way")
    leases = Leases(tmp_path / "leases")
    assert leases.held() == {}
    with pytest.raises(RecordError, match=r"a\.1: cannot be written"):
        leases.take(["a"])


def test_without_leave_to_write_the_holder_is_reported_by_the_clock_of_this_machine(leases, store, monkeypatch):
    lease(store, "a", ELSEWHERE, age=LAPSE_SECONDS - 20)
    lease(store, "b", ELSEWHERE, age=LAPSE_SECONDS + 1)

    def refuse(path, *rest, **more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    assert leases.held() == {"a": ELSEWHERE}
    assert leases.stale() == [("b", ELSEWHERE)]


# ---- from the dead ------------------------------------------------------------------------------------------------

TAKES = """
import sys, time
from pathlib import Path
from wganbench.runner.jobs.lease import Leases
assert Leases(Path(sys.argv[1])).take(["a", "b"])
print("taken", flush=True)
time.sleep(60)
"""


def test_a_killed_process_loses_its_leases_at_once_and_a_living_one_does_not(leases):
    command = [sys.executable, "-c", TAKES, str(leases.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "taken\n"
        assert leases.holder("a").process == process.pid
        assert leases.take(["a"]) is None
        process.send_signal(signal.SIGSTOP)
        assert leases.take(["a"]) is None, "a process that was stopped a moment ago is not dead"
        process.kill()
        process.wait()
    assert leases.holder("a") is None
    assert [(name, owner.process) for name, owner in leases.stale()] == [("a", process.pid), ("b", process.pid)]
    assert leases.take(["a", "b"]) is not None
    assert leases.stale() == []
    assert files(leases) == ["a.2", "b.2"]


def test_a_lease_is_taken_from_a_process_whose_id_another_has_by_now(leases, store):
    lease(store, "a", reused())
    assert leases.stale() == [("a", reused())]
    assert leases.take(["a"]) is not None


@pytest.mark.parametrize(
    ("age", "is_held"),
    [
        (0, True),
        (LAPSE_SECONDS - 20, True),
        (LAPSE_SECONDS + 1, False),
        (-LAPSE_SECONDS + 20, True),
        (-LAPSE_SECONDS - 20, False),
        (-3600 * 24 * 3650, False),
    ],
)
def test_on_another_machine_the_heartbeat_alone_tells(leases, store, age, is_held):
    lease(store, "a", ELSEWHERE, age=age)
    assert (leases.holder("a") == ELSEWHERE) is is_held
    assert (leases.stale() == []) is is_held
    assert (leases.take(["a"]) is None) is is_held


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"process": 1}'])
def test_a_lease_that_cannot_be_read_lasts_as_long_as_a_heartbeat(leases, store, content):
    path = lease(store, "a", ELSEWHERE)
    path.write_bytes(content)
    assert owner_in(path) is None
    assert leases.take(["a"]) is None
    assert leases.held() == {"a": None}
    past(path, LAPSE_SECONDS + 1)
    assert leases.stale() == [("a", None)]
    assert leases.take(["a"]) is not None


def test_the_age_of_a_lease_is_reported_by_the_clock_of_the_file_system(leases, store, monkeypatch):
    lease(store, "a", ELSEWHERE)
    monkeypatch.setattr(module.time, "time", lambda: time.time() + 10 * LAPSE_SECONDS)
    assert leases.holder("a") == ELSEWHERE
    assert files(leases) == ["a.1"], "the file whose time was read is left"


def test_a_beat_keeps_all_leases_and_tells_when_one_was_taken_over(leases, store):
    held = leases.take(["a", "b"])
    for path in held.paths:
        past(path, LAPSE_SECONDS - 20)
    assert held.beat() is True
    assert all(time.time() - path.stat().st_mtime < 20 for path in held.paths)
    lease(store, "b", ELSEWHERE, number=2)
    assert held.beat() is False


def test_who_was_taken_over_neither_gives_back_nor_forgets_what_another_holds(leases, store):
    for end in (Lease.release, Lease.forget):
        held = leases.take([end.__name__])
        lease(store, end.__name__, ELSEWHERE, number=2)
        end(held)
        assert leases.holder(end.__name__) == ELSEWHERE


def test_who_looked_before_others_took_and_forgot_takes_it_from_nobody(leases, store, monkeypatch):
    lease(store, "a", dead(), number=3)
    write = module.write_atomically

    def late(path, content, **options):
        monkeypatch.setattr(module, "write_atomically", write)
        leases.take(["a"]).forget()
        lease(store, "a", ELSEWHERE)
        return write(path, content, **options)

    monkeypatch.setattr(module, "write_atomically", late)
    assert leases.take(["a"]) is None
    assert leases.holder("a") == ELSEWHERE
    assert files(leases) == ["a.1"]


# ---- disks and folders that refuse ----------------------------------------------------------------------------------


def test_a_folder_in_the_place_of_a_lease_lasts_as_long_as_a_heartbeat_and_stays(leases):
    (leases.folder / "a.1").mkdir(parents=True)
    assert leases.take(["a"]) is None
    assert leases.held() == {"a": None}
    past(leases.folder / "a.1", LAPSE_SECONDS + 1)
    taken = leases.take(["a"])
    assert taken is not None
    assert files(leases) == ["a.1", "a.2"]
    assert leases.held() == {"a": myself()}
    taken.forget()
    leases.forget_free(["a"])
    assert files(leases) == ["a.1"]


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EPERM, errno.EROFS])
def test_a_dead_lease_that_may_not_be_deleted_is_taken_over(leases, store, monkeypatch, code):
    path, unlink = lease(store, "a", dead()), Path.unlink

    def refuse(other, **options):
        if other == path:
            raise OSError(code, os.strerror(code))
        unlink(other, **options)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert leases.take(["a"]) is not None
    assert leases.held() == {"a": myself()}
    assert files(leases) == ["a.1", "a.2"]


def test_a_disk_that_gives_no_answer_takes_a_lease_from_nobody(leases, store, monkeypatch):
    held = leases.take(["a"])

    def refuse(*rest):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        patch.setattr(Path, "read_bytes", refuse)
        assert held.beat() is True
    lease(store, "a", ELSEWHERE, number=2)
    assert held.beat() is False


def test_thousands_of_leases_are_looked_at_once_and_only_those_asked_for_are_read(leases, store, monkeypatch):
    for number in range(300):
        lease(store, f"run-{number}", ELSEWHERE, age=LAPSE_SECONDS + 1)
    lease(store, "live", ELSEWHERE)
    looked, read, scandir, owner = [], [], os.scandir, module.owner_in
    monkeypatch.setattr(os, "scandir", lambda folder: looked.append(folder) or scandir(folder))
    monkeypatch.setattr(module, "owner_in", lambda path: read.append(path) or owner(path))
    leases.forget_free({f"run-{number}" for number in range(299)})
    assert len(looked) == 1
    assert leases.held(["live", "run-299"]) == {"live": ELSEWHERE}
    assert {path.name for path in read} == {"live.1"}
    assert files(leases) == ["live.1", "run-299.1"]


# ---- at once ------------------------------------------------------------------------------------------------------


ROOT = Path(__file__).resolve().parents[3]


def hammer(task: str, folder: Path, n: int) -> list:
    command = [sys.executable, str(Path(__file__).with_name("hammer.py")), task, str(folder), str(n)]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=here, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_of_many_that_take_over_from_a_dead_process_at_once_exactly_one_has_it(leases, store):
    n = 200
    for name in range(0, n, 3):
        lease(store, str(name), dead())
        lease(store, str(name + 1), ELSEWHERE, age=LAPSE_SECONDS + 1, number=7)
    won = hammer("take-over", leases.folder, n)
    assert sorted(int(name) for names in won for name in names) == list(range(n))
    assert sum(map(bool, won)) > 1, "one has won them all, so they did not run at once"
    assert files(leases) == sorted(f"{name}.{(2, 8, 1)[name % 3]}" for name in range(n))


def test_no_two_ever_hold_a_lease_while_all_take_it_give_it_back_and_forget_it(tmp_path):
    n = 40
    (tmp_path / "counter").write_text("0")
    assert hammer("count", tmp_path, n) == [0] * 8
    assert int((tmp_path / "counter").read_text()) == n * 8


# ---- owners -------------------------------------------------------------------------------------------------------


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def owner_of(process: subprocess.Popen[bytes]) -> Owner:
    return myself().model_copy(update={"process": process.pid, "born": _born(psutil.Process(process.pid))})


def test_this_process_is_alive_and_one_that_has_ended_is_not():
    assert myself().process == os.getpid()
    assert myself().is_alive() is True
    assert dead().is_alive() is False


def test_a_killed_process_is_dead_even_before_anybody_has_waited_for_it(child):
    owner = owner_of(child)
    assert owner.is_alive() is True
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert owner.is_alive() is False
    child.wait()
    assert owner.is_alive() is False


def test_a_stopped_process_is_alive(child):
    os.kill(child.pid, signal.SIGSTOP)
    assert owner_of(child).is_alive() is True


def test_a_later_process_with_the_same_id_is_another_one(child):
    assert reused().is_alive() is False
    older = owner_of(child)
    assert older.model_copy(update={"born": older.born + 60}).is_alive() is False


def test_of_a_process_on_another_machine_nothing_can_be_reported_even_if_the_id_is_one_of_here():
    assert ELSEWHERE.model_copy(update={"process": os.getpid(), "born": myself().born}).is_alive() is None


def test_a_process_that_may_not_be_looked_at_may_be_alive(monkeypatch):
    def refuse(process):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", refuse)
    assert myself().is_alive() is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads how Linux tells of the time that it was started")
def test_setting_the_clock_of_the_machine_kills_nobody(child, monkeypatch):
    owner, started = owner_of(child), psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: started + 3600)
    assert psutil.Process(child.pid).create_time() > started + 3600, "the clock was not set for psutil"
    assert owner.is_alive() is True


def test_it_comes_back_from_json_as_it_was():
    assert Owner.model_validate_json(myself().model_dump_json()) == myself()
    assert str(ELSEWHERE) == "process 7 on elsewhere"
