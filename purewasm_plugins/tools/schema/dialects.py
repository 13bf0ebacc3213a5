"""Dialects of JSON Schema: what an API accepts, and a tool's schema written in it.

An API refuses a whole list of tools for one schema, and a plugin may choose its schema. So each
schema is written in JSON Schema 2020-12 with the keywords that the dialect has. What a dialect
cannot say is said in descriptions: the model still knows the rule, and the registry checks the
arguments against the tool's own schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from purewasm_plugins.support.json_text import read_json, write_json
from purewasm_plugins.tools.schema.schemas import KEYWORDS, Schema

__all__ = ["GEMINI", "MODEL", "OLLAMA", "PROTOCOL", "WRAPPER", "Dialect", "is_wrapped", "written"]

#: The one argument that holds all arguments, where their own schema cannot be at the root.
WRAPPER = "arguments"

#: The most characters of rules in one description.
MAX_RULES = 4_000

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class Dialect(NamedTuple):
    """What an API accepts of JSON Schema.

    Attributes:
        not_at_root: the keywords that the schema of the arguments must not have at its root.
        keywords: the keywords that it has, or None for all.
        at_root: the keywords that it has at the root alone.
        argument: the names of arguments that it accepts, or None for all.
        in_full: the keywords in whose schemas it has all keywords.
        plain_enum: whether `enum` must have strings and numbers only.
        lone_reference: whether `$ref` must have no keywords beside it.
    """

    not_at_root: frozenset[str] = frozenset()
    keywords: frozenset[str] | None = None
    at_root: frozenset[str] = frozenset()
    argument: re.Pattern[str] | None = None
    in_full: frozenset[str] = frozenset()
    plain_enum: bool = False
    lone_reference: bool = False


#: The whole of JSON Schema 2020-12, as MCP has it.
PROTOCOL = Dialect()

#: What OpenAI and Anthropic accept. The keywords are those that one of them refuses at the root,
#: the names of arguments those that Anthropic accepts there.
MODEL = Dialect(
    not_at_root=frozenset(("$ref", "allOf", "anyOf", "oneOf", "not", "enum", "const")),
    argument=re.compile(r"[a-zA-Z0-9_.-]{1,64}"),
)

#: What Gemini documents for schemas in JSON.
GEMINI = MODEL._replace(
    keywords=frozenset(("$defs", "$ref", "type", "format", "title", "description", "enum"))
    | {"items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf"}
    | {"properties", "additionalProperties", "required"},
    plain_enum=True,
    lone_reference=True,
)

#: What the Python package of Ollama passes on.
OLLAMA = MODEL._replace(
    keywords=frozenset(("type", "items", "description", "enum")),
    at_root=frozenset(("properties", "required", "$defs")),
    in_full=frozenset(("items", "$defs")),
)


def is_wrapped(schema: Mapping[str, Any], dialect: Dialect) -> bool:
    """Return whether the schema of a tool's arguments must be that of one argument, `WRAPPER`.

    Args:
        schema: a JSON Schema that a registry accepted.
        dialect: what an API accepts.
    """
    types = schema.get("type", "object")
    if types != "object" and not (isinstance(types, list) and "object" in types):
        return True
    if not dialect.not_at_root.isdisjoint(schema):
        return True
    pattern = dialect.argument
    return pattern is not None and not all(map(pattern.fullmatch, schema.get("properties", ())))


def written(
    description: str, schema: Mapping[str, Any], dialect: Dialect
) -> tuple[str, dict[str, Any]]:
    """Write the schema of a tool's arguments in a dialect.

    Args:
        description: the tool's.
        schema: a JSON Schema that a registry accepted; it stays as it is.
        dialect: what an API accepts.

    Returns:
        The description, with the rules of the schema's root that the dialect cannot say, and an
        object's schema.
    """
    text = utf8(write_json(dict(schema)))
    root: dict[str, Any] = read_json(text)
    wrapped = is_wrapped(schema, dialect)
    _move_references(root, f"#/properties/{WRAPPER}" if wrapped else "#")
    if wrapped:
        definitions = {"$defs": root.pop("$defs")} if "$defs" in root else {}
        root = {"properties": {WRAPPER: root}, "required": [WRAPPER]} | definitions
    root = {"type": "object", "properties": {}} | root | {"type": "object"}
    rules = _write_parts(root, dialect)
    try:
        Schema(root)
    except ValueError:
        # A reference leads to a part that the dialect does not have, or it is nested too deep.
        root, rules = {"type": "object", "properties": {}}, _sentence(read_json(text))
    return utf8(f"{description} {rules}".strip()), root


def utf8(text: str) -> str:
    """Return a text that UTF-8 can encode: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _move_references(root: dict[str, Any], place: str) -> None:
    """Rename `definitions` to `$defs`, and have each `$ref` lead to where its part will be."""
    renamed = "definitions" in root and "$defs" not in root
    if renamed:
        root["$defs"] = root.pop("definitions")
    waiting: list[Any] = [root]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        reference = part.get("$ref")
        if isinstance(reference, str):
            if renamed and reference.startswith("#/definitions/"):
                reference = "#/$defs/" + reference.removeprefix("#/definitions/")
            if not reference.startswith("#/$defs/"):
                reference = place + reference.removeprefix("#")
            part["$ref"] = reference
        for name, argument in part.items():
            waiting += _schemas_in(name, argument)


def _write_parts(root: dict[str, Any], dialect: Dialect) -> str:
    """Write all parts of a schema in a dialect, and return the rules of its root in words."""
    said = ""
    waiting: list[tuple[Any, Dialect]] = [(root, dialect)]
    while waiting:
        part, here = waiting.pop()
        if not isinstance(part, dict):
            continue
        _modernize(part)
        unsaid = _take_unsaid(part, here, at_root=part is root)
        if unsaid and part is root:
            said = _sentence(unsaid)
        elif unsaid:
            part["description"] = f"{part.get('description', '')} {_sentence(unsaid)}".strip()
        for name, argument in part.items():
            part[name] = _without_booleans(name, argument)
            below = PROTOCOL if name in here.in_full else here
            waiting += ((inner, below) for inner in _schemas_in(name, part[name]))
        if here.lone_reference and "$ref" in part and len(part) > 1:
            part["anyOf"] = [{"$ref": part.pop("$ref")}]
    return said


def _sentence(rules: Mapping[str, Any]) -> str:
    text = write_json(dict(rules))
    shown = text if len(text) <= MAX_RULES else f"{text[:MAX_RULES]}…"
    return f"Its JSON Schema also has: {shown}"


def _modernize(part: dict[str, Any]) -> None:
    """Replace the forms of older drafts in one part, and what they allow and 2020-12 does not."""
    if isinstance(part.get("items"), list):
        part["prefixItems"] = part.pop("items")
        if "additionalItems" in part:
            part["items"] = part["additionalItems"]
    part.pop("additionalItems", None)
    for name in ("required", "type"):
        if isinstance(part.get(name), list):
            part[name] = list(dict.fromkeys(part[name]))
    for name in part.keys() & _COUNTS:
        if not isinstance(part[name], int):
            part[name] = (math.ceil if name.startswith("min") else math.floor)(part[name])
    types = part.get("type")
    if types == "array" or (isinstance(types, list) and "array" in types):
        # OpenAI and Gemini demand it.
        part.setdefault("items", {})


def _take_unsaid(part: dict[str, Any], dialect: Dialect, *, at_root: bool) -> dict[str, Any]:
    """Remove from a part what the dialect does not have, and return the rules among it."""
    if dialect.keywords is None:
        known = _KNOWN | ({"$schema"} if at_root and part.get("$schema") == _DRAFT else set())
    else:
        known = dialect.keywords | (dialect.at_root if at_root else set())
    if "const" in part and "const" not in known and "enum" not in part:
        part["enum"] = [part.pop("const")]
    left_out = [name for name in part if name not in known or not _fits(part, name, dialect)]
    taken = {name: part.pop(name) for name in left_out}
    return {name: argument for name, argument in taken.items() if name in _TOLD}


def _fits(part: Mapping[str, Any], name: str, dialect: Dialect) -> bool:
    """Return whether the argument of a keyword has a form that the dialect accepts."""
    if name == "$ref" and dialect.lone_reference:
        # It can move into an `anyOf`.
        return len(part) == 1 or "anyOf" not in part
    if name == "enum" and dialect.plain_enum:
        return all(type(item) in (str, int, float) for item in part[name])
    if name == "additionalProperties" and dialect.keywords is not None:
        # Without those of the patterns, it would forbid more.
        return "patternProperties" not in part
    form = _FORMS.get(name)
    return form is None or form(part[name])


def _without_booleans(name: str, argument: Any) -> Any:
    """Return the argument of a keyword with objects for `true` and `false`, among schemas."""
    if name in _MANY:
        return [_as_object(schema) for schema in argument]
    if name in _NAMED:
        return {key: _as_object(schema) for key, schema in argument.items()}
    if name in _ONE and name != "additionalProperties":
        return _as_object(argument)
    return argument


def _as_object(schema: Any) -> Any:
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    return schema


def _schemas_in(name: str, argument: Any) -> Iterable[Any]:
    """Return the schemas that are directly in the argument of a keyword."""
    if name in _NAMED or name == "dependencies":
        return list(argument.values())
    if name in _MANY or (name in _ONE and isinstance(argument, list)):
        return list(argument)
    return (argument,) if name in _ONE else ()


_ONE = frozenset(
    ("not", "if", "then", "else", "items", "additionalItems", "additionalProperties")
) | {"propertyNames", "contains"}
_MANY = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_NAMED = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
_COUNTS = frozenset(("minLength", "maxLength", "minItems", "maxItems", "minContains")) | {
    *("maxContains", "minProperties", "maxProperties")
}


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_anything(value: Any) -> bool:
    return True


def _is_positive(value: Any) -> bool:
    return bool(value > 0)


def _differ(value: Any) -> bool:
    lists = [names for names in value.values() if isinstance(names, list)]
    return all(len({*names}) == len(names) for names in lists)


#: The forms of 2020-12 that the check of a schema does not demand, and those of annotations.
_FORMS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("title", "description", "$comment", "format"), _is_string),
    **dict.fromkeys(("contentEncoding", "contentMediaType"), _is_string),
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly"), _is_boolean),
    "default": _is_anything,
    "examples": _is_list,
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), bool),
    **dict.fromkeys(("dependencies", "dependentRequired"), _differ),
    "type": bool,
    "multipleOf": _is_positive,
}

#: All keywords and annotations that an API may be told; the others have no effect in the registry.
_KNOWN = frozenset(KEYWORDS) | frozenset(_FORMS)

#: Those that a model is told in words where the dialect has them not.
_TOLD = frozenset(KEYWORDS) | {"default", "examples", "format"}
