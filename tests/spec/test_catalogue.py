"""The table of names against the objects that it names."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from wganbench.measures import transport
from wganbench.runner.resolve import import_object
from wganbench.spec import Component, catalogue
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
    if options.pop("filters_divided_by", MISSING) is None:  # applied to the width before the constructor is called
        assert catalogue.divide_filters({"filters": 6, "filters_divided_by": 3}) == {"filters": 2}
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


def test_a_constraint_is_a_projection_if_it_takes_parameters_alone():
    for name, entry in NAMES["constraint"].items():
        taken = [
            key
            for key, parameter in inspect.signature(import_object("constraint", name)).parameters.items()
            if parameter.kind is not parameter.KEYWORD_ONLY
        ]
        assert entry.role == ("projection" if taken == ["parameters"] else "penalty")


def test_every_measure_says_how_its_numbers_are_read():
    assert [name for name, entry in NAMES["measure"].items() if entry.scale is None] == []


def test_a_spec_refuses_as_many_samples_as_the_transport_itself():
    assert catalogue.MAX_TRANSPORT_SAMPLES == transport.MAX_SAMPLES
    assert catalogue.TRANSPORT_BYTES == transport.BYTES_PER_PAIR


# ---- what a spec tells of the samples -------------------------------------------------------------------------------


def without_files() -> list[Any]:
    return [name for name, entry in NAMES["data set"].items() if ".image_sets:" not in entry.path]


@pytest.mark.parametrize("name", without_files())
def test_a_sample_has_the_shape_that_a_spec_tells(name):
    component = Component.resolve("data set", name)
    data = import_object("data set", name)(**component.options)
    assert catalogue.sample_shape(name, component.options) == tuple(data.sample_shape)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"name": "gaussian", "dim": 7}, (7,)),
        ({"name": "cifar10"}, (3, 32, 32)),
        ({"name": "shapes10", "size": 16}, (3, 16, 16)),
        ({"name": "mnist"}, (1, 28, 28)),
        ({"name": "image_folder", "folder": "beds", "size": 64}, (3, 64, 64)),
        ({"name": "image_folder", "folder": "beds"}, None),  # the size is that of the files
        ({"name": "mine:beds", "size": 64}, None),
    ],
)
def test_images_have_the_shape_that_a_spec_tells(data, expected):
    component = Component.resolve("data set", data)
    assert catalogue.sample_shape(component.name, component.options) == expected


@pytest.mark.parametrize(
    "data",
    [{"name": name} for name in NAMES["data set"] if ".data.toy:" in NAMES["data set"][name].path]
    + [
        {"name": "gaussian_ring", "modes": 3},
        {"name": "double_circle", "modes": 10},
        {"name": "gaussian_grid", "side": 3},
    ],
)
def test_a_spec_states_the_number_of_modes_that_a_data_set_has(data):
    component = Component.resolve("data set", data)
    centres = getattr(import_object("data set", component.name)(**component.options), "centres", None)
    assert catalogue.n_modes(component.name, component.options) == (None if centres is None else len(centres))


def test_how_many_modes_a_custom_data_set_has_is_not_known():
    assert catalogue.n_modes("mine:ring", {"modes": 8}) is None


def test_every_image_set_is_known():
    named = [name for name, entry in NAMES["data set"].items() if ".image_sets:" in entry.path]
    assert named == [name for name, entry in NAMES["data set"].items() if entry.is_images]
