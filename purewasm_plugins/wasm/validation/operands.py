"""The validator's operand stack: the types of the operands (appendix 7.3).

A stack is immutable. It is a state of an automaton: `stack[effect]` is the stack after an
instruction with that effect, computed once and then kept. Compiled code uses the same few hundred
stacks again and again, so one dictionary look-up checks nearly every instruction. This makes
loading a module fast.

Each block begins with an empty stack of its own, because its instructions cannot pop the operands
below.
"""

from __future__ import annotations

from purewasm_plugins.errors import ValidationError
from purewasm_plugins.wasm.limits import MAX_OPERANDS
from purewasm_plugins.wasm.opcodes import OPCODES
from purewasm_plugins.wasm.types import ValType

__all__ = [
    "DROP",
    "EFFECTS",
    "REF_IS_NULL",
    "SELECT",
    "BlockEnd",
    "Effect",
    "OperandStack",
    "Refused",
]

#: The type of an operand; None is the unknown type of unreachable code, which matches every type.
Operand = ValType | None

#: The most transitions that are kept; further ones are computed each time. Real modules have a few
#: hundred; a module can be made to have millions.
MAX_TRANSITIONS = 20_000


class Effect:
    """The effect of an instruction: it pops `params`, topmost last, and pushes `results`.

    Effects label the automaton's transitions and are compared by identity, so each signature has
    one effect.
    """

    __slots__ = ("params", "results", "weight")

    def __init__(self, params: tuple[ValType, ...] = (), results: tuple[ValType, ...] = ()) -> None:
        self.params = params
        self.results = results
        #: The cost of applying it, in operand checks.
        self.weight = 1 + len(params) + len(results)

    def apply(self, stack: OperandStack) -> OperandStack:
        """Return the stack after the instruction.

        Raises:
            ValidationError: operands are missing or have other types.
        """
        for type_ in reversed(self.params):
            stack = stack.pop_value(type_)
        for type_ in self.results:
            stack = stack.push_value(type_)
        return stack


class Refused(Effect):
    """The effect of an instruction that is invalid on every stack."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def apply(self, stack: OperandStack) -> OperandStack:
        """Raise the error."""
        raise ValidationError(self.message)


class BlockEnd(Effect):
    """The effect of the end of a block: the stack has exactly its results."""

    __slots__ = ()

    def apply(self, stack: OperandStack) -> OperandStack:
        """Check that the results are all that is on the stack."""
        for type_ in reversed(self.params):
            stack = stack.pop_value(type_)
        if stack.below is not None:
            raise ValidationError(
                f"type mismatch: {stack.height} operands more than the results of the block"
            )
        return stack


class _Drop(Effect):
    __slots__ = ()

    def apply(self, stack: OperandStack) -> OperandStack:
        return stack.pop_any_value()[1]


class _Select(Effect):
    """Untyped `select`: two operands of the same type, which is not a reference type."""

    __slots__ = ()

    def apply(self, stack: OperandStack) -> OperandStack:
        first, below = stack.pop_value(ValType.I32).pop_any_value()
        second, below = below.pop_any_value()
        for type_ in (first, second):
            if type_ is not None and type_.is_reference:
                raise ValidationError(f"type mismatch: {type_} needs a select with a type")
        if None not in (first, second) and first is not second:
            raise ValidationError(f"type mismatch: expected {second}, found {first}")
        return below.push_value(second if first is None else first)


class _RefIsNull(Effect):
    __slots__ = ()

    def apply(self, stack: OperandStack) -> OperandStack:
        type_, below = stack.pop_any_value()
        if type_ is not None and not type_.is_reference:
            raise ValidationError(f"type mismatch: expected a reference, found {type_}")
        return below.push_value(ValType.I32)


DROP: Effect = _Drop()
SELECT: Effect = _Select()
REF_IS_NULL: Effect = _RefIsNull()


Signature = tuple[tuple[ValType, ...], tuple[ValType, ...]]


def _effects() -> dict[Signature, Effect]:
    signatures: set[Signature] = set()
    for type_ in ValType:
        signatures |= {((), (type_,)), ((type_,), ()), ((type_,), (type_,))}
    for opcode in OPCODES:
        if opcode.params is not None and opcode.results is not None:
            signatures.add((opcode.params, opcode.results))
    return {signature: Effect(*signature) for signature in signatures}


#: The effects of the signatures in the opcode table, and of those of local and global access.
EFFECTS = _effects()

_PUSH: dict[Operand, Effect] = {type_: EFFECTS[(), (type_,)] for type_ in ValType}
#: The effect that pushes the unknown type, as `select` does in unreachable code.
_PUSH[None] = Effect()


class _Budget:
    """The counters of one automaton.

    Attributes:
        transitions: the number of transitions that may still be kept.
        checks: the number of operands that may still be checked one by one.
    """

    __slots__ = ("checks", "transitions")

    def __init__(self, checks: int) -> None:
        self.transitions = MAX_TRANSITIONS
        self.checks = checks


class OperandStack(dict[Effect, "OperandStack"]):
    """The operands of one block: `top` on `below`; an empty stack has no `below`.

    The empty stack of unreachable code is *polymorphic*: operands of any type can be popped from
    it.
    """

    __slots__ = ("_budget", "below", "height", "polymorphic", "top")

    below: OperandStack | None
    top: Operand

    def __init__(self, checks: int, *, polymorphic: bool = False) -> None:
        """Make an empty stack.

        Args:
            checks: the number of operands that may be checked one by one on all stacks made from
                this one; each takes some 0.1 µs.
            polymorphic: whether it is the stack of unreachable code.
        """
        super().__init__()
        self.below = None
        self.top = None
        self.height = 0
        self.polymorphic = polymorphic
        self._budget = _Budget(checks)

    def __missing__(self, effect: Effect) -> OperandStack:
        budget = self._budget
        budget.checks -= effect.weight
        if budget.checks < 0:
            raise ValidationError("too many operands in all to check")
        after = effect.apply(self)
        if budget.transitions > 0:
            budget.transitions -= 1
            self[effect] = after
        return after

    def push_value(self, type_: Operand) -> OperandStack:
        """Return the stack with one more operand."""
        effect = _PUSH[type_]
        known = self.get(effect)
        if known is not None:
            return known
        if self.height >= MAX_OPERANDS:
            raise ValidationError(f"too many operands on the stack: {MAX_OPERANDS} at most")
        stack = OperandStack.__new__(OperandStack)
        stack.below = self
        stack.top = type_
        stack.height = self.height + 1
        stack.polymorphic = self.polymorphic
        stack._budget = self._budget
        if self._budget.transitions > 0:
            self._budget.transitions -= 1
            self[effect] = stack
        return stack

    def pop_value(self, expected: ValType) -> OperandStack:
        """Return the stack without its topmost operand, which must have this type."""
        below = self.below
        if below is None:
            if self.polymorphic:
                return self
            raise ValidationError(f"type mismatch: expected {expected}, found nothing")
        if self.top is not expected and self.top is not None:
            raise ValidationError(f"type mismatch: expected {expected}, found {self.top}")
        return below

    def pop_any_value(self) -> tuple[Operand, OperandStack]:
        """Return the type of the topmost operand, and the stack without it."""
        below = self.below
        if below is None:
            if self.polymorphic:
                return None, self
            raise ValidationError("type mismatch: expected an operand, found nothing")
        return self.top, below
