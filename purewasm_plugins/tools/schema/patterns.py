"""Untrusted regular expressions, as JSON Schema has them (ECMA-262), matched in linear time.

Python's `re` backtracks: a hostile expression can run for hours, and nothing can stop it. Here an
expression becomes a program of a few operations. A search reads the text once and keeps the set of
program positions that the text can lead to (Thompson's construction). Lookahead, lookbehind and
backreferences do not work this way, and are refused.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from enum import Enum, auto
from itertools import chain
from typing import Any

__all__ = ["Pattern", "Transitions"]

#: The most operations in a program. `{1000}` makes a thousand copies of its operand.
MAX_PROGRAM = 5_000

#: The deepest nesting of groups.
MAX_GROUPS = 50

#: The most bytes of `Transitions`. A state takes about `_STATE_SIZE` bytes beside its positions.
MAX_TRANSITIONS_SIZE = 8 * 1024 * 1024
_STATE_SIZE, _TRANSITION_SIZE = 400, 200

#: A pattern, positions in its program as the bytes of an array, and whether the character before
#: belongs to a word (None at the start of the text).
_State = tuple["Pattern", bytes, bool | None]

#: The type code of the array: a program is shorter than 65 536.
_POSITION = "H"

#: The number that replaces that of a state where the expression has matched.
_MATCHED = -1

#: The largest code point.
_LAST = 0x10FFFF

_Ranges = tuple[tuple[int, int], ...]


class _Op(Enum):
    """An operation of a program. The brackets give its argument."""

    CHARACTER = auto()
    """[ranges] Read a character in these ranges."""
    FORK = auto()
    """[distance] Continue with the next operation, and also at this distance."""
    JUMP = auto()
    """[distance] Continue at this distance."""
    START = auto()
    """[-] Continue only at the start of the text."""
    END = auto()
    """[-] Continue only at the end of the text."""
    BOUNDARY = auto()
    """[bool] Continue only where a word begins or ends; False: only where none does."""
    MATCH = auto()
    """[-] The expression has matched."""


_Code = list[tuple[_Op, Any]]


def _others(ranges: _Ranges) -> _Ranges:
    """Return all characters that are not in the ranges."""
    found, start = [], 0
    for low, high in sorted(ranges):
        if start < low:
            found.append((start, low - 1))
        start = max(start, high + 1)
    return (*found, (start, _LAST)) if start <= _LAST else tuple(found)


def _of(characters: str) -> _Ranges:
    return tuple((ord(character), ord(character)) for character in characters)


_DIGIT: _Ranges = ((0x30, 0x39),)
_WORD: _Ranges = (*_DIGIT, (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE = (*_of(" \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"), (9, 13), (0x2000, 0x200A))
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CLASSES |= {name.upper(): _others(ranges) for name, ranges in _CLASSES.items()}
_ANY = _others(_of("\n\r\u2028\u2029"))

_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_CODE_POINT = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}")
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d{1,6})(,(\d{1,6})?)?\})\??")
_REPEATS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_GROUP = re.compile(r"\((?:\?:|\?P?<[A-Za-z_]\w*>|(?!\?))")


class Transitions:
    """The states of patterns that searches have met, by number, and the transitions between them.

    One check of a value shares it. It is emptied when its size exceeds `MAX_TRANSITIONS_SIZE`.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Remove everything."""
        self._states: list[_State] = []
        self._numbers: dict[_State, int] = {}
        #: The number of a state and the next character -> the number of the state after it.
        self.known: dict[tuple[int, str], int] = {}
        self._size = 0

    def number(self, state: _State) -> int:
        """Return the number of a state: `known` looks a number up faster than the positions."""
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self._states)
            self._states.append(state)
            self._size += _STATE_SIZE + len(state[1])
        return number

    def add(self, number: int, character: str) -> int:
        """Compute and keep the transition of a state by a character: a number, or `_MATCHED`."""
        state = self._states[number]
        following = state[0].next_state(state, character)
        if self._size > MAX_TRANSITIONS_SIZE:
            self.forget()
            number = self.number(state)
        self._size += _TRANSITION_SIZE
        found = _MATCHED if following is None else self.number(following)
        self.known[number, character] = found
        return found


class Pattern:
    """A regular expression.

    Attributes:
        text: the expression.
        size: the size of its program.
    """

    def __init__(self, text: str) -> None:
        """Parse an expression.

        Raises:
            ValueError: it is malformed, or it needs lookahead, lookbehind or a backreference.
        """
        self.text = text
        self._position = 0
        code = self._alternatives(0)
        if self._position < len(text):
            raise self._error("unbalanced ')'")
        self._program = (*code, (_Op.MATCH, None))
        self.size = sum(1 + len(argument) if op is _Op.CHARACTER else 1 for op, argument in code)

    def search(self, text: str, spend: Callable[[int], None], transitions: Transitions) -> bool:
        """Return whether the expression matches anywhere in a text.

        Args:
            text: the text.
            spend: called before each piece of work with its size, in units of about 2 µs.
            transitions: those that the searches of the same check share.
        """
        # Most transitions are known. A new one takes time in proportion to the program.
        spend(1 + len(text) // 10)
        state = transitions.number((self, b"", None))
        for character in chain(text, ("",)):
            following = transitions.known.get((state, character))
            if following is None:
                spend(1 + self.size // 4)
                following = transitions.add(state, character)
            state = following
            if state == _MATCHED:
                return True
        return False

    def next_state(self, state: _State, character: str) -> _State | None:
        """Return the state after a character, or None where the expression has matched.

        An empty character is the end of the text.
        """
        _, positions, before = state
        of_word = _in(character, _WORD)
        found: set[int] = set()
        seen: set[int] = set()
        # Position 0: the expression can begin to match anywhere.
        waiting = [0, *array(_POSITION, positions)]
        while waiting:
            position = waiting.pop()
            if position in seen:
                continue
            seen.add(position)
            op, argument = self._program[position]
            if op is _Op.CHARACTER:
                if _in(character, argument):
                    found.add(position + 1)
            elif op is _Op.MATCH:
                return None
            elif op is _Op.JUMP:
                waiting.append(position + argument)
            elif op is _Op.FORK:
                waiting += (position + 1, position + argument)
            elif (
                before is None
                if op is _Op.START
                else not character
                if op is _Op.END
                else (bool(before) is not of_word) is argument
            ):
                waiting.append(position + 1)
        return self, array(_POSITION, sorted(found)).tobytes(), of_word

    # Parsing. `_position` is the index of the next character.

    def _error(self, details: str) -> ValueError:
        return ValueError(f"the pattern {self.text[:200]!r}: {details}")

    def _taken(self, expected: str) -> bool:
        """Return whether a string comes next, and skip it if it does."""
        found = self.text.startswith(expected, self._position)
        if found:
            self._position += len(expected)
        return found

    def _next(self) -> str:
        if self._position == len(self.text):
            raise self._error("it ends too early")
        self._position += 1
        return self.text[self._position - 1]

    def _alternatives(self, depth: int) -> _Code:
        if depth > MAX_GROUPS:
            raise self._error(f"more than {MAX_GROUPS} nested groups")
        branches = [self._sequence(depth)]
        size = 0
        while self._taken("|"):
            size += len(branches[-1]) + 2
            if size > MAX_PROGRAM:
                raise self._error("it is too large")
            branches.append(self._sequence(depth))
        last = branches.pop()
        rest = sum(len(branch) + 2 for branch in branches) + len(last)
        code: _Code = []
        for branch in branches:
            rest -= len(branch) + 2
            code += [(_Op.FORK, len(branch) + 2), *branch, (_Op.JUMP, rest + 1)]
        return code + last

    def _sequence(self, depth: int) -> _Code:
        code: _Code = []
        while self.text[self._position : self._position + 1] not in ("", "|", ")"):
            code += self._repeated(self._atom(depth))
            if len(code) > MAX_PROGRAM:
                raise self._error("it is too large")
        return code

    def _repeated(self, code: _Code) -> _Code:
        """Apply the quantifier that comes next, if any, to the code of an atom."""
        found = _QUANTIFIER.match(self.text, self._position)
        if found is None:
            return code
        self._position = found.end()
        sign, least_text, comma, most_text = found.groups()
        if sign:
            least, most = _REPEATS[sign]
        else:
            least = int(least_text)
            most = int(most_text) if most_text else None if comma else least
        if most is not None and most < least:
            raise self._error("a repetition whose minimum is larger than its maximum")
        if _QUANTIFIER.match(self.text, self._position) or self._taken("+"):
            raise self._error("a repetition of a repetition")
        if most == 0:
            # The code stays: the size of a program bounds the time of parsing it.
            return [(_Op.JUMP, len(code) + 1), *code]
        copies = least if most is None else most
        if max(copies, 1) * (len(code) + 1) > MAX_PROGRAM:
            raise self._error("it is too large")
        required = code * least
        if most is None:
            return [*required, (_Op.FORK, len(code) + 2), *code, (_Op.JUMP, -len(code) - 1)]
        length = len(code) + 1
        for left in range(most - least, 0, -1):
            required += [(_Op.FORK, left * length), *code]
        return required

    def _atom(self, depth: int) -> _Code:
        group = _GROUP.match(self.text, self._position)
        if group is not None:
            self._position = group.end()
            code = self._alternatives(depth + 1)
            if not self._taken(")"):
                raise self._error("unbalanced '('")
            return code
        character = self._next()
        if character == "^":
            return [(_Op.START, None)]
        if character == "$":
            return [(_Op.END, None)]
        if character in "*+?":
            raise self._error("nothing to repeat")
        if character == "(":
            raise self._error("lookahead, lookbehind and flags are not supported")
        if character == ".":
            return [(_Op.CHARACTER, _ANY)]
        if character == "[":
            return [(_Op.CHARACTER, self._set())]
        if character == "\\":
            for letter, op, argument in (
                ("b", _Op.BOUNDARY, True),
                ("B", _Op.BOUNDARY, False),
                ("A", _Op.START, None),
                ("Z", _Op.END, None),
                ("z", _Op.END, None),
            ):
                if self._taken(letter):
                    return [(op, argument)]
            return [(_Op.CHARACTER, self._escape())]
        return [(_Op.CHARACTER, _of(character))]

    def _set(self) -> _Ranges:
        negated = self._taken("^")
        ranges: list[tuple[int, int]] = []
        while not self._taken("]"):
            low = self._set_item()
            # A "-" before the "]" is a character.
            last = self.text.startswith("-]", self._position)
            if len(low) == 1 and not last and self._taken("-"):
                high = self._set_item()
                if len(high) != 1 or high[0][1] < low[0][0]:
                    raise self._error("a bad range of characters")
                low = ((low[0][0], high[0][1]),)
            ranges += low
        return _others(tuple(ranges)) if negated else tuple(ranges)

    def _set_item(self) -> _Ranges:
        character = self._next()
        if character != "\\":
            return _of(character)
        return _of("\b") if self._taken("b") else self._escape()

    def _escape(self) -> _Ranges:
        """Parse what follows a backslash: a character, or a class."""
        found = _CODE_POINT.match(self.text, self._position)
        if found is not None:
            self._position = found.end()
            code = int(found[1] or found[2] or found[3], 16)
            return ((code, code),)
        character = self._next()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _of(_CONTROLS[character])
        if character.isalnum() and character.isascii():
            raise self._error(f"\\{character} is not supported")
        return _of(character)


def _in(character: str, ranges: _Ranges) -> bool:
    """Return whether a character is in the ranges; False for the empty one."""
    if not character:
        return False
    code = ord(character)
    return any(low <= code <= high for low, high in ranges)
