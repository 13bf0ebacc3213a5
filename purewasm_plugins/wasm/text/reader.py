"""A position among the tokens of a text, and what is read there: names, numbers, types, indices."""

from __future__ import annotations

import re

from purewasm_plugins.errors import TextError
from purewasm_plugins.support.suggestions import similar_name
from purewasm_plugins.support.typed import Callable, Iterable, NoReturn, TypeVar
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC
from purewasm_plugins.wasm.text import literals
from purewasm_plugins.wasm.text.lexer import END, Tokens
from purewasm_plugins.wasm.text.literals import LiteralError
from purewasm_plugins.wasm.types import GlobalType, Limits, MemoryType, TableType, ValType

__all__ = ["HEAP_TYPES", "VALUE_TYPES", "Reader", "Space", "shown"]

VALUE_TYPES = {str(type_): type_ for type_ in ValType}

#: The types that `ref.null` takes, and `(ref null …)`.
HEAP_TYPES = {"func": ValType.FUNCREF, "extern": ValType.EXTERNREF}

#: The words that are neither instructions nor types.
_KEYWORDS = frozenset(
    (
        *("module", "type", "func", "param", "result", "local", "import", "export", "table"),
        *("memory", "global", "elem", "data", "start", "offset", "item", "declare", "mut", "then"),
        *("ref", "null", "extern", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2"),
        *("nan:canonical", "nan:arithmetic"),
    )
)

#: The names that words had in earlier editions of the format.
_RENAMED = {
    "anyfunc": "funcref",
    "current_memory": "memory.size",
    "grow_memory": "memory.grow",
    "get_local": "local.get",
    "set_local": "local.set",
    "tee_local": "local.tee",
    "get_global": "global.get",
    "set_global": "global.set",
}

#: Words of later editions, for error messages.
_LATER = (
    (re.compile(r"return_call"), "tail calls are"),
    (re.compile(r"tag$|throw|try_table$|catch|exn|noexn"), "exception handling is"),
    (
        re.compile(r"call_ref$|ref\.as_non_null$|br_on_(non_)?null$"),
        "typed function references are",
    ),
    (
        re.compile(
            r"rec$|sub$|struct|array|i31|any|eq(ref)?$|none|nofunc|noextern|extern\.convert|"
            r"ref\.(eq|test|cast|i31)|br_on_cast"
        ),
        "garbage collection is",
    ),
    (re.compile(r".*\.relaxed_"), "relaxed vector instructions are"),
    (re.compile(r".*\.atomic\.|atomic|shared$"), "threads are"),
    (re.compile(r"i64\.(add128|sub128|mul_wide)"), "wide arithmetic is"),
)

#: The most characters of a word or a name in a message.
_SHOWN = 80

_Value = TypeVar("_Value")


class Space:
    """An index space: the names of its definitions.

    Attributes:
        kind: what it has, for errors: "function".
        names: the indices by name; a name is without its dollar sign.
        count: the number of definitions.
    """

    __slots__ = ("_short", "count", "kind", "names")

    def __init__(self, kind: str, short: str | None = None) -> None:
        self.kind = kind
        self._short = short or kind
        self.names: dict[str, int] = {}
        self.count = 0

    def define(self, reader: Reader) -> int:
        """Read the identifier of a definition, if it has one.

        Returns:
            The index of the definition.
        """
        at = reader.at
        name = reader.identifier()
        if name is not None:
            if name in self.names:
                raise reader.error(f"duplicate {self._short} {shown(name)}", at)
            self.names[name] = self.count
        self.count += 1
        return self.count - 1

    def by_index(self) -> dict[int, str]:
        """Return the names by index."""
        return {index: name for name, index in self.names.items()}


def shown(name: str) -> str:
    """Return a name as an identifier, for a message."""
    return f"${_cut(name)}"


def _cut(text: str) -> str:
    """Return a part of a text that is too long for a message."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def is_known(word: str) -> bool:
    """Return whether a word has a meaning anywhere in the format."""
    return (
        word[:1] in ("(", ")", "$", '"')
        or word in BY_MNEMONIC
        or word in _KEYWORDS
        or word in VALUE_TYPES
        or literals.is_number(word)
        or word.startswith(("offset=", "align="))
    )


def _explained(word: str) -> str:
    """Return the end of the error for a word that the format does not know; may be empty."""
    if word in _RENAMED:
        return f"; did you mean {_RENAMED[word]}?"
    for pattern, feature in _LATER:
        if pattern.match(word):
            return f": {feature} not supported"
    similar = similar_name(word, (*BY_MNEMONIC, *_KEYWORDS, *VALUE_TYPES))
    return f"; did you mean {similar}?" if similar else ""


class Reader:
    """Reads what the fields and instructions of the text consist of.

    Attributes:
        tokens: the tokens of the text.
        texts: their texts.
        at: the index of the next one.
    """

    __slots__ = ("at", "closing", "texts", "tokens")

    def __init__(self, tokens: Tokens, at: int = 0) -> None:
        self.tokens = tokens
        self.texts = tokens.texts
        self.closing = tokens.closing
        self.at = at

    # Errors

    def error(self, message: str, at: int | None = None) -> TextError:
        """Return an error at a token; by default the next one."""
        return self.tokens.error(self.at if at is None else at, message)

    def unexpected(self, expected: str = "", at: int | None = None) -> NoReturn:
        """Refuse a token; by default the next one.

        Args:
            expected: what may be there.
            at: the index of the token.

        Raises:
            TextError: always.
        """
        at = self.at if at is None else at
        word = self.texts[at]
        wanted = f", expected {expected}" if expected else ""
        if word is END:
            raise self.error(f"unexpected token: the end of the text{wanted}", at)
        if is_known(word):
            raise self.error(f"unexpected token {_cut(word)}{wanted}", at)
        hint = _explained(word) or wanted
        raise self.error(f"unknown operator {_cut(word.lstrip())}{hint}", at)

    # Tokens

    def expect(self, word: str) -> None:
        """Read a certain token."""
        if self.texts[self.at] != word:
            self.unexpected(word)
        self.at += 1

    def opens(self, keyword: str) -> bool:
        """Return whether the next tokens are a parenthesis and a keyword."""
        at = self.at
        return self.texts[at] == "(" and self.texts[at + 1] == keyword

    def open(self, keyword: str) -> bool:
        """Read a parenthesis and a keyword, if they are next; return whether they were."""
        if not self.opens(keyword):
            return False
        self.at += 2
        return True

    def closes(self) -> bool:
        """Return whether a closing parenthesis is next."""
        return self.texts[self.at] == ")"

    def identifier(self) -> str | None:
        """Read an identifier, if one is next; return its name without the dollar sign."""
        token = self.texts[self.at]
        if not token.startswith("$"):
            return None
        name = self.name_in(token)
        self.at += 1
        return name

    def name_in(self, token: str) -> str:
        """Return the name in an identifier that is the next token."""
        if token[1:2] != '"':
            return token[1:]
        return self._literal(literals.name_of, token[1:])

    def _literal(self, read: Callable[..., _Value], *arguments: object) -> _Value:
        """Return the value of the next token, which stays the next one."""
        try:
            return read(*arguments)
        except LiteralError as error:
            raise self.error(str(error)) from None

    # Literals

    def is_string(self) -> bool:
        """Return whether a string is next."""
        return self.texts[self.at].startswith('"')

    def string(self) -> bytes:
        """Read a string."""
        return self._string(literals.string_bytes)

    def name(self) -> str:
        """Read a name: a string that is UTF-8."""
        return self._string(literals.name_of)

    def _string(self, read: Callable[[str], _Value]) -> _Value:
        token = self.texts[self.at]
        if token[:1] != '"':
            self.unexpected("a string")
        value = self._literal(read, token)
        self.at += 1
        return value

    def is_index(self) -> bool:
        """Return whether an identifier or an unsigned integer is next."""
        token = self.texts[self.at]
        return (
            token.isdecimal()
            or token.startswith("$")
            or (token[:1].isdecimal() and literals.is_integer(token))
        )

    def numbers(self, most: int) -> int:
        """Return how many numbers are next, of so many at most."""
        count = 0
        while count < most and literals.is_number(self.texts[self.at + count]):
            count += 1
        return count

    def unsigned(self, bits: int = 32, expected: str = "a number") -> int:
        """Read an unsigned integer of at most so many bits."""
        token = self.texts[self.at]
        if token.isdecimal() and len(token) < 3:
            # Most are so short.
            self.at += 1
            return int(token)
        if not token[:1].isdecimal() or not literals.is_integer(token):
            self.unexpected(expected)
        value: int = self._literal(literals.unsigned_integer, token, bits)
        self.at += 1
        return value

    def number_after(self, prefix: str) -> int:
        """Read a word that is a prefix and an unsigned integer of at most 64 bits."""
        token = self.texts[self.at]
        number = token[len(prefix) :]
        if not number[:1].isdecimal() or not literals.is_integer(number):
            raise self.error(f"unknown operator {_cut(token)}: expected a number after {prefix}")
        value: int = self._literal(literals.unsigned_integer, number, 64)
        self.at += 1
        return value

    def integer(self, bits: int) -> int:
        """Read an integer of so many bits, as a signed one."""
        token = self.texts[self.at]
        if not literals.is_integer(token):
            self.unexpected("an integer")
        value: int = self._literal(literals.integer, token, bits)
        self.at += 1
        return value

    def float_bits(self, bits: int) -> int:
        """Read a float of so many bits, as its bits."""
        token = self.texts[self.at]
        if not literals.is_number(token):
            self.unexpected("a number")
        value: int = self._literal(literals.float_bits, token, bits)
        self.at += 1
        return value

    # Indices

    def index(self, space: Space) -> int:
        """Read an index: a number, or the identifier of a definition."""
        token = self.texts[self.at]
        if token[:1] != "$":
            return self.unsigned(expected=f"a {space.kind}")
        found = space.names.get(self.name_in(token))
        if found is None:
            raise self.unknown(space.kind, space.names)
        self.at += 1
        return found

    def unknown(self, kind: str, names: Iterable[str]) -> TextError:
        """Return the error for the next token, an identifier that is none of these."""
        wanted = shown(self.name_in(self.texts[self.at]))
        similar = similar_name(wanted, map(shown, names))
        hint = "" if similar is None else f"; did you mean {similar}?"
        return self.error(f"unknown {kind} {wanted}{hint}")

    # Types

    def is_value_type(self) -> bool:
        """Return whether a value type is next."""
        return self.texts[self.at] in VALUE_TYPES or self.opens("ref")

    def value_type(self) -> ValType:
        """Read a value type."""
        type_ = VALUE_TYPES.get(self.texts[self.at])
        if type_ is not None:
            self.at += 1
            return type_
        if not self.open("ref"):
            self.unexpected("a value type")
        self.expect("null")
        heap = self.heap_type()
        self.expect(")")
        return heap

    def heap_type(self) -> ValType:
        """Read the name of what references refer to; return the type of the references."""
        type_ = HEAP_TYPES.get(self.texts[self.at])
        if type_ is None:
            self.unexpected("func or extern")
        self.at += 1
        return type_

    def reference_type(self) -> ValType:
        """Read a reference type."""
        at = self.at
        type_ = self.value_type()
        if not type_.is_reference:
            self.unexpected("funcref or externref", at)
        return type_

    def value_types(self) -> list[ValType]:
        """Read value types up to the closing parenthesis, and that."""
        found = []
        while not self.closes():
            found.append(self.value_type())
        self.at += 1
        return found

    def limits(self) -> Limits:
        """Read the limits of a memory or table."""
        if self.texts[self.at] == "i64":
            raise self.error("unexpected token i64: memory64 is not supported")
        minimum = self.unsigned(expected="a size")
        return Limits(minimum, self.unsigned() if self.texts[self.at][:1].isdecimal() else None)

    def memory_type(self) -> MemoryType:
        """Read the type of a memory."""
        return MemoryType(self.limits())

    def table_type(self) -> TableType:
        """Read the type of a table."""
        limits = self.limits()
        return TableType(self.reference_type(), limits)

    def global_type(self) -> GlobalType:
        """Read the type of a global."""
        if not self.open("mut"):
            return GlobalType(self.value_type())
        type_ = GlobalType(self.value_type(), True)
        self.expect(")")
        return type_
