"""What a reader does with the page: filter, follow a link, hover, enlarge, slide, sort, copy, download, print."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import shlex
from pathlib import Path

import pytest

from tests.analysis.shown import SIZE
from tests.browser.conftest import watch

pytestmark = pytest.mark.browser

REPRODUCED = ["made/good-beats-bad", "made/good-is-close"]
NOT_RUN = ["made/good-is-quick"]  # primary, as both above, in a profile of its own
SECONDARY = ["made/bad-is-close", "made/both-succeed"]
"""Both are contradicted; the page lists primary claims first."""
ALL = [*REPRODUCED, *NOT_RUN, *SECONDARY]
AXE = os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js")
"""The script of the npm package axe-core, which is not kept in this repository."""


def button(page, name: str, choice: str):
    return page.locator(f"[data-filter={name}] [data-choice='{choice}']")


def count(page) -> str:
    return page.locator("#_count").inner_text()


# ---- filters --------------------------------------------------------------------------------------------------------


def test_buttons_of_a_group_add_up_and_groups_narrow_each_other(watched):
    page = watched.open()
    assert watched.shown_claims() == ALL and count(page) == "5 claims"
    button(page, "verdict", "reproduced").click()
    assert watched.shown_claims() == REPRODUCED
    button(page, "verdict", "contradicted").click()
    assert watched.shown_claims() == REPRODUCED + SECONDARY
    button(page, "role", "secondary").click()
    assert watched.shown_claims() == SECONDARY
    assert count(page) == "2 of 5 claims; verdict: reproduced or contradicted; role: secondary"
    assert button(page, "role", "secondary").get_attribute("aria-pressed") == "true"
    button(page, "role", "secondary").click()
    assert watched.shown_claims() == REPRODUCED + SECONDARY
    page.locator("#_reset").click()
    assert watched.shown_claims() == ALL and count(page) == "5 claims"


@pytest.mark.parametrize(
    ("name", "choice", "found"),
    [
        ("source", "'A write-up' (2020)", ["made/bad-is-close"]),
        ("source", "somebody else 2019", ["made/bad-is-close"]),
        ("experiment", "made", ALL),
        ("profile", "quick", NOT_RUN),
    ],
)
def test_each_group_filters_by_its_own_fact(watched, name, choice, found):
    page = watched.open()
    group = page.locator(f"[data-filter={name}]")
    if group.is_hidden():
        group.locator("xpath=ancestor::details/summary").click()
    page.locator(f'[data-filter={name}] [data-choice="{choice}"]').click()
    assert watched.shown_claims() == found


def test_a_search_finds_all_its_words_in_any_order_and_case(watched):
    page = watched.open()
    page.locator("#_search").fill("BAD  close")
    assert watched.shown_claims() == SECONDARY
    page.locator("#_search").fill("nowhere")
    assert watched.shown_claims() == [] and count(page) == "0 of 5 claims; text: nowhere"
    assert not page.locator("#made").is_visible()


def test_the_address_keeps_the_state_and_brings_it_back(watched):
    page = watched.open()
    button(page, "verdict", "contradicted").click()
    page.locator("#_search").fill("bad & close")
    page.locator("#_search").fill("bad close")
    rest = page.evaluate("location.search")  # page.url is told of a change some time after it
    assert rest == "?q=bad+close&verdict=contradicted"
    page = watched.open(rest)
    assert watched.shown_claims() == SECONDARY
    assert page.locator("#_search").input_value() == "bad close"
    assert button(page, "verdict", "contradicted").get_attribute("aria-pressed") == "true"
    page = watched.open("?experiment=made")
    assert watched.shown_claims() == ALL
    assert page.locator("[data-filter=experiment]").is_visible()


# ---- claims ---------------------------------------------------------------------------------------------------------


def test_a_link_to_a_claim_opens_it_even_if_the_filter_hides_it(watched):
    page = watched.open("?verdict=reproduced#made/bad-is-close")
    claim = page.locator("[id='made/bad-is-close']")
    assert claim.get_attribute("open") is not None
    assert claim.locator("summary").first.bounding_box()["y"] < 100
    assert page.evaluate("document.activeElement.parentElement.id") == "made/bad-is-close"
    assert page.locator("[id='made/both-succeed']").is_hidden()


def test_a_row_of_the_scoreboard_leads_to_its_claim(watched):
    page = watched.open()
    page.get_by_role("link", name="good comes within 1.0 of the data").click()
    page.wait_for_url("**#made/good-is-close")
    assert page.locator("[id='made/good-is-close'] .strip-plot").first.is_visible()


def test_a_dot_says_its_seed_value_and_run_on_hover_and_on_focus(watched):
    page = watched.open("#made/good-beats-bad")
    tip, dots = page.locator("#_tip"), page.locator("[id='made/good-beats-bad'] .strip-plot >> nth=0").locator(".dot")
    assert dots.count() == 16 and tip.is_hidden()
    dots.nth(1).hover()
    assert tip.inner_text().startswith("seed 1: 7 (good-") and tip.inner_text().endswith("-s1)")
    page.mouse.move(5, 5)
    assert tip.is_hidden()
    dots.nth(0).focus()
    assert tip.inner_text().startswith("seed 0: 8 (good-")
    page.keyboard.press("ArrowRight")
    assert tip.inner_text().startswith("seed 1: 7 (good-")
    page.keyboard.press("End")
    assert tip.inner_text().startswith("seed 7: diverged, counts as 0 (bad-")
    page.keyboard.press("ArrowRight")
    assert tip.inner_text().startswith("seed 7: diverged")
    page.keyboard.press("Home")
    assert tip.inner_text().startswith("seed 0: 8 (good-")
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_the_tab_key_stops_once_at_each_strip_plot(watched):
    page = watched.open("#made/good-beats-bad")
    plots = page.locator("[id='made/good-beats-bad'] .strip-plot")
    stops = [plot.locator("[tabindex='0']").count() for plot in plots.all()]
    assert stops == [1, 0]  # the difference of an unpaired test has no dots


def test_a_diverged_run_lies_at_the_edge_of_the_plot(watched):
    page = watched.open("#made/good-beats-bad")
    plot = page.locator("[id='made/good-beats-bad'] .strip-plot").first
    box, lost = plot.bounding_box(), plot.locator(".lost").bounding_box()
    others = [dot.bounding_box()["x"] for dot in plot.locator("circle.dot").all()]
    assert box["x"] <= lost["x"] and lost["x"] + lost["width"] < min(others)


def test_the_commands_are_copied(browser, path):
    for watched in watch(browser, path, permissions=["clipboard-read", "clipboard-write"]):
        page = watched.open("#made/good-beats-bad")
        page.locator("[id='made/good-beats-bad'] .copy").nth(1).click()
        page.get_by_text("Copied").wait_for()
        words = shlex.split(page.evaluate("navigator.clipboard.readText()"))
        assert words[:2] == ["wganbench", "run"] and words[2].endswith(":good-beats-bad")


# ---- figures, tables, downloads -------------------------------------------------------------------------------------


def test_a_figure_opens_in_full_size_and_closes_by_key_and_button(watched):
    page = watched.open("#made")
    opener, dialog = page.locator("#made .enlarge").first, page.locator("#_dialog")
    for close in (lambda: page.keyboard.press("Escape"), page.locator("#_close").click):
        opener.focus()
        page.keyboard.press("Enter")
        assert dialog.is_visible()
        image = page.locator("#_large")
        assert image.evaluate("image => [image.naturalWidth, image.width]") == [SIZE[0], SIZE[0]]
        assert image.get_attribute("alt") == opener.locator("img").get_attribute("alt")
        close()
        assert dialog.is_hidden()
        assert opener.evaluate("opener => opener === document.activeElement")


def test_the_slider_shows_the_images_of_its_step(watched):
    page = watched.open("#images")
    slider, output = page.locator(".film input"), page.locator(".film output")
    whole, short = page.locator(".film svg").all()
    assert output.inner_text() == "100" and whole.get_attribute("viewBox") == "12 0 6 4"
    assert page.locator(".film .gone").all_inner_texts() == ["", " diverged at step 50"]
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert (output.inner_text(), slider.get_attribute("aria-valuetext")) == ("10", "step 10")
    assert [each.get_attribute("viewBox") for each in (whole, short)] == ["6 0 6 4", "6 0 6 4"]
    assert page.locator(".film .gone").all_inner_texts() == ["", ""]
    page.keyboard.press("Home")
    assert [each.get_attribute("viewBox") for each in (whole, short)] == ["0 0 6 4", "0 0 6 4"]
    assert whole.get_attribute("aria-label") == "Images of whole seed 0 at step 0"


def test_a_table_is_sorted_by_numbers_and_then_the_other_way_round(watched):
    page = watched.open("#made/good-beats-bad")
    claim = page.locator("[id='made/good-beats-bad']")
    claim.locator(".runs > summary").click()
    table = claim.locator(".runs table")
    heading = table.get_by_role("columnheader", name="counts as")
    cells = table.locator("tbody tr td:nth-child(4)")
    heading.get_by_role("button").click()
    found = [float(text) for text in cells.all_inner_texts()]
    assert found == sorted(found) and heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    assert [float(text) for text in cells.all_inner_texts()] == found[::-1]
    assert heading.get_attribute("aria-sort") == "descending"


def test_the_runs_are_downloaded_as_csv(watched, results):
    page = watched.open()
    own = {name: each for name, each in results.records.items() if each.experiment == "made"}
    for name, records in (("made", own), ("", results.records)):
        with page.expect_download() as download:
            page.locator(f".download[data-experiment='{name}']").click()
        assert download.value.suggested_filename == f"{name or 'all'}-runs.csv"
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
        assert {row["run"] for row in rows} == records.keys()
        values = {row["run"]: row["sectors_occupied"] for row in rows}
        for run in own:
            value = own[run].measures.get("sectors_occupied")
            assert values[run] == ("" if value is None else f"{value:g}")


# ---- light, dark, paper ---------------------------------------------------------------------------------------------


def paper(page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_page_is_dark_where_the_system_is_and_a_button_changes_that(browser, path):
    for watched in watch(browser, path, color_scheme="dark"):
        page = watched.open()
        assert paper(page) == "rgb(20, 24, 29)"
        page.get_by_role("button", name="Light").click()
        assert paper(page) == "rgb(255, 255, 255)"
        assert paper(watched.open()) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_is_never_wider_than_the_screen(browser, path, width):
    for watched in watch(browser, path, viewport={"width": width, "height": 800}):
        page = watched.open()
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_print_opens_what_is_folded_away_and_states_the_filter(watched):
    page = watched.open("?verdict=contradicted")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("[id='made/bad-is-close'] .strip-plot").first.is_visible()
    assert page.locator("[id='made/good-beats-bad']").is_hidden()
    assert count(page) == "2 of 5 claims; verdict: contradicted" and page.locator("#_count").is_visible()
    assert page.locator("#_filters").is_hidden()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("[id='made/bad-is-close']").get_attribute("open") is None


def test_without_scripts_everything_is_there_to_read(browser, path):
    for watched in watch(browser, path, java_script_enabled=False):
        page = watched.open()
        assert page.locator("#_claims tbody tr").count() == 5
        assert page.locator("#_filters").is_hidden()
        page.locator("[id='made/good-is-close'] > summary").click()
        assert page.locator("[id='made/good-is-close'] .strip-plot").first.is_visible()


# ---- safety and accessibility ---------------------------------------------------------------------------------------


def test_hostile_texts_run_nothing_and_are_not_blocked_either(browser, results, tmp_path):
    evil = "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title = 'hacked'\">"
    experiment, images = results.experiments
    attacked = experiment.model_copy(update={"title": evil, "source": evil, "deviations": [evil, f"</script>{evil}"]})
    page_of = dataclasses.replace(results, experiments=(attacked, images))
    written = page_of.write()
    copy = tmp_path / "index.html"
    copy.write_bytes(written.read_bytes())
    results.write()
    for watched in watch(browser, copy):
        page = watched.open()
        assert page.title() == "wganbench: results"
        assert evil in page.locator("#made h2").first.inner_text()
        watched.complaints = [each for each in watched.complaints if "ERR_FILE_NOT_FOUND" not in each]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, path, scheme):
    if not Path(AXE).is_file():
        pytest.skip(f"no axe-core: {AXE} is missing; 'npm install axe-core', or name its axe.min.js in AXE_CORE")
    for watched in watch(browser, path, color_scheme=scheme):
        page = watched.open()
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        page.evaluate(Path(AXE).read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(found => found.violations)")
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in serious] == []
