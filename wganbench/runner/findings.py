"""What is found wrong with a custom object, and a place to call one in, where it changes nothing global."""

from __future__ import annotations

import random
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch


@dataclass(frozen=True)
class Finding:
    """Something wrong with a custom object.

    Attributes:
        check: One of the `wganbench.runner.conformance.CHECKS` of its kind.
        text: What is wrong, with the value, and what would be right; a sentence whose subject is the object.
        is_error: Whether it would make numbers wrong; a warning otherwise.
        line: ``file.py:line`` of the code that raised; None where nothing was raised.
    """

    check: str
    text: str
    is_error: bool = True
    line: str | None = None


def collect(found: Iterator[Finding]) -> list[Finding]:
    """All findings, the last of them an exception that the object raised; nothing global is changed."""
    findings: list[Finding] = []
    with unchanged():
        try:
            findings += found  # what came before an exception stays
        except Exception as error:
            findings.append(Finding("call", f"raises {reason(error)}", line=line_of(error)))
    return findings


@contextmanager
def unchanged() -> Iterator[None]:
    """Puts back every global stream of random numbers, and keeps the warnings of a custom object for its training."""
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
    """``file.py:line`` of the last code outside this package and all installed ones that ``error`` passed through."""
    ours = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not (frame.filename.startswith((ours, "<")) or "site-packages" in frame.filename):
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return None


def reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
