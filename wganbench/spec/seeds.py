"""The text form of seeds: a count, or a list such as ``0,3,7-9``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from wganbench.errors import SpecError
from wganbench.spec.strict import short, short_name

MAX_SEEDS = 10_000


def parse_seeds(text: str, where: str = "--seeds") -> list[int]:
    """Parses a count, such as ``"5"`` for the seeds 0 to 4, or a list of seeds, such as ``"0,3,7-9"``.

    Raises:
        SpecError: If the text is neither, or names no seed or more than ``MAX_SEEDS``; the message begins with
            ``where``.
    """
    parts = re.split(r", ?", text)  # with a space, as reports list seeds
    ranges = [found for found in map(_seed_range, parts) if found is not None]
    if len(ranges) < len(parts) or not text.strip("0"):
        raise SpecError(f"{where} {short_name(text)}: must be a count of at least 1 or a list such as 0,3,7-9")
    if "," not in text and "-" not in text:
        ranges = [range(int(text))]
    if sum(map(len, ranges)) > MAX_SEEDS:
        raise SpecError(f"{where} {short_name(text)}: more than {MAX_SEEDS:,} seeds")
    return sorted(set().union(*ranges))


def check_list(text: str, what: str = "a list") -> str:
    """Returns ``text`` if it is a list of seeds; otherwise raises ValueError, which asks for ``what``."""
    if not {",", "-"} & set(text):
        raise ValueError(f"must be {what} such as '1024-1031', got {short(text)}")
    try:
        parse_seeds(text, "")
    except SpecError as error:
        raise ValueError(str(error).strip()) from None
    return text


LIST_SCHEMA = {"type": "string", "pattern": "^[0-9]+[-,]"}
SeedList = Annotated[str, AfterValidator(check_list), WithJsonSchema(LIST_SCHEMA)]
"""A list of seeds, such as ``"1024-1031"``."""


def listed(seeds: Iterable[int]) -> str:
    """Returns the shortest list of these seeds, such as ``"0-4, 7"``."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and runs[-1][-1] == seed - 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(f"{run[0]}-{run[-1]}" if run[1:] else str(run[0]) for run in runs)


def seeds_option(seeds: Iterable[int]) -> str:
    """Returns seeds as `parse_seeds` takes them; a single one as a range, since a number alone would be a count."""
    text = listed(seeds).replace(" ", "")
    return text if {",", "-"} & set(text) else f"{text}-{text}"


def _seed_range(text: str) -> range | None:
    """Parses ``"3"`` or ``"7-9"``; returns None for any other text, a descending range, or seeds above 31 bits."""
    match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", text)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return range(first, last + 1) if first <= last < 2**31 else None
