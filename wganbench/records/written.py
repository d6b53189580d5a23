"""Writes and parses the text of a record, and computes the checksum of its content.

The text is JSON with one field per line, and each curve on its own line. The checksum is taken over the canonical text
of the same content, which has sorted keys and no spaces. Building that text from the parsed content takes longer than
the rest of reading a record, so ``cut`` takes most of it directly from the text that was read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class TwiceError(ValueError):
    """Raised for a key that occurs twice in one table, where JSON would silently drop the first value."""


def parse(text: str) -> Any:
    """Parses JSON.

    Raises:
        TwiceError: If a key occurs twice in one table.
        ValueError: If the text is not JSON.
    """
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise TwiceError(next(key for key in keys if keys.count(key) > 1))
    return content


def text_of(content: Mapping[str, Any]) -> str:
    """Returns the text of a record, which includes its checksum.

    Args:
        content: The record's content as JSON values.
    """
    lines = []
    for key, value in {"checksum": checksum_of(content), **content}.items():
        if key == "curves":
            rows = ",\n".join(f"    {json.dumps(name)}: {json.dumps(curve)}" for name, curve in value.items())
            lines.append(f'  "curves": {{\n{rows}\n  }}' if value else '  "curves": {}')
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def checksum_of(content: Mapping[str, Any]) -> str:
    """Computes the SHA-256 of the canonical text of ``content``."""
    return _digest(canonical(content))


def stated(start: str) -> str | None:
    """Returns the checksum stated in the first 100 characters of a record's text; None if it has another layout."""
    found = _STATED.match(start)
    return found[1] if found else None


_STATED = re.compile(r'\{\s*"checksum": "([0-9a-f]{64})"')


def canonical(content: object) -> str:
    """Encodes ``content`` as JSON with sorted keys and no spaces."""
    return _canonical.encode(content)


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Cut:
    """A record's text cut into three pieces, each of which may be broken.

    Attributes:
        setting, curves: The JSON values of the fields of these names.
        rest: A JSON object with all other fields, including the stated checksum.
    """

    setting: str
    curves: str
    rest: str

    def checksum(self, setting: str, rest: Mapping[str, Any]) -> str | None:
        """Computes the checksum of the content, provided that its curves are laid out as ``text_of`` writes them.

        For any other layout the result is None or a checksum that matches no stated one, because it is taken over a
        text that is not canonical. Two differences go undetected: extra spaces between tokens, and duplicate keys.

        Args:
            setting: The canonical text of ``setting``.
            rest: The parsed content of ``rest``, without the stated checksum.
        """
        rows = self.curves.encode()[1:-1]
        if b"\\" in rows or b" " in b"".join(rows.split(b'"')[1::2]) or {"setting", "curves"} & rest.keys():
            return None
        curves = b",".join(sorted(rows.translate(None, b" ").split(b",\n"))).decode()
        before: dict[str, Any] = {}
        between: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for key, value in rest.items():
            (before if key < "curves" else between if key < "setting" else after)[key] = value
        fields = [
            *(canonical(before)[1:-1], f'"curves":{{{curves}}}'),
            *(canonical(between)[1:-1], f'"setting":{setting}', canonical(after)[1:-1]),
        ]
        return _digest(f"{{{','.join(filter(None, fields))}}}")

    def has_each_curve_once(self, n_curves: int) -> bool:
        """Returns whether the text names exactly what ``n_curves`` curves need: each one's name, steps and values."""
        return self.curves.count('"') == 2 * 3 * n_curves


def cut(text: str) -> Cut | None:
    """Cuts a text that ``text_of`` wrote into its pieces; returns None if it has another layout or no curves."""
    head, has_setting, tail = text.partition('\n  "setting": ')
    setting, _, tail = tail.partition(",\n")
    middle, has_curves, tail = tail.partition('\n  "curves": {\n')
    curves, is_closed, tail = tail.partition("\n  },\n")
    if not (has_setting and has_curves and is_closed):
        return None
    return Cut(setting, f"{{{curves}}}", f"{head}\n{middle}\n{tail}")
