"""Coverage: how often each instruction of a module ran, by function."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from purewasm_plugins.debugger.machine.program import Line, Program
from purewasm_plugins.wasm import ValidModule


@dataclass(frozen=True, slots=True)
class FunctionCoverage:
    """The coverage of a function.

    Attributes:
        index, name: of the function.
        calls: how often it was entered.
        lines: its disassembly, each line with how often it ran.
        ran, total: the number of instructions that ran, and of all; without `else` and `end`.
    """

    index: int
    name: str
    calls: int
    lines: tuple[tuple[Line, int], ...]
    ran: int
    total: int


def report(module: ValidModule, counts: Counter[int]) -> tuple[FunctionCoverage, ...]:
    """Report the coverage of every function that a module defines.

    Args:
        module: the module.
        counts: see `CoverageEngine.counts`.
    """
    program = Program(module)
    return tuple(_function(program, index, counts) for index in program.functions())


def _function(program: Program, index: int, counts: Counter[int]) -> FunctionCoverage:
    lines = tuple((line, counts[line.offset]) for line in program.lines(index))
    real = [
        count for line, count in lines if line.instruction.opcode.mnemonic not in ("else", "end")
    ]
    # The first instruction runs once for each call, even where it is a `loop`.
    return FunctionCoverage(
        index,
        program.function_name(index),
        lines[0][1],
        lines,
        sum(count > 0 for count in real),
        len(real),
    )
