"""Names of Rust's functions, as its compiler mangles them, in a form to read.

Of the newer mangling ("v0"), only names of crates, modules, functions and closures are read; names
with types in them stay as they are.
"""

from __future__ import annotations

__all__ = ["readable_name"]

#: What stands between two dollar signs in a name.
_ESCAPES = {
    "SP": "@",
    "BP": "*",
    "RF": "&",
    "LT": "<",
    "GT": ">",
    "LP": "(",
    "RP": ")",
    "C": ",",
}

_HEXADECIMAL = frozenset("0123456789abcdef")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#: The longest name that is looked at, and the most parts of one.
_LONGEST = 10_000
_MOST_PARTS = 200


class _OtherName(Exception):
    """The name is mangled in no way that is read here."""


def readable_name(name: str) -> str:
    """Return the name that a function has in Rust's source, or the name as it is.

    Example:
        >>> readable_name("_ZN3std7process5abort17h52a756c95aa1ed34E")
        'std::process::abort::h52a756c95aa1ed34'
    """
    if len(name) > _LONGEST or not name.isascii():
        return name
    try:
        if name.startswith("_ZN"):
            return _legacy(name)
        if name.startswith("_R"):
            reader = _Reader(name, 2)
            path = reader.path(_MOST_PARTS)
            # What follows is the crate that a generic function was compiled for.
            return path if name[reader.place :][:1] in ("", "C") else name
    except (_OtherName, IndexError):
        pass
    return name


def _legacy(name: str) -> str:
    """Read the older mangling: `_ZN`, each part with its length before it, `E`."""
    reader = _Reader(name, 3)
    parts = []
    while not reader.take("E"):
        parts.append(_unescaped(reader.text()))
    rest = name[reader.place :]
    if not parts or (rest and not rest.startswith(".")):
        raise _OtherName
    return "::".join(parts) + ("" if rest.startswith(".llvm.") else rest)


def _unescaped(part: str) -> str:
    """Return a part of a name without escapes; from an unknown escape on it stays as it is."""
    if part.startswith("_$"):
        part = part[1:]
    found: list[str] = []
    while part:
        if part.startswith(".."):
            character, part = "::", part[2:]
        elif part[0] == ".":
            character, part = ".", part[1:]
        elif part[0] == "$":
            escape, closed, after = part[1:].partition("$")
            character = _ESCAPES.get(escape) or _code_point(escape)
            if not closed or not character:
                return "".join(found) + part
            part = after
        else:
            size = min(index for index in (part.find("."), part.find("$"), len(part)) if index >= 0)
            character, part = part[:size], part[size:]
        found.append(character)
    return "".join(found)


def _code_point(escape: str) -> str:
    """Return the character of an escape such as `u7b`, or nothing."""
    digits = escape[1:]
    if escape[:1] != "u" or not 0 < len(digits) <= 6 or not _HEXADECIMAL.issuperset(digits):
        return ""
    number = int(digits, 16)
    character = chr(number) if number < 0x110000 else ""
    return character if character.isprintable() else ""


class _Reader:
    """The place in a mangled name."""

    def __init__(self, name: str, place: int) -> None:
        self.name, self.place = name, place

    def take(self, prefix: str) -> bool:
        """Go past a prefix, if it is there."""
        if not self.name.startswith(prefix, self.place):
            return False
        self.place += len(prefix)
        return True

    def text(self, separator: str = "") -> str:
        """Read a length, in decimal, a separator that may be left out, and as many characters."""
        start = self.place
        while self.name[self.place : self.place + 1].isdecimal() and self.place < start + 5:
            self.place += 1
        if self.place == start:
            raise _OtherName
        size = int(self.name[start : self.place])
        self.take(separator)
        self.place += size
        if self.place > len(self.name):
            raise _OtherName
        return self.name[self.place - size : self.place]

    def number(self) -> int:
        """Read a number of base 62, which ends with an underscore."""
        if self.take("_"):
            return 0
        number = 0
        for _ in range(12):
            if self.take("_"):
                return number + 1
            digit = _DIGITS.find(self.name[self.place])
            if digit < 0:
                break
            number = 62 * number + digit
            self.place += 1
        raise _OtherName

    def disambiguator(self) -> int:
        """Read the number that tells things of one name apart: 0 if there is none."""
        return self.number() + 1 if self.take("s") else 0

    def identifier(self) -> str:
        """Read an identifier; one with other letters than those of ASCII is not read here."""
        if self.take("u"):
            raise _OtherName
        return self.text("_")

    def path(self, depth: int) -> str:
        """Read a crate, or what lies in a path."""
        if not depth:
            raise _OtherName
        if self.take("C"):
            crate = self.disambiguator()
            return f"{self.identifier()}[{crate:x}]"
        if not self.take("N"):
            raise _OtherName
        space = self.name[self.place]
        self.place += 1
        parent = self.path(depth - 1)
        index = self.disambiguator()
        name = self.identifier()
        if space.islower():
            return f"{parent}::{name}" if name else parent
        if space == "C":
            return f"{parent}::{{closure{':' + name if name else ''}#{index}}}"
        raise _OtherName
