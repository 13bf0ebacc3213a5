"""Modules made at random: valid ones out of the opcode table, and broken ones out of valid ones.

Everything takes a `random.Random`; Hypothesis's `randoms()` does as well, and then shrinks. The
modules of `random_module` are valid, import nothing, and their functions end: loops count down,
nothing is recursive. They may trap.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from purewasm_plugins.wasm.opcodes import BY_CODE, BY_MNEMONIC, OPCODES, Immediates, Opcode
from purewasm_plugins.wasm.types import FuncType, ValType

I32, I64, F32, F64, V128 = (
    ValType.I32,
    ValType.I64,
    ValType.F32,
    ValType.F64,
    ValType.V128,
)
FUNCREF, EXTERNREF = ValType.FUNCREF, ValType.EXTERNREF
NUMERIC = (I32, I64, F32, F64)
TYPES = (*NUMERIC, V128, FUNCREF, EXTERNREF)

# Encoding (core specification, section 5)


def unsigned(value: int) -> bytes:
    """LEB128."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def signed(value: int) -> bytes:
    """Signed LEB128."""
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value & 0x7F))


def vector(items: Iterable[bytes]) -> bytes:
    """A count and the items."""
    listed = list(items)
    return unsigned(len(listed)) + b"".join(listed)


def name(text: str) -> bytes:
    """A name."""
    return unsigned(len(text.encode())) + text.encode()


def section(identifier: int, content: bytes) -> bytes:
    """A section."""
    return bytes((identifier,)) + unsigned(len(content)) + content


def module(*sections: bytes) -> bytes:
    """A module of these sections."""
    return b"\0asm\x01\0\0\0" + b"".join(sections)


def encode(opcode: Opcode, immediates: Sequence[Any] = ()) -> bytes:
    """An instruction, its immediates as `instructions` decodes them."""
    code = opcode.code
    encoded = bytes((code,)) if code < 0x100 else bytes((code >> 8,)) + unsigned(code & 0xFF)
    match opcode.immediates:
        case Immediates.BLOCK_TYPE:
            (type_,) = immediates
            if type_ is None:
                return encoded + b"\x40"
            if isinstance(type_, ValType):
                return encoded + bytes((type_,))
            return encoded + signed(type_)
        case Immediates.I32 | Immediates.I64:
            return encoded + signed(immediates[0])
        case Immediates.F32:
            return encoded + struct.pack("<I", immediates[0])
        case Immediates.F64:
            return encoded + struct.pack("<Q", immediates[0])
        case Immediates.V128 | Immediates.LANES16:
            return encoded + bytes(immediates[0])
        case Immediates.LABEL_TABLE:
            labels, default = immediates
            return encoded + vector(map(unsigned, labels)) + unsigned(default)
        case Immediates.SELECT_TYPES:
            return encoded + vector(bytes((type_,)) for type_ in immediates[0])
        case _:
            return encoded + b"".join(unsigned(int(value)) for value in immediates)


def function_module(type_: FuncType, body: bytes, locals_: Iterable[ValType] = ()) -> bytes:
    """A module of one function, with a memory and two tables for it to use."""
    return module(
        section(1, vector([function_type(type_)])),
        section(3, vector([unsigned(0)])),
        section(4, vector([b"\x70\0\x01", b"\x6f\0\x01"])),
        section(5, vector([b"\0\x01"])),
        section(9, vector([b"\x03\0" + vector([unsigned(0)])])),
        section(12, unsigned(1)),
        section(10, vector([code(list(locals_), body)])),
        section(11, vector([b"\x01" + unsigned(0)])),
    )


def function_type(type_: FuncType) -> bytes:
    """A function type."""
    return b"\x60" + b"".join(
        vector(bytes((value,)) for value in types) for types in (type_.params, type_.results)
    )


def code(locals_: Sequence[ValType], body: bytes) -> bytes:
    """A function's locals and its body."""
    content = vector(unsigned(1) + bytes((type_,)) for type_ in locals_) + body
    return unsigned(len(content)) + content


# Immediates

_EDGES = (0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 32767, 32768, 65535, 65536)


def random_integer(random: Random, bits: int) -> int:
    """A signed integer, an unremarkable one seldom."""
    top = 1 << (bits - 1)
    value = random.choice(
        (
            random.choice(_EDGES),
            -random.choice(_EDGES),
            top - 1 - random.choice((0, 0, 1)),
            -top + random.choice((0, 0, 1)),
            random.getrandbits(bits) - top,
        )
    )
    return max(-top, min(top - 1, value))


def random_float_bits(random: Random, bits: int) -> int:
    """The bits of a float: often a special one."""
    mantissa = 23 if bits == 32 else 52
    exponent_ones = ((1 << (bits - 1 - mantissa)) - 1) << mantissa
    quiet = 1 << (mantissa - 1)
    sign = random.getrandbits(1) << (bits - 1)
    code, size = ("<f", "<I") if bits == 32 else ("<d", "<Q")
    whole = float(random_integer(random, 33)) * random.choice((1.0, 0.5, 1.5, 1e-3))
    (ordinary,) = struct.unpack(size, struct.pack(code, whole))
    magnitude = random.choice(
        (
            0,
            1,
            quiet,
            exponent_ones,
            exponent_ones | quiet,
            exponent_ones | 1,
            exponent_ones - 1,
            1 << mantissa,
            ordinary,
            ordinary,
            random.getrandbits(bits - 1),
        )
    )
    return sign | magnitude & (1 << (bits - 1)) - 1


def random_v128(random: Random) -> bytes:
    """Sixteen bytes, that make sense as some kind of lanes."""
    width = random.choice((8, 16, 32, 64))
    if width >= 32 and random.random() < 0.5:
        lanes = (random_float_bits(random, width) for _ in range(128 // width))
    else:
        lanes = (random_integer(random, width) % (1 << width) for _ in range(128 // width))
    return b"".join(lane.to_bytes(width // 8, "little") for lane in lanes)


def constant(random: Random, type_: ValType) -> bytes:
    """An instruction that pushes a constant of a type; null of a reference type."""
    match type_:
        case ValType.I32:
            return encode(BY_MNEMONIC["i32.const"], (random_integer(random, 32),))
        case ValType.I64:
            return encode(BY_MNEMONIC["i64.const"], (random_integer(random, 64),))
        case ValType.F32:
            return encode(BY_MNEMONIC["f32.const"], (random_float_bits(random, 32),))
        case ValType.F64:
            return encode(BY_MNEMONIC["f64.const"], (random_float_bits(random, 64),))
        case ValType.V128:
            return encode(BY_MNEMONIC["v128.const"], (random_v128(random),))
        case _:
            return encode(BY_MNEMONIC["ref.null"], (type_,))


def i32_constant(value: int) -> bytes:
    """`i32.const`."""
    return encode(BY_MNEMONIC["i32.const"], (value,))


# Valid modules

#: Instructions whose result, where it is a NaN, may be any of several (section 4.3.3).
_ANY_NAN = {"add", "sub", "mul", "div", "min", "max", "sqrt", "ceil", "floor", "trunc", "nearest"}
_ANY_NAN_CONVERSIONS = {
    "f32.demote_f64",
    "f64.promote_f32",
    "f32x4.demote_f64x2_zero",
    "f64x2.promote_low_f32x4",
}
_FLOAT_SHAPES = {"f32": F32, "f64": F64, "f32x4": V128, "f64x2": V128}

#: Instructions that leave one value, by its type, and those that leave none; constants apart.
_FIXED = [
    opcode
    for opcode in OPCODES
    if opcode.params is not None
    and opcode.mnemonic not in ("nop", "memory.grow")
    and not opcode.mnemonic.endswith(".const")
]
PRODUCERS = {
    type_: [opcode for opcode in _FIXED if opcode.results == (type_,)] for type_ in ValType
}
CONSUMERS = [opcode for opcode in _FIXED if opcode.results == ()]

LEAVES = 2
"""The first functions call nothing: only they are in tables, so that no call can be recursive."""

FUNCREFS, EXTERNREFS = 0, 1
"""Indices of the two tables."""

TABLE_SIZE = 6
PASSIVE_DATA, PASSIVE_ELEMENTS = 1, 1


#: Kinds of statements and of expressions, the more often the more useful they are.
_STATEMENTS = (
    *("set", "set", "set", "global", "consume", "consume", "drop", "block", "loop", "if"),
    *("br_if", "br_if", "br", "br_table", "return", "table", "grow", "call", "nop"),
)
_EXPRESSIONS = (
    *("simple", "simple", "table", "table", "table", "table", "select", "tee", "block"),
    *("if", "call", "other"),
)


class _Plan:
    """What the functions of a module can refer to."""

    def __init__(self, random: Random, functions: int, vectors: bool) -> None:
        self.types: list[FuncType] = []
        self.functions = [
            FuncType(
                _types(random, 3, vectors=vectors), _types(random, 2, least=1, vectors=vectors)
            )
            for _ in range(functions)
        ]
        for type_ in self.functions:
            self.type_index(type_)
        #: Types of the globals; the second half of them is immutable.
        self.globals = (*TYPES, *TYPES)

    def type_index(self, type_: FuncType) -> int:
        if type_ not in self.types:
            self.types.append(type_)
        return self.types.index(type_)


def _types(
    random: Random, most: int, *, least: int = 0, vectors: bool = True
) -> tuple[ValType, ...]:
    types = [type_ for type_ in TYPES if vectors or type_ is not V128]
    count = random.randint(least, most)
    return tuple(random.choice(types if random.random() < 0.3 else NUMERIC) for _ in range(count))


class _Body:
    """Writes a function body: statements, which leave nothing, and expressions, which leave one
    value."""

    def __init__(
        self, random: Random, plan: _Plan, index: int, size: int, canonical_nans: bool
    ) -> None:
        self._random = random
        self._plan = plan
        self._index = index
        self._size = size
        self._canonical_nans = canonical_nans
        self.type = plan.functions[index]
        self._code = bytearray()
        # What a branch to each label around carries, innermost last.
        self._labels: list[tuple[ValType, ...]] = [self.type.results]
        self.locals: list[ValType] = [random.choice(TYPES) for _ in range(random.randint(0, 4))]
        self._usable = [*self.type.params, *self.locals]
        self._loops = 0

    def write(self) -> bytes:
        """The whole body."""
        if self._statements():
            self._values(self.type.results)
        return bytes(self._code) + b"\x0b"

    def _emit(self, mnemonic: str, *immediates: Any) -> None:
        self._code += encode(BY_MNEMONIC[mnemonic], immediates)

    def _reserve(self, type_: ValType) -> int:
        """A local that nothing else uses."""
        self.locals.append(type_)
        return len(self.type.params) + len(self.locals) - 1

    # Statements

    def _statements(self) -> bool:
        """A few statements.

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
        kind = random.choice(
            [
                "set",
                "set",
                "set",
                "global",
                "consume",
                "consume",
                "drop",
                "block",
                "loop",
                "if",
                "br_if",
                "br_if",
                "br",
                "br_table",
                "return",
                "table",
                "grow",
                "call",
                "nop",
            ]
        )
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
            case "table":
                self._table_statement()
            case "grow":
                self._code += i32_constant(random.randint(0, 1))
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
        """What the operand stack of unreachable code makes valid."""
        random = self._random
        for _ in range(random.choice((0, 0, 1, 3))):
            if random.random() < 0.2:
                self._code += random.choice((b"\x1b\x1a", b"\x1a", b"\x1b\xa7\x1a", b"\x45\x1a"))
                continue
            opcode = random.choice(_FIXED)
            self._code += encode(opcode, self._immediates(opcode))
            self._code += b"\x1a" * len(opcode.results or ())

    def _block(self, kind: str, results: tuple[ValType, ...] | None = None) -> None:
        """A block or an if; its results are dropped, or left if they are asked for."""
        random = self._random
        params = _types(random, 2) if random.random() < 0.2 else ()
        left = results if results is not None else _types(random, 2)
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
        """Get rid of what a block begins with."""
        for type_ in reversed(types):
            fitting = [at for at, local in enumerate(self._usable) if local is type_]
            if fitting:
                self._emit("local.set", self._random.choice(fitting))
            else:
                self._emit("drop")

    def _loop(self) -> None:
        """A loop of up to three rounds: whatever branches to its label, it counts them first."""
        params = _types(self._random, 1) if self._random.random() < 0.2 else ()
        counter = self._reserve(I32)
        self._code += i32_constant(self._random.randint(1, 3))
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
        self._code += i32_constant(1)
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
        """An i32 that is less than `bound`, as a rule."""
        if self._random.random() < 0.7:
            self._code += i32_constant(self._random.randrange(bound))
        else:
            self._value(I32, 1)
            self._code += i32_constant(bound)
            self._emit("i32.rem_u")

    def _value(self, type_: ValType, depth: int = 3) -> None:
        """Leave one value of a type."""
        random = self._random
        self._size -= 1
        if depth <= 0 or self._size <= 0:
            self._simple(type_)
            return
        kind = random.choice(
            [
                "simple",
                "simple",
                "table",
                "table",
                "table",
                "table",
                "select",
                "tee",
                "block",
                "if",
                "call",
                "other",
            ]
        )
        match kind:
            case "table" if PRODUCERS[type_]:
                self._instruction(random.choice(PRODUCERS[type_]), depth)
            case "select":
                self._value(type_, depth - 1)
                self._value(type_, depth - 1)
                self._value(I32, depth - 1)
                if type_.is_reference or random.random() < 0.3:
                    self._code += encode(BY_CODE[0x1C], ((type_,),))
                else:
                    self._code += b"\x1b"
            case "tee" if type_ in self._usable:
                local = random.choice([i for i, of in enumerate(self._usable) if of is type_])
                self._value(type_, depth - 1)
                self._emit("local.tee", local)
            case "block" | "if" if len(self._labels) < 5:
                extra = _types(random, 1) if random.random() < 0.2 else ()
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
        """What has its type from something else than the table of opcodes."""
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
        """Call something that returns a value of a type, if there is such a thing."""
        for called in self._random.sample(range(self._index), self._index):
            results = self._plan.functions[called].results
            if type_ in results:
                self._call(called)
                # Whatever lies above the value goes; what lies below it is kept out by a block.
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
        """Call a function, directly or through the table; the results are left."""
        random = self._random
        if called is None:
            called = random.randrange(self._index)
        type_ = self._plan.functions[called]
        for param in type_.params:
            self._value(param, 1)
        if called < LEAVES and random.random() < 0.5:
            self._code += i32_constant(random.choice((called, called, TABLE_SIZE - 1)))
            self._emit("call_indirect", self._plan.type_index(type_), FUNCREFS)
        else:
            self._emit("call", called)
        return type_.results

    def _instruction(self, opcode: Opcode, depth: int) -> None:
        """An instruction of the table, with operands; addresses and sizes are small, mostly."""
        random = self._random
        for at, param in enumerate(opcode.params or ()):
            address = opcode.alignment or opcode.immediates is Immediates.MEMARG
            bulk = opcode.code >> 8 == 0xFC and opcode.code & 0xFF >= 8
            if (bulk or (address and at == 0)) and random.random() < 0.95:
                self._small(4 if "table" in opcode.mnemonic else 200)
            else:
                self._value(param, depth - 1)
        self._code += encode(opcode, self._immediates(opcode))
        if self._canonical_nans:
            self._canonical(opcode)

    def _canonical(self, opcode: Opcode) -> None:
        """Replace a NaN that may be any by the canonical one."""
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
                offset = random.choice((0, 0, 0, 1, 8, 200, 65528))
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


def random_module(
    random: Random,
    *,
    functions: int = 4,
    size: int = 40,
    canonical_nans: bool = False,
    vector_signatures: bool = True,
) -> bytes:
    """A valid module: functions `f0`, `f1` … that end, a memory, two tables, globals `g0` ….

    Args:
        random: where the choices come from.
        functions: how many.
        size: roughly how many instructions are in each.
        canonical_nans: whether to make every NaN that an instruction computes the canonical one,
            so that two engines must agree on every bit.
        vector_signatures: whether functions may take and return v128, which not every host can.
    """
    plan = _Plan(random, max(functions, LEAVES), vector_signatures)
    bodies = []
    for index in range(len(plan.functions)):
        body = _Body(random, plan, index, size, canonical_nans)
        written = body.write()
        bodies.append(code(body.locals, written))
    exports = [name(f"f{i}") + b"\0" + unsigned(i) for i in range(len(plan.functions))]
    exports += [name("memory") + b"\x02\0"]
    exports += [name(f"t{i}") + b"\x01" + unsigned(i) for i in (FUNCREFS, EXTERNREFS)]
    exports += [name(f"g{i}") + b"\x03" + unsigned(i) for i in range(len(plan.globals))]
    globals_ = [
        bytes((type_, at < len(TYPES))) + constant(random, type_) + b"\x0b"
        for at, type_ in enumerate(plan.globals)
    ]
    zero = i32_constant(0) + b"\x0b"
    leaves = vector(map(unsigned, range(LEAVES)))
    maximum = unsigned(TABLE_SIZE + 4)
    return module(
        section(1, vector(map(function_type, plan.types))),
        section(3, vector(unsigned(plan.type_index(type_)) for type_ in plan.functions)),
        section(4, vector(bytes((t, 1, TABLE_SIZE)) + maximum for t in (FUNCREF, EXTERNREF))),
        section(5, vector([b"\x01\x01\x02"])),
        section(6, vector(globals_)),
        section(7, vector(exports)),
        section(9, vector([b"\0" + zero + leaves, b"\x01\0" + leaves])),
        section(12, unsigned(2)),
        section(10, vector(bodies)),
        section(
            11,
            vector(
                [
                    b"\0" + zero + vector(bytes((random.randrange(256),)) for _ in range(64)),
                    b"\x01" + vector(bytes((random.randrange(256),)) for _ in range(16)),
                ]
            ),
        ),
    )


# Broken modules

_TOKENS = (
    b"\x0b",
    b"\x05",
    b"\x02\x40",
    b"\x03\x40",
    b"\x04\x40",
    b"\x00",
    b"\x1a",
    b"\x1b",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x00",
    b"\xff\xff\xff\xff\x7f",
    b"\x80" * 11,
    b"\xfc\x08",
    b"\xfd\x0c",
    b"\xd2\x00",
    b"\xd0\x70",
)


def mutated(random: Random, data: bytes, other: bytes = b"") -> bytes:
    """A module with a few of its bytes changed, moved, or taken from another one."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(changed) + 1)
        until = min(len(changed), at + random.choice((1, 1, 2, 4, 16, 64)))
        match random.randrange(8):
            case 0 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 1 if at < len(changed):
                changed[at] = random.randrange(256)
            case 2 if at < len(changed):
                changed[at] = (changed[at] + random.choice((-1, 1))) % 256
            case 3:
                del changed[at:until]
            case 4:
                changed[at:at] = random.choice(_TOKENS)
            case 5:
                changed[at:until] = random.choice(_TOKENS)
            case 6 if other:
                start = random.randrange(len(other))
                changed[at:until] = other[start : start + random.choice((1, 4, 16, 64))]
            case 7:
                target = random.randrange(len(changed) + 1)
                changed[target:target] = changed[at:until]
    return bytes(changed)
