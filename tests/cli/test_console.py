"""The progress bars of long commands: shown on a terminal, on stderr, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from wganbench.cli.console import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("kind", "is_shown"), [(Terminal, True), (io.StringIO, False)])
def test_a_bar_shows_on_a_terminal_alone_and_never_on_stdout(monkeypatch, capsys, kind, is_shown):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    monkeypatch.setattr(sys, "stderr", kind())
    with progress("figures") as on_figure:
        on_figure(3, 7)
    text = sys.stderr.getvalue()
    assert ("figures" in text and "3/7" in text) is is_shown
    assert bool(text) is is_shown
    assert capsys.readouterr().out == ""
