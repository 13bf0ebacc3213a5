"""A tool's schema in the dialects of APIs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.support.json_text import read_json, write_json
from purewasm_plugins.tools.schema.dialects import (
    GEMINI,
    MODEL,
    OLLAMA,
    PROTOCOL,
    WRAPPER,
    Dialect,
    is_wrapped,
    written,
)
from purewasm_plugins.tools.schema.schemas import Schema
from tests.tools import vendors

EMPTY = {"type": "object", "properties": {}}
TEXT = {"type": "string"}
DIALECTS = {"model": MODEL, "gemini": GEMINI, "ollama": OLLAMA, "mcp": PROTOCOL}


def object_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize(
    "schema",
    [
        EMPTY,
        object_of(a=TEXT, b={"type": ["integer", "null"], "description": "How many"}),
        object_of(a={"enum": ["x", "y"]}) | {"required": ["a"]},
        object_of(a={"type": "array", "items": TEXT}),
    ],
)
def test_what_all_apis_know_stays_as_it_is(schema: dict[str, Any], dialect: Dialect) -> None:
    assert written("What it does", schema, dialect) == ("What it does", schema)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, EMPTY),
        (
            object_of(a={"additionalProperties": True}) | {"additionalProperties": False},
            object_of(a={"additionalProperties": True}) | {"additionalProperties": False},
        ),
        ({"type": ["object", "null"]}, EMPTY),
        (object_of(a=True, b=False), object_of(a={}, b={"not": {}})),
        (object_of(a={"type": "array"}), object_of(a={"type": "array", "items": {}})),
        (
            object_of(a={"items": [TEXT], "additionalItems": False}),
            object_of(a={"prefixItems": [TEXT], "items": {"not": {}}}),
        ),
        (object_of(a={"items": {}, "additionalItems": False}), object_of(a={"items": {}})),
        (
            {"definitions": {"x": TEXT}, "properties": {"a": {"$ref": "#/definitions/x"}}},
            object_of(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": TEXT}},
        ),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "$id": "x", "x-more": 1}, EMPTY),
        (
            object_of(a={"description": 5, "title": [], "minLength": 1.5}),
            object_of(a={"minLength": 2}),
        ),
        (
            object_of(a={"maxItems": 2.5, "required": ["x", "x"]}),
            object_of(a={"maxItems": 2, "required": ["x"]}),
        ),
    ],
)
def test_older_drafts_and_wrong_forms(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    for dialect in (MODEL, PROTOCOL):
        assert written("", schema, dialect) == ("", expected)


@pytest.mark.parametrize(
    "rule",
    [
        {"type": []},
        {"anyOf": []},
        {"multipleOf": 0},
        {"dependentRequired": {"a": ["b", "b"]}},
        {"dependencies": {"a": ["b", "b"], "c": {}}},
    ],
)
def test_rules_that_the_newest_draft_does_not_have(rule: dict[str, Any]) -> None:
    said = f"Its JSON Schema also has: {write_json(rule)}"
    for dialect in (MODEL, PROTOCOL):
        _, schema = written("", object_of(a=rule), dialect)
        assert schema == object_of(a={"description": said})


def test_the_draft_is_named_where_all_of_it_is_known() -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | EMPTY
    assert written("", schema, PROTOCOL)[1] == schema
    assert written("", schema, GEMINI)[1] == EMPTY


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [object_of(a=TEXT), object_of(b=TEXT)]},
        {"$ref": "#/$defs/x", "$defs": {"x": object_of(a=TEXT)}},
        {"enum": [{}, {"a": 1}]},
        {"type": "array"},
        object_of(größe=TEXT),
        object_of(**{"x" * 65: TEXT}),
    ],
)
def test_a_schema_that_cannot_be_at_the_root(schema: dict[str, Any]) -> None:
    assert is_wrapped(schema, MODEL)
    _, root = written("", schema, MODEL)
    assert root["required"] == [WRAPPER]
    assert list(root["properties"]) == [WRAPPER]
    assert is_wrapped(schema, PROTOCOL) == (schema.get("type") == "array")


def test_references_lead_to_where_the_parts_are() -> None:
    schema = {
        "oneOf": [{"$ref": "#/definitions/x"}, {"$ref": "#/properties/b"}, {"$ref": "#"}],
        "properties": {"b": TEXT},
        "definitions": {"x": {"$ref": "#/properties/b"}},
    }
    _, root = written("", schema, MODEL)
    assert root["$defs"] == {"x": {"$ref": "#/properties/arguments/properties/b"}}
    assert root["properties"][WRAPPER]["oneOf"] == [
        {"$ref": "#/$defs/x"},
        {"$ref": "#/properties/arguments/properties/b"},
        {"$ref": "#/properties/arguments"},
    ]
    Schema(root)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"const": 5}, {"enum": [5]}),
        ({"const": True}, {"description": 'Its JSON Schema also has: {"enum":[true]}'}),
        (
            {"type": "string", "pattern": "^a", "description": "A name."},
            {"type": "string", "description": 'A name. Its JSON Schema also has: {"pattern":"^a"}'},
        ),
        ({"$ref": "#/$defs/x", "title": "X"}, {"title": "X", "anyOf": [{"$ref": "#/$defs/x"}]}),
        (
            {"$ref": "#/$defs/x", "anyOf": [TEXT]},
            {
                "anyOf": [TEXT],
                "description": 'Its JSON Schema also has: {"$ref":"#/$defs/x"}',
            },
        ),
        (
            {"type": "integer", "default": 3, "readOnly": True},
            {"type": "integer", "description": 'Its JSON Schema also has: {"default":3}'},
        ),
        (
            {"patternProperties": {"^a": TEXT}, "additionalProperties": False},
            {
                "description": "Its JSON Schema also has: "
                '{"patternProperties":{"^a":{"type":"string"}},"additionalProperties":false}'
            },
        ),
    ],
)
def test_what_gemini_cannot_say_is_said_in_words(
    part: dict[str, Any], expected: dict[str, Any]
) -> None:
    schema = object_of(a=part) | {"$defs": {"x": TEXT}}
    assert written("", schema, GEMINI) == ("", object_of(a=expected) | {"$defs": {"x": TEXT}})


def test_the_rules_of_the_root_are_in_the_description_of_the_tool() -> None:
    description, schema = written("Counts.", EMPTY | {"minProperties": 1}, GEMINI)
    assert description == 'Counts. Its JSON Schema also has: {"minProperties":1}'
    assert schema == EMPTY


def test_nested_objects_for_ollama() -> None:
    point = object_of(x={"type": "number"}) | {"required": ["x"]}
    _, schema = written("", object_of(a=point, b={"type": "array", "items": point}), OLLAMA)
    assert schema["properties"]["b"]["items"] == point
    assert schema["properties"]["a"] == {
        "type": "object",
        "description": "Its JSON Schema also has: "
        '{"properties":{"x":{"type":"number"}},"required":["x"]}',
    }


def test_a_reference_to_what_the_dialect_does_not_have() -> None:
    schema = object_of(a={"not": {"enum": [1]}}, b={"$ref": "#/properties/a/not"})
    description, root = written("", schema, GEMINI)
    assert root == EMPTY
    assert '"$ref":"#/properties/a/not"' in description


def test_half_a_surrogate_pair() -> None:
    description, schema = written("\ud800", object_of(a={"enum": ["\udfff"]}), MODEL)
    assert (description, schema["properties"]["a"]) == ("?", {"enum": ["?"]})


def test_rules_have_a_bound() -> None:
    part = {"pattern": "a" * 10_000}
    _, schema = written("", object_of(**{f"a{index}": part for index in range(50)}), GEMINI)
    assert all(len(part["description"]) < 4_100 for part in schema["properties"].values())


def test_a_schema_nested_as_deep_as_a_registry_accepts() -> None:
    schema: dict[str, Any] = {}
    for _ in range(98):
        schema = object_of(a=schema)
    Schema(schema)
    for dialect in DIALECTS.values():
        _, root = written("", schema, dialect)
        assert root["type"] == "object"
    _, root = written("", {"anyOf": [schema]}, MODEL)
    Schema(root)


KEYS = st.sampled_from(["a", "b", "größe", "x y", "x" * 70])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["null", "boolean", "number", "integer", "string", "array", "object"])
COUNTS = st.sampled_from([0, 1, 2, 0.5, 1.5, 2.0])


def extended(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=2)
    named = st.dictionaries(KEYS, inner, max_size=3)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("not", "additionalProperties", "contains", "propertyNames", "if"), inner),
        **dict.fromkeys(("then", "else", "additionalItems"), inner),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), lists),
        "items": inner | lists,
        "properties": named,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=2),
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        "required": st.lists(KEYS, max_size=2),
        "dependentRequired": st.dictionaries(KEYS, st.lists(KEYS, max_size=1), max_size=1),
        "pattern": st.just("^a"),
        "minimum": st.integers(-1, 1),
        "multipleOf": st.just(2),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), COUNTS),
        **dict.fromkeys(("description", "title", "examples", "format", "default"), VALUES),
        "$comment": VALUES,
        "x-unknown": VALUES,
    }
    some = st.sets(st.sampled_from(sorted(keywords)), max_size=4)
    return some.flatmap(lambda names: st.fixed_dictionaries({n: keywords[n] for n in names}))


BOOLEANS: st.SearchStrategy[Any] = st.booleans()
SCHEMAS = st.recursive(BOOLEANS, extended, max_leaves=8)
ROOTS = extended(SCHEMAS)


@given(ROOTS, st.dictionaries(KEYS, VALUES, max_size=4))
def test_apis_accept_each_schema_and_it_refuses_no_arguments_that_fit(
    schema: dict[str, Any], arguments: dict[str, Any]
) -> None:
    check = Schema(schema)
    for name, dialect in DIALECTS.items():
        _, root = written("", schema, dialect)
        entry = {"name": "x", "description": "", "inputSchema": root}
        vendors.check("mcp", [entry])
        if name != "mcp":
            vendors.check_root(root)
        try:
            check.check(arguments, "arguments")
        except ValueError:
            continue
        sent = {WRAPPER: arguments} if is_wrapped(schema, dialect) else arguments
        if name == "gemini":
            # It takes one for the other, and fewer keywords tell branches apart.
            root = read_json(write_json(root).replace('"oneOf"', '"anyOf"'))
        Schema(root).check(sent, name)
