"""The part of YAML that configurations are written in.

It has mappings and lists in blocks, lists in brackets, texts in quotes and without, numbers, truth
values and comments. Anchors, tags, texts of several lines and all else are refused, so that nothing
is read in another way than a complete reader of YAML has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["YamlError", "read_yaml"]

#: Mappings and lists, one inside the other.
_DEPTH = 16

_DOUBLE = r'"(?:[^"\\]|\\.)*+"'
_SINGLE = r"'(?:[^']|'')*+'"
_ENTRY = re.compile(rf"({_DOUBLE}|{_SINGLE}|[\w./-]++)\s*+:(?:\s++(.*))?")
_QUOTED = re.compile(rf"({_DOUBLE}|{_SINGLE})(?:\s++#.*|\s*+)")
_ITEM = re.compile(rf"\s*+({_DOUBLE}|{_SINGLE}|[^\s,\[\]{{}}\"'#][^,\[\]{{}}\"'#]*+)\s*+")
_CLOSED = re.compile(r"\s*+\](?:\s++#.*|\s*+)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?")

#: What some readers take for a number, and others for a text.
_NUMERIC = re.compile(r"[-+]?\.?[0-9][0-9a-fox_.:+-]*+|[-+]?\.(?:inf|nan)", re.IGNORECASE)

#: What a text without quotes does not begin with, as it means something in YAML.
_MARKS = tuple("&*!|>%@`{}[],?\"'#")

_WORDS = {"true": True, "false": False, "null": None, "~": None}
#: Words that YAML 1.1 takes for truth values, and YAML 1.2 for texts.
_UNCLEAR = {"yes", "no", "on", "off", "y", "n"}


class YamlError(ValueError):
    """What a text has that is not read, and its line, counted from 1."""

    def __init__(self, line: int, details: str) -> None:
        super().__init__(details)
        self.line = line


class _Line(NamedTuple):
    number: int
    indent: int
    text: str

    @property
    def is_item(self) -> bool:
        return self.text == "-" or self.text.startswith("- ")

    def error(self, details: str) -> YamlError:
        return YamlError(self.number, details)


def read_yaml(text: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    """Read a text.

    Returns:
        Its value, and the lines of its keys; the key of an item of a list is its index.

    Raises:
        YamlError: it has something that is not read.
    """
    reader = _Reader(list(_lines(text)))
    return reader.document(), reader.places


def _lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), 1):
        found = line.strip(" \r")
        if not found or found.startswith("#") or (number == 1 and found == "---"):
            continue
        if "\t" in line[: len(line) - len(line.lstrip())]:
            raise YamlError(number, "a tab is no indentation")
        yield _Line(number, len(line) - len(line.lstrip(" ")), found)


class _Reader:
    """The lines that are left, and the places of the keys that were read."""

    def __init__(self, lines: list[_Line]) -> None:
        # The next one is the last.
        self._left = lines[::-1]
        self.places: dict[tuple[str, ...], int] = {}

    def document(self) -> Any:
        if not self._left:
            return None
        value = self._block(self._left[-1].indent, ())
        if self._left:
            raise self._left[-1].error("its indentation fits to no line above")
        return value

    def _block(self, indent: int, keys: tuple[str, ...]) -> Any:
        if len(keys) > _DEPTH:
            raise self._left[-1].error("it is nested too deep")
        return self._list(indent, keys) if self._left[-1].is_item else self._mapping(indent, keys)

    def _at(self, indent: int, *, item: bool) -> _Line | None:
        """Return the next line if it belongs to the block."""
        if not self._left or self._left[-1].indent != indent or self._left[-1].is_item != item:
            return None
        return self._left.pop()

    def _list(self, indent: int, keys: tuple[str, ...]) -> list[Any]:
        found: list[Any] = []
        while line := self._at(indent, item=True):
            place = (*keys, str(len(found)))
            self.places[place] = line.number
            rest = line.text[1:].lstrip()
            inner = _Line(line.number, indent + len(line.text) - len(rest), rest)
            if _ENTRY.fullmatch(rest) or inner.is_item:
                self._left.append(inner)
                found.append(self._block(inner.indent, place))
            else:
                found.append(self._value(line, rest, indent + 1, place))
        return found

    def _mapping(self, indent: int, keys: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while line := self._at(indent, item=False):
            match = _ENTRY.fullmatch(line.text)
            if match is None:
                raise line.error("it must be 'KEY: VALUE'")
            quoted = match[1].startswith(('"', "'"))
            key = _unquoted(line, match[1]) if quoted else _plain(line, match[1])
            if not isinstance(key, str):
                raise line.error("a key must be a text: write it in quotes")
            if key in found:
                raise line.error(f"'{key}' is there twice")
            place = (*keys, key)
            self.places[place] = line.number
            # Items may stand below the first letter of their key.
            is_list = bool(self._left) and self._left[-1].is_item
            inside = indent if is_list else indent + 1
            found[key] = self._value(line, match[2] or "", inside, place)
        return found

    def _value(self, line: _Line, text: str, least: int, keys: tuple[str, ...]) -> Any:
        """Return what stands behind a key or a dash, or in the lines below, from an indentation."""
        if text and not text.startswith("#"):
            return _scalar(line, text)
        if self._left and self._left[-1].indent >= least:
            return self._block(self._left[-1].indent, keys)
        return None


def _unquoted(line: _Line, text: str) -> str:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    try:
        return str(json.loads(text))
    except ValueError:
        raise line.error(f"{text} has an escape that is not read") from None


def _scalar(line: _Line, text: str) -> Any:
    if text.startswith("["):
        return _brackets(line, text)
    if text.startswith(('"', "'")):
        match = _QUOTED.fullmatch(text)
        if match is None:
            raise line.error("a text in quotes must end in its line, and nothing may follow")
        return _unquoted(line, match[1])
    return _plain(line, re.split(r"\s#", text, maxsplit=1)[0].rstrip())


def _brackets(line: _Line, text: str) -> list[Any]:
    found: list[Any] = []
    at = 1
    while match := _ITEM.match(text, at):
        quoted = match[1].startswith(('"', "'"))
        found.append(_unquoted(line, match[1]) if quoted else _plain(line, match[1].rstrip()))
        at = match.end()
        if text[at : at + 1] != ",":
            break
        at += 1
    if not _CLOSED.fullmatch(text, at):
        raise line.error(
            "a list in brackets must have texts and numbers alone, and end in its line"
        )
    return found


def _plain(line: _Line, text: str) -> Any:
    if (
        text in ("-", "---")
        or text.startswith((*_MARKS, "- ", ": "))
        or ": " in text
        or text.endswith(":")
    ):
        raise line.error("it is YAML that is not read here: write texts in quotes, on one line")
    if text in _WORDS:
        return _WORDS[text]
    if text.lower() in _UNCLEAR or text.lower() in _WORDS:
        raise line.error(f"'{text}' is a text in quotes, or true or false")
    number = _NUMBER.fullmatch(text)
    if number is None:
        # An address of four numbers is a text everywhere.
        if _NUMERIC.fullmatch(text) and not re.fullmatch(r"[0-9]+(?:\.[0-9]+){2,}", text):
            raise line.error(f"'{text}' is a number that is not read: write a text in quotes")
        return text
    return float(text) if number[1] else int(text)
