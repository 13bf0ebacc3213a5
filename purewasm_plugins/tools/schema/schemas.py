"""JSON Schema: checks a tool's arguments against the schema of an untrusted plugin.

A schema is data: it is neither compiled nor written into code, so a hostile schema costs at most
`MAX_WORK`. `KEYWORDS` has the keywords of the validation vocabularies of drafts 06 to 2020-12.
Unknown keywords are ignored. `format`, `default` and the keywords about content are annotations, as
in the specification. `$ref` refers to parts of the same schema: no other document is opened.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from purewasm_plugins.support.json_text import MAX_NESTING, check_value, read_json, write_json
from purewasm_plugins.tools.schema.patterns import Pattern, Transitions

__all__ = ["KEYWORDS", "Schema"]

#: The most work of one check. A unit of work applies a schema or reads a value, in about 2 µs.
MAX_WORK = 1_000_000

#: The most characters of a schema as compact JSON, and the most operations of its patterns.
MAX_SIZE = 1_000_000
MAX_OPERATIONS = 50_000

#: The most digits of an integer that is compared as text or divided, in time quadratic in them, and
#: its bits. Python's `json` reads no longer integers.
MAX_DIGITS = 4_300
_MAX_BITS = math.ceil(MAX_DIGITS * math.log2(10))

_TOO_DEEP = "the arguments or the schema are nested too deep"


#: Where a value is: the name of the outermost value, or the place of its container and its key.
Place = str | tuple[Any, str | int]


class Mismatch(ValueError):
    """A value that a schema forbids.

    The message is made when it is read: most mismatches are caught, as in `anyOf`.
    """

    def __init__(self, place: Place, words: str, *arguments: Any) -> None:
        super().__init__(place, words, *arguments)
        self.place = place
        self.words = words
        self.arguments = arguments

    def __str__(self) -> str:
        steps, place = [], self.place
        while isinstance(place, tuple):
            place, key = place
            steps.append(f"[{key}]" if isinstance(key, int) else f".{_cut(key)}")
        where = _cut(place + "".join(reversed(steps)))
        return f"{where} {self.words.format(*map(_shown, self.arguments))}"


class Schema:
    """A JSON Schema whose keywords all have the form that the specification demands."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Check a schema itself.

        Raises:
            ValueError: it is not a JSON Schema, or uses what is not supported.
        """
        if not isinstance(schema, Mapping):
            raise ValueError(f"{_shown(schema)} is not a schema")
        text = write_json(dict(schema))
        if len(text) > MAX_SIZE:
            raise ValueError(f"it has more than {MAX_SIZE} characters")
        # A copy: the caller may change the original.
        self._root = read_json(text)
        #: The parts of the schema by `$ref`.
        self.targets: dict[str, Any] = {}
        #: The patterns by their texts.
        self.patterns: dict[str, Pattern] = {}
        self._operations = 0
        # A part is checked once, however many references it has.
        seen: set[int] = set()
        waiting: list[Any] = [self._root]
        while waiting:
            part = waiting.pop()
            if isinstance(part, bool) or id(part) in seen:
                continue
            if not isinstance(part, dict):
                raise ValueError(f"{_shown(part)} is not a schema")
            seen.add(id(part))
            for name, argument in part.items():
                keyword = KEYWORDS.get(name)
                if keyword is not None:
                    if not keyword.fits(argument):
                        message = f"{name!r} must be {keyword.form}, not {_shown(argument)}"
                        raise ValueError(message)
                    waiting += keyword.parts(argument)
                    if name == "pattern":
                        self._read_patterns((argument,))
                    elif name == "patternProperties":
                        self._read_patterns(argument)
                    elif name == "$ref":
                        target = self.targets[argument] = self._found(argument)
                        waiting.append(target)

    def check(self, value: Any, name: str) -> None:
        """Check a value.

        Args:
            value: a value as the `json` module makes it.
            name: its name in errors.

        Raises:
            ValueError: the schema forbids it, or the check exceeds a bound.
        """
        check_value(value)
        check = _Check(self)
        try:
            check.apply(self._root, value, name)
        except RecursionError:
            raise ValueError(_TOO_DEEP) from None
        finally:
            # The traceback of an error refers to the check: do not keep its memory with it.
            check.transitions.forget()

    def _read_patterns(self, texts: Iterable[str]) -> None:
        for text in texts:
            if text not in self.patterns:
                self.patterns[text] = Pattern(text)
                self._operations += self.patterns[text].size
                if self._operations > MAX_OPERATIONS:
                    raise ValueError("the patterns are too large in total")

    def _found(self, reference: str) -> Any:
        """Return the part of the schema that a reference refers to."""
        if reference not in ("", "#") and not reference.startswith("#/"):
            details = "a schema can refer to its own parts only, as in '#/definitions/item'"
            raise ValueError(f"the reference {_shown(reference)} is not supported: {details}")
        if "%" in reference:
            # Imported here: few schemas need it.
            from urllib.parse import unquote

            reference = unquote(reference)
        part: Any = self._root
        for key in reference.split("/")[1:]:
            key = key.replace("~1", "/").replace("~0", "~")
            try:
                part = part[int(key) if isinstance(part, list) else key]
            except (LookupError, TypeError, ValueError):
                raise ValueError(f"the schema has no part {_shown(reference)}") from None
        return part


class _Check:
    """One check of a value: its work so far, and its depth."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        #: The searches of this check share them.
        self.transitions = Transitions()
        self._work = 0
        self._depth = 0

    def apply(self, part: Any, value: Any, place: Place) -> None:
        """Check a value against a part of the schema."""
        self.spend(1)
        if part is False:
            raise Mismatch(place, "is not allowed")
        if part is True:
            return
        if self._depth == MAX_NESTING:
            raise ValueError(_TOO_DEEP)
        self._depth += 1
        try:
            for keyword, argument in part.items():
                if keyword in KEYWORDS:
                    KEYWORDS[keyword].rule(self, argument, value, place, part)
        finally:
            self._depth -= 1

    def fits(self, part: Any, value: Any, place: Place) -> bool:
        """Return whether a part of the schema allows a value."""
        try:
            self.apply(part, value, place)
        except Mismatch:
            # The exception costs about three units.
            self.spend(3)
            return False
        return True

    def spend(self, work: int) -> None:
        """Count work before it is done.

        Raises:
            ValueError: the check has taken more than `MAX_WORK`.
        """
        self._work += work
        if self._work > MAX_WORK:
            raise ValueError(f"the check takes more than {MAX_WORK} units of work")

    def matches(self, pattern: str, text: str) -> bool:
        """Return whether a pattern of the schema matches in a text."""
        return self.schema.patterns[pattern].search(text, self.spend, self.transitions)

    def identity(self, value: Any) -> str:
        """Return a text that is the same for values that are equal in JSON, such as 1 and 1.0."""
        if isinstance(value, dict):
            members = (f"{key!r}:{self.identity(value[key])}" for key in sorted(value))
            text = f"{{{','.join(members)}}}"
        elif isinstance(value, (list, tuple)):
            text = f"[{','.join(map(self.identity, value))}]"
        else:
            plain = int(value) if isinstance(value, float) and value.is_integer() else value
            if isinstance(plain, int):
                self.spend(_bounded(plain).bit_length() // 30)
            text = repr(plain)
        self.spend(1 + len(text) // 100)
        return text


# The forms of the arguments of keywords.


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_a(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": _is_a(bool),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    "string": _is_a(str),
    "array": _is_a(list, tuple),
    "object": _is_a(dict),
}


def _is_types(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return all(isinstance(name, str) and name in _TYPES for name in names)


# The schemas in the arguments of keywords.


def _none(argument: Any) -> Iterable[Any]:
    return ()


def _itself(argument: Any) -> Iterable[Any]:
    return (argument,)


def _all(argument: Any) -> Iterable[Any]:
    return list(argument)


def _values(argument: Any) -> Iterable[Any]:
    return list(argument.values())


def _one_or_all(argument: Any) -> Iterable[Any]:
    return argument if isinstance(argument, list) else (argument,)


def _values_but_lists(argument: Any) -> Iterable[Any]:
    return [value for value in argument.values() if not _is_strings(value)]


# The rules: what a keyword demands of a value. `part` is the schema that has the keyword.


def _ref(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    check.apply(check.schema.targets[argument], value, place)


def _type(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    names = argument if isinstance(argument, list) else [argument]
    if not any(_TYPES[type_](value) for type_ in names):
        raise Mismatch(place, "must be of type {}", argument)


def _enum(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    found = check.identity(value)
    if not any(check.identity(item) == found for item in argument):
        raise Mismatch(place, "must be one of {}", argument)


def _const(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if check.identity(value) != check.identity(argument):
        raise Mismatch(place, "must be {}", argument)


def _all_of(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    for item in argument:
        check.apply(item, value, place)


def _any_of(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if not any(check.fits(item, value, place) for item in argument):
        raise Mismatch(place, "must fit one of the schemas of anyOf, and fits none")


def _one_of(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    found = sum(check.fits(item, value, place) for item in argument)
    if found != 1:
        raise Mismatch(place, "must fit one schema of oneOf, and fits {}", found)


def _not(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if check.fits(argument, value, place):
        raise Mismatch(place, "fits the schema of not")


def _if(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    chosen = "then" if check.fits(argument, value, place) else "else"
    check.apply(part.get(chosen, True), value, place)


def _with_the_other(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    """Do nothing: another keyword checks this one as well."""


def _multiple_of(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if not _is_number(value):
        return
    if isinstance(value, int) or math.isfinite(value):
        # Compared as decimals: 0.3 is a multiple of 0.1.
        (dividend, exponent), (divisor, other) = _decimal(value), _decimal(argument)
        dividend *= 10 ** max(exponent - other, 0)
        divisor *= 10 ** max(other - exponent, 0)
        check.spend(10 + (dividend.bit_length() + divisor.bit_length()) // 30)
        if divisor and dividend % divisor == 0:
            return
    raise Mismatch(place, "must be a multiple of {}", argument)


def _decimal(number: int | float) -> tuple[int, int]:
    """Split a finite number into a decimal integer and the power of ten that multiplies it.

    Raises:
        ValueError: it has more than `MAX_DIGITS` digits.
    """
    if isinstance(number, int):
        return _bounded(number), 0
    digits, _, exponent = repr(number).partition("e")
    whole, _, fraction = digits.partition(".")
    return int(whole + fraction), int(exponent or 0) - len(fraction)


def _bounded(number: int) -> int:
    """Return the integer.

    Raises:
        ValueError: it has more than `MAX_DIGITS` digits.
    """
    if number.bit_length() > _MAX_BITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return number


def _pattern(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if isinstance(value, str) and not check.matches(argument, value):
        raise Mismatch(place, "must match the pattern {}", argument)


def _unique_items(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if argument and _TYPES["array"](value) and len(set(map(check.identity, value))) < len(value):
        raise Mismatch(place, "must have no two equal items")


def _items(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if not _TYPES["array"](value):
        return
    # Up to draft 2019-09 `items` could be an array of schemas, with the rest in `additionalItems`.
    first = argument if isinstance(argument, list) else part.get("prefixItems", [])
    rest = part.get("additionalItems", True) if isinstance(argument, list) else argument
    for index, item in enumerate(value):
        if index >= len(first):
            check.apply(rest, item, (place, index))
        elif first is argument:
            check.apply(first[index], item, (place, index))


def _prefix_items(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if _TYPES["array"](value):
        for index, (item, schema) in enumerate(zip(value, argument, strict=False)):
            check.apply(schema, item, (place, index))


def _contains(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if _TYPES["array"](value):
        least, most = part.get("minContains", 1), part.get("maxContains", len(value))
        found = sum(check.fits(argument, item, place) for item in value)
        if not least <= found <= most:
            words = "must have {1} to {2} items that fit contains, and has {0}"
            raise Mismatch(place, words, found, least, most)


def _required(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if isinstance(value, dict):
        check.spend(len(argument))
        missing = [key for key in argument if key not in value]
        if missing:
            raise Mismatch(place, "must have {}", missing)


def _properties(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if isinstance(value, dict):
        check.spend(len(argument))
        for key, schema in argument.items():
            if key in value:
                check.apply(schema, value[key], (place, key))


def _pattern_properties(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if isinstance(value, dict):
        for pattern, schema in argument.items():
            for key, item in value.items():
                if check.matches(pattern, key):
                    check.apply(schema, item, (place, key))


def _additional_properties(
    check: _Check, argument: Any, value: Any, place: Place, part: Any
) -> None:
    if not isinstance(value, dict):
        return
    patterns = part.get("patternProperties", ())
    for key, item in value.items():
        if key in part.get("properties", ()):
            continue
        if not any(check.matches(pattern, key) for pattern in patterns):
            check.apply(argument, item, (place, key))


def _property_names(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if isinstance(value, dict):
        for key in value:
            check.apply(argument, key, (place, f"{_cut(key)} (its name)"))


def _dependencies(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if isinstance(value, dict):
        check.spend(len(argument))
        for key, needed in argument.items():
            if key in value:
                rule = _required if _is_strings(needed) else _all_of
                rule(check, needed if _is_strings(needed) else [needed], value, place, part)


class _Keyword(NamedTuple):
    """A keyword: the form of its argument, the schemas in the argument, and its rule."""

    form: str
    fits: Callable[[Any], bool]
    parts: Callable[[Any], Iterable[Any]]
    rule: Callable[[_Check, Any, Any, Place, Any], None]


def _bound(
    types: str, measure: Callable[[Any], Any], holds: Callable[[Any, Any], bool], words: str
) -> _Keyword:
    """Make a keyword that bounds a number or a size."""

    def rule(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
        if _TYPES[types](value) and not holds(measure(value), argument):
            raise Mismatch(place, f"must {words}", argument)

    if types == "number":
        return _Keyword("a number", _is_number, _none, rule)
    return _Keyword("a number of at least 0", _is_count, _none, rule)


def _number(value: Any) -> Any:
    return value


_SCHEMA = ("a schema", _is_a(dict, bool), _itself)
_SCHEMAS = ("an array of schemas", _is_a(list), _all)
_NAMED = ("an object of schemas", _is_a(dict), _values)
_NAMES = ("an array of strings", _is_strings, _none)

KEYWORDS = {
    "$ref": _Keyword("a string", _is_a(str), _none, _ref),
    "$defs": _Keyword(*_NAMED, _with_the_other),
    "definitions": _Keyword(*_NAMED, _with_the_other),
    "type": _Keyword("a type, or an array of types", _is_types, _none, _type),
    "enum": _Keyword("an array", _is_a(list), _none, _enum),
    "const": _Keyword("a value", lambda value: True, _none, _const),
    "allOf": _Keyword(*_SCHEMAS, _all_of),
    "anyOf": _Keyword(*_SCHEMAS, _any_of),
    "oneOf": _Keyword(*_SCHEMAS, _one_of),
    "not": _Keyword(*_SCHEMA, _not),
    "if": _Keyword(*_SCHEMA, _if),
    "then": _Keyword(*_SCHEMA, _with_the_other),
    "else": _Keyword(*_SCHEMA, _with_the_other),
    "minimum": _bound("number", _number, operator.ge, "be at least {}"),
    "maximum": _bound("number", _number, operator.le, "be at most {}"),
    "exclusiveMinimum": _bound("number", _number, operator.gt, "be more than {}"),
    "exclusiveMaximum": _bound("number", _number, operator.lt, "be less than {}"),
    "multipleOf": _Keyword("a number", _is_number, _none, _multiple_of),
    "minLength": _bound("string", len, operator.ge, "have at least {} characters"),
    "maxLength": _bound("string", len, operator.le, "have at most {} characters"),
    "pattern": _Keyword("a string", _is_a(str), _none, _pattern),
    "minItems": _bound("array", len, operator.ge, "have at least {} items"),
    "maxItems": _bound("array", len, operator.le, "have at most {} items"),
    "uniqueItems": _Keyword("true or false", _is_a(bool), _none, _unique_items),
    "items": _Keyword(
        "a schema, or an array of schemas", _is_a(dict, bool, list), _one_or_all, _items
    ),
    "additionalItems": _Keyword(*_SCHEMA, _with_the_other),
    "prefixItems": _Keyword(*_SCHEMAS, _prefix_items),
    "contains": _Keyword(*_SCHEMA, _contains),
    "minContains": _Keyword("a number of at least 0", _is_count, _none, _with_the_other),
    "maxContains": _Keyword("a number of at least 0", _is_count, _none, _with_the_other),
    "minProperties": _bound("object", len, operator.ge, "have at least {} properties"),
    "maxProperties": _bound("object", len, operator.le, "have at most {} properties"),
    "required": _Keyword(*_NAMES, _required),
    "properties": _Keyword(*_NAMED, _properties),
    "patternProperties": _Keyword(*_NAMED, _pattern_properties),
    "additionalProperties": _Keyword(*_SCHEMA, _additional_properties),
    "propertyNames": _Keyword(*_SCHEMA, _property_names),
    "dependencies": _Keyword(
        "an object of schemas and of arrays of strings", _is_a(dict), _values_but_lists,
        _dependencies,
    ),
    "dependentRequired": _Keyword(
        "an object of arrays of strings",
        lambda value: isinstance(value, dict) and all(map(_is_strings, value.values())),
        _none,
        _dependencies,
    ),
    "dependentSchemas": _Keyword(*_NAMED, _dependencies),
}  # fmt: skip


def _shown(value: Any) -> str:
    """Return the text of a value in a message."""
    return _cut(repr(value))


def _cut(text: str) -> str:
    """Shorten a text for a message."""
    return text if len(text) <= 200 else f"{text[:200]}…"
