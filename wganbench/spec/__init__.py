"""Specs: reads TOML into a frozen ``Experiment`` and reports all mistakes of a file together.

The top level of a spec describes the experiment (title, source, variants, profiles, claims, …) and may also have any
field of ``Setting`` as a default for every variant. The setting of a variant is merged from these, later over earlier:

    top level  <  variants.NAME  <  profiles.PROFILE  <  profiles.PROFILE.only.NAME  <  --set

Tables merge key by key, except that a table whose ``name`` changes is replaced. This package exports the names below.
"""

from wganbench.spec.architectures import Fitting
from wganbench.spec.claims import (
    Check,
    Claim,
    Comparison,
    Counts,
    Criterion,
    Equality,
    Equivalence,
    Level,
    McNemar,
    OverArchitectures,
    Statistic,
    Success,
    SuccessCurve,
    check_digest,
    claim_digest,
    claim_key,
    is_claim_key,
)
from wganbench.spec.component import RECORDED, Component, Kind
from wganbench.spec.experiment import MAX_STACK, Experiment
from wganbench.spec.figures import Figure
from wganbench.spec.loading import ABOUT, RESERVED, available, load, natural
from wganbench.spec.measure_use import GAPS, SCHEDULED, MeasureUse, is_timed, scale_of
from wganbench.spec.seeds import listed, parse_seeds
from wganbench.spec.setting import MAX_STEPS, Setting, family
from wganbench.spec.strict import BREAKS, CONTROL, MAX_FLOAT, Line, Model, Name, Text, mistakes, short, short_name
from wganbench.spec.tables import Published, SuccessTable

__all__ = [
    "ABOUT",
    "BREAKS",
    "CONTROL",
    "GAPS",
    "MAX_FLOAT",
    "MAX_STACK",
    "MAX_STEPS",
    "RECORDED",
    "RESERVED",
    "SCHEDULED",
    "Check",
    "Claim",
    "Comparison",
    "Component",
    "Counts",
    "Criterion",
    "Equality",
    "Equivalence",
    "Experiment",
    "Figure",
    "Fitting",
    "Kind",
    "Level",
    "Line",
    "McNemar",
    "MeasureUse",
    "Model",
    "Name",
    "OverArchitectures",
    "Published",
    "Setting",
    "Statistic",
    "Success",
    "SuccessCurve",
    "SuccessTable",
    "Text",
    "available",
    "check_digest",
    "claim_digest",
    "claim_key",
    "family",
    "is_claim_key",
    "is_timed",
    "listed",
    "load",
    "mistakes",
    "natural",
    "parse_seeds",
    "scale_of",
    "short",
    "short_name",
]
