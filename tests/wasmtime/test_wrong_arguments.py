"""Each argument of each function replaced by something wrong: the same class of error as wasmtime.

A `ctypes.ArgumentError` of wasmtime is a `TypeError` here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import purewasm_plugins.wasmtime

WRONG: tuple[Any, ...] = (None, 5, -1, "x", b"x", [], {}, 1.5, (), True, object)

MODULE = """(module (import "h" "f" (func)) (memory (export "m") 1) (table (export "t") 2 funcref)
  (global (export "g") (mut i32) (i32.const 0))
  (func (export "add") (param i32 i32) (result i32) (local.get 0)))"""


class Things:
    """What the calls use: names of Python expressions."""

    def __init__(self, library: Any) -> None:
        self.w = library
        self.engine = library.Engine()
        self.store = library.Store(self.engine)
        self.module = library.Module(self.engine, MODULE)
        self.signature = library.FuncType([], [])
        self.func = library.Func(self.store, self.signature, lambda: None)
        self.instance = library.Instance(self.store, self.module, [self.func])
        exports = self.instance.exports(self.store)
        self.exports = exports
        self.memory, self.table, self.glob = exports["m"], exports["t"], exports["g"]
        self.add = exports["add"]
        self.linker = library.Linker(self.engine)
        self.limits = library.Limits(1, None)
        self.i32, self.funcref = library.ValType.i32(), library.ValType.funcref()
        self.memory_type = library.MemoryType(self.limits)
        self.table_type = library.TableType(library.ValType.funcref(), self.limits)
        self.global_type = library.GlobalType(library.ValType.i32(), True)
        self.data = bytes(library.wat2wasm("(module)"))
        self.config = library.Config()


#: A function, and arguments that are right.
CALLS = {
    "w.Engine": "config",
    "w.Store": "engine",
    "w.Module": "engine, data",
    "w.Module.validate": "engine, data",
    "w.Module.deserialize": "engine, data",
    "w.Func": "store, signature, print, False",
    "w.Memory": "store, memory_type",
    "w.Global": "store, global_type, 1",
    "w.Instance": "store, module, [func]",
    "exports.__getitem__": "'m'",
    "exports.get": "'m'",
    "exports.__contains__": "'m'",
    "add": "store, 1, 2",
    "add.type": "store",
    "memory.read": "store, 0, 4",
    "memory.write": "store, b'ab', 0",
    "memory.grow": "store, 1",
    "memory.size": "store",
    "memory.data_len": "store",
    "memory.type": "store",
    "memory.page_size": "store",
    "table.get": "store, 0",
    "table.set": "store, 0, None",
    "table.grow": "store, 1, None",
    "table.size": "store",
    "glob.value": "store",
    "glob.set_value": "store, 3",
    "glob.type": "store",
    "w.Linker": "engine",
    "linker.define": "store, 'a', 'b', func",
    "linker.define_func": "'a', 'c', signature, print",
    "linker.define_instance": "store, 'q', instance",
    "linker.define_module": "store, 'z', module",
    "linker.instantiate": "store, module",
    "linker.instantiate_pre": "module",
    "linker.get": "store, 'a', 'b'",
    "linker.get_default": "store, 'a'",
    "linker.define_unknown_imports_as_traps": "module",
    "linker.define_unknown_imports_as_default_values": "store, module",
    "w.FuncType": "[i32], [i32]",
    "w.Limits": "1, 2",
    "w.MemoryType": "limits, False, False",
    "w.TableType": "funcref, limits",
    "w.GlobalType": "i32, True",
    "w.ValType": "",
    "w.Trap": "'x'",
    "w.WasmtimeError": "'x'",
    "store.set_fuel": "5",
    "store.set_epoch_deadline": "5",
    "store.set_limits": "100_000, 5, 5, 5, 5",
    "w.Val.i32": "1",
    "w.Val.i64": "1",
    "w.Val.f32": "1.5",
    "w.Val.f64": "1.5",
}


def variants(right: list[Any]) -> Iterator[list[Any]]:
    """Arguments: the right ones, one too few, one too many, and each replaced by what is wrong."""
    yield right
    yield right[:-1]
    yield [*right, None]
    for at in range(len(right)):
        for wrong in WRONG:
            yield [*right[:at], wrong, *right[at + 1 :]]


def outcomes(library: Any, function: str) -> Iterator[tuple[str, str]]:
    """The arguments of each call, and the class of what it raises."""
    names = {**vars(Things(library)), "print": print}
    call, right = eval(function, names), eval(f"[{CALLS[function]}]", names)
    for arguments in variants(right):
        shown = ", ".join(type(argument).__name__ for argument in arguments)
        try:
            call(*arguments)
        except Exception as error:
            yield shown, type(error).__name__.replace("ArgumentError", "TypeError")
        else:
            yield shown, "nothing"


@pytest.mark.parametrize("function", CALLS)
def test_wrong_arguments(oracle: Any, function: str) -> None:
    assert [*outcomes(purewasm_plugins.wasmtime, function)] == [*outcomes(oracle, function)]
