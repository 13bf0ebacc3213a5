"""Assembling of function bodies and constant expressions (core specification, section 6.5).

Folded instructions and blocks nest as deep as memory allows: a list has what is open, and no
function is recursive.
"""

from __future__ import annotations

from array import array

from purewasm_plugins.support.light import Enum
from purewasm_plugins.support.typed import Any
from purewasm_plugins.wasm.binary.encoder import encode
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC, OPCODES, Immediates, Opcode
from purewasm_plugins.wasm.text.immediates import Scope, read_immediates
from purewasm_plugins.wasm.text.reader import Reader, shown
from purewasm_plugins.wasm.types import FuncType

__all__ = ["Body"]

#: The forms that have types, of the instructions that have a form without, too.
_TYPED = {
    opcode.mnemonic: opcode for opcode in OPCODES if opcode.immediates is Immediates.SELECT_TYPES
}

_USING_DATA = (Immediates.DATA, Immediates.DATA_MEMORY)

#: An instruction with its immediates.
_Instruction = tuple[Opcode, tuple[Any, ...]]

_ELSE: _Instruction = (BY_MNEMONIC["else"], ())
_END: _Instruction = (BY_MNEMONIC["end"], ())
#: What stands in place of an instruction that was emitted.
_EMITTED = _END


class _Open(Enum):
    """What is open around an instruction, and what may follow in it."""

    OPERANDS = "a folded instruction: folded operands"
    CONDITION = "a folded `if`: folded operands, and `then`"
    THEN_DONE = "a folded `if` after `then`: `else`"
    ELSE_DONE = "a folded `if` after `else`: nothing"
    BLOCK = "a folded block: instructions"
    PART = "the `then` or `else` of a folded `if`: instructions"
    FLAT_BLOCK = "a block: instructions, and `end`"
    FLAT_IF = "an `if`: instructions, and `else` or `end`"


_FOLDED_ONLY = (_Open.OPERANDS, _Open.CONDITION)
_NO_INSTRUCTION = (_Open.THEN_DONE, _Open.ELSE_DONE)
_FLAT = (_Open.FLAT_BLOCK, _Open.FLAT_IF)


class Body:
    """Assembles the instructions of a function, or of a constant expression.

    Attributes:
        label_names: the names of the blocks, by their number in the order in which they begin.
        uses_data: whether an instruction refers to data segments.
        starts, tokens: where each instruction begins in the code, and the index of its token, for
            `place_of`.
    """

    def __init__(self, reader: Reader, scope: Scope) -> None:
        self._reader = reader
        self._scope = scope
        self._code = bytearray()
        self._blocks = 0
        #: What is open, innermost last; with the instruction that is emitted later, the label, and
        #: the token of the instruction.
        self._open: list[tuple[_Open, _Instruction, str | None, int]] = []
        self.label_names: dict[int, str] = {}
        self.uses_data = False
        self.starts = array("I")
        self.tokens = array("I")

    def sequence(self) -> bytes:
        """Assemble instructions up to a parenthesis that closes what is around them, and `end`."""
        reader = self._reader
        texts, open_ = reader.texts, self._open
        while open_ or texts[reader.at] != ")":
            self._step()
        return self._ended()

    def one(self) -> bytes:
        """Assemble a folded instruction, and `end`."""
        if self._reader.texts[self._reader.at] != "(":
            self._reader.unexpected("a folded instruction")
        self._step()
        while self._open:
            self._step()
        return self._ended()

    def _ended(self) -> bytes:
        self._emit(_END, self._reader.at)
        return bytes(self._code)

    def _emit(self, instruction: _Instruction, token: int) -> None:
        """Add an instruction to the code."""
        opcode, immediates = instruction
        self.starts.append(len(self._code))
        self.tokens.append(token)
        if immediates and isinstance(immediates[0], FuncType):
            # Types that the text implies are numbered in the order of the code.
            immediates = (self._scope.signatures.index_of(immediates[0]), *immediates[1:])
        self._code += encode(opcode, *immediates)

    def _step(self) -> None:
        """Assemble one instruction, or the start or end of a folded one."""
        reader = self._reader
        word = reader.texts[reader.at]
        if word == ")":
            self._close()
        elif word != "(":
            self._plain(word)
        else:
            reader.at += 1
            around = self._open[-1][0] if self._open else None
            word = reader.texts[reader.at]
            if around in _NO_INSTRUCTION or (around is _Open.CONDITION and word == "then"):
                self._part(word)
            else:
                self._folded(word)

    def _opcode(self, word: str) -> Opcode:
        """Return the instruction of a mnemonic, the next token, and read that."""
        opcode = BY_MNEMONIC.get(word)
        if opcode is None:
            self._reader.unexpected("an instruction")
        self._reader.at += 1
        if word in _TYPED and self._reader.opens("result"):
            return _TYPED[word]
        return opcode

    def _instruction(self, opcode: Opcode) -> _Instruction:
        """Read the immediates of an instruction."""
        if opcode.immediates in _USING_DATA:
            self.uses_data = True
        return opcode, read_immediates(self._reader, self._scope, opcode)

    # Folded instructions

    def _folded(self, word: str) -> None:
        """Read the start of a folded instruction."""
        token = self._reader.at
        opcode = self._opcode(word)
        if word in ("else", "end"):
            self._reader.unexpected(at=self._reader.at - 1)
        if opcode.immediates is not Immediates.BLOCK_TYPE:
            self._open.append((_Open.OPERANDS, self._instruction(opcode), None, token))
            return
        name, block = self._reader.identifier(), self._instruction(opcode)
        if word == "if":
            self._open.append((_Open.CONDITION, block, name, token))
        else:
            self._begin(name, block, token)
            self._open.append((_Open.BLOCK, _EMITTED, None, token))

    def _part(self, word: str) -> None:
        """Read the start of the `then` or `else` of a folded `if`."""
        kind, instruction, name, token = self._open[-1]
        if kind is _Open.CONDITION:
            self._begin(name, instruction, token)
            self._open[-1] = (_Open.THEN_DONE, _EMITTED, None, token)
        elif kind is _Open.THEN_DONE and word == "else":
            self._emit(_ELSE, self._reader.at)
            self._open[-1] = (_Open.ELSE_DONE, _EMITTED, None, token)
        else:
            self._reader.unexpected()
        self._open.append((_Open.PART, _EMITTED, None, token))
        self._reader.at += 1

    def _close(self) -> None:
        """Read the parenthesis that closes the innermost folded instruction."""
        kind, instruction, _, token = self._open[-1]
        if kind is _Open.CONDITION or kind in _FLAT:
            self._reader.unexpected("(then" if kind is _Open.CONDITION else "end")
        self._open.pop()
        self._reader.at += 1
        if kind is _Open.OPERANDS:
            self._emit(instruction, token)
        elif kind is not _Open.PART:
            self._end(self._reader.at - 1)

    # Instructions that are not folded

    def _plain(self, word: str) -> None:
        around = self._open[-1][0] if self._open else None
        if around in _FOLDED_ONLY or around in _NO_INSTRUCTION:
            self._reader.unexpected("a parenthesis")
        token = self._reader.at
        opcode = self._opcode(word)
        if word == "end" or word == "else":
            if around is not _Open.FLAT_IF and (word == "else" or around is not _Open.FLAT_BLOCK):
                self._reader.unexpected(at=self._reader.at - 1)
            self._repeated_label()
            self._open.pop()
            if word == "end":
                self._end(token)
            else:
                self._emit(_ELSE, token)
                self._open.append((_Open.FLAT_BLOCK, _EMITTED, None, token))
        elif opcode.immediates is Immediates.BLOCK_TYPE:
            name = self._reader.identifier()
            self._begin(name, self._instruction(opcode), token)
            kind = _Open.FLAT_IF if word == "if" else _Open.FLAT_BLOCK
            self._open.append((kind, _EMITTED, None, token))
        else:
            self._emit(self._instruction(opcode), token)

    def _repeated_label(self) -> None:
        """Read the label after `else` or `end`, if there is one."""
        at = self._reader.at
        name = self._reader.identifier()
        own = self._scope.labels.names[-1]
        if name is not None and name != own:
            label = "none" if own is None else shown(own)
            message = f"mismatching label {shown(name)}: that of the block is {label}"
            raise self._reader.error(message, at)

    # Blocks

    def _begin(self, name: str | None, block: _Instruction, token: int) -> None:
        self._emit(block, token)
        self._scope.labels.push(name)
        if name is not None:
            self.label_names[self._blocks] = name
        self._blocks += 1

    def _end(self, token: int) -> None:
        self._emit(_END, token)
        self._scope.labels.pop()
