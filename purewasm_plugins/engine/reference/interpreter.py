"""The pywasm engine: the specification's abstract machine, one instruction at a time.

pywasm runs the instructions; what crosses the module's border is done here. Its `Machine.evaluate`
is used as it is and nothing of it is patched. It asks each instruction for its `opcode`, once, just
before it runs it, and that is the door: a `Step` is an instruction that does its own work when it
is asked, and then calls itself a `nop`. Steps stand for

- what pywasm leaves out: fuel, deadlines and the call depth, at every start of a body (`Meter`);
- what reaches outside one module: calls of imported functions, tables, references, segments;
- what pywasm bounds wrongly: `memory.grow`, which it caps at 1 024 pages, and `memory.fill`, which
  writes byte by byte where nobody meters it;
- what pywasm computes wrongly: `i64.div_u`, which traps where the quotient is 2**63 or more;
- what pywasm leaves to chance: which of two NaNs a sum or a product keeps.

The input is a linked instance; the output the raw entry of each of its functions. A body is turned
into pywasm's nested lists when its function is first called.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import pywasm
import pywasm.opcode

from purewasm_plugins.errors import OutOfMemory, StackFrame, Trap, TrapReason, WasmError
from purewasm_plugins.runtime.backtrace import stack_frame
from purewasm_plugins.runtime.instance import Function, Global, Instance
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.runtime.values import f32_from_bits, f32_to_bits
from purewasm_plugins.wasm.binary.instructions import Instruction, instructions
from purewasm_plugins.wasm.module import Code
from purewasm_plugins.wasm.opcodes import Opcode
from purewasm_plugins.wasm.types import FuncType, ValType

#: Operands, labels and locals that active functions may have together when another one begins. Each
#: is an object of up to 250 bytes here, and a function may come to 150 000 more.
_MOST_HELD = 100_000

#: Locals of a function from which on those of all active functions are counted at its calls.
_MANY_LOCALS = 64

#: Bytes of a function's body between two looks at the clock, where nothing else looks: some
#: milliseconds.
_STRETCH = 4096

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_F64 = struct.Struct("<d")


#: What pywasm raises for a trap, one way or another.
PYWASM_ERRORS = (AssertionError, ArithmeticError, LookupError, ValueError, struct.error)


class Interpreter:
    """The engine of that name; see the module."""

    name = "pywasm"

    def __init__(self) -> None:
        """Make the engine.

        Raises:
            WasmError: Python runs without assertions, and pywasm reads inside them.
        """
        if not __debug__:
            raise WasmError("the pywasm engine needs Python's assertions: run Python without -O")

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """See `Engine.link`."""
        return Linked(instance).entries


class Linked:
    """An instance's own pywasm machine.

    Attributes:
        machine: its store holds just this instance; addresses are the module's indices.
        entries: the raw entry of every function that the module defines.
        held_outside: what the calls hold that the active one is nested in; see `held`.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.held_outside = 0
        self.machine = pywasm.Machine()
        self.frame_module = pywasm.ModuleInst()
        module = instance.module.module
        self.frame_module.type = [_function_type(type) for type in module.types]
        store, frame_module = self.machine.store, self.frame_module
        for memory in instance.memories:
            frame_module.mems.append(len(store.mems))
            store.mems.append(_Memory(memory))
        for cell in instance.globals:
            frame_module.glob.append(len(store.glob))
            store.glob.append(_Global(cell))
        first = module.imported_functions
        # Imported functions are called by a step; pywasm never sees their addresses.
        store.func.extend([None] * first)
        for index, code in enumerate(module.functions, first):
            body = _LazyBody(self, index, code)
            function = pywasm.FuncInst(frame_module.type[code.type_index], frame_module, body)
            store.func.append(function)
        frame_module.func.extend(range(len(store.func)))
        self.entries = [self._entry(index) for index in range(first, first + len(module.functions))]

    def _entry(self, index: int) -> Callable[..., Any]:
        type = self.instance.functions[index].type
        budget = self.instance.budget

        def entry(*arguments: Any) -> Any:
            budget.enter()
            machine, stack, outside = self.machine, self.machine.stack, self.held_outside
            try:
                self.held_outside += held(stack)
                self.start_call(index, arguments)
                machine.evaluate()
                return pop_results(machine, type)
            except Trap as trap:
                raise trap_in(self, trap) from None
            except PYWASM_ERRORS as error:
                raise trap_in(self, self.trap_of(error)) from None
            except RecursionError:
                raise trap_in(self, Trap(TrapReason.CALL_STACK_EXHAUSTED)) from None
            except MemoryError:
                # A backtrace would take room as well.
                raise OutOfMemory from None
            finally:
                machine.stack, self.held_outside = stack, outside
                budget.leave()

        return entry

    def start_call(self, index: int, arguments: Sequence[Any]) -> None:
        """Give the machine a stack of its own, on which a function is about to run.

        Args:
            index: the function's.
            arguments: raw values.
        """
        machine = self.machine
        machine.stack = pywasm.core.Stack()
        # The frame that the machine must return to: evaluation ends when labels do.
        outermost = pywasm.Frame(self.frame_module, pywasm.LocalsInst([]), 0, 0, 0)
        machine.stack.frame.append(outermost)
        params = self.instance.functions[index].type.params
        machine.stack.value.extend(map(value_instance, params, arguments))
        machine.evaluate_call(index)

    def build_body(self, index: int, code: Code) -> Body:
        """A function's body, made when it is first called."""
        return build_body(self, index, code, Steps(self))

    def trap_of(self, error: Exception) -> Trap:
        """Which trap a bare error of pywasm's means, by the instruction that raised it."""
        instruction = current_instruction(self.machine)
        mnemonic = "" if instruction is None else instruction.opcode.mnemonic
        operation = mnemonic.partition(".")[2]
        if mnemonic == "unreachable":
            return Trap(TrapReason.UNREACHABLE)
        if mnemonic in ("call", "call_indirect", ""):
            return Trap(TrapReason.CALL_STACK_EXHAUSTED)
        if operation.startswith(("load", "store")):
            return Trap(TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS)
        if operation.startswith(("div", "rem")):
            if isinstance(error, ZeroDivisionError):
                return Trap(TrapReason.INTEGER_DIVIDE_BY_ZERO)
            return Trap(TrapReason.INTEGER_OVERFLOW)
        if operation.startswith("trunc"):
            if isinstance(error, ValueError):
                return Trap(TrapReason.INVALID_CONVERSION_TO_INTEGER)
            return Trap(TrapReason.INTEGER_OVERFLOW)
        raise WasmError(f"pywasm cannot run {mnemonic}: {type(error).__name__}: {error}") from error


class Located(pywasm.Inst):
    """An instruction of pywasm's that knows where it came from."""

    def __init__(self, instruction: Instruction, opcode: int, arguments: list[Any]) -> None:
        super().__init__(opcode, arguments)
        self.instruction = instruction


class Step(pywasm.Inst):
    """An instruction that does its work when pywasm asks what it is.

    Attributes:
        instruction: what it stands for; None where it only meters.
        action: the work.
        rest: the opcode of what pywasm then does.
    """

    def __init__(
        self,
        instruction: Instruction | None,
        action: Callable[[], None],
        rest: int = pywasm.opcode.nop,
    ) -> None:
        # Not super().__init__: it would assign `opcode`.
        self.instruction = instruction
        self.action = action
        self.rest = rest
        self.args: list[Any] = []

    @property
    def opcode(self) -> int:
        """Do the work, and be the rest."""
        self.action()
        return self.rest


class Body(list[pywasm.Inst]):
    """The instructions of a whole function, which its label leads to."""

    function: int


class _Expression:
    """What pywasm calls `FuncDesc.expr`: made when it is first looked at."""

    __slots__ = ("_body", "_code", "_index", "_linked")

    def __init__(self, linked: Linked, index: int, code: Code) -> None:
        self._linked = linked
        self._index = index
        self._code = code
        self._body: Body | None = None

    @property
    def data(self) -> Body:
        if self._body is None:
            self._body = self._linked.build_body(self._index, self._code)
        return self._body


class _LazyBody:
    """What pywasm calls a `FuncDesc`."""

    __slots__ = ("expr", "locals", "type")

    def __init__(self, linked: Linked, index: int, code: Code) -> None:
        self.type = code.type_index
        self.locals = [
            pywasm.LocalsDesc(count, pywasm.ValType(int(type))) for count, type in code.locals
        ]
        self.expr = _Expression(linked, index, code)


class _Memory:
    """What pywasm calls a `MemInst`, on one of ours."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.data = memory.raw

    @property
    def size(self) -> int:
        return self.memory.pages


class _Global:
    """What pywasm calls a `GlobalInst`, on one of ours, which others may hold as well."""

    def __init__(self, cell: Global) -> None:
        self.mut = int(cell.type.mutable)
        self._cell = cell
        self._raw = cell.raw
        self._value = value_instance(cell.type.value, cell.raw)

    @property
    def data(self) -> pywasm.ValInst:
        if self._cell.raw is not self._raw:
            self._raw = self._cell.raw
            self._value = value_instance(self._cell.type.value, self._raw)
        return self._value

    @data.setter
    def data(self, value: pywasm.ValInst) -> None:
        self._value = value
        self._raw = self._cell.raw = raw_value(value)


class Reference(pywasm.ValInst):
    """A reference that is not null, holding what it refers to."""

    def __init__(self, type: ValType, referent: Any) -> None:
        super().__init__(pywasm.ValType(int(type)), bytearray(4) + b"\x01" + bytearray(11))
        self.referent = referent


def value_instance(type: ValType, raw: Any) -> pywasm.ValInst:
    """A raw value as pywasm holds it."""
    match type:
        case ValType.I32:
            return pywasm.ValInst.from_u32(raw)
        case ValType.I64:
            return pywasm.ValInst.from_u64(raw)
        case ValType.F32:
            return pywasm.ValInst.from_f32_u32(f32_to_bits(raw))
        case ValType.F64:
            return pywasm.ValInst.from_f64(raw)
        case ValType.V128:
            return pywasm.ValInst.from_v128(bytearray(raw))
        case ValType.FUNCREF | ValType.EXTERNREF:
            if raw is None:
                return pywasm.ValInst.zero(pywasm.ValType(int(type)))
            return Reference(type, raw)


def raw_value(value: pywasm.ValInst) -> Any:
    """A value of pywasm's as a raw value."""
    match value.type.data:
        case ValType.I32:
            return _U32.unpack_from(value.data)[0]
        case ValType.I64:
            return _U64.unpack_from(value.data)[0]
        case ValType.F32:
            return f32_from_bits(_U32.unpack_from(value.data)[0])
        case ValType.F64:
            return _F64.unpack_from(value.data)[0]
        case ValType.V128:
            return bytes(value.data)
    return value.referent if isinstance(value, Reference) else None


def _function_type(type: FuncType) -> pywasm.FuncType:
    return pywasm.FuncType(
        [pywasm.ValType(int(t)) for t in type.params],
        [pywasm.ValType(int(t)) for t in type.results],
    )


def held(stack: pywasm.core.Stack) -> int:
    """How many operands, labels and locals are on a stack."""
    return len(stack.value) + len(stack.label) + sum(len(at.locals.data) for at in stack.frame)


def pop_results(machine: pywasm.Machine, type: FuncType) -> Any:
    """The results of a call that `Linked.start_call` began and that has come to its end."""
    values = [raw_value(value) for value in machine.stack.value]
    if len(values) != len(type.results):
        raise WasmError(f"pywasm left {len(values)} values where {len(type.results)} belong")
    if len(values) == 1:
        return values[0]
    return tuple(values) or None


def current_instruction(machine: pywasm.Machine) -> Instruction | None:
    """The instruction that the innermost frame has fetched last."""
    labels = machine.stack.label
    return _fetched(labels[-1]) if labels else None


def _fetched(label: pywasm.core.Label) -> Instruction | None:
    if not label.index:
        return None
    # Looked at, not fetched: a list of a debugger's counts what is fetched.
    instruction: Instruction | None = list.__getitem__(label.instr, label.index - 1).instruction
    return instruction


def trap_in(linked: Linked, trap: Trap) -> Trap:
    """The trap with the active functions of this instance behind its frames."""
    stack = linked.machine.stack
    frames: list[StackFrame] = []
    end = len(stack.label)
    for frame in reversed(stack.frame[1:]):
        if frame.label >= end:
            # Python's stack ended before the function had even got the label of its body.
            continue
        label = stack.label[end - 1]
        index = stack.label[frame.label].instr.function
        end = frame.label
        instruction = _fetched(label)
        offset = instruction.offset if instruction else None
        innermost = not frames and not trap.frames
        frames.append(stack_frame(linked.instance, index, offset, innermost=innermost))
    return trap.with_frames(trap.frames + tuple(frames))


def build_body(linked: Linked, index: int, code: Code, steps: Steps) -> Body:
    """A function's body as pywasm's nested lists, with the steps of this instance in it.

    Not recursive: compilers nest blocks deeper than Python nests calls.
    """
    many = sum(count for count, _ in code.locals) > _MANY_LOCALS
    enter = steps.enter_large_function if many else steps.enter_function
    body = Body((Step(None, enter),))
    body.function = index
    current: list[pywasm.Inst] = body
    enclosing: list[list[pywasm.Inst]] = []
    decoded = instructions(linked.instance.module.module.data, code.body)
    looked = code.body.start
    for instruction in decoded:
        if instruction.offset - looked > _STRETCH:
            # Now, and whenever the body is run.
            looked = instruction.offset
            steps.look_at_the_clock()
            current.append(Step(None, steps.look_at_the_clock))
        mnemonic = instruction.opcode.mnemonic
        match mnemonic:
            case "block" | "loop" | "if":
                inner: list[pywasm.Inst] = []
                arguments: list[Any] = [_block_type(instruction.immediates[0]), inner]
                if mnemonic == "loop":
                    inner.append(Step(None, steps.start_loop))
                elif mnemonic == "if":
                    arguments.append([])
                current.append(Located(instruction, instruction.opcode.code, arguments))
                enclosing.append(current)
                current = inner
            case "else" | "end":
                current += steps.closing(instruction)
                if mnemonic == "else":
                    current = enclosing[-1][-1].args[2]
                elif enclosing:
                    current = enclosing.pop()
                else:
                    break
            case _:
                current.append(steps.step(instruction) or _located(instruction))
    return body


def _block_type(type: ValType | int | None) -> pywasm.core.Bype:
    if type is None:
        return pywasm.core.Bype(0, 0x40)
    if isinstance(type, ValType):
        return pywasm.core.Bype(1, int(type))
    return pywasm.core.Bype(2, type)


def _located(instruction: Instruction) -> Located:
    opcode, immediates = instruction.opcode, instruction.immediates
    arguments: list[Any]
    match opcode.mnemonic:
        case "br_table":
            arguments = [list(immediates[0]), immediates[1]]
        case "select" if immediates:
            arguments = [[int(type) for type in immediates[0]]]
        case "f32.const":
            arguments = list(struct.unpack("<i", _U32.pack(immediates[0])))
        case "f64.const":
            arguments = list(struct.unpack("<q", _U64.pack(immediates[0])))
        case "v128.const":
            arguments = [bytearray(immediates[0])]
        case "i8x16.shuffle":
            arguments = list(immediates[0])
        case "ref.null":
            arguments = [int(immediates[0])]
        case _:
            arguments = list(immediates)
    return Located(instruction, _pywasm_code(opcode), arguments)


def _pywasm_code(opcode: Opcode) -> int:
    """pywasm keeps the LEB128 bytes of a prefixed opcode as they are."""
    if opcode.code > 0xFFFF or opcode.code < 0x100:
        return opcode.code
    number = opcode.code & 0xFF
    return opcode.code if number < 0x80 else (opcode.code << 8) | 0x01


class Steps:
    """The work of the steps of one instance; each `_name` is the instruction's with underscores."""

    def __init__(self, linked: Linked) -> None:
        self.linked = linked
        self.machine = linked.machine
        self.instance = linked.instance
        self.budget = linked.instance.budget
        depth = linked.instance.limits.call_depth
        # One frame of the machine's is the outermost one, which is no function.
        self.frames = None if depth is None else depth + 1

    def enter_function(self) -> None:
        stack = self.machine.stack
        if self.frames is not None and len(stack.frame) > self.frames:
            raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
        if self.linked.held_outside + len(stack.value) + len(stack.label) > _MOST_HELD:
            raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
        self.budget.spend()

    def enter_large_function(self) -> None:
        """A few bytes of a module declare fifty thousand locals, and each is an object here."""
        if self.linked.held_outside + held(self.machine.stack) > _MOST_HELD:
            raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
        self.enter_function()

    def look_at_the_clock(self) -> None:
        """See `Budget.check_deadline`; a body may also be built while no call runs."""
        if self.budget.nesting:
            self.budget.check_deadline()

    def start_loop(self) -> None:
        self.budget.spend()

    def closing(self, instruction: Instruction) -> Sequence[pywasm.Inst]:
        """What stands for an `else` or `end`: nothing, as the lists end there."""
        return ()

    def step(self, instruction: Instruction) -> Step | None:
        """The step that stands for an instruction; None where pywasm alone runs it."""
        mnemonic, immediates = instruction.opcode.mnemonic, instruction.immediates
        if mnemonic == "call":
            if immediates[0] >= self.instance.module.module.imported_functions:
                return None
            function = self.instance.functions[immediates[0]]
            return Step(instruction, lambda: self.call_outside(function))
        if mnemonic in _COMMUTATIVE:
            lanes = _COMMUTATIVE[mnemonic]
            rest = _pywasm_code(instruction.opcode)
            return Step(instruction, lambda: self._keep_first_nans(lanes), rest)
        if mnemonic not in _STEPS:
            return None
        method = getattr(self, "_" + mnemonic.replace(".", "_"))
        return Step(instruction, lambda: method(*immediates))

    def _pop(self) -> Any:
        return raw_value(self.machine.stack.value.pop())

    def _pop_three(self) -> tuple[Any, Any, Any]:
        third, second, first = self._pop(), self._pop(), self._pop()
        return first, second, third

    def _push(self, type: ValType, raw: Any) -> None:
        self.machine.stack.value.append(value_instance(type, raw))

    def call_outside(self, function: Function) -> None:
        params, results = function.type.params, function.type.results
        values = self.machine.stack.value
        first = len(values) - len(params)
        arguments = [raw_value(value) for value in values[first:]]
        del values[first:]
        result = function.entry(*arguments)
        # It may have called back and swallowed what ended it, or taken its time.
        self.budget.check()
        self.budget.check_limits()
        if len(results) == 1:
            self._push(results[0], result)
        elif results:
            values.extend(map(value_instance, results, result))

    def _keep_first_nans(self, lanes: struct.Struct) -> None:
        """Where both operands are NaNs, make the second one the first.

        CPython's `+` and `*` keep the first one's bits where they have run often with floats, else
        the second one's: without this, a debugger's replay would not be one.
        """
        values = self.machine.stack.value
        second = lanes.unpack_from(values[-1].data)
        if not any(map(math.isnan, second)):
            return
        kept = bytearray(values[-1].data)
        size = lanes.size // len(second)
        first = lanes.unpack_from(values[-2].data)
        for start, a, b in zip(range(0, lanes.size, size), first, second, strict=True):
            if math.isnan(a) and math.isnan(b):
                kept[start : start + size] = values[-2].data[start : start + size]
        values[-1] = pywasm.ValInst(values[-1].type, kept)

    def _i64_div_u(self) -> None:
        divisor, dividend = self._pop(), self._pop()
        if divisor == 0:
            raise Trap(TrapReason.INTEGER_DIVIDE_BY_ZERO)
        self._push(ValType.I64, dividend // divisor)

    def _call_indirect(self, type: int, table: int) -> None:
        index = self._pop()
        elements = self.instance.tables[table].elements
        if index >= len(elements):
            raise Trap(TrapReason.UNDEFINED_ELEMENT)
        function = elements[index]
        if function is None:
            raise Trap(TrapReason.UNINITIALIZED_ELEMENT)
        if function.type != self.instance.module.module.types[type]:
            raise Trap(TrapReason.INDIRECT_CALL_TYPE_MISMATCH)
        if function.instance is self.instance:
            self.machine.evaluate_call(function.index)
        else:
            self.call_outside(function)

    def _ref_func(self, function: int) -> None:
        self._push(ValType.FUNCREF, self.instance.functions[function])

    def _table_get(self, table: int) -> None:
        found = self.instance.tables[table]
        self._push(found.type.element, found.get(self._pop()))

    def _table_set(self, table: int) -> None:
        value = self._pop()
        self.instance.tables[table].set(self._pop(), value)

    def _table_size(self, table: int) -> None:
        self._push(ValType.I32, len(self.instance.tables[table]))

    def _table_grow(self, table: int) -> None:
        count = self._pop()
        before = self.instance.tables[table].try_grow(count, self._pop(), self.budget.spend)
        self._push(ValType.I32, before & 0xFFFFFFFF)

    def _table_fill(self, table: int) -> None:
        self.instance.tables[table].fill(*self._pop_three(), self.budget.spend)

    def _table_copy(self, destination: int, source: int) -> None:
        tables = self.instance.tables
        tables[destination].copy(tables[source], *self._pop_three(), self.budget.spend)

    def _table_init(self, segment: int, table: int) -> None:
        references = self.instance.element_segments[segment]
        self.instance.tables[table].init(references, *self._pop_three(), self.budget.spend)

    def _elem_drop(self, segment: int) -> None:
        self.instance.element_segments[segment] = []

    def _memory_grow(self, memory: int) -> None:
        before = self.instance.memories[memory].try_grow(self._pop(), self.budget.spend)
        self._push(ValType.I32, before & 0xFFFFFFFF)

    def _memory_fill(self, memory: int) -> None:
        self.instance.memories[memory].fill(*self._pop_three(), self.budget.spend)

    def _memory_copy(self, destination: int, source: int) -> None:
        # One memory: core 2.0 has no more.
        self.instance.memories[destination].copy(*self._pop_three(), self.budget.spend)

    def _memory_init(self, segment: int, memory: int) -> None:
        content = self.instance.data_segments[segment]
        self.instance.memories[memory].init(content, *self._pop_three(), self.budget.spend)

    def _data_drop(self, segment: int) -> None:
        self.instance.data_segments[segment] = b""


#: The instructions whose operands CPython may take in either order, and the lanes of an operand.
_COMMUTATIVE = {
    f"{shape}.{operation}": lanes
    for shape, lanes in (
        ("f32", struct.Struct("<f")),
        ("f64", _F64),
        ("f32x4", struct.Struct("<4f")),
        ("f64x2", struct.Struct("<2d")),
    )
    for operation in ("add", "mul")
}

#: The instructions that a step stands for, beside `call` of an imported function.
_STEPS = frozenset(
    (
        "call_indirect",
        "i64.div_u",
        "ref.func",
        "table.get",
        "table.set",
        "table.size",
        "table.grow",
        "table.fill",
        "table.copy",
        "table.init",
        "elem.drop",
        "memory.grow",
        "memory.fill",
        "memory.copy",
        "memory.init",
        "data.drop",
    )
)
