"""Loops that are one operation on bytes: `strlen`, `memchr`, `memcmp`, `memset`, `memcpy`.

One iteration of an innermost loop is executed with symbols in place of values. Each value becomes a
`Linear` sum of the locals at the start of the iteration, a `Load`, or another `Operation` on these.
From them follow how much each local grows in an iteration, which bytes it reads and writes, and
under which conditions it leads to the next one. `skips` writes the code that does many such
iterations at once.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.control import Analysis, Construct
from purewasm_plugins.engine.translator.numerics import NUMERIC
from purewasm_plugins.support.light import NamedTuple
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Iterator, Sequence
from purewasm_plugins.wasm.binary.instructions import Instruction
from purewasm_plugins.wasm.opcodes import Immediates
from purewasm_plugins.wasm.types import ValType

__all__ = ["ByteLoop", "Copy", "Counter", "Equal", "Fill", "Linear", "Span", "Until", "byte_loop"]

#: Loops of more instructions are not read: compilers unroll to half as many.
_LONGEST = 120

#: Instructions that are executed at most, on all paths through one loop.
_MOST_STEPS = 4 * _LONGEST


class _Unsupported(Exception):
    """An iteration does what cannot be done for many at once."""


# Values. Tuples: records take ten times as long to make, and there are many for each loop.


class Linear(NamedTuple):
    """A constant plus multiples of locals, modulo 2 ** `bits`.

    Attributes:
        bits: 32 or 64.
        constant: from -2 ** (bits - 1) up.
        terms: pairs of a local and its factor, in the order of the locals.
    """

    bits: int
    constant: int
    terms: tuple[tuple[int, int], ...] = ()

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """Return the sum with a multiple of another."""
        factors = dict(self.terms)
        for local, times in other.terms:
            factors[local] = factors.get(local, 0) + factor * times
        return _linear(self.bits, self.constant + factor * other.constant, factors)

    def narrow(self) -> Linear:
        """Return the low 32 bits."""
        if self.bits == 32:
            return self
        return _linear(32, self.constant, dict(self.terms))


class Load(NamedTuple):
    """A value that is loaded from memory.

    Attributes:
        mnemonic: of the instruction.
        size: bytes that it reads.
        address: without the offset.
        offset: that of the instruction.
    """

    mnemonic: str
    size: int
    address: Linear
    offset: int


class Operation(NamedTuple):
    """Any other value: the result of an instruction that does not trap."""

    mnemonic: str
    operands: tuple[Value, ...]


Value = Linear | Load | Operation


def _linear(bits: int, constant: int, factors: dict[int, int]) -> Linear:
    half = 1 << bits - 1
    if not factors:
        return Linear(bits, (constant + half) % (2 * half) - half)
    wrapped = {local: (f + half) % (2 * half) - half for local, f in factors.items()}
    terms = tuple(sorted((local, factor) for local, factor in wrapped.items() if factor))
    return Linear(bits, (constant + half) % (2 * half) - half, terms)


def _depends(value: Value, locals: set[int]) -> bool:
    """Return whether a value depends on one of some locals."""
    if isinstance(value, Linear):
        return any(local in locals for local, _ in value.terms)
    if isinstance(value, Load):
        return _depends(value.address, locals)
    return any(_depends(operand, locals) for operand in value.operands)


class _Store(NamedTuple):
    """A store: the bytes that it writes, where, and how many loads came before it."""

    size: int
    address: Linear
    offset: int
    value: Value
    loads: int


class _Path:
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
        self.stores: list[_Store] = []
        self.stack: list[Value] = []

    def fork(self, condition: Value, holds: bool) -> _Path:
        """Return a copy that goes on where a condition holds, or where it does not."""
        other = _Path()
        other.locals = dict(self.locals)
        other.conditions = [*self.conditions, (condition, holds)]
        other.loads = list(self.loads)
        other.stores = list(self.stores)
        other.stack = list(self.stack)
        return other


# What a loop does


class Counter(Record):
    """The condition `left relation right`: integers of `bits` bits.

    Attributes:
        relation: "ne", or "lt" or "le" of unsigned integers after `bias` was added to both.
        left, right: where an iteration tests them for the first time.
        step: how much `right - left` shrinks with each iteration.
        bias: what makes signed integers unsigned ones of the same order, or 0.
    """

    relation: str
    left: Linear
    right: Linear
    step: int
    bias: int


class Span(Record):
    """The bytes that an iteration reads or writes: those of the next one follow them.

    Attributes:
        address, offset: of the lowest of them, in the first iteration.
        step: how many they are; below zero where addresses fall.
    """

    address: Linear
    offset: int
    step: int


class Until(Record):
    """The condition that none of some bytes has the value `stop`, modulo 2 ** 32."""

    span: Span
    stop: Linear


class Equal(Record):
    """The condition that bytes are equal to others, both of rising addresses."""

    left: Span
    right: Span


class Fill(Record):
    """A store of the same bytes again and again.

    Attributes:
        span: those that are written.
        value: the pattern, or a value that is the same in each iteration.
        size: bytes that a store of the value writes.
    """

    span: Span
    value: Linear | bytes
    size: int


class Copy(Record):
    """A copy from memory to memory.

    Attributes:
        destination, source: the bytes.
        unit: how many are read before any of them is written. Units follow each other in the
            direction of the step.
    """

    destination: Span
    source: Span
    unit: int


class ByteLoop(Record):
    """A loop of which many iterations can be done at once.

    Attributes:
        steps: how much each local grows in an iteration; of the others that the loop sets, an
            iteration reads nothing that another one has set.
        counters, scans: the conditions under which an iteration leads to the next one.
        store: what it writes.
    """

    steps: dict[int, int]
    counters: tuple[Counter, ...]
    scans: tuple[Until | Equal, ...]
    store: Fill | Copy | None


def byte_loop(analysis: Analysis, loop: Construct) -> ByteLoop | None:
    """Recognise a loop, or return None."""
    body = analysis.instructions[loop.start + 1 : loop.end]
    # A type by its index may have parameters: operands that every iteration passes on.
    if isinstance(loop.type, int) and not isinstance(loop.type, ValType):
        return None
    if len(body) > _LONGEST or not any(_touches_memory(instruction) for instruction in body):
        return None
    if any(instruction.opcode.mnemonic in _NEVER for instruction in body):
        return None
    try:
        for path in _Paths(analysis, loop).all():
            found = _recognised(path)
            if found is not None:
                return found
    except _Unsupported:
        pass
    return None


_NEVER = {"loop", "call", "call_indirect", "memory.grow", "global.set"}


def _touches_memory(instruction: Instruction) -> bool:
    return instruction.opcode.immediates is Immediates.MEMARG


# Symbolic execution


class _Paths:
    """The ways through an iteration."""

    def __init__(self, analysis: Analysis, loop: Construct) -> None:
        self._analysis = analysis
        self._loop = loop
        self._heights: dict[Construct, int] = {}
        self._steps = 0

    def all(self) -> Iterator[_Path]:
        """Yield the paths.

        Raises:
            _Unsupported: there is an instruction that none may have, or there are too many.
        """
        return self._walk(self._loop.start + 1, _Path())

    def _walk(self, index: int, path: _Path) -> Iterator[_Path]:
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
                        otherwise = construct.else_index
                        to = construct.end if otherwise is None else otherwise
                        yield from self._walk(to + 1, path.fork(condition, False))
                        path = path.fork(condition, True)
                        stack = path.stack
                case "else":
                    # The first arm of the innermost `if` is over.
                    index = min(
                        c.end for c in self._heights if c.else_index is not None and c.end > index
                    )
                case "br_if":
                    condition = stack.pop()
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

    def _branch(self, index: int, path: _Path) -> Iterator[_Path]:
        target, exits = self._analysis.targets[index][0]
        if target is self._loop and not exits:
            yield path
        elif exits and target in self._heights:
            del path.stack[self._heights[target] :]
            yield from self._walk(target.end + 1, path)


def _execute(instruction: Instruction, path: _Path) -> None:
    """Execute an instruction that does not branch.

    Raises:
        _Unsupported: it may trap, or has another effect than a load, a store or an assignment.
    """
    stack = path.stack
    mnemonic = instruction.opcode.mnemonic
    match mnemonic:
        case "local.get":
            local = instruction.immediates[0]
            # An i64, too: only its low 32 bits are used, unless an instruction of i64 reads it.
            stack.append(path.locals.get(local, Linear(64, 0, ((local, 1),))))
            return
        case "local.set" | "local.tee":
            path.locals[instruction.immediates[0]] = stack[-1]
            if mnemonic == "local.set":
                stack.pop()
            return
        case "i32.const" | "i64.const":
            stack.append(Linear(int(mnemonic[1:3]), instruction.immediates[0]))
            return
        case "drop":
            stack.pop()
            return
        case "nop":
            return
        case "select":
            operands = tuple(stack[-3:])
            del stack[-3:]
            stack.append(Operation(mnemonic, operands))
            return
    if _touches_memory(instruction):
        _access(instruction, path)
        return
    row = NUMERIC.get(mnemonic)
    if row is None or row.traps:
        raise _Unsupported
    operands = tuple(stack[-row.operands :])
    del stack[-row.operands :]
    shape, _, operation = mnemonic.partition(".")
    stack.append(_arithmetic(shape, operation, operands) or Operation(mnemonic, operands))


def _arithmetic(shape: str, operation: str, operands: tuple[Value, ...]) -> Linear | None:
    """Return the result of arithmetic on linear operands, if it is linear."""
    first, second = operands[0], operands[-1]
    if operation not in _LINEAR or not (isinstance(first, Linear) and isinstance(second, Linear)):
        return None
    if operation == "wrap_i64":
        return first.narrow()
    if shape not in ("i32", "i64"):
        return None
    bits = 64 if shape == "i64" else 32
    if bits == 32:
        first, second = first.narrow(), second.narrow()
    zero = Linear(bits, 0)
    match operation:
        case "add":
            return first.plus(second)
        case "sub":
            return first.plus(second, -1)
        case "mul" if not second.terms:
            return zero.plus(first, second.constant)
        case "mul" if not first.terms:
            return zero.plus(second, first.constant)
        case "shl" if not second.terms:
            return zero.plus(first, 1 << second.constant % bits)
    return None


_LINEAR = {"add", "sub", "mul", "shl", "wrap_i64"}

_FLOATS_AND_VECTORS = ("f32", "f64", "v128")


def _access(instruction: Instruction, path: _Path) -> None:
    """Execute a load or a store.

    Raises:
        _Unsupported: it is one of a lane, or its address is not linear.
    """
    stack = path.stack
    opcode = instruction.opcode
    shape, _, operation = opcode.mnemonic.partition(".")
    if shape == "v128" and operation not in ("load", "store"):
        raise _Unsupported
    value = stack.pop() if operation.startswith("store") else None
    address = stack.pop()
    if not isinstance(address, Linear):
        raise _Unsupported
    address = address.narrow()
    offset = instruction.immediates[1]
    size = opcode.access_size
    if value is None:
        load = Load(opcode.mnemonic, size, address, offset)
        path.loads.append(load)
        stack.append(load)
    else:
        if isinstance(value, Linear) and shape in _FLOATS_AND_VECTORS:
            raise _Unsupported
        path.stores.append(_Store(size, address, offset, value, len(path.loads)))


# Recognition


class _Growth:
    """How values grow from one iteration to the next.

    Attributes:
        steps: of the locals that grow by a constant.
        others: the locals that are set to anything else.
    """

    def __init__(self, path: _Path) -> None:
        self.steps: dict[int, int] = {}
        self.others: set[int] = set()
        for local, value in path.locals.items():
            if isinstance(value, Linear) and value.terms == ((local, 1),):
                if value.constant:
                    self.steps[local] = value.constant
            else:
                self.others.add(local)

    def of(self, value: Linear) -> int:
        """Return how much a value grows."""
        grown = sum(factor * self.steps.get(local, 0) for local, factor in value.terms)
        return _linear(value.bits, grown, {}).constant

    def is_constant(self, value: Value) -> bool:
        """Return whether a value is linear and the same in each iteration."""
        return isinstance(value, Linear) and not self.of(value)


def _recognised(path: _Path) -> ByteLoop | None:
    """Return what a loop does that goes on by one path, or None if it is nothing simple."""
    growth = _Growth(path)
    if not growth.steps or not _independent(path, growth):
        return None
    counters: list[Counter] = []
    scans = _Scans(growth)
    for condition, holds in path.conditions:
        relation, left, right = _comparison(condition, holds)
        if isinstance(left, Linear) and isinstance(right, Linear):
            counter = _counter(relation, left, right, growth)
            if counter is None:
                return None
            counters.append(counter)
        elif not scans.add(relation, left, right):
            return None
    store = _stored(path, growth) if path.stores else None
    found = scans.joined()
    if found is None or (path.stores and store is None):
        return None
    if not (found or store is not None) or not (found or counters):
        return None
    if store is not None:
        # What is tested is what is copied: nothing is known of stores to other loads.
        copied = {_bytes_of(s.value) for s in path.stores}
        if not scans.loads <= copied:
            return None
    elif not scans.loads >= set(path.loads):
        return None
    return ByteLoop(growth.steps, tuple(counters), found, store)


def _independent(path: _Path, growth: _Growth) -> bool:
    """Return whether an iteration reads nothing that another one has set, but for its steps."""
    if not growth.others:
        return True
    values: list[Value] = [condition for condition, _ in path.conditions]
    values += path.loads
    for store in path.stores:
        values += (store.address, store.value)
    values += path.locals.values()
    return not any(_depends(value, growth.others) for value in values)


_OPPOSITE = {
    "eq": "ne",
    "ne": "eq",
    **{f"lt_{sign}": f"ge_{sign}" for sign in "us"},
    **{f"ge_{sign}": f"lt_{sign}" for sign in "us"},
    **{f"gt_{sign}": f"le_{sign}" for sign in "us"},
    **{f"le_{sign}": f"gt_{sign}" for sign in "us"},
}

_SWAPPED = {"gt": "lt", "ge": "le"}


def _comparison(condition: Value, holds: bool) -> tuple[str, Value, Value]:
    """Return a condition as a relation of two values: without its sign, if it has none.

    Args:
        condition: the condition.
        holds: whether it holds where execution goes on.
    """
    while isinstance(condition, Operation) and condition.mnemonic == "i32.eqz":
        condition, holds = condition.operands[0], not holds
    relation, bits = "ne", 32
    left: Value = condition
    right: Value = Linear(32, 0)
    if isinstance(condition, Operation):
        shape, _, operation = condition.mnemonic.partition(".")
        bits = 64 if shape == "i64" else 32
        if operation == "eqz":
            relation, left, right = "eq", condition.operands[0], Linear(64, 0)
        elif operation in _OPPOSITE and bits == (64 if shape == "i64" else 32):
            relation, (left, right) = operation, condition.operands
    if not holds:
        relation = _OPPOSITE[relation]
    if bits == 32:
        left, right = (v.narrow() if isinstance(v, Linear) else v for v in (left, right))
    return relation, _bytes_of(left), _bytes_of(right)


def _counter(relation: str, left: Linear, right: Linear, growth: _Growth) -> Counter | None:
    """Return the condition that a relation of two linear values is."""
    relation, _, sign = relation.partition("_")
    if relation in _SWAPPED:
        relation, left, right = _SWAPPED[relation], right, left
    step = growth.of(left) - growth.of(right)
    if relation == "ne":
        # The difference shrinks, whichever of them is subtracted.
        if step < 0:
            left, right, step = right, left, -step
        return Counter("ne", left, right, step, 0) if step else None
    # One of them is constant: two that grow might both wrap.
    if relation == "eq" or step <= 0 or (growth.of(left) and growth.of(right)):
        return None
    return Counter(relation, left, right, step, 1 << left.bits - 1 if sign == "s" else 0)


def _bytes_of(value: Value) -> Value:
    """Return a load of the same value, if an instruction around it changes nothing."""
    match value:
        case Operation("i32.and", (Load("i32.load8_u") as load, Linear(_, 0xFF, ()))):
            return load
        case Operation("i32.and", (Linear(_, 0xFF, ()), Load("i32.load8_u") as load)):
            return load
    return value


class _Scans:
    """The conditions of an iteration on bytes that it reads.

    Attributes:
        loads: those that they test.
    """

    def __init__(self, growth: _Growth) -> None:
        self.loads: set[Load] = set()
        self._growth = growth
        #: The loads that must not have a value, by the value.
        self._untils: dict[Linear, list[Load]] = {}
        #: The loads that must be equal to others, and these, by the distance between them.
        self._equals: dict[Linear, tuple[list[Load], list[Load]]] = {}

    def add(self, relation: str, left: Value, right: Value) -> bool:
        """Add a condition, or return False if it is nothing simple."""
        if isinstance(right, Load) and not isinstance(left, Load):
            left, right = right, left
        if not isinstance(left, Load):
            return False
        self.loads.add(left)
        if isinstance(right, Load):
            if relation != "eq" or left.mnemonic != right.mnemonic or left.offset != right.offset:
                return False
            self.loads.add(right)
            lefts, rights = self._equals.setdefault(right.address.plus(left.address, -1), ([], []))
            lefts.append(left)
            rights.append(right)
            return True
        if relation != "ne" or left.mnemonic != "i32.load8_u":
            return False
        if not isinstance(right, Linear) or self._growth.of(right):
            return False
        self._untils.setdefault(right.narrow(), []).append(left)
        return True

    def joined(self) -> tuple[Until | Equal, ...] | None:
        """Return the conditions, those on neighbours as one; None if there are gaps."""
        found: list[Until | Equal] = []
        for stop, loads in self._untils.items():
            span = _joined(loads, self._growth)
            if span is None:
                return None
            found.append(Until(span, stop))
        for pair in self._equals.values():
            left, right = (_joined(loads, self._growth) for loads in pair)
            if left is None or right is None or left.step != right.step or left.step < 0:
                return None
            found.append(Equal(left, right))
        return tuple(found)


def _joined(accesses: Sequence[Load | _Store], growth: _Growth) -> Span | None:
    """Return the bytes of some accesses of an iteration, if they have no gaps.

    An address wraps before the offset is added. Those that differ in the one do not in the other,
    and those that fall reach zero at the lowest address: so only the end of the memory matters.
    """
    lowest, *others = sorted(accesses, key=lambda access: access.address.constant + access.offset)
    base = lowest.address
    step = growth.of(base)
    end = base.constant + lowest.offset + lowest.size
    for access in others:
        if access.address.terms != base.terms or access.address.constant + access.offset != end:
            return None
        if access.address != base and access.offset != lowest.offset:
            return None
        end += access.size
    size = end - base.constant - lowest.offset
    if abs(step) != size or (step < 0 and lowest.offset):
        return None
    return Span(base, lowest.offset, step)


def _stored(path: _Path, growth: _Growth) -> Fill | Copy | None:
    """Return what the stores of an iteration do together."""
    written = _joined(path.stores, growth)
    if written is None:
        return None
    values = [_bytes_of(store.value) for store in path.stores]
    sizes = {store.size for store in path.stores}
    if all(isinstance(value, Load) for value in values):
        return _copy(path, [value for value in values if isinstance(value, Load)], written, growth)
    if path.loads or not all(isinstance(value, Linear) for value in values):
        return None
    first = path.stores[0].value
    if isinstance(first, Linear) and len(set(values)) == len(sizes) == 1 and first.terms:
        return None if growth.of(first) else Fill(written, first, path.stores[0].size)
    pattern: dict[int, bytes] = {}
    for store in path.stores:
        if not isinstance(store.value, Linear) or store.value.terms:
            return None
        low = store.value.constant % (1 << 8 * store.size)
        place = store.address.constant + store.offset
        pattern[place] = low.to_bytes(store.size, "little")
    return Fill(written, b"".join(pattern[place] for place in sorted(pattern)), 0)


def _copy(path: _Path, values: list[Load], written: Span, growth: _Growth) -> Copy | None:
    """Return the copy that loads and stores of an iteration are.

    Args:
        path: the iteration.
        values: what the stores store.
        written: the bytes that they write.
        growth: of the loop's locals.
    """
    read = _joined(values, growth)
    if read is None or values != path.loads or read.step != written.step:
        return None
    distance = written.address.constant + written.offset - read.address.constant - read.offset
    for store, load in zip(path.stores, values, strict=True):
        place = load.address.constant + load.offset + distance
        if store.size != load.size or store.address.constant + store.offset != place:
            return None
    places = [load.address.constant + load.offset for load in values]
    before = [store.loads for store in path.stores]
    if before == [len(values)] * len(values):
        return Copy(written, read, abs(read.step))
    if before == list(range(1, len(values) + 1)) and places == sorted(
        places, reverse=read.step < 0
    ):
        return Copy(written, read, max(load.size for load in values))
    return None
