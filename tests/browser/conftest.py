"""A page of a small results folder in a real browser; skipped where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.shown import Shown, shown

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Watched:
    """A page, with everything that it asked for or complained about."""

    page: Any
    url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, rest: str = "") -> Any:
        """Opens the page anew, with ``rest`` at the end of its address."""
        self.page.goto("about:blank")
        self.page.goto(self.url + rest)
        return self.page

    def shown_claims(self) -> list[str]:
        """The claims that the scoreboard shows, in its order."""
        script = "rows => rows.filter(row => row.offsetParent).map(row => row.dataset.claim)"
        return self.page.eval_on_selector_all("#_claims tbody tr", script)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH")
    # Chromium's sandbox needs rights that a container does not have, and root may not use it at all.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return shown(tmp_path_factory.mktemp("browser"))


def watch(browser: Any, path: Path, **options: Any) -> Iterator[Watched]:
    """Yields a page that fails the test if it asks for anything but files, or the browser complains."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    found = Watched(context.new_page(), path.as_uri())
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.on("console", lambda message: found.complaints.append(message.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    yield found
    context.close()
    assert [url for url in found.requests if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
    assert found.complaints == []


@pytest.fixture(scope="session")
def path(results: Shown) -> Path:
    return results.write()


@pytest.fixture
def watched(browser: Any, path: Path) -> Iterator[Watched]:
    yield from watch(browser, path)
