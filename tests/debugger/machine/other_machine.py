"""A small machine without pywasm: it runs the instructions of the program FACTORIALS.

It implements `SteppableMachine`, so the debugger must step it as it steps the pywasm machine.
"""

from __future__ import annotations

import copy
import math
import operator
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from purewasm_plugins import Instance
from purewasm_plugins.engine.stepping import (
    Clock,
    MachineFrame,
    MachineLabel,
    Position,
    SteppableEntry,
    SteppedBudget,
    TypedValue,
)
from purewasm_plugins.wasm import Instruction, ValType
from purewasm_plugins.wasm.binary.instructions import instructions
from purewasm_plugins.wasm.validation.control import Block

#: The instructions that pop b, then a, and push a number.
BINARY: dict[str, Callable[[int, int], int]] = {
    "i32.add": operator.add,
    "i32.sub": operator.sub,
    "i32.mul": operator.mul,
    "i32.ge_u": operator.ge,
}


@dataclass
class Label:
    """A label, and the number of the instruction at which a branch to it continues."""

    label: MachineLabel
    target: int
    is_loop: bool = False


@dataclass
class Frame:
    """An active function, and the number of its next instruction."""

    function: int
    locals: list[int]
    base: int
    labels: list[Label]
    next: int = 0


@dataclass
class Stack:
    """The state of the machine: frames, operands, and fuel to be spent before the next step."""

    frames: list[Frame] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    fuel: int = 0


class State:
    """A saved stack, or the stack of a machine: what `MachineState` and the machine share."""

    def __init__(self, machine: OtherMachine, stack: Stack) -> None:
        self.machine = machine
        self.stack = stack

    @property
    def size(self) -> int:
        return 100 * (len(self.stack.values) + len(self.stack.frames))

    @property
    def depth(self) -> int:
        return len(self.stack.frames)

    def frame(self, depth: int) -> MachineFrame:
        frames, values = self.stack.frames, self.stack.values
        frame, innermost = frames[depth], depth + 1 == len(frames)
        end = len(values) if innermost else frames[depth + 1].base
        return MachineFrame(
            self.machine.position_of(frame, frame.next if innermost else frame.next - 1),
            tuple(TypedValue(ValType.I32, raw) for raw in frame.locals),
            tuple(TypedValue(ValType.I32, raw) for raw in values[frame.base : end]),
            tuple(label.label for label in frame.labels),
            frame.base,
        )

    def operands(self, base: int = 0) -> tuple[TypedValue, ...]:
        return tuple(TypedValue(ValType.I32, raw) for raw in self.stack.values[base:])


class OtherEngine:
    """The engine of `OtherMachine`."""

    name = "other"

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        return OtherMachine(instance).entries


class OtherMachine:
    """A machine for functions of i32; see `SteppableMachine`."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.clock = Clock()
        self.perform_call: Callable[[Callable[[], Any]], Any] = lambda call: call()
        self.perform_grow: Callable[[Callable[[], int]], int] = lambda grow: grow()
        self.budget = instance.budget = SteppedBudget(instance.limits)
        self.wanted: Callable[[Position], bool] = lambda position: False
        self.stack = Stack()
        module = instance.module.module
        self.code = [[*instructions(module.data, code.body)] for code in module.functions]
        self.entries = [SteppableEntry(self, lambda: None) for _ in self.code]

    # Reading

    def position_of(self, frame: Frame, number: int) -> Position:
        return Position(frame.function, self.code[frame.function][number])

    @property
    def finished(self) -> bool:
        return not self.stack.frames

    @property
    def depth(self) -> int:
        return len(self.stack.frames)

    @property
    def position(self) -> Position | None:
        if self.finished:
            return None
        return self.position_of(self.stack.frames[-1], self.stack.frames[-1].next)

    def frame(self, depth: int) -> MachineFrame:
        return State(self, self.stack).frame(depth)

    def locals(self) -> tuple[TypedValue, ...]:
        return self.frame(self.depth - 1).locals

    def operands(self, base: int = 0) -> tuple[TypedValue, ...]:
        return State(self, self.stack).operands(base)

    def top(self, count: int) -> list[Any]:
        return self.stack.values[-count:]

    def save(self) -> State:
        return State(self, copy.deepcopy(self.stack))

    def restore(self, state: Any) -> None:
        self.stack = copy.deepcopy(state.stack)

    # Running

    def visit_where(self, wanted: Callable[[Position], bool], function: int | None = None) -> None:
        self.wanted = wanted

    def start(self, function: int, arguments: tuple[Any, ...]) -> None:
        self.stack = Stack(values=[*arguments])
        self.call(function)

    def run(self) -> None:
        clock = self.clock
        clock.live = self.budget.stepped = True
        try:
            while self.stack.frames:
                fuel, self.stack.fuel = self.stack.fuel, 0
                self.budget.spend(fuel)
                position = self.frame(self.depth - 1).position
                if clock.step >= clock.until or self.wanted(position):
                    clock.visit(position)
                clock.step += 1
                frame = self.stack.frames[-1]
                frame.next += 1
                self.execute(frame, position.instruction)
        finally:
            clock.live = self.budget.stepped = False
            clock.until = math.inf

    def call(self, function: int) -> None:
        """Push the frame of a function, its parameters taken from the stack."""
        type = self.instance.module.module.function_type(function)
        body = self.instance.module.control(function).body
        values = self.stack.values
        base = len(values) - len(type.params)
        count = sum(count for count, _ in self.instance.module.module.functions[function].locals)
        locals_ = [*values[base:], *[0] * count]
        del values[base:]
        label = Label(MachineLabel(None, len(type.results), 0), self.number(function, body.end) + 1)
        self.stack.frames.append(Frame(function, locals_, base, [label]))
        self.stack.fuel = 1

    def number(self, function: int, offset: int) -> int:
        """Return the number of the instruction at an offset."""
        return bisect_left(self.code[function], offset, key=lambda one: one.offset)

    def enter(self, frame: Frame, instruction: Instruction) -> Block:
        """Push the label of a block without parameters."""
        block = self.instance.module.control(frame.function).blocks[instruction.offset]
        height = len(self.stack.values) - frame.base
        target = self.number(frame.function, block.end) + 1
        is_loop = block.kind == "loop"
        label = MachineLabel(block.start, block.arity, height)
        frame.labels.append(Label(label, frame.next if is_loop else target, is_loop))
        self.stack.fuel = int(is_loop)
        return block

    def branch(self, frame: Frame, depth: int) -> None:
        """Branch to a label that carries no operands."""
        label = frame.labels[~depth]
        del frame.labels[len(frame.labels) - depth - (not label.is_loop) :]
        del self.stack.values[frame.base + label.label.height :]
        frame.next = label.target
        self.stack.fuel = int(label.is_loop)

    def execute(self, frame: Frame, instruction: Instruction) -> None:
        values, immediates = self.stack.values, instruction.immediates
        data: Any = self.instance.memories[0]
        match instruction.opcode.mnemonic:
            case "i32.const":
                values.append(immediates[0] & 0xFFFFFFFF)
            case mnemonic if mnemonic in BINARY:
                b, a = values.pop(), values.pop()
                values.append(int(BINARY[mnemonic](a, b)) & 0xFFFFFFFF)
            case "local.get":
                values.append(frame.locals[immediates[0]])
            case "local.set":
                frame.locals[immediates[0]] = values.pop()
            case "global.get":
                values.append(self.instance.globals[immediates[0]].raw)
            case "global.set":
                self.instance.globals[immediates[0]].raw = values.pop()
            case "i32.store":
                value = values.pop()
                data.write(values.pop() + immediates[1], value.to_bytes(4, "little"))
            case "i32.load":
                values.append(int.from_bytes(data.read(values.pop() + immediates[1], 4), "little"))
            case "call":
                self.call(immediates[0])
            case "call_indirect":
                self.call(self.instance.tables[immediates[1]].elements[values.pop()].index)
            case "block" | "loop":
                self.enter(frame, instruction)
            case "if":
                condition = values.pop()
                block = self.enter(frame, instruction)
                if not condition:
                    assert block.else_offset is not None
                    frame.next = self.number(frame.function, block.else_offset) + 1
            case "br":
                self.branch(frame, immediates[0])
            case "br_if":
                if values.pop():
                    self.branch(frame, immediates[0])
            case "else":
                frame.next = frame.labels.pop().target
            case "end":
                frame.labels.pop()
                if not frame.labels:
                    self.stack.frames.pop()
            case unknown:
                raise NotImplementedError(unknown)
