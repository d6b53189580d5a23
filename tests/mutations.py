"""Specs and records as no user means them: drawn by hypothesis, in their bytes and in their content."""

from __future__ import annotations

import copy
import datetime
import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

DOTTED = ("os:system", "builtins:exec", "subprocess:run", "antigravity:fly", "nosuch.module:thing")
"""Names that must stay names; a thing that they would import is harmless enough to be imported by a broken test."""

NAMES = (
    *DOTTED,
    *("../../x", "/etc/passwd", "artefacts/../../x.npz", "a/b", ".", "", " ", "CON", "x" * 300, "x" * 70_000),
    *(
        "a\nb",
        "a\r\nb",
        "\x1b[31mred\x1b[0m",
        "\x1b]0;title\x07",
        "\x9b31m",
        "\0",
        "\x7f",
        "\ud800",
        "\u2028",
        "é",
        "🂡",
    ),
    *("%s", "{0}", "$(reboot)", "__class__", "[red]x[/red]", "[/]", "| a |", "$\\frac{", "<b>", "nan", "-", "None"),
)
NUMBERS = (
    *(float("nan"), float("inf"), float("-inf"), -0.0, 0.0, 5e-324, 1e-300, 1e300, 1.7e308, -1e300, 0.5, 1.0, 1e16),
    *(0, 1, -1, 2, 3, 17, 255, 10_000, 2**31, 2**62, 2**63, -(2**63), 10**400),
)
HOLDERS = ([], [[]], [{}], {}, {"name": "os:system"}, {"name": 3}, {"": 0}, ["os:system", 1, True], [0] * 3000)
DEEP = json.loads("[" * 40 + "]" * 40)
MOMENTS = (
    datetime.date(2026, 1, 1),
    datetime.time(1, 2),
    datetime.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=datetime.UTC),
)
KNOWN = (
    *("paper", "quick", "none", "adam", "rmsprop", "mlp", "wasserstein", "clip", "gradient_penalty", "gaussian_grid"),
    *("sectors_occupied", "exact_wasserstein", "drift", "permutation", "t", "welch", "binomial", "tost", "best"),
    *("diverged", "failed", "artefacts/x.npz", "0" * 64),
)
"""Words that mean something, somewhere else."""

VALUES = (True, False, DEEP, *NAMES, *NUMBERS, *HOLDERS, *KNOWN, *NUMBERS)

Draw = Callable[[st.SearchStrategy[Any]], Any]

# ---- content --------------------------------------------------------------------------------------------------------


def inside(value: object) -> list[Any]:
    """Keys of what is inside ``value``."""
    return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []


def at(content: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        content = content[key]
    return content


@st.composite
def places(draw: Draw, content: Any, often: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """The path to something inside ``content``, which is not empty; in half of all cases below one of ``often``."""
    often = tuple(key for key in often if key in content)
    place = (draw(st.sampled_from(often if often and draw(st.booleans()) else inside(content))),)
    while inside(at(content, place)) and draw(st.integers(0, 4)):
        place = (*place, draw(st.sampled_from(inside(at(content, place)))))
    return place


def words(content: object) -> list[str]:
    """Every string inside ``content``, keys too."""
    keys = [key for key in inside(content) if isinstance(key, str)]
    values = [word for key in inside(content) for word in words(at(content, (key,)))]
    return [content] if isinstance(content, str) else [*keys, *values]


ACTIONS = (*["nudge"] * 6, "replace", "replace", "graft", "graft", "remove", "add", "rename", "wrap")


@st.composite
def contents(draw: Draw, base: dict[str, Any], often: tuple[str, ...], more: tuple[Any, ...]) -> dict[str, Any]:
    """``base`` with one to three of its values nudged, replaced, removed, added, renamed, or taken from elsewhere."""
    content = copy.deepcopy(base)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        if not content:
            break
        place = draw(places(content, often))
        outer, key = at(content, place[:-1]), place[-1]
        value = copy.deepcopy(draw(st.sampled_from((*VALUES, *more))))
        match draw(st.sampled_from(ACTIONS)):
            case "nudge":
                outer[key] = draw(nudged(outer[key], words(content)))
            case "graft":
                outer[key] = copy.deepcopy(at(content, draw(places(content))))
            case "remove":
                del outer[key]
            case "add" if isinstance(outer, dict):
                outer[draw(st.sampled_from([*NAMES, *KNOWN, *map(str, outer)]))] = value
            case "add":
                outer.insert(key, value)
            case "rename" if isinstance(outer, dict):
                outer[draw(st.sampled_from([*NAMES, *KNOWN]))] = outer.pop(key)
            case "wrap":
                outer[key] = draw(st.sampled_from([[outer[key]], {"name": outer[key]}, [outer[key]] * 200]))
            case _:
                outer[key] = value
    return content


def nudged(value: object, known: list[str]) -> st.SearchStrategy[Any]:
    """Values of the same kind, which may well be allowed in its place."""
    kept: Any = value
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int | float):
        kind = type(value)
        near = st.sampled_from([kept * 10, kept * 1000, kept + 1, kept / 2 if kind is float else kept // 2, -kept])
        return near | st.sampled_from([number for number in NUMBERS if type(number) is kind])
    if isinstance(value, str):
        return st.sampled_from(known) | st.sampled_from([*NAMES, *KNOWN, kept * 2, f" {kept}", f"{kept}\n", kept[:-1]])
    if isinstance(value, list):
        return st.sampled_from([[], kept[:1], kept[::-1], kept + kept, kept[1:], [*kept, 0], [*kept, None]])
    keys = list(kept) if isinstance(value, dict) else []
    return st.sampled_from([{}, kept, *({key: kept[key]} for key in keys)])


def toml(content: Mapping[str, Any]) -> bytes:
    """A TOML file of one line a key."""
    text = "".join(f"{_quoted(key)} = {_inline(value)}\n" for key, value in content.items())
    return text.encode(errors="surrogatepass")


def _inline(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(key)} = {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# ---- archives -------------------------------------------------------------------------------------------------------

ARRAYS = (
    *(np.array(3), np.array([]), np.zeros((0, 2)), np.zeros((2, 0, 2)), np.zeros((2, 5)), np.zeros((2, 5, 3))),
    *(np.array(["a", "b"]), np.array([None, {}], dtype=object), np.array([True, False]), np.array([1j, 2j])),
    *(np.array([2**63, 1], dtype=np.uint64), np.array([-5, 10**18]), np.array(["2026-01-01"], dtype="datetime64[D]")),
    *(np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), np.zeros((1, 2), dtype="V8")),
)
NUMBERED = (0.0, -1.0, np.nan, np.inf, -np.inf, 1e-300, 1e38, 1e300)


@st.composite
def archives(draw: Draw, base: bytes) -> bytes:
    """The npz ``base`` with one of its arrays replaced, removed, cut, filled with one number, or of another type."""
    with np.load(io.BytesIO(base)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = draw(st.sampled_from(sorted(arrays)))
    array = arrays.pop(name)
    match draw(st.sampled_from(["replace", "remove", "cut", "fill", "one", "double", "rename"])):
        case "replace":
            arrays[name] = draw(st.sampled_from(ARRAYS))
        case "cut":
            arrays[name] = array[: draw(st.integers(0, 2))]
        case "fill":
            arrays[name] = np.full(array.shape, draw(st.sampled_from(NUMBERED)))
        case "one":
            arrays[name] = array.astype(np.float64)
            arrays[name].flat[0] = draw(st.sampled_from(NUMBERED))
        case "double":
            arrays[name] = np.concatenate([array, array])
        case "rename":
            arrays[draw(st.sampled_from(["steps", "real", "fake", "x", "picture.x", "a/../b"]))] = array
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


# ---- bytes ----------------------------------------------------------------------------------------------------------

PIECES = (
    *(b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\x1b[2J", b"\n", b"\n\n", b" ", b"\t", b"\\"),
    *(b"=", b"[", b"]", b"[[", b"]]", b"{", b"}", b'"', b"'", b'"""', b"'''", b",", b".", b"#", b":", b"-", b"+", b"_"),
    *(b"nan", b"-inf", b"NaN", b"Infinity", b"null", b"true", b"1e999", b"-0.0", b"0x7f", b"9" * 400, b"9" * 5000),
    *(b"\\ud800", b"\\u0000", b"\\u001b[31m", b"os:system", b"../../", b"1979-05-27T07:32:00Z"),
    *(b"[" * 3000, b"{a=" * 600, b'{"a":' * 3000, b"a." * 5000, b"\n[a." + b"a." * 300 + b"a]\n", b"x" * 70_000),
)
NUMBER = re.compile(rb"(?<![\w\"])-?[0-9][0-9_]*(\.[0-9]+)?(e-?[0-9]+)?")

CHANGES = ("flip", "delete", "repeat", "insert", "insert", "splice", "number", "line", "ends")


@st.composite
def texts(draw: Draw, base: bytes, others: tuple[bytes, ...]) -> bytes:
    """``base`` with one to four changes of its bytes; pieces of ``others`` may get into it."""
    text = base
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 1, 2, 5, 20, 100, 1000, 10_000]))
        before, span, after = text[:start], text[start : start + length], text[start + length :]
        match draw(st.sampled_from(CHANGES)):
            case "flip":
                bit = draw(st.sampled_from([1, 2, 4, 32, 128]))
                text = before + bytes(byte ^ bit for byte in span[:2]) + span[2:] + after
            case "delete":
                text = before + after
            case "repeat":
                text = before + span * draw(st.sampled_from([2, 3, 50])) + after
            case "insert":
                text = before + draw(st.sampled_from(PIECES)) + span + after
            case "splice":
                other = draw(st.sampled_from(others))
                begin = draw(st.integers(0, len(other)))
                text = before + other[begin : begin + length] + after
            case "number":
                found = list(NUMBER.finditer(text))
                if found:
                    match = draw(st.sampled_from(found))
                    new = draw(st.sampled_from([repr(value).encode() for value in NUMBERS]))
                    text = text[: match.start()] + new + text[match.end() :]
            case "line":
                lines = text.split(b"\n")
                line = draw(st.sampled_from(lines))
                lines.insert(draw(st.integers(0, len(lines))), line)
                text = b"\n".join(lines)
            case "ends":
                wide = text.decode(errors="replace").encode("utf-16")
                text = draw(st.sampled_from([text.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + text, wide]))
    return text
