"""The ways through one iteration of an innermost loop, executed with symbols in place of values.

Each value becomes a `Linear` sum of the locals at the start of the iteration, a `Load`, or another
`Operation` on these. What a way tests, loads, stores and sets is written down in a `Path`.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.control import Analysis, Construct
from purewasm_plugins.engine.translator.numerics import NUMERIC
from purewasm_plugins.support.typed import Callable, Iterator
from purewasm_plugins.wasm.binary.instructions import Instruction
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC, Immediates

__all__ = [
    "Linear",
    "Load",
    "Operation",
    "Path",
    "Store",
    "Value",
    "depends",
    "linear",
    "paths",
    "unmasked",
]

#: Loops of more instructions are not read: compilers unroll to half as many.
_LONGEST = 120

#: Instructions that are executed at most, on all paths through one loop.
_MOST_STEPS = 4 * _LONGEST


class _Unsupported(Exception):
    """An iteration does what cannot be done for many at once."""


# Values


class Linear:
    """A constant plus multiples of locals, modulo 2 ** `bits`.

    Values are no records: a hundred are made for a loop.

    Attributes:
        bits: 32 or 64.
        constant: from -2 ** (bits - 1) up.
        terms: pairs of a local and its factor, in the order of the locals.
    """

    __slots__ = ("bits", "constant", "terms")
    __match_args__ = ("bits", "constant", "terms")

    def __init__(self, bits: int, constant: int, terms: _Terms = ()) -> None:
        self.bits = bits
        self.constant = constant
        self.terms = terms

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Linear)
            and self.constant == other.constant
            and self.terms == other.terms
            and self.bits == other.bits
        )

    def __hash__(self) -> int:
        return hash((self.constant, self.terms))

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """Return the sum with a multiple of another."""
        constant = self.constant + factor * other.constant
        if not other.terms:
            half = 1 << self.bits - 1
            return Linear(self.bits, (constant + half) % (2 * half) - half, self.terms)
        factors = dict(self.terms)
        for local, times in other.terms:
            factors[local] = factors.get(local, 0) + factor * times
        return linear(self.bits, constant, factors)

    def narrow(self) -> Linear:
        """Return the low 32 bits."""
        if self.bits == 32:
            return self
        if -_HALF <= self.constant < _HALF and all(-_HALF <= f < _HALF for _, f in self.terms):
            return Linear(32, self.constant, self.terms)
        return linear(32, self.constant, dict(self.terms))


_Terms = tuple[tuple[int, int], ...]

_HALF = 1 << 31


class Load:
    """A value that is loaded from memory.

    Attributes:
        mnemonic: of the instruction.
        size: bytes that it reads.
        address: without the offset.
        offset: that of the instruction.
    """

    __slots__ = ("address", "mnemonic", "offset", "size")
    __match_args__ = ("mnemonic",)

    def __init__(self, mnemonic: str, size: int, address: Linear, offset: int) -> None:
        self.mnemonic = mnemonic
        self.size = size
        self.address = address
        self.offset = offset

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Load)
            and self.mnemonic == other.mnemonic
            and self.address == other.address
            and self.offset == other.offset
        )

    def __hash__(self) -> int:
        return hash((self.address, self.offset))


class Operation:
    """Any other value: the result of an instruction that does not trap."""

    __slots__ = ("mnemonic", "operands")
    __match_args__ = ("mnemonic", "operands")

    def __init__(self, mnemonic: str, operands: tuple[Value, ...]) -> None:
        self.mnemonic = mnemonic
        self.operands = operands


Value = Linear | Load | Operation


def linear(bits: int, constant: int, factors: dict[int, int]) -> Linear:
    """Make a linear value of any numbers; the factors are given by local."""
    half = 1 << bits - 1
    wrapped = {local: (f + half) % (2 * half) - half for local, f in factors.items()}
    terms = tuple(sorted((local, factor) for local, factor in wrapped.items() if factor))
    return Linear(bits, (constant + half) % (2 * half) - half, terms)


def depends(value: Value, locals: set[int]) -> bool:
    """Return whether a value depends on one of some locals."""
    if isinstance(value, Load):
        value = value.address
    if isinstance(value, Linear):
        return any(local in locals for local, _ in value.terms)
    return any(depends(operand, locals) for operand in value.operands)


class Store:
    """A store: the bytes that it writes, where, and how many loads came before it."""

    __slots__ = ("address", "loads", "offset", "size", "value")

    def __init__(self, size: int, address: Linear, offset: int, value: Value, loads: int) -> None:
        self.size = size
        self.address = address
        self.offset = offset
        self.value = value
        self.loads = loads


class Path:
    """One way through an iteration, from the start of the loop back to it.

    Attributes:
        locals: the values of those that were set.
        conditions: each with whether it holds where execution goes on.
        loads, stores: in their order.
        stack: the operands.
    """

    def __init__(self) -> None:
        self.locals: dict[int, Value] = {}
        self.conditions: list[tuple[Value, bool]] = []
        self.loads: list[Load] = []
        self.stores: list[Store] = []
        self.stack: list[Value] = []

    def fork(self, condition: Value, holds: bool) -> Path:
        """Return a copy that goes on where a condition holds, or where it does not."""
        other = Path()
        other.locals = dict(self.locals)
        other.conditions = [*self.conditions, (condition, holds)]
        other.loads = list(self.loads)
        other.stores = list(self.stores)
        other.stack = list(self.stack)
        return other


# Symbolic execution


def paths(analysis: Analysis, loop: Construct, is_test: Callable[[Value], bool]) -> Iterator[Path]:
    """Yield the ways from the start of a loop back to it, if it has only simple instructions.

    Args:
        analysis: of the function.
        loop: the loop.
        is_test: whether a condition is of use; else no way that tests it is, either.
    """
    # A type by its index may have parameters: operands that every iteration passes on.
    if loop.end - loop.start > _LONGEST or loop.type.__class__ is int:
        return
    memory = False
    for index in range(loop.start + 1, loop.end):
        mnemonic = analysis.instructions[index].opcode.mnemonic
        if mnemonic in _ACCESSES:
            memory = True
        elif mnemonic not in _BRANCHES and mnemonic not in _OTHERS:
            row = NUMERIC.get(mnemonic)
            if row is None or row.traps:
                return
    if memory:
        try:
            yield from _Paths(analysis, loop, is_test).all()
        except _Unsupported:
            return


#: The loads and stores of one value, with the bytes that they access.
_ACCESSES = {
    mnemonic: opcode.access_size
    for mnemonic, opcode in BY_MNEMONIC.items()
    if opcode.immediates is Immediates.MEMARG
    and (mnemonic[0] != "v" or mnemonic in ("v128.load", "v128.store"))
}

_BRANCHES = {"block", "if", "else", "end", "br", "br_if", "br_table", "return", "unreachable"}

_OTHERS = {"local.get", "local.set", "local.tee", "i32.const", "i64.const", "drop", "nop", "select"}


class _Paths:
    """The ways through an iteration."""

    def __init__(
        self, analysis: Analysis, loop: Construct, is_test: Callable[[Value], bool]
    ) -> None:
        self._analysis = analysis
        self._is_test = is_test
        self._loop = loop
        self._heights: dict[Construct, int] = {}
        self._steps = 0

    def all(self) -> Iterator[Path]:
        """Yield the paths.

        Raises:
            _Unsupported: there is an instruction that none may have, or there are too many.
        """
        return self._walk(self._loop.start + 1, Path())

    def _walk(self, index: int, path: Path) -> Iterator[Path]:
        analysis, loop, stack = self._analysis, self._loop, path.stack
        while index < loop.end:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise _Unsupported
            instruction = analysis.instructions[index]
            mnemonic = instruction.opcode.mnemonic
            match mnemonic:
                case "block" | "if":
                    construct = analysis.constructs[index]
                    if construct.type is not None:
                        raise _Unsupported
                    condition = stack.pop() if mnemonic == "if" else None
                    self._heights[construct] = len(stack)
                    if condition is not None:
                        if not self._is_test(condition):
                            raise _Unsupported
                        otherwise = construct.else_index
                        to = construct.end if otherwise is None else otherwise
                        yield from self._walk(to + 1, path.fork(condition, False))
                        path = path.fork(condition, True)
                        stack = path.stack
                case "else":
                    # The first arm is over.
                    index = next(c.end for c in self._heights if c.else_index == index)
                case "br_if":
                    condition = stack.pop()
                    if not self._is_test(condition):
                        raise _Unsupported
                    if self._stays(index):
                        yield from self._branch(index, path.fork(condition, True))
                    path.conditions.append((condition, False))
                case "br":
                    yield from self._branch(index, path)
                    return
                case "end":
                    pass
                case "return" | "unreachable" | "br_table":
                    return
                case _:
                    _execute(instruction, path)
            index += 1

    def _stays(self, index: int) -> bool:
        """Return whether a branch stays in the loop."""
        target, exits = self._analysis.targets[index][0]
        return target in self._heights if exits else target is self._loop

    def _branch(self, index: int, path: Path) -> Iterator[Path]:
        target, exits = self._analysis.targets[index][0]
        if target is self._loop and not exits:
            yield path
        elif exits and target in self._heights:
            del path.stack[self._heights[target] :]
            yield from self._walk(target.end + 1, path)


def _execute(instruction: Instruction, path: Path) -> None:
    """Execute an instruction that does not branch.

    Raises:
        _Unsupported: the address of an access is not linear, or a value that is stored is not one
            that could be copied or repeated.
    """
    stack = path.stack
    mnemonic = instruction.opcode.mnemonic
    match mnemonic:
        case "local.get":
            local = instruction.immediates[0]
            # An i64, too: only its low 32 bits are used, unless an instruction of i64 reads it.
            stack.append(path.locals.get(local) or Linear(64, 0, ((local, 1),)))
        case "local.set":
            path.locals[instruction.immediates[0]] = stack.pop()
        case "local.tee":
            path.locals[instruction.immediates[0]] = stack[-1]
        case "i32.const":
            stack.append(Linear(32, instruction.immediates[0]))
        case "i64.const":
            stack.append(Linear(64, instruction.immediates[0]))
        case "drop":
            stack.pop()
        case "nop":
            pass
        case _:
            size = _ACCESSES.get(mnemonic)
            if size is not None:
                _access(instruction, size, path)
                return
            count = 3 if mnemonic == "select" else NUMERIC[mnemonic].operands
            operands = tuple(stack[-count:])
            del stack[-count:]
            stack.append(_arithmetic(mnemonic, operands) or Operation(mnemonic, operands))


def _arithmetic(mnemonic: str, operands: tuple[Value, ...]) -> Linear | None:
    """Return the result of arithmetic on linear operands, if it is linear."""
    if mnemonic not in _LINEAR:
        return None
    first, second = operands[0], operands[-1]
    if not isinstance(first, Linear) or not isinstance(second, Linear):
        return None
    bits = 64
    if mnemonic[1] == "3":
        bits, first, second = 32, first.narrow(), second.narrow()
    match mnemonic[4:]:
        case "wrap_i64":
            return first
        case "add":
            return first.plus(second)
        case "sub":
            return first.plus(second, -1)
        case "mul" if not second.terms:
            return Linear(bits, 0).plus(first, second.constant)
        case "mul" if not first.terms:
            return Linear(bits, 0).plus(second, first.constant)
        case "shl" if not second.terms:
            return Linear(bits, 0).plus(first, 1 << second.constant % bits)
    return None


_LINEAR = {f"{type}.{name}" for type in ("i32", "i64") for name in ("add", "sub", "mul", "shl")}
_LINEAR.add("i32.wrap_i64")


def _access(instruction: Instruction, size: int, path: Path) -> None:
    """Execute a load or a store; see `_execute`."""
    stack = path.stack
    mnemonic = instruction.opcode.mnemonic
    offset = instruction.immediates[1]
    value = stack.pop() if "store" in mnemonic else None
    address = stack.pop()
    if not isinstance(address, Linear):
        raise _Unsupported
    address = address.narrow()
    if value is None:
        load = Load(mnemonic, size, address, offset)
        path.loads.append(load)
        stack.append(load)
        return
    value = unmasked(value)
    if isinstance(value, Operation) or (isinstance(value, Linear) and mnemonic[0] != "i"):
        raise _Unsupported
    path.stores.append(Store(size, address, offset, value, len(path.loads)))


def unmasked(value: Value) -> Value:
    """Return a load of the same value, if an instruction around it changes nothing."""
    match value:
        case Operation("i32.and", (Load("i32.load8_u") as load, Linear(_, 0xFF, ()))):
            return load
        case Operation("i32.and", (Linear(_, 0xFF, ()), Load("i32.load8_u") as load)):
            return load
    return value
