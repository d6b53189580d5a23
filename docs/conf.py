"""How Sphinx builds one site from the README, docs/ and the pages of results/: ``tox -e docs``, without a network."""

import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HTML_REPORT = ROOT / "results" / "index.html"
"""What ``wganbench report --html`` writes, with figures beside it; it is part of the site if it is there."""

project = "wganbench"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "docs/examples/*.md",
    "results/README.md",
    "results/*/README.md",
    "results/judge/*/README.md",
]
exclude_patterns = [".*", "build", "dist", "runs", "tests", "tools", "wganbench", "benchmarks", "results/*/artefacts"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"page_width": "75em", "body_max_width": "none", "fixed_sidebar": True}
html_show_sourcelink = False
html_copy_source = False


def setup(app: Any) -> None:
    if HTML_REPORT.is_file():
        app.tags.add("html_report")
    app.connect("build-finished", _complete)


def _complete(app: Any, error: Exception | None) -> None:
    """Adds the front door, which leads to the first page, and the HTML report with its figures."""
    if error is not None:
        return
    site = Path(app.outdir)
    text = '<!doctype html><title>wganbench</title><meta http-equiv="refresh" content="0; url=docs/index.html">\n'
    (site / "index.html").write_text(text, encoding="utf-8")
    if HTML_REPORT.is_file():
        for path in [HTML_REPORT, *HTML_REPORT.parent.glob("*/figures/*")]:
            target = site / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
