"""DISPATCH statements: code with several places that branches lead to, as one Python loop.

The statement is `while True:` around a binary decision over a variable, `pc0` for the first one of
a function. The decision has a part for the code after each label. A branch sets the variable and
begins the loop again.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.control import Region, Target
from purewasm_plugins.engine.translator.lines import Line, Lines
from purewasm_plugins.engine.translator.loops import Loops
from purewasm_plugins.support.typed import Callable

__all__ = ["Dispatch"]


class Dispatch:
    """A DISPATCH statement that is being written.

    Example::

        (func (param i32) (result i32)
          (block $c (block $b (block $a
                (if (local.get 0) (then (br $a)))
                (if (i32.eq (local.get 0) (i32.const 7)) (then (br $c)))
                (br $b))
              (local.set 0 (i32.const 2))
              (br $c))
            (local.set 0 (i32.const 3)))
          (local.get 0))

        def f0(l0):
            for _ in budget: break
            pc0 = 0
            while True:
                if pc0 < 1:
                    if l0:
                        pc0 = 1
                        continue
                    if l0 == 7:
                        break
                    pc0 = 2
                if pc0 < 2:
                    l0 = 2
                    break
                else:
                    l0 = 3
                    break
            return l0

    Attributes:
        region: the constructs that it is made of.
        loop: its Python loop.
    """

    def __init__(self, region: Region, number: int, lines: Lines, loops: Loops) -> None:
        """Begin the statement with its first part.

        Args:
            region: the constructs that it is made of.
            number: of the statement in its function.
            lines: where it is written.
            loops: those that are open.
        """
        self.region = region
        self.variable = f"pc{number}"
        self._lines = lines
        self._loops = loops
        #: The index of the line that selects the first part.
        self._selection = len(lines.written)
        lines.write(f"{self.variable} = 0")
        self.loop = loops.begin("while True:")
        #: How many branches of the first part concern the loop.
        self._first_branches = 0
        #: The index of each part's first line.
        self._starts = [len(lines.written)]

    def go_to(self, label: int) -> list[str]:
        """Return the statements of a branch to the part of a label."""
        return [f"{self.variable} = {self.region.labels[label]}", *self.continue_()]

    def continue_(self) -> list[str]:
        """Return the statements that begin the loop again: its variable has been set."""
        return self._loops.leave(self.loop, "continue")

    def break_(self) -> list[str]:
        """Return the statements that leave the whole statement."""
        return self._loops.leave(self.loop, "break")

    def number(self, target: Target) -> int:
        """Return the number of the part of a target: a new one if the target is outside."""
        construct, out = target
        region = self.region
        if construct.region is region and construct is not region.root:
            return region.labels[construct.end if out else construct.start]
        number = len(region.labels) + len(region.trampolines) + 1
        return region.trampolines.setdefault(target, number)

    def begin_part(self, label: int) -> None:
        """Begin the part of a label: execution that leaves the part before continues here."""
        lines = self._lines
        if lines.live:
            lines.write_all(self.go_to(label))
        if len(self._starts) == 1:
            self._first_branches = self.loop.branches
        self._starts.append(len(lines.written))
        lines.live = True

    def end(self, branch: Callable[[Target], list[str]]) -> None:
        """End the statement: put its parts into the decision over the variable.

        Args:
            branch: returns the statements of a branch to a target outside.
        """
        lines = self._lines
        for target in self.region.trampolines:
            self._starts.append(len(lines.written))
            lines.write_all(branch(target))
        first = self._starts[0]
        starts = [start - first for start in self._starts]
        code = lines.cut(first)
        parts = [code[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
        last = parts[0][-1] if parts[0] else None
        if last is not None and last.text == "continue" and last.indent == lines.indent:
            self._continue_below(parts[0])
            self._decide(parts, 1, len(parts), 0)
        else:
            self._decide(parts, 0, len(parts), 0)
        self._loops.end(self.loop)

    def _continue_below(self, part: list[Line]) -> None:
        """Write the first part, which nothing branches to, before the decision over the others.

        If it branches only at its end, it stands before the loop.
        """
        lines = self._lines
        part.pop()
        if self._first_branches == 1:
            for line in part:
                line.indent -= 1
            lines.written[self._selection : self._selection + 1] = part
            return
        lines.open(f"if {self.variable} < 1:")
        lines.put_back(part, 1)
        lines.close()

    def _decide(self, parts: list[list[Line]], low: int, high: int, depth: int) -> None:
        """Write the binary decision over the parts from number `low` up to `high`."""
        lines = self._lines
        if high - low == 1:
            lines.put_back(parts[low], depth)
            return
        middle = 1 if low == 0 else (low + high) // 2
        lines.open(f"if {self.variable} < {middle}:")
        self._decide(parts, low, middle, depth + 1)
        lines.close()
        lines.open("else:")
        self._decide(parts, middle, high, depth + 1)
        lines.close()
