"""Machines that run a module: our engines and wasmtime, behind one protocol.

Imports and arguments depend only on their names and types, so a module by itself determines what
happens to it. A module that shows a difference can therefore be made smaller.
"""

from __future__ import annotations

import functools
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple, Protocol

import wasmtime

from purewasm_plugins import (
    Function,
    Global,
    Instance,
    Memory,
    ResourceLimitError,
    ResourceLimits,
    Table,
    Trap,
    TrapReason,
    instantiate,
)
from purewasm_plugins.engine import Engine
from purewasm_plugins.wasm import (
    ExternType,
    FuncType,
    GlobalType,
    MemoryType,
    TableType,
    ValidModule,
    ValType,
)
from tests.random_modules.values import random_float_bits, random_integer
from tests.wasm.wasmtime_verdict import wasmtime_config

WASMTIME = "wasmtime"

#: The limits of our engines. Declarations of a module should keep it below the other limits.
LIMITS = ResourceLimits(fuel=3_000, timeout=20.0, call_depth=100)
#: Seconds that a call may take beyond its timeout.
TOLERANCE = 2.0
#: More than our fuel, so that a call runs out of wasmtime's only if it runs out of ours.
WASMTIME_FUEL = 20_000_000

#: The ends of a call on one machine after which another machine may continue.
_LIMITED = {
    TrapReason.CALL_STACK_EXHAUSTED,
    TrapReason.OUT_OF_FUEL,
    TrapReason.DEADLINE_EXCEEDED,
    TrapReason.CANCELLED,
}

_TRAP_CODES = {
    wasmtime.TrapCode.STACK_OVERFLOW: TrapReason.CALL_STACK_EXHAUSTED,
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS,
    wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS: TrapReason.OUT_OF_BOUNDS_TABLE_ACCESS,
    wasmtime.TrapCode.INDIRECT_CALL_TO_NULL: TrapReason.UNINITIALIZED_ELEMENT,
    wasmtime.TrapCode.BAD_SIGNATURE: TrapReason.INDIRECT_CALL_TYPE_MISMATCH,
    wasmtime.TrapCode.INTEGER_OVERFLOW: TrapReason.INTEGER_OVERFLOW,
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: TrapReason.INTEGER_DIVIDE_BY_ZERO,
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER: TrapReason.INVALID_CONVERSION_TO_INTEGER,
    wasmtime.TrapCode.UNREACHABLE: TrapReason.UNREACHABLE,
    wasmtime.TrapCode.INTERRUPT: TrapReason.DEADLINE_EXCEEDED,
    wasmtime.TrapCode.OUT_OF_FUEL: TrapReason.OUT_OF_FUEL,
}


class HostRefusal(Exception):
    """The exception that host functions raise in a few of their calls."""


class Outcome(NamedTuple):
    """The outcome of a call.

    Attributes:
        kind: "returned", "trapped", "limited" (another machine may go on), or "raised" (what no
            call may raise).
        value: the results, or what ended it.
    """

    kind: str
    value: Any

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


def bits(value: Any) -> Any:
    """A border value of any machine's, or a tuple or list of them, to be compared."""
    if isinstance(value, float):
        return struct.pack("<d", value).hex() if value == value else "NaN"
    if isinstance(value, (tuple, list)):
        return tuple(bits(item) for item in value)
    if isinstance(value, wasmtime.Val):
        return bits(value.value)
    return value


def _value(random: Random, type_: ValType) -> Any:
    """A border value of that type; no NaN, whose bits machines may change at the border."""
    match type_:
        case ValType.I32 | ValType.I64:
            return random_integer(random, 32 if type_ is ValType.I32 else 64)
        case ValType.F32 | ValType.F64:
            size, code = (4, "<f") if type_ is ValType.F32 else (8, "<d")
            encoded = random_float_bits(random, size * 8).to_bytes(size, "little")
            (value,) = struct.unpack(code, encoded)
            return value if value == value else 1.5
        case ValType.EXTERNREF:
            return random.choice((None, "one", "two"))
    return None


def arguments(name: str, turn: int, type_: FuncType) -> list[Any]:
    """The border values that an export of that name is called with; zeros the first time."""
    random = Random(f"{name}/{turn}")
    if turn == 0:
        return [
            None if param.is_reference else 0.0 if param in (ValType.F32, ValType.F64) else 0
            for param in type_.params
        ]
    return [_value(random, param) for param in type_.params]


def host_function(name: str, type_: FuncType) -> Callable[..., Any]:
    """Make a host function, whose results depend on its name and on all its calls so far."""
    turn = 0

    def host(*given: Any) -> Any:
        nonlocal turn
        turn += 1
        plain = [value if isinstance(value, (int, float, str)) else None for value in given]
        random = Random(zlib.crc32(repr((name, turn, bits(plain))).encode()))
        if random.random() < 0.02:
            raise HostRefusal(name)
        results = [_value(random, result) for result in type_.results]
        for index, result in enumerate(type_.results):
            if result.is_reference and result in type_.params and random.random() < 0.5:
                results[index] = given[type_.params.index(result)]
        return None if not results else results[0] if len(results) == 1 else tuple(results)

    return host


def trap_reason(trap: Trap | wasmtime.Trap) -> TrapReason | str:
    """Why a call ended, in the same words for every machine; wasmtime's where there are none.

    Wasmtime does not tell an undefined element from a table access out of bounds.
    """
    if isinstance(trap, wasmtime.Trap):
        code = trap.trap_code
        return trap.message if code is None else _TRAP_CODES.get(code, trap.message)
    if trap.reason is TrapReason.UNDEFINED_ELEMENT:
        return TrapReason.OUT_OF_BOUNDS_TABLE_ACCESS
    return trap.reason


class Machine(Protocol):
    """A machine that runs a module."""

    name: str

    def start(self) -> Outcome:
        """Make the instance."""

    def call(self, name: str, given: Sequence[Any]) -> Outcome:
        """Call an export."""

    def state(self) -> Iterator[tuple[str, Any]]:
        """What the exported memories, globals and tables hold, by what each is called."""


class OurMachine:
    """One of our engines."""

    def __init__(
        self, engine: str | Engine, module: ValidModule, limits: ResourceLimits = LIMITS
    ) -> None:
        self.name = engine if isinstance(engine, str) else engine.name
        self._engine = engine
        self._module = module
        self._limits = limits
        self._instance: Instance | None = None

    def start(self) -> Outcome:
        module = self._module.module
        imports: dict[str, dict[str, Any]] = {}
        for entry in module.imports:
            value = self._import(f"{entry.module}.{entry.name}", module.import_type(entry))
            imports.setdefault(entry.module, {})[entry.name] = value

        def make() -> None:
            self._instance = instantiate(
                self._module, imports, engine=self._engine, limits=self._limits
            )

        return self._outcome(make)

    def call(self, name: str, given: Sequence[Any]) -> Outcome:
        function: Any = self._instance and self._instance.exports[name]
        return self._outcome(lambda: function(*given))

    @property
    def fuel_used(self) -> int:
        """Units that the last call has used."""
        return self._instance.fuel_used if self._instance else 0

    def state(self) -> Iterator[tuple[str, Any]]:
        for name, extern in self._instance.exports.items() if self._instance else ():
            match extern:
                case Memory():
                    yield f"memory '{name}'", extern.read(0, extern.size)
                case Global():
                    yield f"global '{name}'", self._plain(extern.value)
                case Table():
                    elements = [self._plain(element) for element in extern.elements]
                    yield f"table '{name}'", elements

    def _outcome(self, run: Callable[[], Any]) -> Outcome:
        begin = time.perf_counter()
        try:
            outcome = Outcome("returned", self._plain(run()))
        except Trap as trap:
            reason = trap_reason(trap)
            outcome = Outcome("limited" if reason in _LIMITED else "trapped", reason)
        except HostRefusal:
            outcome = Outcome("trapped", "host")
        except ResourceLimitError as error:
            outcome = Outcome("limited", error)
        except Exception as error:
            outcome = Outcome("raised", f"{type(error).__name__}: {error}")
        seconds = time.perf_counter() - begin
        if seconds > (self._limits.timeout or 1e9) + TOLERANCE:
            outcome = Outcome("raised", f"nothing: it took {seconds:.1f} s")
        return outcome

    def _plain(self, value: Any) -> Any:
        if isinstance(value, Function):
            return "a function"
        if isinstance(value, tuple):
            return tuple(self._plain(item) for item in value)
        return bits(value)

    def _import(self, name: str, type_: ExternType) -> Any:
        match type_:
            case FuncType():
                return host_function(name, type_)
            case GlobalType():
                return Global(type_, _value(Random(name), type_.value))
            case MemoryType():
                return Memory(type_)
            case TableType():
                return Table(type_)


@functools.cache
def _wasmtime_engine() -> wasmtime.Engine:
    config = wasmtime_config()
    config.consume_fuel = True
    config.cranelift_opt_level = "none"
    config.parallel_compilation = False
    return wasmtime.Engine(config)


class WasmtimeMachine:
    """Wasmtime."""

    name = WASMTIME

    def __init__(self, module: ValidModule) -> None:
        self._module = module.module
        self._store = wasmtime.Store(_wasmtime_engine())
        self._exports: dict[str, Any] = {}

    def start(self) -> Outcome:
        compiled = wasmtime.Module(self._store.engine, self._module.data)
        imports = [
            self._import(f"{entry.module}.{entry.name}", self._module.import_type(entry))
            for entry in self._module.imports
        ]

        def make() -> None:
            instance = wasmtime.Instance(self._store, compiled, imports)
            self._exports = dict(instance.exports(self._store).items())

        return self._outcome(make)

    def call(self, name: str, given: Sequence[Any]) -> Outcome:
        function = self._exports[name]
        return self._outcome(lambda: function(self._store, *given))

    def state(self) -> Iterator[tuple[str, Any]]:
        store = self._store
        for name, extern in self._exports.items():
            match extern:
                case wasmtime.Memory():
                    yield f"memory '{name}'", bytes(extern.read(store, 0, extern.data_len(store)))
                case wasmtime.Global():
                    yield f"global '{name}'", self._plain(extern.value(store))
                case wasmtime.Table():
                    elements = [
                        self._plain(extern.get(store, index)) for index in range(extern.size(store))
                    ]
                    yield f"table '{name}'", elements

    def _outcome(self, run: Callable[[], Any]) -> Outcome:
        self._store.set_fuel(WASMTIME_FUEL)
        try:
            return Outcome("returned", self._plain(run()))
        except wasmtime.Trap as trap:
            reason = trap_reason(trap)
            return Outcome("limited" if reason in _LIMITED else "trapped", reason)
        except HostRefusal:
            return Outcome("trapped", "host")

    def _plain(self, value: Any) -> Any:
        if isinstance(value, wasmtime.Func):
            # Its type is not read: the package aborts the process if it has a v128.
            return "a function"
        if isinstance(value, list):
            return tuple(self._plain(item) for item in value)
        return bits(value)

    def _import(self, name: str, type_: ExternType) -> Any:
        store = self._store
        match type_:
            case FuncType():
                params, results = (
                    [_wasmtime_type(item) for item in types]
                    for types in (type_.params, type_.results)
                )
                function = host_function(name, type_)
                return wasmtime.Func(store, wasmtime.FuncType(params, results), function)
            case GlobalType():
                value = _value(Random(name), type_.value)
                content = _wasmtime_type(type_.value)
                return wasmtime.Global(store, wasmtime.GlobalType(content, type_.mutable), value)
            case MemoryType():
                limits = wasmtime.Limits(type_.limits.minimum, type_.limits.maximum)
                return wasmtime.Memory(store, wasmtime.MemoryType(limits))
            case TableType():
                limits = wasmtime.Limits(type_.limits.minimum, type_.limits.maximum)
                element = _wasmtime_type(type_.element)
                return wasmtime.Table(store, wasmtime.TableType(element, limits), None)


def _wasmtime_type(type_: ValType) -> wasmtime.ValType:
    make: Callable[[], wasmtime.ValType] = getattr(wasmtime.ValType, str(type_))
    return make()
