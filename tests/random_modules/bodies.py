"""Random function bodies.

Each is valid, and its execution ends: loops count down, and no call is recursive. It may trap.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from random import Random
from typing import Any

from purewasm_plugins.wasm import FuncType, ValType
from purewasm_plugins.wasm.binary.encoder import encode
from purewasm_plugins.wasm.opcodes import BY_CODE, OPCODES, Immediates, Opcode
from tests.random_modules.plan import (
    EXTERNREF,
    EXTERNREFS,
    F32,
    F64,
    FUNCREF,
    FUNCREFS,
    I32,
    LEAVES,
    PASSIVE_DATA,
    PASSIVE_ELEMENTS,
    TABLE_SIZE,
    TYPES,
    V128,
    Plan,
    random_types,
)
from tests.random_modules.values import constant

#: Instructions whose NaN results may differ between engines (section 4.3.3).
_ANY_NAN = {"add", "sub", "mul", "div", "min", "max", "sqrt", "ceil", "floor", "trunc", "nearest"}
_ANY_NAN_CONVERSIONS = {
    "f32.demote_f64",
    "f64.promote_f32",
    "f32x4.demote_f64x2_zero",
    "f64x2.promote_low_f32x4",
}
_FLOAT_SHAPES = {"f32": F32, "f64": F64, "f32x4": V128, "f64x2": V128}

#: Instructions whose types are in the opcode table, without constants.
_FIXED = [
    opcode
    for opcode in OPCODES
    if opcode.params is not None
    and opcode.mnemonic not in ("nop", "memory.grow")
    and not opcode.mnemonic.endswith(".const")
]
#: Those that leave one value, by its type.
PRODUCERS = {
    type_: [opcode for opcode in _FIXED if opcode.results == (type_,)] for type_ in ValType
}
#: Those that leave none.
CONSUMERS = [opcode for opcode in _FIXED if opcode.results == ()]

#: Kinds of statements and of expressions; the useful ones are there more than once.
_STATEMENTS = (
    *("set", "set", "set", "global", "consume", "consume", "drop", "block", "loop", "if"),
    *("br_if", "br_if", "br", "br_table", "return", "table", "grow", "call", "nop"),
    *("pointer", "pointer"),
)
_EXPRESSIONS = (
    *("simple", "simple", "table", "table", "table", "table", "select", "tee", "block"),
    *("if", "call", "other"),
)


class Body:
    """A writer of a function body.

    Statements leave nothing on the operand stack, and expressions leave one value.
    """

    def __init__(
        self, random: Random, plan: Plan, index: int, size: int, canonical_nans: bool
    ) -> None:
        self._random = random
        self._plan = plan
        self._index = index
        self._size = size
        self._canonical_nans = canonical_nans
        self.type = plan.functions[index]
        self._code = bytearray()
        # The types that a branch to each enclosing label carries, innermost last.
        self._labels: list[tuple[ValType, ...]] = [self.type.results]
        self.locals: list[ValType] = [random.choice(TYPES) for _ in range(random.randint(0, 4))]
        self._usable = [*self.type.params, *self.locals]
        self._loops = 0

    def write(self) -> bytes:
        """Write the whole body."""
        if self._statements():
            self._values(self.type.results)
        return bytes(self._code) + b"\x0b"

    def _emit(self, mnemonic: str, *immediates: Any) -> None:
        self._code += encode(mnemonic, *immediates)

    def _reserve(self, type_: ValType) -> int:
        """Add a local that no other code uses; return its index."""
        self.locals.append(type_)
        return len(self.type.params) + len(self.locals) - 1

    # Statements

    def _statements(self) -> bool:
        """Write a few statements.

        Returns:
            Whether what follows them can be reached.
        """
        for _ in range(self._random.randint(0, 4)):
            if self._size <= 0:
                break
            if not self._statement():
                self._dead_code()
                return False
        return True

    def _statement(self) -> bool:
        self._size -= 1
        random = self._random
        kind = random.choice(_STATEMENTS)
        match kind:
            case "set" if self._usable:
                local = random.randrange(len(self._usable))
                self._value(self._usable[local])
                self._emit("local.set", local)
            case "global":
                index = random.randrange(len(TYPES))
                self._value(self._plan.globals[index])
                self._emit("global.set", index)
            case "consume":
                self._instruction(random.choice(CONSUMERS), 2)
            case "block":
                self._block("block")
            case "if":
                self._block("if")
            case "loop" if len(self._labels) < 6 and self._loops < 3:
                self._loop()
            case "br_if":
                label, types = self._label()
                self._values(types)
                self._value(I32)
                self._emit("br_if", label)
                for _ in types:
                    self._emit("drop")
            case "br" | "return" if random.random() < 0.3:
                label, types = self._label() if kind == "br" else (0, self.type.results)
                self._values(types)
                self._emit(kind, *([label] if kind == "br" else []))
                return False
            case "br_table" if random.random() < 0.5:
                label, types = self._label()
                same = [at for at, carried in enumerate(reversed(self._labels)) if carried == types]
                labels = tuple(random.choice(same) for _ in range(random.randint(0, 4)))
                self._values(types)
                self._value(I32)
                self._emit("br_table", labels, label)
                return False
            case "pointer" if self._pointers():
                self._pointer()
                self._emit("local.set", random.choice(self._pointers()))
            case "table":
                self._table_statement()
            case "grow":
                self._code += encode("i32.const", random.randint(0, 1))
                self._emit("memory.grow", 0)
                self._emit("drop")
            case "call" if self._index >= LEAVES:
                for _ in range(len(self._call())):
                    self._emit("drop")
            case "nop" if random.random() < 0.1:
                self._emit("unreachable")
                return False
            case "nop":
                self._emit("nop")
            case _:
                self._value(random.choice(TYPES))
                self._emit("drop")
        return True

    def _table_statement(self) -> None:
        random = self._random
        table = random.choice((FUNCREFS, EXTERNREFS))
        type_ = FUNCREF if table == FUNCREFS else EXTERNREF
        match random.choice(("set", "fill", "grow")):
            case "set":
                self._small(TABLE_SIZE)
                self._value(type_)
                self._emit("table.set", table)
            case "fill":
                self._small(TABLE_SIZE)
                self._value(type_)
                self._small(3)
                self._emit("table.fill", table)
            case "grow":
                self._value(type_)
                self._small(3)
                self._emit("table.grow", table)
                self._emit("drop")

    def _label(self) -> tuple[int, tuple[ValType, ...]]:
        label = self._random.randrange(len(self._labels))
        return label, self._labels[~label]

    def _dead_code(self) -> None:
        """Write instructions that are valid only because they are unreachable."""
        random = self._random
        for _ in range(random.choice((0, 0, 1, 3))):
            if random.random() < 0.2:
                self._code += random.choice((b"\x1b\x1a", b"\x1a", b"\x1b\xa7\x1a", b"\x45\x1a"))
                continue
            opcode = random.choice(_FIXED)
            self._code += encode(opcode, *self._immediates(opcode))
            self._code += b"\x1a" * len(opcode.results or ())

    def _block(self, kind: str, results: tuple[ValType, ...] | None = None) -> None:
        """Write a block or an `if`.

        Args:
            results: the types of the values that it leaves. None: random ones, then dropped.
        """
        random = self._random
        params = random_types(random, 2) if random.random() < 0.2 else ()
        left = results if results is not None else random_types(random, 2)
        if kind == "if" and results is None and random.random() < 0.3:
            # Without an `else`, the parameters are the results.
            params = left
        self._values(params)
        if kind == "if":
            self._value(I32)
        type_: ValType | int | None
        if not params and len(left) <= 1 and random.random() < 0.9:
            type_ = left[0] if left else None
        else:
            type_ = self._plan.type_index(FuncType(params, left))
        self._emit(kind, type_)
        self._labels.append(left)
        for arm in range(2 if kind == "if" and (params != left or random.random() < 0.7) else 1):
            if arm:
                self._emit("else")
            self._take(params)
            if self._statements():
                self._values(left)
        self._labels.pop()
        self._emit("end")
        if results is None:
            for _ in left:
                self._emit("drop")

    def _take(self, types: tuple[ValType, ...]) -> None:
        """Pop the parameters of a block into locals, or drop them."""
        for type_ in reversed(types):
            fitting = [at for at, local in enumerate(self._usable) if local is type_]
            if fitting:
                self._emit("local.set", self._random.choice(fitting))
            else:
                self._emit("drop")

    def _loop(self) -> None:
        """Write a loop of up to three rounds, which are counted at the label of the loop."""
        params = random_types(self._random, 1) if self._random.random() < 0.2 else ()
        counter = self._reserve(I32)
        self._code += encode("i32.const", self._random.randint(1, 3))
        self._emit("local.set", counter)
        self._emit("block", None)
        self._labels.append(())
        self._values(params)
        type_ = self._plan.type_index(FuncType(params, ())) if params else None
        self._emit("loop", type_)
        self._emit("local.get", counter)
        self._emit("i32.eqz")
        self._emit("br_if", 1)
        self._emit("local.get", counter)
        self._code += encode("i32.const", 1)
        self._emit("i32.sub")
        self._emit("local.set", counter)
        self._take(params)
        self._labels.append(params)
        self._loops += 1
        if self._statements() and self._random.random() < 0.8:
            self._values(params)
            self._emit("br", 0)
        del self._labels[-2:]
        self._emit("end")
        self._emit("end")
        self._loops -= 1

    # Expressions

    def _values(self, types: Iterable[ValType]) -> None:
        for type_ in types:
            self._value(type_, 2)

    def _small(self, bound: int) -> None:
        """Leave an i32 that is less than `bound`."""
        if self._random.random() < 0.7:
            self._code += encode("i32.const", self._random.randrange(bound))
        else:
            self._value(I32, 1)
            self._code += encode("i32.const", bound)
            self._emit("i32.rem_u")

    def _pointers(self) -> list[int]:
        """Return the locals that may hold addresses."""
        return [at for at, local in enumerate(self._usable) if local is I32]

    def _pointer(self) -> None:
        """Leave an i32 as compilers compute addresses: most are small, and often aligned."""
        random = self._random
        pointers = self._pointers()
        kind = random.choice(("small", "local", "local", "step", "step", "array", "array", "mask"))
        if kind == "small" or not pointers:
            self._code += encode("i32.const", random.choice((0, 4, 8, 63, 64, 65532, 65536, -4)))
            return
        self._emit("local.get", random.choice(pointers))
        if kind == "step":
            self._code += encode("i32.const", random.choice((1, 2, 4, 8, 16, 12, -4, -8, -1)))
            self._emit(random.choice(("i32.add", "i32.sub")))
        elif kind == "array":
            if random.random() < 0.5:
                self._code += encode("i32.const", random.choice((3, 7, 63, -1)))
                self._emit("i32.and")
            self._code += encode("i32.const", random.choice((1, 2, 2, 3, 4)))
            self._emit("i32.shl")
            self._code += encode("i32.const", random.choice((0, 16, 64, 65528, 2, -16)))
            self._emit("i32.add")
            if random.random() < 0.3:
                self._emit("local.get", random.choice(pointers))
                self._emit(random.choice(("i32.add", "i32.sub")))
        elif kind == "mask":
            self._code += encode("i32.const", random.choice((-2, -4, -8, -16, 252, 65528)))
            self._emit("i32.and")

    def _value(self, type_: ValType, depth: int = 3) -> None:
        """Leave one value of a type."""
        random = self._random
        self._size -= 1
        if depth <= 0 or self._size <= 0:
            self._simple(type_)
            return
        kind = random.choice(_EXPRESSIONS)
        match kind:
            case "table" if PRODUCERS[type_]:
                self._instruction(random.choice(PRODUCERS[type_]), depth)
            case "select":
                self._value(type_, depth - 1)
                self._value(type_, depth - 1)
                self._value(I32, depth - 1)
                if type_.is_reference or random.random() < 0.3:
                    self._code += encode(BY_CODE[0x1C], (type_,))
                else:
                    self._code += b"\x1b"
            case "tee" if type_ in self._usable:
                local = random.choice([i for i, of in enumerate(self._usable) if of is type_])
                self._value(type_, depth - 1)
                self._emit("local.tee", local)
            case "block" | "if" if len(self._labels) < 5:
                extra = random_types(random, 1) if random.random() < 0.2 else ()
                self._block(kind, (type_, *extra))
                for _ in extra:
                    self._emit("drop")
            case "call" if self._index >= LEAVES and self._call_for(type_):
                pass
            case "other":
                self._polymorphic(type_)
            case _:
                self._simple(type_)

    def _simple(self, type_: ValType) -> None:
        random = self._random
        fitting = [at for at, local in enumerate(self._usable) if local is type_]
        if fitting and random.random() < 0.6:
            self._emit("local.get", random.choice(fitting))
        elif random.random() < 0.2:
            index = TYPES.index(type_) + random.choice((0, len(TYPES)))
            self._emit("global.get", index)
        elif type_ is FUNCREF and random.random() < 0.5:
            self._emit("ref.func", random.randrange(LEAVES))
        else:
            self._code += constant(random, type_)

    def _polymorphic(self, type_: ValType) -> None:
        """Leave a value by an instruction whose type the opcode table does not say."""
        random = self._random
        if type_ is I32 and random.random() < 0.5:
            self._value(random.choice((FUNCREF, EXTERNREF)), 1)
            self._emit("ref.is_null")
        elif type_ is I32:
            self._value(random.choice((FUNCREF,)), 1)
            self._small(2)
            self._emit("table.grow", FUNCREFS)
        elif type_.is_reference:
            self._small(TABLE_SIZE)
            self._emit("table.get", FUNCREFS if type_ is FUNCREF else EXTERNREFS)
        else:
            self._simple(type_)

    def _call_for(self, type_: ValType) -> bool:
        """Call a function that returns a value of a type, and leave that value.

        Returns:
            Whether there is such a function.
        """
        for called in self._random.sample(range(self._index), self._index):
            results = self._plan.functions[called].results
            if type_ in results:
                self._call(called)
                # The results above the value are dropped. A local keeps the value while those
                # below it are dropped.
                keep = len(results) - 1 - results[::-1].index(type_)
                for _ in results[keep + 1 :]:
                    self._emit("drop")
                if keep:
                    local = self._reserve(type_)
                    self._emit("local.set", local)
                    for _ in range(keep):
                        self._emit("drop")
                    self._emit("local.get", local)
                return True
        return False

    def _call(self, called: int | None = None) -> tuple[ValType, ...]:
        """Call a function, directly or through the table, and leave its results."""
        random = self._random
        if called is None:
            called = random.randrange(self._index)
        type_ = self._plan.functions[called]
        for param in type_.params:
            self._value(param, 1)
        if called < LEAVES and random.random() < 0.5:
            self._code += encode("i32.const", random.choice((called, called, TABLE_SIZE - 1)))
            self._emit("call_indirect", self._plan.type_index(type_), FUNCREFS)
        else:
            self._emit("call", called)
        return type_.results

    def _instruction(self, opcode: Opcode, depth: int) -> None:
        """Write an instruction with its operands; most addresses and sizes are small."""
        random = self._random
        for at, param in enumerate(opcode.params or ()):
            address = opcode.alignment or opcode.immediates is Immediates.MEMARG
            bulk = opcode.code >> 8 == 0xFC and opcode.code & 0xFF >= 8
            if address and at == 0 and "table" not in opcode.mnemonic and random.random() < 0.5:
                self._pointer()
            elif (bulk or (address and at == 0)) and random.random() < 0.95:
                self._small(4 if "table" in opcode.mnemonic else 200)
            else:
                self._value(param, depth - 1)
        self._code += encode(opcode, *self._immediates(opcode))
        if self._canonical_nans:
            self._canonical(opcode)

    def _canonical(self, opcode: Opcode) -> None:
        """Replace a NaN that may differ between engines by the canonical one."""
        shape, _, operation = opcode.mnemonic.partition(".")
        type_ = _FLOAT_SHAPES.get(shape)
        if type_ is None:
            return
        if operation not in _ANY_NAN and opcode.mnemonic not in _ANY_NAN_CONVERSIONS:
            return
        local = self._reserve(type_)
        self._emit("local.tee", local)
        f32 = shape in ("f32", "f32x4")
        if type_ is V128:
            lane = struct.pack("<I", 0x7FC00000) if f32 else struct.pack("<Q", 0x7FF8 << 48)
            self._emit("v128.const", lane * (16 // len(lane)))
        else:
            self._emit(f"{shape}.const", 0x7FC00000 if f32 else 0x7FF8 << 48)
        self._emit("local.get", local)
        self._emit("local.get", local)
        self._emit(f"{shape}.eq")
        self._emit("v128.bitselect" if type_ is V128 else "select")

    def _immediates(self, opcode: Opcode) -> tuple[Any, ...]:
        random = self._random
        match opcode.immediates:
            case Immediates.MEMARG | Immediates.MEMARG_LANE:
                offset = random.choice((0, 0, 0, 1, 4, 8, 200, 65528))
                lane = (random.randrange(opcode.lanes),) if opcode.lanes else ()
                return (random.randint(0, opcode.alignment), offset, *lane)
            case Immediates.LANE:
                return (random.randrange(opcode.lanes),)
            case Immediates.LANES16:
                return (bytes(random.randrange(32) for _ in range(16)),)
            case Immediates.MEMORY:
                return (0,)
            case Immediates.MEMORY_MEMORY:
                return (0, 0)
            case Immediates.DATA_MEMORY:
                return (random.choice((0, PASSIVE_DATA)), 0)
            case Immediates.DATA:
                return (random.choice((0, PASSIVE_DATA)),)
            case Immediates.TABLE:
                return (random.choice((FUNCREFS, EXTERNREFS)),)
            case Immediates.TABLE_TABLE:
                table = random.choice((FUNCREFS, EXTERNREFS))
                return (table, table)
            case Immediates.ELEMENT:
                return (random.choice((0, PASSIVE_ELEMENTS)),)
            case Immediates.ELEMENT_TABLE:
                return (random.choice((0, PASSIVE_ELEMENTS)), FUNCREFS)
            case Immediates.FUNCTION:
                return (random.randrange(LEAVES),)
            case Immediates.I32 | Immediates.I64 | Immediates.F32 | Immediates.F64:
                return (0,)
            case Immediates.V128:
                return (bytes(16),)
        return ()
