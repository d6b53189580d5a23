"""Problems found in custom objects, and a context that undoes the global changes they make when called."""

from __future__ import annotations

import random
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wganbench.errors import first_line


@dataclass(frozen=True)
class Finding:
    """A problem found in a custom object.

    Attributes:
        check: The name of the check.
        text: The problem, with the value, and what would be right; a sentence whose subject is the object.
        is_error: Whether the problem would make numbers wrong; otherwise it is a warning.
        line: ``file.py:line`` of the code that raised; None if nothing was raised.
    """

    check: str
    text: str
    is_error: bool = True
    line: str | None = None


class NonconformingError(Exception):
    """Raised at the first error of an object, which would also show in later checks."""

    def __init__(self, check: str, text: str):
        super().__init__(text)
        self.finding = Finding(check, text)


Add = Callable[[Finding], None]
"""Called with each warning, which does not end the checks."""


def collect(check: Callable[[Add], object]) -> list[Finding]:
    """Returns the findings of a check, with an error or an exception of the object as the last.

    No global state changes.
    """
    findings: list[Finding] = []
    with unchanged():
        try:
            check(findings.append)
        except NonconformingError as error:
            findings.append(error.finding)
        except Exception as error:
            findings.append(Finding("call", f"raises {first_line(error, with_type=True)}", line=line_of(error)))
    return findings


@contextmanager
def unchanged() -> Iterator[None]:
    """Restores all global random streams, and silences a custom object's warnings, which its training will show."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices), warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


def line_of(error: BaseException) -> str | None:
    """Returns ``file.py:line`` of the innermost frame of ``error`` outside this package and installed packages."""
    ours = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not (frame.filename.startswith((ours, "<")) or "site-packages" in frame.filename):
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return None
