"""The text of a record: JSON, a field a line, curves on one line each; and the checksum of its content.

The checksum is of another text, of the same content: keys sorted, no spaces. To make that anew from what was read takes
longer than all else of reading a record, so ``cut`` takes most of it from the text as it lies there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class TwiceError(ValueError):
    """A key that stands twice in one table: its first value would count for nothing."""


def parse(text: str) -> Any:
    """The content of JSON.

    Raises:
        TwiceError: If a key stands twice in one table.
        ValueError: If it is not JSON.
    """
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise TwiceError(next(key for key in keys if keys.count(key) > 1))
    return content


def text_of(content: Mapping[str, Any]) -> str:
    """The record's text, which states its checksum.

    Args:
        content: Of the record, as JSON has it.
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
    """SHA-256 of the canonical text of ``content``."""
    return _digest(canonical(content))


def stated(start: str) -> str | None:
    """The checksum that a record's text states, from its first 100 letters; None if it is laid out otherwise."""
    found = _STATED.match(start)
    return found[1] if found else None


_STATED = re.compile(r'\{\s*"checksum": "([0-9a-f]{64})"')


def canonical(content: object) -> str:
    """JSON with its keys sorted and without spaces."""
    return _canonical.encode(content)


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Cut:
    """A record's text in three pieces, of which each may be broken.

    Attributes:
        setting, curves: The values of the fields of these names.
        rest: An object with all other fields, the stated checksum among them.
    """

    setting: str
    curves: str
    rest: str

    def checksum(self, setting: str, rest: Mapping[str, Any]) -> str | None:
        """The checksum of the content, if its curves are as ``text_of`` writes them.

        Else it is None, or that of a text which is no content's canonical one and so matches none that is stated: of
        other curves nothing but spaces between tokens, and keys that stand twice, go unseen.

        Args:
            setting: The canonical text of ``setting``.
            rest: What ``rest`` says, without the stated checksum.
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
        """Whether the curves have no more names than so many curves need: their own, their steps and their values."""
        return self.curves.count('"') == 2 * 3 * n_curves


def cut(text: str) -> Cut | None:
    """The pieces of a text that ``text_of`` wrote; None of a text that is laid out otherwise, or has no curves."""
    head, has_setting, tail = text.partition('\n  "setting": ')
    setting, _, tail = tail.partition(",\n")
    middle, has_curves, tail = tail.partition('\n  "curves": {\n')
    curves, is_closed, tail = tail.partition("\n  },\n")
    if not (has_setting and has_curves and is_closed):
        return None
    return Cut(setting, f"{{{curves}}}", f"{head}\n{middle}\n{tail}")
