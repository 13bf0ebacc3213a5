"""How often each instruction ran: an engine that counts, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from purewasm_plugins.debugger.machine import EveryStep, rebuilt
from purewasm_plugins.debugger.program import Line, Program
from purewasm_plugins.engine.reference.interpreter import Body, Interpreter, Linked, build_body
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.wasm import ValidModule
from purewasm_plugins.wasm.module import Code

_at = list.__getitem__


class CountingList(Body):
    """Instructions that count how often they are handed out."""

    def __getitem__(self, index: Any) -> Any:
        instruction = _at(self, index)
        instruction.count += 1
        return instruction


class CoverageEngine(Interpreter):
    """The pywasm engine, counting how often each instruction runs in whatever it links."""

    def __init__(self) -> None:
        super().__init__()
        self._contents: list[Any] = []

    def link(self, instance: Instance) -> Sequence[Callable[..., Any]]:
        """See `Engine.link`."""
        return _CountingLinked(instance, self._contents).entries

    def counts(self) -> Counter[int]:
        """How often the instruction at each byte offset ran."""
        found: Counter[int] = Counter()
        for instruction in self._contents:
            if instruction.instruction is not None and instruction.count:
                found[instruction.instruction.offset] += instruction.count
        return found

    def reset(self) -> None:
        """Begin to count anew: what loading a plugin ran, for example, then does not count."""
        for instruction in self._contents:
            instruction.count = 0


class _CountingLinked(Linked):
    def __init__(self, instance: Instance, contents: list[Any]) -> None:
        self._contents = contents
        super().__init__(instance)

    def build_body(self, index: int, code: Code) -> Body:
        def make(plain: list[Any], _: int | None) -> Body:
            made = CountingList(plain)
            made.function = index
            return made

        body, contents = rebuilt(build_body(self, index, code, EveryStep(self)), make)
        for instruction in contents:
            instruction.count = 0
        self._contents += contents
        return body


@dataclass(frozen=True, slots=True)
class FunctionCoverage:
    """How much of a function ran.

    Attributes:
        index, name: which one.
        calls: how often it was entered.
        lines: its disassembly, each line with how often it ran.
        ran, total: instructions that ran, and that there are; `else` and `end` are not counted.
    """

    index: int
    name: str
    calls: int
    lines: tuple[tuple[Line, int], ...]
    ran: int
    total: int


def report(module: ValidModule, counts: Counter[int]) -> tuple[FunctionCoverage, ...]:
    """The coverage of every function that a module defines."""
    program = Program(module)
    return tuple(_function(program, index, counts) for index in program.functions())


def _function(program: Program, index: int, counts: Counter[int]) -> FunctionCoverage:
    lines = tuple((line, counts[line.offset]) for line in program.lines(index))
    real = [
        count for line, count in lines if line.instruction.opcode.mnemonic not in ("else", "end")
    ]
    # A `loop` that is the first instruction is fetched once for each call, like any other.
    return FunctionCoverage(
        index,
        program.function_name(index),
        lines[0][1],
        lines,
        sum(count > 0 for count in real),
        len(real),
    )
