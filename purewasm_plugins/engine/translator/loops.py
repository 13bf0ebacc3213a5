"""Python loops, and branches that leave several of them.

Python can only leave the innermost loop. A branch out of several sets `br` to its number and leaves
the innermost one; after each loop on its way stands a test of `br` that takes it on.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.lines import Line, Lines, TooDeep

__all__ = ["Loop", "Loops"]

#: The most loops that are open at once: CPython allows 20 blocks.
MOST_LOOPS = 18

#: So many tests of `br` after a loop stand in an `if`, but for the first one: where no branch has
#: passed through it, one test is made in place of all.
_GUARDED_TESTS = 4


class Loop:
    """A Python loop that is open.

    Attributes:
        reserved: a line before it, for the `br = 0` that the tests after it may need.
        indent: levels of indentation of its header.
        branches: how many branches leave it or begin it again.
        passing: branches that leave it for an outer loop: number -> (loop, action).
        uses: how many branches leave it so, by number.
    """

    __slots__ = ("branches", "indent", "passing", "reserved", "uses")

    def __init__(self, reserved: Line) -> None:
        self.reserved = reserved
        self.indent = reserved.indent
        self.branches = 0
        self.passing: dict[int, tuple[Loop, str]] = {}
        self.uses: dict[int, int] = {}


class Loops:
    """The Python loops of one function that are open."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._open: list[Loop] = []
        #: The numbers of branches that leave several loops.
        self._numbers: dict[tuple[Loop, str], int] = {}

    def begin(self, header: str) -> Loop:
        """Write the header of a loop; the lines that follow are its body.

        Raises:
            TooDeep: it is in too many others.
        """
        loop = Loop(self._lines.reserve())
        self._open.append(loop)
        self._lines.open(header)
        if len(self._open) > MOST_LOOPS:
            raise TooDeep
        return loop

    def leave(self, loop: Loop, action: str) -> list[str]:
        """Return the statements that `break` or `continue` a loop from inside inner ones.

        Example::

            (func (param i32 i32)
              (loop $outer
                (loop $inner
                  (br_if $outer (local.get 0))
                  (br_if $inner (local.get 1)))))

            def f0(l0, l1):
                for _ in budget: break
                for _ in budget:
                    br = 0
                    for _ in budget:
                        if l0:
                            br = 1
                            break
                        if l1:
                            continue
                        break
                    if br == 1:
                        continue
                    break
                return
        """
        loop.branches += 1
        if self._open[-1] is loop:
            return [action]
        number = self._numbers.setdefault((loop, action), len(self._numbers) + 1)
        for passed in reversed(self._open):
            if passed is loop:
                break
            passed.branches += 1
            passed.passing[number] = (loop, action)
            passed.uses[number] = passed.uses.get(number, 0) + 1
        return [f"br = {number}", "break"]

    def end(self, loop: Loop) -> None:
        """End the innermost loop, and take on the branches that pass through it."""
        lines = self._lines
        lines.close(lines.indent - loop.indent)
        self._open.pop()
        if not loop.passing:
            return
        loop.reserved.text = "br = 0"
        # In the order of their uses: after the loop around an interpreter's instructions, most
        # branches begin it again.
        numbers = sorted(loop.passing, key=lambda number: (-loop.uses[number], number))
        for position, number in enumerate(numbers):
            if position == 1 and len(numbers) >= _GUARDED_TESTS:
                lines.open("if br:")
            target, action = loop.passing[number]
            lines.write_compound(
                f"if br == {number}:", [action if self._open[-1] is target else "break"]
            )
        if len(numbers) >= _GUARDED_TESTS:
            lines.close()
