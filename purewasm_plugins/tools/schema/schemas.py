"""JSON Schema, as strangers' tools describe their arguments with it.

A schema is data here: it is neither compiled nor written into code, so that a hostile one can cost
its reader no more than `MAX_STEPS`. The keywords are those of the validation vocabularies of drafts
06 to 2020-12, in `_KEYWORDS`. Unknown ones say nothing, and `format`, `default` and what is about
content describe only, as the specification has it. `$ref` reaches the schema's own parts only: no
other document is ever opened.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from purewasm_plugins.support.json_text import MAX_NESTING, check_value, read_json, write_json
from purewasm_plugins.tools.schema.patterns import Moves, Pattern

__all__ = ["Schema"]

#: What checking one value may take: a step is a schema applied, or a value looked at, some 2 µs.
MAX_STEPS = 1_000_000

#: Characters of a schema as compact JSON, and operations of all its patterns. An agent reads it.
MAX_SIZE = 1_000_000
MAX_OPERATIONS = 50_000

#: Digits of an integer that is compared as text or divided, which takes the square of them. JSON
#: that Python reads has no more; and the bits of such an integer.
MAX_DIGITS = 4_300
_MAX_BITS = math.ceil(MAX_DIGITS * math.log2(10))

_TOO_DEEP = "they, or the schema, are nested too deep"


#: Where a value is: the name of the outermost, or the place of what it is in, and the key there.
Place = str | tuple[Any, str | int]


class Mismatch(ValueError):
    """A value that a schema forbids.

    It is worded when it is shown: most are caught, where a schema has several possibilities.
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
    """A JSON Schema that has been looked at: every keyword has the form it must have."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Look at a schema.

        Raises:
            ValueError: it is none, or uses what is not supported; in words.
        """
        if not isinstance(schema, Mapping):
            raise ValueError(f"{_shown(schema)} stands where a schema must")
        text = write_json(dict(schema))
        if len(text) > MAX_SIZE:
            raise ValueError(f"it has more than {MAX_SIZE} characters")
        # A copy: the caller cannot change it later.
        self._root = read_json(text)
        #: By `$ref`.
        self.targets: dict[str, Any] = {}
        #: By its text.
        self.patterns: dict[str, Pattern] = {}
        self._operations = 0
        # A schema is looked at once, however often it is referred to.
        seen: set[int] = set()
        waiting: list[Any] = [self._root]
        while waiting:
            part = waiting.pop()
            if isinstance(part, bool) or id(part) in seen:
                continue
            if not isinstance(part, dict):
                raise ValueError(f"{_shown(part)} stands where a schema must")
            seen.add(id(part))
            for name, argument in part.items():
                keyword = _KEYWORDS.get(name)
                if keyword is not None:
                    if not keyword.fits(argument):
                        message = f"{name!r} must be {keyword.form}, and not {_shown(argument)}"
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
            value: as `json` makes them.
            name: what errors call it.

        Raises:
            ValueError: the schema forbids it, or this cannot be found out; in words.
        """
        check_value(value)
        check = _Check(self)
        try:
            check.apply(self._root, value, name)
        except RecursionError:
            raise ValueError(_TOO_DEEP) from None
        finally:
            # An error that is kept holds on to the check.
            check.moves.forget()

    def _read_patterns(self, texts: Iterable[str]) -> None:
        for text in texts:
            if text not in self.patterns:
                self.patterns[text] = Pattern(text)
                self._operations += self.patterns[text].size
                if self._operations > MAX_OPERATIONS:
                    raise ValueError("its patterns are too large together")

    def _found(self, reference: str) -> Any:
        """Return the part that a reference is to."""
        if reference not in ("", "#") and not reference.startswith("#/"):
            details = "a schema can refer to its own parts only, as in '#/definitions/item'"
            raise ValueError(f"it refers to {_shown(reference)}, and {details}")
        if "%" in reference:
            # Imported here: it is hardly ever needed.
            from urllib.parse import unquote

            reference = unquote(reference)
        part: Any = self._root
        for step in reference.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            try:
                part = part[int(step) if isinstance(part, list) else step]
            except (LookupError, TypeError, ValueError):
                raise ValueError(f"it has no part {_shown(reference)}") from None
        return part


class _Check:
    """One check of a value: what it has taken, and how deep it is."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        #: What the patterns remember goes with the check.
        self.moves = Moves()
        self._steps = 0
        self._depth = 0

    def apply(self, part: Any, value: Any, place: Place) -> None:
        """Check a value against a part of the schema."""
        self.spend(1)
        if part is False:
            raise Mismatch(place, "must not be there")
        if part is True:
            return
        if self._depth == MAX_NESTING:
            raise ValueError(_TOO_DEEP)
        self._depth += 1
        try:
            for keyword, argument in part.items():
                if keyword in _KEYWORDS:
                    _KEYWORDS[keyword].rule(self, argument, value, place, part)
        finally:
            self._depth -= 1

    def fits(self, part: Any, value: Any, place: Place) -> bool:
        """Whether a value is one that a part of the schema allows."""
        try:
            self.apply(part, value, place)
        except Mismatch:
            # Coming back by an exception takes as long.
            self.spend(3)
            return False
        return True

    def spend(self, steps: int) -> None:
        """Note what is about to be done."""
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise ValueError(f"they take more than {MAX_STEPS} steps to check")

    def matches(self, pattern: str, text: str) -> bool:
        """Whether a pattern of the schema matches in a text."""
        return self.schema.patterns[pattern].search(text, self.spend, self.moves)

    def identity(self, value: Any) -> str:
        """Return a text that values have in common if they are equal, as JSON has it: 1 is 1.0."""
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


# What arguments of keywords can be.


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


# Which of them are schemas.


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


# The rules: what a keyword demands of a value. `part` is the schema that it stands in.


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
        raise Mismatch(place, "fits none of what is possible")


def _one_of(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    found = sum(check.fits(item, value, place) for item in argument)
    if found != 1:
        raise Mismatch(place, "must fit one of what is possible, and fits {}", found)


def _not(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if check.fits(argument, value, place):
        raise Mismatch(place, "is what it must not be")


def _if(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    chosen = "then" if check.fits(argument, value, place) else "else"
    check.apply(part.get(chosen, True), value, place)


def _with_the_other(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    """Do nothing: another keyword checks this one as well."""


def _multiple_of(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if not _is_number(value):
        return
    if isinstance(value, int) or math.isfinite(value):
        # As they are written: 0.3 is a multiple of 0.1.
        (dividend, exponent), (divisor, other) = _decimal(value), _decimal(argument)
        dividend *= 10 ** max(exponent - other, 0)
        divisor *= 10 ** max(other - exponent, 0)
        check.spend(10 + (dividend.bit_length() + divisor.bit_length()) // 30)
        if divisor and dividend % divisor == 0:
            return
    raise Mismatch(place, "must be a multiple of {}", argument)


def _decimal(number: int | float) -> tuple[int, int]:
    """Split a finite number as it is written: an integer, and the power of ten that multiplies it.

    Raises:
        ValueError: it has more than `MAX_DIGITS` digits.
    """
    if isinstance(number, int):
        return _bounded(number), 0
    digits, _, exponent = repr(number).partition("e")
    whole, _, fraction = digits.partition(".")
    return int(whole + fraction), int(exponent or 0) - len(fraction)


def _bounded(number: int) -> int:
    """Return the integer; raise a ValueError where it has more than `MAX_DIGITS` digits."""
    if number.bit_length() > _MAX_BITS:
        raise ValueError(f"they hold a number of more than {MAX_DIGITS} digits")
    return number


def _pattern(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if isinstance(value, str) and not check.matches(argument, value):
        raise Mismatch(place, "must match the pattern {}", argument)


def _unique_items(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if argument and _TYPES["array"](value) and len(set(map(check.identity, value))) < len(value):
        raise Mismatch(place, "must have no item twice")


def _items(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
    if not _TYPES["array"](value):
        return
    # Up to draft 2019-09 an array of schemas was here, and the rest in `additionalItems`.
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
            words = "contains {} of what it must have {} to {} of"
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
    """A keyword: the form of its argument, the schemas in that, and what it demands."""

    form: str
    fits: Callable[[Any], bool]
    parts: Callable[[Any], Iterable[Any]]
    rule: Callable[[_Check, Any, Any, Place, Any], None]


def _bound(
    types: str, measure: Callable[[Any], Any], holds: Callable[[Any, Any], bool], words: str
) -> _Keyword:
    """Make the check of a keyword that keeps a number, or a size, within a bound."""

    def rule(check: _Check, argument: Any, value: Any, place: Place, part: Any) -> None:
        if _TYPES[types](value) and not holds(measure(value), argument):
            raise Mismatch(place, f"must {words}", argument)

    if types == "number":
        return _Keyword("a number", _is_number, _none, rule)
    return _Keyword("a number, and not negative", _is_count, _none, rule)


def _number(value: Any) -> Any:
    return value


_SCHEMA = ("a schema", _is_a(dict, bool), _itself)
_SCHEMAS = ("an array of schemas", _is_a(list), _all)
_NAMED = ("an object of schemas", _is_a(dict), _values)
_NAMES = ("an array of strings", _is_strings, _none)

_KEYWORDS = {
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
    "minLength": _bound("string", len, operator.ge, "have {} characters at least"),
    "maxLength": _bound("string", len, operator.le, "have {} characters at most"),
    "pattern": _Keyword("a string", _is_a(str), _none, _pattern),
    "minItems": _bound("array", len, operator.ge, "have {} items at least"),
    "maxItems": _bound("array", len, operator.le, "have {} items at most"),
    "uniqueItems": _Keyword("true or false", _is_a(bool), _none, _unique_items),
    "items": _Keyword(
        "a schema, or an array of schemas", _is_a(dict, bool, list), _one_or_all, _items
    ),
    "additionalItems": _Keyword(*_SCHEMA, _with_the_other),
    "prefixItems": _Keyword(*_SCHEMAS, _prefix_items),
    "contains": _Keyword(*_SCHEMA, _contains),
    "minContains": _Keyword("a number, and not negative", _is_count, _none, _with_the_other),
    "maxContains": _Keyword("a number, and not negative", _is_count, _none, _with_the_other),
    "minProperties": _bound("object", len, operator.ge, "have {} properties at least"),
    "maxProperties": _bound("object", len, operator.le, "have {} properties at most"),
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
