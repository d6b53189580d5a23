"""All names by kind, and the entry of a name."""

from __future__ import annotations

from collections.abc import Mapping

from wganbench.spec.catalogue.data import DATA_SETS, FIXED_GENERATORS
from wganbench.spec.catalogue.entry import CUSTOM, Entry, is_dotted
from wganbench.spec.catalogue.losses import CONSTRAINTS, OBJECTIVES, OPTIMIZERS
from wganbench.spec.catalogue.measures import MEASURES, PICTURES, SCORES
from wganbench.spec.catalogue.networks import NETWORKS
from wganbench.spec.strict import short, suggest

NAMES: Mapping[str, Mapping[str, Entry]] = {
    "data set": DATA_SETS,
    "fixed generator": FIXED_GENERATORS,
    "network": NETWORKS,
    "objective": OBJECTIVES,
    "constraint": CONSTRAINTS,
    "optimizer": OPTIMIZERS,
    "score": SCORES,
    "picture": PICTURES,
    "measure": MEASURES,
}


def find(kind: str, name: str) -> Entry:
    """Returns the entry of a built-in ``name``, or a new one for a dotted name, whose options are unknown.

    A custom constraint counts as a penalty, since it is not known what it does and a penalty costs more.

    Raises:
        ValueError: If the name is neither; the message suggests the nearest name.
    """
    table = NAMES[kind]
    if name in table:
        return table[name]
    if is_dotted(name):
        return Entry(
            name,
            scale=CUSTOM if kind == "measure" else None,
            role="penalty" if kind == "constraint" else None,
        )
    module, dot, attribute = name.rpartition(".")
    if dot and is_dotted(f"{module}:{attribute}"):
        raise ValueError(f"unknown {kind} {short(name)}; did you mean {f'{module}:{attribute}'!r}?")
    raise ValueError(f"unknown {kind} {short(name)}{suggest(name, table)}")
