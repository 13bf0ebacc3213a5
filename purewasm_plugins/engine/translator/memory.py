"""Memory, table and vector instructions (sections 4.4.3, 4.4.6, 4.4.7).

A memory is one `bytearray`: `memory[a]` and `struct` check bounds themselves, and what they raise
becomes a trap of the instruction. An effective address is never negative, which Python would count
from the end: it is an unsigned int plus an offset. Where an address is known to be a multiple of
the width, the number is an item of a view of the bytes, `memory32[a >> 2]`: a load takes 27 ns in
place of 38. Without proof, a check would cost what that saves.
"""

from __future__ import annotations

from purewasm_plugins.engine.translator.expressions import (
    ADD,
    ATOM,
    CALLS,
    READS,
    TERNARY,
    TRAPS,
    Expression,
    binary,
    call,
    constant,
    opaque,
    quotient,
    trailing_zeros,
    unsigned,
)
from purewasm_plugins.engine.translator.writer import Writer
from purewasm_plugins.support.light import once
from purewasm_plugins.support.typed import Any, Callable
from purewasm_plugins.wasm.opcodes import BY_MNEMONIC, OPCODES, Immediates, Opcode
from purewasm_plugins.wasm.types import ValType

__all__ = ["HANDLERS"]

Handler = Callable[[Writer, tuple[Any, ...]], None]

_HEAP = TRAPS | READS

#: The loads of more than a byte that one function of `namespace` does, but for `f32.load`.
_LOADS = (
    *("i32.load", "i64.load", "f64.load", "i32.load16_s", "i32.load16_u"),
    *("i64.load16_s", "i64.load16_u", "i64.load32_s", "i64.load32_u"),
)

#: The stores of more than a byte, likewise.
_STORES = ("i32.store", "i64.store", "f64.store", "i32.store16", "i64.store16", "i64.store32")


def _address(writer: Writer, offset: int, size: int) -> Expression:
    """Pop the address of an access, and return the effective one: with the offset added.

    See section 4.4.7. What the access implies is noted. In a loop, the sum of a variable and a
    constant is masked only past the small ints.

    Example::

        (module (memory 1)
          (func (param i32 i32)
            (loop $again
              (i32.store8 (i32.add (local.get 0) (local.get 1)) (i32.const 7))
              (i32.store16 offset=2 (i32.sub (local.get 0) (i32.const 6)) (i32.const 0))
              (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))

        def f0(l0, l1):
            for _ in budget: break
            for _ in budget:
                memory[l0 + l1 & 0xffffffff] = 7
                store_u16(memory, l0 - 4 if l0 >= 6 else (l0 - 6 & 0xffffffff) + 2, 0)
                l0 = l0 - 1
                if l0:
                    continue
                break
            return
    """
    bare = writer.operands.stack[-1]
    _note(writer, bare, offset, size)
    wraps = bare.low < 0 or bare.high > 0xFFFFFFFF
    step = bare.step if wraps and writer.locals.loops else None
    base = writer.operands.pop_unsigned()
    if base.size == 0:
        return constant(base.low + offset)
    if step is not None and step[0] == 32:
        # A sum seldom leaves the small ints, where comparing is cheaper than masking.
        _, variable, amount, small = step
        sign, distance = ("-", -amount - offset) if amount + offset < 0 else ("+", amount + offset)
        near = f"{variable} {sign} {distance}" if distance else variable
        masked = f"({base.text}) + {offset}" if offset else base.text
        text = f"{near} if {small} else {masked}"
        address = Expression(
            text, TERNARY, offset, base.high + offset, base.effects, base.reads, base.size + 2
        )
    elif offset:
        address = binary(base, "+", constant(offset), ADD, base.low + offset, base.high + offset)
    else:
        return base
    return address


#: The views of memory, by the mnemonics of what accesses their items: the binary logarithm of the
#: item's size, and the name.
_VIEWS = {
    **dict.fromkeys(
        ("i32.load16_u", "i64.load16_u", "i32.store16", "i64.store16"), (1, "memory16")
    ),
    **dict.fromkeys(("i32.load", "i64.load32_u", "i32.store", "i64.store32"), (2, "memory32")),
    **dict.fromkeys(("i64.load", "i64.store"), (3, "memory64")),
    **dict.fromkeys(("f64.load", "f64.store"), (3, "memory_f64")),
}

#: The characters of the names in generated code.
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
#: What an audited function calls to check its claims; it resizes no memory.
_CHECKS = {"", "audit", "at"}


def _calls(text: str) -> bool:
    """Return whether an expression calls anything but what checks claims."""
    for part in text.split("(")[:-1]:
        name = part[len(part.rstrip(_NAME_CHARACTERS)) :]
        if name not in _CHECKS:
            return True
    return False


def _index(writer: Writer, offset: int, shift: int) -> Expression | None:
    """Pop an address, and return the index of the item of a view; None if it may lie between two.

    The view is looked up before the index is evaluated. A call in there could resize the memory,
    which releases its views.

    Example::

        (module (memory 1)
          (func (param i32 i32) (result i32)
            (i32.store offset=8
              (i32.add (i32.shl (local.get 0) (i32.const 2)) (i32.const 1024))
              (i32.load16_u (i32.and (local.get 1) (i32.const -2))))
            (i32.load (i32.const 40))))

        def f0(l0, l1):
            for _ in budget: break
            memory32[(l0 + 256 & 0x3fffffff) + 2] = memory16[l1 >> 1]
            return memory32[10]
    """
    operand = writer.operands.stack[-1]
    if operand.zeros < shift or trailing_zeros(offset) < shift or _calls(operand.text):
        return None
    _note(writer, operand, offset, 1 << shift)
    base = writer.operands.pop_unsigned()
    return quotient(base, shift, offset)


def _note(writer: Writer, operand: Expression, offset: int, size: int) -> None:
    """Note what an access implies about the local that its operand, the address, is made of.

    It counts from the next `local.get` on, when the access has been written.
    """
    if operand.origin is not None and writer.bounded:
        writer.locals.note_access(operand.origin, offset, size)


def _write_access(writer: Writer, text: str) -> None:
    """Write a statement that may trap, and that changes what other code can see."""
    writer.operands.write_effect(writer.lines.trace(text))


def _load(mnemonic: str) -> Handler:
    size = BY_MNEMONIC[mnemonic].access_size
    bits = 8 * size
    if mnemonic.startswith("f"):
        function, low, high = f"load_f{bits}", 0, 0
    elif mnemonic.endswith("_s"):
        function, low, high = f"load_s{bits}", -(1 << bits - 1), (1 << bits - 1) - 1
    else:
        function, low, high = f"load_u{bits}", 0, (1 << bits) - 1

    shift, view = _VIEWS.get(mnemonic, (0, ""))

    def handler(writer: Writer, immediates: tuple[Any, ...]) -> None:
        index = _index(writer, immediates[1], shift) if view else None
        if index is not None:
            _push_item(writer, view, index, low, high)
            return
        address = _address(writer, immediates[1], size)
        # Unpacked by assignment: a subscript would take a third longer.
        text = writer.lines.trace(f"{function}(memory, {address.text})")
        writer.operands.assign_slot(text, low, high, comma=True, effects=_HEAP)

    return handler


def _push_item(writer: Writer, view: str, index: Expression, low: int, high: int) -> None:
    text = writer.lines.trace(f"{view}[{index.text}]")
    writer.operands.push(
        Expression(text, ATOM, low, high, index.effects | _HEAP, index.reads, index.size + 1)
    )


def _load8(writer: Writer, immediates: tuple[Any, ...]) -> None:
    address = _address(writer, immediates[1], 1)
    _push_item(writer, "memory", address, 0, 255)


def _load8_signed(writer: Writer, immediates: tuple[Any, ...]) -> None:
    _load8(writer, immediates)
    loaded = writer.operands.pop()
    loaded.text = f"({loaded.text} ^ 128) - 128"
    loaded.precedence, loaded.low, loaded.high = ADD, -128, 127
    loaded.size += 2
    writer.operands.push(loaded)


def _load_f32(writer: Writer, immediates: tuple[Any, ...]) -> None:
    """Translate `f32.load`; a NaN keeps its bits, which `struct` alone may change."""
    writer.operands.push(_address(writer, immediates[1], 4))
    writer.operands.simplify(-1)
    address = writer.operands.pop()
    text = writer.lines.trace(f"load_f32(memory, {address.text})[0]")
    writer.operands.assign_slot(
        f"x if (x := {text}) == x else load_f32_nan(memory, {address.text})",
        effects=_HEAP,
    )


def _store(mnemonic: str) -> Handler:
    size = BY_MNEMONIC[mnemonic].access_size
    bits = 8 * size
    is_float = mnemonic.startswith("f")
    function = f"store_{'f' if is_float else 'u'}{bits}"
    shift, view = _VIEWS[mnemonic]

    def handler(writer: Writer, immediates: tuple[Any, ...]) -> None:
        value = writer.operands.pop() if is_float else writer.operands.pop_unsigned(bits)
        if writer.operands.stack[-1].zeros >= shift:
            writer.operands.spill_topmost(1, value.effects)
        index = _index(writer, immediates[1], shift)
        if index is not None:
            _assign(writer, value, view, index)
            return
        address = _address(writer, immediates[1], size)
        _write_access(writer, f"{function}(memory, {address.text}, {value.text})")

    return handler


def _assign(writer: Writer, value: Expression, container: str, index: Expression) -> None:
    """Write the assignment of an item: Python evaluates the value before the index."""
    target = writer.lines.trace(f"{container}[{index.text}]")
    writer.operands.write_effect(f"{target} = {value.text}")


def _store8(writer: Writer, immediates: tuple[Any, ...]) -> None:
    value = writer.operands.pop_unsigned(8)
    writer.operands.spill_topmost(1, value.effects)
    address = _address(writer, immediates[1], 1)
    _assign(writer, value, "memory", address)


def _store_f32(writer: Writer, immediates: tuple[Any, ...]) -> None:
    for position in (-2, -1):
        writer.operands.simplify(position)
    value = writer.operands.pop()
    address = _address(writer, immediates[1], 4)
    plain = f"store_f32(memory, {address.text}, {value.text})"
    nan = f"store_f32_nan(memory, {address.text}, {value.text})"
    _write_access(writer, f"{plain} if {value.text} == {value.text} else {nan}")


def _memory_size(writer: Writer, immediates: tuple[Any, ...]) -> None:
    text = writer.operands.read_state("memory_pages(linear_memory)")
    writer.operands.push(Expression(text, ATOM, 0, 65536, READS))


def _paid(writer: Writer) -> tuple[Expression, ...]:
    """Return the last argument of a function whose work depends on an operand: what takes fuel.

    Example::

        (module (memory 1)
          (func (param i32) (result i32)
            (memory.fill (i32.const 0) (i32.const 7) (local.get 0))
            (memory.grow (i32.const 1))))

        def f0(l0):
            for _ in budget: break
            memory_fill(linear_memory, 0, 7, l0, spend)
            return memory_grow(linear_memory, 1, spend)
    """
    return (opaque("spend"),) if writer.metered else ()


def _call_statement(writer: Writer, function: str, *operands: Expression) -> None:
    texts = ", ".join([operand.text for operand in (*operands, *_paid(writer))])
    _write_access(writer, f"{function}({texts})")


def _memory_grow(writer: Writer, immediates: tuple[Any, ...]) -> None:
    pages = writer.operands.pop_unsigned()
    memory = opaque("linear_memory")
    result = call("memory_grow", memory, pages, *_paid(writer), effects=_HEAP | CALLS)
    result.text = writer.lines.trace(result.text)
    result.high = 0xFFFFFFFF
    writer.operands.push(result)


def _three(writer: Writer) -> list[Expression]:
    return writer.operands.pop_typed((ValType.I32,) * 3)


def _memory_fill(writer: Writer, immediates: tuple[Any, ...]) -> None:
    _call_statement(writer, "memory_fill", opaque("linear_memory"), *_three(writer))


def _memory_copy(writer: Writer, immediates: tuple[Any, ...]) -> None:
    _call_statement(writer, "memory_copy", opaque("linear_memory"), *_three(writer))


def _memory_init(writer: Writer, immediates: tuple[Any, ...]) -> None:
    segment = opaque(writer.operands.read_state(f"data_segments[{immediates[0]}]", 3))
    _call_statement(writer, "memory_init", opaque("linear_memory"), segment, *_three(writer))


def _data_drop(writer: Writer, immediates: tuple[Any, ...]) -> None:
    writer.operands.write_effect(f"drop_segment(data_segments, {immediates[0]})")


# Tables


def _table_get(writer: Writer, immediates: tuple[Any, ...]) -> None:
    index = writer.operands.pop_unsigned()
    text = writer.lines.trace(f"elements{immediates[0]}[{index.text}]")
    writer.operands.push(opaque(text, index, effects=_HEAP))


def _table_set(writer: Writer, immediates: tuple[Any, ...]) -> None:
    value = writer.operands.pop()
    writer.operands.spill_topmost(1, value.effects)
    _assign(writer, value, f"elements{immediates[0]}", writer.operands.pop_unsigned())


def _table_size(writer: Writer, immediates: tuple[Any, ...]) -> None:
    text = writer.operands.read_state(f"len(elements{immediates[0]})")
    writer.operands.push(Expression(text, ATOM, 0, 0xFFFFFFFF, READS))


def _table_grow(writer: Writer, immediates: tuple[Any, ...]) -> None:
    value, count = writer.operands.pop_many(2)
    table = opaque(f"table{immediates[0]}")
    operands = (table, value, unsigned(count, 32), *_paid(writer))
    result = call("table_grow", *operands, effects=_HEAP | CALLS)
    result.text = writer.lines.trace(result.text)
    result.high = 0xFFFFFFFF
    writer.operands.push(result)


def _table_fill(writer: Writer, immediates: tuple[Any, ...]) -> None:
    start, value, count = writer.operands.pop_many(3)
    table = opaque(f"table{immediates[0]}")
    _call_statement(writer, "table_fill", table, unsigned(start, 32), value, unsigned(count, 32))


def _table_copy(writer: Writer, immediates: tuple[Any, ...]) -> None:
    destination, source = (opaque(f"table{index}") for index in immediates)
    _call_statement(writer, "table_copy", destination, source, *_three(writer))


def _table_init(writer: Writer, immediates: tuple[Any, ...]) -> None:
    segment = opaque(writer.operands.read_state(f"element_segments[{immediates[0]}]", 3))
    table = opaque(f"table{immediates[1]}")
    _call_statement(writer, "table_init", table, segment, *_three(writer))


def _element_drop(writer: Writer, immediates: tuple[Any, ...]) -> None:
    writer.operands.write_effect(f"drop_segment(element_segments, {immediates[0]})")


# Vectors: each instruction is a call of a function of `simd`.


def _operands_of(writer: Writer, opcode: Opcode) -> list[Expression]:
    params = opcode.params or ()
    return writer.operands.pop_typed(params)


def _vector(opcode: Opcode) -> Handler:
    name = opcode.mnemonic.replace(".", "_")
    result_type = (opcode.results or (None,))[0]
    high = {ValType.I32: 0xFFFFFFFF, ValType.I64: (1 << 64) - 1}.get(result_type, 0)  # type: ignore[arg-type]

    def handler(writer: Writer, immediates: tuple[Any, ...]) -> None:
        operands = _operands_of(writer, opcode)
        extra = [opaque(repr(immediate)) for immediate in immediates]
        writer.operands.push(call(name, *operands, *extra, high=high))

    return handler


def _vector_load(opcode: Opcode) -> Handler:
    function = f"load_b{opcode.access_size}"
    name = opcode.mnemonic.replace(".", "_")

    def handler(writer: Writer, immediates: tuple[Any, ...]) -> None:
        others = len(opcode.params or ()) - 1
        position = len(writer.operands.stack) - others - 1
        writer.operands.spill_topmost(others, writer.operands.stack[position].effects | _HEAP)
        rest = writer.operands.pop_many(others)
        address = _address(writer, immediates[1], opcode.access_size)
        read = opaque(
            writer.lines.trace(f"{function}(memory, {address.text})") + "[0]",
            address,
            effects=_HEAP,
        )
        if opcode.mnemonic != "v128.load":
            lane = [opaque(str(immediates[2]))] if len(immediates) > 2 else []
            read = call(name, read, *rest, *lane)
        writer.operands.push(read)
        writer.operands.spill(len(writer.operands.stack) - 1)

    return handler


def _vector_store(opcode: Opcode) -> Handler:
    function = f"store_b{opcode.access_size}"
    name = opcode.mnemonic.replace(".", "_")

    def handler(writer: Writer, immediates: tuple[Any, ...]) -> None:
        value = writer.operands.pop()
        address = _address(writer, immediates[1], opcode.access_size)
        text = value.text
        if opcode.mnemonic != "v128.store":
            text = f"{name}({text}, {immediates[2]})"
        _write_access(writer, f"{function}(memory, {address.text}, {text})")

    return handler


def _vector_constant(writer: Writer, immediates: tuple[Any, ...]) -> None:
    writer.operands.push(Expression(repr(immediates[0])))


@once
def vector_handlers() -> dict[str, Handler]:
    """Make the handlers of vector instructions, when a function first has such an instruction."""
    handlers: dict[str, Handler] = {}
    for opcode in OPCODES:
        if opcode.code >> 8 != 0xFD:
            continue
        mnemonic = opcode.mnemonic
        if opcode.immediates in (Immediates.MEMARG, Immediates.MEMARG_LANE):
            make = _vector_store if "store" in mnemonic else _vector_load
            handlers[mnemonic] = make(opcode)
        else:
            handlers[mnemonic] = _vector(opcode)
    handlers["v128.const"] = _vector_constant
    return handlers


HANDLERS: dict[str, Handler] = {
    **{mnemonic: _load(mnemonic) for mnemonic in _LOADS},
    **{mnemonic: _store(mnemonic) for mnemonic in _STORES},
    "i32.load8_u": _load8,
    "i64.load8_u": _load8,
    "i32.load8_s": _load8_signed,
    "i64.load8_s": _load8_signed,
    "f32.load": _load_f32,
    "i32.store8": _store8,
    "i64.store8": _store8,
    "f32.store": _store_f32,
    "memory.size": _memory_size,
    "memory.grow": _memory_grow,
    "memory.fill": _memory_fill,
    "memory.copy": _memory_copy,
    "memory.init": _memory_init,
    "data.drop": _data_drop,
    "table.get": _table_get,
    "table.set": _table_set,
    "table.size": _table_size,
    "table.grow": _table_grow,
    "table.fill": _table_fill,
    "table.copy": _table_copy,
    "table.init": _table_init,
    "elem.drop": _element_drop,
}
