"""Random programs over the interface, and the side that runs one of them with a library.

A program is a list of operations: a name, and arguments that are data or `Slot`s. What an operation
returns is in the slot of its number. `Side.run` carries out one operation, and returns what it
came to, in a form that is the same for both libraries where they do the same.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

__all__ = ["Operation", "Side", "Slot", "same"]


@dataclass(frozen=True)
class Slot:
    """What an earlier operation has returned."""

    number: int


@dataclass(frozen=True)
class Operation:
    """One operation."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Typed:
    """A `Val`: the name of the class method that makes it, and its argument."""

    name: str
    value: Any


class Marker:
    """An object of the host."""

    def __repr__(self) -> str:
        return "Marker"


class Interrupted(BaseException):
    """What a host function raises, though it is no `Exception`."""


MARKER = Marker()
SIGNALLING = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0001))[0]
INTS: tuple[int, ...] = (
    0,
    1,
    -1,
    2,
    7,
    255,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32 - 1,
    2**32,
    2**63,
    -(2**63),
)
INTS += (2**64, -(2**70), True)
FLOATS: tuple[float, ...] = (
    0.0,
    -0.0,
    1.5,
    1.1,
    math.inf,
    -math.inf,
    math.nan,
    1e300,
    5e-324,
    SIGNALLING,
)
OTHERS: tuple[Any, ...] = (
    None,
    "x",
    b"x",
    (),
    [1],
    {},
    MARKER,
    0.5,
    Typed("i32", 5),
    Typed("i64", -1),
)
OTHERS += (
    Typed("f32", 1.1),
    Typed("f64", math.nan),
    Typed("externref", "e"),
    Typed("funcref", None),
)
OTHERS += (Typed("externref", None), Typed("i32", 2**33 + 1))
TYPES: tuple[str, ...] = ("i32", "i64", "f32", "f64", "externref", "funcref")
SIGNATURES: tuple[str, ...] = (
    "",
    "->i32",
    "i32->i32",
    "i32 i32->i32",
    "i64->i64",
    "f32->f32",
    "f64->f64",
)
SIGNATURES += ("externref->externref", "funcref->funcref", "i32 i64->i64 i32", "->f32 f64")
SIGNATURES += ("i32", "->externref", "->funcref", "i32->i32 i32 i32")

#: Where wasmtime found by a fault that an access is out of bounds, it says more.
_MEMORY_FAULT = re.compile(r"    0: memory fault at .*\n    1: wasm trap:")

#: Functions have names of several letters: wasmtime takes `s` for C++, and shows it as `short`.
MODULES = {
    "calc": """(module $calc
      (memory (export "memory") 1 4) (table (export "table") 3 6 funcref)
      (table (export "objects") 2 externref)
      (global (export "g") (mut i32) (i32.const 5)) (global (export "c") f64 (f64.const 1.5))
      (global (export "o") (mut externref) (ref.null extern))
      (global (export "f") (mut funcref) (ref.func $add))
      (elem (i32.const 0) $add $trap)
      (data (i32.const 65530) "abcdef") (data (i32.const 8) "hello")
      (func $add (export "add") (param i32 i32) (result i32)
        (i32.add (local.get 0) (local.get 1)))
      (func (export "i64") (param i64) (result i64) (local.get 0))
      (func (export "f32") (param f32) (result f32) (local.get 0))
      (func (export "f64") (param f64) (result f64) (local.get 0))
      (func (export "extern") (param externref) (result externref) (local.get 0))
      (func (export "func") (param funcref) (result funcref) (local.get 0))
      (func (export "two") (param i32) (result i64 f32) (i64.const 3) (f32.const 0.5))
      (func (export "nothing"))
      (func $trap (export "trap") unreachable)
      (func $div (export "div") (param i32 i32) (result i32)
        (i32.div_s (local.get 0) (local.get 1)))
      (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
      (func (export "indirect") (param i32) (result i32)
        (call_indirect (param i32 i32) (result i32) (i32.const 20) (i32.const 22) (local.get 0)))
      (func $deep (export "deep") (call $deep))
      (func (export "trunc") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "null") (result externref) (ref.null extern))
      (func $inner (param i32) (drop (call $div (local.get 0) (i32.const 0))))
      (func (export "nested") (param i32) (call $inner (local.get 0)))
      (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))
      (func (export "init") (table.init 0 (i32.const 5) (i32.const 0) (i32.const 2)))
      (elem func $add $add))""",
    "host": """(module $host
      (import "host" "f" (func $back (param i32) (result i32)))
      (memory (export "memory") 1)
      (table (export "table") 3 9 funcref) (global (export "g") (mut i32) (i32.const 0))
      (func (export "trap") (param i32) (drop (i32.div_u (i32.const 1) (i32.const 0))))
      (func (export "again") (param i32 i32) (result i32) (i32.load8_u (i32.const 8)))
      (func (export "indirect") (param i32) (call_indirect (local.get 0)))
      (func (export "call") (param i32) (result i32) (call $back (local.get 0)))
      (func (export "twice") (param i32) (result i32) (call $back (call $back (local.get 0)))))""",
    "values": """(module
      (import "host" "i64" (func $wide (param i64) (result i64)))
      (import "host" "f32" (func $real (param f32) (result f32)))
      (import "host" "two" (func $both (param i32 i64) (result i64 i32)))
      (func (export "a") (param i64) (result i64) (call $wide (local.get 0)))
      (func (export "b") (param f32) (result f32) (call $real (local.get 0)))
      (func (export "c") (param i32 i64) (result i64 i32)
        (call $both (local.get 0) (local.get 1))))""",
    "imports": """(module
      (import "calc" "memory" (memory 1 4)) (import "calc" "table" (table 3 6 funcref))
      (import "calc" "g" (global $g (mut i32))) (import "calc" "add" (func $add (param i32 i32)
      (result i32)))
      (func (export "sum") (result i32) (call $add (global.get $g) (i32.load8_u (i32.const 8))))
      (export "again" (func $add)) (export "memory" (memory 0)))""",
    "start traps": '(module (memory (export "m") 1) (func $begin unreachable) (start $begin))',
    "start calls": """(module (import "host" "f" (func $back (param i32) (result i32)))
      (func $begin (drop (call $back (i32.const 1)))) (start $begin))""",
    "data outside": '(module (memory 1) (data (i32.const 65536) "x"))',
    "elements outside": "(module (table 1 funcref) (func $back) (elem (i32.const 1) $back))",
    "command": """(module (global $g (mut i32) (i32.const 0))
      (func (export "_start") (global.set $g (i32.add (global.get $g) (i32.const 1))))
      (func (export "count") (result i32) (global.get $g)))""",
    "reactor": """(module (global $g (mut i32) (i32.const 0))
      (func (export "_initialize") (global.set $g (i32.const 9)))
      (func (export "count") (result i32) (global.get $g)) (func (export "")))""",
    "wasi": """(module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func (export "exit") (param i32) (call $exit (local.get 0))))""",
    "loop": '(module (func (export "loop") (loop (br 0))) (func (export "one")))',
    "large": '(module (memory (export "m") 3) (table 20 funcref))',
    "limits": """(module (import "a" "m" (memory 2 3)) (import "a" "t" (table 2 4 externref))
      (func (export "sizes") (result i32 i32) memory.size table.size))""",
    "invalid": "(module (func (result i32)))",
    "malformed": "(module (func $f",
    "unknown": '(module (import "nowhere" "x" (func)) (import "nowhere" "y" (global i32)))',
}

EXPORTS: tuple[str, ...] = (
    "add",
    "i64",
    "f32",
    "f64",
    "extern",
    "func",
    "two",
    "nothing",
    "trap",
    "div",
    "load",
)
EXPORTS += ("store", "indirect", "trunc", "grow", "null", "nested", "fill", "init")
OTHER_EXPORTS: tuple[str, ...] = (
    "memory",
    "table",
    "objects",
    "g",
    "c",
    "o",
    "f",
    "call",
    "twice",
    "a",
    "b",
    "c",
)
OTHER_EXPORTS += ("sum", "again", "m", "count", "_start", "", "exit", "one", "nope", "deep")


# What host functions do. Each takes the side, and returns the Python function.


def _recorder(result: Any) -> Callable[[Side], Callable[..., Any]]:
    def make(side: Side) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            side.seen.append(side.shown(arguments))
            return side.value(result)

        return call

    return make


def _raiser(error: Callable[[Any], BaseException]) -> Callable[[Side], Callable[..., Any]]:
    def make(side: Side) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            side.seen.append(side.shown(arguments))
            raise error(side.library)

        return call

    return make


def _first(side: Side) -> Callable[..., Any]:
    return lambda *arguments: arguments[0] if arguments else None


def _all(side: Side) -> Callable[..., Any]:
    return lambda *arguments: arguments


def _backwards(side: Side) -> Callable[..., Any]:
    return lambda *arguments: [*arguments][::-1]


def _uses_caller(side: Side) -> Callable[..., Any]:
    """Use a `Caller` in each way, and keep it."""

    def call(*arguments: Any) -> Any:
        if not arguments or not isinstance(arguments[0], side.library.Caller):
            side.seen.append("no caller")
            return 3
        caller = arguments[0]
        side.kept = caller
        side.seen.append(side.shown(arguments))
        for use in (
            lambda: caller["memory"].size(caller),
            lambda: caller["memory"].read(caller, 8, 13),
            lambda: caller["memory"].write(caller, b"\x07", 3),
            lambda: caller["memory"].grow(caller, 1),
            lambda: caller.get("nope"),
            lambda: caller["nope"],
            lambda: caller["table"].size(caller),
            lambda: caller["call"].type(caller),
            lambda: caller.get(5),
        ):
            side.seen.append(side.outcome(use))
        return 3

    return call


def _enters_again(side: Side) -> Callable[..., Any]:
    """Call the exports of the caller again, some levels deep."""

    def call(*arguments: Any) -> Any:
        side.nested = True
        caller, *values = arguments
        if not isinstance(caller, side.library.Caller) or not values:
            return 0
        if values[0] > 3 or values[0] < 0:
            return caller["trap"](caller) if caller.get("trap") else values[0]
        return caller["call"](caller, values[0] + 1)

    return call


def _swallows(side: Side) -> Callable[..., Any]:
    """Call an export of the caller that fails, and go on."""

    def call(*arguments: Any) -> Any:
        side.nested = True
        caller = arguments[0] if arguments else None
        if not isinstance(caller, side.library.Caller):
            return 4
        for name in ("trap", "call", "deep"):
            side.seen.append(side.outcome(partial(_call_named, caller, name, arguments[1:])))
            if len(side.seen) > 8:
                break
        return 4

    return call


def _call_named(caller: Any, name: str, arguments: tuple[Any, ...]) -> Any:
    return caller[name](caller, *arguments)


def _changes(side: Side) -> Callable[..., Any]:
    """Change what the caller exports."""

    def call(*arguments: Any) -> Any:
        side.nested = True
        caller = arguments[0] if arguments else None
        if not isinstance(caller, side.library.Caller):
            return 5
        for use in (
            lambda: caller["g"].set_value(caller, 77),
            lambda: caller["table"].set(caller, 2, caller["indirect"]),
            lambda: caller["table"].grow(caller, 1, None),
            lambda: caller["memory"].write(caller, b"changed", 8),
            lambda: caller["again"](caller, 1, 2),
            lambda: caller["indirect"](caller, 2),
        ):
            side.seen.append(side.outcome(use))
        return 5

    return call


HOSTS: dict[str, Callable[[Side], Callable[..., Any]]] = {
    "first": _first,
    "all": _all,
    "backwards": _backwards,
    "caller": _uses_caller,
    "again": _enters_again,
    "swallows": _swallows,
    "changes": _changes,
    **{f"returns {value!r}": _recorder(value) for value in (*INTS[:10], *FLOATS[:6], *OTHERS)},
    "returns two": _recorder((2**40, 7)),
    "returns a list": _recorder([1, 2.5]),
    "returns three": _recorder([1, 2, 3]),
    "returns a string of two": _recorder("ab"),
    "raises ValueError": _raiser(lambda library: ValueError("no")),
    "raises KeyError": _raiser(lambda library: KeyError("x")),
    "raises Interrupted": _raiser(lambda library: Interrupted("now")),
    "raises Trap": _raiser(lambda library: library.Trap("my trap")),
    "raises WasmtimeError": _raiser(lambda library: library.WasmtimeError("my error")),
    "raises SystemExit": _raiser(lambda library: SystemExit(3)),
}


class Side:
    """One of the libraries, running a program.

    Attributes:
        library: the module `wasmtime`.
        slots: what the operations have returned, by their number.
        seen: what host functions have been given.
        kept: a `Caller` of a call that is over.
        nested: whether a host function calls into a module.
        metered: whether the engine counts fuel, or has epochs.
    """

    def __init__(self, library: Any) -> None:
        self.library = library
        self.slots: dict[int, Any] = {}
        self.seen: list[Any] = []
        self.kept: Any = None
        self.metered = False
        self.nested = False

    def run(self, number: int, operation: Operation) -> Any:
        """Carry out an operation; None where something that it uses is not there."""
        self.seen = []
        self.nested = False
        used = [argument.number for argument in _slots(operation.arguments)]
        if any(slot not in self.slots for slot in used):
            return None
        method = getattr(self, f"_{operation.name}")

        def act() -> Any:
            result = method(*map(self.value, operation.arguments))
            self.slots[number] = result
            return result

        return self.outcome(act), self.seen

    def outcome(self, act: Callable[[], Any]) -> Any:
        """What an action returns or raises."""
        try:
            return "returned", self.shown(act())
        except BaseException as error:
            if isinstance(error, (MemoryError, KeyboardInterrupt)):
                raise
            # What is no argument for `ctypes` is none for Python code, either.
            name = type(error).__name__.replace("ArgumentError", "TypeError")
            return "raised", name, self._message(error)

    def _message(self, error: BaseException) -> Any:
        library = self.library
        text = str(error)
        match error:
            case library.Trap():
                frames = [self._frame(frame) for frame in error.frames[:6]]
                if "call stack" in text:
                    return "call stack"
                if "interrupt" in text:
                    # The stand-in interrupts before the call, where that is due.
                    return "interrupt", str(error.trap_code)
                if "fuel" in text:
                    return "fuel", str(error.trap_code)
                if self.metered:
                    # Where code stops differs by an instruction.
                    text = re.sub("0x[0-9a-f]+", "0x", text)
                text = _MEMORY_FAULT.sub("    wasm trap:", text)
                if self.nested:
                    # Only wasmtime shows what was active before the last call from the host.
                    text, frames = text.partition("Caused by:")[2], frames[:1]
                return text, str(error.trap_code), frames
            case library.ExitTrap():
                return text if not self.metered else "", error.code
            case library.WasmtimeError():
                if "type mismatch" in text:
                    # The words are followed by numbers of wasmtime's own.
                    return "mismatch"
                return re.sub("0x[0-9a-f]+", "0x", text) if self.metered else text
        return error.args if type(error).__module__ == __name__ else ""

    def _frame(self, frame: Any) -> Any:
        names = frame.func_index, frame.func_name, frame.module_name
        return names if self.metered else (*names, frame.module_offset, frame.func_offset)

    def value(self, data: Any) -> Any:
        """An argument for the library."""
        if isinstance(data, Slot):
            return self.slots[data.number]
        if isinstance(data, Typed):
            return getattr(self.library.Val, data.name)(data.value)
        if isinstance(data, tuple) and any(isinstance(item, (Slot, Typed)) for item in data):
            return tuple(map(self.value, data))
        return data

    def shown(self, value: Any) -> Any:
        """A value in a form that can be compared."""
        library = self.library
        if isinstance(value, float):
            return "float", struct.pack("<d", value).hex()
        if value is None or isinstance(value, (bool, int, str, bytes, bytearray)):
            return type(value).__name__, value
        if isinstance(value, (list, tuple)):
            return type(value).__name__, [self.shown(item) for item in value]
        if isinstance(value, library.Val):
            # The type of one that a module has returned cannot be asked for in wasmtime.
            return "Val", self.shown(value.value)
        if isinstance(value, library.FuncType):
            return "FuncType", [*map(str, value.params)], [*map(str, value.results)]
        if isinstance(value, library.GlobalType):
            return "GlobalType", str(value.content), value.mutable
        if isinstance(value, library.TableType):
            return "TableType", str(value.element), self.shown(value.limits)
        if isinstance(value, library.MemoryType):
            return "MemoryType", self.shown(value.limits), value.is_64, value.is_shared
        if isinstance(value, library.Limits):
            return "Limits", value.min, value.max
        if isinstance(value, (library.ImportType, library.ExportType)):
            module = getattr(value, "module", None)
            return type(value).__name__, module, value.name, self.shown(value.type)
        if isinstance(value, library.TrapCode):
            return str(value)
        return type(value).__name__

    def release(self) -> None:
        """Let go of everything, the newest first."""
        self.kept = None
        while self.slots:
            self.slots.popitem()

    # Operations: engines and stores

    def _config(self, name: str, value: Any) -> Any:
        config = self.library.Config()
        setattr(config, name, value)
        return config

    def _engine(self, *names: str) -> Any:
        config = self.library.Config()
        self.metered = bool(names)
        for name in names:
            setattr(config, name, True)
        return self.library.Engine(config)

    def _store(self, engine: Any, data: Any) -> Any:
        return self.library.Store(engine, data)

    def _data(self, store: Any) -> Any:
        return store.data()

    def _set_fuel(self, store: Any, fuel: Any) -> Any:
        store.set_fuel(fuel)
        return store.get_fuel()

    def _get_fuel(self, store: Any) -> Any:
        return type(store.get_fuel()).__name__

    def _set_limits(self, store: Any, limits: Any) -> Any:
        return store.set_limits(**dict(limits))

    def _deadline(self, store: Any, ticks: Any) -> Any:
        return store.set_epoch_deadline(ticks)

    def _increment(self, engine: Any) -> Any:
        return engine.increment_epoch()

    def _gc(self, store: Any) -> Any:
        return store.gc()

    def _set_wasi(self, store: Any, arguments: Any) -> Any:
        config = self.library.WasiConfig()
        config.argv = arguments
        store.set_wasi(config)

    def _close(self, thing: Any) -> Any:
        return thing.close()

    # Modules and types

    def _module(self, engine: Any, name: str) -> Any:
        try:
            return self.library.Module(engine, MODULES[name])
        except self.library.WasmtimeError as error:
            # What is wrong with a text has other words.
            raise self.library.WasmtimeError("refused") from error

    def _module_of(self, engine: Any, data: Any) -> Any:
        try:
            return self.library.Module(engine, data)
        except self.library.WasmtimeError as error:
            raise self.library.WasmtimeError("refused") from error

    def _validate(self, engine: Any, data: Any) -> Any:
        try:
            return self.library.Module.validate(engine, data)
        except self.library.WasmtimeError as error:
            raise self.library.WasmtimeError("refused") from error

    def _imports(self, module: Any) -> Any:
        return module.imports

    def _exports(self, module: Any) -> Any:
        return module.exports

    def _again(self, engine: Any, module: Any) -> Any:
        return self.library.Module.deserialize(engine, module.serialize())

    def _functype(self, params: Any, results: Any) -> Any:
        kinds = self.library.ValType
        return self.library.FuncType(
            [getattr(kinds, name)() for name in params],
            [getattr(kinds, name)() for name in results],
        )

    def _equal(self, kind: str, first: Any, second: Any) -> Any:
        library = self.library
        if kind == "Val":
            return self.value(first) == self.value(second), first == self.value(second)
        kinds = library.ValType
        return getattr(kinds, first)() == getattr(kinds, second)(), str(getattr(kinds, first)())

    def _limits(self, minimum: Any, maximum: Any) -> Any:
        limits = self.library.Limits(minimum, maximum)
        return limits, limits == self.library.Limits(1, None)

    def _memory_type(self, minimum: Any, maximum: Any) -> Any:
        return self.library.MemoryType(self.library.Limits(minimum, maximum))

    def _table_type(self, kind: str, minimum: Any, maximum: Any) -> Any:
        element = getattr(self.library.ValType, kind)()
        return self.library.TableType(element, self.library.Limits(minimum, maximum))

    def _global_type(self, kind: str, mutable: Any) -> Any:
        return self.library.GlobalType(getattr(self.library.ValType, kind)(), mutable)

    def _val(self, name: str, value: Any) -> Any:
        val = getattr(self.library.Val, name)(value)
        return [val, val.value, val.as_i32(), val.as_i64(), val.as_f32(), val.as_f64()]

    def _type(self, thing: Any, store: Any) -> Any:
        return thing.type(store)

    # Functions

    def _func(self, store: Any, signature: str, host: str, caller: bool) -> Any:
        params, _, results = signature.partition("->")
        type = self._functype(params.split(), results.split())
        return self.library.Func(store, type, HOSTS[host](self), access_caller=caller)

    def _func_of(self, store: Any, type: Any, function: Any) -> Any:
        return self.library.Func(store, type, function)

    def _call(self, function: Any, store: Any, arguments: Any) -> Any:
        return function(store, *arguments)

    def _call_export(self, instance: Any, store: Any, name: str, arguments: Any) -> Any:
        return instance.exports(store)[name](store, *arguments)

    def _kept_caller(self, function: Any) -> Any:
        caller = self.kept
        if caller is None:
            return None
        uses = (
            lambda: caller["memory"],
            lambda: caller.get("memory"),
            lambda: function.type(caller),
            lambda: function(caller),
        )
        return [self.outcome(use) for use in uses]

    # Instances

    def _instance(self, store: Any, module: Any, imports: Any) -> Any:
        return self.library.Instance(store, module, [*imports])

    def _export(self, instance: Any, store: Any, key: Any) -> Any:
        return instance.exports(store)[key]

    def _names(self, instance: Any, store: Any) -> Any:
        exports = instance.exports(store)
        by_index = [type(item).__name__ for item in exports.by_index]
        return [*exports], len(exports), by_index, "add" in exports

    def _view(self, instance: Any, store: Any) -> Any:
        exports = instance.exports(store)
        uses = (
            lambda: exports.get("nope"),
            lambda: exports.get("memory", 5),
            lambda: exports.by_index[0],
            lambda: exports.by_index[-1],
            lambda: exports.by_index[1000],
            lambda: [*exports.by_index[:2]],
            lambda: [*exports.keys()],
            lambda: [type(item).__name__ for item in exports.values()],
            lambda: [name for name, _ in exports.items()],
            lambda: 5 in exports,
            lambda: None in exports,
            lambda: bool(exports),
            lambda: exports == exports,
            lambda: exports[0],
            lambda: exports.nope,
            lambda: instance.exports(store) is exports,
        )
        return [self.outcome(use) for use in uses]

    def _trap(self, message: Any) -> Any:
        trap = self.library.Trap(message)
        return str(trap), trap.message, [*trap.frames], trap.trap_code

    def _raise(self, message: Any) -> Any:
        raise self.library.WasmtimeError(message)

    # Memories

    def _memory(self, store: Any, minimum: Any, maximum: Any) -> Any:
        return self.library.Memory(store, self._memory_type(minimum, maximum))

    def _read(self, memory: Any, store: Any, start: Any, stop: Any) -> Any:
        found = memory.read(store, start, stop)
        return found[:64], found[-64:], len(found)

    def _write(self, memory: Any, store: Any, data: Any, start: Any) -> Any:
        return memory.write(store, data, start)

    def _grow(self, thing: Any, store: Any, *arguments: Any) -> Any:
        return thing.grow(store, *arguments)

    def _size(self, thing: Any, store: Any) -> Any:
        return thing.size(store)

    def _pages(self, memory: Any, store: Any) -> Any:
        return memory.data_len(store), memory.page_size(store), memory.page_size_log2(store)

    def _pointer(self, memory: Any, store: Any, index: int) -> Any:
        # wasmtime checks no bounds.
        if index + 16 > memory.data_len(store):
            return None
        pointer = memory.data_ptr(store)
        pointer[index] = pointer[index] ^ 1
        return pointer[index], pointer[0:16], memory.read(store, index, index + 1)

    def _buffer(self, memory: Any, store: Any, size: Any, offset: Any) -> Any:
        if offset + size > memory.data_len(store):
            return None
        array = memory.get_buffer_ptr(store, size, offset)
        return len(array), bytes(array[:16])

    # Tables and globals

    def _table(self, store: Any, kind: str, minimum: Any, maximum: Any, init: Any) -> Any:
        return self.library.Table(store, self._table_type(kind, minimum, maximum), init)

    def _get(self, table: Any, store: Any, index: Any) -> Any:
        return table.get(store, index)

    def _set(self, table: Any, store: Any, index: Any, value: Any) -> Any:
        return table.set(store, index, value)

    def _item(self, table: Any, store: Any, index: Any) -> Any:
        return table.get(store, index), table.size(store)

    def _global(self, store: Any, kind: str, mutable: Any, value: Any) -> Any:
        return self.library.Global(store, self._global_type(kind, mutable), value)

    def _global_value(self, thing: Any, store: Any) -> Any:
        return thing.value(store)

    def _set_value(self, thing: Any, store: Any, value: Any) -> Any:
        return thing.set_value(store, value)

    # Linkers

    def _linker(self, engine: Any) -> Any:
        return self.library.Linker(engine)

    def _shadowing(self, linker: Any, allow: Any) -> Any:
        linker.allow_shadowing = allow

    def _define(self, linker: Any, store: Any, module: Any, name: Any, item: Any) -> Any:
        return linker.define(store, module, name, item)

    def _define_func(
        self, linker: Any, module: Any, name: Any, signature: str, host: str, caller: bool
    ) -> Any:
        params, _, results = signature.partition("->")
        type = self._functype(params.split(), results.split())
        return linker.define_func(module, name, type, HOSTS[host](self), access_caller=caller)

    def _define_instance(self, linker: Any, store: Any, name: Any, instance: Any) -> Any:
        return linker.define_instance(store, name, instance)

    def _define_module(self, linker: Any, store: Any, name: Any, module: Any) -> Any:
        return linker.define_module(store, name, module)

    def _define_wasi(self, linker: Any) -> Any:
        return linker.define_wasi()

    def _as_traps(self, linker: Any, module: Any) -> Any:
        return linker.define_unknown_imports_as_traps(module)

    def _as_defaults(self, linker: Any, store: Any, module: Any) -> Any:
        return linker.define_unknown_imports_as_default_values(store, module)

    def _link(self, linker: Any, store: Any, module: Any) -> Any:
        return linker.instantiate(store, module)

    def _link_pre(self, linker: Any, store: Any, module: Any) -> Any:
        # The stand-in compares types in the second step, wasmtime in the first.
        return linker.instantiate_pre(module).instantiate(store)

    def _found(self, linker: Any, store: Any, module: Any, name: Any) -> Any:
        return linker.get(store, module, name)

    def _default(self, linker: Any, store: Any, name: Any) -> Any:
        return linker.get_default(store, name)


def same(first: Any, second: Any) -> bool:
    """Whether two outcomes are the same."""
    if first == second:
        return True
    if first is None or second is None:
        return False
    # Where a store is closed and an argument is wrong, either is right.
    names = {outcome[0][1] for outcome in (first, second) if outcome[0][0] == "raised"}
    return names == {"TypeError", "ValueError"}


def _slots(arguments: tuple[Any, ...]) -> list[Slot]:
    found = []
    for argument in arguments:
        if isinstance(argument, Slot):
            found.append(argument)
        elif isinstance(argument, tuple):
            found += _slots(argument)
    return found
