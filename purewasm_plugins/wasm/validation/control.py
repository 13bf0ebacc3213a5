"""The blocks of a function body, for those who run it: where they end and what a branch carries.

The validator knows all of this while it validates, and throws it away: it is needed for few
functions, and not before they run. `ValidModule.control` gets it back.
"""

from __future__ import annotations

from typing import NamedTuple

from purewasm_plugins.wasm.types import FuncType

__all__ = ["Block", "Control", "Recorder"]


class Block(NamedTuple):
    """A `block`, `loop` or `if`, or the body of a function, which is a block around the rest.

    Offsets count bytes from the start of the module, as those of `Instruction` do.

    Attributes:
        kind: "block", "loop", "if" or "function".
        start: offset of the instruction that opens it; of a function, of its first instruction.
        else_offset: offset of the `else` of an `if` that has one.
        end: offset of its `end`.
        type: what it takes from the operand stack and what it leaves there.
        height: how many operands of the function lie below its own parameters. Code that cannot be
            reached has no such number; there it counts from the last `unreachable` or the like.
        targeted: whether any branch, `return` included for a function, leads to its label.
    """

    kind: str
    start: int
    else_offset: int | None
    end: int
    type: FuncType
    height: int
    targeted: bool

    @property
    def arity(self) -> int:
        """How many operands a branch to its label carries. They end up on `height` others."""
        return len(self.type.params if self.kind == "loop" else self.type.results)

    @property
    def target(self) -> int:
        """Offset of the instruction that a branch to its label goes on with.

        For a loop, that is the `loop` itself: its immediates are skipped by whoever decodes it, and
        the operands that it takes are the ones that the branch carries. For a function it is the
        final `end`.
        """
        if self.kind == "loop":
            return self.start
        return self.end if self.kind == "function" else self.end + 1


class Control(NamedTuple):
    """The blocks of one function.

    A branch to label `n` leads to the n-th block from the inside out that is open where it stands,
    and `body` is the outermost: with a stack of the open blocks, pushed to at `blocks[offset]` and
    popped from at `end`, `stack[~n]` tells all that there is to know about the branch.

    Attributes:
        body: the function itself, as a block.
        blocks: every block in it by the offset of the instruction that opens it, in that order.
    """

    body: Block
    blocks: dict[int, Block]


class _Open:
    """A block that is not at its end yet."""

    __slots__ = ("else_offset", "height", "kind", "start", "targeted", "type")

    def __init__(self, kind: str, start: int, type_: FuncType, height: int) -> None:
        self.kind = kind
        self.start = start
        self.type = type_
        self.height = height
        self.else_offset: int | None = None
        self.targeted = False


class Recorder:
    """What a validator tells about the blocks it comes by."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._blocks: dict[int, Block | None] = {}
        self._body: Block | None = None

    def enter(self, kind: str, start: int, type_: FuncType, height: int) -> None:
        """Open a block; `height` counts from that of the block around it."""
        if self._open:
            height += self._open[-1].height
            self._blocks[start] = None  # keeps the order
        self._open.append(_Open(kind, start, type_, height))

    def begin_else(self, offset: int) -> None:
        """Note the `else` of the innermost block."""
        self._open[-1].else_offset = offset

    def branch(self, label: int) -> None:
        """Note that an instruction branches to a label."""
        self._open[~label].targeted = True

    def leave(self, offset: int) -> None:
        """Close the innermost block."""
        opened = self._open.pop()
        block = Block(
            opened.kind,
            opened.start,
            opened.else_offset,
            offset,
            opened.type,
            opened.height,
            opened.targeted,
        )
        if self._open:
            self._blocks[opened.start] = block
        else:
            self._body = block

    def control(self) -> Control:
        """Return what was recorded, once the function has ended."""
        blocks = {offset: block for offset, block in self._blocks.items() if block is not None}
        if self._body is None:
            raise ValueError("the function has not ended")
        return Control(self._body, blocks)
