"""Loops that are one operation on bytes: `strlen`, `memchr`, `memcmp`, `memset`, `memcpy`.

They are recognised by what one iteration does; see `iterations`. It says how much each local grows,
which bytes are read and written, and under which conditions the next iteration follows. `skips`
writes the code that does many such iterations at once.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.control import Analysis, Construct
from purewasm_plugins.engine.translator.iterations import (
    Linear,
    Load,
    Operation,
    Path,
    Store,
    Value,
    depends,
    linear,
    paths,
    unmasked,
)
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Sequence

__all__ = ["ByteLoop", "Copy", "Counter", "Equal", "Fill", "Linear", "Span", "Until", "byte_loop"]

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
    """The condition that none of some bytes has a value.

    Attributes:
        span: the bytes.
        stop: the value, modulo 2 ** 32.
        repeated: whether the value is a byte of `stop`, if all four are the same.
    """

    span: Span
    stop: Linear
    repeated: bool


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
    for path in paths(analysis, loop, _is_test):
        found = _recognised(path)
        if found is not None:
            return found
    return None


# Recognition


class _Growth:
    """How values grow from one iteration to the next.

    Attributes:
        steps: of the locals that grow by a constant.
        others: the locals that are set to anything else.
    """

    def __init__(self, path: Path) -> None:
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
        return linear(value.bits, grown, {}).constant


def _recognised(path: Path) -> ByteLoop | None:
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
    # All loads of a copy are copied, and a fill has none.
    if store is None and not scans.loads >= set(path.loads):
        return None
    return ByteLoop(growth.steps, tuple(counters), found, store)


def _independent(path: Path, growth: _Growth) -> bool:
    """Return whether an iteration reads nothing that another one has set, but for its steps."""
    values: list[Value] = [condition for condition, _ in path.conditions]
    values += path.loads
    for store in path.stores:
        values += (store.address, store.value)
    values += path.locals.values()
    return not any(depends(value, growth.others) for value in values)


_OPPOSITE = {
    "eq": "ne",
    "ne": "eq",
    **{f"lt_{sign}": f"ge_{sign}" for sign in "us"},
    **{f"ge_{sign}": f"lt_{sign}" for sign in "us"},
    **{f"gt_{sign}": f"le_{sign}" for sign in "us"},
    **{f"le_{sign}": f"gt_{sign}" for sign in "us"},
}

_SWAPPED = {"gt": "lt", "ge": "le"}


def _is_test(condition: Value) -> bool:
    """Return whether a condition may be one of a counter, or of bytes."""
    for holds in (True, False):
        relation, left, right = _comparison(condition, holds)
        if not isinstance(left, Operation) and not isinstance(right, Operation):
            return True
        if _words(relation, left, right):
            return True
    return False


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
        if operation == "eqz":
            relation, left, right, bits = "eq", condition.operands[0], Linear(64, 0), 64
        elif operation in _OPPOSITE and shape in ("i32", "i64"):
            relation, (left, right) = operation, condition.operands
            bits = 64 if shape == "i64" else 32
    if not holds:
        relation = _OPPOSITE[relation]
    if bits == 32:
        left, right = (v.narrow() if isinstance(v, Linear) else v for v in (left, right))
    return relation, unmasked(left), unmasked(right)


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


# Words are tested for a zero byte by arithmetic; with `xor` first, for another byte.

_HIGH_BITS = -0x7F7F7F80


def _words(relation: str, left: Value, right: Value) -> list[tuple[Load, Linear]]:
    """Return the words that are tested for a byte, each with four such bytes; [] if it is no test.

    Their bits `~x & x - 0x01010101 & 0x80808080` are zero where no byte of x is. A compiler may
    write `(0x01010100 - x | x) & 0x80808080 == 0x80808080` for it.
    """
    if relation != "eq" or not isinstance(left, Operation) or not isinstance(right, Linear):
        return []
    factors = _flat("i32.and", left)
    if Linear(32, _HIGH_BITS) not in factors:
        return []
    factors.remove(Linear(32, _HIGH_BITS))
    if right == Linear(32, _HIGH_BITS):
        return _word("i32.sub", _flat("i32.or", factors[0])) if len(factors) == 1 else []
    if right != Linear(32, 0):
        return []
    if len(factors) == 2:
        return _word("i32.xor", factors)
    found = []
    for part in _flat("i32.or", factors[0]):
        word = _word("i32.xor", _flat("i32.and", part))
        if not word:
            return []
        found += word
    return found


def _flat(mnemonic: str, value: Value) -> list[Value]:
    """Return the operands of an operation, and in place of one that is the same, its operands."""
    if isinstance(value, Operation) and value.mnemonic == mnemonic:
        return [inner for operand in value.operands for inner in _flat(mnemonic, operand)]
    return [value]


def _word(mnemonic: str, values: list[Value]) -> list[tuple[Load, Linear]]:
    """Return the word in the two parts of a test, if they are that."""
    if len(values) != 2:
        return []
    for one, other in (values, reversed(values)):
        match mnemonic, one, other:
            case "i32.sub", Operation("i32.sub", (Linear(_, 0x01010100, ()), word)), same:
                pass
            case (
                "i32.xor",
                Operation("i32.xor", (word, Linear(_, -1, ()))),
                Operation("i32.add", (same, Linear(_, -0x01010101, ()))),
            ):
                pass
            case (
                "i32.xor",
                Operation("i32.xor", (word, Linear(_, -1, ()))),
                Operation("i32.sub", (same, Linear(_, 0x01010101, ()))),
            ):
                pass
            case _:
                continue
        if word is not same and word != same:
            continue
        match word:
            case Load("i32.load") as load:
                return [(load, Linear(32, 0))]
            case Operation("i32.xor", (Load("i32.load") as load, Linear() as byte)):
                return [(load, byte.narrow())]
            case Operation("i32.xor", (Linear() as byte, Load("i32.load") as load)):
                return [(load, byte.narrow())]
    return []


class _Scans:
    """The conditions of an iteration on bytes that it reads.

    Attributes:
        loads: those that they test.
    """

    def __init__(self, growth: _Growth) -> None:
        self.loads: set[Load] = set()
        self._growth = growth
        #: The loads that must not have a value, by the value, and whether that are four bytes.
        self._untils: dict[tuple[Linear, bool], list[Load]] = {}
        #: The loads that must be equal to others, and these, by the distance between them.
        self._equals: dict[Linear, tuple[list[Load], list[Load]]] = {}

    def add(self, relation: str, left: Value, right: Value) -> bool:
        """Add a condition, or return False if it is nothing simple."""
        if isinstance(right, Load) and not isinstance(left, Load):
            left, right = right, left
        words = _words(relation, left, right)
        for load, stop in words:
            if self._growth.of(stop):
                return False
            self.loads.add(load)
            self._untils.setdefault((stop, bool(stop.terms or stop.constant)), []).append(load)
        if words or not isinstance(left, Load):
            return bool(words)
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
        self._untils.setdefault((right.narrow(), False), []).append(left)
        return True

    def joined(self) -> tuple[Until | Equal, ...] | None:
        """Return the conditions, those on neighbours as one; None if there are gaps."""
        found: list[Until | Equal] = []
        for (stop, repeated), loads in self._untils.items():
            span = _joined(loads, self._growth)
            if span is None:
                return None
            found.append(Until(span, stop, repeated))
        for pair in self._equals.values():
            left, right = (_joined(loads, self._growth) for loads in pair)
            if left is None or right is None or left.step != right.step or left.step < 0:
                return None
            found.append(Equal(left, right))
        return tuple(found)


def _joined(accesses: Sequence[Load | Store], growth: _Growth) -> Span | None:
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


def _stored(path: Path, growth: _Growth) -> Fill | Copy | None:
    """Return what the stores of an iteration do together."""
    written = _joined(path.stores, growth)
    if written is None:
        return None
    values = [store.value for store in path.stores]
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


def _copy(path: Path, values: list[Load], written: Span, growth: _Growth) -> Copy | None:
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
