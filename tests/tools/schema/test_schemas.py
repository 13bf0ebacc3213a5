"""JSON Schema: which values fit, which schemas are refused, and the cost of hostile ones."""

from __future__ import annotations

import builtins
import json
import re
import tracemalloc
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.tools.schema.schemas import Schema
from tests.conftest import label, need


def fits(schema: dict[str, Any], value: Any) -> bool:
    try:
        Schema(schema).check(value, "it")
    except ValueError:
        return False
    return True


#: A schema, values that fit it, and values that do not.
CASES: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
    ({}, [None, 1, [], {}], []),
    ({"title": "x", "format": "email", "default": 5, "unknown": 1}, ["x"], []),
    ({"type": "null"}, [None], [0, False]),
    ({"type": "boolean"}, [True], [0, None]),
    ({"type": "number"}, [1, 1.5, -1e300], [True, "1"]),
    ({"type": "integer"}, [1, 1.0, 10**30], [True, 1.5]),
    ({"type": "string"}, ["", "é"], [1]),
    ({"type": "array"}, [[], [1]], [{}]),
    ({"type": "object"}, [{}], [[]]),
    ({"type": ["string", "null"]}, ["", None], [0]),
    ({"enum": [1, "a", [1, {"b": None}]]}, [1.0, "a", [1, {"b": None}]], [True, [1], "b"]),
    ({"enum": []}, [], [None]),
    ({"const": {"a": 1, "b": [True]}}, [{"b": [True], "a": 1.0}], [{"a": 1, "b": [1]}, {"a": 1}]),
    ({"const": 0}, [0, 0.0, -0.0], [False, None, ""]),
    ({"minimum": 1, "maximum": 3}, [1, 3, "x", True], [0.9, 4]),
    ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [1.1, 2], [1, 3]),
    ({"multipleOf": 0.1}, [0.3, 2, 19.9, "x"], [0.35]),
    ({"multipleOf": 3}, [9, 9.0, 0, 3 * 10**30], [10, 1.5]),
    ({"multipleOf": 5e-324}, [1e308, 0.1, 10**4000 + 1], [float("inf"), float("nan")]),
    ({"multipleOf": 10**4000 + 1}, [0, 3 * (10**4000 + 1)], [1, 1e308, 10**4200]),
    ({"multipleOf": 0}, ["x"], [0, 1]),
    ({"minLength": 1, "maxLength": 2}, ["a", "🎈🎈", 5], ["", "abc"]),
    ({"pattern": "^[a-z]+$"}, ["ab", 5], ["", "a1", "a\n"]),
    ({"minItems": 1, "maxItems": 2}, [[1], "x"], [[], [1, 2, 3]]),
    ({"uniqueItems": True}, [[1, "1", True], [[1], [2]], "aa"], [[1, 1.0], [{"a": 1}, {"a": 1}]]),
    ({"uniqueItems": False}, [[1, 1]], []),
    ({"items": {"type": "integer"}}, [[], [1, 2], "x"], [[1, "x"]]),
    ({"items": False}, [[]], [[1]]),
    ({"items": [{"const": 1}], "additionalItems": False}, [[], [1]], [[2], [1, 2]]),
    ({"items": [{"const": 1}]}, [[1, 2]], [[2]]),
    ({"prefixItems": [{"const": 1}], "items": {"const": 2}}, [[1, 2, 2], [1], []], [[2], [1, 1]]),
    ({"prefixItems": [{"const": 1}]}, [[1, 5]], [[2]]),
    ({"contains": {"const": 1}}, [[2, 1], "x"], [[], [2]]),
    ({"contains": {"const": 1}, "minContains": 0, "maxContains": 1}, [[], [1, 2]], [[1, 1]]),
    ({"required": ["a"]}, [{"a": None}, "x"], [{}, {"b": 1}]),
    ({"properties": {"a": {"type": "null"}, "b": False}}, [{"a": None}, {"c": 1}, 5], [{"a": 1}]),
    ({"properties": {"b": False}}, [{}], [{"b": 1}]),
    ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}], [{"b": 1}]),
    ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "x"}]),
    (
        {"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False},
        [{"a1": 1, "ab": 2}, {}],
        [{"a": "x"}, {"b": 1}],
    ),
    ({"propertyNames": {"maxLength": 1}}, [{"a": 1}, 5], [{"ab": 1}]),
    ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}, []], [{}, {"a": 1, "b": 2}]),
    ({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}, [{}, {"a": 1, "b": 2}], [{"a": 1}]),
    ({"dependencies": {"c": {"required": ["d"]}, "e": False}}, [{"d": 1}], [{"c": 1}, {"e": 1}]),
    ({"dependentRequired": {"a": ["b"]}}, [{"b": 1}], [{"a": 1}]),
    ({"dependentSchemas": {"a": {"minProperties": 2}}}, [{"b": 1}], [{"a": 1}]),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
    ({"anyOf": [{"type": "string"}, {"minimum": 2}]}, ["x", 2], [1]),
    ({"oneOf": [{"minimum": 2}, {"maximum": 3}]}, [1, 4], [2, 3]),
    ({"not": {"type": "string"}}, [1], ["x"]),
    ({"not": {}}, [], [1]),
    (
        {"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"type": "integer"}},
        ["x", 1],
        ["", 1.5],
    ),
    ({"if": {"type": "string"}}, ["x", 1], []),
    ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}}}, [None], [1]),
    ({"$ref": "#/definitions/a%20b", "definitions": {"a b": {"type": "null"}}}, [None], [1]),
    ({"anyOf": [{"type": "null"}, {"items": {"$ref": "#"}}, False]}, [None, [[None]]], []),
    ({"allOf": [{"type": "array"}], "items": {"$ref": "#"}}, [[[], [[]]]], [[1], [[1]]]),
    ({"items": {"$ref": "#/allOf/0"}, "allOf": [{"type": "array"}]}, [[[1]]], [[1]]),
    ({"properties": {"$ref": {"const": 1}, "pattern": {"const": 2}}}, [{"$ref": 1}], [{"$ref": 2}]),
]


@pytest.mark.parametrize(("schema", "fitting", "others"), CASES, ids=label)
def test_which_values_fit(schema: dict[str, Any], fitting: list[Any], others: list[Any]) -> None:
    assert [fits(schema, value) for value in fitting] == [True] * len(fitting)
    assert [fits(schema, value) for value in others] == [False] * len(others)


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "string"}, 5, "it must be of type 'string'"),
        ({"type": ["null", "string"]}, 5, "it must be of type ['null', 'string']"),
        ({"items": {"minimum": 3}}, [3, 2], "it[1] must be at least 3"),
        (
            {"properties": {"a": {"items": {"required": ["b", "c"]}}}},
            {"a": [{"c": 1}]},
            "it.a[0] must have ['b']",
        ),
        ({"additionalProperties": False}, {"{x}": 1}, "it.{x} is not allowed"),
        ({"pattern": "^{a}$"}, "b", "it must match the pattern '^{a}$'"),
        (
            {"propertyNames": {"maxLength": 1}},
            {"ab": 1},
            "it.ab (its name) must have at most 1 characters",
        ),
    ],
)
def test_what_is_wrong_is_said(schema: dict[str, Any], value: Any, message: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        Schema(schema).check(value, "it")


def test_messages_end() -> None:
    schema = {"properties": {"a" * 10_000: {"enum": ["b" * 10_000]}}}
    with pytest.raises(ValueError, match="…") as raised:
        Schema(schema).check({"a" * 10_000: 5}, "it")
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    "schema",
    [
        None,
        ["type"],
        {"type": "any"},
        {"type": [5]},
        {"enum": {}},
        {"minimum": "1"},
        {"maximum": True},
        {"minLength": -1},
        {"multipleOf": None},
        {"pattern": 5},
        {"pattern": "("},
        {"pattern": "(?=a)"},
        {"patternProperties": {"(": {}}},
        {"patternProperties": []},
        {"uniqueItems": 1},
        {"required": "a"},
        {"required": [1]},
        {"properties": {"a": 5}},
        {"properties": []},
        {"definitions": {"a": 5}},
        {"items": "x"},
        {"items": [5]},
        {"prefixItems": {}},
        {"not": []},
        {"allOf": {}},
        {"anyOf": [None]},
        {"dependencies": {"a": 5}},
        {"dependentRequired": {"a": {}}},
        {"$ref": 5},
        {"$ref": "#a"},
        {"$ref": "#/a"},
        {"$ref": "#/type", "type": "string"},
        {"$ref": "#/enum/x", "enum": [1]},
        {"$ref": "#/enum/9", "enum": [1]},
        {"$ref": "#/title/0", "title": "x"},
        {"const": float("nan")},
        {"const": 1j},
        {1: 2},
        {"properties": {"a": {"items": {"not": {"type": 5}}}}},
        {"description": "x" * 1_000_000},
        {"patternProperties": {f"(a{{1000}}){{4}}{n}": {} for n in range(20)}},
    ],
    ids=label,
)
def test_what_is_no_schema(schema: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Schema(schema)


@pytest.mark.parametrize(
    "reference",
    [
        *("http://127.0.0.1:9/x", "https://127.0.0.1:9/x#/a", "//127.0.0.1:9/x", "other.json"),
        *("file:///etc/hostname", "/etc/hostname", "ftp://127.0.0.1/x", "data:,{}", "?#/a", " #/a"),
    ],
)
def test_no_other_document_is_opened(reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    import urllib.request

    opened: list[object] = []
    for owner, name in ((socket, "socket"), (urllib.request, "urlopen"), (builtins, "open")):
        monkeypatch.setattr(owner, name, lambda *arguments, **_: opened.append(arguments))
    for schema in (
        {"$ref": reference},
        {"$id": reference, "properties": {"a": {"$ref": "x.json"}}},
        {"$id": "http://127.0.0.1:9/", "items": [{"$ref": reference}]},
    ):
        with pytest.raises(ValueError, match="refer to its own parts only"):
            Schema(schema)
    Schema({"$schema": reference, "$id": reference}).check({"$ref": reference}, "it")
    assert not opened


def test_a_schema_is_not_changed_and_cannot_be_changed_later() -> None:
    schema = {"$id": "http://x/y", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"const": 1}}}
    before = json.dumps(schema)
    compiled = Schema(schema)
    assert json.dumps(schema) == before
    schema["items"] = {"$ref": "#/nowhere", "pattern": "x"}
    compiled.check([1], "it")


def laughs(keyword: str) -> dict[str, Any]:
    """Each definition twice the one after it."""
    parts: dict[str, Any] = {
        f"a{n}": {keyword: [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)
    }
    return {"$defs": parts | {"a60": {"type": "string"}}, "$ref": "#/$defs/a0"}


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        (laughs("allOf"), "x", "units of work"),
        (laughs("anyOf"), 5, "units of work"),
        (laughs("oneOf"), "x", "units of work"),
        ({"allOf": [{"$ref": "#"}]}, 5, "nested too deep"),
        ({"$ref": "#"}, 5, "nested too deep"),
        ({"properties": {"a": {"$ref": "#"}}}, nested(150), "nested too deep"),
        (
            {"properties": {"a": {"allOf": [{"$ref": "#"}] * 2}}, "required": []},
            nested(60),
            "units of work",
        ),
        ({"items": {"multipleOf": 10**2149 + 9}}, [(10**2149 + 9) ** 2] * 500, "units of work"),
        ({"items": {"multipleOf": 5e-324}}, [1e308] * 5000, "units of work"),
        ({"items": {"not": {"enum": [10**4000] * 5}}}, [10**4000 + 1] * 50, "units of work"),
        ({"items": {"enum": [*range(500)]}}, [-1.5] * 500, r"\[0\] must be one of"),
        ({"items": {"not": {"enum": [*range(500)]}}}, [-1.5] * 500, "units of work"),
        (
            {"items": {"not": {"const": "x" * 100_000}}},
            ["x" * 99_999 + "y"] * 10_000,
            "units of work",
        ),
        (
            {"items": {"pattern": "^((a{9}){9}|b){9}$"}},
            ["ab" * 50_000] * 100,
            "pattern|units of work",
        ),
        (
            {"patternProperties": {"^(a+)+$": False}},
            {"a" * 5000 + "!": 1, "a": 2},
            "is not allowed",
        ),
    ],
    ids=lambda value: label(value) if not isinstance(value, dict) else None,
)
def test_a_hostile_schema_ends(
    schema: dict[str, Any], value: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purewasm_plugins.tools.schema.schemas.MAX_WORK", 50_000)
    compiled = Schema(schema)
    with pytest.raises(ValueError, match=words):
        compiled.check(value, "it")


@pytest.mark.parametrize("schema", [{"multipleOf": 7}, {"enum": [7]}, {"uniqueItems": True}])
def test_a_number_that_is_too_long(schema: dict[str, Any]) -> None:
    value: Any = [10**5000] if "uniqueItems" in schema else 10**5000
    with pytest.raises(ValueError, match="a number has more than 4300 digits"):
        Schema(schema).check(value, "it")


def test_a_schema_whose_parts_refer_to_all_of_it() -> None:
    """Written out, it would be as large as its size squared."""
    schema: dict[str, Any] = {f"p{n}": {"$ref": "#"} for n in range(5_000)}
    Schema({"type": "object", "properties": schema}).check({"p7": {"p8": {}}}, "it")


def test_what_patterns_remember_is_bounded_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these expressions has more states than there is room for."""
    monkeypatch.setattr("purewasm_plugins.tools.schema.schemas.MAX_WORK", 200_000)
    monkeypatch.setattr("purewasm_plugins.tools.schema.patterns.MAX_TRANSITIONS_SIZE", 500_000)
    patterns = [f"[ab]*a[ab]{{{size}}}c{end}" for size in (50, 100) for end in ("", "$", "c")]
    schema = Schema({"items": {"anyOf": [{"pattern": pattern} for pattern in patterns]}})
    random = Random(1)
    texts = ["".join(random.choices("ab", k=20_000)) for _ in range(10)]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="units of work") as raised:
            schema.check(texts, "it")
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 150_000 < peak < 1_000_000
    assert left < 150_000, "with the error, which is still there"
    assert raised.value


# Against another implementation.

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.integers() | finite, st.integers() | finite)
def test_a_multiple_is_one_of_the_numbers_as_they_are_written(value: Any, divisor: Any) -> None:
    whole = bool(divisor) and (Fraction(repr(value)) / Fraction(repr(divisor))).denominator == 1
    assert fits({"multipleOf": divisor}, value) is whole


names = st.sampled_from(["a", "b", "ab"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.5, 1.0, "", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
numbers = st.integers(0, 3)
leaves = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["null", "integer", "number", "string", "array", "object"]),
        "enum": st.lists(values, min_size=1, max_size=3),
        "minimum": numbers,
        "exclusiveMaximum": numbers,
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "minLength": numbers,
        "maxItems": numbers,
        "maxProperties": numbers,
        "pattern": st.sampled_from(["^a", "b$", "^(a|b)+$"]),
        "required": st.lists(names, max_size=2, unique=True),
        "uniqueItems": st.booleans(),
    },
)
schemas = st.recursive(
    leaves,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["array", "object"]),
            "properties": st.dictionaries(names, inner, max_size=2),
            "patternProperties": st.dictionaries(names, inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "dependencies": st.dictionaries(names, inner, max_size=2),
            "items": inner | st.lists(inner, min_size=1, max_size=2),
            "additionalItems": inner,
            "contains": inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
        },
    ),
    max_leaves=5,
)


@given(schemas, st.lists(values, min_size=1, max_size=4))
def test_another_implementation_agrees(schema: dict[str, Any], candidates: list[Any]) -> None:
    need("fastjsonschema")
    import fastjsonschema

    validate = fastjsonschema.compile(json.loads(json.dumps(schema)), use_default=False)
    for value in candidates:
        try:
            validate(value)
        except fastjsonschema.JsonSchemaException:
            theirs = False
        else:
            theirs = True
        assert fits(schema, value) is theirs, value
