"""Strict frozen models for specs and records, with readable validation messages and a digest of their content."""

from __future__ import annotations

import bisect
import difflib
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

Table = dict[str, Any]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
"""The name of an experiment, a variant, a profile or a claim: safe as a file name and in a run id."""

Words = Annotated[str, Field(min_length=1)]

MAX_MISTAKES = 20
"""The most mistakes reported for one file; a file with more is probably the wrong file."""

MAX_FLOAT = 1e100
"""The largest size of a number; larger ones, and reciprocals of ones below 1 / this, overflow if squared or summed."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that control a terminal (except line feeds and tabs), and those that UTF-8 cannot encode."""

MAX_DEPTH = 16
"""The deepest nesting of tables: far more than a spec or a record needs, far less than Python's stack holds."""


@lru_cache(maxsize=1024)  # most strings of a record also occur in the record before it
def printable(text: str) -> str:
    """Returns ``text`` if it can be printed and written unchanged; otherwise raises ValueError."""
    if CONTROL.search(text):
        raise ValueError(f"must have no control characters, got {short(text)}")
    return text


Text = Annotated[str, AfterValidator(printable)]

BREAKS = re.compile(r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""Characters at which a text goes on in another line, of which some programs know only a few."""


@lru_cache(maxsize=1024)
def one_line(text: str) -> str:
    """Returns ``text`` if it can be printed in one line; otherwise raises ValueError."""
    if BREAKS.search(text):
        raise ValueError(f"must be one line, got {short(text)}")
    return printable(text)


Line = Annotated[str, AfterValidator(one_line)]
"""A text that a report shows within its own lines, and that others may have written."""


def omitted_if(default: object) -> Any:
    """Returns a field that is omitted while it has its default, so that ids and records from before it stay valid."""
    return Field(exclude_if=lambda value: value == default)


LATER = omitted_if(None)
"""Marks an optional field that was added after the first records."""


class Model(BaseModel):
    """A frozen model that rejects unknown fields and converts no types: ``true`` and ``"5"`` are not numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


def digest(content: object) -> str:
    """Returns ten hexadecimal digits of a hash of JSON-like ``content``, the same on every machine and version."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def check_values(value: object, place: tuple[str, ...] = (), depth: int = 0) -> Iterator[str]:
    """Yields ``place: what is wrong`` for every value that JSON cannot hold or another program could not read."""
    if depth > MAX_DEPTH:
        yield join(place[:1], f"nested more than {MAX_DEPTH} deep")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if CONTROL.search(str(key)):
                yield join(place, f"a key must have no control characters, got {short(key)}")
            yield from check_values(item, (*place, short_name(key)), depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from check_values(item, place, depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield join(place, f"must be a finite number, got {value}")
        elif value and not 1 / MAX_FLOAT <= abs(value) <= MAX_FLOAT:
            yield join(place, f"must be 0 or between {1 / MAX_FLOAT} and {MAX_FLOAT} in size, got {value}")
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            yield join(place, "must be an integer of at most 64 bits")
    elif isinstance(value, str):
        if CONTROL.search(value):
            yield join(place, f"must have no control characters, got {short(value)}")
    elif value is not None:
        yield join(place, f"must be a number, a string, a list or a table, got the {type(value).__name__} {value}")


# ---- reporting mistakes -----------------------------------------------------------------------------------------


def mistakes(error: ValidationError, model: type[BaseModel], content: object = None) -> list[str]:
    """Returns the mistakes that pydantic found, each as one line ``place: what is wrong; what would be right``.

    Args:
        content: The validated content; if given, a claim is named by its id instead of its position.
    """
    found = error.errors(include_url=False)
    return limit_mistakes(line for item in found[: 2 * MAX_MISTAKES] for line in _lines(item, model, content))


def limit_mistakes(lines: Iterable[str]) -> list[str]:
    """Returns the first ``MAX_MISTAKES`` distinct lines, followed by a line that counts the rest, if any."""
    unique = list(dict.fromkeys(lines))
    if len(unique) <= MAX_MISTAKES:
        return unique
    return [*unique[:MAX_MISTAKES], f"and {len(unique) - MAX_MISTAKES} more mistakes"]


def _lines(item: ErrorDetails, model: type[BaseModel], content: object) -> Iterator[str]:
    kind, details, loc = item["type"], item.get("ctx", {}), item["loc"]
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        loc = (*loc, details["discriminator"].strip("'"))
    place = _place(loc, content, is_missing=kind in ("missing", "union_tag_not_found"))
    if kind == "value_error":
        for line in str(details["error"]).splitlines():
            yield join(place, line)
    elif kind == "extra_forbidden":
        known = _fields_near(model, loc[:-1])
        if "checks" in loc and "checks" not in place:  # in a claim, which has fields of its own beside its checks'
            known += _fields_near(model, loc[: loc.index("checks")])
        yield join(place[:-1], f"unknown field {short(loc[-1])}{suggest(str(loc[-1]), known)}")
    elif kind in ("missing", "union_tag_not_found"):
        yield join(place, "missing")
    elif kind == "union_tag_invalid":
        known = tuple(tag.strip("' ") for tag in details["expected_tags"].split(","))
        yield join(place, f"unknown value {short(details['tag'])}{suggest(str(details['tag']), known)}")
    else:
        message = item["msg"]
        for theirs, ours in _WORDS.items():
            message = re.sub(theirs, ours, message)
        yield join(place, f"{message}, got {short(item['input'])}")


_WORDS = {
    r"^\w+ should": "must",
    r"a valid dictionary( or instance of \w+)?": "a table",
    r"be greater than or equal to": "be at least",
    r"be less than or equal to": "be at most",
    r"a valid array": "a list",
    r" after validation, not \d+": "",
}
"""Replacements for pydantic's wording, as regular expressions."""


def _place(loc: tuple[str | int, ...], content: object, *, is_missing: bool) -> tuple[str, ...]:
    """Returns the place of a mistake as the file has it, without steps that exist only in validation, such as a tag.

    A field of a check that stands in the claim, for all of its checks, has its place there.
    """
    place: list[str] = []
    node, known = content, content is not None
    claim: Mapping[Any, Any] = {}
    depth = 0
    for part in loc:
        if known and isinstance(node, list) and isinstance(part, int):
            node = node[part]
            named = node.get("id") if isinstance(node, Mapping) else None
            place.append(short_name(named) if isinstance(named, str) else str(part))
        elif known and isinstance(node, Mapping) and part in node:
            if part == "checks":
                claim, depth = node, len(place)
            node = node[part]
            place.append(short_name(part))
        elif part in claim and part != "id":
            node = claim[part]
            place[depth:] = [short_name(part)]
        elif not known or (is_missing and part == loc[-1]):
            place.append(short_name(part))
    return tuple(place)


def join(place: tuple[str, ...], text: str) -> str:
    return f"{'.'.join(place)}: {text}" if place else text


@lru_cache
def _fields_near(model: type[BaseModel], place: tuple[str | int, ...]) -> tuple[str, ...]:
    """Returns the names of the fields at ``place`` inside ``model``, as far as its schema shows them."""
    schema = TypeAdapter(model).json_schema()
    node = schema
    for part in [None, *place]:
        if part is not None:
            node = _step(node, part)
        node = next((choice for choice in node.get("anyOf", []) if "$ref" in choice), node)
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return tuple(node.get("properties", ()))


def _step(node: Table, part: str | int) -> Table:
    tags = node.get("discriminator", {}).get("mapping", {})
    if part in tags:
        return {"$ref": tags[part]}
    inside = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
    assert isinstance(inside, dict)
    return inside


def suggest(word: str, known: Iterable[str]) -> str:
    """Returns ``"; did you mean 'x'?"``, or a list of the first ``LISTED`` known names if none is similar."""
    options = sorted(known)
    near = difflib.get_close_matches(word[:100], _likely(word, options), n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    rest = f" and {len(options) - LISTED} more" if len(options) > LISTED else ""
    return f"; known: {', '.join(options[:LISTED])}{rest}" if options else ""


LISTED = 60
"""The largest number of names that a message lists; a larger kind has hardly been written by hand."""
MANY = 200
"""The number of names from which on only the likely ones are compared in full, which takes 30 µs each."""


def _likely(word: str, options: Sequence[str]) -> Sequence[str]:
    """Returns those of many sorted options that are near ``word`` in the order of first or of last letters."""
    if len(options) <= MANY:
        return options
    backwards = sorted(option[::-1] for option in options)
    near = [*_around(word, options), *(option[::-1] for option in _around(word[::-1], backwards))]
    return list(dict.fromkeys(near))


def _around(word: str, options: Sequence[str]) -> Sequence[str]:
    place = bisect.bisect(options, word)
    return options[max(0, place - 10) : place + 10]


def short(value: object) -> str:
    """Returns the repr of ``value`` cut to at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def short_name(part: object) -> str:
    """Returns a key as it would appear in a file, quoted if it is not a bare word."""
    text = str(part)
    return text if re.fullmatch(r"[\w.:-]{1,64}", text) else short(text)
