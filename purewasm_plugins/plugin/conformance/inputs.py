"""Inputs for trying a tool: texts in common formats, and arguments that fit a schema."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from purewasm_plugins.errors import InvalidArgumentsError
from purewasm_plugins.tools.registry import schema_validator

#: The depth to which an example follows a schema.
_DEPTH = 8


def short_inputs(schema: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return a few short inputs of a tool.

    Args:
        schema: the schema of the tool's arguments, or None. A host checks arguments before it runs
            a tool, so only inputs that the schema allows are returned, which may be none.
    """
    if schema is None:
        return "", "hello"
    allows = schema_validator("", schema)
    return tuple(
        text for text in ("{}", example_arguments(schema, "hello")) if _allowed(allows, text)
    )


def _allowed(validator: Callable[[Any], None], text: str) -> bool:
    try:
        validator(json.loads(text))
    except InvalidArgumentsError:
        return False
    return True


def large_inputs(schema: Mapping[str, Any] | None, size: int) -> Iterator[bytes]:
    """Return inputs of about `size` bytes: lines of words and of CSV, and JSON."""
    rows = (f'{n},Ada Lovelace,"London, {n}",{n / 4}\n' for n in itertools.count(1))
    text = _up_to(size, itertools.chain(("id,name,place,number\n",), rows))
    if schema is not None:
        yield example_arguments(schema, text).encode()
        return
    yield text.ljust(size).encode()
    records = (f'{{"id":{n},"name":"Ada","tags":["a","b"]}},' for n in itertools.count(1))
    yield f"[{_up_to(size - 6, records)}null]".ljust(size).encode()


def _up_to(size: int, parts: Iterable[str]) -> str:
    chosen, length = [], 0
    for part in parts:
        length += len(part)
        if length > size:
            break
        chosen.append(part)
    return "".join(chosen)


def example_arguments(schema: Mapping[str, Any], text: str = "text") -> str:
    """Return JSON that fits a simple schema; its first string is `text`."""
    strings = itertools.chain((text,), itertools.repeat("text"))
    return json.dumps(_example(schema, strings, _DEPTH), separators=(",", ":"))


def _example(schema: object, strings: Iterator[str], depth: int) -> Any:
    if not isinstance(schema, dict) or depth == 0:
        return next(strings)
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties")
            members = properties.items() if isinstance(properties, dict) else ()
            return {name: _example(value, strings, depth - 1) for name, value in members}
        case "array":
            return [_example(schema.get("items"), strings, depth - 1)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
    return next(strings)
