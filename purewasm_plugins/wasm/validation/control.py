"""The blocks of a function body, as engines need them: their ends and their branches' operands.

The validator computes all of this but does not keep it, because it is needed only for functions
that run. `ValidModule.control` computes it again.
"""

from __future__ import annotations

from purewasm_plugins.support.records import Record
from purewasm_plugins.wasm.types import FuncType

__all__ = ["Block", "Control", "Recorder"]


class Block(Record):
    """A `block`, `loop` or `if`, or the body of a function, which is the block around all others.

    Offsets count bytes from the start of the module, as those of `Instruction` do.

    Attributes:
        kind: "block", "loop", "if" or "function".
        start: the offset of the instruction that opens it; for a function, of its first one.
        else_offset: the offset of the `else` of an `if`; None without one.
        end: the offset of its `end`.
        type: its parameters and results.
        height: the number of the function's operands below its parameters. In unreachable code it
            counts from the last instruction that never continues, such as `unreachable`.
        targeted: whether any branch targets its label; for a function, `return` counts, too.
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
        """The number of operands that a branch to its label keeps, above `height` others."""
        return len(self.type.params if self.kind == "loop" else self.type.results)

    @property
    def target(self) -> int:
        """The offset of the instruction at which a branch to its label continues.

        For a loop this is the `loop` instruction, whose parameters are the operands of the branch.
        For a function it is the final `end`.
        """
        if self.kind == "loop":
            return self.start
        return self.end if self.kind == "function" else self.end + 1


class Control(Record):
    """The blocks of one function.

    A branch to label `n` targets the n-th open block, counted from the innermost, which is 0;
    `body` is the outermost. So a reader of the instructions keeps a stack of the open blocks,
    pushes `blocks[offset]` at each opening instruction, pops at each `end`, and finds the branch's
    block at `stack[~n]`.

    Attributes:
        body: the function as a block.
        blocks: its blocks by the offset of the instruction that opens them, in this order.
    """

    body: Block
    blocks: dict[int, Block]


class _Open:
    """A block whose `end` is not reached yet."""

    __slots__ = ("else_offset", "height", "kind", "start", "targeted", "type")

    def __init__(self, kind: str, start: int, type_: FuncType, height: int) -> None:
        self.kind = kind
        self.start = start
        self.type = type_
        self.height = height
        self.else_offset: int | None = None
        self.targeted = False


class Recorder:
    """A recorder of blocks, which the validator calls while it reads a function."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._blocks: dict[int, Block | None] = {}
        self._body: Block | None = None

    def enter(self, kind: str, start: int, type_: FuncType, height: int) -> None:
        """Record that a block opens; `height` counts from that of the block around it."""
        if self._open:
            height += self._open[-1].height
            self._blocks[start] = None  # keeps the order
        self._open.append(_Open(kind, start, type_, height))

    def begin_else(self, offset: int) -> None:
        """Record the `else` of the innermost block."""
        self._open[-1].else_offset = offset

    def branch(self, label: int) -> None:
        """Record a branch."""
        self._open[~label].targeted = True

    def leave(self, offset: int) -> None:
        """Record the end of the innermost block."""
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
        """Return the blocks of the function after its end."""
        blocks = {offset: block for offset, block in self._blocks.items() if block is not None}
        if self._body is None:
            raise ValueError("the function has not ended")
        return Control(self._body, blocks)
