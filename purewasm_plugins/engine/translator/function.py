"""The translation of one function: from its instructions to the lines of a Python function.

The mnemonic of an instruction selects what translates it: a row of `numerics`, a handler of
`memory` for memory, tables and vectors, a method of `blocks` or `branches`, or a handler of this
module for variables, calls and constants.
"""

from __future__ import annotations

from itertools import chain, islice

from purewasm_plugins.engine.translator import memory
from purewasm_plugins.engine.translator.blocks import Blocks
from purewasm_plugins.engine.translator.branches import Branches
from purewasm_plugins.engine.translator.control import analyse
from purewasm_plugins.engine.translator.expressions import (
    ATOM,
    CALLS,
    COMPARISON,
    READS,
    TERNARY,
    TRAPS,
    UNARY,
    Expression,
    any_value,
    condition,
    constant,
    opaque,
    spelled,
)
from purewasm_plugins.engine.translator.lines import Line, TooDeep
from purewasm_plugins.engine.translator.numerics import NUMERIC, Row
from purewasm_plugins.engine.translator.translation import ANY_EFFORT, Effort
from purewasm_plugins.engine.translator.writer import Naming, Writer
from purewasm_plugins.runtime.values import f32_from_bits, f64_from_bits
from purewasm_plugins.support.typed import Any, Callable, Iterable, Iterator
from purewasm_plugins.wasm.binary.instructions import Instruction, instructions
from purewasm_plugins.wasm.module import Module
from purewasm_plugins.wasm.types import FuncType

__all__ = ["function_lines"]

Handler = Callable[[Writer, tuple[Any, ...]], None]

#: Instructions between two checks of the limits.
_PERIOD = 256


def function_lines(
    module: Module,
    index: int,
    *,
    naming: Naming | None = None,
    located: bool = False,
    metered: bool = True,
    bounded: bool = True,
    writer_class: type[Writer] = Writer,
    effort: Effort = ANY_EFFORT,
) -> list[Line]:
    """Translate a function of a valid module to the lines of a Python function.

    Args:
        module: a module that has been validated.
        index: of the function, imported ones counted.
        naming: what things are called.
        located: whether to mark the text of what may trap with the offset of its instruction.
        metered: whether it uses fuel.
        bounded: whether its memory ends at `MEMORY_END` at the latest.
        writer_class: the class that writes it; that of audited functions is another.
        effort: what it may take.

    Raises:
        ResourceLimitError: it would become more Python than `effort` allows.
        Trap: `effort` says that the call has to end.
    """
    code = module.functions[index - module.imported_functions]
    # Compiled code becomes four or five characters for each byte, and hardly any less than two.
    effort.check_characters(2 * (code.body.end - code.body.start))
    body = list(_watched(instructions(module.data, code.body), effort))

    def written(flattened: bool) -> list[Line]:
        writer = writer_class(
            module,
            index,
            naming or Naming(),
            located=located,
            metered=metered,
            bounded=bounded,
            effort=effort,
        )
        return _lines(writer, body, flattened)

    try:
        return written(False)
    except TooDeep:
        return written(True)


def _lines(writer: Writer, body: list[Instruction], flattened: bool) -> list[Line]:
    """Translate a body, and put before it what stands at the start of a Python function.

    Example::

        (module (global (mut i32) (i32.const 0))
          (func (param i32) (local i64)
            (global.set 0 (i32.wrap_i64 (local.get 1)))))

        def f0(l0):
            global g0
            for _ in budget: break
            l1 = 0
            g0 = l1 & 0xffffffff
            return
    """
    check_limits = writer.effort.check_limits
    analysis = analyse(_watched(body, writer.effort), flattened, lambda: check_limits(0.0))
    if writer.module.memory_types:
        writer.locals.align_body(analysis)
    branches = Branches(writer, analysis)
    blocks = Blocks(writer, analysis, branches)
    start = writer.lines.offset
    blocks.begin()
    begun = 1 if writer.metered else 0
    _translate(writer, blocks, branches, analysis.instructions)
    params = ", ".join(writer.locals.names[: len(writer.type.params)])
    head = [f"def {writer.naming.function(writer.index)}({params}):"]
    if writer.assigned_globals:
        names = [writer.naming.variable(number) for number in sorted(writer.assigned_globals)]
        head.append(f"global {', '.join(names)}")
    lines = writer.lines.written
    lines[begun:begun] = [Line(1, text, start) for text in writer.locals.defaults()]
    lines[:0] = [Line(min(level, 1), text, start) for level, text in enumerate(head)]
    return [line for line in lines if line.text is not None]


def _watched(body: Iterable[Instruction], effort: Effort) -> Iterator[Instruction]:
    """Return an iterator over the instructions that checks the limits every few hundred of them."""
    return chain.from_iterable(_slices(iter(body), effort))


def _slices(remaining: Iterator[Instruction], effort: Effort) -> Iterator[list[Instruction]]:
    while some := list(islice(remaining, _PERIOD)):
        effort.check_limits(0.0)
        yield some


def _translate(writer: Writer, blocks: Blocks, branches: Branches, body: list[Instruction]) -> None:
    """Translate instructions, one after the other.

    Most of them pop expressions and push a new one; no line is written until a statement needs it.

    Example::

        (module (memory 1)
          (func (param i32 i32) (result i32)
            (local.get 0)
            (i32.const 1)
            (i32.add)
            (local.get 1)
            (i32.mul)
            (local.set 0)
            (i32.store (local.get 1) (local.get 0))
            (local.get 0)))

        def f0(l0, l1):
            for _ in budget: break
            l0 = (l0 + 1) * l1 & 0xffffffff
            store_u32(memory, l1, l0)
            return l0
    """
    lines = writer.lines
    get_local = writer.locals.get
    handlers = HANDLERS.get
    rows = NUMERIC.get
    for index, (offset, opcode, immediates) in enumerate(_watched(body, writer.effort)):
        lines.offset = offset
        mnemonic = opcode.mnemonic
        # In the order of their frequency in compiled code: every fourth is the first.
        if mnemonic == "local.get":
            get_local(immediates[0])
        elif (handler := handlers(mnemonic)) is not None:
            handler(writer, immediates)
        elif (row := rows(mnemonic)) is not None:
            _numeric(writer, row)
        elif mnemonic == "br_if":
            branches.branch_if(index)
        elif mnemonic == "end":
            blocks.end()
        elif mnemonic in ("block", "loop", "if"):
            blocks.begin_construct(index)
        elif mnemonic == "br":
            branches.branch(index)
        elif mnemonic == "else":
            blocks.begin_else()
        elif mnemonic == "br_table":
            branches.branch_table(index)
        elif mnemonic == "return":
            branches.return_()
        elif mnemonic == "unreachable":
            branches.unreachable()
        else:
            memory.vector_handlers()[mnemonic](writer, immediates)


def _numeric(writer: Writer, row: Row) -> None:
    """Translate a numeric instruction by its row of the table.

    Example::

        (func (param i32 i32 f32) (result i32 f32)
          (i32.div_u (local.get 0) (local.get 1))
          (f32.mul (local.get 2) (f32.const 0.1)))

        def f0(l0, l1, l2):
            for _ in budget: break
            rounded[0] = l2 * 0.10000000149011612
            s1 = rounded[0]
            return l0 // l1, s1
    """
    stack = writer.operands.stack
    for position in row.simple:
        writer.operands.simplify(position - row.operands)
    if row.operands == 2:
        b = stack.pop()
        result = row.build(stack.pop(), b)
    else:
        result = row.build(stack.pop())
    if row.rounds:
        # No line may come between the two: what must be evaluated first is spilled now.
        writer.operands.spill_conflicting(result.effects, writer.operands.slot(len(stack)).reads)
        writer.lines.write(f"rounded[0] = {result.text}")
        writer.operands.assign_slot("rounded[0]", effects=0)
        return
    if row.traps and result.size:
        result.effects |= TRAPS
        result.text = writer.lines.trace(result.text)
    writer.operands.push(result)


# Variables (section 4.4.5)


def _local_set(writer: Writer, immediates: tuple[Any, ...]) -> None:
    writer.locals.set(immediates[0])


def _local_tee(writer: Writer, immediates: tuple[Any, ...]) -> None:
    writer.locals.tee(immediates[0])


def _global_text(writer: Writer, index: int) -> str:
    """Return the text of a global.

    It is a Python global if it is immutable, or if only this module can reach it.
    """
    if not writer.module.global_types[index].mutable or index in writer.module.private_globals:
        return writer.naming.variable(index)
    return f"global{index}.raw"


def _global_get(writer: Writer, immediates: tuple[Any, ...]) -> None:
    index = immediates[0]
    type = writer.module.global_types[index]
    text = _global_text(writer, index)
    if type.mutable:
        text = writer.operands.read_state(text)
    writer.operands.push(any_value(type.value, text, READS if type.mutable else 0))


def _global_set(writer: Writer, immediates: tuple[Any, ...]) -> None:
    index = immediates[0]
    (operand,) = writer.operands.pop_typed((writer.module.global_types[index].value,))
    text = _global_text(writer, index)
    if "." not in text:
        writer.assigned_globals.add(index)
    writer.operands.write_effect(f"{text} = {operand.text}")


# Calls (section 4.4.8)


def _call(writer: Writer, immediates: tuple[Any, ...]) -> None:
    index = immediates[0]
    type = writer.module.function_type(index)
    operands = writer.operands.pop_typed(type.params)
    _finish_call(writer, type, writer.naming.function(index), operands)


def _call_indirect(writer: Writer, immediates: tuple[Any, ...]) -> None:
    """Translate `call_indirect`: the type's dictionary maps references to Python functions.

    What it does not have traps, or is a function of another instance; see `linking`.

    Example::

        (module (type $t (func (param i32) (result i32))) (table 2 funcref)
          (func (param i32 i32) (result i32)
            (call_indirect (type $t) (local.get 0) (local.get 1))))

        def f0(l0, l1):
            for _ in budget: break
            return signature0[elements0[l1]](l0)
    """
    type_index, table = immediates
    type = writer.module.types[type_index]
    canonical = writer.module.canonical_types[type_index]
    selector = writer.operands.pop_unsigned()
    callee = writer.operands.read_state(
        f"signature{canonical}[elements{table}[{selector.text}]]",
        len(type.params),
        selector.effects | TRAPS | READS,
    )
    operands = writer.operands.pop_typed(type.params)
    _finish_call(writer, type, callee, operands, selector)


def _finish_call(
    writer: Writer,
    type: FuncType,
    callee: str,
    operands: list[Expression],
    *others: Expression,
) -> None:
    arguments = ", ".join([operand.text for operand in operands])
    text = writer.lines.trace(f"{callee}({arguments})")
    results = type.results
    if not results:
        writer.operands.write_effect(text)
        return
    if len(results) == 1:
        result = opaque(text, *operands, *others, effects=TRAPS | READS | CALLS)
        result.high = any_value(results[0], "").high
        writer.operands.push(result)
        return
    height = len(writer.operands.stack)
    for position in range(height, height + len(results)):
        writer.operands.spill_conflicting(CALLS, writer.operands.slot(position).reads)
    names = [f"s{position}" for position in range(height, height + len(results))]
    writer.lines.write(f"{', '.join(names)} = {text}")
    for position, result_type in enumerate(results, height):
        writer.operands.push(writer.operands.slot(position, result_type))


# Constants, references, parametric instructions (sections 4.4.1, 4.4.2, 4.4.4)


def _i32_const(writer: Writer, immediates: tuple[Any, ...]) -> None:
    writer.operands.push(constant(immediates[0] & 0xFFFFFFFF))


def _i64_const(writer: Writer, immediates: tuple[Any, ...]) -> None:
    writer.operands.push(constant(immediates[0] & 0xFFFFFFFFFFFFFFFF))


def _float_constant(value: float, bits: int, function: str) -> Expression:
    if value != value:
        return Expression(f"{function}({bits:#x})")
    text = repr(value).replace("inf", "1e999")
    return Expression(text, UNARY if text.startswith("-") else ATOM, size=0)


def _f32_const(writer: Writer, immediates: tuple[Any, ...]) -> None:
    bits = immediates[0]
    writer.operands.push(_float_constant(f32_from_bits(bits), bits, "f32_from_bits"))


def _f64_const(writer: Writer, immediates: tuple[Any, ...]) -> None:
    bits = immediates[0]
    writer.operands.push(_float_constant(f64_from_bits(bits), bits, "f64_from_bits"))


def _ref_null(writer: Writer, immediates: tuple[Any, ...]) -> None:
    writer.operands.push(Expression("None"))


def _ref_func(writer: Writer, immediates: tuple[Any, ...]) -> None:
    writer.operands.push(Expression(f"functions[{immediates[0]}]"))


def _ref_is_null(writer: Writer, immediates: tuple[Any, ...]) -> None:
    operand = writer.operands.pop()
    text = f"{spelled(operand, COMPARISON + 1)} is None"
    result = opaque(text, operand, precedence=COMPARISON)
    result.high = 1
    writer.operands.push(result)


def _drop(writer: Writer, immediates: tuple[Any, ...]) -> None:
    operand = writer.operands.pop()
    if operand.effects & (TRAPS | CALLS):
        writer.operands.spill_conflicting(operand.effects)
        writer.lines.write(operand.text)


def _select(writer: Writer, immediates: tuple[Any, ...]) -> None:
    """Translate `select`: Python evaluates the condition first, and then only one operand.

    Example::

        (func (param i32 i32 i32) (result i32)
          (select (local.get 0) (local.get 1) (local.get 2)))

        def f0(l0, l1, l2):
            for _ in budget: break
            return l0 if l2 else l1
    """
    for position in (-3, -2):
        if writer.operands.stack[position].effects:
            writer.operands.spill(len(writer.operands.stack) + position)
    first, second, decision = writer.operands.pop_many(3)
    decision = condition(decision)
    text = (
        f"{spelled(first, TERNARY + 1)} if {spelled(decision, TERNARY + 1)} "
        f"else {spelled(second, TERNARY + 1)}"
    )
    result = opaque(text, first, second, decision, precedence=TERNARY)
    result.low = min(first.low, second.low)
    result.high = max(first.high, second.high)
    result.zeros = min(first.zeros, second.zeros)
    writer.operands.push(result)


def _nop(writer: Writer, immediates: tuple[Any, ...]) -> None:
    pass


HANDLERS: dict[str, Handler] = {
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": _global_get,
    "global.set": _global_set,
    "call": _call,
    "call_indirect": _call_indirect,
    "i32.const": _i32_const,
    "i64.const": _i64_const,
    "f32.const": _f32_const,
    "f64.const": _f64_const,
    "ref.null": _ref_null,
    "ref.func": _ref_func,
    "ref.is_null": _ref_is_null,
    "drop": _drop,
    "select": _select,
    "nop": _nop,
    **memory.HANDLERS,
}
