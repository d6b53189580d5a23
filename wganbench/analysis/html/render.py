"""Renders the page with Jinja2: all text is escaped, and a policy in the page allows only its own script and style."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from wganbench.analysis.figures import drawings_of
from wganbench.analysis.html.figures import Link
from wganbench.analysis.html.page import Against, Page, gather
from wganbench.analysis.report import file_digests, fingerprint
from wganbench.analysis.results import Results
from wganbench.analysis.tables.table import shown_cells
from wganbench.analysis.verdict import Verdict
from wganbench.errors import RecordError
from wganbench.files import write_atomically
from wganbench.reading import read_bytes
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import CONTROL, Experiment

FILE = "index.html"
"""The name of the page in the results folder."""
TYPES = {".png": "image/png", ".gif": "image/gif"}
"""The types of the files that a self-contained page holds."""
MAX_FIGURE = 2**27
"""The largest of these files."""


def write_html(
    experiments: Sequence[Experiment],
    store: Store,
    records: Mapping[str, Record],
    verdicts: Mapping[str, Sequence[Verdict]],
    *,
    self_contained: bool = False,
    against: Against | None = None,
) -> Path:
    """Writes the page into the results folder, beside the figures that are drawn there.

    Args:
        records: The records that the report includes, by run id.
        verdicts: The verdicts of each experiment, by its name.
        self_contained: Whether the page holds the figures, instead of links to their files.
        against: The comparison with another folder, if there is one.

    Raises:
        RecordError: If a file that the page shows is missing or damaged, or the page cannot be written.
    """
    every = [Results(experiment, records) for experiment in experiments]
    drawings = {results.experiment.name: drawings_of(results) for results in every}
    link = embedded(store.root) if self_contained else linked
    page = gather(every, verdicts, drawings, store, fingerprint(file_digests(store, records)), link, against)
    path = store.root / FILE
    write_atomically(path, render(page).encode(), replace=True)
    return path


def linked(path: PurePosixPath) -> str:
    """Returns the address of a file relative to the page."""
    return quote(str(path))


def embedded(root: Path) -> Link:
    """Returns a function that gives the content of a file as a ``data:`` address."""

    def link(path: PurePosixPath) -> str:
        file = root / path
        try:
            content = read_bytes(file, MAX_FIGURE)
        except OSError as error:
            raise RecordError(f"{file}: cannot be read ({error.strerror}); 'wganbench report' draws it") from None
        return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(content).decode()}"

    return link


def render(page: Page) -> str:
    """Returns the page as HTML: the same text for the same page."""
    return render_template("page.html", has_script=True, page=page, runs=data_block(page.runs))


def render_template(name: str, *, has_script: bool, **content: object) -> str:
    """Returns a page as HTML: the same text for the same content.

    Args:
        name: The template.
        has_script: Whether the page has the script of the report.
        content: What the template shows.
    """
    loader = jinja2.PackageLoader("wganbench.analysis.html")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "cells": shown_cells, "anchor": lambda text: quote(text, safe="/")}
    style, script = (_source(environment, name) for name in ("style.css", "script.js"))
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src 'self' file: data:",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'" if has_script else "script-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    markup = {"style": Markup(style), **({"script": Markup(script)} if has_script else {})}
    return environment.get_template(name).render(policy=policy, **markup, **content)


def clean(value: object) -> object:
    """Returns a value for the page, whose control characters are shown as question marks."""
    return CONTROL.sub("?", value) if isinstance(value, str) and not isinstance(value, Markup) else value


def plain(text: str) -> str:
    """Returns the text of a cell or a note without its Markdown."""
    return text.replace("**", "").replace("`", "").replace("*", "")


def data_block(content: Any) -> Markup:
    """Returns JSON for a script element that is data: no text in it can end the element."""
    text = json.dumps(_clean_all(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _clean_all(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(clean(key)): _clean_all(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_clean_all(value) for value in content]
    return clean(content)


def _source(environment: jinja2.Environment, name: str) -> str:
    """Returns the text of a file beside the templates, which is no template."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _digest(text: str) -> str:
    """Returns the hash by which a policy allows a script or a style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
