"""The page as text: nothing of a spec or a record becomes markup, and the policy allows only its script and style."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.analysis.factory import BAD, GOOD, record
from tests.analysis.shown import Shown, shown
from wganbench.analysis.html import compared_with
from wganbench.analysis.html.render import data_block
from wganbench.errors import RecordError
from wganbench.records.record import write_text

VOID = {"meta", "link", "input", "img", "br"}
EVIL = '<script>alert(1)</script>" onload="alert(2)\' <img src=x onerror=alert(3)> javascript:alert(4) {{ 7 * 7 }} &lt;'
BREAKS_OUT = '</script><script>alert(5)</script></style></details>"\x1b[31mred\x1b[0m'


class Parsed(HTMLParser):
    """The elements and texts of a page; fails if elements are not nested properly."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def having(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


@pytest.fixture(scope="module")
def harmless(tmp_path_factory) -> Shown:
    return shown(tmp_path_factory.mktemp("harmless"))


@pytest.fixture(scope="module")
def page(harmless) -> Parsed:
    return Parsed(harmless.text())


@pytest.fixture(scope="module")
def attacked(tmp_path_factory) -> Shown:
    """The same with hostile texts wherever a spec or a record has one; some by passing by their checks."""
    found = shown(tmp_path_factory.mktemp("attacked"))
    experiment, images = found.experiments
    claims = [
        claim.model_copy(update={"says": f"{EVIL} {claim.id}", "source": f"{BREAKS_OUT}; 'a {EVIL}'"})
        for claim in experiment.claims
    ]
    texts = {"title": EVIL + BREAKS_OUT, "source": BREAKS_OUT, "deviations": [EVIL, BREAKS_OUT], "claims": claims}
    figures = [figure.model_copy(update={"title": EVIL + BREAKS_OUT}) for figure in experiment.figures]
    published = [row.model_copy(update={"source": EVIL, "row": BREAKS_OUT}) for row in experiment.published]
    profiles = {name: {**profile, "says": EVIL + BREAKS_OUT} for name, profile in experiment.profiles.items()}
    changes = {**texts, "figures": figures, "published": published, "profiles": profiles}
    experiment = experiment.model_copy(update=changes)
    failed = record(experiment, "good", 8, {}, status="failed", note=BREAKS_OUT + EVIL, steps_done=0)
    odd = record(experiment, "good", 9, {name: row[0] for name, row in GOOD.items()})
    odd = odd.model_copy(update={"measures": {**odd.measures, EVIL + BREAKS_OUT: 1.0}, "overrides": [BREAKS_OUT]})
    for each in (failed, odd):
        found.store.path(each).write_text(write_text(each), encoding="utf-8")
    pairs = zip(found.verdicts["made"], claims, strict=True)
    verdicts = [dataclasses.replace(verdict, claim=claim) for verdict, claim in pairs]
    records = {**found.records, failed.id: failed, odd.id: odd}
    return Shown((experiment, images), found.store, records, {**found.verdicts, "made": verdicts})


def test_hostile_texts_add_no_element_and_no_attribute(page, attacked):
    text = attacked.text()
    found = Parsed(text)
    assert {tag for tag, _ in found.elements} <= {tag for tag, _ in page.elements} | {"li"}
    assert len(found.of("script")) == len(found.of("style")) + 1 == 2
    names = {name for _, attributes in found.elements for name in attributes}
    assert names <= {name for _, attributes in page.elements for name in attributes}
    assert [name for name in names if name.startswith("on") or name in ("style", "srcdoc", "formaction")] == []
    assert "\x1b" not in text and "�" not in text
    assert "49" not in "".join(found.texts["h2"])


def test_hostile_texts_are_shown_as_they_are_but_for_control_characters(attacked):
    found = Parsed(attacked.text())
    assert EVIL in " ".join(found.texts["li"])
    assert BREAKS_OUT.replace("\x1b", "?") in " ".join(found.texts["li"])
    assert any(EVIL in text for text in found.texts["span"])


def test_every_address_leads_into_the_page_or_the_results_folder(page, attacked):
    for found in (page, Parsed(attacked.text())):
        ids = found.having("id")
        assert len(ids) == len({*ids})
        links = [*found.having("href"), *found.having("src")]
        inside = [link[1:] for link in links if link.startswith("#")]
        assert {unquote(link) for link in inside} <= {*ids}
        files = {link for link in links if not link.startswith("#")} - {"data:,"}
        assert files and all(re.fullmatch(r"(images|made)/[\w./-]+\.png", link) for link in files), files


def test_the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_else(harmless, page):
    (policy,) = [each["content"] for each in page.of("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    text = harmless.text()
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert "http:" not in policy and "https:" not in policy and "unsafe" not in policy


def test_every_claim_is_in_the_scoreboard_and_has_a_section_with_its_commands(page):
    rows = [attributes for attributes in page.of("tr") if "data-claim" in attributes]
    wanted = {"good-beats-bad", "good-is-close", "bad-is-close", "both-succeed", "good-is-quick"}
    assert {row["data-claim"] for row in rows} == {f"made/{name}" for name in wanted}
    sections = {each["id"] for each in page.of("details") if each.get("class") == "claim"}
    assert sections == {row["data-claim"] for row in rows}
    by_claim = {row["data-claim"]: row for row in rows}
    assert by_claim["made/bad-is-close"]["data-source"].split("\n") == ["somebody else 2019", "'A write-up' (2020)"]
    assert {row["data-verdict"] for row in rows} == {"reproduced", "contradicted", "not run"}
    codes = page.texts["code"]
    assert sum(code.startswith("wganbench explain made.toml:") or "explain" in code for code in codes) == len(rows)


def test_every_table_has_a_caption_and_every_heading_a_scope(harmless, page):
    text = harmless.text()
    tables = re.findall(r"<table.*?</table>", text, flags=re.DOTALL)
    assert len(tables) > 10
    assert [table for table in tables if not re.search(r"<caption>[^<]+</caption>", table)] == []
    assert [each for each in page.of("th") if each.get("scope") not in ("col", "row")] == []


def test_a_figure_s_alternative_text_says_what_it_shows(page):
    texts = [each["alt"] for each in page.of("img") if each["alt"]]
    curves = next(text for text in texts if "Curves" in text)
    assert "Curves over training of sectors_occupied, exact_wasserstein" in curves
    assert "Median sectors_occupied at the last step: good 8, bad 1" in curves
    assert "profile paper: the paper's own 100 steps" in curves


def test_the_images_over_training_come_from_the_strips_of_the_runs(page):
    (film,) = [each for each in page.of("figure") if each.get("class") == "film"]
    assert film["data-steps"] == "0 10 100"
    strips = [each for each in page.of("svg") if "data-steps" in each]
    assert [each["data-steps"] for each in strips] == ["0 10 100", "0 10"]
    assert [each["viewbox"] for each in strips] == ["12 0 6 4", "6 0 6 4"]
    assert [each["data-gone"] for each in strips] == ["", "diverged at step 50"]
    assert [each["width"] for each in page.of("image")] == ["18", "12"]


def test_the_data_of_the_download_are_those_of_the_records(harmless, page):
    (text,) = [data for data in page.texts["script"] if data.startswith('{"')]
    columns, rows = json.loads(text)["made"]
    found = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    own = {name: each for name, each in harmless.records.items() if each.experiment == "made"}
    assert found.keys() == own.keys()
    for name, each in own.items():
        assert (found[name]["seed"], found[name]["status"]) == (each.seed, each.status)
        assert found[name]["sectors_occupied"] == each.measures.get("sectors_occupied")


def test_no_text_can_end_the_element_that_holds_the_data():
    content = {"</script >": ["<!--", "a & b", "\x1b", 0.1, None]}
    text = str(data_block(content))
    assert not {"<", ">", "&"} & {*text}
    assert json.loads(text) == {"</script >": ["<!--", "a & b", "?", 0.1, None]}


def test_the_same_records_give_the_same_bytes(harmless):
    assert harmless.text() == harmless.text()


def test_a_self_contained_page_holds_its_figures_and_needs_no_other_file(tmp_path):
    found = shown(tmp_path)
    linked = found.text()
    text = found.write(self_contained=True).read_text(encoding="utf-8")
    page = Parsed(text)
    links = [*page.having("src"), *page.having("href")]
    assert [link[:40] for link in links if not link.startswith(("#", "data:"))] == []
    files = [unquote(link) for link in Parsed(linked).having("src") if not link.startswith("data:")]
    held = [link for link in page.having("src") if link.startswith("data:image/png")]
    decoded = [base64.b64decode(link.partition(",")[2]) for link in held]
    assert decoded == [(found.store.root / file).read_bytes() for file in files]
    (found.store.root / files[0]).unlink()
    with pytest.raises(RecordError, match=rf"{Path(files[0]).name}: cannot be read .*'wganbench report' draws it"):
        found.write(self_contained=True)


def test_a_page_beside_another_folder_begins_with_the_verdicts_that_changed(harmless):
    """In the other folder the runs of ``good`` have the numbers of ``bad``, so that it is no better and not close."""
    worse = {
        name: each.model_copy(update={"measures": {key: BAD[key][each.seed] for key in each.measures}})
        if each.variant == "good"
        else each
        for name, each in harmless.records.items()
    }
    beside = compared_with("last-week", harmless.experiments, harmless.records, worse)
    found = Parsed(harmless.write(against=beside).read_text(encoding="utf-8"))
    assert found.texts["h2"][1] == "Compared with last-week"
    captions = [text for text in found.texts["caption"] if text in ("Claims", "Measures")]
    assert captions == ["Claims", "Measures"]
    first = next(row for row in beside.tables[0].rows)
    assert first.cells["last-week"].startswith(("contradicted", "inconclusive"))
    assert first.cells["here"].startswith("reproduced")
    assert "changed" in found.texts["td"]


def test_a_page_alone_has_no_comparison(page):
    assert not [text for text in page.texts["h2"] if text.startswith("Compared")]
