"""The page of a judgement in a real browser: it fits a phone, asks for nothing, and needs no script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.analysis.judged.submitted import apart, submit
from tests.browser.conftest import watch

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged") / "sub"
    submit(folder, apart(0.5))
    return folder / "index.html"


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def watched(request, browser, page_path) -> Iterator:
    width, scheme = request.param
    yield from watch(browser, page_path, viewport={"width": width, "height": 900}, color_scheme=scheme)


def test_it_fits_the_screen_and_shows_each_judgement(watched):
    page = watched.open()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.locator("main table .verdict").all_inner_texts() == ["better", "equivalent"]
    assert page.locator("circle.dot").count() == 2 * 8 * 3  # both methods and their differences, on two lines
    assert page.locator("figure.wide img").evaluate("image => image.complete && image.naturalWidth > 0")
