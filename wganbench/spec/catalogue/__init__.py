"""Every name that a spec may use, with its dotted path, its options and its protocol. Imports no torch.

A built-in name is an alias of ``package.module:object``. A custom object is named by its dotted path and handled the
same way, with its options taken as given. Nothing here imports a path: only ``wganbench.runner`` does.

``protocol`` counts the changes that alter an object's numbers. It is part of the id of every run that uses the object,
so records made before such a change stop counting; ``tests/runner/test_golden.py`` fails if numbers change without it.
"""

from wganbench.spec.catalogue.data import n_modes, sample_shape
from wganbench.spec.catalogue.entry import CUSTOM, DOTTED, Entry, NonNegativeFloat, Options, Scale, is_dotted
from wganbench.spec.catalogue.measures import MAX_TRANSPORT_SAMPLES, TRANSPORT_BYTES
from wganbench.spec.catalogue.names import NAMES, find
from wganbench.spec.catalogue.networks import divide_filters
from wganbench.spec.strict import suggest

__all__ = [
    "CUSTOM",
    "DOTTED",
    "MAX_TRANSPORT_SAMPLES",
    "NAMES",
    "TRANSPORT_BYTES",
    "Entry",
    "NonNegativeFloat",
    "Options",
    "Scale",
    "divide_filters",
    "find",
    "is_dotted",
    "n_modes",
    "sample_shape",
    "suggest",
]
