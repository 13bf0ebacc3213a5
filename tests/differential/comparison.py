"""The same calls of one module on our engines and on wasmtime, and the first difference."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from purewasm_plugins import TrapReason
from purewasm_plugins.engine import Engine
from purewasm_plugins.wasm import (
    ExternKind,
    FuncType,
    GlobalType,
    Module,
    ValidModule,
    ValType,
    load,
)
from purewasm_plugins.wasm.binary.instructions import instructions
from tests.differential.machines import Machine, OurMachine, Outcome, WasmtimeMachine, arguments
from tests.differential.rewriting import without_vectors_at_border

#: The engines that are compared with wasmtime, the one that is compared the most first.
ENGINES = ("translator", "pywasm")

#: Instructions that pywasm computes wrongly, as `tests/spec/known_failures_pywasm.txt` says.
PYWASM_WRONG = frozenset(
    [
        f"{shape}.{operation}"
        for shape in ("f32", "f64", "f32x4", "f64x2")
        for operation in ("min", "max", "pmin", "pmax", "ceil", "floor", "trunc", "nearest")
    ]
    + ["f32.convert_i64_s", "f32.convert_i64_u", "f32.copysign", "f32x4.neg"]
)


class Difference(NamedTuple):
    """Where an engine of ours differs from another machine.

    Attributes:
        engine, other: their names.
        where: the call, and what was looked at after it.
        found, expected: what the engine and what the other machine has there.
    """

    engine: str
    other: str
    where: str
    found: Any
    expected: Any

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.engine} has {_short(self.found)}, "
            f"{self.other} has {_short(self.expected)}"
        )

    @property
    def kind(self) -> tuple[str, ...]:
        """What stays the same while a module that differs is made smaller."""
        sides = [
            f"{side.kind} {str(side.value).partition(':')[0] if side.kind != 'returned' else ''}"
            if isinstance(side, Outcome)
            else self.where.rpartition(", ")[2].partition(" ")[0]
            for side in (self.found, self.expected)
        ]
        return (self.engine, self.other, *sides)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 300 else f"{text[:300]} …"


def _pywasm_is_right(module: Module) -> bool:
    return not any(
        instruction.opcode.mnemonic in PYWASM_WRONG
        for entry in module.functions
        for instruction in instructions(module.data, entry.body)
    )


def compare(
    data: bytes, *, engines: Sequence[str | Engine] = ENGINES, turns: int = 3
) -> tuple[Difference | None, int]:
    """Run a valid module on engines of ours and on wasmtime.

    Each exported function is called several times, and what is exported is compared after each
    call. Where a machine comes to a limit of its own, all start again with the next export.

    Args:
        data: the module.
        engines: one or two of ours. pywasm is left out where it is known to be wrong.
        turns: how often each export is called.

    Returns:
        The first difference, and the number of calls that were compared with wasmtime's.
    """
    valid = load(without_vectors_at_border(data))
    module = valid.module
    if any(
        ValType.V128 in (*type_.params, *type_.results)
        if isinstance(type_, FuncType)
        else isinstance(type_, GlobalType) and type_.value is ValType.V128
        for type_ in map(module.import_type, module.imports)
    ):
        raise ValueError("wasmtime's package cannot provide an import with a v128")
    if "pywasm" in engines and not _pywasm_is_right(module):
        engines = [engine for engine in engines if engine != "pywasm"]
    comparison = _Comparison(valid, engines)
    found = comparison.start()
    for export in module.exports:
        if found or not comparison.started:
            break
        if export.kind is ExternKind.FUNCTION:
            type_ = module.function_type(export.index)
            found = comparison.call(export.name, type_, turns)
    return found, comparison.calls


class _Comparison:
    """The machines, and the number of calls that were compared with wasmtime's."""

    def __init__(self, module: ValidModule, engines: Sequence[str | Engine]) -> None:
        self._module = module
        self._engines = engines
        self.started = False
        self.calls = 0

    def start(self) -> Difference | None:
        """Have every machine make an instance, and compare them."""
        self.started = False
        self._ours = [OurMachine(engine, self._module) for engine in self._engines]
        self._wasmtime = WasmtimeMachine(self._module)
        found, self.started = self._step("instantiation", lambda machine: machine.start())
        return found

    def call(self, name: str, type_: FuncType, turns: int) -> Difference | None:
        """Have every machine call an export several times, and compare what becomes of it."""
        for turn in range(turns):
            given = arguments(name, turn, type_)
            where = f"'{name}'({', '.join(map(repr, given))})"
            found, together = self._step(where, functools.partial(_call, name, given))
            if found:
                return found
            if not together:
                return self.start()
            self.calls += 1
        return None

    def _step(
        self, where: str, run: Callable[[Machine], Outcome]
    ) -> tuple[Difference | None, bool]:
        """Have every machine do the same, and compare what becomes of it.

        Returns:
            The first difference, and whether the machines can go on together: none has come to a
            limit, or could not even start.
        """
        outcomes = [(machine, run(machine)) for machine in self._ours]
        for machine, outcome in outcomes:
            if outcome.kind == "raised":
                return Difference(machine.name, "no machine", where, outcome, "this"), False
        expected = run(self._wasmtime)
        limited = "limited" in (expected.kind, *(outcome.kind for _, outcome in outcomes))
        if not limited:
            for machine, outcome in outcomes:
                found = _difference(where, machine, outcome, self._wasmtime, expected)
                if found:
                    return found, False
        together = not limited and (self.started or expected.kind == "returned")
        if len(outcomes) == 2:
            return _difference_of_ours(where, *outcomes), together
        return None, together


def _call(name: str, given: Sequence[Any], machine: Machine) -> Outcome:
    return machine.call(name, given)


def _difference_of_ours(
    where: str, one: tuple[OurMachine, Outcome], two: tuple[OurMachine, Outcome]
) -> Difference | None:
    """Our engines count alike: where one comes to a limit, the other must."""
    (first, found), (second, expected) = one, two
    if TrapReason.DEADLINE_EXCEEDED in (found.value, expected.value):
        return None
    if "limited" in (found.kind, expected.kind):
        return _difference(where, first, found, second, expected)
    if first.fuel_used != second.fuel_used:
        fuel = (first.fuel_used, second.fuel_used)
        return Difference(first.name, second.name, f"{where}, fuel used", *fuel)
    return None


def _difference(
    where: str, machine: Machine, found: Outcome, other: Machine, expected: Outcome
) -> Difference | None:
    if (found.kind, str(found.value)) != (expected.kind, str(expected.value)):
        return Difference(machine.name, other.name, where, found, expected)
    for (what, here), (_, there) in zip(machine.state(), other.state(), strict=False):
        if here == there:
            continue
        place = f"{where}, {what}"
        if isinstance(here, bytes) and len(here) == len(there):
            pairs = enumerate(zip(here, there, strict=True))
            at = next(at for at, (byte, other_byte) in pairs if byte != other_byte)
            here, there = here[at : at + 16].hex(), there[at : at + 16].hex()
            place = f"{place} from byte {at:#x} on"
        elif isinstance(here, bytes):
            here, there = f"{len(here)} bytes", f"{len(there)} bytes"
        return Difference(machine.name, other.name, place, here, there)
    return None
