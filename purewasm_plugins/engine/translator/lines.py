"""The lines of the Python function that is being written, and their indentation.

Every line is written here, and only this module changes the indentation.
"""

from __future__ import annotations

import sys

from purewasm_plugins.engine.translator.expressions import traced
from purewasm_plugins.engine.translator.translation import ANY_EFFORT, Effort
from purewasm_plugins.support.typed import Iterable

__all__ = ["Line", "Lines", "TooDeep"]

#: The deepest indentation of a statement that contains instructions. CPython allows 100 levels:
#: the rest is for statements of one line, such as the `break` of a branch.
MOST_INDENTED = 90


class TooDeep(Exception):
    """The function nests deeper than CPython allows."""


_NO_CHECKS: list[str] = []


class Line:
    """A line of source.

    Attributes:
        indent: levels of indentation.
        text: None for a reserved line that is not needed.
        offset: of the instruction that the line comes from.
        checks: in an audited function, the expressions that are evaluated after the line; `{}`
            stands for the variable that the line assigns.
    """

    __slots__ = ("checks", "indent", "offset", "text")

    def __init__(self, indent: int, text: str | None, offset: int) -> None:
        self.checks: list[str] = _NO_CHECKS
        self.indent = indent
        self.text = text
        self.offset = offset


class Lines:
    """The source of one function.

    Attributes:
        written: the lines, in order.
        indent: levels of indentation of the next line.
        offset: of the instruction that is being translated.
        live: whether execution can reach the next line.
        characters: how many have been written, without indentation.
    """

    def __init__(self, *, located: bool = False, effort: Effort = ANY_EFFORT) -> None:
        """Begin an empty function.

        Args:
            located: whether `trace` marks text with the offset of its instruction.
            effort: what writing the function may take.
        """
        self.written: list[Line] = []
        self.indent = 1
        self.offset = 0
        self.live = True
        self.characters = 0
        self._located = located
        self._effort = effort
        self._most_characters = sys.maxsize if effort.characters is None else effort.characters

    def write(self, text: str) -> Line:
        """Write a line at the present indentation, and return it.

        Raises:
            ResourceLimitError: the function is longer than `effort` allows.
        """
        self.characters += len(text)
        if self.characters > self._most_characters:
            self._effort.check_characters(self.characters)
        line = Line(self.indent, text, self.offset)
        self.written.append(line)
        return line

    def write_all(self, texts: Iterable[str]) -> None:
        """Write lines at the present indentation."""
        for text in texts:
            self.write(text)

    def reserve(self) -> Line:
        """Write a line that may get a text later."""
        line = Line(self.indent, None, self.offset)
        self.written.append(line)
        return line

    def open(self, header: str) -> None:
        """Write the header of a compound statement; the lines that follow are its body.

        Raises:
            TooDeep: the body would be indented too far.
        """
        self.write(header)
        self.indent += 1
        if self.indent > MOST_INDENTED:
            raise TooDeep

    def close(self, levels: int = 1) -> None:
        """End compound statements: their number. An empty body becomes `pass`."""
        last = self.written[-1]
        if last.text is None or last.text.endswith(":"):
            self.write("pass")
        self.indent -= levels

    def write_compound(self, header: str, body: list[str]) -> None:
        """Write a whole compound statement: its body are single lines, or `pass` without any."""
        self.write(header)
        self.indent += 1
        self.write_all(body or ["pass"])
        self.indent -= 1

    def write_skip(self, test: str, done: str, values: dict[str, str], many: int) -> None:
        """Write what does iterations of a loop at once, before the loop; see `skips`.

        Args:
            test: whether it is worth a try.
            done: does iterations, and says how many.
            values: of the variables after so many iterations.
            many: after fewer iterations there is no second try, which would take longer.
        """
        self.open(f"while {test}:")
        self.write_compound(f"if not (count := {done}):", ["break"])
        for name, value in values.items():
            self.write(f"{name} = {value}")
        if many:
            self.write_compound(f"if count < {many}:", ["break"])
        self.close()

    def cut(self, start: int) -> list[Line]:
        """Take the lines from an index on out of the function."""
        taken = self.written[start:]
        del self.written[start:]
        return taken

    def put_back(self, lines: list[Line], levels: int) -> None:
        """Append lines that were taken out, indented further by some levels.

        Raises:
            TooDeep: a line would be indented too far.
        """
        for line in lines:
            line.indent += levels
            if line.indent > MOST_INDENTED:
                raise TooDeep
            self.written.append(line)
        if not lines:
            self.write("pass")

    def trace(self, text: str) -> str:
        """Mark the text of what may trap with the instruction's offset, if that is wanted."""
        return traced(text, self.offset) if self._located else text
