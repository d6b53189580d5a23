"""The table of names against the objects that it names."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from wganbench.measures import transport
from wganbench.runner.resolve import import_object
from wganbench.spec import catalogue
from wganbench.spec.catalogue import NAMES, Entry

ENTRIES = [pytest.param(kind, name, entry, id=name) for kind, table in NAMES.items() for name, entry in table.items()]
MISSING = inspect.Parameter.empty


def default(field: FieldInfo) -> Any:
    return MISSING if field.is_required() else field.get_default(call_default_factory=True)


@pytest.mark.parametrize(("kind", "name", "entry"), ENTRIES)
def test_options_are_the_parameters_of_the_object_with_their_defaults(kind: str, name: str, entry: Entry):
    parameters = inspect.signature(import_object(kind, name)).parameters
    keyword_only = {key for key, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}
    options = {key: default(field) for key, field in entry.options.model_fields.items()}
    if kind == "optimizer":  # torch's own, of whose parameters a spec may set some
        assert options.keys() <= parameters.keys()
    else:
        assert options.keys() == keyword_only
    for key, value in options.items():
        theirs = parameters[key].default
        assert MISSING in (value, theirs) or value == theirs, f"{key} is {value} in a spec, {theirs} in the code"
        assert value is not None or theirs is None, f"{key} may be left out of a spec, and the code needs it"


@pytest.mark.parametrize(("kind", "name", "entry"), ENTRIES)
def test_no_name_looks_like_a_path(kind: str, name: str, entry: Entry):
    assert name.isidentifier()
    assert entry.path.count(":") == 1


def test_every_measure_says_how_its_numbers_are_read():
    assert [name for name, entry in NAMES["measure"].items() if entry.scale is None] == []


def test_a_spec_refuses_as_many_samples_as_the_transport_itself():
    assert catalogue.MAX_TRANSPORT_SAMPLES == transport.MAX_SAMPLES
    assert catalogue.TRANSPORT_BYTES == transport.BYTES_PER_PAIR
