"""CONTRIBUTING.md and docs/ name only tests and files that exist, and their examples are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wganbench.spec import load

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_test_that_is_to_hold_a_promise_exists():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", "\n".join(page.read_text(encoding="utf-8") for page in PAGES))
    assert len(named) > 20
    assert [name for name in named if f"\ndef {name}(" not in sources] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_path_of_a_page_leads_to_a_file(page):
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    paths = re.findall(r"`((?:\w+/)+\w+\.py)`", text)
    assert [path for path in paths if not (ROOT / path).exists() and not (ROOT / "wganbench" / path).exists()] == []


def test_the_example_of_a_spec_with_a_matrix_and_checks_says_what_the_page_says_of_it(tmp_path):
    page = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "mine.toml").write_text(example, encoding="utf-8")
    spec = load(tmp_path / "mine.toml")
    swept = ["weight-1", "weight-10", "weight-100"]
    assert [name for name in spec.variants if name.startswith("weight-")] == swept
    assert spec.setting("weight-10", "reduced").constraint.options["penalty_weight"] == 10.0
    several, alone = spec.claims
    assert [check.id for check in several.checks] == [f"{name}-is-close" for name in swept]
    assert (several.role, alone.role) == ("primary", "secondary")
    assert [check.id for check in alone.checks] == [alone.id]
    assert all(spec.seen_before(claim) and spec.seeds_of(claim) == {*range(100, 108)} for claim in spec.claims)
