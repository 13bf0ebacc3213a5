"""Regular expressions that strangers wrote, as JSON Schema has them (ECMA-262), in linear time.

Python's `re` goes back and tries again, which takes a hostile expression for ever, and nothing can
stop it. Here an expression becomes a program of a few operations, and a text is read once, with
every place of the program that it can have led to (Thompson's construction). What would have to
look back or ahead cannot be done so, and is refused.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from enum import Enum, auto
from itertools import chain
from typing import Any

__all__ = ["Moves", "Pattern"]

#: Operations in a program. `{1000}` takes a thousand copies of what it repeats.
MAX_PROGRAM = 5_000

#: Groups in each other.
MAX_GROUPS = 50

#: Bytes that `Moves` takes, and about what a state and a move take beside the places of a state.
MAX_MOVES_SIZE = 8 * 1024 * 1024
_STATE_SIZE, _MOVE_SIZE = 400, 200

#: A pattern, its places in its program as an array's bytes, and whether the character before is one
#: of a word; None at the start.
_State = tuple["Pattern", bytes, bool | None]

#: The type code of those arrays: a program is shorter than 65 536.
_PLACE = "H"

#: In place of the number of a state: the expression has matched.
_MATCHED = -1

#: The last code point.
_LAST = 0x10FFFF

_Ranges = tuple[tuple[int, int], ...]


class _Op(Enum):
    """What a program does; the argument of each is in brackets."""

    CHARACTER = auto()
    """[ranges] Read a character of these."""
    FORK = auto()
    """[distance] Go on with the next, and also so far from here."""
    JUMP = auto()
    """[distance] Go on so far from here."""
    START = auto()
    """[-] Go on at the start of the text only."""
    END = auto()
    """[-] Go on at its end only."""
    BOUNDARY = auto()
    """[bool] Go on only where a word begins or ends; False: only where none does."""
    MATCH = auto()
    """[-] The expression has matched."""


_Code = list[tuple[_Op, Any]]


def _others(ranges: _Ranges) -> _Ranges:
    """All characters that are not in the ranges."""
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


class Moves:
    """What searches have found out: the states of patterns, numbered, and what each leads to.

    It belongs to one check of a value. When it takes `MAX_MOVES_SIZE`, it starts again.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start again with nothing."""
        self._states: list[_State] = []
        self._numbers: dict[_State, int] = {}
        #: The number of a state, and the character that comes next -> the number of the state then.
        self.known: dict[tuple[int, str], int] = {}
        self._size = 0

    def number(self, state: _State) -> int:
        """Return the number of a state, by which `known` finds it without comparing its places."""
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self._states)
            self._states.append(state)
            self._size += _STATE_SIZE + len(state[1])
        return number

    def add(self, number: int, character: str) -> int:
        """Find out, and remember, what a state and a character lead to: a number, or `_MATCHED`."""
        state = self._states[number]
        moved = state[0].moved(state, character)
        if self._size > MAX_MOVES_SIZE:
            self.forget()
            number = self.number(state)
        self._size += _MOVE_SIZE
        found = _MATCHED if moved is None else self.number(moved)
        self.known[number, character] = found
        return found


class Pattern:
    """A regular expression.

    Attributes:
        text: the expression.
        size: of its program.
    """

    def __init__(self, text: str) -> None:
        """Read an expression.

        Raises:
            ValueError: it is none, or it looks back or ahead; in words.
        """
        self.text = text
        self._position = 0
        code = self._alternatives(0)
        if self._position < len(text):
            raise self._error("unbalanced ')'")
        self._program = (*code, (_Op.MATCH, None))
        self.size = sum(1 + len(argument) if op is _Op.CHARACTER else 1 for op, argument in code)

    def search(self, text: str, spend: Callable[[int], None], moves: Moves) -> bool:
        """Whether the expression matches anywhere in a text.

        Args:
            text: the text.
            spend: told of the work, before it is done, in units of some microseconds.
            moves: what other searches of the same check have found out.
        """
        # Most moves are known; one that is not takes as long as the program is.
        spend(1 + len(text) // 10)
        state = moves.number((self, b"", None))
        for character in chain(text, ("",)):
            moved = moves.known.get((state, character))
            if moved is None:
                spend(1 + self.size // 4)
                moved = moves.add(state, character)
            state = moved
            if state == _MATCHED:
                return True
        return False

    def moved(self, state: _State, character: str) -> _State | None:
        """Return the state after a character, or None where the expression has matched.

        An empty character stands for the end of the text.
        """
        _, places, before = state
        of_word = _in(character, _WORD)
        found: set[int] = set()
        seen: set[int] = set()
        # The expression can begin to match anywhere.
        waiting = [0, *array(_PLACE, places)]
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            op, argument = self._program[place]
            if op is _Op.CHARACTER:
                if _in(character, argument):
                    found.add(place + 1)
            elif op is _Op.MATCH:
                return None
            elif op is _Op.JUMP:
                waiting.append(place + argument)
            elif op is _Op.FORK:
                waiting += (place + 1, place + argument)
            elif (
                before is None
                if op is _Op.START
                else not character
                if op is _Op.END
                else (bool(before) is not of_word) is argument
            ):
                waiting.append(place + 1)
        return self, array(_PLACE, sorted(found)).tobytes(), of_word

    # Reading. `_position` is that of the next character.

    def _error(self, details: str) -> ValueError:
        return ValueError(f"the pattern {self.text[:200]!r}: {details}")

    def _taken(self, expected: str) -> bool:
        """Whether a string comes next; it is then behind us."""
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
            raise self._error(f"more than {MAX_GROUPS} groups in each other")
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
        """Return what a quantifier that comes next makes of a piece of code."""
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
            raise self._error("a repetition with its least above its most")
        if _QUANTIFIER.match(self.text, self._position) or self._taken("+"):
            raise self._error("a repetition of a repetition")
        if most == 0:
            # It stays, so that the size of a program is what reading it took.
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
            raise self._error("it looks ahead or back, or sets flags, which is not supported")
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
            # A "-" that stands last is one.
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
        """Return what a backslash makes of what comes next: a character, or a class."""
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
    """Whether a character, if there is one, is in the ranges."""
    if not character:
        return False
    code = ord(character)
    return any(low <= code <= high for low, high in ranges)
