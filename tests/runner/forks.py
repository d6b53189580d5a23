"""``wganbench`` in a fork of this process, which costs milliseconds: to be killed, or to meet a file system that fails.

A fork dies at a moment of its own CPU time, so that a moment of a seed is about the same on any machine; and a fault is
injected at one call of a function on a file, which is the same each time.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wganbench.cli import main

MOST_SECONDS = 300
"""The wall time after which a fork hangs; it takes less than one second of CPU."""
CRASHED = 99


@dataclass(frozen=True)
class Ended:
    """How a fork ended: its exit code or the negative number of a signal, what it wrote, and its CPU time."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def hung(self) -> bool:
        return self.code == -signal.SIGALRM

    def lines(self) -> list[str]:
        return self.err.splitlines()


def forked(*arguments: object, before: Callable[[], object] = lambda: None, cwd: Path | None = None) -> Ended:
    """Runs a command in a fork; ``before`` is called there first."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("out", "err")]
        child = os.fork()
        if child == 0:
            code = CRASHED
            try:
                code = _begin(list(map(str, arguments)), files, before, cwd)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status, used = os.wait4(child, 0)
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in files)
    return Ended(os.waitstatus_to_exitcode(status), out, err, used.ru_utime + used.ru_stime)


def _begin(arguments: list[str], files: list[Path], before: Callable[[], object], cwd: Path | None) -> int:
    for number, path in enumerate(files, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # pytest's own lead elsewhere
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, errors="backslashreplace")  # noqa: SIM115
    for name in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(MOST_SECONDS)
    if cwd is not None:
        os.chdir(cwd)
    sys.argv = ["wganbench", *arguments]
    before()
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 0 if code is None else 1


# ---- kills ----------------------------------------------------------------------------------------------------------


def die_after(seconds: float, kind: signal.Signals) -> None:
    """Ends this process once it has used so much CPU time: at once for SIGKILL, else by sending itself ``kind``."""
    if kind == signal.SIGKILL:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends it as SIGKILL does, wherever it is
    else:
        signal.signal(signal.SIGPROF, lambda number, frame: os.kill(os.getpid(), kind))
    signal.setitimer(signal.ITIMER_PROF, seconds)


# ---- faults ---------------------------------------------------------------------------------------------------------

OPERATIONS = ("link", "rename", "unlink", "fsync", "write", "open", "mkdir", "utime", "scandir")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.ESTALE)


@dataclass(frozen=True)
class Fault:
    """What is injected, at a call of an operation on a file in a folder.

    Attributes:
        at: The number of the call, from 0.
        is_done: Whether the operation takes effect and only its answer is lost.
        lasts: Whether all later calls of it fail, too.
    """

    operation: str
    at: int
    error: int
    is_done: bool
    lasts: bool


class Faulty:
    """Counts the operations on files in a folder, and fails at one of them.

    Args:
        fault: None to count alone.
        counts: A file for the number of calls of each operation, if it is wanted.
    """

    def __init__(self, folder: Path, fault: Fault | None = None):
        self.folder, self.fault = str(folder), fault
        self.calls: Counter[str] = Counter()
        self.handles: set[int] = set()

    def call(self, operation: str, path: object, do: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        if not self._is_inside(path):
            return do()
        number = self.calls[operation]
        self.calls[operation] += 1
        fault = self.fault
        is_due = fault is not None and fault.operation == operation
        if fault is None or not is_due or number < fault.at or (number > fault.at and not fault.lasts):
            return do()
        if fault.is_done:
            do()
        elif half is not None:
            half()
        raise OSError(fault.error, os.strerror(fault.error), path if isinstance(path, str | os.PathLike) else None)

    def _is_inside(self, path: object) -> bool:
        if isinstance(path, int):
            return path in self.handles
        return isinstance(path, str | os.PathLike) and str(Path(path).absolute()).startswith(self.folder)

    def install(self) -> None:
        """Replaces the functions in this process, which is not to live on."""
        for operation, names in {
            "link": ["link"],
            "rename": ["rename", "replace"],
            "unlink": ["unlink", "remove"],
        }.items():
            for name in names:
                self._replace(operation, name)
        for name in ("fsync", "mkdir", "utime", "scandir"):
            self._replace(name, name)
        opened, os_opened = io.open, os.open

        def open_file(path: Any, *rest: Any, **named: Any) -> Any:
            file = self.call("open", path, lambda: opened(path, *rest, **named))
            mode = rest[0] if rest else named.get("mode", "r")
            if self._is_inside(path):
                self.handles.add(file.fileno())
            return _Written(file, self, str(path)) if self._is_inside(path) and set(mode) & set("wax+") else file

        def open_handle(path: Any, *rest: Any, **named: Any) -> int:
            handle: int = self.call("open", path, lambda: os_opened(path, *rest, **named))
            if self._is_inside(path):
                self.handles.add(handle)
            return handle

        io.open = builtins.open = open_file  # type: ignore[assignment]
        os.open = open_handle

    def _replace(self, operation: str, name: str) -> None:
        function = getattr(os, name)

        def replacement(*given: Any, **named: Any) -> Any:
            path = given[0] if given else "."
            return self.call(operation, path, lambda: function(*given, **named))

        setattr(os, name, replacement)


class _Written:
    """A file whose writes may fail, half done or done."""

    def __init__(self, file: Any, faulty: Faulty, path: str):
        self._file, self._faulty, self._path = file, faulty, path

    def write(self, content: Any) -> Any:
        def half() -> None:
            self._file.write(content[: len(content) // 2])
            self._file.flush()

        def whole() -> Any:
            written = self._file.write(content)
            self._file.flush()
            return written

        return self._faulty.call("write", self._path, whole, half)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Written:
        return self

    def __exit__(self, *about: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)


def counted_in(folder: Path, into: Path) -> Callable[[], None]:
    """Returns a function for ``before`` that leaves the number of calls of each operation in a file."""

    def begin() -> None:
        faulty, ended = Faulty(folder), os._exit

        def end(code: int) -> None:
            lines = "".join(f"{name} {number}\n" for name, number in faulty.calls.items())
            into.write_text(lines)
            ended(code)

        os._exit = end  # type: ignore[assignment]
        faulty.install()

    return begin
