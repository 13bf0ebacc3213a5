"""The documented rules of each API for a list of tools, written down by hand.

The packages of the vendors are heavy (170 MB), so the tests do without; `test_vendors.py` compares
with their types where they are installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
GEMINI_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
ARGUMENT = re.compile(r"[a-zA-Z0-9_.-]{1,64}")

#: The keywords of Gemini's documentation of `responseJsonSchema`.
GEMINI = {
    *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum"),
    *("items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf"),
    *("properties", "additionalProperties", "required"),
}


#: The keywords with one schema. `true` and `false` are schemas, too; only those of properties and
#: items are read by APIs that do not know it.
SINGLE = {
    *("not", "if", "then", "else", "items", "contains", "propertyNames", "additionalProperties")
}


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and all schemas in it; none may be older than draft 2020-12."""
    assert isinstance(schema, dict), schema
    yield schema
    for name, argument in schema.items():
        if name in {"allOf", "anyOf", "oneOf", "prefixItems"}:
            assert isinstance(argument, list), name
            assert argument, name
            for part in argument:
                yield from parts(part)
        elif name in {"properties", "$defs", "patternProperties", "dependentSchemas"}:
            assert isinstance(argument, dict), name
            for part in argument.values():
                yield from parts(part)
        elif name in SINGLE and not isinstance(argument, bool):
            yield from parts(argument)


def check_schema(schema: dict[str, Any]) -> None:
    """Check what draft 2020-12 says of the forms of keywords, and what OpenAI says of arrays."""
    for part in parts(schema):
        for name in ("title", "description", "format", "$ref"):
            assert isinstance(part.get(name, ""), str), name
        for name in ("minLength", "maxLength", "minItems", "maxItems"):
            assert float(part.get(name, 0)).is_integer(), name
            assert part.get(name, 0) >= 0, name
        assert part.get("multipleOf", 1) > 0
        for name in ("required", "type"):
            value = part.get(name, [])
            assert isinstance(value, str) or len({*value}) == len(value), name
        assert part.get("type") != []
        assert "array" not in part.get("type", ()) or "items" in part


def check_root(schema: dict[str, Any]) -> None:
    """Check what OpenAI and Anthropic say of the root."""
    check_schema(schema)
    assert schema["type"] == "object"
    assert isinstance(schema["properties"], dict)
    assert not schema.keys() & {"oneOf", "anyOf", "allOf", "enum", "const", "not"}
    assert all(ARGUMENT.fullmatch(name) for name in schema["properties"])


def check_openai(tools: list[Any]) -> None:
    assert len(tools) <= 128
    for tool in tools:
        assert tool.keys() == {"type", "function"}
        assert tool["type"] == "function"
        check_function(tool["function"], "parameters")


def check_function(function: dict[str, Any], key: str) -> None:
    assert function.keys() == {"name", "description", key}
    assert NAME.fullmatch(function["name"])
    assert isinstance(function["description"], str)
    check_root(function[key])


def check_openai_responses(tools: list[Any]) -> None:
    assert len(tools) <= 128
    for tool in tools:
        assert (tool.pop("type"), tool.pop("strict")) == ("function", False)
        check_function(tool, "parameters")


def check_anthropic(tools: list[Any]) -> None:
    for tool in tools:
        check_function(tool, "input_schema")


def check_gemini(tools: list[Any]) -> None:
    for tool in tools:
        assert tool.keys() == {"functionDeclarations"}
        for function in tool["functionDeclarations"]:
            assert GEMINI_NAME.fullmatch(function["name"])
            check_function(function, "parametersJsonSchema")
            for part in parts(function["parametersJsonSchema"]):
                assert part.keys() <= GEMINI
                assert "$ref" not in part or all(name.startswith("$") for name in part)
                assert all(type(item) in (str, int, float) for item in part.get("enum", ()))


def check_ollama(tools: list[Any]) -> None:
    """Check that its Python package would drop nothing."""
    for tool in tools:
        assert tool.keys() == {"type", "function"}
        check_function(tool["function"], "parameters")
        parameters = tool["function"]["parameters"]
        assert parameters.keys() <= {"type", "properties", "required", "$defs", "items"}
        for part in parameters["properties"].values():
            assert part.keys() <= {"type", "items", "description", "enum"}


def check_mcp(tools: list[Any]) -> None:
    for tool in tools:
        assert tool.keys() == {"name", "description", "inputSchema"}
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", tool["name"])
        assert tool["inputSchema"]["type"] == "object"
        check_schema(tool["inputSchema"])


CHECKS: dict[str, Callable[[list[Any]], None]] = {
    "openai": check_openai,
    "openai-responses": check_openai_responses,
    "anthropic": check_anthropic,
    "gemini": check_gemini,
    "ollama": check_ollama,
    "mcp": check_mcp,
}


def check(form: str, tools: list[Any]) -> None:
    """Check that an API accepts a list of tools, as the bytes of a request."""
    sent = json.dumps(tools, ensure_ascii=False, allow_nan=False).encode()
    CHECKS[form](json.loads(sent))
